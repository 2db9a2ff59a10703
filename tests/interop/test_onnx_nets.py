"""Which layers an ONNX file becomes: their kinds, their names, and whether they are trained or shared."""

import numpy as np
import pytest
from onnx_cases import floats, ints
from onnx_files import node, write

import cynet
from cynet.interop import load_onnx

IMAGES, SERIES, ROWS = ("N", 4, 6, 6), ("N", 4, 5), ("N", 4)


def drawn(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def loaded(tmp_path, nodes, x=ROWS, outputs=("y",), options=(), opset=17, **constants):
    path = tmp_path / "net.onnx"
    write(path, nodes, x if isinstance(x, dict) else {"x": x}, outputs, constants=constants, opset=opset)
    return load_onnx(path, **dict(options))


def told(model):
    """(name, what it is) of each layer that is more than another shape."""
    kinds = ((name, type(layer).__name__) for name, layer in model.layers.items())
    return [(name, kind) for name, kind in kinds if kind != "Reshape"]


def trained(model):
    """The names of its parameters, of which some may not be."""
    names = [name for name in model.state_dict() if "running_" not in name]
    return [name for name, own in zip(names, model.parameters(), strict=True) if own.requires_grad]


# -- kinds ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("nodes", "x", "opset", "wanted"),
    [
        ([node("Clip", "x nought six", "y")], ROWS, 17, ["ReLU6()"]),
        ([node("Clip", "x nought", "y")], ROWS, 17, ["ReLU()"]),
        ([node("Clip", "x", "h"), node("Relu", "h", "y")], ROWS, 17, ["ReLU()"]),
        ([node("Dropout", "x", "y")], ROWS, 17, ["Dropout(p=0.5)"]),
        ([node("Dropout", "x", "y")], ROWS, 9, ["Dropout(p=0.5)"]),
        ([node("Dropout", "x quarter", "y")], ROWS, 17, ["Dropout(p=0.25)"]),
        ([node("Dropout", "x", "y", ratio=0.25)], ROWS, 9, ["Dropout(p=0.25)"]),
        ([node("HardSigmoid", "x", "y", alpha=1 / 6)], ROWS, 17, ["Hardsigmoid()"]),
        ([node("Softplus", "x", "y")], ROWS, 17, ["Softplus(beta=1, threshold=20)"]),
        ([node("InstanceNormalization", "x ones noughts", "y", epsilon=0.5)], IMAGES, 17,
         ["GroupNorm(4, 4, eps=0.5, affine=False)"]),
        ([node("InstanceNormalization", "x ones ones", "y")], IMAGES, 17,
         ["GroupNorm(4, 4, eps=1e-05, affine=True)"]),
        ([node("InstanceNormalization", "x noughts noughts", "y")], IMAGES, 17,
         ["GroupNorm(4, 4, eps=1e-05, affine=True)"]),
        ([node("GlobalAveragePool", "x", "y")], IMAGES, 17, ["GlobalAvgPool2d()"]),
        ([node("GlobalMaxPool", "x", "y")], IMAGES, 17, ["GlobalMaxPool2d()"]),
        ([node("ReduceMean", "x", "y", axes=[2, 3], keepdims=0)], IMAGES, 17, ["GlobalAvgPool2d()"]),
        ([node("GlobalAveragePool", "x", "y")], SERIES, 17, ["GlobalAvgPool1d()"]),
        ([node("Slice", "x start end one", "h"), node("Relu", "h", "y")], ROWS, 17, ["ReLU()"]),
        ([node("Concat", "x", "h", axis=1), node("Relu", "h", "y")], ROWS, 17, ["ReLU()"]),
        ([node("Pow", "x first", "h"), node("Relu", "h", "y")], ROWS, 17, ["ReLU()"]),
        ([node("Reshape", "x rows", "a"), node("Reshape", "a columns", "b"), node("Relu", "b", "y")], IMAGES,
         17,
         ["ReLU()"]),
        ([node("Flatten", "x", "y")], IMAGES, 17, ["Flatten()"]),
        ([node("Reshape", "x line", "y")], IMAGES, 17, ["Flatten()"]),
        ([node("Resize", "x - twice", "y")], IMAGES, 17, ["Upsample(size=12, mode='nearest')"]),
        ([node("Resize", "x - twice", "y", mode="linear")], IMAGES, 17,
         ["Upsample(size=12, mode='bilinear')"]),
        ([node("Pad", "x around", "y")], IMAGES, 17, ["ZeroPad2d(padding=(3, 4, 1, 2))"]),
    ],
)  # fmt: skip
def test_operators_are_these_layers(tmp_path, nodes, x, opset, wanted):
    constants = {
        "nought": floats(0).reshape(()), "six": floats(6).reshape(()), "quarter": floats(0.25).reshape(()),
        "ones": floats(1, 1, 1, 1), "noughts": floats(0, 0, 0, 0), "start": ints(0), "end": ints(4),
        "one": ints(1),
        "first": floats(1), "rows": ints(0, 4, 36), "columns": ints(-1, 4, 6, 6), "line": ints(0, -1),
        "twice": floats(1, 1, 2, 2), "around": ints(0, 0, 1, 3, 0, 0, 2, 4),
    }  # fmt: skip
    model = loaded(tmp_path, nodes, x, opset=opset, **constants)
    found = [repr(layer) for layer in model.layers.values()]
    assert [one for one in found if not one.startswith("Reshape")] == wanted


