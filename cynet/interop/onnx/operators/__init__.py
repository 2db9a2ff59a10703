"""What each operator of ONNX is made of: functions with a decorator; all files here are imported."""

from importlib import import_module
from pkgutil import iter_modules

from .table import OPERATORS

__all__ = ["OPERATORS"]

for _found in iter_modules(__path__, f"{__package__}."):
    import_module(_found.name)
