"""What stands in the ONNX files that are written: nodes, names, arrays, sides and kinds of numbers."""

import json
import os
import re

import numpy as np
import pytest

import cynet
from cynet.interop import load_onnx
from cynet.interop.onnx import encoding
from cynet.interop.onnx.writing import save_onnx

KINDS = {1: "float32", 2: "uint8", 7: "int64"}


@pytest.fixture
def onnx():
    return pytest.importorskip("onnx")


def read(onnx, tmp_path, model, shapes, **options):
    save_onnx(model, tmp_path / "net.onnx", shapes, **options)
    return onnx.load(tmp_path / "net.onnx")


def ends(infos):
    """(name, kind, sides) of inputs or outputs."""
    found = []
    for info in infos:
        kind = info.type.tensor_type
        sides = [dim.dim_param or dim.dim_value for dim in kind.shape.dim]
        found.append((info.name, KINDS[kind.elem_type], sides))
    return found


# -- nodes ---------------------------------------------------------------------------------------------------
IMAGE, SEQUENCE, ROW = (6, 6, 4), (6, 4), (4,)
TURN = "Transpose"


@pytest.mark.onnxruntime
@pytest.mark.parametrize(
    ("layer", "shape", "first", "last"),
    [
        (cynet.Conv2d(4, 3, 3, padding=1), IMAGE, ["Conv"], [TURN, "Conv", TURN]),
        (cynet.Conv1d(4, 3, 3, bias=False), SEQUENCE, ["Conv"], [TURN, "Conv", TURN]),
        (cynet.ConvTranspose2d(4, 3, 3, 2, output_padding=1), IMAGE, ["ConvTranspose"],
         [TURN, "ConvTranspose", TURN]),
        (cynet.Linear(4, 3), ROW, ["Gemm"], ["Gemm"]),
        (cynet.Linear(4, 3), SEQUENCE, [TURN, "MatMul", "Add", TURN], ["MatMul", "Add"]),
        (cynet.Linear(4, 3, bias=False), SEQUENCE, [TURN, "MatMul", TURN], ["MatMul"]),
        (cynet.BatchNorm2d(4), IMAGE, ["BatchNormalization"], [TURN, "BatchNormalization", TURN]),
        (cynet.BatchNorm1d(4), ROW, ["BatchNormalization"], ["BatchNormalization"]),
        (cynet.MaxPool2d(2), IMAGE, ["MaxPool"], [TURN, "MaxPool", TURN]),
        (cynet.AvgPool2d(2), IMAGE, ["AveragePool"], [TURN, "AveragePool", TURN]),
        (cynet.AvgPool2d(3, 1, 1, count_include_pad=True), IMAGE, ["Pad", "AveragePool"],
         [TURN, "Pad", "AveragePool", TURN]),
        (cynet.AvgPool2d(3, 1, 1, count_include_pad=False), IMAGE, ["Pad", "AveragePool", "Mul"],
         [TURN, "Pad", "AveragePool", "Mul", TURN]),
        (cynet.GlobalAvgPool2d(), IMAGE, ["GlobalAveragePool", "Flatten"],
         [TURN, "GlobalAveragePool", "Flatten"]),
        (cynet.GlobalMaxPool2d(), IMAGE, ["GlobalMaxPool", "Flatten"], [TURN, "GlobalMaxPool", "Flatten"]),
        (cynet.ReLU(), IMAGE, ["Relu"], ["Relu"]),
        (cynet.ReLU6(), IMAGE, ["Clip"], ["Clip"]),
        (cynet.Tanh(), SEQUENCE, ["Tanh"], ["Tanh"]),
        (cynet.SiLU(), ROW, ["Sigmoid", "Mul"], ["Sigmoid", "Mul"]),
        (cynet.ELU(0.5), IMAGE, ["Elu"], ["Elu"]),
        (cynet.ELU(-0.5), IMAGE, ["Min", "Elu", "Relu", "Mul", "Add"], ["Min", "Elu", "Relu", "Mul", "Add"]),
        (cynet.GELU(), IMAGE, ["Div", "Erf", "Add", "Mul", "Mul"], ["Div", "Erf", "Add", "Mul", "Mul"]),
        (cynet.Softmax(), IMAGE, ["Softmax"], ["Softmax"]),
        (cynet.Flatten(), IMAGE, ["Flatten"], [TURN, "Flatten"]),
        (cynet.Dropout(0.5), IMAGE, [], []),
        (cynet.ZeroPad2d(1), IMAGE, ["Pad"], [TURN, "Pad", TURN]),
        (cynet.ZeroPad2d(0), IMAGE, ["Identity"], [TURN, "Identity", TURN]),
        (cynet.LayerNorm(4), SEQUENCE, [TURN, "LayerNormalization", TURN], ["LayerNormalization"]),
    ],
    ids=lambda value: repr(value)[:60] if isinstance(value, cynet.Layer) else "",
)  # fmt: skip
def test_layers_are_these_nodes(onnx, tmp_path, layer, shape, first, last):
    """By each layout; the last node gives the output its name."""
    for layout, wanted in (("nchw", first), ("nhwc", last)):
        graph = read(onnx, tmp_path, layer.eval(), shape, layout=layout).graph
        assert [node.op_type for node in graph.node] == [*wanted, "Identity"]
        assert graph.node[-1].output == ["output"]


