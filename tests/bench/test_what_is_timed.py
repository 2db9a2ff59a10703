"""What bench counts and times is what it says: bytes of seldom layers, each pass alone, the peer's work."""

import gc
import math

import numpy as np
import pytest

import cynet
from cynet import data
from cynet.bench import (
    cases,
    cutting,
    document,
    loading,
    peers,
    per_layer,
    processes,
    profiled,
    report,
    speed,
    timing,
)
from cynet.bench import workload as work
from cynet.bench.peak import Peak
from cynet.nn.passes import grad_enabled

PEAK = Peak(flops=100e9, copy=10e9, triad=20e9, read=12e9, threads=2, array_bytes=1)


# -- bytes, and the kernels that there are -------------------------------------------------------------------
@pytest.mark.parametrize(("layer", "shape", "saved"), [
    (cynet.Conv1d(8, 4, 3), (2, 9, 8), 1), (cynet.Conv2d(8, 4, 3), (2, 6, 6, 8), 1),
    (cynet.ConvTranspose2d(8, 4, 2, 2), (2, 6, 6, 8), 1), (cynet.Linear(8, 4), (2, 8), 1),
    (cynet.BatchNorm1d(8), (2, 8), 1), (cynet.GroupNorm(2, 8), (2, 6, 6, 8), 1),
    (cynet.LayerNorm(8), (2, 6, 6, 8), 1), (cynet.PReLU(8), (2, 6, 6, 8), 1),
    (cynet.SiLU(), (2, 6, 6, 8), 1), (cynet.DropPath(0.5), (2, 6, 6, 8), 0),
])  # fmt: skip
def test_a_backward_pass_reads_dy_and_what_was_saved_and_reads_and_writes_gradients(layer, shape, saved):
    inputs, outputs = math.prod(shape), math.prod(layer.output_shape(shape))
    weights = sum(parameter.size for parameter in layer.parameters())
    assert cases.forward_bytes(layer, shape) == 4 * (inputs + outputs + weights)
    assert cases.backward_bytes(layer, shape) == 4 * (outputs + saved * inputs + inputs + 2 * weights)


@pytest.mark.parametrize("layer", [
    cynet.MaxPool2d(2, 3, dilation=3), cynet.Conv2d(5, 4, 2, 3, dilation=3),
])  # fmt: skip
def test_windows_that_are_pulled_apart_reach_the_cells_at_their_distance(layer):
    assert cases.reached(layer, (2, 9, 9, 5)) == 2 * 3 * 3 * 5  # rows 0, 3 and 6 of nine


def test_a_kernel_is_there_once_and_named_by_all_the_models_that_have_it(monkeypatch):
    nets = {
        "one": lambda: cynet.Sequential(cynet.Conv2d(3, 3, 1), cynet.Conv2d(3, 3, 1), cynet.Flatten()),
        "two": lambda: cynet.Sequential(cynet.Conv2d(3, 3, 1, bias=False), cynet.Flatten()),
        "three": lambda: cynet.Sequential(cynet.GlobalAvgPool2d(), cynet.Linear(3, 2)),
    }
    monkeypatch.setattr(cases.workload, "input_shape", lambda name: (2, 2, 3))
    monkeypatch.setattr(cases.workload, "create", lambda name, batch_norm: nets[name]())
    found = [(case.kernel, case.place) for case in cases.of_models(nets, 4, True)]
    assert found[:5] == [
        *(("conv " + part, "one, two") for part in ("forward", "input gradient", "weight gradient")),
        ("Flatten forward", "one, two"), ("Flatten backward", "one, two"),
    ]  # fmt: skip
    assert [name for name, place in found if place == "three"][-1] == "SGD"
    assert found[-2:] == [("cross-entropy and gradient", "all"), ("decode (1 thread)", "all")]


def test_each_pass_is_timed_by_itself():
    calls = []

    class Noting(cynet.ReLU):
        def forward(self, x):
            calls.append(("forward", grad_enabled()))
            return super().forward(x)

        def backward(self, dy):
            calls.append("backward")
            return super().backward(dy)

    forward, backward = cases._passes(Noting(), (2, 3, 3, 4))
    forward.prepare(), forward.run()
    assert calls == [("forward", False)]
    backward.prepare()
    assert calls[1:] == [("forward", True)]
    backward.run()
    assert calls[2:] == ["backward"]


