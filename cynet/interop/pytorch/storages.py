"""The numbers of the tensors in a PyTorch file."""

from __future__ import annotations

import sys
from math import prod

import numpy as np

from cynet.core.names import printable
from cynet.core.types import AnyArray
from cynet.data.sets.bounded import check_memory
from cynet.interop.zips import ZipDirectory

from .tensors import BFLOAT16, CODES, TorchStorage, TorchTensor

SPARE = 1 << 20  # bytes that storages may take beyond twice the file, where they are packed in it
CHUNK = 1 << 16  # numbers that are widened at a time
ORDERS = b"little", b"big"


class TorchArrays:
    """Makes arrays of the tensors in an archive.

    Parameters
    ----------
    archive : ZipDirectory
    folder : str
        What the names of its entries begin with.

    Raises
    ------
    ValueError
        When it does not say the order of bytes in a way that is known.
    """

    def __init__(self, archive: ZipDirectory, folder: str) -> None:
        self.archive, self.folder = archive, folder
        self.left = self.most = 2 * archive.size + SPARE  # bytes
        self.storages: dict[tuple[str, str], AnyArray] = {}
        place = f"{folder}byteorder"
        order = archive.read(place, max(map(len, ORDERS))) if place in archive.entries else ORDERS[0]
        if order not in ORDERS:
            raise ValueError(f"byteorder: wanted little or big, got {order!r}")
        self.swapped = order.decode() != sys.byteorder

    def of(self, tensor: TorchTensor) -> AnyArray:
        """The array of a tensor, a view of its storage.

        Raises
        ------
        ValueError
            When the archive does not hold the storage whole, or it is larger than a file of this size may ask
            for.
        """
        numbers = self._storage(tensor.storage, tensor.dtype)
        if not all(tensor.size):
            return np.empty(tensor.size, numbers.dtype)
        width = numbers.itemsize
        if prod(tensor.size) * width > self.most:
            got = f"got one of size {tensor.size} that repeats its numbers"
            raise ValueError(f"wanted a tensor of at most {self.most:,} bytes, {got}")
        # NumPy looks at the stride of a side of 1, too, which may be any number.
        sides = zip(tensor.size, tensor.stride, strict=True)
        strides = [width * (step if side > 1 else 1) for side, step in sides]
        return np.ndarray(tensor.size, numbers.dtype, numbers, width * tensor.offset, strides)  # type: ignore[arg-type]

    def _storage(self, storage: TorchStorage, dtype: str) -> AnyArray:
        """All numbers of a storage, read when they are first wanted."""
        if (storage.key, dtype) in self.storages:
            return self.storages[storage.key, dtype]
        name = f"{self.folder}data/{storage.key}"
        where = printable(name[:80])
        if name not in self.archive.entries:
            raise ValueError(f"{where}: wanted the numbers of a tensor, got no entry of that name")
        size, width = self.archive.entries[name].size, np.dtype(CODES[dtype]).itemsize if storage.dtype else 1
        if size != storage.numbers * width:
            wanted = f"wanted {storage.numbers * width:,} bytes, as its pickle says"
            raise ValueError(f"{where}: {wanted}, got {size:,}")
        taken = 2 * size if dtype == BFLOAT16 else size
        if taken > self.left:
            raise ValueError(f"{where}: wanted storages of at most {self.most:,} bytes together, got more")
        check_memory(taken, "the tensors")
        self.left -= taken
        found = self.storages[storage.key, dtype] = self._read(name, size, dtype)
        return found

    def _read(self, name: str, size: int, dtype: str) -> AnyArray:
        code = np.dtype(CODES[dtype])
        count = size // code.itemsize
        room = np.empty(2 * size if dtype == BFLOAT16 else size, np.uint8)
        raw = room[len(room) - size :]  # of bfloat16 the second half, to be widened into the whole
        self.archive.fill(name, memoryview(raw.data))
        numbers = raw[: count * code.itemsize].view(np.uint8 if dtype == "bool" else code)
        if self.swapped:
            numbers.byteswap(inplace=True)
        if dtype == "bool":  # a byte may be any number
            return np.not_equal(numbers, 0, out=numbers.view(np.bool_))
        if dtype != BFLOAT16:
            return numbers
        wide = room[: 4 * count].view(np.uint32)
        for first in range(0, count, CHUNK):  # never over what is still to be read
            part = slice(first, first + CHUNK)
            wide[part] = numbers[part].astype(np.uint32) << 16
        return wide.view(np.float32)
