"""What stands in each column of peak, kernels and profile is what was measured, by stand-ins that count."""

import gc
from types import SimpleNamespace

import numpy as np
import pytest

import cynet
from cynet.bench import cases, child, kernels, measuring, peak, per_layer, speed, workload
from cynet.bench.peak import Peak
from cynet.core.threads import get_num_threads

MIB = 1 << 20
PEAK = Peak(flops=100e9, copy=10e9, triad=20e9, read=12e9, threads=2, array_bytes=1)


class Timed:
    """A layer that takes its time, and says what it was given."""

    def __init__(self, clock, forward, backward, out):
        self.go, self.back, self.out, self.given = clock(forward), clock(backward), out, []
        self.spared = 0

    def output_shape(self, shape):
        return self.out

    def __call__(self, x):
        self.given.append(x)
        self.go()
        self.y = np.zeros(self.out, np.float32)
        return self.y

    @property
    def last_pass(self):
        return self

    def backward(self, dy):
        assert dy.shape == self.out
        self.back()

    def backward_spared(self, dy):
        self.spared += 1
        self.backward(dy)


def test_layers_get_what_was_just_written_and_a_shortcut_an_earlier_output(clock):
    """A residual block: two layers of the body, whose output has another shape than the shortcut wants."""
    layers = [Timed(clock, 1.0, 4.0, (2, 3)), Timed(clock, 2.0, 5.0, (2, 4)), Timed(clock, 3.0, 6.0, (2, 4))]
    leaves = [("a", layers[0], (2, 3)), ("b", layers[1], (2, 3)), ("shortcut", layers[2], (2, 3))]
    x, told = np.zeros((2, 3), np.float32), []
    taken = per_layer.times(leaves, x, 3, told.append)
    assert taken.tolist() == [[[1, 4]] * 3, [[2, 5]] * 3, [[3, 6]] * 3] and told == [0, 1, 2, 3]
    assert all(given is x for given in layers[0].given)
    assert layers[1].given[-1].shape == layers[2].given[-1].shape == (2, 3)
    assert layers[2].given[0] is layers[2].given[1] is not layers[0].y
    assert [layer.spared for layer in layers] == [4, 0, 0]  # the first has no use for its input's gradient


def test_a_net_with_shortcuts_is_profiled_layer_by_layer():
    report = per_layer.measure("resnet20", PEAK, 2, repeat=1)
    traced = list(cynet.models.create("resnet20").trace((2, 32, 32, 3)))
    assert [row["input_shape"] for row in report.rows[:-3]] == [shape for _, _, shape in traced]
    assert [row["path"] for row in report.rows[:-3]] == [path for path, _, _ in traced]
    assert any("shortcut" in path for path, _, _ in traced)


def test_a_net_for_signals_is_given_signals():
    report = per_layer.measure("conv1d_small", PEAK, 2, repeat=1)
    assert report.rows[0]["input_shape"] == (2, 1024, 3)
    assert next(cases.of_models(["conv1d_small"], 2, True)).place == "conv1d_small"
    for training in (True, False):
        assert speed.measure(speed.Setup(training, ("conv1d_small",), (2,), rounds=1)).rows
    job = {"model": "conv1d_small", "batch_norm": True, "batch_size": 2, "threads": 1, "steps": 1}
    assert child.main(job)["peak"] > 0


def test_a_net_is_given_at_least_what_it_takes(monkeypatch):
    monkeypatch.setattr(workload.models.model, "facts", lambda name: {"least": {"big": (64, 1, 1)}.get(name)})
    assert workload.input_shape("big") == (64, 32, 3) and workload.input_shape("any") == (32, 32, 3)


def test_a_net_that_cannot_be_made_is_told_before_the_peak(monkeypatch):
    monkeypatch.setattr(measuring, "_roof", lambda watch: pytest.fail("the peak was looked for"))
    wanted = measuring.Wanted("profile", model=("lenet5",), batch_norm=False)
    with pytest.raises(ValueError, match="batch_norm"):
        list(measuring.reports(wanted))


