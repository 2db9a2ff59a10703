"""Floor 3: files that other programs read and write.

`safetensors` saves and loads the weights of any model, `load_torch` reads those of PyTorch's files; each is
loaded when it is first used.
"""

import importlib

_HOMES = {"load_torch": "pytorch.state_dicts"}  # other names are modules
__all__ = ["load_torch", "safetensors"]


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"module 'cynet.interop' has no attribute {name!r}")
    module = importlib.import_module(f"cynet.interop.{_HOMES.get(name, name)}")
    return getattr(module, name) if name in _HOMES else module


def __dir__():
    return sorted(__all__)
