"""Nodes of ONNX's operators that cynet has no layers for, as they are: each is told why, and by its name."""

import numpy as np
import pytest
from onnx_cases import floats, ints
from onnx_files import attribute, node, number, real, text, value_info, write

from cynet.interop import load_onnx

IMAGES, SERIES, ROWS = ("N", 4, 6, 6), ("N", 4, 5), ("N", 4)
BATCH = "axis 0: wanted one that is not the batch, got that"


def refused(path, *given, **options):
    """What is said of the node "odd"."""
    with pytest.raises(ValueError) as caught:
        load_onnx(write(path, *given, **options))
    start, found, said = str(caught.value).partition(" (node 'odd'): ")
    assert found and start.startswith(f"{path}: wanted operators that there are layers for, got "), (
        caught.value
    )
    return start.rpartition(" ")[2], said


def ones(*shape):
    return np.ones(shape, np.float32)


def table(cases):
    """(operator, shape of x, attributes, further inputs, what is said, opset); the last may be missing."""
    return pytest.mark.parametrize(
        ("kind", "x", "attributes", "arrays", "wanted", "opset"),
        [case if len(case) == 6 else (*case, 17) for case in cases],
    )


def check(path, kind, x, attributes, arrays, wanted, opset):
    names = ["x", *(f"i{n}" if array is not None else "-" for n, array in enumerate(arrays))]
    constants = {name: array for name, array in zip(names[1:], arrays, strict=True) if array is not None}
    whole = node(kind, " ".join(names), "y", "odd", **attributes)
    assert refused(path, [whole], {"x": x}, constants=constants, opset=opset) == (kind, wanted)


FOUR = [ones(4)] * 4


@table([
    ("Gemm", IMAGES, {}, [ones(4, 5)], "wanted a value (N, features), got one of (N, 4, 6, 6)"),
    ("Gemm", ROWS, {}, [ones(3, 5)], "wanted 4 rows of weights, as the value has features, got 3"),
    ("Gemm", ROWS, {}, [ones(4, 5), ones(2, 5)], "input 2: wanted a bias of 5 numbers, got shape (2, 5)"),
    ("Gemm", ROWS, {}, [ones(4, 5), ones(4)], "input 2: wanted a bias of 5 numbers, got shape (4,)"),
    ("Gemm", ROWS, {}, [ones(4, 5), ones(1, 1, 5)],
     "input 2: wanted a bias of 5 numbers, got shape (1, 1, 5)"),
    ("Gemm", ROWS, {"transB": 2}, [ones(4, 5)], "transB: wanted 0 or 1, got 2"),
    ("Gemm", ROWS, {"alpha": float("nan")}, [ones(4, 5)], "alpha: wanted a finite number, got nan"),
    ("MatMul", ROWS, {}, [ones(4)], "input 1: wanted a matrix of weights, got shape (4,)"),
    ("MatMul", ROWS, {}, [ones(4, 0)], "input 1: wanted a matrix of weights, got shape (4, 0)"),
    ("MatMul", IMAGES, {}, [ones(4, 3)], "wanted 6 rows of weights, as the value has features, got 4"),
    ("Gather", ROWS, {"axis": 1}, [floats(1)],
     "input 1: wanted a whole number or a list of them, got float32 (1,)"),
    ("Gather", ROWS, {"axis": 1}, [ints(1).reshape(1, 1)],
     "input 1: wanted a whole number or a list of them, got int64 (1, 1)"),
    ("Gather", ROWS, {"axis": 1}, [ints()],
     "input 1: wanted a whole number or a list of them, got int64 (0,)"),
    ("Gather", ROWS, {"axis": 1}, [ints(4)],
     "input 1: wanted at most 1,048,576 // 4 numbers of 4, got array([4])"),
    ("Gather", ROWS, {"axis": 1}, [ints(-5)],
     "input 1: wanted at most 1,048,576 // 4 numbers of 4, got array([-5])"),
    ("Gather", ROWS, {}, [ints(0)], BATCH),
    ("ConvTranspose", IMAGES, {"output_shape": [9]}, [ones(4, 3, 3, 3)],
     "output_shape: wanted 2 sides, got 1"),
    ("ConvTranspose", IMAGES, {"group": 1 << 21}, [ones(4, 3, 3, 3)],
     "group: wanted 1 to 1048576, got 2097152"),
    ("ConvTranspose", IMAGES, {"output_padding": [0, -1]}, [ones(4, 3, 3, 3)],
     "output_padding: wanted 2 numbers of 0 to 1048576, got [0, -1]"),
    ("Conv", IMAGES, {"strides": [1, (1 << 20) + 1]}, [ones(3, 4, 3, 3)],
     "strides: wanted 2 numbers of 1 to 1048576, got [1, 1048577]"),
    ("Conv", IMAGES, {"kernel_shape": [3, 2]}, [ones(3, 4, 3, 3)],
     "kernel_shape: wanted (3, 3), as the weights have it, got another one"),
    ("Conv", IMAGES, {}, [ones(3, 4, 3)], "input 1: wanted weights of 4 sides, got shape (3, 4, 3)"),
    ("Conv", IMAGES, {}, [ones(3, 4, 3, 3), ones(4)], "input 2: wanted a bias of shape (3,), got (4,)"),
    ("Conv", IMAGES, {"auto_pad": "SAME"}, [ones(3, 4, 3, 3)],
     "auto_pad: wanted NOTSET, VALID, SAME_UPPER or SAME_LOWER, got 'SAME'"),
])  # fmt: skip
def test_products_and_convolutions(tmp_path, kind, x, attributes, arrays, wanted, opset):
    check(tmp_path / "net.onnx", kind, x, attributes, arrays, wanted, opset)


