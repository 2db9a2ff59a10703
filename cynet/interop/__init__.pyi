"""What __init__.py loads when asked, once more for what checks types; see tests/test_type_checking.py."""

from . import safetensors as safetensors
from .onnx.reading import load_onnx as load_onnx
