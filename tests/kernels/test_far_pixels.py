"""1x1 convolutions over more pixels than the caches hold, where the next tile is asked for at each block."""

import numpy as np
import pytest
from helpers import frozen

from cynet.core import threads
from cynet.kernels.conv.convolution import choose
from cynet.kernels.conv.problem import Problem

pytestmark = [pytest.mark.kernels, pytest.mark.usefixtures("dirty_memory")]


@pytest.mark.parametrize(("channels", "outputs"), [(96, 32), (100, 48), (61, 64), (5, 128), (130, 40)])
def test_gradients_are_the_twins_for_any_number_of_threads(channels, outputs):
    pixels = -(-(2**22) // (channels + outputs))
    problem = Problem.of((2, -(-pixels // 128), 64, channels), outputs, (1, 1), (1, 1), (0,) * 4, 1)
    rng = np.random.default_rng(0)
    shapes = problem.in_shape, problem.out_shape, problem.weight_shape
    x, dy, w = (frozen(rng.standard_normal(shape, dtype=np.float32)) for shape in shapes)
    assert x.size + dy.size >= 2**22
    rows, slopes = x.reshape(-1, channels).astype(float), dy.reshape(-1, outputs).astype(float)
    found = []
    for count in (1, 3):
        threads.set_num_threads(count)
        dw = np.ones_like(w)
        dx = choose(problem).gradients(x, dy, w, dw)
        found.append((dx.tobytes(), dw.tobytes()))
        np.testing.assert_allclose(
            dw.reshape(outputs, channels), 1 + slopes.T @ rows, rtol=0, atol=1e-5 * len(rows) ** 0.5
        )
        np.testing.assert_allclose(
            dx.reshape(-1, channels), slopes @ w.reshape(outputs, channels), rtol=0, atol=1e-5 * outputs**0.5
        )
    assert found[0] == found[1]
