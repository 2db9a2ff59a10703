"""What is no ONNX file, or one of more than cynet has: a sentence that names the file."""

import os
import re
import tracemalloc
from dataclasses import replace
from itertools import pairwise

import damages
import numpy as np
import onnx_files
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_cases import CASES, floats, ints
from onnx_files import node, number, packed, refusal, tensor, text, varint, write

from cynet.interop import load_onnx
from cynet.interop.onnx import messages, wire

X = {"x": ("N", 4)}
IMAGES = {"x": ("N", 3, 6, 6)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.onnx"


def test_all_operators_that_are_not_known_are_named_with_their_nodes(path):
    nodes = [
        node("Einsum", "x", "a", "first"),
        node("Foo", "a", "b", domain="own.ops"),
        node("Relu", "b", "c"),
        node("Einsum", "c", "d"),
        node("Conv", "x w", "e", "odd"),
        node("Add", "d e", "y"),
        node("Unused", "x", "z"),
    ]
    write(path, nodes, X, constants={"w": np.ones((2, 2), np.float32)})
    assert refusal(path) == (
        "wanted operators that there are layers for, got Einsum (nodes 'first', number 3) is not known; "
        "own.ops.Foo (node number 1) is not known; Conv (node 'odd'): "
        "wanted a value (N, C, H, W) or (N, C, L), got one of (N, 4)"
    )


def test_names_that_cannot_be_shown_are_escaped(path):
    write(path, [node("Foo\n\x1b[2J", "x", "y", "a\nb")], X)
    assert refusal(path).endswith(r"got Foo\n\x1b[2J (node 'a\nb') is not known")


def test_a_node_after_one_that_is_not_known_is_no_problem_of_its_own(path):
    write(path, [node("Foo", "x", "a"), node("Relu", "a", "y")], X)
    assert "Foo" in refusal(path) and "Relu" not in refusal(path)


@pytest.mark.parametrize(
    ("nodes", "more", "wanted"),
    [
        (
            [node("Relu", "y", "x2"), node("Relu", "x2", "y")],
            {},
            "its input 'y' is made by no node before it",
        ),
        ([node("Relu", "x", "y"), node("Relu", "x", "y")], {}, "its output 'y' is a value's name already"),
        ([node("Relu", "x", "x")], {"outputs": ("x",)}, "its output 'x' is a value's name already"),
        ([node("Relu", "x", "y")], {"outputs": ("z",)}, "output 'z': wanted a value of the graph"),
        ([node("Relu", "x", "y")], {"outputs": ()}, "wanted at least one output, got none"),
        ([node("Relu", "x", "y")], {"opset": 6}, "wanted operators of version 7 to 22, got 6"),
        ([node("Relu", "x", "y")], {"opset": 30}, "wanted operators of version 7 to 22, got 30"),
        ([node("Identity", "c", "y")], {"constants": {"c": floats(1)}}, "depend on an input, got none"),
        ([node("Relu", "x", "y")], {"inputs": {"x": (2,)}}, "wanted a shape of 2 to 8 axes"),
        (
            [node("Relu", "x", "y")],
            {"inputs": {"x": None}},
            "wanted a shape of 2 to 8 axes, the first one the batch, got none",
        ),
        ([node("Relu", "x", "y")], {"inputs": {"x": ("N", 2**40)}}, "wanted sides of at most"),
        ([node("Relu", "x", "y")], {"inputs": {"x": onnx_files.value_info("x", ("N", 3), 8)}}, "got string"),
        (
            [node("Clip", "x", "y", min=3.0, max=1.0)],
            {"opset": 9},
            "wanted a lower bound below the upper one",
        ),
        ([node("Relu", "x", "y", odd=1)], {}, "wanted no attribute 'odd', got one"),
        ([node("Elu", "x", "y", alpha=1)], {}, "alpha: wanted an attribute of type 1, got 2"),
        ([node("MatMul", "x x", "y")], {}, "input 1: wanted a constant, got a value"),
        ([node("If", "x", "y", then_branch=b"\x0a" * 99)], {}, "If (node number 0) is not known"),
        (
            [node("Add", "x c", "y")],
            {"constants": {"c": floats(1, 2, 3)}},
            "wanted a constant with 1 or 4 along axis 1",
        ),
        (
            [node("Add", "x c", "y")],
            {"constants": {"c": np.ones((3, 4), np.float32)}},
            "wanted a constant with 1 or the batch",
        ),
        ([node("Reshape", "x s", "y")], {"constants": {"s": ints(-1, 3)}}, "wanted a shape of"),
        ([node("Transpose", "x", "y", perm=[0, 0])], {}, "wanted an order of 2 axes"),
        (
            [node("Resize", "x s", "y")],
            {"inputs": IMAGES, "constants": {"s": floats()}, "opset": 10},
            "wanted a size or scale for each of 4 axes, got 0",
        ),
        ([node("Concat", "x x", "y", axis=0)], {}, "wanted one that is not the batch"),
        (
            [node("Dropout", "x", "a m"), node("Cast", "m", "y", to=1)],
            {},
            "wanted its first output to be used alone",
        ),
    ],
)
def test_what_is_wrong_is_told(path, nodes, more, wanted):
    write(path, nodes, more.pop("inputs", X), **more)
    assert wanted in refusal(path)


@pytest.mark.parametrize(
    ("convolution", "weight"),
    [
        ({"group": 2}, (4, 3, 3, 3)),
        ({"strides": [0, 1]}, (4, 3, 3, 3)),
        ({"pads": [-1, 0, 0, 0]}, (4, 3, 3, 3)),
        ({"kernel_shape": [2, 2]}, (4, 3, 3, 3)),
        ({}, (4, 2, 3, 3)),
        ({}, (4, 3, 9, 9)),
        ({}, (4, 3, 3)),
        ({"dilations": [2**40, 1]}, (4, 3, 3, 3)),
        ({"auto_pad": "SOME"}, (4, 3, 3, 3)),
        ({}, (0, 3, 3, 3)),
        ({"pads": [2**50] * 4}, (4, 3, 3, 3)),
        ({"group": 0}, (4, 3, 3, 3)),
        ({"strides": [1]}, (4, 3, 3, 3)),
    ],
)
def test_odd_convolutions(path, convolution, weight):
    write(
        path, [node("Conv", "x w", "y", **convolution)], IMAGES, constants={"w": np.ones(weight, np.float32)}
    )
    assert "Conv (node number 0): " in refusal(path)


# -- arrays -------------------------------------------------------------------------------------------------
def loaded(path, message, rows=4, columns=3):
    """The weight of a file that is one product, whose matrix is a message."""
    write(path, [node("MatMul", "x w", "y")], {"x": ("N", rows)}, constants={"w": message})
    return load_onnx(path).parameters()[0].data.T


ROWS = np.arange(12).reshape(4, 3)


@pytest.mark.parametrize("kind", ["float32", "float64", "float16"])
def test_numbers_of_every_kind_come_as_float32(path, kind):
    np.testing.assert_array_equal(loaded(path, tensor(ROWS.astype(kind), "w")), ROWS)


def test_bfloat16_and_the_fields_of_numbers(path):
    head = number(1, 4) + number(1, 3) + text(8, "w")
    bits = ROWS.astype(np.float32).view(np.uint32) >> 16
    raw = text(9, bits.astype("<u2").tobytes())
    half = ROWS.astype(np.float16).view(np.uint16).ravel().tolist()
    for form in (
        head + number(2, 16) + raw,
        head + number(2, 16) + packed(5, bits.ravel().tolist()),
        head + number(2, 10) + packed(5, half),
        head + number(2, 10) + b"".join(number(5, one) for one in half),  # as proto2 writes them
        head + number(2, 1) + text(4, ROWS.astype("<f4").tobytes()),
        head + number(2, 11) + text(10, ROWS.astype("<f8").tobytes()),
        packed(1, [4, 3])
        + text(8, "w")
        + number(2, 1)
        + b"".join(onnx_files.real(4, one) for one in ROWS.ravel()),
    ):
        np.testing.assert_array_equal(loaded(path, form), ROWS)


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (tensor(ROWS.astype(np.float32), "w", dims=(4, 4)), "raw_data: wanted 64 bytes, got 48"),
        (tensor(ROWS.astype(np.float32), "w", dims=(2**31, 2**31)), "wanted at most 16 sides of 0 to"),
        (tensor(ROWS.astype(np.float32), "w", dims=(-4, -3)), "wanted at most 16 sides of 0 to"),
        (tensor(ROWS.astype(np.float32), "w", dims=(2**30, 4)), "wanted at most 2,147,483,647 numbers"),
        (tensor(ROWS.astype(np.float32), "w", kind=8), "got string"),
        (tensor(ROWS.astype(np.float32), "w", kind=99), "got dtype 99"),
        (tensor(ROWS.astype(np.int64), "w"), "wanted floating-point numbers, got int64"),
        (
            tensor(ROWS.astype(np.float32), "w") + text(4, b"\0" * 4),
            "wanted its numbers in raw_data or float_data",
        ),
        (tensor(np.full((4, 3), 1e300), "w"), "wanted numbers that float32 can hold"),
        (number(1, 4) + number(1, 3) + number(2, 1) + text(8, "w"), "wanted 12 numbers, as its shape"),
        (number(1, 2) + number(2, 7) + text(8, "w") + text(7, b"\xff" * 15), "at most 64 bits"),
    ],
)
def test_arrays_that_are_none(path, message, wanted):
    with pytest.raises(ValueError, match=re.escape(wanted)):
        loaded(path, message)


