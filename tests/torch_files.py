"""Files as `torch.save` writes them, put together without PyTorch: a pickle, and storages, in a zip archive.

    content = saved({"weight": tensor(np.ones((2, 3), np.float32))})

`tests/interop/test_beside_torch.py` holds the pickles to PyTorch's own, byte for byte.
"""

import base64
import io
import pickle
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

CLASSES = {
    "f8": "Double", "f4": "Float", "f2": "Half", "i8": "Long", "i4": "Int", "i2": "Short", "i1": "Char",
    "u1": "Byte", "b1": "Bool",
}  # fmt: skip
FOLDER = "archive"
# torch.save(net.state_dict(), FILE) of torch 2.13, net = Sequential(Linear(2, 2), BatchNorm1d(2)) after
# net[0].weight = [[0.5, -1], [2, 0.25]], net[0].bias = [3, -4]; packed by zlib.
REAL = (
    "eNrFl89v22QYx984aZKlTelGu7IVNhgwUtjS2ImdpqNNZ4YvnkQbBLJ2sZzExNZcZ4/9phOgSpVQJyEuiDPiPIk/gCP8CyAmdkAC"
    "iRMnrogT7+vXCX7T9dcqsVeKXjl+P9/v940fP3Y29HQGoXwe7RtFNIcC2/KWuha2yvfuepp6Ft0ZH7tCp9P3PLuD3b4fFt4LunZg"
    "d2+5HVwAtNiCVMmg2pXyfdvtORiEDu4HHadsDrDrhQUzsNsD1+ua2PbDfmBuSwVIl0pGjjAhWWn1bMgwpKB5fQu/z74swISRorqQ"
    "NdJk7twbQE7PYMhv6kgXdOEBnCFT6gEUPndojkkMUy0oGtkoTNu1Qph2iJOTcZiSCM85OV3AMBMp7MFZPbUH5xj9PIbZFsxFWxGH"
    "WznP8RLMM/6FmL9A+YuMX8DwYgteitxF5n6Jo6twmdEvx/QrlL7C6FcxvNaC143piA4Gvu/6PXPLtny4yqnU4A2mUopVFqnKm0zl"
    "LQzXWnDdKHIq21YAZU5EhiUmUolFRCoiMZEqhloLZGMuEvEHW2bbwh3HDk0cWJ27dhcUJhZfs9t9vze6ZPVIX4Flop/C0CD6i4tM"
    "dwXDjRa8PdiBVeMMWUR2hy1aeLAWnW+WDFqTsL4DN6Pi2LaDkFQcqHoqjCvhnR245YyORXh3BzRyLISDsF3e0HP5i7tf//xQQIh+"
    "Ng6s+1l0ntV9+aN+sGVhM7bS1HP7y/+OSIW/++vXz6gn/RwsPI9WYuG4sk3Lc3v+lu1jTVWeoH2codRogOZ9+JNsCgmHBphGKgvQ"
    "/hjbfXqnauraU/oOh+di7Nk0w97qHxdofWcPzTCJbv7XVZYqmrp6ugBEsonQ7vdkXifzGk3y7cNPL8+QL2aOSFJPJBE1tYqeyn+d"
    "+v4QlcEv/lfUKH+EbzPhK2nqDXSq/e/S/Tep/5eb2Ucn9a+e2p8N6u/+dsU+qX/tGfvLz/j3V/73/U+hNeY/6msrpwhQLVDnH7/p"
    "fXB0/1lActwAo62HduCSDviJRV8dTLerqeLJg1SU5YYsNWSlVl+WpYoiy/XlikSOJHpGkWsNuSrW5QZN+c8XV2+XSI5SlDJFw45y"
    "Jp8NxX3JufegcTTZ/Wc57G8BPfFRMq6QbN/znMJmGh30zBgXSfbfaU7kp6HIqO+Ps8mOOcmxH2ZQsl/v23ui5fHg7xwojoPJe4UH"
    "jYkkKI2DySLnwcccWD0+SF/LEh3p+FEfc6B8AsdcElTGweTtNMU7DsEDKilZ4gsc2cqjw26+DT2bvRYvvZS+nvgXwM8z6bi088O+"
    "k81FAeKc7BVoIsuYYrSerf0Xq52s3w=="
)


