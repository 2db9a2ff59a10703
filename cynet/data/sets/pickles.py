"""Reads the pickles of the CIFAR archives without running anything they say.

Design: a pickle is a program, and its GLOBAL instruction imports and hands out any function. Here it hands
out only what plain NumPy arrays need, and even that in stand-ins written below, which check before they
build: no byte of the file reaches NumPy's own __setstate__. The unpickler is the one written in Python: its
memo is a dict (the one in C makes a table as long as the largest memo index that the file names), and its
instructions can be counted and narrowed.
"""

import io
import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np

from cynet.core.types import AnyArray

_PLAIN = frozenset(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)) | {"b1", "f4", "f8"}
_MOST_INSTRUCTIONS = 1 << 22  # ten times what the largest CIFAR pickle has; each makes 64 bytes or so
_MANY = pickle.UnpicklingError(f"wanted at most {_MOST_INSTRUCTIONS} instructions, got more")


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


class _Unpickler(pickle._Unpickler):
    stack: list[Any]

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="bytes")
        self.to_encode, self.instructions = len(data), 0

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return self._encode
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"wanted arrays and plain values alone, got {module}.{name}")
        return _ALLOWED[module, name]

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError(f"wanted arrays and plain values alone, got extension {code}")

    def _encode(self, text: str, encoding: str) -> bytes:
        """Stands in for _codecs.encode, by which Python 3 writes bytes into an old pickle."""
        self.to_encode -= len(text)
        if encoding != "latin1" or self.to_encode < 0:  # one text encoded over and over would fill the memory
            raise pickle.UnpicklingError("wanted each text encoded once, as latin1")
        return text.encode("latin1")

    def load_build(self) -> None:
        # On anything else BUILD would set attributes, those of the stand-ins among them.
        if type(self.stack[-2]) not in (_Array, _DType):
            raise pickle.UnpicklingError("wanted a state for an array or a dtype alone")
        super().load_build()  # type: ignore[misc]  # typeshed has none of these

    def load_setitem(self) -> None:
        _check_keys(self.stack[-2:-1])
        super().load_setitem()  # type: ignore[misc]

    def load_setitems(self) -> None:
        _check_keys(self.stack[::2])
        super().load_setitems()  # type: ignore[misc]

    def load_dict(self) -> None:
        _check_keys(self.stack[::2])
        super().load_dict()  # type: ignore[misc]


def _check_keys(keys: Iterable[object]) -> None:
    # The hash of a tuple a million deep overflows the stack of the process.
    if not all(isinstance(key, (str, bytes)) for key in keys):
        raise pickle.UnpicklingError("wanted strings as the keys of a dict")


def _counted(name: str) -> Any:
    method = getattr(_Unpickler, name)

    def load(self: _Unpickler) -> None:
        self.instructions += 1
        if self.instructions > _MOST_INSTRUCTIONS:
            raise _MANY
        method(self)

    return load


_SETS = {pickle.EMPTY_SET[0], pickle.FROZENSET[0], pickle.ADDITEMS[0]}  # no CIFAR file has them
_Unpickler.dispatch = {
    code: _counted(method.__name__)
    for code, method in pickle._Unpickler.dispatch.items()
    if code not in _SETS
}


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
    try:
        value = _Unpickler(data).load()
    except Exception as error:  # a damaged program fails in as many ways as there are instructions
        kind = "" if isinstance(error, pickle.UnpicklingError) else f"{type(error).__name__}: "
        raise ValueError(f"{where}: wanted a pickle of arrays, got a bad one: {kind}{error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{where}: wanted a pickled dict, got {type(value).__name__}")
    return {key: _plain(item) for key, item in value.items()}


def _plain(item: Any) -> Any:
    return item.array if isinstance(item, _Array) else item