@pytest.mark.onnxruntime
@pytest.mark.parametrize(
    ("layer", "shape", "wanted"),
    [
        (cynet.Conv2d(4, 6, (3, 2), (2, 1), (1, 0, 2, 1), groups=2, dilation=(1, 2)), IMAGE,
         {"kernel_shape": [3, 2], "strides": [2, 1], "dilations": [1, 2], "pads": [1, 0, 2, 1], "group": 2}),
        (cynet.Conv1d(4, 3, 3, 2, (2, 1), dilation=2), (10, 4),
         {"kernel_shape": [3], "strides": [2], "dilations": [2], "pads": [2, 1], "group": 1}),
        (cynet.ConvTranspose2d(4, 3, 3, 2, 1, output_padding=(1, 0)), IMAGE,
         {"kernel_shape": [3, 3], "strides": [2, 2], "dilations": [1, 1], "pads": [1, 1, 1, 1], "group": 1,
          "output_padding": [1, 0]}),
        (cynet.MaxPool2d((3, 2), (2, 1), (1, 0, 2, 1)), IMAGE,
         {"kernel_shape": [3, 2], "strides": [2, 1], "dilations": [1, 1], "pads": [1, 0, 2, 1]}),
        (cynet.BatchNorm2d(4, 0.25), IMAGE, {"epsilon": 0.25}),
        (cynet.LayerNorm(4, 0.25), SEQUENCE, {"axis": -1, "epsilon": 0.25}),
        (cynet.LayerNorm((6, 4), 0.25), SEQUENCE, {"axis": -2, "epsilon": 0.25}),
        (cynet.LeakyReLU(0.25), ROW, {"alpha": 0.25}),
        (cynet.ELU(0.5), ROW, {"alpha": 0.5}),
        (cynet.Hardsigmoid(), ROW, {"alpha": pytest.approx(1 / 6), "beta": 0.5}),
        (cynet.Linear(4, 3), ROW, {"transB": 1}),
    ],
    ids=lambda value: repr(value)[:60] if isinstance(value, cynet.Layer) else "",
)  # fmt: skip
def test_nodes_are_told_what_the_layers_have(onnx, tmp_path, layer, shape, wanted):
    layout = "nhwc" if "axis" in wanted else "nchw"
    node = read(onnx, tmp_path, layer.eval(), shape, layout=layout).graph.node[0]
    assert {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute} == wanted


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (cynet.Softplus(3, 1.5), ROW), (cynet.GELU(), IMAGE), (cynet.SiLU(), ROW), (cynet.LeakyReLU(0.25),
         ROW),
        (cynet.ELU(0.5), IMAGE), (cynet.PReLU(4), IMAGE), (cynet.PReLU(), ROW), (cynet.Hardsigmoid(), ROW),
        (cynet.Hardswish(), ROW), (cynet.ReLU6(), IMAGE), (cynet.BatchNorm2d(4, 0.25), IMAGE),
        (cynet.MaxPool2d((3, 2), 2, (1, 0, 1, 1)), (7, 7, 4)), (cynet.Conv2d(4, 6, 3, 2, 1, groups=2),
         (5, 5, 4)),
    ],
    ids=lambda value: repr(value)[:60] if isinstance(value, cynet.Layer) else "",
)  # fmt: skip
def test_layers_that_are_read_again_are_what_they_were(tmp_path, layer, shape):
    save_onnx(layer.eval(), tmp_path / "net.onnx", shape)
    found = load_onnx(tmp_path / "net.onnx").layers.values()
    assert [type(one).__name__ for one in found if "Reshape" not in repr(one)] == [type(layer).__name__]
    (again,) = (one for one in found if "Reshape" not in repr(one))
    assert repr(again) == repr(layer)
    for one, other in zip(again.parameters(), layer.parameters(), strict=True):
        np.testing.assert_array_equal(one.data, other.data)