@table([
    ("BatchNormalization", IMAGES, {"epsilon": -1.0}, FOUR, "epsilon: wanted a number from 0 on, got -1.0"),
    ("BatchNormalization", IMAGES, {"spatial": 0}, FOUR, "spatial: wanted 1, got 0", 7),
    ("BatchNormalization", IMAGES, {"training_mode": 1}, FOUR, "training_mode: wanted 0, got 1"),
    ("BatchNormalization", IMAGES, {"momentum": 1.5}, FOUR, "momentum: wanted a number from 0 to 1, got 1.5"),
    ("BatchNormalization", IMAGES, {"momentum": -0.5}, FOUR,
     "momentum: wanted a number from 0 to 1, got -0.5"),
    ("BatchNormalization", IMAGES, {}, [*FOUR[:3], floats(1, 1, -1, 1)],
     "input 4: wanted variances from 0 on, got a negative one"),
    ("BatchNormalization", IMAGES, {}, [ones(4), ones(4), ones(3), ones(4)],
     "input 3: wanted shape (4,), got (3,)"),
    ("InstanceNormalization", ROWS, {}, FOUR[:2], "wanted a value (N, C, ...), got one of (N, 4)"),
    ("InstanceNormalization", IMAGES, {}, [ones(4), ones(1)], "input 2: wanted shape (4,), got (1,)"),
    ("GroupNormalization", IMAGES, {"num_groups": 3}, FOUR[:2],
     "num_groups: wanted a divisor of 4 channels, got 3", 21),
    ("GroupNormalization", IMAGES, {"num_groups": 0}, FOUR[:2],
     "num_groups: wanted a divisor of 4 channels, got 0", 21),
    ("GroupNormalization", IMAGES, {}, FOUR[:2], "num_groups: wanted this attribute, got none", 21),
    ("GroupNormalization", IMAGES, {"num_groups": 2, "stash_type": 0}, FOUR[:2],
     "stash_type: wanted 1, got 0", 21),
    ("LayerNormalization", SERIES, {"stash_type": 10}, [ones(5)], "stash_type: wanted 1, got 10"),
    ("LayerNormalization", SERIES, {}, [ones(4)], "input 1: wanted shape (5,), got (4,)"),
    ("LayerNormalization", SERIES, {}, [ones(5), ones(4, 5)], "input 2: wanted shape (5,), got (4, 5)"),
    ("LayerNormalization", SERIES, {"axis": 0}, [ones(5)], BATCH),
    ("LayerNormalization", SERIES, {"axis": 3}, [ones(5)], "axis: wanted -3 to 2, got 3"),
    ("Softmax", ROWS, {"axis": 0}, [], BATCH),
    ("Softmax", IMAGES, {"axis": 0}, [], BATCH, 11),
    ("MaxPool", IMAGES, {"kernel_shape": [2, 2], "storage_order": 2}, [],
     "storage_order: wanted 0 or 1, got 2"),
    ("MaxPool", IMAGES, {"kernel_shape": [2]}, [],
     "kernel_shape: wanted 2 numbers from 1 to 1048576, got [2]"),
    ("MaxPool", IMAGES, {"kernel_shape": [2, 0]}, [],
     "kernel_shape: wanted 2 numbers from 1 to 1048576, got [2, 0]"),
    ("MaxPool", IMAGES, {}, [], "kernel_shape: wanted this attribute, got none"),
    ("AveragePool", IMAGES, {"kernel_shape": [2, 2], "dilations": [1, 2]}, [],
     "dilations: wanted 1 for each side, got (1, 2)", 19),
    ("AveragePool", IMAGES, {"kernel_shape": [2, 2], "ceil_mode": 2}, [], "ceil_mode: wanted 0 or 1, got 2"),
    ("ReduceMean", IMAGES, {}, [], "axes: wanted those after the batch, got none, which stands for all"),
    ("ReduceMean", IMAGES, {"axes": [0, 1]}, [], BATCH),
    ("ReduceMax", IMAGES, {"axes": [1, -3]}, [], "axes: wanted different ones, got [1, -3]"),
    ("ReduceMax", IMAGES, {"axes": [4]}, [], "axis: wanted -4 to 3, got 4"),
])  # fmt: skip
def test_normalisations_pools_and_means(tmp_path, kind, x, attributes, arrays, wanted, opset):
    check(tmp_path / "net.onnx", kind, x, attributes, arrays, wanted, opset)