def test_each_product_is_timed_by_its_own_name():
    calls = []

    class Way:
        def __getattr__(self, name):
            return lambda *given: calls.append((name, *given[:2]))

    x, w, dy = (np.zeros(n, np.float32) for n in (5, 3, 2))
    found = list(cases._products("conv", "s", Way(), x, w, dy, 70, 16))
    for case in found:
        case.run()
    assert [case.kernel for case in found] == [f"conv {name.replace('_', ' ')}" for name, *_ in calls]
    assert [name for name, *_ in calls] == ["forward", "input_gradient", "weight_gradient"]
    given = [[id(one) for one in rest] for _, *rest in calls]
    assert given == [[id(x), id(w)], [id(dy), id(w)], [id(x), id(dy)]]
    assert [(case.flops, case.bytes) for case in found] == [(140, 36), (140, 40), (140, 36)]


def test_the_loss_of_the_sweep_has_as_many_numbers_as_its_arrays():
    found = {size: [case for case in cases.sweep((size,)) if "entropy" in case.kernel] for size in (1 << 14,)}
    assert [(case.shape, case.bytes) for case in found[1 << 14]] == [("(16, 1024)", 8 << 14)]


# -- loaders -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("module", "given", "steps"), [
    (loading, (2, 3), ["RandomCrop", "RandomFlip", "Normalize"]),
    (cutting, (2,), ["RandomResizedCrop", "RandomHorizontalFlip", "Normalize"]),
])  # fmt: skip
def test_the_loader_that_is_timed_does_what_the_peers_does(monkeypatch, module, given, steps):
    seen = {}
    monkeypatch.setattr(module, "DataLoader", lambda *given, **more: seen.update(more, size=given[1]))
    monkeypatch.setattr(module, "pictures", lambda: (np.zeros((3, 3, 4, 4), np.uint8), np.arange(3)))
    module.loader(*given)
    assert [type(each) for each in seen["transforms"]] == [getattr(data, step) for step in steps]
    assert (seen["workers"], seen["drop_last"]) == (2, True)
    assert seen["size"] == (3 if module is loading else cutting.BATCH)


def test_the_first_batch_is_timed_alone_and_memory_is_that_of_two_epochs(monkeypatch, clock):
    taken, closed = clock(1.5), []

    class Batches:
        _feed = None
        walks = 0

        def __iter__(self):
            Batches.walks += 1
            for _ in range(3):
                taken()
                yield 0

        def close(self):
            closed.append(Batches.walks)

    monkeypatch.setattr(loading, "loader", lambda workers, size: Batches())
    monkeypatch.setattr(loading, "resident", {"VmRSS": 100, "VmHWM": 170}.get)
    assert loading.measure_cost(0, 4) == {"first": 1.5, "grown": 70, "ring": 0, "members": []}
    assert closed == [2]


# -- processes, peers and layers -----------------------------------------------------------------------------
def test_a_process_that_fails_is_told_by_its_last_line_and_is_in_a_group_of_its_own():
    program = "import sys; print('first\\nthe last one', file=sys.stderr); sys.exit(3)"
    with pytest.raises(ChildProcessError, match=r"that was to be measured failed: the last one$"):
        processes.run_python("-c", program)
    with pytest.raises(ChildProcessError, match=r"failed: exit status 3$"):
        processes.run_python("-c", "import sys; sys.exit(3)")
    assert processes.run_python("-c", "import os; print(os.getpgrp() == os.getpid())") == "True"


def test_a_peer_that_is_broken_is_not_called_missing(monkeypatch):
    def broken(name):
        def load(*_):
            raise ImportError("cannot import it", name=name)

        return load

    monkeypatch.setattr(peers.importlib, "import_module", broken("torch.nn"))
    with pytest.raises(ValueError, match=r"wanted the package torch, got none \(.*install torch\)"):
        peers.load("torch")
    for name in ("numpy", None, "torchvision"):
        monkeypatch.setattr(peers.importlib, "import_module", broken(name))
        with pytest.raises(ImportError, match="cannot import it"):
            peers.load("torch")


def test_layers_are_timed_as_in_training(monkeypatch):
    modes = []

    def times(leaves, x, repeat, watch):
        modes.extend(layer.training for _, layer, _ in leaves)
        return np.ones((len(leaves), repeat, 2))

    monkeypatch.setattr(per_layer, "times", times)
    per_layer.measure("uwnet1", PEAK, 2, repeat=1)
    assert modes and all(modes)


