"""What processes that train together compare before the first step, and how what differs is told."""

import importlib
import itertools
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny
from thread_world import together

import cynet
from cynet import cli
from cynet.runs import checkpoint
from cynet.runs import together as runs_together
from cynet.runs.errors import FailedError, RefusedError
from cynet.runs.nets import OwnNet
from cynet.runs.origins import Names
from cynet.runs.session import Session
from cynet.runs.settings import DEFAULTS, Settings
from cynet.runs.state import capture
from cynet.runs.trainers import trainer_of
from cynet.runs.weights import digests
from cynet.train.shards.sharding import Sharding
from cynet.train.shards.world import RankFailedError, World
from cynet.train.trainer import Trainer


def session(**settings):
    dataset = SimpleNamespace(fingerprint=lambda: "10x1")
    batches = SimpleNamespace(dataset=dataset)
    return SimpleNamespace(
        settings=Settings(**settings), batches=batches, test_batches=batches, model=cynet.ReLU(), net=None
    )


def agreed(monkeypatch, sessions, **options):
    """What `agree` raises in each rank; None."""
    here = threading.local()
    monkeypatch.setattr(runs_together, "current", lambda: getattr(here, "world", None))

    def run(world):
        here.world = world
        try:
            runs_together.agree(sessions[world.rank], Names(), **options)
        except RefusedError as error:
            return str(error)
        return None

    return together(len(sessions), run)


def test_the_same_on_all_is_agreed_on_and_free_settings_may_differ(monkeypatch):
    sessions = [session(threads=1), session(threads=2), session(data_dir="elsewhere")]
    assert agreed(monkeypatch, sessions) == [None] * 3


def test_each_difference_is_told_with_its_ranks_in_all_of_them(monkeypatch):
    sessions = [session(), session(lr=0.5), session(), session(lr=0.5, seed=3)]
    sessions[2].batches = SimpleNamespace(dataset=SimpleNamespace(fingerprint=lambda: "11x1"))
    (found,) = set(agreed(monkeypatch, sessions))
    assert found.startswith("ranks: wanted the same on all, got fingerprint of the data: ")
    assert "data: 10x1 on ranks 0-1, 3, 11x1 on rank 2;" in found
    assert (
        "lr: None on ranks 0, 2, 0.5 on ranks 1, 3" in found and "seed: 0 on ranks 0-2, 3 on rank 3" in found
    )


def test_other_code_of_a_net_is_refused_but_not_where_it_is_kept_as_data(monkeypatch):
    made = [session() for _ in range(3)]
    for each, source in zip(made, (b"1", b"2", None), strict=True):
        each.net = OwnNet("net.py:net", cynet.ReLU, source)
    (found,) = set(agreed(monkeypatch, made))
    assert found.startswith("ranks: wanted the same on all, got code of the net: ") and "rank 2" not in found
    made[1].net = OwnNet("net.py:net", cynet.ReLU, b"1", imports={"a.py": b""})
    assert None not in agreed(monkeypatch, made)
    made[1].net = made[0].net
    assert agreed(monkeypatch, made) == [None] * 3


def test_other_code_of_layers_of_ones_own_is_refused(monkeypatch, tmp_path):
    """Of a net that is registered by name: the file where it and its layers are."""
    monkeypatch.syspath_prepend(tmp_path)
    for name, more in (("own_here", ""), ("own_there", ""), ("own_other", "X = 1\n")):
        (tmp_path / f"{name}.py").write_text(f"import cynet\nclass Own(cynet.ReLU):\n    pass\n{more}")
    made = [session() for _ in range(3)]
    for each, name in zip(made, ("own_here", "own_there", "own_other"), strict=True):
        each.model = cynet.Sequential(importlib.import_module(name).Own())
    assert agreed(monkeypatch, made[:2]) == [None] * 2
    (found,) = set(agreed(monkeypatch, made))
    assert found.startswith("ranks: wanted the same on all, got code of the net: ")
    assert runs_together._code_of(made[0].model, "uwnet1") == runs_together._code_of(made[1].model, "")
    assert runs_together._code_of(cynet.ReLU(), "uwnet1") == ""


def test_another_kind_of_processor_is_allowed_by_name(monkeypatch):
    here = threading.local()
    kinds = itertools.cycle(["one", "other"])

    def processor():
        if not hasattr(here, "kind"):
            here.kind = next(kinds)
        return here.kind, "avx2"

    monkeypatch.setattr(runs_together, "_processor", processor)
    (found,) = set(agreed(monkeypatch, [session(), session()]))
    assert "processor family: " in found and "allow_mixed" in found
    assert agreed(monkeypatch, [session(), session()], allow_mixed=True) == [None, None]
    told = set(agreed(monkeypatch, [session(), session(seed=1)], allow_mixed=True))
    assert None not in told


def test_only_several_processes_without_a_number_of_shards_have_eight(monkeypatch):
    origins = dict.fromkeys(DEFAULTS, "default")
    assert runs_together.with_shards({"shards": 1}, origins) == {"shards": 1}
    monkeypatch.setattr(runs_together, "current", lambda: SimpleNamespace(size=1))
    assert runs_together.with_shards({"shards": 1}, origins) == {"shards": 8}
    assert runs_together.with_shards({"shards": 1}, origins | {"shards": "flag"}) == {"shards": 1}