# -- arrays in other files --------------------------------------------------------------------------------
def test_arrays_may_lie_beside_the_file(path):
    (path.parent / "inner").mkdir()
    (path.parent / "inner" / "w.bin").write_bytes(b"\0" * 8 + ROWS.astype("<f4").tobytes())
    message = onnx_files.external(ROWS.astype(np.float32), "w", location="inner/w.bin", offset=8, length=48)
    np.testing.assert_array_equal(loaded(path, message), ROWS)


@pytest.mark.parametrize(
    ("notes", "wanted"),
    [
        ({"location": "../w.bin"}, "location: wanted a file in"),
        ({"location": "/etc/passwd"}, "location: wanted a file in"),
        ({"location": "a\\..\\w.bin"}, "location: wanted a file in"),
        ({"location": "C:w.bin"}, "location: wanted a file in"),
        ({"location": ""}, "location: wanted a file in"),
        ({}, "location: wanted a file in"),
        ({"location": "link.bin"}, "got a link that leaves it"),
        ({"location": "w.bin", "offset": -1}, "offset: wanted a whole number, got '-1'"),
        ({"location": "w.bin", "offset": "1e3"}, "offset: wanted a whole number"),
        ({"location": "w.bin", "offset": 10}, "wanted bytes 10 to 58, got 48 in all"),
        ({"location": "w.bin", "length": 47}, "length: wanted 48 bytes"),
    ],
)
def test_files_that_are_elsewhere_or_too_short(path, tmp_path_factory, notes, wanted):
    (path.parent / "w.bin").write_bytes(b"\0" * 48)
    outside = tmp_path_factory.mktemp("outside") / "w.bin"
    outside.write_bytes(b"\0" * 48)
    (path.parent / "link.bin").symlink_to(outside)
    with pytest.raises(ValueError, match=re.escape(wanted)):
        loaded(path, onnx_files.external(ROWS.astype(np.float32), "w", **notes))