@dataclass(eq=False)
class Name:
    """What a pickle names: a module and something in it, which need not be there."""

    module: str
    name: str

    def __call__(self):
        """Never called; but pickle asks whether it could be."""


@dataclass(eq=False)
class Stored:
    """A storage: bytes, and how many numbers of a class they are."""

    kind: Name
    content: bytes
    numbers: int


@dataclass(eq=False)
class Called:
    """Pickled as a call of something with arguments."""

    function: Name
    arguments: tuple
    state: object = None


def storage(array, kind=None):
    """The bytes of an array as a storage of its dtype, or of another class."""
    array = np.asarray(array)
    kind = kind or CLASSES[array.dtype.newbyteorder("=").str[1:]]
    return Stored(Name("torch", f"{kind}Storage"), array.tobytes(), array.size)


def view(stored, size, stride, offset=0):
    """A tensor in a storage."""
    arguments = stored, offset, tuple(size), tuple(stride), False, OrderedDict()
    return Called(Name("torch._utils", "_rebuild_tensor_v2"), arguments)


def tensor(array, kind=None):
    """A tensor with a storage of its own."""
    array = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
    return view(storage(array, kind), array.shape, [step // array.itemsize for step in array.strides])


def bfloat16(values):
    """A tensor of numbers that have no more than 8 bits."""
    array = np.asarray(values, "<f4")
    return tensor((array.view("<u4") >> 16).astype("<u2").reshape(array.shape), "BFloat16")


def parameter(inner):
    return Called(Name("torch._utils", "_rebuild_parameter"), (inner, True, OrderedDict()))


class _Pickler(pickle._Pickler):
    """Writes what stands above as PyTorch's own objects are written."""

    def __init__(self, file, protocol):
        super().__init__(file, protocol)
        self.keys = {}
        self.names = {}

    def persistent_id(self, value):
        if not isinstance(value, Stored):
            return None
        key = self.keys.setdefault(value, str(len(self.keys)))
        return "storage", value.kind, key, "cpu", value.numbers

    def reducer_override(self, value):
        if isinstance(value, Called):
            return value.function, value.arguments, value.state
        return NotImplemented

    def save(self, value, save_persistent_id=True):
        if isinstance(value, Name):  # one object a name, as a function is one
            value = self.names.setdefault((value.module, value.name), value)
            if id(value) in self.memo:
                self.write(self.get(self.memo[id(value)][0]))
                return
            if self.proto < 4:
                self.write(f"c{value.module}\n{value.name}\n".encode())
            else:
                self.save(value.module)
                self.save(value.name)
                self.write(pickle.STACK_GLOBAL)
            self.memoize(value)
        else:
            if isinstance(value, str):  # names and keys that are equal are one text in PyTorch's pickles, too
                value = self.names.setdefault(value, value)
            super().save(value, save_persistent_id)


def pickled(value, protocol=2):
    """(the pickle of a value, {name of a storage: its bytes})."""
    file = io.BytesIO()
    pickler = _Pickler(file, protocol)
    pickler.dump(value)
    return file.getvalue(), {key: stored.content for stored, key in pickler.keys.items()}


def zipped(entries, method=zipfile.ZIP_STORED, folder=FOLDER):
    """A zip archive of some entries, {name: bytes}, in a folder."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}"), content, method)
    return whole.getvalue()


def packed(program, storages=None, method=zipfile.ZIP_STORED, order="little"):
    """A file with a pickle and storages, {name: bytes}."""
    entries = {"data.pkl": program, "byteorder": order.encode()}
    entries |= {f"data/{key}": content for key, content in (storages or {}).items()}
    return zipped(entries | {"version": b"3\n"}, method)


def saved(value, protocol=2, **options):
    """A file of a value, as `torch.save` writes it."""
    return packed(*pickled(value, protocol), **options)


def real():
    """The very bytes of a file of PyTorch's."""
    return zlib.decompress(base64.b64decode(REAL))
