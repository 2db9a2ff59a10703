"""What a run writes while it goes, when, in which order, and when it has had enough."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny

from cynet.runs import checkpoint, recorder
from cynet.runs.recorder import is_round, out_of_patience
from cynet.runs.weights import digests
from cynet.train import Keeper, Recorder, RunFolder, Session, Settings, load_weights
from cynet.train.loop import Progress, Result
from cynet.train.metrics import Evaluation

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the test moves on."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(recorder, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


@pytest.fixture
def made(tmp_path):
    """A function: a session with these settings, and a folder for it."""
    opened = []

    def make(**settings):
        settings = {"data": "tiny", "model": "uwnet2", "batch_size": 8, "workers": 0, "steps": 24} | settings
        training = tiny.tiny()
        session = Session(Settings(**settings).resolved(training), training, tiny.tiny(split="test"))
        folder = RunFolder(tmp_path / "run" if not opened else tmp_path / f"run{len(opened)}")
        folder.write_config(session.settings.flat())
        opened.extend((session, folder))
        return session, folder

    yield make
    for each in opened:
        each.close() if isinstance(each, RunFolder) else each.__exit__()


def result(step, epoch, right, lr=0.05, measure="test"):
    """An evaluation of four pictures with so many right."""
    confusion = np.array([[right, 4 - right], [0, 0]])
    return Result(
        step, epoch, lr, 1 / 3, Evaluation(0.123456789, np.array([4, 0]), confusion), 2 / 3, measure
    )


def text(folder, name):
    folder.sync()
    return (folder.path / name).read_text().splitlines()


# -- rows --------------------------------------------------------------------------------------------------
def test_a_row_of_a_step_has_the_numbers_of_that_step(made, clock):
    session, folder = made()
    one = Recorder(folder, session)
    clock.seconds += 2.5
    one.stepped(Progress(3, 2, 1 / 3, 1.2345678901234567, 8, 3))
    assert text(folder, "steps.csv") == [
        "step,epoch,lr,loss,accuracy,seconds", "3,2,0.333333,1.2345678901234567,0.375,2.500",
    ]  # fmt: skip


def test_a_row_of_an_evaluation_has_the_numbers_of_that_evaluation(made, clock):
    session, folder = made()
    one = Recorder(folder, session)
    clock.seconds += 7.125
    one.evaluated(result(8, 1, 3))
    assert text(folder, "metrics.csv") == [
        "step,epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds",
        "8,1,0.05,0.333333,0.666667,0.123457,0.75,7.12",
    ]


def test_the_time_goes_on_from_that_of_the_parts_before(made, clock):
    session, folder = made()
    one = Recorder(folder, session, seconds=100.0)
    assert one.seconds == 100.0
    clock.seconds += 5
    assert one.seconds == 105.0
    one.stepped(Progress(1, 1, 0.1, 2.0, 8, 4))
    assert text(folder, "steps.csv")[1].endswith(",105.000")
    _, state = Keeper(folder, session, one, {"lr": "flag"})._contents()
    assert (state["seconds"], state["origin"], state["best"]) == (105.0, {"lr": "flag"}, None)
    assert Recorder(made()[1], session).seconds == 0.0


def test_an_evaluation_on_other_pictures_is_refused(made):
    session, folder = made()
    with pytest.raises(ValueError, match="measure: wanted evaluations on the test pictures, as configured"):
        Recorder(folder, session).evaluated(result(8, 1, 3, measure="validation"))


# -- digests -----------------------------------------------------------------------------------------------
def test_digests_are_kept_at_round_steps():
    wanted = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]
    assert [step for step in range(1, 10_002) if is_round(step)] == wanted
    assert not is_round(0)  # before the first: kept when a training begins


def test_digests_are_of_the_weights_after_their_step_and_once_each(made):
    session, folder = made()
    one, seen = Recorder(folder, session), {0: digests(session.model)}
    batches = iter(session.batches)
    for step in range(1, 8):
        x, y = next(batches)
        loss = session.trainer.step(x, y)
        one.stepped(Progress(step, 1, 0.1, loss, 8, 4))
        seen[step] = digests(session.model)
    one.evaluated(result(7, 1, 3))
    one.evaluated(result(7, 1, 3))
    folder.sync()
    found = {}
    for row in folder.digests.rows():
        assert row["tensor"] not in found.setdefault(int(row["step"]), {}), "twice"
        found[int(row["step"])][row["tensor"]] = row["sha256"]
    assert found == {step: seen[step] for step in (0, 1, 2, 5, 7)}


def test_a_recorder_of_a_run_that_goes_on_repeats_no_digest(made):
    session, folder = made()
    first = Recorder(folder, session)
    session.trainer.step(*next(iter(session.batches)))
    first.stepped(Progress(1, 1, 0.1, 2.0, 8, 4))
    folder.sync()
    before = len(folder.digests.rows())
    again = Recorder(folder, session)
    again.evaluated(result(1, 1, 3))
    folder.sync()
    assert len(folder.digests.rows()) == before


# -- the best ----------------------------------------------------------------------------------------------
def test_the_best_is_the_first_of_the_greatest_accuracy(made):
    session, folder = made()
    one = Recorder(folder, session)
    kept, weights = [], session.model.parameters()[0]
    for step, right in enumerate((1, 3, 3, 2, 4, 0), 1):
        weights.data[...] = step
        one.evaluated(result(8 * step, step, right))
        found = load_weights(folder.best)[0].parameters()[0].data
        kept.append((one.best["accuracy"], one.best["step"], one.best["epoch"], found.flat[0]))
        assert load_weights(folder.weights)[0].parameters()[0].data.flat[0] == step
    assert kept == [
        (0.25, 8, 1, 1), (0.75, 16, 2, 2), (0.75, 16, 2, 2), (0.75, 16, 2, 2), (1.0, 40, 5, 5),
        (1.0, 40, 5, 5),
    ]  # fmt: skip


def test_a_best_from_before_is_not_overwritten_by_an_equal_one(made):
    session, folder = made()
    best = {"accuracy": 0.75, "step": 8, "epoch": 1}
    one = Recorder(folder, session, best)
    one.evaluated(result(16, 2, 3))
    assert one.best is best and not folder.best.exists() and folder.weights.exists()
    one.evaluated(result(24, 3, 4))
    assert one.best == {"accuracy": 1.0, "step": 24, "epoch": 3} and folder.best.exists()


def test_the_weights_that_are_kept_are_the_average(made):
    session, folder = made(ema=0.9)
    one = Recorder(folder, session)
    session.trainer.step(*next(iter(session.batches)))
    one.evaluated(result(1, 1, 3))
    name = session.model.parameters()[0].name
    own = session.model.parameters()[0].data
    for path in (folder.weights, folder.best):
        found = load_weights(path)[0].state_dict()[name]
        np.testing.assert_array_equal(found, session.trainer.average.arrays[name])
        assert not np.array_equal(found, own)


# -- patience ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("patience", "best", "epochs", "wanted"), [
    (3, 5, 7, False), (3, 5, 8, True), (3, 5, 9, True), (1, 5, 5, False), (1, 5, 6, True),
    (None, 5, 99, False), (3, None, 99, False),
])  # fmt: skip
def test_patience_ends_after_exactly_so_many_epochs(patience, best, epochs, wanted):
    assert out_of_patience(patience, best and {"accuracy": 0.5, "step": 1, "epoch": best}, epochs) is wanted


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_a_run_without_progress_ends_so_many_epochs_after_its_best(made, patience):
    session, folder = made(lr=0.0, batch_norm=False, steps=80, patience=patience)  # nothing is learnt
    session.train([Recorder(folder, session)])
    folder.sync()
    assert [row["epoch"] for row in folder.metrics.rows()] == [*range(1, patience + 2)]
    assert session.trainer.steps == 8 * (patience + 1)


# -- order of writing --------------------------------------------------------------------------------------
@pytest.fixture
def written(monkeypatch):
    """What is written, in its order."""
    order, sync = [], RunFolder.sync
    monkeypatch.setattr(RunFolder, "sync", lambda folder: order.append("rows") or sync(folder))
    monkeypatch.setattr(recorder, "save_weights", lambda path, *_: order.append(path.name))
    monkeypatch.setattr(
        checkpoint, "save", lambda path, tensors, state: order.append((path.name, state.get("step")))
    )
    return order


def test_rows_are_safe_before_weights_and_these_before_the_checkpoint(made, written):
    session, folder = made(checkpoint_every=4)
    one = Recorder(folder, session)
    session.train([one, Keeper(folder, session, one, {})])
    evaluation = ["rows", "last.safetensors", "best.safetensors", "rows"]
    assert written[:8] == ["rows", ("last.ckpt", 4), "rows", ("last.ckpt", 8), *evaluation]
    assert written[8] == ("last.ckpt", 8)
    steps = [each[1] for each in written if isinstance(each, tuple)]
    assert steps == [4, 8, 8, 12, 16, 16, 20, 24, 24]
    for number, each in enumerate(written):
        if isinstance(each, tuple):
            assert written[number - 1] == "rows"


def test_a_checkpoint_after_an_evaluation_knows_the_best_of_it(made):
    session, folder = made()
    one = Recorder(folder, session)
    session.train([one, Keeper(folder, session, one, {})])
    state = checkpoint.load(folder.path / checkpoint.NAME)[1]
    assert state["best"] == one.best is not None
    assert (state["step"], state["place"]["epoch"], state["place"]["count"]) == (24, 3, 0)


# -- when checkpoints are due ------------------------------------------------------------------------------
def saves(keeper, clock, moments):
    """The moments, in seconds since the beginning, at which a step makes it save."""
    found, start = [], clock.seconds
    keeper._contents = lambda: ({}, {})
    for step, moment in enumerate(moments, 1):
        clock.seconds = start + moment
        before = keeper.due
        keeper.stepped(Progress(step, 1, 0.1, 1.0, 8))
        if keeper.due != before:
            found.append(moment)
    return found


def test_minutes_are_counted_from_the_save_before(made, clock, written):
    session, folder = made(checkpoint_minutes=2)
    keeper = Keeper(folder, session, Recorder(folder, session), {})
    assert saves(keeper, clock, [0, 119.9, 120, 121, 239.9, 240, 300, 360.5, 480, 480.5]) == [
        120,
        240,
        360.5,
        480.5,
    ]


def test_an_evaluation_puts_the_next_save_off(made, clock, monkeypatch):
    session, folder = made(checkpoint_minutes=2)
    keeper = Keeper(folder, session, Recorder(folder, session), {})
    clock.seconds += 100
    keeper.evaluated(result(8, 1, 3))
    assert keeper.path.exists() and keeper.due == clock.seconds + 120


def test_none_and_zero_are_never(made, clock, written):
    session, folder = made(checkpoint_minutes=0)
    keeper = Keeper(folder, session, Recorder(folder, session), {})
    assert saves(keeper, clock, [1, 1e3, 1e9]) == []


def test_steps_are_those_that_the_number_divides(made, written):
    session, folder = made(checkpoint_every=3, checkpoint_minutes=0)
    keeper = Keeper(folder, session, Recorder(folder, session), {})
    found = []
    for step in range(1, 11):
        before = len(written)
        keeper.stepped(Progress(step, 1, 0.1, 1.0, 8))
        found += [step] * (len(written) > before)
    assert found == [3, 6, 9]
