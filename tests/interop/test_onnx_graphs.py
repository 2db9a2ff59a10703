"""What a reader of ONNX files makes of inputs, layouts, outputs and versions, and of arrays in files."""

import re
from itertools import pairwise

import numpy as np
import onnx_files
import pytest
from onnx_cases import floats, ints
from onnx_files import NUMBERS, node, number, packed, refusal, tensor, text, value_info, varint, write

from cynet.interop import load_onnx

ROWS = ("N", 4)
RELU = [node("Relu", "x", "y")]


def drawn(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.onnx"


# -- where the channels are ----------------------------------------------------------------------------------
def chain(count, *last):
    """Curves one after another, and what takes the last of them."""
    names = ["x", *(f"h{n}" for n in range(count))]
    kinds = ("Relu", "Sigmoid", "Tanh")
    return [
        *(node(kinds[n % 3], names[n], names[n + 1]) for n in range(count)),
        *(node(kind, f"{names[-1]} {rest}".strip(), "y", **more) for kind, rest, more in last),
    ]


IMAGE, LINE = ("N", 3, 4, 5), ("N", 3, 5)
PRODUCT, CONV = ("MatMul", "m", {}), ("Conv", "w", {})
POOL = "MaxPool", "", {"kernel_shape": [2, 2]}
BEHIND, BEFORE = (3, 4, 5), (4, 5, 3)


@pytest.mark.parametrize(
    ("nodes", "x", "wanted"),
    [
        (chain(0, PRODUCT), IMAGE, BEHIND),
        (chain(5, PRODUCT), IMAGE, BEHIND),
        (chain(6, PRODUCT), IMAGE, BEFORE),
        (chain(5, CONV), IMAGE, BEFORE),
        (chain(1, POOL), IMAGE, BEFORE),
        (chain(2, ("Relu", "", {})), IMAGE, BEFORE),
        (chain(0, ("GlobalAveragePool", "", {})), IMAGE, BEFORE),
        (chain(0, ("Resize", "- scales", {})), IMAGE, BEFORE),
        (chain(0, ("LayerNormalization", "five", {})), IMAGE, BEHIND),
        (chain(0, ("BatchNormalization", "three three three three", {})), IMAGE, BEFORE),
        ([node("MatMul", "x m", "a"), node("Conv", "x w", "b"), node("Flatten", "a", "y"),
          node("Flatten", "b", "z")],
         IMAGE, BEFORE),
        ([node("MatMul", "l x", "y")], IMAGE, BEFORE),  # from the left
        ([node("MatMul", "x m", "y"), node("MaxPool", "x", "z", kernel_shape=[2, 2])], IMAGE, BEFORE),
        ([node("MatMul", "x m", "y"), node("Resize", "x - scales", "z")], IMAGE, BEFORE),
        ([node("Softmax", "x", "a", axis=1), node("MatMul", "a m", "y")], IMAGE, BEFORE),
          # after what takes either
        (chain(0, ("Transpose", "", {"perm": [0, 3, 1, 2]})), IMAGE, BEHIND),
        (chain(0, ("Transpose", "", {"perm": [0, 2, 3, 1]})), IMAGE, BEFORE),
        (chain(0, ("Transpose", "", {"perm": [0, 3, 2, 1]})), IMAGE, BEHIND),
        ([node("Transpose", "x", "a", perm=[0, 3, 1, 2]), node("Add", "a one", "y")], IMAGE, BEHIND),
        ([node("Transpose", "x", "a", perm=[0, 3, 1, 2]), node("MatMul", "a square", "y")], IMAGE, BEHIND),
        (chain(0, PRODUCT), LINE, (3, 5)),
        (chain(0, ("Conv", "u", {})), LINE, (5, 3)),
        ([node("Transpose", "x", "a", perm=[0, 2, 1]), node("Conv", "a v", "y")], LINE, (3, 5)),
        ([node("Transpose", "x", "a", perm=[0, 2, 1]), node("MatMul", "a n", "y")], LINE, (5, 3)),
        ([node("Transpose", "x", "a", perm=[0, 2, 1]), node("Add", "a three", "y")], LINE, (5, 3)),
        ([node("Transpose", "x", "a", perm=[0, 2, 1]), node("Relu", "a", "y")], LINE, (3, 5)),
        ([node("Transpose", "x", "a", perm=[1, 0, 2]), node("Relu", "a", "b"),
          node("Transpose", "b", "y", perm=[1, 0, 2])],
         LINE, (3, 5)),
        ([node("Transpose", "x", "a", perm=[2, 0, 1]), node("Relu", "a", "b"),
          node("Transpose", "b", "y", perm=[1, 2, 0])],
         LINE, (5, 3)),
        ([node("MatMul", "x g", "y")], ROWS, (4,)),
    ],
)  # fmt: skip
def test_channels_are_where_the_first_that_asks_has_them(path, nodes, x, wanted):
    constants = {
        "m": drawn(5, 2), "w": drawn(2, 3, 1, 1), "scales": floats(1, 1, 2, 2), "five": drawn(5),
        "l": drawn(2, 4),
        "one": floats(1), "square": drawn(4, 4), "three": np.abs(drawn(3)), "u": drawn(2, 3, 1), "v": drawn(2,
        5, 1), "n": drawn(3, 2), "g": drawn(4,
        2),
    }  # fmt: skip
    outputs = [name for name in ("y", "z") if any(b"\x12\x01" + name.encode() in one for one in nodes)]
    model = load_onnx(write(path, nodes, {"x": x}, outputs, constants=constants))
    assert model.input_shapes == (wanted,)


def behind(x):
    """An array of the file with the axis after the batch as the last one."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


@pytest.mark.parametrize(
    ("made", "x", "layout", "wanted"),
    [
        (node("Neg", "x", "y"), ("N", 3, 4, 5), "nchw", lambda x: behind(-x)),
        (node("Neg", "x", "y"), ("N", 3, 4, 5), "nhwc", lambda x: -x),
        (node("Neg", "x", "y"), ("N", 3, 5), "nchw", lambda x: behind(-x)),
        (node("Neg", "x", "y"), ("N", 3, 5), "nhwc", lambda x: -x),
        (node("Transpose", "x", "y", perm=[0, 2, 1]), ("N", 3, 5), "nchw", lambda x: x),  # (N, C, L) again
        (node("Transpose", "x", "y", perm=[0, 2, 1]), ("N", 3, 5), "nhwc", lambda x: behind(x)),
        (node("Flatten", "x", "y"), ("N", 3, 5), "nchw", lambda x: x.reshape(2, 15)),
        (
            node("Reshape", "x line", "y"),
            ("N", 3, 4, 5),
            "nchw",
            lambda x: x.reshape(2, 3, 20),
        ),  # as it is there
        (node("Reshape", "x line", "y"), ("N", 3, 4, 5), "nhwc", lambda x: x.reshape(2, 3, 20)),
        (node("Reshape", "x image", "y"), ("N", 3, 20), "nchw", lambda x: behind(x.reshape(2, 3, 4, 5))),
        (node("Reshape", "x image", "y"), ("N", 3, 20), "nhwc", lambda x: x.reshape(2, 3, 4, 5)),
    ],
)
def test_outputs_have_their_channels_last_where_the_inputs_have(path, made, x, layout, wanted):
    write(path, [made], {"x": x}, constants={"line": ints(0, 3, -1), "image": ints(0, 3, 4, 5)})
    x = drawn(2, *x[1:])
    y = load_onnx(path, layout=layout)(x if layout == "nhwc" else behind(x))
    np.testing.assert_array_equal(y, wanted(x))


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [
        ([node("Gather", "w x", "y")], (0, 1, 2)),
        ([node("Gather", "w x", "a"), node("Transpose", "a", "y", perm=[0, 2, 1])], (0, 1, 2)),
    ],
)
def test_what_is_looked_up_keeps_the_order_in_which_it_is_computed(path, nodes, wanted):
    table = drawn(7, 3)
    write(path, nodes, {"x": value_info("x", ("N", 5), 7)}, constants={"w": table})
    x = np.arange(10).reshape(2, 5) % 7
    np.testing.assert_array_equal(load_onnx(path)(x), table[x].transpose(wanted))


# -- inputs --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16", "int32", "int64", "uint32", "uint64"])
def test_whole_numbers_of_every_kind_are_looked_up(path, kind):
    write(
        path,
        [node("Gather", "w x", "y")],
        {"x": value_info("x", ("N", 5), NUMBERS[kind])},
        constants={"w": drawn(7, 3)},
    )
    assert load_onnx(path)(np.zeros((1, 5), np.int64)).shape == (1, 5, 3)


@pytest.mark.parametrize("kind", [1, 10, 11, 16])
def test_floating_point_numbers_of_every_kind_are_taken(path, kind):
    assert load_onnx(write(path, RELU, {"x": value_info("x", ROWS, kind)})).input_shapes == ((4,),)


@pytest.mark.parametrize("kind", ["uint8", "int64"])
def test_whole_numbers_that_are_cast_have_channels_as_others(path, kind):
    nodes = [node("Cast", "x", "a", to=1), node("Conv", "a w", "y")]
    inputs = {"x": value_info("x", ("N", 3, 4, 5), NUMBERS[kind])}
    assert load_onnx(write(path, nodes, inputs, constants={"w": drawn(2, 3, 1, 1)})).input_shapes == (
        (4, 5, 3),
    )
    both = [*nodes, node("Gather", "v x", "z")]
    write(path, both, inputs, ("y", "z"), constants={"w": drawn(2, 3, 1, 1), "v": drawn(7, 3)})
    assert "Cast (node number 0): to: wanted a dtype of floating-point numbers" in refusal(path)


KINDS = "float, float16, double, bfloat16, uint8, int8, uint16, int16, int32, int64, uint32, uint64"


@pytest.mark.parametrize(
    ("inputs", "given", "wanted"),
    [
        ({"a": (2, 4), "b": (3, 4)}, None, "wanted inputs of one batch, got batches of ['2', '3']"),
        ({"a": ("N", "M"), "b": ("N", "M")}, [(4,)],
         "input_shape: wanted a shape for each of 2 inputs ('a', 'b'), got 1"),
        ({"a": ("N", "M"), "b": ("N", "M")}, [(4,)] * 3,
         "input_shape: wanted a shape for each of 2 inputs ('a', 'b'), got 3"),
        ({"a": ("N", "M"), "b": ("N", "M")}, (4,),
         "input_shape: wanted a shape for each of 2 inputs ('a', 'b'), got 1"),
        ({"a": ("N", "M"), "b": ("N", "M")}, 4,
         "input_shape: wanted a tuple of sizes, as (32, 32, 3), got 4"),
        ({"a": ("N", "M"), "b": ("N", "M")}, [(4,), (0,)], "input_shape[0]: wanted at least 1, got 0"),
        ({"a": ("N", "M"), "b": ("N", 4)}, [(4,), (5,)],
         "input_shape: wanted (4) for input 'b', as the file says, got (5,)"),
        ({"a": ("N", 4), "b": ("N", (1 << 24) + 1)}, None,
         "input 'b': wanted sides of at most 16,777,216, got 16,777,217"),
        ({"a": ("N", 4), "b": ("N", *[1] * 8)}, None,
         "input 'b': wanted a shape of 2 to 8 axes, the first one the batch, got 9 axes"),
        ({"a": ("N", 4), "b": value_info("b", ("N", 4), 14)}, None,
         f"input 'b': wanted an array of {KINDS}, got complex64"),
        ({"a": ("N", 4), "b": text(1, "b")}, None,
         f"input 'b': wanted an array of {KINDS}, got dtype 0"),
    ],
)  # fmt: skip
def test_inputs_that_are_none(path, inputs, given, wanted):
    write(path, [node("Add", "a b", "y")], inputs)
    assert refusal(path, given) == wanted


def test_a_batch_that_one_input_tells_is_that_of_all(path):
    nodes = [node("Add", "a b", "c"), node("Shape", "c", "s"), node("Gather", "s nought", "n"),
    node("Slice", "w nought n", "v"),
             node("ReduceSum", "v", "t", keepdims=0), node("Add", "c t", "y")]  # fmt: skip
    write(path, nodes, {"a": ("N", 4), "b": (2, 4)}, constants={"nought": ints(0), "w": floats(1, 2, 4, 8)})
    assert (
        load_onnx(path)(np.zeros((2, 4), np.float32), np.zeros((2, 4), np.float32)).tolist() == [[3] * 4] * 2
    )


def test_eight_axes_are_taken(path):
    assert (
        load_onnx(write(path, [node("Flatten", "x", "y")], {"x": ("N", 1, 2, 1, 3, 1, 1, 2)})).input_shapes[
            0
        ][-1]
        == 1
    )


def test_an_input_whose_shape_alone_is_asked_for_is_none_of_the_net(path):
    nodes = [node("Shape", "b", "s"), node("Reshape", "a s", "c"), node("Relu", "c", "y")]
    model = load_onnx(write(path, nodes, {"b": ("N", 2, 2), "a": ("N", 4)}))
    assert model.input_shapes == ((4,),)
    write(
        path, [node("Shape", "a", "s"), node("Cast", "s", "f", to=1), node("Add", "f f", "y")], {"a": (3, 4)}
    )
    assert "output 'y': wanted a value that depends on an input, got a constant" in refusal(path)


def test_inputs_come_in_the_order_of_the_file(path):
    write(path, [node("Sub", "b a", "y")], {"a": ROWS, "b": ROWS})
    one, other = drawn(2, 4), drawn(2, 4) + 1
    np.testing.assert_allclose(load_onnx(path)(one, other), other - one, atol=1e-6)


# -- outputs -------------------------------------------------------------------------------------------------
def test_an_output_must_have_the_batch_as_an_axis(path):
    write(path, [node("Reshape", "x s", "y")], {"x": ("N", 4)}, constants={"s": ints(-1)})
    assert refusal(path) == "wanted the batch as an axis of an output, got one of (Nx4)"
    write(
        path,
        [node("Relu", "x", "a"), node("Identity", "c", "z")],
        {"x": ROWS},
        ("a", "z"),
        constants={"c": floats(1)},
    )
    assert refusal(path) == "output 'z': wanted a value that depends on an input, got a constant"


def test_several_outputs_come_in_the_order_of_the_file(path):
    write(path, [node("Relu", "x", "a"), node("Neg", "x", "b")], {"x": ROWS}, ("b", "a", "x"))
    x = drawn(2, 4)
    for found, wanted in zip(load_onnx(path)(x), (-x, np.maximum(x, 0), x), strict=True):
        np.testing.assert_array_equal(found, wanted)


# -- the graph -----------------------------------------------------------------------------------------------
def versions(*pairs):
    """A file with versions of operators by their domains."""
    whole = onnx_files.graph(RELU, {"x": ROWS}, {"y": None}, {})
    return (
        number(1, 8) + text(7, whole) + b"".join(text(8, text(1, name) + number(2, n)) for name, n in pairs)
    )


@pytest.mark.parametrize("pairs", [[("", 7)], [("", 22)], [("ai.onnx", 17)], [("com.own", 99), ("", 17)]])
def test_versions_that_are_read(path, pairs):
    path.write_bytes(versions(*pairs))
    assert load_onnx(path).input_shapes == ((4,),)


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        ([], "wanted one version of the operators (an ONNX file has it), got 0"),
        ([("com.own", 17)], "wanted one version of the operators (an ONNX file has it), got 0"),
        ([("", 17), ("ai.onnx", 17)], "wanted one version of the operators (an ONNX file has it), got 2"),
        ([("", 23)], "wanted operators of version 7 to 22, got 23"),
        ([("", 6)], "wanted operators of version 7 to 22, got 6"),
    ],
)
def test_versions_that_are_not(path, pairs, wanted):
    path.write_bytes(versions(*pairs))
    assert refusal(path) == wanted


def test_operators_of_other_domains_are_not_those_of_onnx(path):
    write(path, [node("Relu", "x", "y", domain="ai.onnx")], {"x": ROWS})
    assert load_onnx(path).input_shapes == ((4,),)
    write(path, [node("Relu", "x", "y", domain="com.own")], {"x": ROWS})
    assert refusal(path).endswith("got com.own.Relu (node number 0) is not known")
    write(
        path,
        [node("Sqrt", "c", "d", domain="com.own"), node("Add", "x d", "y")],
        {"x": ROWS},
        constants={"c": floats(4)},
    )
    assert refusal(path).endswith("got com.own.Sqrt (node number 0) is not known")


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (text(5, tensor(floats(1), "c")) * 2, "initializer: wanted names of their own, got 'c'"),
        (text(5, tensor(floats(1), "")), "initializer: wanted names of their own, got ''"),
        (text(11, value_info("x", ROWS)), "input: wanted names of their own, got 'x'"),
        (text(12, value_info("y", ROWS)), "output: wanted names of their own, got 'y'"),
        (text(15, b""), "wanted dense constants, got sparse ones"),
        (text(1, node("Relu", "none", "z", "late")),
         "node 'late' (Relu): its input 'none' is made by no node before it"),
        (text(1, node("Relu", "x", "y")), "node number 1 (Relu): its output 'y' is a value's name already"),
        (text(1, text(1, "x") + text(2, b"\xff")), "the model: output: wanted a text in UTF-8, got b'\\xff'"),
        (text(1, text(1, "x" * ((1 << 16) + 1))),
         "the model: input: wanted a text of at most 65,536 bytes, got 65,537"),
        (text(1, text(5, text(1, "a") + packed(8, [0] * ((1 << 16) + 1)))),
         "the model: ints: wanted at most 65,536 numbers, got more"),
        (text(1, text(5, text(1, "a") + text(7, b"123"))),
         "the model: floats: wanted at most 65,536 numbers, got 3 bytes"),
        (text(1, text(5, text(1, "a") + text(7, b"\0" * (4 * 10 * (1 << 16) + 4)))),
         "the model: floats: wanted at most 65,536 numbers, got 2,621,444 bytes"),
        (text(1, text(5, number(8, 3) + number(7, 3))),
         "the model: floats: wanted numbers, got a field of kind 0"),
        (text(1, text(5, text(3, "3"))), "the model: i: wanted a field of kind 0, got one of 2"),
        (text(1, text(5, number(2, 3))), "the model: f: wanted a field of kind 5, got one of 0"),
        (text(1, number(3, 3)), "the model: name: wanted a field of kind 2, got one of 0"),
        (varint(0), "the model: wanted the number of a field, got 0"),
        (varint(1 << 3 | 3), "the model: field 1: wanted a value of kind 0, 1, 2 or 5, got 3"),
        (varint(1 << 3 | 2) + varint(9) + b"12345678",
         "the model: field 1: wanted 9 bytes, got 8: it is cut short"),
        (varint(1 << 3 | 5) + b"123", "the model: field 1: wanted 4 bytes, got 3: it is cut short"),
        (varint(1 << 3 | 1) + b"1234567", "the model: field 1: wanted 8 bytes, got 7: it is cut short"),
    ],
)  # fmt: skip
def test_graphs_that_are_none(path, message, wanted):
    whole = onnx_files.graph(RELU, {"x": ROWS}, {"y": None}, {}) + message
    path.write_bytes(number(1, 8) + text(7, whole) + text(8, text(1, "") + number(2, 17)))
    assert refusal(path) == wanted


def test_fields_that_nobody_asks_for_are_passed_over(path):
    """As the notes of an exporter, of every kind; and the longest name that there may be."""
    name = "x" * (1 << 16)
    more = (
        number(99, 1) + text(98, "note") + varint(97 << 3 | 5) + b"1234" + varint(96 << 3 | 1) + b"12345678"
    )
    whole = onnx_files.graph([node("Relu", name, "y")], {name: ROWS}, {"y": None}, {}) + more
    path.write_bytes(more + number(1, 8) + text(7, whole) + text(8, text(1, "") + number(2, 17)))
    assert load_onnx(path).input_shapes == ((4,),)


def test_many_nodes_of_a_kind_are_listed_up_to_twenty(path):
    names = ["x", *(f"h{n}" for n in range(24)), "y"]
    nodes = [node("Einsum", a, b, f"n{n}") for n, (a, b) in enumerate(pairwise(names))]
    write(path, nodes, {"x": ROWS})
    shown = ", ".join(f"'n{n}'" for n in range(20))
    assert refusal(path).endswith(f", got Einsum (nodes {shown} and 5 more) is not known")
    write(path, [*nodes[:19], node("Einsum", "h18", "y", "n19")], {"x": ROWS})
    assert refusal(path).endswith(f", got Einsum (nodes {shown}) is not known")


def test_operators_that_are_not_known_come_before_what_others_lack(path):
    nodes = [
        node("Softmax", "x", "a", axis=0),
        node("Foo", "x", "b"),
        node("Pow", "x c", "d"),
        node("Sum", "a b d", "y"),
    ]
    write(path, nodes, {"x": ROWS}, constants={"c": floats(5)})
    assert refusal(path).endswith(
        ", got Foo (node number 1) is not known; "
        "Softmax (node number 0): axis 0: wanted one that is not the batch, got that; "
        "Pow (node number 2): input 1: wanted 1, 2 or 3 for an exponent, got 5.0"
    )


def test_names_are_shown_up_to_sixty_letters(path):
    write(path, [node("Relu", "x", "y"), node("Relu", "n" * 99, "z")], {"x": ROWS})
    assert refusal(path).endswith(f": its input '{'n' * 59} is made by no node before it")


# -- arrays --------------------------------------------------------------------------------------------------
def constant(path, message, count):
    """The numbers of an array that is cast and added to zeros."""
    nodes = [node("Reshape", "c minus", "d"), node("Cast", "d", "f", to=1), node("Add", "x f", "y")]
    write(path, nodes, {"x": ("N", 1)}, constants={"c": message, "minus": ints(-1)})
    y = load_onnx(path)(np.zeros((1, 1), np.float32))
    assert y.shape == (1, count)
    return y[0].tolist()


VALUES = {
    "uint8": [0, 200, 255], "int8": [-128, -1, 127], "uint16": [0, 40000, 65535], "int16": [-32768, -1,
    32767],
    "int32": [-(2**31), -1, 2**20], "int64": [-(2**40), -1, 2**40], "uint32": [0, 2**31, 2**20], "uint64": [0,
    2**63, 5],
    "bool": [0, 1, 1], "float16": [0.5, -2, 8], "float32": [0.5, -2, 8], "float64": [0.5, -2, 8],
}  # fmt: skip
FIELDS = {"uint32": 11, "uint64": 11, "int64": 7, "float32": 4, "float64": 10}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("way", ["raw", "field", "one by one"])
def test_numbers_of_every_kind_and_in_every_field(path, kind, way):
    array = np.array(VALUES[kind], kind)
    head = number(1, 3) + number(2, NUMBERS[kind]) + text(8, "c")
    place, bits = FIELDS.get(kind, 5), array.view(np.uint16) if kind == "float16" else array
    if way == "raw":
        message = tensor(array, "c")
    elif kind in ("float32", "float64"):
        form = {"float32": 5, "float64": 1}[kind]
        whole = text(place, array.tobytes())
        each = b"".join(varint(place << 3 | form) + one.tobytes() for one in array)
        message = head + (whole if way == "field" else each)
    else:
        numbers = [int(one) for one in bits]
        message = head + (
            packed(place, numbers) if way == "field" else b"".join(number(place, n) for n in numbers)
        )
    assert constant(path, message, 3) == np.array(VALUES[kind], np.float32).tolist()


def test_a_truth_may_be_any_byte(path):
    """But 0, as other readers have it."""
    message = number(1, 4) + number(2, 9) + text(8, "c") + text(9, bytes([0, 1, 2, 255]))
    assert constant(path, message, 4) == [0, 1, 1, 1]


HEAD = number(1, 3) + number(2, 1) + text(8, "w")


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (tensor(floats(1, 2, 3), "w") + text(3, b""), "wanted an array as a whole, got a segment of one"),
        (tensor(floats(1, 2, 3), "w") + number(14, 2), "data_location: wanted 0 or 1, got 2"),
        (tensor(floats(1, 2, 3), "w") * 2, "data_type: "),
        (HEAD + text(9, b"\0" * 12) * 2, "raw_data: wanted one field of bytes, got others"),
        (HEAD + number(9, 0), "raw_data: wanted one field of bytes, got others"),
        (HEAD + text(4, b"\0" * 11), "float_data: wanted whole numbers of f4, got 11 bytes"),
        (HEAD + text(4, b"\0" * 16), "wanted 3 numbers, as its shape (3,) says, got 4"),
        (HEAD + number(4, 3), "float_data: wanted a field of kind 5 or 2, got one of 0"),
        (HEAD + packed(5, [1, 2, 3]), "wanted its numbers in raw_data or float_data, got int32_data"),
        (HEAD + text(4, b"\0" * 12) + packed(5, [1]),
         "wanted its numbers in raw_data or float_data, got float_data and int32_data"),
        (number(1, 3) + number(2, 6) + text(8, "w") + text(5, b"\1" * 31),
         "int32_data: wanted 3 numbers, got 31 bytes"),
        (number(1, 3) + number(2, 6) + text(8, "w") + text(5, b"\1" * 4),
         "wanted 3 numbers, as its shape (3,) says, got 4"),
        (tensor(floats(1, 2, 3), "w", kind=20),
         "wanted a dtype of float, uint8, int8, uint16, int16, int32, int64, bool, "
         "float16, double, uint32, uint64, bfloat16, got float8e5m2fnuz"),
        (tensor(floats(1, 2, 3), "w", dims=[1] * 17),
         f"wanted at most 16 sides of 0 to 2147483647, got {repr((1,) * 17)[:60]}"),
        (tensor(floats(1, 2, 3), "w", dims=[3, 0, 1 << 31]),
         "wanted at most 16 sides of 0 to 2147483647, got (3, 0, 2147483648)"),
    ],
)  # fmt: skip
def test_arrays_that_are_none_are_named(path, message, wanted):
    write(path, [node("Add", "x w", "y")], {"x": ("N", 3)}, constants={"w": message})
    if wanted == "data_type: ":  # its fields again: the last one counts, but for its numbers and sides
        assert refusal(path) == "initializer 'w': raw_data: wanted one field of bytes, got others"
        return
    assert refusal(path) == f"initializer 'w': {wanted}"


def test_infinite_numbers_are_kept_and_those_too_large_are_refused(path):
    write(path, [node("Add", "x w", "y")], {"x": ("N", 3)}, constants={"w": np.array([np.inf, -np.inf, 1.5])})
    assert load_onnx(path)(np.zeros((1, 3), np.float32)).tolist() == [[np.inf, -np.inf, 1.5]]
    write(path, [node("Add", "x w", "y")], {"x": ("N", 3)}, constants={"w": np.array([np.inf, 1e39, 1.5])})
    assert refusal(path).endswith("input 1: wanted numbers that float32 can hold, got greater ones")


def test_a_constant_that_nobody_takes_may_be_anything(path):
    unread = tensor(floats(1, 2), "c", dims=(9,))
    assert load_onnx(write(path, RELU, {"x": ROWS}, constants={"c": unread})).input_shapes == ((4,),)


def test_several_arrays_of_one_file_and_what_may_be_worked_out_of_them(path):
    """Twice their bytes, besides those of the model's file and a little more."""
    arrays = [drawn(4, 3), drawn(3, 2)]
    (path.parent / "w.bin").write_bytes(b"".join(array.tobytes() for array in arrays))
    places = {"v": (0, 48), "w": (48, 24)}
    constants = {
        name: onnx_files.external(array, name, location="w.bin", offset=start, length=length)
        for array, (name, (start, length)) in zip(arrays, places.items(), strict=True)
    }
    nodes = [node("MatMul", "x v", "h"), node("MatMul", "h w", "y")]
    x = drawn(2, 4)
    model = load_onnx(write(path, nodes, {"x": ROWS}, constants=constants))
    np.testing.assert_allclose(model(x), x @ arrays[0] @ arrays[1], atol=1e-5)
    nodes = [
        *nodes,
        node("Range", "a b c", "r"),
        node("Gather", "r a", "s"),
        node("Cast", "s", "t", to=1),
        node("Add", "x t", "z"),
    ]
    numbers = {name: np.array(n) for name, n in zip("abc", (0, 1 << 30, 1), strict=True)}
    write(path, nodes, {"x": ROWS}, ("y", "z"), constants=constants | numbers)
    most = (1 << 24) + 2 * (path.stat().st_size + 72)
    assert refusal(path).endswith(
        f"Range (node number 2): wanted constants of at most {most:,} bytes to be worked out, got more"
    )


@pytest.mark.parametrize(
    ("notes", "wanted"),
    [
        ({"offset": 1 << 70}, f"offset: wanted a whole number, got '{1 << 70}'"),
        ({"offset": 44}, "w.bin: wanted bytes 44 to 56, got 48 in all"),
        ({"offset": 60}, "w.bin: wanted bytes 60 to 72, got 48 in all"),
        ({"length": 24}, "length: wanted 12 bytes, as its shape and dtype say, got 24"),
        ({"length": "12 "}, "length: wanted a whole number, got '12 '"),
    ],
)
def test_places_in_files_that_are_none(path, notes, wanted):
    (path.parent / "w.bin").write_bytes(b"\0" * 48)
    whole = onnx_files.external(floats(1, 2, 3), "w", location="w.bin", **notes)
    write(path, [node("Add", "x w", "y")], {"x": ("N", 3)}, constants={"w": whole})
    said = refusal(path)
    assert said.startswith("initializer 'w': ") and said.endswith(wanted)


# -- options -------------------------------------------------------------------------------------------------
def test_what_is_no_option_is_refused(path):
    write(path, RELU, {"x": ROWS})
    for wrong, said in (
        (1.5, "most_values: wanted an int, got 1.5"),
        (-1, "most_values: wanted at least 0, got -1"),
    ):
        with pytest.raises((TypeError, ValueError), match=re.escape(said)):
            load_onnx(path, most_values=wrong)


def test_paths_may_begin_at_home(path, monkeypatch):
    write(path, RELU, {"x": ROWS})
    monkeypatch.setenv("HOME", str(path.parent))
    assert load_onnx("~/net.onnx").input_shapes == ((4,),)


def test_weights_may_be_as_many_as_is_said(path):
    nodes = [node("MatMul", "x v", "h"), node("MatMul", "h w", "y")]
    write(path, nodes, {"x": ROWS}, constants={"v": drawn(4, 3), "w": drawn(3, 2)})
    assert load_onnx(path, most_values=18).parameters()
    assert "17" in refusal(path, most_values=17)
