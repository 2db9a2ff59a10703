"""What __init__.py loads when asked, once more for what checks types; see tests/test_type_checking.py."""

from . import safetensors as safetensors
from .browser.writing import save_html as save_html
from .c.writing import save_c as save_c
from .onnx.reading import load_onnx as load_onnx
from .onnx.writing import save_onnx as save_onnx
from .pytorch.state_dicts import load_torch as load_torch