BOUNDS = "wanted bounds of at most 1000, or none, got "


@table([
    ("Div", ROWS, {}, [floats(1, 2, 0, 4)], "input 1: wanted numbers other than 0 to divide by, got 0"),
    ("Pow", ROWS, {}, [floats(4)], "input 1: wanted 1, 2 or 3 for an exponent, got 4.0"),
    ("Pow", ROWS, {}, [floats(0.5)], "input 1: wanted 1, 2 or 3 for an exponent, got 0.5"),
    ("Pow", ROWS, {}, [floats(2, 2, 2, 2)], "input 1: wanted one number, got float32 (4,)"),
    ("Max", ROWS, {}, [floats(1, 2, 3, 4)], "wanted a value and one number, got others"),
    ("Min", ROWS, {}, [floats(1), floats(2)], "wanted a value and one number, got others"),
    ("Add", ROWS, {}, [ints(1)], "input 1: wanted floating-point numbers, got int64"),
    ("Celu", ROWS, {"alpha": 0.0}, [], "alpha: wanted a number above 0, got 0.0"),
    ("Celu", ROWS, {"alpha": -1.0}, [], "alpha: wanted a number above 0, got -1.0"),
    ("Gelu", ROWS, {"approximate": "erf"}, [], "approximate: wanted 'none' or 'tanh', got 'erf'", 20),
    ("PRelu", IMAGES, {}, [ones(3, 1, 1)],
     "input 1: wanted one slope, or one for each channel, got shape (3, 1, 1) for (N, 4, 6, 6)"),
    ("PRelu", IMAGES, {}, [ones(4, 6, 1)],
     "input 1: wanted one slope, or one for each channel, got shape (4, 6, 1) for (N, 4, 6, 6)"),
    ("PRelu", ROWS, {}, [ones(2, 1)],
     "input 1: wanted one slope, or one for each channel, got shape (2, 1) for (N, 4)"),
    ("Clip", ROWS, {}, [floats(1), floats(1)], "wanted a lower bound below the upper one, got 1.0 and 1.0"),
    ("Clip", ROWS, {}, [floats(np.nan)], "wanted a lower bound below the upper one, got nan and inf"),
    ("Clip", ROWS, {}, [floats(-1001)], f"{BOUNDS}-1001.0 and inf"),
    ("Clip", ROWS, {}, [floats(0), floats(1001)], f"{BOUNDS}0.0 and 1001.0"),
    ("Clip", ROWS, {}, [floats(0, 1), floats(2)], "input 1: wanted one number, got float32 (2,)"),
    ("Dropout", ROWS, {}, [floats(1.5)], "ratio: wanted a number from 0 to 1, got 1.5"),
    ("Dropout", ROWS, {"ratio": -0.5}, [], "ratio: wanted a number from 0 to 1, got -0.5", 9),
    ("Cast", ROWS, {"to": 7}, [], "to: wanted a dtype of floating-point numbers, got int64"),
    ("Cast", ROWS, {"to": 9}, [], "to: wanted a dtype of floating-point numbers, got bool"),
    ("Cast", ROWS, {"to": 21}, [], "to: wanted a dtype of floating-point numbers, got uint4"),
    ("Cast", ROWS, {"to": 22}, [], "to: wanted a dtype of floating-point numbers, got int4"),
    ("Cast", ROWS, {"to": 15}, [], "to: wanted a dtype of floating-point numbers, got complex128"),
    ("Cast", ROWS, {"to": 40}, [], "to: wanted a dtype of floating-point numbers, got dtype 40"),
])  # fmt: skip
def test_curves_and_arithmetic(tmp_path, kind, x, attributes, arrays, wanted, opset):
    check(tmp_path / "net.onnx", kind, x, attributes, arrays, wanted, opset)


