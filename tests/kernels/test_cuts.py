"""Convolutions give the same bytes however pixels, channels and columns are cut, and the twin's numbers."""

import numpy as np
import pytest
import reference_weights
from cynet.kernels.conv.lowering import Lowering
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.kernels.conv import few_loops, tiled_loops, tiled_weight_loops

pytestmark = pytest.mark.kernels
CUTS = [
    (24 * 1024, 1),
    (64, 1),
    (24 * 1024, 32),
    (500, 7),
    (10**6, 1000),
]  # floats of a tile, and how many at least


@st.composite
def windows(draw, most_outputs=70):
    """(x, w, stride, padding, groups, dilation)."""
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    inputs, outputs = draw(st.integers(1, 12)), draw(st.integers(1, max(1, most_outputs // groups)))
    taps, stride, dilation = (tuple(draw(st.integers(1, n)) for _ in "yx") for n in (5, 3, 2))
    padding = tuple(draw(st.integers(0, 3)) for _ in range(4))
    height, width = (
        draw(st.integers(max(1, (t - 1) * d + 1 - sum(around)), 14))
        for t, d, around in zip(taps, dilation, (padding[::2], padding[1::2]), strict=True)
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.standard_normal((draw(st.integers(1, 5)), height, width, inputs * groups))
    w = rng.standard_normal((outputs * groups, inputs, *taps))
    x, w = x.astype(np.float32), w.astype(np.float32)
    return x, w, stride, padding, groups, dilation


def lowering(case, y, tile_floats, least):
    """The forward pass."""
    x, w, stride, padding, groups, dilation = case
    return Lowering(
        x.shape, y.shape[1:3], y.shape[1:], w.shape[2:], stride, padding[:2], groups, tile_floats,
        least, dilation=dilation,
    )  # fmt: skip


def twin(case):
    x, w, stride, padding, groups, dilation = case
    return reference_weights.conv2d(
        *(a.astype(float) for a in (x, w, np.zeros(len(w)))), stride, padding, groups, dilation
    )


@settings(max_examples=150)
@given(windows(), st.sampled_from([0, 1, 6]))
def test_of_outputs(case, relu):
    wanted, _ = twin(case)
    x, w, *_ = case
    found = []
    for cut in CUTS:
        y = np.full(wanted.shape, np.nan, np.float32)
        g = lowering(case, y, *cut)
        packed, scratch = (np.full(n, np.nan, np.float32) for n in (g.packed_floats, 2 * g.band_floats))
        tiled_loops.pack(g, w, packed, False, (0, 0), (1, 1), 1)
        tiled_loops.convolve(g, x, packed, np.zeros(g.bias_floats, np.float32), y, scratch, relu, 2)
        found.append(y)
    assert len({y.tobytes() for y in found}) == 1
    wanted = np.clip(wanted, 0 if relu else -np.inf, 6 if relu == 6 else np.inf)
    np.testing.assert_allclose(found[0], wanted, rtol=0, atol=1e-5 * np.sqrt(w[0].size))


def test_few_pixels_with_many_weights_are_cut_by_their_output_channels():
    x, w, y = (np.empty(n, np.float32) for n in ((1, 7, 7, 40), (320, 40, 1, 1), (1, 7, 7, 320)))
    cuts = [lowering((x, w, (1, 1), (0,) * 4, 1, (1, 1)), y, *cut) for cut in CUTS]
    assert [g.parts for g in cuts[:2]] == [1, 1] and cuts[2].parts > 1 and cuts[2].tiles < 4
    assert all((g.parts - 1) * g.part_lanes < 320 <= g.parts * g.part_lanes for g in cuts)
    x = np.empty((1, 70, 70, 40), np.float32)  # more than the weights
    y = np.empty((1, 70, 70, 320), np.float32)
    g = lowering((x, w, (1, 1), (0,) * 4, 1, (1, 1)), y, *CUTS[2])
    assert g.tiles >= 32 and g.parts == 1


@settings(max_examples=150)
@given(windows(), st.integers(1, 3))
def test_of_weight_gradients(case, splits):
    x, w, *_ = case
    y, backward = twin(case)
    dy = np.random.default_rng(3).standard_normal(y.shape).astype(np.float32)
    found = []
    for tile_floats, _ in CUTS:
        g = lowering(case, y, tile_floats, 1)
        partial = np.full(tiled_weight_loops.partial_floats(g, 1), np.nan, np.float32)
        scratch = np.full(2 * tiled_weight_loops.scratch_floats(g), np.nan, np.float32)
        dw = np.ones_like(w)
        tiled_weight_loops.weight_gradient(g, x, dy, dw, partial, scratch, 1, splits, 2)
        found.append(dw)
    assert len({dw.tobytes() for dw in found}) == 1
    wanted = backward(dy.astype(float))[1] + 1
    np.testing.assert_allclose(found[0], wanted, rtol=0, atol=1e-5 * np.sqrt(dy[..., 0].size))


@settings(max_examples=150)
@given(windows(3))
def test_of_few_outputs(case):
    x, w, _, _, groups, _ = case
    wanted, _ = twin(case)
    if groups > 1:
        return
    bias, found = np.arange(1, len(w) + 1, dtype=np.float32), []
    filters = np.ascontiguousarray(w.transpose(0, 2, 3, 1)).reshape(len(w), -1)
    for cut in CUTS:
        y = np.full(wanted.shape, np.nan, np.float32)
        g = lowering(case, y, *cut)
        scratch = np.full(2 * g.band_floats, np.nan, np.float32)
        few_loops.convolve(g, x, filters, bias, y, scratch, 2)
        found.append(y)
    assert len({y.tobytes() for y in found}) == 1
    np.testing.assert_allclose(found[0], wanted + bias, rtol=0, atol=1e-5 * np.sqrt(w[0].size))