def test_arrays_that_take_a_file_again_and_again_are_refused(path):
    (path.parent / "w.bin").write_bytes(b"\0" * 64)
    names = [f"w{i}" for i in range(3)]
    many = {name: onnx_files.external(np.zeros((4, 4), np.float32), name, location="w.bin") for name in names}
    nodes = [
        node("MatMul", f"{a} {name}", f"{name}y") for a, name in zip(["x", "w0y", "w1y"], names, strict=True)
    ]
    write(path, nodes, X, outputs=("w2y",), constants=many)
    assert "wanted arrays that do not overlap" in refusal(path)


def test_no_pipe_is_waited_for(path):
    os.mkfifo(path.parent / "w.bin")
    with pytest.raises(OSError, match="got a pipe"):
        loaded(path, onnx_files.external(ROWS.astype(np.float32), "w", location="w.bin"))


# -- limits -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "inputs", "constants"),
    [
        ("ConstantOfShape", "s", {"s": ints(2**31, 2**20)}),
        ("ConstantOfShape", "s", {"s": ints(2**62, 2**62)}),
        ("Range", "a b c", {"a": ints(0)[0], "b": np.array(2**60), "c": ints(1)[0]}),
    ],
)
def test_no_constant_is_worked_out_that_is_larger_than_the_file_allows(path, kind, inputs, constants):
    write(
        path,
        [node(kind, inputs, "h"), node("Cast", "h", "g", to=10), node("Add", "x g", "y")],
        X,
        constants=constants,
    )
    tracemalloc.start()
    with damages.bounded():
        refusal(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 25
    tracemalloc.stop()


def test_weights_that_are_generated_are_counted_before_they_are_made(path):
    nodes = [node("ConstantOfShape", "s", "w"), node("MatMul", "x w", "y")]
    write(path, nodes, X, constants={"s": ints(4, 2**29)})
    assert "wanted constants of at most 268,435,456 numbers" in refusal(path)
    write(path, nodes, X, constants={"s": ints(4, 100)})
    assert "wanted constants of at most 300 numbers" in refusal(path, most_values=300)
    write(path, [node("MatMul", "x w", "y")], X, constants={"w": np.ones((4, 100), np.float32)})
    assert "wanted at most 300 values in all" in refusal(path, most_values=300)
    write(path, nodes, X, constants={"s": ints(4, 100)})
    assert load_onnx(path, most_values=500).parameters()[0].shape == (100, 4)


def test_a_number_that_is_repeated_without_end_is_never_looked_at_one_by_one(path):
    """As the state of a recurrent layer, found by the fuzz."""
    nodes = [
        node("ConstantOfShape", "s", "h"),
        node("Unsqueeze", "x a", "t"),
        node("LSTM", "t W R - - h", "o", hidden_size=3),
        node("Squeeze", "o a", "y"),
    ]
    arrays = {
        "s": ints(2**20, 2**20, 2**20),
        "a": ints(1),
        "W": np.ones((1, 12, 4), np.float32),
        "R": np.ones((1, 12, 3), np.float32),
    }
    write(path, nodes, X, constants=arrays)
    with damages.bounded():
        assert "wanted constants of at most" in refusal(path)


def test_nodes_by_the_million_are_refused_soon(path, monkeypatch):
    monkeypatch.setattr(messages, "MOST_NODES", 100)
    write(path, [node("Relu", "x", f"h{i}") for i in range(101)], X)
    assert refusal(path) == "the model: wanted at most 100 nodes, got more"
    monkeypatch.setattr(messages, "MOST_FIELDS", 100)
    assert "wanted at most 100 fields in all, got more" in refusal(path)


def test_values_that_double_at_each_node_end_at_a_limit(path):
    names = ["x", *(f"h{i}" for i in range(40)), "y"]
    nodes = [node("Concat", f"{a} {a}", b, axis=1) for a, b in pairwise(names)]
    write(path, nodes, X)
    with damages.bounded():
        assert "wanted at most" in refusal(path)
    nodes = [node("Add", f"{a} {a}", b) for a, b in pairwise(names)]
    write(path, nodes, {"x": ("N", 2, 3, 4)})
    with damages.bounded():
        assert len(load_onnx(path).layers) == 41


# -- damage -----------------------------------------------------------------------------------------------
def test_other_files_and_nothing(path):
    for content in (
        b"",
        b"\0" * 100,
        b"PK\3\4" + b"x" * 99,
        b"not a model",
        bytes(range(256)) * 40,
        number(1, 8),
    ):
        path.write_bytes(content)
        refusal(path)
    with pytest.raises(OSError):
        load_onnx(path.parent)
    with pytest.raises(OSError):
        load_onnx(path.parent / "missing.onnx")
    with pytest.raises(ValueError, match='layout: wanted "nchw", "nhwc" or None'):
        load_onnx(path, layout="chwn")


def test_what_there_may_be_one_of_is_not_there_twice(path):
    """Protobuf would join the two, and other readers take the second."""
    whole = onnx_files.graph([node("Relu", "x", "y")], X, dict.fromkeys("y"), {})
    path.write_bytes(onnx_files.model([node("Relu", "x", "y")], X) + text(7, whole))
    assert refusal(path) == "the model: graph: wanted one, got two"
    twice = onnx_files.value_info("x", ("N", 4)) + text(2, b"")
    assert "type: wanted one, got two" in refusal(write(path, [node("Relu", "x", "y")], {"x": twice}))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><p>not found", "a web page: what was downloaded is a page about the file"),
        (b"\x80\x02}q\x00X\1\0\0\0as.", "a pickle"),
        (b"\2\0\0\0\0\0\0\0{}", "a safetensors file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture (PNG)"),
    ],
)
def test_files_of_other_kinds_are_called_by_them(path, content, kind):
    path.write_bytes(content)
    assert refusal(path) == f"wanted an ONNX file, got {kind}"