def test_a_profile_shows_each_layers_times_rates_and_roof(monkeypatch, shown):
    monkeypatch.setattr(per_layer, "repeated", lambda step, repeat, budget: np.array([0.9, 1.0, 1.4]))
    monkeypatch.setattr(
        per_layer, "times",
        lambda leaves, x, repeat, watch: np.array([[[0.1, 0.2], [0.3, 0.2], [0.2, 0.8]]] * len(leaves)),
    )  # fmt: skip
    report = per_layer.measure("uwnet2", PEAK, 64, batch_norm=False)
    leaves = list(cynet.models.create("uwnet2", batch_norm=False).trace((64, 32, 32, 3)))
    for i, ((path, layer, shape), row) in enumerate(zip(leaves, report.rows, strict=False)):
        work = 2 * int(layer.macs(shape))
        backward = work * (2 if i else 1)
        moved = cases.forward_bytes(layer, shape), cases.backward_bytes(layer, shape, i > 0)
        assert (row["path"], row["output_shape"]) == (path, tuple(layer.output_shape(shape)))
        assert (row["forward"], row["backward"], row["total"]) == (0.2, 0.2, pytest.approx(0.4))
        assert (row["forward_flops"], row["backward_flops"]) == (work, backward)
        assert (row["forward_bytes"], row["backward_bytes"]) == moved
        for part, flops, nbytes in (("forward", work, moved[0]), ("backward", backward, moved[1])):
            roof = max(flops / 100e9, nbytes / 20e9)
            assert row[f"{part}_of_roof"] == pytest.approx(roof / 0.2)
            assert row[f"{part}_flop_rate"] == (pytest.approx(flops / 0.2) if work else None)
            wanted = "overhead" if roof < 15e-6 else "compute" if flops / 100e9 > nbytes / 20e9 else "memory"
            assert row[f"{part}_bound"] == wanted
    n = len(leaves)
    whole, rest, step = report.rows[n:]
    assert (whole["layer"], rest["layer"], step["layer"]) == ("all layers", "the rest", "whole training step")
    assert (whole["forward"], whole["backward"]) == (pytest.approx(0.2 * n), pytest.approx(0.2 * n))
    assert (whole["total"], step["total"]) == (pytest.approx(0.4 * n), 1.0)
    assert rest["total"] == pytest.approx(1.0 - 0.4 * n)
    assert report.extra == {"model": "uwnet2", "batch_size": 64, "batch_norm": False, "step_seconds": 1.0,
                            "step_quartiles": [0.95, 1.2], "repeat": 3}  # fmt: skip
    assert report.notes[0] == f"uwnet2, batch 64, batch norm off, {get_num_threads()} threads."
    first = shown(report)[0]
    assert (first[""], first["layer"]) == (leaves[0][0], per_layer.short(leaves[0][1]))
    assert (first["forward µs"], first["backward µs"], first["both µs"]) == ("200,000", "200,000", "400,000")


def test_a_layers_name_is_short():
    assert per_layer.short(cynet.BatchNorm2d(8)) == "BatchNorm2d(8)"
    named = per_layer.short(cynet.Conv2d(3, 8, 3, bias=False))
    assert named.startswith("Conv2d(3, 8, ") and "bias" not in named and named.endswith(")")


def test_the_peak_is_the_best_run_and_its_bytes_are_those_of_the_arrays(monkeypatch, clock):
    """Each stream runs with the threads that are set, over arrays of the size that was asked for."""
    filled, now = [], {"steps": 0}

    def stream(seconds):
        each = iter(seconds)
        return lambda: next(each)

    takes = {"copy": (0.4, 0.2, 0.5), "triad": (0.5, 0.9, 0.4), "read": (0.1, 0.2, 0.3)}
    takes = {name: stream(seconds) for name, seconds in takes.items()}

    def chains(out, steps, scale, add, threads):
        assert len(out) == threads == get_num_threads()
        if steps > 1:
            now["steps"] = steps
            clock(0.25)()
        return 16 * steps

    fake = SimpleNamespace(
        fill=lambda array, value, threads: filled.append((array.nbytes, value)),
        sum_count=lambda size: 1,
        chains=chains,
        copy=lambda a, out, threads: clock(takes["copy"])(),
        triad=lambda a, b, out, threads: clock(takes["triad"])(),
        read=lambda a, sums, threads: clock(takes["read"])(),
    )
    monkeypatch.setattr(peak, "kernels", fake)
    told = []
    found = peak.measure(4 * MIB, 3, 1000, lambda *at: told.append(at))
    assert filled == [(4 * MIB, 0), (4 * MIB, 1), (4 * MIB, 2)] and now["steps"] == 1000
    assert found.flops == pytest.approx(16 * 1000 / 0.25)
    assert found.copy == pytest.approx(2 * 4 * MIB / 0.2)
    assert found.triad == pytest.approx(3 * 4 * MIB / 0.4)
    assert found.read == pytest.approx(4 * MIB / 0.1)
    assert (found.threads, found.array_bytes) == (get_num_threads(), 4 * MIB)
    assert told == [(1, 3), (2, 3), (3, 3)]
    monkeypatch.setattr(peak, "last_level_cache", lambda: MIB)
    filled.clear()
    takes |= {name: lambda: 1.0 for name in takes}
    assert peak.measure(repeat=1).array_bytes == 4 * MIB


