"""Floor 3: files that other programs read and write.

`safetensors` saves and loads the weights of any model; `load_torch` reads those of PyTorch's files,
`load_onnx` a net from an ONNX file; `save_onnx`, `save_c` and `save_html` write a net as such a file, as C,
as a page for a browser. Each is loaded when it is first used.
"""

import importlib

_HOME_OF = {  # functions, by the modules that define them
    "load_onnx": "cynet.interop.onnx.reading",
    "load_torch": "cynet.interop.pytorch.state_dicts",
    "save_c": "cynet.interop.c.writing",
    "save_html": "cynet.interop.browser.writing",
    "save_onnx": "cynet.interop.onnx.writing",
}
__all__ = ["safetensors", *_HOME_OF]


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"module 'cynet.interop' has no attribute {name!r}")
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    return importlib.import_module(f"cynet.interop.{name}")


def __dir__():
    return sorted(__all__)