def test_the_least_variance_of_groups_is_that_of_the_layer(tmp_path):
    layer, x = cynet.GroupNorm(2, 4, 0.25), np.random.default_rng(0).standard_normal((2, 6, 6, 4), np.float32)
    save_onnx(layer.eval(), tmp_path / "net.onnx", IMAGE)
    np.testing.assert_allclose(load_onnx(tmp_path / "net.onnx").eval()(x), layer(x), atol=1e-6)


# -- names and arrays ----------------------------------------------------------------------------------------
def drawn_net():
    cynet.seed(3)
    return cynet.Sequential(
        cynet.Conv2d(4, 3, 3), cynet.BatchNorm2d(3), cynet.ReLU(), cynet.GlobalAvgPool2d(), cynet.Linear(3,
        2),
    ).eval()  # fmt: skip


@pytest.mark.onnxruntime
def test_arrays_have_the_names_of_the_net(onnx, tmp_path):
    model = drawn_net()
    model.layers[1].running_mean += np.arange(3, dtype=np.float32)
    graph = read(onnx, tmp_path, model, IMAGE).graph
    found = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    state = {name: array for name, array in model.state_dict().items() if "num_batches" not in name}
    assert found.keys() == state.keys()
    for name, array in state.items():
        wanted = np.moveaxis(array, -1, 1) if array.ndim == 4 and array.shape != found[name].shape else array
        np.testing.assert_array_equal(found[name], wanted)
    assert [node.name for node in graph.node] == [
        "0/Conv", "1/BatchNormalization", "2/Relu", "3/GlobalAveragePool", "3/Flatten", "4/Gemm",
        "output/Identity",
    ]  # fmt: skip


@pytest.mark.onnxruntime
def test_a_layer_that_is_called_again_has_names_of_its_own(onnx, tmp_path):
    x, layer = cynet.Input((4,)), cynet.Linear(4, 4)
    model = cynet.Graph(x, cynet.Add()(layer(layer(layer(x))), x)).eval()
    graph = read(onnx, tmp_path, model, ROW).graph
    names = [node.name for node in graph.node] + [one.name for one in graph.initializer]
    assert len(set(names)) == len(names) == 5 + 6
    given = np.random.default_rng(0).standard_normal((2, 4), np.float32)
    np.testing.assert_allclose(load_onnx(tmp_path / "net.onnx").eval()(given), model(given), atol=1e-6)


@pytest.mark.onnxruntime
def test_a_value_is_turned_once_for_all_that_take_it(onnx, tmp_path):
    x = cynet.Input(SEQUENCE)
    model = cynet.Graph(x, [cynet.Linear(4, 3)(x), cynet.Linear(4, 2)(x), cynet.LayerNorm(4)(x)]).eval()
    kinds = [node.op_type for node in read(onnx, tmp_path, model, SEQUENCE).graph.node]
    assert kinds.count(TURN) == 1 + 3  # of the input, and of each output


# -- inputs and outputs --------------------------------------------------------------------------------------
@pytest.mark.onnxruntime
@pytest.mark.parametrize(
    ("layer", "shape", "options", "given", "made"),
    [
        (cynet.Conv2d(4, 3, 3), (6, 8, 4), {}, ["batch", 4, 6, 8], ["batch", 3, 4, 6]),
        (cynet.Conv2d(4, 3, 3), (6, 8, 4), {"layout": "nhwc"}, ["batch", 6, 8, 4], ["batch", 4, 6, 3]),
        (cynet.Conv1d(4, 3, 3), (6, 4), {}, ["batch", 4, 6], ["batch", 3, 4]),
        (cynet.Conv1d(4, 3, 3), (6, 4), {"layout": "nhwc"}, ["batch", 6, 4], ["batch", 4, 3]),
        (cynet.Linear(4, 3), (4,), {}, ["batch", 4], ["batch", 3]),
        (cynet.Flatten(), (6, 8, 4), {}, ["batch", 4, 6, 8], ["batch", 192]),
    ],
)
def test_sides_and_names_of_the_ends(onnx, tmp_path, layer, shape, options, given, made):
    graph = read(onnx, tmp_path, layer.eval(), shape, **options).graph
    assert ends(graph.input) == [("input", "float32", given)]
    assert ends(graph.output) == [("output", "float32", made)]