# -- which are trained ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [
        ([node("Mul", "x one", "y")], []),
        ([node("Mul", "x some", "y")], ["weight"]),
        ([node("Add", "x some", "y")], ["bias"]),
        ([node("Add", "x one", "y")], []),
        ([node("Mul", "x some", "h"), node("Add", "h one", "y")], ["weight"]),
        ([node("Mul", "x one", "h"), node("Add", "h some", "y")], ["bias"]),
        ([node("Mul", "x some", "h"), node("Add", "h more", "y")], ["weight", "bias"]),
        ([node("Add", "x some", "h"), node("Mul", "h one", "y")], ["bias"]),
        ([node("Div", "x some", "h"), node("Sub", "h one", "i"), node("Neg", "i", "y")], ["weight"]),
        ([node("Sub", "some x", "y")], ["bias"]),
        ([node("Mul", "x ones", "y")], ["weight"]),  # weights that do nothing yet
        ([node("Add", "x noughts", "y")], ["bias"]),
    ],
)  # fmt: skip
def test_numbers_of_channels_are_trained_and_single_ones_are_not(tmp_path, nodes, wanted):
    vectors = {"some": drawn(4), "more": drawn(4) + 1, "ones": np.ones(4), "noughts": np.zeros(4)}
    constants = {name: array.astype(np.float32).reshape(4, 1, 1) for name, array in vectors.items()}
    model = loaded(tmp_path, nodes, IMAGES, one=floats(3), **constants)
    assert len(told(model)) == 1
    assert [name.rpartition(".")[2] for name in trained(model)] == wanted


@pytest.mark.parametrize(
    "made",
    [
        node("Gather", "x places", "y", axis=1),
        node("Pad", "x around", "y", mode="edge"),
        node("Pad", "x around half", "y"),
        node("Clip", "x half", "y"),
        node("Selu", "x", "y"),
        node("ReduceSum", "x axes", "y"),
    ],
)
def test_what_an_operator_is_made_of_is_not_trained(tmp_path, made):
    constants = {
        "places": ints(2, 0),
        "around": ints(0, 0, 1, 0, 0, 0, 0, 1),
        "half": floats(0.5),
        "axes": ints(2),
    }
    model = loaded(tmp_path, [made], IMAGES, **constants)
    assert model.parameters() and not trained(model)


def test_a_bias_after_a_layer_is_one_of_it_where_it_is_one_number_for_each_channel(tmp_path):
    one = [node("MatMul", "x w", "h"), node("Add", "h b", "y")]
    assert trained(loaded(tmp_path, one, w=drawn(4, 3), b=drawn(3))) == ["w.weight", "w.bias"]
    assert trained(loaded(tmp_path, one, w=drawn(4, 3), b=drawn(1))) == ["w.weight"]
    assert trained(loaded(tmp_path, one, w=drawn(4, 1), b=drawn(1))) == ["w.weight"]
    two = loaded(tmp_path, one, w=drawn(4, 3), b=drawn(1, 3))
    assert told(two) == [("w", "Linear")]
    image = [node("Conv", "x w", "h"), node("Add", "h b", "y")]
    assert told(loaded(tmp_path, image, IMAGES, w=drawn(6, 4, 1, 1), b=drawn(6, 1, 1))) == [("w", "Conv2d")]
    columns = loaded(tmp_path, image, IMAGES, w=drawn(6, 4, 1, 1), b=drawn(6))  # along the last axis
    assert [kind for _, kind in told(columns)][:1] == ["Conv2d"] and len(columns.layers) > 1


