"""What PyTorch's exporters make of nets comes in again: as ONNX Runtime computes it."""

import numpy as np
import pytest

import cynet
from cynet.interop import load_onnx

pytestmark = [
    pytest.mark.torch,
    pytest.mark.onnxruntime,
    pytest.mark.filterwarnings("ignore"),  # the exporters tell of each other, and of what they will be
]
SHAPES = {"conv1d_small": (64, 1), "lenet5": (32, 32, 1), "squeezenet1_1": (33, 40, 3)}
BY_DYNAMO = "conv1d_small", "densenet_bc_40_12", "mobilenet_v2", "resnet20", "squeezenet1_1", "uwnet0"


def exported(net, x, path, dynamo, batch, **options):
    """Write a file; `batch`: whether its size is left open."""
    torch = pytest.importorskip("torch")
    if dynamo:
        pytest.importorskip("onnxscript")
        options |= {"dynamo": True, "verbose": False}
        if batch:
            # A module that takes *xs wants its shapes in one more tuple.
            many = ({0: torch.export.Dim("batch")},)
            options["dynamic_shapes"] = (many,) if net._modules and "Parts" in type(net).__name__ else many
    else:
        options |= {"dynamo": False, "input_names": ["x"]}
        options |= {"dynamic_axes": {"x": {0: "batch"}}} if batch else {}
    torch.onnx.export(net, (x if batch else x[:1],), str(path), **options)


def of_runtime(path, x):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path))
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def pictures(name):
    shape = SHAPES.get(name, (32, 32, 3))
    return np.random.default_rng(3).standard_normal((3, *shape)).astype(np.float32)


def varied(name, shape):
    """A model of which no array is like another: exporters would keep one for both."""
    cynet.seed(1)
    model, rng = cynet.models.create(name, shape), np.random.default_rng(2)
    state = model.state_dict()
    for key, array in state.items():
        if key.endswith("running_var"):
            array += rng.random(array.shape)
        elif array.ndim == 1:
            array += 0.1 * rng.standard_normal(array.shape)
    model.load_state_dict(state)
    return model.eval()


def assert_same(model, x, wanted):
    with cynet.no_grad():
        found = model.eval()(x)
    assert np.abs(found - wanted).max() < 1e-4 * max(1, np.abs(wanted).max())


NAMES = [name for name in cynet.models.names() if name != "language_model"]
WAYS = [(name, False) for name in NAMES] + [(name, True) for name in BY_DYNAMO]


@pytest.mark.parametrize(("name", "dynamo"), WAYS, ids=lambda value: str(value))
@pytest.mark.parametrize("batch", [False, True], ids=["one", "batch"])
def test_every_models_peer_comes_in_again(tmp_path, capsys, name, dynamo, batch):
    pytest.importorskip("torch")
    from cynet.bench.torch_peer import converted, images

    x, path = pictures(name), tmp_path / "net.onnx"
    net, planes = converted(varied(name, x.shape[1:])).eval(), images(x, "NCHW")
    exported(net, planes, path, dynamo, batch)
    rows = slice(None if batch else 1)
    assert_same(load_onnx(path), x[rows], of_runtime(path, planes[rows].numpy()))


def test_batch_norm_that_was_not_folded_keeps_its_names(tmp_path):
    torch = pytest.importorskip("torch")
    from cynet.bench.torch_peer import converted, images

    x, path = pictures("mobilenet_v2"), tmp_path / "net.onnx"
    model = varied("mobilenet_v2", x.shape[1:])
    whole = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    exported(converted(model).eval(), images(x, "NCHW"), path, False, True, **whole)
    found = load_onnx(path)
    assert {name for name in found.state_dict() if "num_batches" not in name} == {
        name for name in model.state_dict() if "num_batches" not in name
    }
    assert_same(found, x, of_runtime(path, images(x, "NCHW").numpy()))


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("cell", ["GRU", "LSTM"])
def test_a_net_of_tokens_comes_in_again(tmp_path, capsys, cell, dynamo):
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.vectors, self.head = torch.nn.Embedding(20, 16), torch.nn.Linear(24, 20)
            self.cells = getattr(torch.nn, cell)(16, 24, 2, batch_first=True)

        def forward(self, x):
            return self.head(self.cells(self.vectors(x))[0])

    torch.manual_seed(0)
    x, path = np.random.default_rng(0).integers(0, 20, (3, 12)), tmp_path / "net.onnx"
    exported(Net().eval(), torch.from_numpy(x), path, dynamo, True)
    assert_same(load_onnx(path), x, of_runtime(path, x))