@pytest.mark.onnxruntime
def test_several_ends_are_numbered(onnx, tmp_path):
    a, b = cynet.Input((4,)), cynet.Input((6, 3))
    model = cynet.Graph([a, b], [cynet.ReLU()(a), cynet.Tanh()(b)]).eval()
    graph = read(onnx, tmp_path, model, [(4,), (6, 3)]).graph
    sides = [["batch", 4], ["batch", 3, 6]]
    for found, name in ((graph.input, "input"), (graph.output, "output")):
        assert ends(found) == [(f"{name}_{n}", "float32", one) for n, one in enumerate(sides)]


@pytest.mark.onnxruntime
def test_kinds_of_numbers_of_the_input(onnx, tmp_path):
    picture = read(onnx, tmp_path, drawn_net(), IMAGE, pixels=([0.5] * 4, [0.25] * 4)).graph
    assert ends(picture.input) == [("input", "uint8", ["batch", 4, 6, 6])]
    assert [node.op_type for node in picture.node][:3] == ["Cast", "Mul", "Add"]
    words = read(onnx, tmp_path, cynet.models.create("language_model", (12,), 20).eval(), (12,)).graph
    assert ends(words.input) == [("input", "int64", ["batch", 12])]


@pytest.mark.onnxruntime
def test_what_the_file_says_of_itself(onnx, tmp_path):
    model, notes = cynet.Linear(4, 3).eval(), {"of": "ü", "by": "me"}
    found = read(onnx, tmp_path, model, ROW, classes=["é", 2, "c"], metadata=notes)
    assert (found.ir_version, found.graph.name) == (8, "net")
    assert (found.producer_name, found.producer_version) == ("cynet", cynet.__version__)
    assert [(one.key, one.value) for one in found.metadata_props] == [
        ("classes", '["é", "2", "c"]'),
        *notes.items(),
    ]
    plain = read(onnx, tmp_path, model, ROW)
    assert not plain.metadata_props
    own = read(onnx, tmp_path, model, ROW, classes=["a", "b", "c"], metadata={"classes": "own"})
    assert [(one.key, one.value) for one in own.metadata_props] == [
        ("classes", "own")
    ]  # a note of the user's own


def test_classes_may_be_those_of_any_output(tmp_path):
    x = cynet.Input((4,))
    model = cynet.Graph(x, [cynet.Linear(4, 3)(x), cynet.Linear(4, 2)(x)]).eval()
    for count in (2, 3):
        save_onnx(model, tmp_path / "net.onnx", (4,), classes=list("abc"[:count]))
        assert json.dumps(list("abc"[:count])).encode() in (tmp_path / "net.onnx").read_bytes()
    with pytest.raises(ValueError, match=r"got 4 for outputs of \(3,\) and \(2,\)"):
        save_onnx(model, tmp_path / "net.onnx", (4,), classes=list("abcd"))


# -- the file as a whole -------------------------------------------------------------------------------------
def test_a_file_is_replaced_as_a_whole(tmp_path):
    """What is open, or linked, is not written into; what is refused leaves the file as it was."""
    path, other = tmp_path / "net.onnx", tmp_path / "linked.onnx"
    path.write_bytes(b"before")
    os.link(path, other)
    save_onnx(cynet.Linear(4, 3).eval(), path, ROW)
    whole = path.read_bytes()
    assert other.read_bytes() == b"before" and whole != b"before"
    with pytest.raises(ValueError, match="layout"):
        save_onnx(cynet.Linear(4, 3).eval(), path, ROW, layout="nhcw")
    assert path.read_bytes() == whole and sorted(os.listdir(tmp_path)) == ["linked.onnx", "net.onnx"]


