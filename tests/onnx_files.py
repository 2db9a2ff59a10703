"""Small ONNX files, written field by field, so that tests need no package for it and can write wrong ones."""

import struct
from collections import OrderedDict

import numpy as np
import pytest

from cynet.interop import load_onnx

NUMBERS = {"float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9,
           "float16": 10, "float64": 11, "uint32": 12, "uint64": 13}  # fmt: skip
BFLOAT16 = 16


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def real(field, value):
    return varint(field << 3 | 5) + struct.pack("<f", value)


def packed(field, values):
    return text(field, b"".join(map(varint, values)))


def tensor(array, name="", dims=None, kind=None):
    """A TensorProto with its numbers in raw_data."""
    array = np.asarray(array)
    dims = array.shape if dims is None else dims
    raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
    kind = NUMBERS[array.dtype.name] if kind is None else kind
    return b"".join(number(1, side) for side in dims) + number(2, kind) + text(8, name) + text(9, raw)


def external(array, name, **notes):
    """A TensorProto whose numbers lie in another file."""
    entries = b"".join(text(13, text(1, key) + text(2, str(value))) for key, value in notes.items())
    dims = b"".join(number(1, side) for side in array.shape)
    return dims + number(2, NUMBERS[array.dtype.name]) + text(8, name) + entries + number(14, 1)


def attribute(name, value):
    head = text(1, name)
    if isinstance(value, float):
        return head + real(2, value) + number(20, 1)
    if isinstance(value, (bool, int)):
        return head + number(3, value) + number(20, 2)
    if isinstance(value, str):
        return head + text(4, value) + number(20, 3)
    if isinstance(value, np.ndarray):
        return head + text(5, tensor(value)) + number(20, 4)
    if isinstance(value, bytes):
        return head + text(6, value) + number(20, 5)
    if value and isinstance(value[0], float):
        return head + b"".join(real(7, one) for one in value) + number(20, 6)
    return head + b"".join(number(8, one) for one in value) + number(20, 7)


def node(kind, inputs, outputs, name="", domain="", **attributes):
    parts = [text(1, "" if one == "-" else one) for one in inputs.split()]
    parts += [text(2, one) for one in outputs.split()]
    parts += [text(3, name), text(4, kind)]
    parts += [text(5, attribute(*pair)) for pair in attributes.items()]
    return b"".join([*parts, text(7, domain)])


def value_info(name, shape, kind=1):
    """A ValueInfoProto; sides that are texts are open."""
    if shape is None:
        return text(1, name) + text(2, text(1, number(1, kind)))
    sides = b"".join(text(1, text(2, s) if isinstance(s, str) else number(1, s)) for s in shape)
    return text(1, name) + text(2, text(1, number(1, kind) + text(2, sides)))


def graph(nodes, inputs, outputs, constants):
    parts = [text(1, one) for one in nodes] + [text(2, "g")]
    parts += [
        text(5, one if isinstance(one, bytes) else tensor(one, name)) for name, one in constants.items()
    ]
    parts += [
        text(11, one if isinstance(one, bytes) else value_info(name, one)) for name, one in inputs.items()
    ]
    parts += [text(12, value_info(name, shape)) for name, shape in outputs.items()]
    return b"".join(parts)


def model(nodes, inputs, outputs=("y",), constants=None, opset=17, ir=8):
    """The bytes of a file.

    Parameters
    ----------
    nodes : list of bytes
    inputs : dict of str to shape, or bytes
    outputs : names, or dict of str to shape
    constants : dict of str to array, or bytes
    opset : int
    ir : int
    """
    outputs = outputs if isinstance(outputs, dict) else OrderedDict.fromkeys(outputs)
    whole = graph(nodes, inputs, outputs, constants or {})
    return number(1, ir) + text(2, "tests") + text(7, whole) + text(8, text(1, "") + number(2, opset))


def write(path, *parts, **more):
    path.write_bytes(model(*parts, **more))
    return path


def branches():
    """A net from images (N, 3, 8, 6) to rows, with a little of everything that a reader looks into."""
    rng = np.random.default_rng(0)

    def drawn(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    one = np.array(1, np.float32)
    nodes = [
        node("Conv", "x stem.weight stem.bias", "a", "stem", pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        node("BatchNormalization", "a s t m v", "b", epsilon=0.001),
        node("Relu", "b", "c"),
        node("MaxPool", "c", "d", kernel_shape=[2, 2], strides=[2, 2]),
        node("Constant", "", "r", value=np.array(2**0.5, np.float32)),
        node("Div", "d r", "e"), node("Erf", "e", "f"), node("Add", "f one", "g"), node("Mul", "d g", "h"),
        node("Concat", "d h", "i", axis=1),
        node("GlobalAveragePool", "i", "j"), node("Sigmoid", "j", "k"), node("Mul", "i k", "l"),
        node("Resize", "l - sizes", "n", mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor"),
        node("Slice", "n from to axes", "o"),
        node("Shape", "o", "p"), node("Constant", "", "zero", value=np.array([0])),
        node("Gather", "p zero", "q"),
        node("Constant", "", "rest", value=np.array([-1])), node("Concat", "q rest", "u", axis=0),
        node("Reshape", "o u", "w"), node("Gemm", "w head.weight head.bias", "y", "head", transB=1),
    ]  # fmt: skip
    constants = {
        "stem.weight": drawn(4, 3, 3, 3), "stem.bias": drawn(4), "s": drawn(4), "t": drawn(4), "m": drawn(4),
        "v": np.abs(drawn(4)), "one": one, "sizes": np.array([1, 1, 2, 2], np.float32), "from": np.array([1]),
        "to": np.array([5]), "axes": np.array([2]), "head.weight": drawn(5, 192), "head.bias": drawn(5),
    }  # fmt: skip
    return model(nodes, {"x": ("N", 3, 8, 6)}, {"y": ("N", 5)}, constants)


def refusal(path, *given, **options):
    """What `load_onnx` says of a file that it refuses, in one line, after the file's name."""
    with pytest.raises(ValueError) as caught:
        load_onnx(path, *given, **options)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    return str(caught.value)[len(f"{path}: ") :]