def test_the_code_of_a_net_of_ones_own_is_run_once(tmp_path):
    note = f"with open({str(tmp_path / 'runs.txt')!r}, 'a') as file:\n    file.write('x')\n"
    net = "return cynet.Sequential(cynet.GlobalAvgPool2d(), cynet.Linear(3, classes))"
    (tmp_path / "net.py").write_text(f"import cynet\n{note}\n\ndef model(input_shape, classes):\n    {net}\n")
    for _ in range(3):
        profiled.of(str(tmp_path / "net.py")).create()
    assert (tmp_path / "runs.txt").read_text() == "x"


def test_a_step_of_training_is_one_of_plain_descent_with_momentum():
    cynet.seed(0)
    timed = cynet.Sequential(cynet.Linear(4, 3))
    by_hand = cynet.Sequential(cynet.Linear(4, 3))
    by_hand.load_state_dict(timed.state_dict())
    x, labels = np.random.default_rng(0).standard_normal((5, 4), dtype=np.float32), np.arange(5) % 3
    step = work.training_step(timed.eval(), x, labels)
    criterion, optimizer = cynet.CrossEntropyLoss(), cynet.SGD(by_hand.parameters(), 0.01, 0.9, 1e-4)
    for _ in range(3):
        step()
        optimizer.zero_grad()
        criterion(by_hand(x), labels)
        by_hand.backward(criterion.backward())
        optimizer.step()
    assert timed.training and timed[0].weight.data.tobytes() == by_hand[0].weight.data.tobytes()


def test_inference_is_in_evaluation_mode_and_keeps_nothing_for_a_backward_pass():
    seen = []

    class Noting(cynet.ReLU):
        def forward(self, x):
            seen.append((self.training, grad_enabled(), x.shape))
            return x

    work.inference(cynet.Sequential(Noting()), np.zeros((2, 3), np.float32))()
    assert seen == [(False, False, (2, 3))]


# -- clocks and tables ---------------------------------------------------------------------------------------
def test_what_goes_before_a_repetition_is_not_timed(clock):
    times = timing.repeated(clock(0.25), clock(4.0), repeat=3)
    assert times.tolist() == [0.25] * 3


@pytest.mark.parametrize(("seconds", "lead", "block"), [
    (0.0045, 3, 5), (0.0008, 13, 20), (0.0055, 2, 4), (1.0, 1, 1)
])  # fmt: skip
def test_a_turn_has_steps_that_are_not_timed_and_then_a_block(clock, seconds, lead, block):
    taken, step, turns = [], clock(seconds), []
    contestant = timing.Contestant("a", lambda: (taken.append(1), step()), lambda: turns.append(len(taken)))
    times = timing.take_turns([contestant], 3)["a"]
    assert times == pytest.approx(seconds) and len(turns) == 4
    assert np.diff(turns).tolist() == [3, lead + block, lead + block]


def test_long_notes_are_broken_into_lines():
    made = report.Report("x", (("a", "a", None),), [{"a": 1}], ("word " * 40,))
    *_, first, second = made.text().splitlines()
    assert (len(first), len(second)) == (99, 99) and "\n" not in made.markdown().split("\n\n")[1]


def test_a_collector_that_was_off_stays_off():
    was_on = gc.isenabled()
    gc.disable()
    try:
        with timing.no_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        if was_on:
            gc.enable()


def test_numbers_below_zero_have_the_digits_of_those_above():
    for value in (1234.0, 150.0, 15.0, 1.5, 0.15):
        assert report.MICROSECONDS(-1e-6 * value) == f"-{report.MICROSECONDS(1e-6 * value)}"


def test_a_column_of_zeros_is_shown():
    made = report.Report("x", (("a", "a", str), ("b", "b", str)), [{"a": 0, "b": None}])
    assert made.cells() == (["a"], [["0"]], [True])


@pytest.mark.parametrize(("threads", "told"), [((), 0), ((2,), 0), ((1, 2), 1)])
def test_scaling_is_explained_where_there_is_some(threads, told):
    notes = speed.report(speed.Setup(True, threads=threads), []).notes
    assert sum("scaling" in note for note in notes) == told


def test_the_json_file_is_text_that_ends_in_a_line_end(tmp_path):
    document.write(tmp_path / "f.json", "peak", {}, {}, [])
    assert (tmp_path / "f.json").read_text().endswith("\n}\n")
