"""Floor 3: files that other programs read and write.

`safetensors` saves and loads the weights of any model; it is loaded when it is first used.
"""

import importlib

__all__ = ["safetensors"]


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"module 'cynet.interop' has no attribute {name!r}")
    return importlib.import_module(f"cynet.interop.{name}")


def __dir__():
    return sorted(__all__)