PADS = "wanted two numbers of at most 1048576 for each of 4 axes, got "
WAYS = "wanted a constant, or reflect, edge, wrap, and no part less, got "


@table([
    ("Pad", IMAGES, {}, [ints(0, 0, 1, 1)], f"{PADS}[0, 0, 1, 1]"),
    ("Pad", IMAGES, {}, [ints(0, 0, 0, 0, 0, 0, 0, (1 << 20) + 1)], f"{PADS}[0, 0, 0, 0, 0, 0, 0, 1048577]"),
    ("Pad", IMAGES, {}, [ints(1, 0, 0, 0, 0, 0, 0, 0)], BATCH),
    ("Pad", IMAGES, {"mode": "mirror"}, [ints(0, 0, 1, 1, 0, 0, 1, 1)], f"{WAYS}'mirror'"),
    ("Pad", IMAGES, {"mode": "reflect"}, [ints(0, 0, 1, 1, 0, 0, -1, 1)], f"{WAYS}'reflect'"),
    ("Pad", IMAGES, {}, [ints(1, 1), None, ints(4)], "axis: wanted -4 to 3, got 4", 18),
    ("Flatten", IMAGES, {"axis": 5}, [], "axis: wanted -4 to 3, got 5"),
    ("Transpose", IMAGES, {"perm": [0, 1, 2]}, [], "wanted an order of 4 axes, got (0, 1, 2)"),
    ("Squeeze", ROWS, {}, [ints(1)], "wanted axes of size 1 to leave out, got axis 1 of (N, 4)"),
    ("Squeeze", ROWS, {}, [ints(0)], "wanted axes of size 1 to leave out, got axis 0 of (N, 4)"),
    ("Unsqueeze", ROWS, {}, [ints(*range(2, 17))], "wanted at most 16 axes, got 17"),
    ("Unsqueeze", ROWS, {}, [ints(3)], "axis: wanted -3 to 2, got 3"),
    ("Expand", ROWS, {}, [ints(1, 3)], "input 1: wanted a shape for (N, 4), got [1, 3]"),
    ("Expand", ROWS, {}, [ints(2, 1)], "input 1: wanted a shape for (N, 4), got [2, 1]"),
    ("Expand", ROWS, {}, [ints(*[1] * 17)], "input 1: wanted a shape of at most 16 sides, got 17"),
    ("Expand", ("N", 1), {}, [ints(1, 0)], "input 1: wanted the batch where it was, got [1, 0]"),
    ("Reshape", ROWS, {}, [floats(2)],
     "input 1: wanted a shape of at most 16 sides, got array([2.], dtype=float32)"),
    ("Reshape", (2, 4), {"allowzero": 1}, [ints(0, 4)], "wanted a shape of 8 numbers, got [0, 4]"),
    ("DepthToSpace", IMAGES, {"blocksize": 2, "mode": "RCD"}, [],
     "wanted mode DCR or CRD and a multiple of 4 channels, got RCD, 4"),
    ("DepthToSpace", IMAGES, {"blocksize": 3}, [],
     "wanted mode DCR or CRD and a multiple of 9 channels, got DCR, 4"),
    ("DepthToSpace", IMAGES, {"blocksize": 0}, [], "blocksize: wanted 1 to 4096, got 0"),
    ("DepthToSpace", SERIES, {"blocksize": 2}, [], "wanted a value (N, C, H, W), got one of (N, 4, 5)"),
    ("SpaceToDepth", ("N", 4, 6, 5), {"blocksize": 2}, [], "wanted sides that are multiples of 2, got 6 x 5"),
    ("SpaceToDepth", ("N", 4, 5, 6), {"blocksize": 2}, [], "wanted sides that are multiples of 2, got 5 x 6"),
    ("Slice", ROWS, {}, [ints(-1), ints(-9), ints(1), ints(-1)], "wanted steps of at least 1, got -1"),
    ("Slice", ROWS, {}, [ints(2), ints(2), ints(1)], "wanted a part of 4 along axis 1, got 2 to 2"),
    ("Slice", ROWS, {}, [ints(0), ints(1), ints(0)], BATCH),
    ("Slice", ROWS, {}, [ints(1), ints(2**31), ints(0)], BATCH),
    ("Slice", ROWS, {}, [ints(0), ints(2**31), ints(0), ints(2)], BATCH),
    ("Split", ROWS, {"axis": 1}, [ints(3)], "wanted 1 parts of 4, each of at least 1, got [3]"),
    ("Split", ROWS, {"axis": 1}, [ints(2, 2)], "wanted 1 parts of 4, each of at least 1, got [2, 2]"),
    ("Split", ROWS, {"axis": 1}, [ints(5)], "wanted 1 parts of 4, each of at least 1, got [5]"),
    ("Split", ROWS, {}, [], BATCH),
])  # fmt: skip
def test_shapes_and_parts(tmp_path, kind, x, attributes, arrays, wanted, opset):
    check(tmp_path / "net.onnx", kind, x, attributes, arrays, wanted, opset)


