"""Every operator that is read, beside ONNX Runtime: values, gradients, and files whose batch is told."""

import numpy as np
import pytest
from onnx_cases import CASES

import cynet
from cynet.interop import load_onnx

pytestmark = pytest.mark.onnxruntime


def ways(y, shape):
    """cynet's output as the file may have it: as it is, or with the channels after the batch."""
    moved = np.moveaxis(y, -1, 1) if y.ndim > 2 else y
    return [one.reshape(shape) for one in (y, moved) if one.ndim != len(shape) or one.shape == shape]


def runs(content, x):
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(content, options)
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.mark.parametrize("name", CASES)
def test_a_file_gives_what_onnx_runtime_does(tmp_path, name):
    case = CASES[name]
    x = np.random.default_rng(1).standard_normal(case.x, np.float32)
    given = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if x.ndim > 2 else x
    for batch in ("N", case.x[0], 1):
        x, given = (one[: batch if batch == 1 else None] for one in (x, given))
        path = tmp_path / "net.onnx"
        path.write_bytes(case.content(batch))
        wanted = runs(path.read_bytes(), x)
        model = load_onnx(path, layout="nchw").eval()
        with cynet.no_grad():
            found = ways(model(given), wanted.shape)
        near = case.near * max(1, np.abs(wanted).max())
        errors = [float(np.abs(one - wanted).max()) for one in found]
        assert min(errors) < near, (batch, errors)
