"""ONNX files: read as data, without the package of that name."""