NOT_KEPT = "wanted batch and channels to stay as they are, got others"
ONE_OF = "wanted either sizes or scales, got both or neither"
MODES = (
    "wanted mode nearest or linear, a rule of asymmetric, half_pixel, align_corners, pytorch_half_pixel, "
    "and of round_prefer_floor, round_prefer_ceil, floor, ceil, got "
)
SCALES = floats(1, 1, 2, 2)
AXES = "axes: wanted those of height and width, one for each size, got others"
NO_WAY = "wanted a way to resize that cynet has, got mode "
RULE = "coordinate_transformation_mode"


@table([
    ("Resize", IMAGES, {"antialias": 1}, [None, SCALES], "antialias: wanted 0, got 1", 18),
    ("Resize", IMAGES, {"keep_aspect_ratio_policy": "not_larger"}, [None, None, ints(1, 4, 3, 3)],
     "keep_aspect_ratio_policy: wanted 'stretch', got 'not_larger'", 18),
    ("Resize", IMAGES, {}, [None, SCALES, ints(1, 4, 3, 3)], ONE_OF),
    ("Resize", IMAGES, {}, [], ONE_OF),
    ("Resize", IMAGES, {}, [None, floats()], ONE_OF),
    ("Resize", IMAGES, {}, [None, floats(*[1] * 17)], "input 2: wanted at most 16 numbers, got 17"),
    ("Resize", IMAGES, {"axes": [1, 2]}, [None, floats(2, 2)], AXES, 18),
    ("Resize", IMAGES, {"axes": [2]}, [None, floats(2, 2)], AXES, 18),
    ("Resize", IMAGES, {}, [None, floats(1, 2, 2, 2)], NOT_KEPT),
    ("Resize", IMAGES, {}, [None, floats(2, 1, 2, 2)], NOT_KEPT),
    ("Resize", IMAGES, {}, [None, None, ints(211, 3, 12, 12)], NOT_KEPT),
    ("Resize", IMAGES, {}, [None, None, ints(5, 4, 12, 12)], NOT_KEPT),
    ("Resize", IMAGES, {}, [None, None, floats(1, 4, 3, 3)],
     "input 3: wanted sizes that do not depend on the batch, got others"),
    ("Resize", IMAGES, {}, [None, floats(1, 1, 2)], "wanted a size or scale for each of 4 axes, got 3"),
    ("Resize", IMAGES, {}, [None, floats(1, 1, 0, 2)],
     "wanted scales above 0 and up to 65536, got [1.0, 1.0, 0.0, 2.0]"),
    ("Resize", IMAGES, {}, [None, floats(1, 1, 65537, 2)],
     "wanted scales above 0 and up to 65536, got [1.0, 1.0, 65537.0, 2.0]"),
    ("Resize", IMAGES, {}, [None, floats(1, 1, 60000, 2)],
     "wanted sides of 1 to 65536 pixels, got [6, 6] to [360000, 12]"),
    ("Resize", IMAGES, {}, [None, floats(1, 1, 0.125, 2)],
     "wanted sides of 1 to 65536 pixels, got [6, 6] to [0, 12]"),
    ("Resize", IMAGES, {"mode": "cubic"}, [None, SCALES], f"{MODES}cubic, half_pixel, round_prefer_floor"),
    ("Resize", IMAGES, {RULE: "tf_crop_and_resize"}, [None, SCALES],
     f"{MODES}nearest, tf_crop_and_resize, round_prefer_floor"),
    ("Resize", IMAGES, {"nearest_mode": "up"}, [None, SCALES], f"{MODES}nearest, half_pixel, up"),
    ("Resize", IMAGES, {"nearest_mode": "ceil", RULE: "asymmetric"}, [None, SCALES],
     f"{NO_WAY}nearest, asymmetric, ceil from [6, 6] to [12, 12]"),
    ("Resize", IMAGES, {"nearest_mode": "round_prefer_ceil"}, [None, floats(1, 1, 0.5, 1)],
     f"{NO_WAY}nearest, half_pixel, round_prefer_ceil from [6, 6] to [3, 6]"),
    ("Resize", IMAGES, {"mode": "linear", RULE: "asymmetric"}, [None, SCALES],
     f"{NO_WAY}linear, asymmetric, round_prefer_floor from [6, 6] to [12, 12]"),
    ("Upsample", IMAGES, {"mode": "linear"}, [SCALES],
     f"{NO_WAY}linear, asymmetric, floor from [6, 6] to [12, 12]", 9),
])  # fmt: skip
def test_sizes(tmp_path, kind, x, attributes, arrays, wanted, opset):
    check(tmp_path / "net.onnx", kind, x, attributes, arrays, wanted, opset)