def test_a_bias_is_counted_with_the_weights(tmp_path):
    nodes = [node("MatMul", "x w", "h"), node("Add", "h b", "y")]
    constants = {"w": drawn(4, 3), "b": drawn(3)}
    assert loaded(tmp_path, nodes, options={"most_values": 15}, **constants).parameters()
    with pytest.raises(ValueError, match="14"):
        loaded(tmp_path, nodes, options={"most_values": 14}, **constants)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ({"output_shape": [13, 13]}, {}),
        ({"output_shape": [1, 3, 13, 13]}, {}),  # as the oldest files have it
        ({"output_shape": [14, 13]}, {"output_padding": [1, 0]}),
        ({"output_shape": [11, 12]}, {"pads": [1, 1, 1, 0]}),
        ({"output_shape": [12, 12]}, {"pads": [1, 1, 0, 0]}),
        ({"output_shape": [12, 12], "auto_pad": "SAME_UPPER"}, {"pads": [0, 0, 1, 1]}),
        ({"auto_pad": "SAME_UPPER"}, {"pads": [0, 0, 1, 1]}),
        ({"auto_pad": "SAME_LOWER"}, {"pads": [1, 1, 0, 0]}),
        ({"auto_pad": "VALID"}, {}),
    ],
)
def test_the_shape_of_what_a_transposed_convolution_gives(tmp_path, told, wanted):
    x, w = drawn(2, 6, 6, 4), drawn(4, 3, 3, 3)
    first, second = (
        loaded(tmp_path, [node("ConvTranspose", "x w", "y", strides=[2, 2], **more)], IMAGES, w=w)(x)
        for more in (told, wanted)
    )
    np.testing.assert_array_equal(first, second)


# -- shared ones ---------------------------------------------------------------------------------------------
def test_a_layer_that_got_a_bias_is_shared_no_more(tmp_path):
    nodes = [node("MatMul", "x w", "a"), node("Add", "a b", "h"), node("MatMul", "h w", "y")]
    w, b = drawn(4, 4), drawn(4)
    model = loaded(tmp_path, nodes, w=w, b=b)
    assert told(model) == [("w", "Linear"), ("w_2", "Linear")]
    x = drawn(2, 4)
    np.testing.assert_allclose(model(x), (x @ w + b) @ w, atol=1e-5)


def test_a_layer_that_is_shared_gets_no_bias(tmp_path):
    nodes = [node("MatMul", "x w", "a"), node("MatMul", "a w", "c"), node("Add", "c b", "y")]
    w, b = drawn(4, 4), drawn(4)
    model = loaded(tmp_path, nodes, w=w, b=b)
    x = drawn(2, 4)
    np.testing.assert_allclose(model(x), x @ w @ w + b, atol=1e-5)


def test_a_bias_of_two_steps_before_is_none_of_the_layer(tmp_path):
    """A value that only has another shape is taken twice by another name."""
    nodes = [
        node("MatMul", "x w", "a"), node("Identity", "a", "c"), node("Add", "c b", "y"), node("Relu", "a",
        "z"),
    ]  # fmt: skip
    w, b = drawn(4, 4), drawn(4)
    x = drawn(2, 4)
    y, z = loaded(tmp_path, nodes, outputs=("y", "z"), w=w, b=b)(x)
    np.testing.assert_allclose(y, x @ w + b, atol=1e-5)
    np.testing.assert_allclose(z, np.maximum(x @ w, 0), atol=1e-5)


@pytest.mark.parametrize(
    ("made", "x", "arrays"),
    [
        ("Conv", IMAGES, [drawn(4, 4, 1, 1)]),
        ("PRelu", IMAGES, [drawn(4, 1, 1)]),
        ("InstanceNormalization", IMAGES, [drawn(4), drawn(4) + 1]),
        ("LayerNormalization", IMAGES, [drawn(6)]),
        ("LSTM", ("L", "N", 3), [drawn(1, 12, 3), drawn(1, 12, 3)]),
    ],
)
def test_nodes_of_the_same_constants_are_one_layer(tmp_path, made, x, arrays):
    names = [f"w{n}" for n in range(len(arrays))]
    more = {"hidden_size": 3} if made == "LSTM" else {}
    end = [node("Squeeze", "h axis", "k")] if made == "LSTM" else [node("Identity", "h", "k")]
    nodes = [
        node(made, f"x {' '.join(names)}", "h", **more),
        *end,
        node(made, f"k {' '.join(names)}", "i", **more),
    ]
    options = {}
    if made == "LSTM":
        nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node(made, "t w0 w1", "h", **more), *end,
                 node(made, "k w0 w1", "i", **more)]  # fmt: skip
        x = ("N", 5, 3)
    nodes += [node("Squeeze", "i axis", "y") if made == "LSTM" else node("Identity", "i", "y")]
    if made == "LSTM":
        nodes[-1:] = [node("Squeeze", "i axis", "j"), node("Transpose", "j", "y", perm=[1, 0, 2])]
    arrays = dict(zip(names, arrays, strict=True))
    model = loaded(tmp_path, nodes, x, options=options, axis=ints(1), **arrays)
    kinds = [kind for _, kind in told(model)]
    wanted = {
        "InstanceNormalization": "GroupNorm",
        "LayerNormalization": "LayerNorm",
        "Conv": "Conv2d",
        "PRelu": "PReLU",
    }
    assert kinds.count(wanted.get(made, made)) == 1
    assert model(drawn(2, *model.input_shapes[0])).shape[0] == 2


