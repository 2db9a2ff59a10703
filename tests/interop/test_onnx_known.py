"""Nodes of an ONNX file that no input leads to: their numbers are worked out as it is read."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from onnx_cases import floats, ints
from onnx_files import node, write

from cynet.interop import load_onnx

X = {"x": ("N", 1)}
OUTPUT = [  # y: x, a column, plus the shape of c and then its numbers
    node("Shape", "c", "sides"), node("Cast", "sides", "s", to=1), node("Reshape", "c minus", "flat"),
    node("Cast", "flat", "f", to=1), node("Concat", "s f", "told", axis=0), node("Add", "x told", "y"),
]  # fmt: skip


@dataclass(frozen=True)
class Known:
    """A node that gives c of constants, and what c must be."""

    node: bytes
    constants: dict
    wanted: np.ndarray
    opset: int = 17
    more: tuple = field(default=())

    def write(self, path, nodes=OUTPUT):
        constants = {**self.constants, "minus": ints(-1)}
        return write(path, [*self.more, self.node, *nodes], X, constants=constants, opset=self.opset)


CASES = {}


def case(name, kind, arrays, wanted, opset=17, **attributes):
    names = [f"i{n}" if array is not None else "-" for n, array in enumerate(arrays)]
    constants = {name: array for name, array in zip(names, arrays, strict=True) if array is not None}
    assert name not in CASES
    CASES[name] = Known(node(kind, " ".join(names), "c", **attributes), constants, wanted, opset)


def bools(*values):
    return np.array(values, bool)


def one(value, kind=np.int64):
    return np.array(value, kind)


SIX = ints(0, 1, 2, 3, 4, 5).reshape(2, 3)
CUBE = np.arange(24, dtype=np.int32).reshape(2, 3, 4)

# -- number by number ----------------------------------------------------------------------------------------
case("Add", "Add", [ints(1, 2), ints(10, 20)], ints(11, 22))
case("Add of two shapes", "Add", [ints(1, 2).reshape(2, 1), ints(10, 20)], ints(11, 21, 12, 22).reshape(2, 2))
case("Sub", "Sub", [ints(1, 2), ints(10, 21)], ints(-9, -19))
case("Mul", "Mul", [ints(3, -2), ints(10, 20)], ints(30, -40))
case("Div", "Div", [floats(7, -7), floats(2, 4)], floats(3.5, -1.75))
case("Div, towards 0", "Div", [ints(7, -7, 7, -7), ints(2, 2, -2, -2)], ints(3, -3, -3, 3))
case("Min", "Min", [ints(1, 5, 3), ints(4, 2, 9), ints(7, 7, 0)], ints(1, 2, 0))
case("Max", "Max", [ints(1, 5, 3), ints(4, 2, 9), ints(0, 0, 11)], ints(4, 5, 11))
case("Sum", "Sum", [floats(1, 5), floats(4, 2), floats(0.5, 0)], floats(5.5, 7))
case("Pow", "Pow", [floats(2, 3), ints(3, 2)], floats(8, 9))
case("Pow, whole", "Pow", [ints(2, 9), floats(2, 0.5)], ints(4, 3))
case("Neg", "Neg", [ints(2, -3)], ints(-2, 3))
case("Abs", "Abs", [floats(2, -3.5)], floats(2, 3.5))
case("Sqrt", "Sqrt", [floats(4, 6.25)], floats(2, 2.5))
case("Floor", "Floor", [floats(-1.5, 1.5)], floats(-2, 1))
case("Ceil", "Ceil", [floats(-1.5, 1.5)], floats(-1, 2))
case("Reciprocal", "Reciprocal", [floats(2, -4)], floats(0.5, -0.25))
for _kind, _wanted in {
    "Equal": (False, True, False), "Less": (True, False, False), "LessOrEqual": (True, True, False),
    "Greater": (False, False, True), "GreaterOrEqual": (False, True, True),
}.items():  # fmt: skip
    case(_kind, _kind, [ints(1, 2, 3), ints(2, 2, 2)], bools(*_wanted))
_PAIR = [bools(True, True, False, False), bools(True, False, True, False)]
case("And", "And", _PAIR, bools(True, False, False, False))
case("Or", "Or", _PAIR, bools(True, True, True, False))
case("Not", "Not", [bools(True, False)], bools(False, True))
case("Mod", "Mod", [ints(7, -7, 7, -7), ints(3, 3, -3, -3)], ints(1, 2, -2, -1))
case("Mod as C has it", "Mod", [ints(7, -7, 7, -7), ints(3, 3, -3, -3)], ints(1, -1, 1, -1), fmod=1)
case("Mod of floats", "Mod", [floats(5.5, -5.5), floats(2, 2)], floats(1.5, -1.5), fmod=1)
case("Where", "Where", [bools(True, False), floats(1), floats(2, 3)], floats(1, 3))
case("Cast", "Cast", [floats(1.75, -1.75)], ints(1, -1), to=7)
case("Cast to bool", "Cast", [ints(0, 3)], bools(False, True), to=9)
case("Cast to int32", "Cast", [ints(0, 3)], np.array([0, 3], np.int32), to=6)

# -- constants -----------------------------------------------------------------------------------------------
case("an array", "Constant", [], SIX, value=SIX)
case("a float", "Constant", [], floats(2.5).reshape(()), value_float=2.5)
case("floats", "Constant", [], floats(2.5, -1.5), value_floats=[2.5, -1.5])
case("an integer", "Constant", [], one(-3), value_int=-3)
case("integers", "Constant", [], ints(2, -3), value_ints=[2, -3])
case("zeros", "ConstantOfShape", [ints(2, 3)], np.zeros((2, 3), np.float32))
case("sevens", "ConstantOfShape", [ints(3)], ints(7, 7, 7), value=ints(7))
case("Expand", "Expand", [ints(1, 2).reshape(2, 1), ints(2, 3)], ints(1, 1, 1, 2, 2, 2).reshape(2, 3))
case("Expand by a smaller shape", "Expand", [ints(1, 2), ints(1, 1)], ints(1, 2).reshape(1, 2))
case("Identity", "Identity", [SIX], SIX)
case("Dropout", "Dropout", [floats(1, 2), one(0.5, np.float32)], floats(1, 2))
case("Range", "Range", [one(1), one(8), one(3)], ints(1, 4, 7))
case("Range down", "Range", [one(3), one(0), one(-1)], ints(3, 2, 1))
case("Range of floats", "Range", [one(n, np.float32) for n in (0.5, 2, 0.5)], floats(0.5, 1, 1.5))

# -- shapes --------------------------------------------------------------------------------------------------
case("Shape", "Shape", [CUBE], ints(2, 3, 4))
case("Shape from one on", "Shape", [CUBE], ints(3, 4), start=1)
case("Shape but for the last", "Shape", [CUBE], ints(2, 3), end=-1)
case("Shape of the last", "Shape", [CUBE], ints(3, 4), start=-2, end=100)
case("Shape from before the first", "Shape", [CUBE], ints(2), start=-9, end=1)
case("Size", "Size", [CUBE], one(24))
case("Gather", "Gather", [SIX, ints(1, 0, -1)], ints(3, 4, 5, 0, 1, 2, 3, 4, 5).reshape(3, 3))
case("Gather of columns", "Gather", [SIX, ints(-1, 0)], ints(2, 0, 5, 3).reshape(2, 2), axis=1)
case("Gather of one", "Gather", [SIX, one(1)], ints(3, 4, 5))
case("Gather by a table", "Gather", [ints(7, 8, 9), ints(2, 1).reshape(1, 2)], ints(9, 8).reshape(1, 2))
case("Unsqueeze", "Unsqueeze", [ints(1, 2), ints(0, -1)], ints(1, 2).reshape(1, 2, 1))
case("Unsqueeze, old", "Unsqueeze", [ints(1, 2)], ints(1, 2).reshape(2, 1), 11, axes=[1])
case("Squeeze", "Squeeze", [ints(1, 2).reshape(1, 2, 1), ints(-1)], ints(1, 2).reshape(1, 2))
case("Squeeze of all", "Squeeze", [ints(1, 2).reshape(1, 2, 1)], ints(1, 2))
case("Squeeze, old", "Squeeze", [ints(1, 2).reshape(1, 2, 1)], ints(1, 2).reshape(2, 1), 11, axes=[0])
case("Concat", "Concat", [ints(1), ints(2, 3), ints(4)], ints(1, 2, 3, 4), axis=0)
case("Concat of columns", "Concat", [SIX, SIX[:, :1]], ints(0, 1, 2, 0, 3, 4, 5, 3).reshape(2, 4), axis=-1)
case("Reshape", "Reshape", [CUBE, ints(0, -1, 2)], CUBE.reshape(2, 6, 2))
case("Reshape to nothing", "Reshape", [SIX[:0], ints(3, 0)], np.empty((3, 0), np.int64), allowzero=1)
case("Flatten", "Flatten", [CUBE], CUBE.reshape(2, 12))
case("Flatten at two", "Flatten", [CUBE], CUBE.reshape(6, 4), axis=2)
case("Flatten at the end", "Flatten", [CUBE], CUBE.reshape(24, 1), axis=3)
case("Flatten before the last", "Flatten", [CUBE], CUBE.reshape(6, 4), axis=-1)
case("Transpose", "Transpose", [SIX], ints(0, 3, 1, 4, 2, 5).reshape(3, 2))
case("Transpose of some", "Transpose", [CUBE], CUBE.swapaxes(0, 1), perm=[1, 0, 2])
case("Slice", "Slice", [SIX, ints(1), ints(3), ints(1)], ints(1, 2, 4, 5).reshape(2, 2))
case("Slice of rows and columns", "Slice", [SIX, ints(1, -1), ints(9, 9)], ints(5).reshape(1, 1))
case("Slice by steps", "Slice", [ints(0, 1, 2, 3, 4), ints(0), ints(5), None, ints(2)], ints(0, 2, 4))
case("Slice backwards", "Slice", [ints(0, 1, 2), ints(-1), ints(-9), ints(0), ints(-1)], ints(2, 1, 0))
case("Slice, old", "Slice", [SIX], ints(1, 4).reshape(2, 1), 9, starts=[1], ends=[2], axes=[1])
case("Slice, old, of the first", "Slice", [SIX], SIX[1:], 9, starts=[1], ends=[2])
case("Slice, axes the other way", "Slice", [SIX, ints(2, 1), ints(3, 2), ints(1, 0)], ints(5).reshape(1, 1))

# -- along axes ----------------------------------------------------------------------------------------------
case("ReduceSum", "ReduceSum", [SIX, ints(1)], ints(3, 12).reshape(2, 1))
case(
    "ReduceSum of one kind", "ReduceSum", [CUBE[:, :1, 0], ints(-1)], np.array([0, 12], np.int32), keepdims=0
)
case("ReduceSum of all", "ReduceSum", [SIX], ints(15).reshape(1, 1))
case("ReduceSum of none", "ReduceSum", [SIX, np.empty(0, np.int64)], SIX, noop_with_empty_axes=1)
case("ReduceProd", "ReduceProd", [ints(2, 3, 4)], one(24), keepdims=0)
case("ReduceMax", "ReduceMax", [SIX], ints(3, 4, 5), 11, axes=[0], keepdims=0)
case("ReduceMin", "ReduceMin", [SIX], ints(0, 3).reshape(2, 1), 17, axes=[1])


def told(array):
    """What y is of zeros."""
    return np.concatenate([array.shape, array.ravel()])[None].astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_constants_are_worked_out(tmp_path, name):
    model = load_onnx(CASES[name].write(tmp_path / "net.onnx"))
    np.testing.assert_array_equal(model(np.zeros((1, 1), np.float32)), told(CASES[name].wanted))


@pytest.mark.onnxruntime
@pytest.mark.parametrize("name", CASES)
def test_they_are_what_onnx_runtime_makes_of_them(tmp_path, name):
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    content = CASES[name].write(tmp_path / "net.onnx").read_bytes()
    (found,) = runtime.InferenceSession(content, options).run(None, {"x": np.zeros((1, 1), np.float32)})
    np.testing.assert_array_equal(found, told(CASES[name].wanted))


@pytest.mark.parametrize("name", [name for name, one in CASES.items() if one.wanted.size])
def test_they_keep_their_kind_of_numbers(tmp_path, name):
    path = CASES[name].write(
        tmp_path / "net.onnx", [node("Reshape", "c minus", "d"), node("Add", "x d", "y")]
    )
    kind = CASES[name].wanted.dtype
    if kind == np.float32:
        assert load_onnx(path)(np.zeros((1, 1), np.float32)).shape == (1, CASES[name].wanted.size)
        return
    with pytest.raises(ValueError, match=f"input 1: wanted floating-point numbers, got {kind}"):
        load_onnx(path)


@pytest.mark.parametrize(
    ("made", "arrays", "more", "wanted"),
    [
        ("Div", [ints(1), ints(0)], {}, "wanted a divisor other than 0, got 0"),
        ("Add", [ints(1, 2), ints(1, 2, 3)], {}, "shape mismatch"),
        ("Constant", [], {"value_string": "text"}, "wanted an array, numbers or a number, got a constant of"),
        ("Constant", [], {"value": 3}, "value: wanted an attribute of type 4, got 2"),
        ("ConstantOfShape", [ints(2)], {"value": ints(1, 2)}, "value: wanted one number, got 2"),
        ("ConstantOfShape", [ints(2, -1)], {}, "wanted a shape of at most 16 sides, got array([ 2, -1])"),
        ("ConstantOfShape", [floats(2)], {}, "wanted a shape of at most 16 sides, got array([2.], dtype=flo"),
        ("ConstantOfShape", [ints(*[1] * 17)], {}, "wanted a shape of at most 16 sides"),
        ("ConstantOfShape", [ints(2).reshape(1, 1)], {}, "wanted a shape of at most 16 sides"),
        ("Cast", [ints(1)], {"to": 16}, "to: wanted a dtype that NumPy has, got bfloat16"),
        ("Cast", [ints(1)], {"to": 8}, "to: wanted a dtype that NumPy has, got string"),
        ("Gather", [ints(1, 2, 3), ints(3)], {}, "input 1: wanted numbers of 3 places, got array([3])"),
        ("Gather", [ints(1, 2, 3), ints(-4)], {}, "input 1: wanted numbers of 3 places, got array([-4])"),
        ("Gather", [ints(1, 2, 3), floats(1)], {}, "input 1: wanted numbers of 3 places"),
        ("Gather", [ints(1, 2, 3), ints(1)], {"axis": 1}, "axis: wanted -1 to 0, got 1"),
        ("Reshape", [SIX, ints(-1, -1)], {}, "sides, -1 at most once, got [-1, -1]"),
        ("Reshape", [SIX, ints(-2)], {}, "sides, -1 at most once, got [-2]"),
        ("Reshape", [SIX, ints(5)], {}, "wanted a shape of 6 numbers, got [5]"),
        ("Reshape", [SIX, ints(4, -1)], {}, "wanted a shape of 6 numbers, got [4, -1]"),
        ("Reshape", [SIX, ints(2, 3, 0)], {}, "wanted 0 for a side that (2, 3) has, got [2, 3, 0]"),
        ("Reshape", [SIX, ints(6).reshape(1, 1)], {}, "at most 16 sides, got one of (1, 1)"),
        ("Transpose", [SIX], {"perm": [0, 0]}, "repeated axis"),
        ("Unsqueeze", [SIX, ints(0, 0)], {}, "axes: wanted different ones, got [0, 0]"),
        ("Squeeze", [SIX, ints(0)], {}, "cannot select an axis"),
        ("Flatten", [SIX], {"axis": 3}, "axis: wanted -2 to 1, got 3"),
        ("Slice", [SIX, ints(0), ints(1), ints(0), ints(0)], {}, "wanted a start, an end and a step other"),
        ("Slice", [SIX, ints(0, 0), ints(1)], {}, "wanted a start, an end and a step other"),
        ("Slice", [SIX, ints(0, 0), ints(1, 1), ints(0, -2)], {}, "axes: wanted different ones, got [0, -2]"),
        ("Slice", [SIX, floats(0), ints(1)], {}, "input 1: wanted a list of whole numbers, got float32 (1,)"),
        ("Range", [one(0), one(4), one(0)], {}, "wanted finite numbers and a step other than 0, got others"),
        ("Range", [one(n, np.float32) for n in (0, np.inf, 1)], {}, "wanted finite numbers and a step other"),
        ("Where", [bools(True), None, ints(1)], {}, "input 1: wanted one, got none"),
        ("Slice", [SIX, None, ints(1)], {}, "input 1: wanted one, got none"),
        ("ReduceSum", [SIX, ints(2)], {}, "axis: wanted -2 to 1, got 2"),
        ("ReduceSum", [SIX], {"keepdims": 2}, "keepdims: wanted 0 or 1, got 2"),
        ("Neg", [ints(1)], {"odd": 1}, "wanted no attribute 'odd', got one"),
    ],
)  # fmt: skip
def test_what_cannot_be_worked_out_is_refused(tmp_path, made, arrays, more, wanted):
    names = [f"i{n}" if array is not None else "-" for n, array in enumerate(arrays)]
    constants = {name: array for name, array in zip(names, arrays, strict=True) if array is not None}
    odd = Known(node(made, " ".join(names), "c", "odd one", **more), constants, None)
    with pytest.raises(ValueError) as caught:
        load_onnx(odd.write(tmp_path / "net.onnx"))
    assert f"got {made} (node 'odd one'): " in str(caught.value) and wanted in str(caught.value)


def test_the_second_output_of_a_constant_node_is_refused(tmp_path):
    nodes = [node("Dropout", "i", "d c", "mask"), *OUTPUT]
    write(tmp_path / "net.onnx", nodes, X, constants={"i": floats(1), "minus": ints(-1)})
    with pytest.raises(
        ValueError, match=r"Dropout \(node 'mask'\): wanted its first output to be used alone"
    ):
        load_onnx(tmp_path / "net.onnx")


# -- what depends on the batch ------------------------------------------------------------------------------
OF_SHAPE = [node("Shape", "x", "s"), node("Gather", "s nought", "n"), node("Gather", "s first", "w")]
NUMBERS = {
    "nought": ints(0), "first": ints(1), "two": ints(2), "four": ints(4), "minus": ints(-1),
    "m": np.float32([[1, 2], [3, 4]]),
}  # fmt: skip
HALVES = [  # x as rows of two numbers, whose shape is worked out, times m
    node("Div", "w two", "h"), node("Concat", "k h", "t", axis=0), node("Reshape", "x t", "rows"),
    node("MatMul", "rows m", "p"), node("Concat", "n w", "u", axis=0), node("Reshape", "p u", "y"),
]  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        [node("Mul", "n two", "k")],
        [node("Add", "n n", "k")],
        [node("Mul", "n four", "a"), node("Sub", "a n", "b"), node("Sub", "b n", "k")],
        [node("Mul", "n two", "a"), node("Equal", "a minus", "e"), node("Where", "e minus a", "k")],
        [node("ReduceProd", "s", "a", keepdims=0), node("Div", "a two", "k")],
        [node("Size", "x", "a"), node("Div", "a two", "b"), node("Reshape", "b minus", "k")],
        [node("Neg", "n", "a"), node("Mul", "a two", "b"), node("Abs", "b", "k")],
        [node("Concat", "n two", "a", axis=0), node("ReduceProd", "a", "k")],
        [node("Expand", "n two", "a"), node("ReduceSum", "a", "k")],
        [node("Squeeze", "n", "a"), node("Range", "one a one", "r"), node("Shape", "r", "a1"),
         node("Add", "a1 first", "b"), node("Mul", "b two", "k")],
    ],
)  # fmt: skip
@pytest.mark.parametrize("batch", ["N", 3])
def test_shapes_may_be_worked_out_of_the_batch(tmp_path, rows, batch):
    """The size of which the file may leave open."""
    constants = {**NUMBERS, "one": one(1)}
    write(tmp_path / "net.onnx", [*OF_SHAPE, *rows, *HALVES], {"x": (batch, 4)}, constants=constants)
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    wanted = (x.reshape(6, 2) @ NUMBERS["m"]).reshape(3, 4)
    np.testing.assert_allclose(load_onnx(tmp_path / "net.onnx")(x), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [
        ([node("Slice", "x nought n first", "y")],
         "input 2: wanted numbers that do not depend on the size of the batch, got others"),
        ([node("Add", "n two", "a"), node("Concat", "a minus", "t", axis=0), node("Reshape", "x t", "y")],
         "wanted a shape of "),
        ([node("Concat", "w n", "t", axis=0), node("Reshape", "x t", "y")],
         "wanted a shape for the numbers of (N, 4), got (4, 1N)"),
        ([node("Mul", "n n", "a"), node("Concat", "a two", "t", axis=0), node("Expand", "x t", "y")],
         "wanted a shape in which the batch stays as it is, got one that mixes it with others"),
    ],
)  # fmt: skip
def test_shapes_that_mix_the_batch_with_others_are_refused(tmp_path, nodes, wanted):
    write(tmp_path / "net.onnx", [*OF_SHAPE, *nodes], {"x": ("N", 4)}, constants=NUMBERS)
    with pytest.raises(ValueError) as caught:
        load_onnx(tmp_path / "net.onnx")
    assert f"): {wanted}" in str(caught.value)


# -- how much ------------------------------------------------------------------------------------------------
SPARE = 1 << 24  # bytes


@pytest.mark.parametrize(
    "made",
    [
        node("Neg", "many", "c"),
        node("Add", "many one", "c"),
        node("Where", "yes many one", "c"),
        node("Concat", "many many", "c", axis=0),
        node("Flatten", "many", "c", axis=0),
        node("ReduceMax", "many", "c"),
        node("Gather", "one many", "c"),
        node("Range", "nought count step", "c"),
    ],
)
@pytest.mark.parametrize("few", [True, False], ids=["few", "many"])
def test_constants_that_are_worked_out_take_little_more_than_the_file(tmp_path, made, few):
    count = 1000 if few else SPARE // 8 + (1 << 12)
    constants = {
        "sides": ints(count), "one": ints(1), "yes": bools(True), "zero": ints(0), "nought": one(0),
        "count": one(count), "step": one(1),
    }  # fmt: skip
    whole = node("ConstantOfShape", "sides", "many", value=ints(0))
    rest = [node("Reshape", "c minus", "d"), node("Gather", "d zero", "e"), node("Cast", "e", "f", to=1)]
    nodes = [whole, made, *rest, node("Add", "x f", "y")]
    write(tmp_path / "net.onnx", nodes, X, constants={**constants, "minus": ints(-1)})
    if few:
        assert load_onnx(tmp_path / "net.onnx")(np.zeros((1, 1), np.float32)).shape == (1, 1)
        return
    most = SPARE + 2 * (tmp_path / "net.onnx").stat().st_size
    wanted = f"wanted constants of at most {most:,} bytes to be worked out, got more"
    with pytest.raises(ValueError, match=wanted):
        load_onnx(tmp_path / "net.onnx")


def test_a_number_that_is_repeated_takes_no_memory(tmp_path):
    """However its kind and its shape are changed."""
    nodes = [
        node("ConstantOfShape", "sides", "a"), node("Cast", "a", "b", to=7), node("Expand", "b more", "c"),
        node("Identity", "c", "d"), node("Reshape", "d other", "e"), node("Shape", "e", "f"),
        node("Cast", "f", "g", to=1), node("Add", "x g", "y"),
    ]  # fmt: skip
    constants = {"sides": ints(1 << 12, 1 << 14), "more": ints(2, 1, 1), "other": ints(1 << 14, -1)}
    write(tmp_path / "net.onnx", nodes, X, constants=constants)
    y = load_onnx(tmp_path / "net.onnx")(np.zeros((1, 1), np.float32))
    assert y.tolist() == [[1 << 14, 1 << 13]]