# -- recurrent layers ---------------------------------------------------------------------------------------
CELLS = {  # of three cells, for two features
    "LSTM": {"W": ones(1, 12, 2), "R": ones(1, 12, 3), "B": ones(1, 24)},
    "GRU": {"W": ones(1, 9, 2), "R": ones(1, 9, 3), "B": ones(1, 18)},
}
ZEROS = np.zeros((1, 1, 3), np.float32)
AFTER = {"linear_before_reset": 1}


@pytest.mark.parametrize(
    ("kind", "more", "given", "wanted"),
    [
        ("LSTM", {"direction": "reverse"}, {}, "direction: wanted 'forward', got 'reverse'"),
        ("GRU", {**AFTER, "direction": "bidirectional"}, {},
         "direction: wanted 'forward', got 'bidirectional'"),
        ("LSTM", {"input_forget": 1}, {}, "input_forget: wanted 0, got 1"),
        ("GRU", {}, {}, "linear_before_reset: wanted 1, got 0"),
        ("GRU", {"linear_before_reset": 0}, {}, "linear_before_reset: wanted 1, got 0"),
        ("LSTM", {"clip": 3.0}, {}, "clip: wanted none, got 3.0"),
        ("LSTM", {"layout": 1}, {}, "wanted a value (N, L, features), got one of (5, N, 2)"),
        ("LSTM", {"layout": 2}, {}, "layout: wanted 0 or 1, got 2"),
        ("LSTM", {"hidden_size": 0}, {}, "hidden_size: wanted 1 to 1048576, got 0"),
        ("LSTM", {"hidden_size": 4}, {}, "input 1: wanted shape (1, 16, 2), got (1, 12, 2)"),
        ("LSTM", {}, {"R": ones(1, 12, 4)}, "input 2: wanted shape (1, 12, 3), got (1, 12, 4)"),
        ("LSTM", {}, {"B": ones(1, 12)}, "input 3: wanted shape (1, 24), got (1, 12)"),
        ("GRU", AFTER, {"W": ones(1, 12, 2)}, "input 1: wanted shape (1, 9, 2), got (1, 12, 2)"),
        ("LSTM", {}, {"lengths": ints(5)}, "input 4: wanted no lengths of its sequences, got some"),
        ("LSTM", {}, {"h": ZEROS + 1}, "input 5: wanted a state of zeros, got another one"),
        ("LSTM", {}, {"c": ZEROS + 1}, "input 6: wanted a state of zeros, got another one"),
        ("GRU", AFTER, {"h": ZEROS - 1}, "input 5: wanted a state of zeros, got another one"),
        ("LSTM", {}, {"P": ones(1, 9)}, "input 7: wanted no weights from its cells to its gates, got some"),
        ("LSTM", {"odd": 1}, {}, "wanted no attribute 'odd', got one"),
    ],
)  # fmt: skip
def test_recurrent_layers(tmp_path, kind, more, given, wanted):
    arrays = CELLS[kind] | given
    names = ["t", *(name if name in arrays else "-" for name in ("W", "R", "B", "lengths", "h", "c", "P"))]
    if kind == "GRU":
        names = names[:6]
    nodes = [
        node("Transpose", "x", "t", perm=[2, 0, 1]),
        node(kind, " ".join(names), "y", "odd", **{"hidden_size": 3} | more),
    ]
    assert refused(tmp_path / "net.onnx", nodes, {"x": ("N", 2, 5)}, constants=arrays) == (kind, wanted)


