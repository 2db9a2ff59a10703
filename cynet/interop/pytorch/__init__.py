"""PyTorch's files, read without PyTorch.

Design: a .pt or .pth file is a zip archive: data.pkl, a pickle that tells of the tensors, and data/0, data/1
and so on, the bytes that they lie in, their storages. The pickle is read by stand-ins (`tensors.py`) that
only note what a tensor is: a storage, an offset, sizes, strides. All of it is checked in whole numbers; then
the storages of those tensors that are wanted are read (`storages.py`), each once, and the
arrays are views of them.
"""
