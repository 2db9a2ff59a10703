"""Nets as ONNX files: what ONNX Runtime and the reference evaluator make of them, beside cynet."""

import json

import drawn_graphs
import numpy as np
import pytest
from examples import ALL, NETS, OF_NUMBERS, made

import cynet
from cynet.interop.onnx.writing import save_onnx

CLOSE = 1e-5
WAYS = {"nchw": {}, "nhwc, folded": {"layout": "nhwc", "fold": True}}
ODD = {  # of which no runtime takes the padding of the output as it is
    "ConvTranspose2d(4, 3, 3, (3, 1), output_padding=(1, 1), dilation=(1, 2))": (2, 5, 4, 4)
}
SMALL = [
    (name, options) for name, options in NETS if name in ("uwnet2", "resnet20", "mobilenet_v2", "resnet18")
]


@pytest.fixture
def peers():
    """(onnx, onnxruntime)."""
    return pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")


def samples(shapes, count=3, below=None):
    rng = np.random.default_rng(0)
    if below:
        return [rng.integers(0, below, (count, *shape)) for shape in shapes]
    return [rng.standard_normal((count, *shape), np.float32) for shape in shapes]


def turned(array, layout):
    """An array in the layout of a file."""
    return np.ascontiguousarray(np.moveaxis(array, -1, 1)) if layout == "nchw" and array.ndim > 2 else array


def computed(peers, path, xs, layout):
    """What ONNX Runtime makes of arrays in cynet's layout; the checker is content with the file."""
    onnx, runtime = peers
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return session.run(None, {name: turned(x, layout) for name, x in zip(names, xs, strict=True)})


def agree(peers, tmp_path, model, shapes, below=None, evaluate=False, **options):
    model.eval()
    path, xs, layout = tmp_path / "net.onnx", samples(shapes, below=below), options.get("layout", "nchw")
    save_onnx(model, path, shapes[0] if len(shapes) == 1 else shapes, **options)
    wanted = model(*xs)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    found = [computed(peers, path, xs, layout)]
    if evaluate:
        import onnx.reference

        given = [x if below else turned(x, layout) for x in xs]
        evaluator = onnx.reference.ReferenceEvaluator(str(path))
        found.append(evaluator.run(None, dict(zip(evaluator.input_names, given, strict=True))))
    for answers in found:
        for y, answer in zip(wanted, answers, strict=True):
            y = turned(y, layout)
            assert y.shape == answer.shape and answer.dtype == np.float32
            assert np.abs(y - answer).max() <= CLOSE * max(1, np.abs(y).max())


def named(options):
    return "".join(f" {name}" for name, value in options.items() if value is False) or ""


# -- whole nets ----------------------------------------------------------------------------------------------
@pytest.mark.onnxruntime
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "options"), NETS)
def test_every_net_gives_its_outputs(peers, tmp_path, name, options, way):
    cynet.seed(1)
    model = cynet.models.create(name, (32, 32, 3), 7, **options)
    rng = np.random.default_rng(1)
    for _, layer in model.walk():
        if "running_mean" in layer.buffers:
            layer.running_mean += 0.2 * rng.standard_normal(layer.running_mean.shape).astype(np.float32)
            layer.running_var += rng.random(layer.running_var.shape, np.float32)
    agree(peers, tmp_path, model, [(32, 32, 3)], **WAYS[way])


@pytest.mark.onnxruntime
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_nets_of_texts_and_signals_too(peers, tmp_path, cell, way):
    cynet.seed(1)
    text = cynet.models.create("language_model", (12,), 20, cell=cell)
    agree(peers, tmp_path, text, [(12,)], below=20, **WAYS[way])
    agree(peers, tmp_path, cynet.models.create("conv1d_small", (40, 3), 5), [(40, 3)], **WAYS[way])


@pytest.mark.onnxruntime
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(100))
def test_drawn_graphs_with_branches_shared_layers_and_several_ends(peers, tmp_path, seed, way):
    model, shapes, *_ = drawn_graphs.graph(seed)
    agree(peers, tmp_path, model, shapes, evaluate=seed < 20, **WAYS[way])


@pytest.mark.onnxruntime
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", [*(call for call in ALL if call != "Embedding(3, 70)"), *ODD])
def test_every_layer_gives_its_outputs(peers, tmp_path, call, way):
    shapes = (ALL | ODD)[call]
    shapes = shapes if isinstance(shapes[0], (tuple, list)) else [shapes]
    below = 3 if call.partition("(")[0] in OF_NUMBERS else None
    shapes = [tuple(shape[1:]) for shape in shapes]
    agree(peers, tmp_path, made(call), shapes, below, evaluate=False, **WAYS[way])