@settings(max_examples=200)
@given(st.data())
def test_damaged_files_are_refused_in_a_sentence_or_read(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(data.draw(damages.damaged_bytes(onnx_files.branches())))
    with damages.bounded():
        try:
            load_onnx(path, most_values=1 << 16)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


def test_every_truncation_of_a_file_is_refused(path):
    """But at the end of the graph, after which only the version of the operators stands."""
    write(path, [node("MatMul", "x w", "y")], X, constants={"w": np.ones((4, 2), np.float32)})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refusal(path)


def shorter(nodes):
    """The nodes again and again, each time with the last inputs of one of them, or one input, left out."""
    for place, whole in enumerate(nodes):
        rest, inputs = whole, []
        while rest[:1] == b"\n":  # the first fields of a node are its inputs
            end = 2 + rest[1]
            rest, inputs = rest[end:], [*inputs, rest[:end]]
        for n in range(len(inputs)):
            for left in (inputs[:n], [*inputs[:n], text(1, ""), *inputs[n + 1 :]]):
                yield [*nodes[:place], b"".join([*left, rest]), *nodes[place + 1 :]]


def test_nodes_without_some_of_their_inputs_are_refused_in_a_sentence_or_read(path):
    tried = [replace(case, nodes=nodes) for case in CASES.values() for nodes in shorter(case.nodes)]
    refused = 0
    for case in tried:
        path.write_bytes(case.content())
        try:
            load_onnx(path, most_values=1 << 16)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
            refused += 1
    assert len(tried) > 2000 and refused > len(tried) / 2


# -- the wire ---------------------------------------------------------------------------------------------
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=400))
def test_numbers_one_after_another_are_those_that_were_written(values):
    data = b"".join(map(varint, values))
    assert wire.varints(memoryview(data)).tolist() == values


@pytest.mark.parametrize("values", [[70_000], [1, 300, -1], [2**40, 5]], ids=str)
def test_numbers_that_lie_across_the_ends_of_pieces(values):
    values = values * (3 * wire.PIECE // len(b"".join(map(varint, values))))
    assert wire.varints(memoryview(b"".join(map(varint, values)))).tolist() == values


@given(st.binary(max_size=60))
def test_bytes_are_fields_or_a_sentence(data):
    try:
        for _, kind, value in wire.fields(memoryview(data)):
            assert kind in (0, 1, 2, 5) and (value < 1 << 64 if kind == 0 else len(value) <= len(data))
    except ValueError as error:
        assert "wanted" in str(error)


@pytest.mark.parametrize("data", [b"\x80" * 11, b"\xff" * 10, b"\x80", b"\x80" * 70_000])
def test_numbers_that_are_too_long_or_cut(data):
    with pytest.raises(ValueError, match="at most 64 bits"):
        wire.varint(memoryview(data), 0)
    with pytest.raises(ValueError, match="at most 64 bits"):
        wire.varints(memoryview(data))