def test_numbers_are_moved_once_for_all_that_take_them(tmp_path):
    nodes = [
        node("Reshape", "x s", "a"),
        *(node("MatMul", f"a {name}", f"{name}y") for name in "vw"),
    ]
    model = loaded(tmp_path, nodes, IMAGES, ("vy", "wy"), s=ints(-1, 144), v=drawn(144, 2), w=drawn(144, 3))
    assert [kind for _, kind in told(model)] == ["Flatten", "Linear", "Linear"]
    nodes = [
        node("Transpose", "x", "a", perm=[0, 2, 1, 3]),
        *(node("MatMul", f"a {name}", f"{name}y") for name in "vw"),
    ]
    model = loaded(tmp_path, nodes, IMAGES, ("vy", "wy"), v=drawn(6, 2), w=drawn(6, 3))
    kinds = [kind for _, kind in told(model)]
    assert kinds == [
        "ChannelShuffle",
        "Linear",
        "Linear",
        "ChannelShuffle",
        "ChannelShuffle",
    ]  # x, and each output
    assert len(model.layers) == 11  # two Reshapes around the first of them, and around each of the others


# -- names ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("weight", "wanted"),
    [
        ("layer1.0.conv1.weight", "layer1.0.conv1"),
        ("conv1/kernel:0", "conv1"),
        ("dense/kernel", "dense"),
        ("block/bn/gamma", "block.bn"),
        ("head.weights", "head"),
        ("head_W", "head"),
        ("head_w_3", "head"),
        ("head.scale.12", "head"),
        ("cells.weight_ih", "cells"),
        ("head.weight_g", "head.weight_g"),
        ("plain", "plain"),
        ("plain.2", "plain.2"),
        ("weight", "weight_"),
        ("block.bias", "block.bias_"),
        ("block.running_mean", "block.running_mean_"),
        ("onnx::MatMul_17", "where.it.stands"),
        ("17", "where.it.stands"),
        ("val_17", "where.it.stands"),
        ("const3", "where.it.stands"),
        ("tensor_4", "where.it.stands"),
        ("w__const_fold_opt__9", "where.it.stands"),
        ("tensors_4", "tensors_4"),
        ("ß ?.weight", "where.it.stands"),
        ("a b//c.weight", "a_b.c"),
        ("_a_._b_.weight", "a.b"),
        (f"{'a' * 30}.{'b' * 90}.weight", f"{'a' * 9}.{'b' * 90}"),
        (f"{'a' * 30}.{'b' * 99}.weight", "b" * 99),
    ],
)
def test_a_layer_is_called_as_its_weight_is(tmp_path, weight, wanted):
    nodes = [node("MatMul", f"x {'w' if ' ' in weight else weight}", "y", "/where/where.it/stands/MatMul")]
    if " " in weight:
        nodes = [nodes[0].replace(b"\x0a\x01w", b"\x0a" + bytes([len(weight.encode())]) + weight.encode())]
    model = loaded(tmp_path, nodes, **{weight: drawn(4, 3)})
    assert list(model.layers) == [wanted]


