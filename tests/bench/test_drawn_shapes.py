"""`cynet bench shapes`: which shapes there are, and what stands in each column of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cynet.bench import shape_speed, shapes
from cynet.bench.peak import Peak
from cynet.core.threads import get_num_threads
from cynet.nn.passes import grad_enabled

PEAK = Peak(flops=1e9, copy=10e9, triad=20e9, read=12e9, threads=2, array_bytes=1)
SMALL = shapes.ConvShape(3, 2, 4, 6, 9, 2)


@given(st.integers(0, 2**32))
def test_drawn_shapes_are_within_their_bounds_and_the_seeds_own(seed):
    found = shapes.drawn(20, seed)
    for shape in found:
        assert 1 <= shape.kernel <= 7 and 1 <= shape.stride <= 2 and shape.groups == 1
        assert 1 <= shape.inputs <= 512 and 1 <= shape.outputs <= 512
        assert 7 <= shape.side <= 224 and 1 <= shape.batch <= 128
        assert shape.macs <= 4e9 and shape.nbytes <= 200e6
    assert shapes.drawn(20, seed) == found and shapes.drawn(5, seed) == found[:5]
    assert shapes.drawn(20, seed + 1) != found


def test_seed_0_draws_the_same_in_every_python_and_of_every_kind():
    found = shapes.drawn(60)
    assert list(map(str, found[:3])) == ["6x6/2 13-5 @41 (7)", "6x6/2 6-95 @158 (27)", "4x4/2 5-151 @46 (1)"]
    assert {shape.kernel for shape in found} == {*range(1, 8)} and {shape.stride for shape in found} == {1, 2}
    assert any(shape.inputs % 2 and shape.outputs % 2 for shape in found)


@pytest.mark.parametrize("ends", [(1, 7), (1, 2), (7, 224), (1, 512)])
def test_both_ends_of_a_range_can_be_drawn(monkeypatch, ends):
    for number, end in ((0.0, ends[0]), (1 - 2**-53, ends[1])):
        monkeypatch.setattr(shapes.random.Random, "random", lambda rng, number=number: number)
        rng = shapes.random.Random()
        assert shapes._even(rng, ends) == shapes._spread(rng, ends) == end


@pytest.mark.parametrize("shape", [*shapes.NAMED, *shapes.drawn(30)], ids=str)
def test_work_and_arrays_are_those_of_the_layer(shape):
    layer = shape.layer()
    outputs = layer.output_shape(shape.input_shape)
    assert shape.macs == layer.macs(shape.input_shape) and layer.bias is None
    elements = np.prod(shape.input_shape) + np.prod(outputs) + layer.weight.size
    assert shape.nbytes == 2 * 4 * elements


def test_named_shapes_are_told_apart_by_their_texts():
    texts = [str(shape) for shape in shapes.NAMED]
    assert len({*texts}) == len(texts) == 15
    assert texts == [
        "7x7/2 3-64 @224 (8)", "3x3 64-64 @56 (8)", "3x3 256-256 @14 (8)", "3x3 512-512 @7 (8)",
        "3x3/2 64-128 @56 (8)", "1x1 32-192 @56 (8)", "1x1 192-32 @56 (8)", "depth-wise 3x3 192 @56 (8)",
        "depth-wise 3x3/2 144 @56 (8)", "3x3 24-24 @32 (64)", "3x3 12-12 @32 (64)", "3x3 50-50 @16 (64)",
        "5x5 1-6 @28 (128)", "5x5 6-16 @14 (128)", "3x3 1-32 @28 (128)",
    ]  # fmt: skip


@pytest.fixture
def timed(monkeypatch, clock, peer):
    """cynet and a peer whose passes take their time, and two shapes: one is named, one drawn."""
    taking = {"cynet": (0.030, 0.040), "one": (0.060, 0.030), "two": (0.090, 0.020)}
    monkeypatch.setattr(shapes, "NAMED", (SMALL,))
    monkeypatch.setattr(shapes, "drawn", lambda count, seed: [shapes.ConvShape(1, 1, 2, 2, seed, 1)] * count)
    monkeypatch.setattr(shape_speed.workload, "inference", lambda layer, x: clock(taking["cynet"][0]))
    monkeypatch.setattr(shape_speed.workload, "passes", lambda layer, x, dy: clock(taking["cynet"][1]))
    peer.inference = lambda net, x, way: clock(taking[way][0])
    peer.passes = lambda net, x, dy, way: clock(taking[way][1])
    return peer


def test_each_shape_has_both_its_passes_beside_the_faster_of_the_peers_ways(timed, shown):
    told = []
    one, two = shape_speed.measure(PEAK, "other", 2, 7, rounds=3, watch=lambda *at: told.append(at))
    assert (one.command, two.command) == ("shapes", "shapes: drawn")
    (row,) = one.rows
    macs = 2 * 5 * 5 * 6 * 3 * 3 * 4
    assert (row["shape"], row["threads"], row["macs"]) == ("3x3/2 4-6 @9 (2)", get_num_threads(), macs)
    assert row["forward_rounds"] == row["both_rounds"] == 3
    assert (row["forward_flop_rate"], row["both_flop_rate"]) == (
        pytest.approx(2 * macs / 0.03), pytest.approx(6 * macs / 0.04)
    )  # fmt: skip
    assert row["both_of_peak"] == pytest.approx(6 * macs / 0.04 / 1e9)
    assert shown(one) == [{
        "shape": "3x3/2 4-6 @9 (2)", "forward ms": "30.0", "GFLOP/s": "0.0", "% of peak": "0",
        "other ms": "60.0", "its way": "one", "other / cynet": "2.00", "both ms": "40.0", "GFLOP/s 2": "0.0",
        "% of peak 2": "0", "other ms 2": "20.0", "its way 2": "two", "other / cynet 2": "0.50",
    }]  # fmt: skip
    assert [row["shape"] for row in two.rows] == ["1x1 2-2 @7 (1)"] * 2
    assert told == [(0, 3, "3x3/2 4-6 @9 (2)"), (1, 3, "1x1 2-2 @7 (1)"), (2, 3, "1x1 2-2 @7 (1)")]
    checked = [(type(layer).__name__, net, x.shape, mode) for _, layer, net, x, mode in
               (asked for asked in timed.asked if asked[0] == "equal")]  # fmt: skip
    assert checked[0] == ("Conv2d", ("net", "Conv2d"), (2, 9, 9, 4), False) and len(checked) == 3
    assert ("threads", get_num_threads()) in timed.asked
    assert "2 of 2 below 1" in two.notes[1] and "0 of 2 below 1" in two.notes[0]
    assert "other / cynet 2.00 at least (1x1 2-2 @7 (1)), median 2.00, geometric mean 2.00" in two.notes[0]
    assert two.document()["summary"]["both"]["below_1"] == 2


def test_ratios_in_a_few_numbers():
    assert shape_speed.summary([0.5, 1.0, 8.0, 2.0]) == {
        "least": 0.5, "median": 1.5, "geometric_mean": pytest.approx(8**0.25), "below_1": 1, "count": 4,
    }  # fmt: skip


def test_only_some_shapes_and_none_that_nobody_has(timed, monkeypatch):
    cleared = []
    monkeypatch.setattr(shape_speed.workspace.pool, "clear", lambda: cleared.append(True))
    for only, count in ((("3X3/2",), 1), (("1X1",), 2), ((), 3), (("@9", "1x1"), 3)):
        cleared.clear()
        reports = list(shape_speed.measure(PEAK, None, 2, 7, only, 1))
        assert sum(len(report.rows) for report in reports) == len(cleared) == count, only
    (report,) = shape_speed.measure(PEAK, count=2, only=("9X9", "@9"), rounds=1)
    assert [row["shape"] for row in report.rows] == ["3x3/2 4-6 @9 (2)"]
    assert "ratio" not in " ".join(report.rows[0]) and "summary" not in report.document()
    with pytest.raises(ValueError, match=r"only: wanted parts of shapes such as 3x3/2 4-6 @9 \(2\); got 8x8"):
        list(shape_speed.measure(PEAK, count=0, only=("8x8",)))


def test_what_is_timed_is_an_evaluation_and_a_pass_with_both_gradients(monkeypatch):
    seen = []

    def take_turns(contestants, *given):
        (one,) = contestants
        seen.append(one.step)
        return {one.name: np.ones(3)}

    monkeypatch.setattr(shape_speed, "take_turns", take_turns)
    monkeypatch.setattr(shapes, "NAMED", (SMALL,))
    made, layers = shapes.ConvShape.layer, []
    monkeypatch.setattr(shapes.ConvShape, "layer", lambda shape: layers.append(made(shape)) or layers[-1])
    list(shape_speed.measure(PEAK, count=0))
    forward, both = seen
    evaluated, trained = layers
    modes = []
    run = type(evaluated).forward
    monkeypatch.setattr(
        type(evaluated), "forward", lambda one, x: modes.append((one.training, grad_enabled())) or run(one, x)
    )
    forward()
    dx = both()
    assert modes == [(False, False), (True, True)]
    assert dx.shape == SMALL.input_shape and np.abs(trained.weight.grad).max() > 0
