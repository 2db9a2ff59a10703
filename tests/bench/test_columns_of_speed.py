"""What stands in each column of bench is what was measured: by stand-ins that count, not by time."""

import json

import pytest

import cynet
from cynet.bench import processes, speed, timing
from cynet.core.threads import get_num_threads

MIB = 1 << 20
PEAKS = {  # MiB: the peak, and what was there after the imports, of three turns
    "cynet": ((30, 20), (40, 30), (50, 10)),
    "one": ((90, 80), (120, 60), (60, 40)),
    "two": ((210, 10), (220, 20), (300, 30)),
}


@pytest.fixture
def children(monkeypatch):
    """Processes that say what PEAKS has, and the jobs they were given."""
    jobs = []

    def run(*arguments):
        assert arguments[:2] == ("-m", "cynet.bench.child")
        job = json.loads(arguments[2])
        way = job.get("way", "cynet")
        turn = sum(1 for one in jobs if one.get("way", "cynet") == way)
        jobs.append(job)
        top, imported = PEAKS[way][turn]
        return json.dumps({"peak": top * MIB, "imported": imported * MIB, "own": (top - imported) * MIB})

    monkeypatch.setattr(processes, "run_python", run)
    return jobs


def test_memory_beside_a_peer_is_of_medians_and_of_pairs(children, peer, shown):
    told = []
    setup = speed.Setup(True, ("uwnet2",), (16,), (3, 4), batch_norm=False, peer="other")
    report = processes.memory(setup, repeat=3, steps=7, watch=lambda *at: told.append(at))
    (row,) = report.rows
    assert (row["peak_bytes"], row["imported_bytes"], row["own_bytes"]) == (40 * MIB, 20 * MIB, 10 * MIB)
    assert (row["peer_way"], row["peer_peak_bytes"], row["peer_own_bytes"]) == ("one", 90 * MIB, 20 * MIB)
    assert row["peer_imported_bytes"] == 60 * MIB and row["repeat"] == 3 and row["steps"] == 7
    assert row["ratio"] == 90 / 40 and row["own_ratio"] == 2
    assert row["ratio_quartiles"] == timing.quartiles([90 / 30, 120 / 40, 60 / 50]) == [2.1, 3.0]
    assert row["peer_ways"]["two"] == {"peak": 220 * MIB, "imported": 20 * MIB, "own": 200 * MIB}
    assert shown(report) == [{
        "model": "uwnet2", "batch": "16", "cynet peak MiB": "40.0", "less imports": "10.0",
        "other peak MiB": "90.0", "less imports 2": "20.0", "its way": "one", "other / cynet": "2.25",
        "quartiles": "2.10 to 3.00", "less imports 3": "2.00",
    }]  # fmt: skip
    job = {"model": "uwnet2", "batch_norm": False, "batch_size": 16, "threads": 3, "steps": 7}
    assert [one.get("way") for one in children] == [None, "one", "two"] * 3  # in turns
    assert children[0] == job and children[1] == {**children[1], **job, "peer": "other", "way": "one"}
    assert told == [(i, 3, "memory uwnet2, batch 16") for i in (1, 2, 3)]


