"""Reads the pickles of the CIFAR archives without running anything they say.

Design: plain NumPy arrays come in stand-ins for what builds them (`core/unpickling.py`): no byte of the file
reaches NumPy's own __setstate__.
"""

import pickle
from typing import Any

import numpy as np

from cynet.core.types import AnyArray
from cynet.core.unpickling import DataUnpickler, unpickled

_PLAIN = frozenset(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)) | {"b1", "f4", "f8"}
_MOST_INSTRUCTIONS = 1 << 22  # ten times what the largest CIFAR pickle has; each makes 64 bytes or so


class _DType:
    """Stands in for numpy.dtype, of plain numbers only."""

    def __init__(self, code: Any, align: object = False, copy: object = True) -> None:
        code = code.decode("latin1") if isinstance(code, bytes) else code
        if not isinstance(code, str) or code.lstrip("<>|=") not in _PLAIN:
            raise pickle.UnpicklingError("wanted a dtype of plain numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        order: Any = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("wanted a byte order in the state of a dtype")
        self.dtype = self.dtype.newbyteorder(order)


class _NDArray:
    """Stands in for numpy.ndarray, which is only ever named as the type to make."""


class _Array:
    """Stands in for numpy.core.multiarray._reconstruct: an array, once its state is set."""

    array: AnyArray | None = None

    def __init__(self, subtype: Any, shape: Any, code: Any) -> None:
        if subtype is not _NDArray:
            raise pickle.UnpicklingError("wanted a numpy.ndarray to reconstruct")

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, column_major, data = state
        array = np.frombuffer(data, dtype.dtype) if data else np.empty(0, dtype.dtype)
        self.array = array.reshape(shape, order="F" if column_major else "C")


def _scalar(dtype: Any, data: Any) -> Any:
    """Stands in for numpy.core.multiarray.scalar."""
    return np.frombuffer(data, dtype.dtype, 1)[0].item()


_ALLOWED: dict[tuple[str, str], object] = {("numpy", "ndarray"): _NDArray, ("numpy", "dtype"): _DType}
for _home in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _ALLOWED[_home, "_reconstruct"] = _Array
    _ALLOWED[_home, "scalar"] = _scalar


class _Unpickler(DataUnpickler):
    wanted = "arrays and plain values alone"
    allowed = _ALLOWED
    built = (_Array, _DType)

    def __init__(self, data: bytes) -> None:
        super().__init__(data, _MOST_INSTRUCTIONS, encoding="bytes")


def load(data: bytes, where: str) -> dict[Any, Any]:
    """The dict that a pickle of plain values and NumPy arrays holds; strings of Python 2 come as bytes.

    Parameters
    ----------
    data : bytes
    where : str
        What the messages call the file.

    Returns
    -------
    dict
        Its arrays are read-only.

    Raises
    ------
    ValueError
        When it is damaged, holds no dict, or names anything else; what it names is not imported.
    """
    value = unpickled(_Unpickler(data), where, "arrays")
    if not isinstance(value, dict):
        raise ValueError(f"{where}: wanted a pickled dict, got {type(value).__name__}")
    return {key: _plain(item) for key, item in value.items()}


def _plain(item: Any) -> Any:
    return item.array if isinstance(item, _Array) else item