def test_a_run_takes_the_shards_of_init_where_its_settings_do_not_say(monkeypatch):
    origins = dict.fromkeys(DEFAULTS, "default")
    monkeypatch.setattr(Trainer, "sharding", Sharding(4, sync_batch_norm=True))
    monkeypatch.setattr(runs_together, "current", lambda: SimpleNamespace(size=1))
    assert runs_together.with_shards({}, origins) == {"shards": 4, "sync_batch_norm": True}
    assert runs_together.with_shards({}, origins | {"sync_batch_norm": "flag"}) == {"shards": 4}
    model = cynet.models.create("uwnet1", (8, 8, 3), 4)
    assert trainer_of(model, Settings(shards=1, steps=2, lr=0.1)).sharding is None


def test_of_the_run_before_no_signal_or_failure_is_left(monkeypatch):
    world = World()
    world.size = 2
    monkeypatch.setattr(runs_together, "current", lambda: world)
    for number in (1, 2):
        world.agreed, world.failed, world.patient = 15, True, False
        with runs_together.told_to_others():
            assert (world.agreed, world.failed, world.patient, world.number) == (0, False, True, number)


def test_the_others_are_told_of_an_error_once(monkeypatch):
    said = []
    world = World()
    world.size, world.fail = 2, lambda text, number: said.append(text)
    monkeypatch.setattr(runs_together, "current", lambda: world)
    with pytest.raises(RefusedError), runs_together.told_to_others():
        raise RefusedError("data_dir: no such folder")
    with pytest.raises(KeyError), runs_together.told_to_others():
        raise KeyError("a")
    with pytest.raises(FailedError, match="rank 1: gone"), runs_together.told_to_others():
        raise RankFailedError(1, "rank 1: gone")
    assert said == ["data_dir: no such folder", "KeyError: 'a'"]


def test_this_machine_has_a_kind_of_processor():
    family, features = runs_together._processor()
    assert family and features == " ".join(sorted(features.split()))


# -- the command ---------------------------------------------------------------------------------------------
def test_without_mpi4py_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert cli.main(["train", "--distributed"]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and "--distributed" in text and 'pip install "cynet[distributed]"' in text


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--allow-mixed"], "--allow-mixed: wanted --distributed beside it"),
        (["--distributed", "--lr-find"], "--lr-find: not allowed with argument --distributed"),
        (
            ["--sync-batch-norm", "--batch-size", "32", "--data", "tiny"],
            "--sync-batch-norm: wanted shards of 2 or more",
        ),
        (
            ["--shards", "64", "--batch-size", "32", "--data", "tiny"],
            "--shards: wanted at most the batch_size",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(flags, told, capsys, tmp_path, monkeypatch):
    def begin(timeout):
        raise ImportError("no MPI here")  # it would last as long as this process

    monkeypatch.setattr("cynet.distributed.start.begin", begin)
    assert cli.main(["train", *flags, "--run-dir", str(tmp_path / "run")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


# -- beside the first process --------------------------------------------------------------------------------
def beside(monkeypatch, data=None, call=None, **settings):
    """(the `Outcome` beside a first process that begins as this one would, what came of the session)."""
    settings = {"data": "tiny", "model": "uwnet1", "batch_size": 16, "steps": 6, "lr": 0.01} | settings
    training, test = tiny.tiny(), tiny.tiny(split="test")
    plain = Settings(workers=0, threads=1, **settings).resolved(training)
    with Session(replace(plain, seed=1), training, test) as one:
        handed = checkpoint.pack(*capture(one)) if data is None else data
    monkeypatch.setattr(runs_together, "hand_out", lambda given: handed if given == b"" else given)
    with Session(plain, training, test, initial=False) as other:
        if call is not None:
            step = other.trainer.step
            monkeypatch.setattr(
                other.trainer, "step", lambda *batch: call(other.trainer.steps) or step(*batch)
            )
        outcome = runs_together.follow(other)
        return outcome, digests(other.model)


def test_the_others_end_where_the_first_one_does(monkeypatch):
    outcome, weights = beside(monkeypatch, seed=1)
    assert (outcome.status, outcome.step, outcome.steps, outcome.measure) == ("finished", 6, 6, "test")
    assert (outcome.best, outcome.test, outcome.last.step, outcome.folder) == (None, None, 6, Path())
    assert outcome.signal is outcome.error is None
    again, same = beside(monkeypatch, seed=1, validation=0.25)
    assert again.measure == "validation" and again.last.step == 6 and same != weights


def test_where_nothing_is_left_to_train_nothing_is_trained(monkeypatch):
    outcome, weights = beside(monkeypatch, b"")
    assert (outcome.status, outcome.step, outcome.steps, outcome.last) == ("finished", 0, 6, None)
    assert weights != beside(monkeypatch)[1]


def test_a_signal_stops_the_others_after_the_step_under_way(monkeypatch):
    def call(steps):
        if steps == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    outcome, _ = beside(monkeypatch, call=call)
    assert (outcome.status, outcome.step, outcome.signal) == ("stopped", 4, signal.SIGTERM)


def test_a_loss_that_is_no_number_ends_the_others_with_its_words(monkeypatch):
    outcome, _ = beside(monkeypatch, lr=1e30, batch_norm=False)
    assert outcome.status == "diverged" and outcome.step < 6
    assert (
        outcome.error.startswith("the training loss is ") and f"at step {outcome.step + 1}" in outcome.error
    )
