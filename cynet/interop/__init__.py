"""Floor 3: files that other programs read and write.

`safetensors` saves and loads the weights of any model; `load_onnx` makes a net of an ONNX file. Each is loaded
when it is first used.
"""

import importlib

_HOMES = {"load_onnx": "cynet.interop.onnx.reading"}

__all__ = [*_HOMES, "safetensors"]


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"module 'cynet.interop' has no attribute {name!r}")
    if name in _HOMES:
        value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
        return value
    return importlib.import_module(f"cynet.interop.{name}")


def __dir__():
    return sorted(__all__)
