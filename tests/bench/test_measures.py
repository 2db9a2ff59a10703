"""What `cynet bench` computes: operations, bytes, names, ratios. No test asserts a time."""

import numpy as np
import pytest

import cynet
from cynet.bench import cases, environment, kernels, per_layer, speed, timing
from cynet.bench import peak_loops as peak_kernels
from cynet.bench.peak import Peak, measure
from cynet.bench.report import Report, scaled
from cynet.core.threads import get_num_threads
from cynet.nn import registry

PEAK = Peak(flops=100e9, copy=10e9, triad=11e9, read=12e9, threads=2, array_bytes=1)


@pytest.mark.kernels
def test_peak_of_small_arrays_is_positive():
    peak = measure(array_bytes=1 << 16, repeat=2, steps=10)
    assert min(peak.flops, peak.copy, peak.triad, peak.read) > 0
    assert peak.bandwidth == max(peak.copy, peak.triad, peak.read)
    assert peak.threads == get_num_threads()


@pytest.mark.kernels
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 16384, 16385, 40001])
@pytest.mark.parametrize("threads", [1, 3])
def test_streams_compute_what_they_say(size, threads):
    a = np.random.default_rng(0).standard_normal(size, dtype=np.float32)
    b, out = np.empty_like(a), np.zeros_like(a)
    peak_kernels.fill(b, 2.0, threads)
    assert (b == 2).all()
    peak_kernels.copy(a, out, threads)
    assert (out == a).all()
    peak_kernels.triad(a, b, out, threads)
    np.testing.assert_allclose(out, a + 6, rtol=1e-6, atol=1e-6)
    sums = np.zeros(-(-size // 16384), np.float32)
    peak_kernels.read(a, sums, threads)
    np.testing.assert_allclose(sums, [a[i : i + 16384].sum() for i in range(0, size, 16384)], atol=1e-2)


@pytest.mark.kernels
def test_chains_count_two_operations_a_multiply_add_and_converge():
    out = np.zeros(3, np.float32)
    one = peak_kernels.chains(out, 1, 0.5, 1.0, 1)
    assert peak_kernels.chains(out, 100, 0.5, 1.0, 2) == 100 * one
    assert one % (2 * len(out)) == 0
    np.testing.assert_allclose(out, one / 2 / len(out) * 2)  # each lane of each sum ends at 1 / (1 - 0.5)


def test_the_work_of_a_convolution_is_the_hand_worked_one():
    layer, shape = cynet.Conv2d(3, 16, 3, padding=1, bias=False), (2, 8, 8, 3)
    forward, of_input, of_weight = cases.of_layer(layer, shape)
    assert forward.flops == 2 * (2 * 8 * 8) * 16 * (3 * 3 * 3) == 110592
    assert of_input.flops == of_weight.flops == forward.flops
    moved = 4 * (2 * 8 * 8 * 3 + 2 * 8 * 8 * 16 + 16 * 27)
    assert forward.bytes == of_input.bytes == of_weight.bytes == moved == cases.forward_bytes(layer, shape)


def test_pixels_that_no_window_reaches_are_not_read():
    layer, shape = cynet.Conv2d(16, 32, 1, 2, bias=False), (2, 8, 8, 16)
    forward, of_input, of_weight = cases.of_layer(layer, shape)
    read, written, weights = 2 * 4 * 4 * 16, 2 * 4 * 4 * 32, 16 * 32
    assert forward.bytes == of_weight.bytes == 4 * (read + written + weights)
    assert forward.bytes == cases.forward_bytes(layer, shape)
    assert of_input.bytes == 4 * (2 * 8 * 8 * 16 + written + weights)
    assert cases.backward_bytes(layer, shape) == 4 * (written + read + 2 * 8 * 8 * 16 + 2 * weights)
    assert cases.reached(cynet.MaxPool2d(3, 2, 1), (1, 8, 8, 3)) == 8 * 8 * 3
    assert cases.reached(cynet.MaxPool2d(2, 3), (1, 8, 8, 3)) == 6 * 6 * 3
    assert cases.reached(cynet.MaxPool2d(2, 3, 1), (1, 8, 8, 3)) == 5 * 5 * 3
    assert cases.reached(cynet.MaxPool2d(2, 3, ceil_mode=True), (1, 7, 7, 3)) == 5 * 5 * 3
    assert cases.reached(cynet.AvgPool1d(2, 3, 1), (1, 8, 3)) == 5 * 3
    assert [case.kernel for case in cases.of_layer(cynet.MaxPool1d(3, 2), (1, 8, 3))] == [
        "MaxPool1d 3/2 forward", "MaxPool1d 3/2 backward",
    ]  # fmt: skip


def test_the_bytes_of_plain_layers_are_the_hand_worked_ones():
    shape = 2, 4, 4, 8
    relu, pool = cynet.ReLU(), cynet.MaxPool2d(2)
    assert cases.forward_bytes(relu, shape) == 2 * 4 * 256
    assert cases.backward_bytes(relu, shape) == 3 * 4 * 256
    assert cases.forward_bytes(pool, shape) == 4 * 256 + 5 * 64  # one byte for each winner
    large = cynet.MaxPool2d(16, padding=8)
    assert cases.forward_bytes(large, shape) == 4 * 256 + (4 + 4) * 16  # four for those of large windows
    assert cases.backward_bytes(cynet.BatchNorm2d(8), shape) == 4 * (3 * 256 + 2 * 16)


def test_kernels_lists_every_kernel():
    found = kernels.chosen(("uwnet0", "uwnet2", "resnet20"), 2, True, largest=1 << 16)
    report = kernels.measure(found, PEAK, repeat=1)
    text = report.text()
    for name in (
        "Winograd conv forward", "\nconv forward", "conv input gradient", "conv weight gradient",
        "linear forward", "depth-wise conv forward", "BatchNorm2d forward", "BatchNorm2d backward",
        "BatchNorm1d forward",
        "GroupNorm forward", "GroupNorm backward", "LayerNorm backward", "PReLU backward",
        "Dropout2d", "DropPath",
        "ReLU forward", "ReLU backward", *registry.layer.those(pointwise=True), "Softmax",
        "MaxPool2d 3x3/2 forward", "MaxPool2d 2x2/2 backward", "AvgPool2d", "GlobalAvgPool2d", "Flatten",
        "Dropout", "add", "SGD", "Adam ", "AdamW", "cross-entropy", "squared error", "im2col", "col2im",
        "decode",
    ):  # fmt: skip
        assert name in text, name
    assert all(row["seconds"] > 0 and row["bytes"] > 0 and row["of_peak"] > 0 for row in report.rows)
    places = {row["place"] for row in report.rows if row["kernel"] == "ReLU forward"}
    assert places == {"uwnet2", "resnet20", "sweep"}


def test_each_shape_is_there_once():
    found = [(c.kernel, c.shape) for c in cases.of_models(("resnet20", "resnet20"), 1, True)]
    assert len([c for c in found if c[0] != "SGD"]) == len({c for c in found if c[0] != "SGD"})


def test_the_sweep_ends_beyond_the_last_level_cache():
    for cache in (1 << 20, 32 << 20, 33 << 20, 256 << 20):
        assert 4 * cases.sweep_sizes(cache)[-1] >= 2 * cache


def test_only_picks_kernels_by_a_part_of_their_names():
    report = kernels.measure(cases.others(1), PEAK, only=("COL2",), repeat=1)
    assert [row["kernel"] for row in report.rows] == ["col2im 3x3"]
    with pytest.raises(ValueError, match=r"only: wanted parts of .*col2im 3x3.*; got col3"):
        kernels.measure(cases.others(1), PEAK, only=("col3",), repeat=1)


@pytest.mark.parametrize(
    ("flops", "nbytes", "wanted"),
    [(10e6, 1, "compute"), (1, 10e6, "memory"), (1e5, 1e4, "overhead")],
)
def test_what_bounds_a_layer(flops, nbytes, wanted):
    assert per_layer.bound(flops, nbytes, PEAK) == wanted


def test_profile_has_a_row_a_layer_and_the_sums():
    report = per_layer.measure("uwnet2", PEAK, batch_size=2, repeat=2)
    model = cynet.models.create("uwnet2")
    assert len(report.rows) == len(model) + 3
    first, second = report.rows[0], report.rows[4]
    assert first["backward_flops"] == first["forward_flops"]  # spares the gradient of its input
    assert second["backward_flops"] == 2 * second["forward_flops"]
    total = sum(row["total"] for row in report.rows[:-3])
    assert report.rows[-3]["total"] == pytest.approx(total)
    assert report.rows[-2]["total"] + total == pytest.approx(report.rows[-1]["total"])


def test_contestants_take_turns_after_a_step_that_is_not_timed(monkeypatch):
    monkeypatch.setattr(timing, "BLOCK", 0)
    monkeypatch.setattr(timing, "LEAD", 0)
    seen = []
    contestants = [
        timing.Contestant(n, lambda n=n: seen.append(n), lambda n=n: seen.append(n.upper())) for n in "ab"
    ]
    times = timing.take_turns(contestants, rounds=2)
    assert "".join(seen)[-12:] == "AaaBbb" * 2
    assert {name: len(row) for name, row in times.items()} == {"a": 2, "b": 2}


def test_ratios_are_of_pairs_and_the_best_way_of_the_peer_counts():
    times = {"cynet": np.array([1.0, 2, 4]), "x": np.array([2.0, 6, 4]), "y": np.array([9.0, 9, 9])}
    row = speed.compared(times, images=10)
    assert row["seconds"] == 2 and row["images_per_second"] == 5 and row["rounds"] == 3
    assert row["peer_way"] == "x" and row["peer_seconds"] == 4 and row["peer_ways"] == {"x": 4, "y": 9}
    assert row["ratio"] == 2 and row["ratio_quartiles"] == [1.5, 2.5]


def test_threads_are_interleaved_and_restored():
    before = get_num_threads()
    report = speed.measure(speed.Setup(True, ("uwnet2",), (2,), (1, 2), rounds=1))
    assert [row["threads"] for row in report.rows] == [1, 2]
    assert report.rows[0]["efficiency"] == 1 and report.rows[1]["efficiency"] > 0
    assert get_num_threads() == before


def test_a_report_as_text_markdown_and_document():
    columns = (("name", "name", None), ("seconds", "ms", scaled(1e3, 1)), ("none", "none", None))
    report = Report("x", columns, [{"name": "a", "seconds": 0.0012}, {"name": "bb"}], ("Note.",))
    assert report.text() == "name   ms\n---------\na     1.2\nbb\nNote."
    assert report.markdown() == "| name | ms |\n| --- | ---: |\n| a | 1.2 |\n| bb |  |\n\nNote."
    assert report.document() == {"command": "x", "rows": report.rows, "notes": ["Note."]}


def test_the_environment_is_told():
    facts = environment.describe()
    assert facts["threads"] == get_num_threads() and facts["last_level_cache_bytes"] > 0
    assert facts["versions"]["cynet"] == cynet.__version__ and "numpy" in environment.headline(facts)