def test_the_table_of_the_peak_names_each_stream(shown):
    report = peak.report(Peak(1e12, 2e9, 3e9, 4e9, 5, 6 * MIB))
    assert [(row[""], row["rate"], row[" 2"]) for row in shown(report)] == [
        ("multiply-adds in registers, float32", "1,000.0", "GFLOP/s"),
        ("copy, read and written", "2.0", "GB/s"), ("triad a + 3 b, read and written", "3.0", "GB/s"),
        ("sum, read only", "4.0", "GB/s"),
    ]  # fmt: skip
    assert report.notes[0].startswith("5 threads;") and "arrays of 6 MiB each" in report.notes[0]


def test_kernels_are_held_against_the_roof_of_what_they_do(clock, monkeypatch, shown):
    prepared, told, cleared = [], [], []
    monkeypatch.setattr(kernels.workspace.pool, "clear", lambda: cleared.append(1))
    found = [
        cases.Case("conv", "s", clock(0.002), 50_000_000, 8_000_000, lambda: prepared.append(1), "net"),
        cases.Case("add", "(4,)", clock(0.001), 0, 5_000_000, place="net"),
        cases.Case("add", "(8,)", clock(0.004), 0, 40_000_000, place="sweep"),
    ]
    report = kernels.measure(found, PEAK, repeat=4, watch=lambda *at: told.append(at))
    row = {"kernel": "add", "shape": "(4,)", "of": "net", "µs": "1,000", "GFLOP/s": "", "GB/s": "5.0",
           "% of peak": "25"}  # fmt: skip
    assert shown(report) == [
        row | {"kernel": "conv", "shape": "s", "µs": "2,000", "GFLOP/s": "25.0", "GB/s": "4.0"}, row,
        row | {"shape": "(8,)", "of": "sweep", "µs": "4,000", "GB/s": "10.0", "% of peak": "50"},
    ]  # fmt: skip
    assert len(prepared) == 6 and told == [(1, None, "conv"), (2, None, "add"), (3, None, "add")]
    assert len(cleared) == 2 and [row["repeat"] for row in report.rows] == [4] * 3
    assert "Peak: 100.0 GFLOP/s" in report.notes[0] and "20.0 GB/s of memory" in report.notes[0]


@pytest.mark.parametrize("fastest", ["copy", "triad", "read"])
def test_the_roof_of_memory_is_the_fastest_stream(fastest):
    streams = {"copy": 1.0, "triad": 1.0, "read": 1.0} | {fastest: 2.0}
    assert Peak(flops=1.0, **streams, threads=1, array_bytes=1).bandwidth == 2.0


def test_layers_are_timed_while_nothing_is_collected_and_turns_are_told(clock):
    class Noting(Timed):
        collected = ()

        def __call__(self, x):
            Noting.collected = (*Noting.collected, gc.isenabled())
            return super().__call__(x)

    layer = Noting(clock, 1.0, 2.0, (2, 3))
    assert gc.isenabled()
    per_layer.times([("a", layer, (2, 3))], np.zeros((2, 3), np.float32), 2)
    assert Noting.collected == (False,) * 3 and gc.isenabled()