def test_memory_alone_is_of_every_model_and_batch(monkeypatch, shown):
    sizes = {("uwnet1", 1): 10, ("uwnet1", 8): 20, ("uwnet2", 1): 30, ("uwnet2", 8): 40}

    def run(*arguments):
        job = json.loads(arguments[2])
        size = sizes[job["model"], job["batch_size"]] * MIB
        assert job["threads"] == get_num_threads() and job["steps"] == processes.STEPS == 10
        return json.dumps({"peak": size, "imported": size // 2, "own": size // 2})

    monkeypatch.setattr(processes, "run_python", run)
    report = processes.memory(speed.Setup(True, ("uwnet1", "uwnet2"), (1, 8)), repeat=1)
    found = {(row["model"], row["batch"]): row["cynet peak MiB"] for row in shown(report)}
    assert found == {(name, str(size)): f"{mib}.0" for (name, size), mib in sizes.items()}
    assert "ratio" not in report.rows[0] and set(shown(report)[0]) == {
        "model", "batch", "cynet peak MiB", "less imports",
    }  # fmt: skip


def test_imports_without_the_first_turn_each_beside_the_peers_import(monkeypatch, peer, shown):
    ours, everything, theirs = [9, 0.010, 0.020, 0.040], [9, 0.1, 0.1, 0.4], [9, 0.2, 0.1, 0.4]
    given = {"import cynet\n": iter(ours), "__all__": iter(everything), "import other": iter(theirs)}
    calls, told = [], []

    def run(flag, program):
        (name,) = [name for name in given if name in program]
        assert flag == "-c" and program.index("import numpy") < program.index(name)
        calls.append(name)
        return str(next(given[name]))

    monkeypatch.setattr(processes, "run_python", run)
    report = processes.imports("other", 3, lambda *at: told.append(at))
    assert calls == list(given) * 4 and told == [(i, 3, "import") for i in range(4)]
    assert shown(report) == [
        {"import": "import cynet", "cynet ms": "20.0", "quartiles": "15.00 to 30.00",
         "import other ms": "200", "other / cynet": "10.00", "quartiles 2": "7.50 to 15.00"},
        {"import": "all public names of cynet", "cynet ms": "100", "quartiles": "100.00 to 250.00",
         "import other ms": "200", "other / cynet": "1.00", "quartiles 2": "1.00 to 1.50"},
    ]  # fmt: skip


def test_a_measured_process_finds_this_cynet_and_says_its_last_line(monkeypatch):
    program = "import os, cynet; print('first'); print(os.environ['PYTHONPATH']); print(cynet.__file__)"
    monkeypatch.setenv("PYTHONPATH", "/of/the/user")
    assert processes.run_python("-c", program) == cynet.__file__
    folder = cynet.__file__.removesuffix("/cynet/__init__.py")
    paths = processes.run_python("-c", "import os; print(os.environ['PYTHONPATH'])")
    assert paths == f"{folder}:/of/the/user"
    monkeypatch.delenv("PYTHONPATH")
    assert processes.run_python("-c", "import os; print(os.environ['PYTHONPATH'])") == folder


@pytest.mark.parametrize("training", [True, False])
def test_speed_beside_a_peer_in_turns_with_its_threads(monkeypatch, clock, peer, training, shown):
    threads = [None]
    steps = {"cynet": (0.032, 0.020), "one": (0.040, 0.040), "two": (0.064, 0.010)}  # with 1, with 2 threads

    def step_of(way):
        return clock(lambda: steps[way][threads[0] - 1])

    def set_threads(n):
        threads[0] = n

    made = []
    monkeypatch.setattr(speed, "set_num_threads", set_threads)
    monkeypatch.setattr(speed.workload, "training_step", lambda *given: made.append(True) or step_of("cynet"))
    monkeypatch.setattr(speed.workload, "inference", lambda *given: made.append(False) or step_of("cynet"))
    peer.set_num_threads = set_threads
    peer.training_step = lambda net, x, labels, way: made.append(True) or step_of(way)
    peer.inference = lambda net, x, way: made.append(False) or step_of(way)
    told = []
    setup = speed.Setup(training, ("uwnet2",), (8,), (1, 2), True, "other", 3)
    report = speed.measure(setup, lambda *at: told.append(at))
    assert made == [training] * 3  # steps of training, or passes
    (_, model, net, x, mode) = peer.asked[0]
    assert (net, x.shape, mode) == (("net", type(model).__name__), (8, 32, 32, 3), training)
    unit = "step" if training else "pass"
    row = {"model": "uwnet2", "batch": "8", "threads": "1", f"cynet ms/{unit}": "32.0", "images/s": "250",
           "scaling": "1.00", f"other ms/{unit}": "40.0", "its way": "one", "its scaling": "1.00",
           "other / cynet": "1.25", "quartiles": "1.25 to 1.25"}  # fmt: skip
    two = {"threads": "2", f"cynet ms/{unit}": "20.0", "images/s": "400", "scaling": "0.80",
           f"other ms/{unit}": "10.0", "its way": "two", "its scaling": "2.00", "other / cynet": "0.50",
           "quartiles": "0.50 to 0.50"}  # fmt: skip
    assert shown(report) == [row, row | two]
    assert threads == [get_num_threads()]  # as before
    command = "train" if training else "infer"
    assert told == [(i, 3, f"{command} uwnet2, batch 8") for i in (1, 2, 3)] and report.command == command
    assert any("its way is the fastest of one; two." in note for note in report.notes)
    assert "batch norm on" in report.notes[0] and any("scaling:" in note for note in report.notes)


class Named:
    """A net that is told by its name alone."""

    def __init__(self, name, given):
        self.name, self.given = name, given


def test_speed_alone_is_of_every_model_and_batch(monkeypatch, clock, shown):
    monkeypatch.setattr(speed.profiled.models, "create", lambda name, *_, **given: Named(name, given))
    given = []

    def inference(model, x):
        given.append(model)
        return clock(0.001 * len(x) * (1 if model.name == "uwnet1" else 3))

    monkeypatch.setattr(speed.workload, "inference", inference)
    report = speed.measure(speed.Setup(False, ("uwnet1", "uwnet2"), (2, 8), batch_norm=False, rounds=2))
    given = [(model.name, model.given["batch_norm"]) for model in given]
    assert given == [("uwnet1", False)] * 2 + [("uwnet2", False)] * 2
    found = [(row["model"], row["batch"], row["threads"], row["cynet ms/pass"]) for row in shown(report)]
    n = str(get_num_threads())
    assert found == [("uwnet1", "2", n, "2.00"), ("uwnet1", "8", n, "8.00"),
                     ("uwnet2", "2", n, "6.00"), ("uwnet2", "8", n, "24.0")]  # fmt: skip
    assert report.notes == ("Medians; batch norm off.",)


def test_a_chosen_number_of_rounds_is_that_and_else_the_budget_grows_with_the_contestants(clock):
    for names, rounds in (("a", 20), ("ab", 10)):
        contestants = [timing.Contestant(name, clock(0.05)) for name in names]
        assert len(timing.take_turns(contestants, None, 2.0)["a"]) == rounds


def test_a_way_in_which_the_peer_cannot_train_is_left_out_of_training_alone(monkeypatch, clock, peer):
    peer.trains_in = lambda net, way: way == "two"
    peer.training_step = peer.inference = lambda *_: clock(0.02)
    monkeypatch.setattr(speed.workload, "training_step", lambda *_: clock(0.01))
    monkeypatch.setattr(speed.workload, "inference", lambda *_: clock(0.01))
    for training, ways in ((True, {"two"}), (False, {"one", "two"})):
        setup = speed.Setup(training, ("uwnet0",), (2,), peer="other", rounds=1)
        (row,) = speed.measure(setup).rows
        assert set(row["peer_ways"]) == ways and row["side"] is None


def test_memory_is_of_the_ways_in_which_the_peer_trains(children, peer):
    peer.trains_in = lambda net, way: way == "two"
    (row,) = processes.memory(speed.Setup(True, ("uwnet2",), (4,), peer="other"), repeat=1).rows
    assert set(row["peer_ways"]) == {"two"} and [job.get("way") for job in children] == [None, "two"]
    assert children[1]["shape"] == [32, 32, 3]


def test_the_side_that_was_asked_for_is_that_of_the_pictures(monkeypatch, clock, shown):
    seen = []
    monkeypatch.setattr(
        speed.workload,
        "inference",
        lambda model, x: seen.append((model.checked_shape(x.shape), x.shape)) or clock(1),
    )
    report = speed.measure(speed.Setup(False, ("uwnet2",), (2,), rounds=1, side=48))
    assert seen == [((2, 10), (2, 48, 48, 3))] and shown(report)[0]["side"] == "48"
