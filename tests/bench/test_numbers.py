"""The numbers that bench tells, each by hand with its unit, and the choice of how often is measured."""

import gc
from math import prod
from types import SimpleNamespace

import numpy as np
import pytest

import cynet
from cynet.bench import cases, kernels, per_layer, report, speed, timing, workload
from cynet.nn.parameter import Parameter


def by_name(found):
    return {case.kernel: case for case in found}


def test_operations_and_bytes_of_convolutions():
    for layer, name, shape, out in (
        (cynet.Conv2d(16, 24, 3, padding=1), "Winograd conv", (2, 8, 8, 16), (2, 8, 8, 24)),
        (cynet.Conv2d(3, 8, 5, 2), "conv", (2, 33, 33, 3), (2, 15, 15, 8)),
        (cynet.Conv2d(8, 4, 3, groups=2), "conv", (3, 9, 7, 8), (3, 7, 5, 4)),
    ):
        flops = 2 * prod(out) * layer.weight.data[0].size
        x, y, w = prod(shape), prod(out), layer.weight.size
        found = by_name(cases.of_layer(layer, shape))
        assert set(found) == {f"{name} {part}" for part in ("forward", "input gradient", "weight gradient")}
        for case in found.values():
            assert (case.flops, case.bytes) == (flops, 4 * (x + y + w)), case.kernel
            k, s = layer.kernel_size[0], layer.stride[0]
            assert case.shape == f"{shape} to {layer.out_channels}, {k}x{k}/{s}"
            case.prepare(), case.run()


def test_a_layer_at_several_places_is_timed_at_each():
    conv, linear = cynet.Conv2d(4, 4, 3, padding=1), cynet.Linear(8, 8)
    model = cynet.Sequential(conv, cynet.ReLU(), cynet.Residual(conv), cynet.GlobalAvgPool2d())
    for net, x in (
        (model, np.ones((2, 5, 5, 4), "f4")),
        (cynet.Sequential(linear, linear), np.ones((3, 8), "f4")),
    ):
        leaves = list(net.trace(x.shape))
        taken = per_layer.times(leaves, x, repeat=2)
        assert taken.shape == (len(leaves), 2, 2) and (taken > 0).all()


def test_operations_and_bytes_of_linear_layers():
    for case in cases.of_layer(cynet.Linear(40, 24), (5, 40)):
        assert case.kernel.startswith("linear ") and case.shape == "(5, 40) to 24"
        assert (case.flops, case.bytes) == (2 * 5 * 40 * 24, 4 * (5 * 40 + 5 * 24 + 40 * 24))
        case.run()


S, N = (2, 6, 6, 8), 2 * 6 * 6 * 8