def strings(name, *values):
    """An attribute of several texts."""
    return text(5, text(1, name) + b"".join(text(9, one) for one in values) + number(20, 8))


def test_recurrent_layers_of_other_curves(tmp_path):
    """The usual ones may be told, in letters of any size, as they are the same."""
    start = [node("Transpose", "x", "t", perm=[2, 0, 1])]
    whole = node("LSTM", "t W R", "h y", "odd", hidden_size=3)
    path, more = tmp_path / "net.onnx", {"constants": CELLS["LSTM"]}
    usual = whole + strings("activations", "sigmoid", "TANH", "Tanh")
    assert load_onnx(write(path, [*start, usual], {"x": ("N", 2, 5)}, **more)).input_shapes == ((5, 2),)
    other = whole + strings("activations", "Sigmoid", "Tanh", "Relu")
    wanted = "activations: wanted ['Sigmoid', 'Tanh', 'Tanh'], got ['Sigmoid', 'Tanh', 'Relu']"
    assert refused(path, [*start, other], {"x": ("N", 2, 5)}, **more) == ("LSTM", wanted)


# -- several values -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("nodes", "inputs", "wanted"),
    [
        ([node("Div", "a b", "y", "odd")], {"a": ROWS, "b": ROWS},
         "input 1: wanted a constant to divide by, got a value that depends on the net's input"),
        ([node("Div", "c a", "y", "odd")], {"a": ROWS},
         "input 1: wanted a constant to divide by, got a value that depends on the net's input"),
        ([node("Max", "a b", "y", "odd")], {"a": ROWS, "b": ROWS},
         "wanted a value and one number, got others"),
        ([node("Add", "a b", "y", "odd")], {"a": ROWS, "b": ("N", 3)},
         "wanted values of one shape, got (N, 4) and (N, 3)"),
        ([node("Mul", "a b", "y", "odd")], {"a": IMAGES, "b": ("N", 4, 6, 5)},
         "wanted values of one shape, got (N, 4, 6, 6) and (N, 4, 6, 5)"),
        ([node("Sub", "a b", "y", "odd")], {"a": SERIES, "b": ROWS},
         "wanted values of one shape, got (N, 4, 5) and (1, N, 4)"),
        ([node("Concat", "a b", "y", "odd", axis=1)], {"a": IMAGES, "b": ("N", 4, 6, 5)},
         "wanted values of one shape but for axis 1, got (N, 4, 6, 6) and (N, 4, 6, 5)"),
        ([node("Concat", "a b", "y", "odd", axis=1)], {"a": ROWS, "b": SERIES},
         "wanted values of one shape but for axis 1, got (N, 4) and (N, 4, 5)"),
        ([node("Concat", "a c", "y", "odd", axis=1)], {"a": ROWS},
         "input 1: wanted a value that depends on the net's input, got a constant"),
        ([node("Concat", "a b", "y", "odd", axis=0)], {"a": ROWS, "b": ROWS}, BATCH),
        ([node("Concat", "a b", "y", "odd")], {"a": ROWS, "b": ROWS},
         "axis: wanted this attribute, got none"),
        ([node("MatMul", "c a", "y", "odd")], {"a": ROWS},
         "input 0: wanted a matrix of weights, got shape (4,)"),
        ([node("PRelu", "a b", "y", "odd")], {"a": ROWS, "b": ROWS},
         "input 1: wanted a constant, got a value that depends on the net's input"),
        ([node("Split", "a", "y z u", "odd", axis=1, split=[1, 2, 2])], {"a": ROWS},
         "wanted 3 parts of 4, each of at least 1, got [1, 2, 2]"),
        ([node("Split", "a", "y z", "odd", axis=1, split=[4, 0])], {"a": ROWS},
         "wanted 2 parts of 4, each of at least 1, got [4, 0]"),
        ([node("Split", "a", "y z u v", "odd", axis=1)], {"a": ("N", 5)},
         "wanted 4 parts of 5, each of at least 1, got [2, 2, 1, 0]"),
        ([node("Dropout", "a", "y m", "odd"), node("Identity", "m", "z")], {"a": ROWS},
         "wanted its first output to be used alone, got output 1 used, too"),
        ([node("LayerNormalization", "a c", "y m", "odd"), node("Identity", "m", "z")], {"a": ROWS},
         "wanted its first output to be used alone, got output 1 used, too"),
        ([node("MaxPool", "a", "y i", "odd", kernel_shape=[2, 2]), node("Identity", "i", "z")], {"a": IMAGES},
         "wanted 1 of its outputs to be used at most, got more"),
    ],
)  # fmt: skip
def test_nodes_of_several_values(tmp_path, nodes, inputs, wanted):
    outputs = ("y", "z") if any(b"\x01z" in one for one in nodes) else ("y",)
    constants = {"c": ones(4)}
    assert refused(tmp_path / "net.onnx", nodes, inputs, outputs, constants=constants)[1] == wanted


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [
        ([node("Cast", "x", "y", "odd", to=1)], "to: wanted a dtype of floating-point numbers"),
        ([node("Relu", "x", "y", "odd")], "input 0: wanted floating-point numbers, got integers"),
        ([node("Gather", "w x", "y", "odd", axis=1)], "axis: wanted 0, got 1"),
        ([node("Gather", "v x", "y", "odd")], "input 0: wanted a matrix of weights, got shape (7,)"),
        ([node("Transpose", "x", "a", perm=[1, 0]), node("Transpose", "a", "b"), node("Reshape", "b s", "c"),
          node("Transpose", "c", "d", perm=[0, 2, 1]), node("Gather", "w d", "y", "odd")],
         "input 1: wanted numbers in the order of the input, got others"),
    ],
)  # fmt: skip
def test_whole_numbers_are_looked_up_alone(tmp_path, nodes, wanted):
    nodes = [*nodes, node("Gather", "w x", "z")]
    constants = {"w": ones(7, 3), "v": ones(7), "s": ints(-1, 2, 3)}
    given = nodes, {"x": value_info("x", ("N", 6), 7)}, ("y", "z")
    assert refused(tmp_path / "net.onnx", *given, constants=constants)[1].startswith(wanted)


