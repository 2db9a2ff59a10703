"""What the pickle in a PyTorch file tells of tensors, by stand-ins for what builds them."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cynet.core.types import Shape
from cynet.core.unpickling import DataUnpickler, unpickled
from cynet.interop.header import MOST_DIMENSIONS, MOST_SIDE, MOST_SIZE

MOST_PICKLE = 1 << 24  # bytes: of 100,000 tensors
MOST_INSTRUCTIONS = 1 << 20  # 30,000 tensors

BFLOAT16 = "bfloat16"  # NumPy has none
CODES = {
    "float64": "f8", "float32": "f4", "float16": "f2", BFLOAT16: "u2", "int64": "i8", "int32": "i4",
    "int16": "i2", "int8": "i1", "uint64": "u8", "uint32": "u4", "uint16": "u2", "uint8": "u1", "bool": "b1",
}  # fmt: skip
STORAGES = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": BFLOAT16, "Long": "int64",
    "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TorchDType:
    """Stands in for a torch.dtype, and for the class of a storage; without a name for that of any bytes."""

    name: str | None


@dataclass(frozen=True, slots=True)
class TorchStorage:
    """Stands in for a storage: the name of its bytes, and how many numbers they are; bytes without dtype."""

    key: str
    dtype: str | None
    numbers: int


@dataclass(frozen=True, slots=True)
class TorchTensor:
    """Stands in for a tensor, which lies within what its storage is said to hold. Strides count numbers."""

    storage: TorchStorage
    dtype: str
    offset: int
    size: Shape
    stride: Shape


class _OrderedDict(dict[Any, Any]):
    """Stands in for collections.OrderedDict, whose state is a note that PyTorch keeps for itself."""

    __slots__ = ()

    def __init__(self) -> None:  # from another one it would be a copy, as often as it is given
        super().__init__()

    def __setstate__(self, state: object) -> None:
        pass


def _bad(problem: str) -> pickle.UnpicklingError:
    return pickle.UnpicklingError(problem)


def _whole(*numbers: object) -> bool:
    return all(type(n) is int and 0 <= n <= MOST_SIDE for n in numbers)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: object) -> TorchTensor:
    """Stands in for torch._utils._rebuild_tensor and _rebuild_tensor_v2."""
    if type(storage) is not TorchStorage or storage.dtype is None:
        raise _bad("a tensor: wanted a storage of numbers")
    return _checked(storage, storage.dtype, storage.numbers, offset, size, stride)


def _tensor_of_bytes(
    storage: Any, offset: Any, size: Any, stride: Any, grad: object, hooks: object, dtype: Any, *rest: object
) -> TorchTensor:
    """Stands in for torch._utils._rebuild_tensor_v3."""
    if type(storage) is not TorchStorage or storage.dtype or type(dtype) is not TorchDType or not dtype.name:
        raise _bad("a tensor: wanted a storage of bytes, and a dtype")
    numbers = storage.numbers // np.dtype(CODES[dtype.name]).itemsize
    return _checked(storage, dtype.name, numbers, offset, size, stride)


def _checked(
    storage: TorchStorage, dtype: str, numbers: int, offset: Any, size: Any, stride: Any
) -> TorchTensor:
    if type(size) is not tuple or type(stride) is not tuple or len(size) != len(stride):
        raise _bad("a tensor: wanted as many strides as sizes")
    if len(size) > MOST_DIMENSIONS or not _whole(offset, *size, *stride):
        raise _bad(f"a tensor: wanted at most {MOST_DIMENSIONS} sizes, and strides, of 0 or more")
    if prod(n or 1 for n in size) * np.dtype(CODES[dtype]).itemsize > MOST_SIZE:
        raise _bad(f"a tensor: wanted a size that an array can have, got {size}")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if all(size) and last >= numbers:
        raise _bad(
            f"a tensor of size {size}: wanted it within {numbers:,} numbers, got one at place {last:,}"
        )
    return TorchTensor(storage, dtype, offset, size, stride)


def _parameter(data: Any, *rest: object) -> TorchTensor:
    """Stands in for torch._utils._rebuild_parameter and _rebuild_parameter_with_state."""
    if type(data) is not TorchTensor:
        raise _bad("a parameter: wanted a tensor")
    return data


def _with_attributes(rebuild: Any, kind: object, arguments: Any, state: object) -> TorchTensor:
    """Stands in for torch._tensor._rebuild_from_type_v2: a tensor with attributes, which are left out."""
    if rebuild not in (_tensor, _tensor_of_bytes) or type(arguments) is not tuple:
        raise _bad("a tensor with attributes: wanted a tensor")
    found: TorchTensor = rebuild(*arguments)
    return found


def _size(numbers: Any = ()) -> Any:
    """Stands in for torch.Size."""
    if type(numbers) is not tuple:
        raise _bad("a size: wanted a tuple")
    return numbers


def _counter(counts: Any = None) -> Any:
    """Stands in for collections.Counter, in which schedules of learning rates keep their steps."""
    if not isinstance(counts, dict):
        raise _bad("a counter: wanted a dict")
    return counts


def _device(*names: object) -> None:
    """Stands in for torch.device."""


_ALLOWED: dict[tuple[str, str], object] = {
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_of_bytes,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _with_attributes,
    ("torch", "Tensor"): None,  # only ever named as the class of a tensor with attributes
    ("torch.nn.parameter", "Parameter"): None,
    ("torch", "Size"): _size,
    ("torch", "device"): _device,
    ("torch.storage", "UntypedStorage"): TorchDType(None),
    ("collections", "OrderedDict"): _OrderedDict,
    ("collections", "Counter"): _counter,
    **{("torch", f"{name}Storage"): TorchDType(dtype) for name, dtype in STORAGES.items()},
    **{("torch", dtype): TorchDType(dtype) for dtype in CODES},
}


class _TorchUnpickler(DataUnpickler):
    wanted = "tensors and plain values alone, as torch.save(model.state_dict(), FILE) writes them"
    allowed = _ALLOWED
    built = (_OrderedDict,)
    keys = str, bytes, int, float, type(None)

    def persistent_load(self, pid: Any) -> TorchStorage:
        """What stands for a storage."""
        if type(pid) is not tuple or len(pid) != 5 or pid[0] != "storage":
            raise _bad("a storage: wanted (storage, class, name, device, count)")
        _, dtype, key, _, numbers = pid
        if type(dtype) is not TorchDType or type(key) is not str or not _whole(numbers):
            raise _bad("a storage: wanted its class, its name, and how much it holds")
        return TorchStorage(key, dtype.name, numbers)


def read_pickle(data: bytes, where: str) -> Any:
    """The plain values and the `TorchTensor`s in a pickle of PyTorch's.

    Parameters
    ----------
    data : bytes
    where : str
        What messages call it.

    Raises
    ------
    ValueError
        When it is damaged, or names anything else; what it names is not imported.
    """
    return unpickled(_TorchUnpickler(data, MOST_INSTRUCTIONS), where, "tensors")