def test_a_file_larger_than_the_format_allows_is_refused(tmp_path, monkeypatch):
    model = cynet.Linear(40, 30).eval()
    assert encoding.MOST_BYTES == 2**31 - 1  # as protobuf has it
    monkeypatch.setattr(encoding, "MOST_BYTES", 2**20 + 4000)
    with pytest.raises(ValueError, match="model: wanted at most 1,052,576 bytes, the format's limit, got 5,"):
        save_onnx(model, tmp_path / "net.onnx", (40,))
    assert not os.listdir(tmp_path)
    monkeypatch.setattr(encoding, "MOST_BYTES", 2**20 + 6000)
    save_onnx(model, tmp_path / "net.onnx", (40,))


@pytest.mark.parametrize(
    ("number", "wanted"),
    [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (-1, b"\xff" * 9 + b"\1"),
     (-2, b"\xfe" + b"\xff" * 8 + b"\1"), (2**35, b"\x80" * 5 + b"\1")],
)  # fmt: skip
def test_whole_numbers_are_those_of_protobuf(number, wanted):
    assert encoding.varint(number) == wanted


@pytest.mark.parametrize("order", ["<", ">"])
def test_arrays_of_every_order_of_bytes_and_memory_are_written(order):
    array = np.arange(6, dtype=f"{order}f4").reshape(2, 3).T
    wanted = encoding.tensor("w", np.array([[0, 3], [1, 4], [2, 5]], np.float32))
    assert encoding.tensor("w", array) == wanted and np.float32([0, 3, 1, 4, 2, 5]).tobytes() in wanted


# -- what is refused -----------------------------------------------------------------------------------------
def two_inputs():
    a, b = cynet.Input((4,)), cynet.Input((4,))
    return cynet.Graph([a, b], cynet.Add()(a, b))


@pytest.mark.parametrize(
    ("model", "shape", "more", "wanted"),
    [
        (two_inputs, [(4,), (4,)], {"pixels": ([0.5] * 4, [1] * 4)},
         "pixels: wanted a net with one input, of numbers, got another"),
        (lambda: cynet.Embedding(5, 3), (4,), {"pixels": ([0.5] * 4, [1] * 4)},
         "pixels: wanted a net with one input, of numbers, got another"),
        (drawn_net, IMAGE, {"pixels": ([0.5] * 3, [1] * 4)},
         "pixels: wanted a mean for each of 4 channels, got"),
        (drawn_net, IMAGE, {"pixels": ([0.5] * 4, [1] * 5)},
         "pixels: wanted a std for each of 4 channels, got"),
        (drawn_net, IMAGE, {"pixels": ([0.5] * 4,)}, "pixels: wanted (mean, std), got"),
        (drawn_net, IMAGE, {"pixels": ([0.5] * 4, [1, 1, -1, 1])},
         "pixels: wanted deviations above 0, got -1"),
        (drawn_net, IMAGE, {"pixels": ([0.5] * 4, [1, 1, 0, 1])}, "pixels: wanted deviations above 0, got 0"),
        (drawn_net, IMAGE, {"pixels": ([0.5, "a", 0, 0], [1] * 4)}, "pixels mean[1]: wanted"),
        (drawn_net, (), {}, "input_shape: wanted a tuple of sizes, got ()"),
        (drawn_net, (1, 6, 6, 4), {}, "input_shape: wanted a tuple of one to three sizes, got (1, 6, 6, 4)"),
        (drawn_net, (6, 6.5, 4), {}, "input_shape[1]: wanted an int, got 6.5"),
        (two_inputs, [(4,), (0,)], {}, "input_shape[1][0]: wanted at least 1, got 0"),
        (two_inputs, [(4,), ()], {}, "input_shape[1]: wanted a tuple of one to three sizes, got ()"),
        (drawn_net, IMAGE, {"metadata": {1: "a"}}, "metadata: wanted texts by names, got 1: 'a'"),
        (drawn_net, IMAGE, {"classes": ["a", "b", "c"]},
         "classes: wanted a name for each output, got 3 for outputs"),
    ],
)  # fmt: skip
def test_arguments_that_are_none(tmp_path, model, shape, more, wanted):
    with pytest.raises((TypeError, ValueError), match=re.escape(wanted)):
        save_onnx(model().eval(), tmp_path / "net.onnx", shape, **more)
    assert not os.listdir(tmp_path)