def test_layers_without_a_name_are_counted_by_their_kinds(tmp_path):
    nodes = [
        node("Relu", "x", "a"), node("MatMul", "a 1", "b"), node("Relu", "b", "c"), node("MatMul", "c 2", "d",
        "MatMul"),
        node("Mul", "d head.scale", "e"), node("Add", "e f", "f2"), node("Tanh", "f2", "g"), node("Sub",
        "g shift", "y"),
    ]  # fmt: skip
    constants = {
        "1": drawn(4, 4),
        "2": drawn(4, 4) + 1,
        "head.scale": drawn(4),
        "f": drawn(4),
        "shift": drawn(4),
    }
    model = loaded(tmp_path, nodes, **constants)
    assert [name for name, _ in told(model)] == [
        "relu_1",
        "linear_1",
        "relu_2",
        "linear_2",
        "f",
        "tanh_1",
        "shift",
    ]


@pytest.mark.parametrize(
    "made",
    [node(kind, given, "y") for kind in ("Add", "Sub", "Mul", "Sum") for given in ("x shift", "shift x")]
    + [
        node("Div", "x shift", "y"),
        node("PRelu", "x shift", "y"),
        node("LayerNormalization", "x shift", "y"),
    ],
)
def test_a_constant_names_the_layer_wherever_it_stands(tmp_path, made):
    assert [name for name, _ in told(loaded(tmp_path, [made], shift=drawn(4)))] == ["shift"]


def test_names_that_are_taken_are_counted_on(tmp_path):
    nodes = [
        node("MatMul", "x h.weight", "a"), node("MatMul", "a h.w", "b"), node("MatMul", "b h_2", "c"),
        node("MatMul", "c h/kernel", "y"),
    ]  # fmt: skip
    names = ["h.weight", "h.w", "h_2", "h/kernel"]
    model = loaded(tmp_path, nodes, **{name: drawn(4, 4) + n for n, name in enumerate(names)})
    assert list(model.layers) == ["h", "h_2", "h_2_2", "h_3"]


# -- patterns ------------------------------------------------------------------------------------------------
def one(value):
    return floats(value).reshape(())


NUMBERS = {"root": one(2**0.5), "half": one(0.5), "one": one(1), "two": one(2), "eps": one(0.25),
"beta": one(3),
           "most": one(2), "near_root": one(1.41), "near_one": one(1.002),
           "near_beta": one(3.01)}  # fmt: skip
GELU = [node("Div", "x root", "a"), node("Erf", "a", "b"), node("Add", "b one", "c"), node("Mul", "x c", "d"),
        node("Mul", "d half", "y")]  # fmt: skip
NORM = [
    node("ReduceMean", "x", "m", axes=[-1]), node("Sub", "x m", "d"), node("Pow", "d two", "q"),
    node("ReduceMean", "q", "v", axes=[-1]), node("Add", "v eps", "e"), node("Sqrt", "e", "r"), node("Div",
    "d r", "y"),
]  # fmt: skip
PLUS = [node("Mul", "x beta", "a"), node("Softplus", "a", "b"), node("Div", "b beta", "c"),
        node("Greater", "a most", "g"), node("Where", "g x c", "y")]  # fmt: skip


def test_patterns_are_one_layer(tmp_path):
    for nodes, wanted in (
        (GELU, ["GELU()"]),
        (NORM, ["LayerNorm((4,), eps=0.25, elementwise_affine=False, bias=False)"]),
        (PLUS, ["Softplus(beta=3, threshold=2)"]),
    ):
        model = loaded(tmp_path, nodes, **NUMBERS)
        assert [repr(layer) for layer in model.layers.values()] == wanted


def replaced(nodes, place, other):
    return [*nodes[:place], other, *nodes[place + 1 :]]