def test_numbers_that_are_no_whole_ones_are_not_looked_up(tmp_path):
    nodes = [node("Gather", "w x", "y", "odd")]
    wanted = "input 1: wanted the net's input, whole numbers, got other ones"
    assert refused(tmp_path / "net.onnx", nodes, {"x": ROWS}, constants={"w": ones(7, 3)})[1] == wanted


# -- attributes ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (text(5, attribute("alpha", 0.5)) * 2, "wanted each attribute once, got 'alpha' twice"),
        (text(5, text(1, "alpha") + text(21, "outer") + number(20, 1)),
         "'alpha': wanted a value, got one of a function's caller"),
        (text(5, attribute("alpha", "0.5")), "alpha: wanted an attribute of type 1, got 3"),
        (text(5, attribute("alpha", float("inf"))), "alpha: wanted a finite number, got inf"),
        (text(5, attribute("gamma", 0.5)), "wanted no attribute 'gamma', got one"),
        (text(5, attribute("a" * 100, 0.5)), f"wanted no attribute '{'a' * 59}, got one"),
    ],
)  # fmt: skip
def test_attributes(tmp_path, more, wanted):
    nodes = [node("Elu", "x", "y", "odd") + more]
    assert refused(tmp_path / "net.onnx", nodes, {"x": ROWS}) == ("Elu", wanted)


@pytest.mark.parametrize("more", [real(2, 0.25), real(2, 0.25) + number(20, 1)], ids=["untold", "told"])
def test_attributes_may_leave_out_their_kind(tmp_path, more):
    """As the oldest files do."""
    nodes = [node("Elu", "x", "y") + text(5, text(1, "alpha") + more)]
    (layer,) = load_onnx(write(tmp_path / "net.onnx", nodes, {"x": ROWS})).layers.values()
    assert layer.alpha == 0.25


@pytest.mark.parametrize("name", ["consumed_inputs", "is_test"])
def test_attributes_of_the_oldest_files_are_passed_over(tmp_path, name):
    """Those that nodes had before the operators that are read, and some exporters went on to write."""
    nodes = [
        node("BatchNormalization", "x w b m v", "y", **{name: [0, 0, 0, 1, 1] if "inputs" in name else 1})
    ]
    constants = {one: ones(4) for one in "wbmv"}
    model = load_onnx(write(tmp_path / "net.onnx", nodes, {"x": IMAGES}, constants=constants, opset=7))
    assert [type(layer).__name__ for layer in model.layers.values()] == ["BatchNorm2d"]
