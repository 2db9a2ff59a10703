"""Floor 3: files that other programs read and write.

`safetensors` saves and loads the weights of any model, `save_onnx` writes a net as an ONNX file,
`save_c` as C; each is loaded when it is first used.
"""

import importlib

HOMES = {
    "save_c": "c.writing",
    "save_onnx": "onnx.writing",
}  # public, by their modules
__all__ = ["safetensors", *HOMES]


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"module 'cynet.interop' has no attribute {name!r}")
    module = importlib.import_module(f"cynet.interop.{HOMES.get(name, name)}")
    return getattr(module, name) if name in HOMES else module


def __dir__():
    return sorted(__all__)