@pytest.mark.parametrize(
    ("nodes", "kind"),
    [
        (replaced(GELU, 0, node("Div", "x two", "a")), "Erf"),
        (replaced(GELU, 0, node("Mul", "x root", "a")), "Erf"),
        (replaced(GELU, 0, node("Div", "x near_root", "a")), "Erf"),
        (replaced(GELU, 2, node("Add", "b near_one", "c")), "Erf"),
        (replaced(PLUS, 2, node("Div", "b near_beta", "c")), "Greater"),
        (replaced(GELU, 0, node("Div", "z root", "a")), "Erf"),
        (replaced(GELU, 2, node("Add", "b two", "c")), "Erf"),
        (replaced(GELU, 2, node("Sub", "b one", "c")), "Erf"),
        (replaced(GELU, 3, node("Mul", "z c", "d")), "Erf"),
        (replaced(NORM, 0, node("ReduceMean", "x", "m", axes=[-2])), "Sqrt"),
        (replaced(NORM, 3, node("ReduceMean", "q", "v", axes=[-2])), "Sqrt"),
        (replaced(NORM, 3, node("ReduceMax", "q", "v", axes=[-1])), "Sqrt"),
        (replaced(NORM, 0, node("ReduceMean", "z", "m", axes=[-1])), "Sqrt"),
        (replaced(NORM, 2, node("Pow", "d one", "q")), "Sqrt"),
        (replaced(NORM, 2, node("Pow", "x two", "q")), "Sqrt"),
        (replaced(NORM, 2, node("Mul", "d x", "q")), "Sqrt"),
        (replaced(NORM, 2, node("Mul", "x d", "q")), "Sqrt"),
        (replaced(NORM, 4, node("Sub", "v eps", "e")), "Sqrt"),
        (replaced(NORM, 4, node("Add", "v v", "e")), "Sqrt"),
        (replaced(NORM, 6, node("Div", "x r", "y")), "Sqrt"),
        (replaced(PLUS, 3, node("Greater", "x most", "g")), "Greater"),
        (replaced(PLUS, 3, node("Less", "a most", "g")), "Less"),
        (replaced(PLUS, 2, node("Div", "b two", "c")), "Greater"),
        (replaced(PLUS, 2, node("Mul", "b beta", "c")), "Greater"),
        (replaced(PLUS, 4, node("Where", "g c x", "y")), "Greater"),
        (replaced(PLUS, 4, node("Where", "g z c", "y")), "Greater"),
    ],
)
def test_what_is_nearly_a_pattern_is_refused(tmp_path, nodes, kind):
    """By the operator that there is no layer for."""
    nodes = [node("Tanh", "x", "z"), *nodes]
    with pytest.raises(ValueError, match=rf"got {kind} \(node number \d\) is not known"):
        loaded(tmp_path, nodes, IMAGES, **NUMBERS)


@pytest.mark.parametrize("keep", [0, 1])
def test_a_layer_norm_of_rows_whose_mean_keeps_its_axis(tmp_path, keep):
    nodes = replaced(NORM, 3, node("ReduceMean", "q", "v", axes=[-1], keepdims=keep))
    if keep:
        x = drawn(2, 4)
        wanted = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 0.25)
        np.testing.assert_allclose(loaded(tmp_path, nodes, **NUMBERS)(x), wanted, atol=1e-5)
        return
    with pytest.raises(ValueError, match="Sqrt"):
        loaded(tmp_path, nodes, **NUMBERS)


# -- recurrent layers with the batch first ------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "more", "count"), [("LSTM", {}, 4), ("GRU", {"linear_before_reset": 1}, 3)])
def test_recurrent_layers_may_have_the_batch_first(tmp_path, kind, more, count):
    """As no runtime has them: beside the same with the time first."""
    arrays = {
        "W": drawn(1, 3 * count, 2),
        "R": drawn(1, 3 * count, 3),
        "B": drawn(1, 6 * count),
        "axis": ints(2),
    }
    turned = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node(kind, "t W R B", "o h", hidden_size=3, **more),
    ]
    x, options = {"x": ("N", 5, 2)}, {"layout": "nhwc"}
    first = [node(kind, "x W R B", "o h", hidden_size=3, layout=1, **more)]
    ends = [node("Squeeze", "o axis", "s")], [node("Squeeze", "h one", "y")]
    found = [loaded(tmp_path, [*first, *end], x, (name,), options, one=ints(1), **arrays)
             for end, name in zip(ends, "sy", strict=True)]  # fmt: skip
    ends = (
        [node("Squeeze", "o one", "s"), node("Transpose", "s", "y", perm=[1, 0, 2])],
        [node("Squeeze", "h axis", "y")],
    )
    arrays["axis"] = ints(0)
    wanted = [loaded(tmp_path, [*turned, *end], x, ("y",), options, one=ints(1), **arrays) for end in ends]
    rows = drawn(3, 5, 2)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a(rows), b(rows))
    np.testing.assert_array_equal(found[1](rows), found[0](rows)[:, -1])


def test_a_net_of_layers_of_its_own_names_is_kept_and_read_again(tmp_path):
    nodes = [node("MatMul", "x w.weight", "h"), node("MatMul", "h weight", "y")]
    model = loaded(tmp_path, nodes, **{"w.weight": drawn(4, 3), "weight": drawn(3, 2)})
    assert list(model.state_dict()) == ["w.weight", "weight_.weight"]
    cynet.interop.safetensors.save(model, tmp_path / "kept.safetensors")
    again, _ = cynet.load(tmp_path / "kept.safetensors")
    np.testing.assert_array_equal(again(drawn(2, 4)), model(drawn(2, 4)))