@pytest.mark.onnxruntime
@pytest.mark.parametrize(
    ("layer", "shape", "kinds"),
    [
        (cynet.MaxPool2d(3, 2, 1), (6, 6, 2), ["MaxPool"]),
        (cynet.MaxPool2d(3, 2, (2, 2, 2, 2)), (6, 6, 2), ["MaxPool"]),
        (cynet.MaxPool2d(2, 5, ceil_mode=True), (6, 6, 2), ["MaxPool"]),
        (cynet.MaxPool2d(2, 3), (7, 8, 2), ["MaxPool"]),
        (cynet.AvgPool2d(2, 3), (7, 9, 2), ["AveragePool"]),
        (cynet.AvgPool2d(2, 3, (1, 0, 0, 0)), (6, 9, 2), ["Pad", "AveragePool"]),
        (cynet.AvgPool1d(2, 3), (9, 2), ["AveragePool"]),
    ],
    ids=lambda value: repr(value)[:70] if isinstance(value, cynet.Layer) else "",
)
def test_windows_that_reach_beyond_the_image_or_not_to_its_end(peers, tmp_path, layer, shape, kinds):
    """Of numbers below 0, among which padding would be the greatest."""
    path, x = tmp_path / "net.onnx", samples([shape])[0] - 9
    wanted = layer.eval()(x)
    save_onnx(layer, path, shape)
    (found,) = computed(peers, path, [x], "nchw")
    np.testing.assert_allclose(found, turned(wanted, "nchw"), atol=CLOSE)
    assert [node.op_type for node in peers[0].load(path).graph.node][: len(kinds)] == kinds


# -- what a file holds besides -------------------------------------------------------------------------------
@pytest.mark.onnxruntime
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_pictures_of_bytes_are_normalised_inside(peers, tmp_path, layout):
    cynet.seed(1)
    model, mean, std = cynet.models.create("uwnet2", (32, 32, 3)), (0.1, 0.5, 0.3), (0.2, 0.3, 1.5)
    save_onnx(model, tmp_path / "net.onnx", (32, 32, 3), layout=layout, pixels=(mean, std))
    pictures = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    (found,) = computed(peers, tmp_path / "net.onnx", [pictures], layout)
    x = ((pictures / 255 - mean) / std).astype(np.float32)
    np.testing.assert_allclose(found, model.eval()(x), atol=CLOSE)


@pytest.mark.onnxruntime
def test_batches_have_any_size_and_notes_have_the_classes(peers, tmp_path):
    onnx, runtime = peers
    model, path = cynet.Sequential(cynet.Flatten(), cynet.Linear(4, 2)).eval(), tmp_path / "net.onnx"
    save_onnx(model, path, (2, 2, 1), classes=["café", '"'], metadata={"of": "a test"})
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 1, 2, 2]
    assert session.get_outputs()[0].shape == ["batch", 2]
    for count in (1, 7):
        assert session.run(None, {"input": np.zeros((count, 1, 2, 2), np.float32)})[0].shape == (count, 2)
    read = onnx.load(path)
    notes = {one.key: one.value for one in read.metadata_props}
    assert (json.loads(notes["classes"]), notes["of"]) == (["café", '"'], "a test")
    assert (read.producer_name, read.producer_version) == ("cynet", cynet.__version__)
    assert [(one.domain, one.version) for one in read.opset_import] == [("", 17)]


@pytest.mark.onnxruntime
def test_batch_norm_is_folded_where_that_is_asked_for_alone(peers, tmp_path):
    onnx, _ = peers
    model = cynet.models.create("uwnet2", (32, 32, 3))
    for fold in (False, True):
        save_onnx(model, tmp_path / "net.onnx", (32, 32, 3), fold=fold)
        kinds = [node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node]
        assert ("BatchNormalization" in kinds) != fold


# -- what is refused -----------------------------------------------------------------------------------------
class Own(cynet.Layer):
    def forward(self, x):
        return x


def test_layers_that_nobody_else_knows_are_listed_all_at_once(tmp_path):
    model = cynet.Sequential(cynet.ReLU(), Own(), cynet.Sequential(Own()))
    with pytest.raises(
        ValueError, match=r"model: wanted a net of layers that can be exported, got 1: .*, 2\.0: "
    ):
        save_onnx(model, tmp_path / "net.onnx", (4,))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"layout": "chwn"}, "layout: wanted nchw or nhwc, got 'chwn'"),
        ({"classes": "ab"}, "classes: wanted a list of names, got 'ab'"),
        ({"classes": ["a"]}, r"classes: wanted a name for each output, got 1 for outputs of \(6, 6, 2\)"),
        ({"metadata": {"a": 3}}, "metadata: wanted texts by names, got 'a': 3"),
        ({"model": None}, "model: wanted a Layer, got None"),
        ({"fold": 1}, "fold: wanted True or False, got 1"),
        ({"pixels": (0.5, 0.5)}, "pixels: wanted a mean for each of 3 channels, got 0.5"),
        ({"pixels": ([0.5] * 3, [1, 0, 1])}, "pixels: wanted deviations above 0, got 0"),
        ({"pixels": 3}, r"pixels: wanted \(mean, std\), got 3"),
        ({"input_shape": 3}, "input_shape: wanted a tuple of sizes, got 3"),
        ({"input_shape": (4, 0, 3)}, r"input_shape\[1\]: wanted at least 1, got 0"),
        ({"input_shape": (4, 4, 1)}, r"wanted \(N, H, W, 3\)"),
        ({"input_shape": ((4, 4, 3), 3)}, r"input_shape\[1\]: wanted a tuple of one to three sizes, got 3"),
    ],
)
def test_what_is_no_argument_is_refused_and_nothing_written(tmp_path, more, text):
    given = {"model": cynet.Conv2d(3, 2, 3), "input_shape": (8, 8, 3)} | more
    with pytest.raises((TypeError, ValueError), match=text):
        save_onnx(path=tmp_path / "net.onnx", **given)
    assert not list(tmp_path.iterdir())