@pytest.mark.parametrize(("layer", "forward", "backward"), [
    (cynet.ReLU(), 8 * N, 12 * N), (cynet.LeakyReLU(), 8 * N, 12 * N), (cynet.Sigmoid(), 8 * N, 12 * N),
    (cynet.Tanh(), 8 * N, 12 * N), (cynet.GELU(), 8 * N, 12 * N), (cynet.Softmax(), 8 * N, 12 * N),
    (cynet.Flatten(), 8 * N, 8 * N), (cynet.Dropout(0.5), 8 * N, 8 * N),
    (cynet.BatchNorm2d(8), 8 * N + 64, 12 * N + 128),
    (cynet.MaxPool2d(2), 4 * (N + N // 4) + N // 4, 4 * (N + N // 4) + N // 4),
    (cynet.AvgPool2d(2), 4 * (N + N // 4), 4 * (N + N // 4)),
    (cynet.GlobalAvgPool2d(), 4 * (N + 16), 4 * (N + 16)),
    (cynet.AvgPool2d(1, 2), 4 * (N // 4 + N // 4), 4 * (N + N // 4)),
])  # fmt: skip
def test_bytes_of_plain_layers(layer, forward, backward):
    assert cases.forward_bytes(layer, S) == forward
    assert cases.backward_bytes(layer, S) == backward
    assert cases.backward_bytes(layer, S, False) == backward - 4 * N
    found = list(cases.of_layer(layer, S))
    assert [case.kernel.rpartition(" ")[2] for case in found] == ["forward", "backward"]
    assert [case.bytes for case in found] == [forward, backward] and not any(case.flops for case in found)
    for case in found:
        case.prepare(), case.run()


def test_bytes_of_losses_optimisers_and_the_loader():
    (loss,), (decode,) = cases.of_loss(7, 10), cases.of_decode(3)
    assert loss.bytes == 2 * 4 * 70 and decode.bytes == 3 * 32 * 32 * 3 * (1 + 4)
    loss.run(), decode.run()
    parameters = [Parameter(np.zeros(5)), Parameter(np.zeros((2, 3)))]
    (step,) = cases.of_optimizer(cynet.SGD(parameters, 0.5, 0.9), 5, "text")
    assert (step.kernel, step.shape, step.bytes, step.flops) == ("SGD", "text", 4 * 5 * 11, 0)
    step.run()
    assert parameters[0].data == pytest.approx(-0.5e-3)
    found = by_name(cases.others(2))
    size = 2 * 16 * 16 * 64
    assert found["squared error and gradient"].bytes == 12 * size
    assert found["im2col 3x3"].bytes == found["col2im 3x3"].bytes == 4 * 10 * 2 * 16 * 16 * 16
    assert found["depth-wise conv forward"].flops == 2 * 9 * size
    assert found["depth-wise conv forward"].bytes == 4 * (2 * size + 9 * 64)
    size = 2 * 32 * 256
    for name, gates in (("GRU", 3), ("LSTM", 4)):
        forward, backward, weights = (
            found[f"{name} forward"],
            found[f"{name} backward"],
            gates * 256 * (512 + 2),
        )
        assert (forward.flops, backward.flops) == (2 * gates * size * 512, 4 * gates * size * 512)
        assert forward.bytes == 4 * (2 * size + weights)
        assert backward.bytes == 4 * (2 * size + 2 * weights) + 4 * 6 * size  # four a unit, x and the states
        backward.prepare(), backward.run(), forward.run()
    forward, backward = found["Embedding forward"], found["Embedding backward"]
    assert forward.bytes == 8 * 64 + 4 * size + 4 * 65 * 256 == backward.bytes - 4 * 65 * 256
    backward.prepare(), backward.run(), forward.run()
    moved = by_name(cases.sweep((1 << 14,)))
    assert [moved[name].bytes >> 14 for name in ("SGD", "Adam", "AdamW", "add")] == [20, 28, 28, 12]


@pytest.mark.parametrize(("form", "value", "text"), [
    (report.MILLISECONDS, 0.0012344, "1.23"), (report.MILLISECONDS, 1.5, "1,500"),
    (report.MILLISECONDS, 0.0123, "12.3"), (report.MILLISECONDS, 0.01, "10.0"),
    (report.MILLISECONDS, 0.1, "100"), (report.MILLISECONDS, 0.001, "1.00"),
    (report.MICROSECONDS, 1e-6, "1.00"), (report.MICROSECONDS, 0.0005e-6, "0.001"),
    (report.MILLISECONDS, 0.0009994, "0.999"), (report.GIGA, 1.26e9, "1.3"), (report.GIGA, 1234e9, "1,234.0"),
    (report.PERCENT, 0.256, "26"), (report.TIMES, 1.005001, "1.01"), (report.MEBIBYTES, 3 << 20, "3.00"),
    (report.MEBIBYTES, 1500 << 20, "1,500"), (report.span, (1.234, 5.678), "1.23 to 5.68"),
])  # fmt: skip
def test_numbers_are_shown_in_their_units(form, value, text):
    assert form(value) == text


def test_a_table_as_text_and_markdown():
    columns = ("name", "what", None), ("t", "ms", report.MILLISECONDS), ("none", "never", None)
    made = report.Report("x", columns, [{"name": "a", "t": 0.001}, {"name": "long", "t": 1.0, "more": 5}],
                         ("A note.",), {"key": 1})  # fmt: skip
    assert made.text() == "what     ms\n-----------\na      1.00\nlong  1,000\nA note."
    assert made.markdown() == "| what | ms |\n| --- | ---: |\n| a | 1.00 |\n| long | 1,000 |\n\nA note."
    assert made.document() == {"command": "x", "key": 1, "rows": made.rows, "notes": ["A note."]}


@pytest.fixture
def clock(monkeypatch):
    """A clock that steps move."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def step(seconds):
        def run():
            assert not gc.isenabled()
            now[0] += seconds

        return run

    return step


@pytest.mark.parametrize(("seconds", "budget", "rounds"), [
    (1.0, 5.0, 5), (0.1, 5.0, 25), (0.05, 100.0, 200), (0.001, 1.5, 50), (1.0, 1e9, 200),
])  # fmt: skip
def test_rounds_that_fit_into_the_budget(clock, seconds, budget, rounds):
    told = []
    contestant = timing.Contestant("a", clock(seconds))
    times = timing.take_turns([contestant], None, budget, lambda *done: told.append(done))
    assert gc.isenabled() and list(times) == ["a"]
    assert abs(len(times["a"]) - rounds) <= 1 and times["a"] == pytest.approx(seconds)
    assert told == [(i + 1, len(times["a"])) for i in range(len(times["a"]))]
    assert len(timing.take_turns([contestant], 3, budget)["a"]) == 3


@pytest.mark.parametrize(("seconds", "budget", "repeat"), [
    (1.0, 0.15, 5), (0.01, 0.151, 15), (0.0001, 1.0, 200), (0.001, 0.0501, 50),
])  # fmt: skip
def test_repetitions_that_fit_into_the_budget(clock, seconds, budget, repeat):
    prepared = []
    times = timing.repeated(clock(seconds), lambda: prepared.append(1), budget=budget)
    assert len(times) == repeat and times == pytest.approx(seconds) and len(prepared) == repeat + 2
    assert len(timing.repeated(clock(seconds), repeat=7)) == 7


def test_quartiles():
    assert timing.quartiles([1, 2, 3, 4, 5]) == [2.0, 4.0]


@pytest.mark.parametrize("order", [(1, 2, 4), (4, 1, 2), (2, 4, 1)])
def test_scaling_is_over_the_fewest_threads_in_whichever_order_they_were_named(order):
    times = {1: (1.0, 8.0), 2: (0.625, 4.0), 4: (0.5, 4.0)}
    rows = [{"threads": n, "seconds": times[n][0], "peer_seconds": times[n][1]} for n in order]
    speed._add_scaling(rows)
    found = {row["threads"]: (row["efficiency"], row["peer_efficiency"]) for row in rows}
    assert found == {1: (1.0, 1.0), 2: (0.8, 1.0), 4: (0.5, 0.5)}


def test_the_sweep_goes_up_to_so_many_bytes(monkeypatch):
    """16 KiB of floats at least; the largest array is no larger than what was asked for."""
    monkeypatch.setattr(kernels.cases, "of_models", lambda *given: ())
    monkeypatch.setattr(kernels.cases, "others", lambda *given: ())
    monkeypatch.setattr(kernels.cases, "sweep", lambda sizes: sizes)
    monkeypatch.setattr(kernels, "last_level_cache", lambda: 1 << 20)
    every = list(kernels.chosen(["uwnet0"], 8, True))
    assert every[0] == 1 << 14 and 4 * every[-1] >= 2 << 20
    for size in every:
        for largest, wanted in (
            (4 * size, every[: every.index(size) + 1]),
            (4 * size - 1, every[: every.index(size)]),
        ):
            assert list(kernels.chosen(["uwnet0"], 8, True, largest)) == wanted


def test_the_sweep_ends_beyond_the_cache():
    assert cases.sweep_sizes(0) == (1 << 14, 1 << 18, 1 << 22, 1 << 24)
    for cache, last in ((32 << 20, 24), ((32 << 20) + 4, 25), (64 << 20, 25), (100 << 20, 26)):
        assert cases.sweep_sizes(cache)[-1] == 1 << last


def test_the_cases_of_a_model_have_each_shape_once_and_an_optimisers_bytes():
    found = list(cases.of_models(("uwnet1", "uwnet1"), 2, False))
    assert len({(case.kernel, case.shape, case.place) for case in found}) == len(found) - 1  # the optimiser's
    (first, second) = [case for case in found if case.kernel == "SGD"]
    count = int(first.shape.split()[0].replace(",", ""))
    assert first.bytes == second.bytes == 4 * 5 * count
    with_bias, without = cynet.Conv2d(2, 3, 1), cynet.Conv2d(2, 3, 1, bias=False)
    assert repr(with_bias) != repr(without)


def test_a_kernel_is_named_by_height_and_width():
    forward, *_ = cases.of_layer(cynet.Conv2d(2, 3, (1, 3), stride=2), (1, 8, 8, 2))
    assert forward.shape == "(1, 8, 8, 2) to 3, 1x3/2"


def test_the_sum_of_the_sweep_is_of_two_arrays(monkeypatch):
    given = []
    monkeypatch.setattr(cases.arrays, "add", lambda a, b: given.append((a, b)))
    by_name(cases.sweep((1 << 14,)))
    next(case for case in cases.sweep((1 << 14,)) if case.kernel == "add").run()
    ((a, b),) = given
    assert a is not b and a.shape == b.shape


def test_a_kernels_time_is_the_median(monkeypatch):
    monkeypatch.setattr(kernels, "repeated", lambda *_: np.array([1.0, 2.0, 9.0]))
    roof = SimpleNamespace(flops=10.0, bandwidth=4.0)
    case = cases.Case("add", "(1,)", None, 0, 8)
    (row,) = kernels.measure([case], roof).rows
    assert (row["seconds"], row["byte_rate"], row["of_peak"], row["repeat"]) == (2.0, 4.0, 1.0, 3)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_net_that_is_timed_has_batch_norm_as_it_is_wanted(batch_norm):
    made = workload.create("uwnet2", batch_norm)
    norms = [layer for _, layer in made.walk() if isinstance(layer, cynet.BatchNorm2d)]
    assert bool(norms) is batch_norm and made.input_grad is False
