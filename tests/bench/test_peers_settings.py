"""What a peer's session is told: threads, exactness, how much of the graph may be rewritten."""

from importlib.util import find_spec

import numpy as np
import pytest

import cynet
from cynet.bench import exported, peers


@pytest.fixture
def content():
    """A small net's file."""
    return exported.written(cynet.Sequential(cynet.ReLU()).eval(), (4, 4, 3), "NHWC")


X = np.linspace(-1, 1, 48, dtype=np.float32).reshape(1, 4, 4, 3)


@pytest.mark.onnxruntime
@pytest.mark.parametrize("threads", [1, 3])
def test_onnx_runtime_rewrites_all_it_can_and_has_its_threads_within_an_operation(
    content, threads, monkeypatch
):
    runtime = pytest.importorskip("onnxruntime")
    peer, made = peers.load("onnxruntime"), []

    class Noting(runtime.InferenceSession):
        def __init__(self, *given, **named):
            super().__init__(*given, **named)
            made.append((given[1], named, self.get_providers()))

    monkeypatch.setattr(runtime, "InferenceSession", Noting)
    np.testing.assert_array_equal(peer._start(content, X, threads)(), np.maximum(X, 0))
    ((options, named, providers),) = made
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (threads, 1)
    assert options.graph_optimization_level == runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    assert options.log_severity_level == 3 and providers == ["CPUExecutionProvider"]
    assert named == {"providers": ["CPUExecutionProvider"]}


@pytest.mark.openvino
@pytest.mark.parametrize("threads", [1, 2])
def test_openvino_computes_in_float32_and_answers_one_at_a_time(content, threads, monkeypatch):
    if find_spec("openvino") is None:
        pytest.skip("openvino is not installed")
    peer, asked = peers.load("openvino"), []
    core = peer._core()
    assert core is peer._core(), "one for good"

    class Noting:
        read_model = core.read_model

        def compile_model(self, model, device, options):
            asked.append((device, options))
            return core.compile_model(model, device, options)

    monkeypatch.setattr(peer, "_core", Noting)
    np.testing.assert_array_equal(peer._start(content, X, threads)(), np.maximum(X, 0))
    wanted = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
    }
    assert asked == [("CPU", wanted)]


def test_rows_of_features_go_as_they_are_whatever_the_layout():
    rows, pictures = np.zeros((2, 5), np.float32), np.zeros((2, 4, 5, 3), np.float32)
    signals = np.zeros((2, 9, 3), np.float32)
    for way, (layout, _) in exported.WAYS.items():
        assert exported.arranged(rows, way) is rows
        first = layout == "nchw"
        assert exported.arranged(pictures, way).shape == ((2, 3, 4, 5) if first else (2, 4, 5, 3))
        assert exported.arranged(signals, way).shape == ((2, 3, 9) if first else (2, 9, 3))
    assert dict(exported.WAYS) == {
        "NCHW": ("nchw", False), "NCHW, folded": ("nchw", True),
        "NHWC": ("nhwc", False), "NHWC, folded": ("nhwc", True),
    }  # fmt: skip


def test_who_takes_part_in_what():
    every = ("train", "infer", "shapes", "memory", "import", "loader", "language-model", "table")
    assert dict(peers.PEERS) == {"torch": every, "onnxruntime": ("infer",), "openvino": ("infer",)}
    assert peers.able("infer") == ("torch", "onnxruntime", "openvino") and peers.able("train") == ("torch",)
    assert peers.able("peak") == ()
    for what in every:
        peers.check_able("torch", what)
