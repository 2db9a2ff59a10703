"""Runs of several labels, and of numbers: tables, best weights, the same bytes, what their files tell."""

import json
from dataclasses import replace

import numpy as np
import pytest

import cynet
from cynet import runs
from cynet.data import ArrayDataset, DataLoader
from cynet.data.sets import array_files
from cynet.runs import contents, matching, overview, state
from cynet.runs.errors import RefusedError
from cynet.runs.replay import verify
from cynet.runs.saved import Saved
from cynet.train import Predictor, Session, Settings, load_weights

pytestmark = pytest.mark.usefixtures("one_thread")
SETTINGS = Settings(model="uwnet1", data="arrays", batch_size=10, steps=9, lr=0.01, workers=0, threads=1)


def members(task, count=40, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, 32, 32, 3), np.uint8)
    labels = rng.integers(0, 2, (count, 3))
    labels[0] = 1
    for k in range(3):
        images[labels[:, k] == 1, :, :, k] += 120
    return images, labels if task == "multilabel" else (labels.sum(1) - 1.5).astype(np.float32)


@pytest.fixture(params=["multilabel", "regress"])
def task(request):
    return request.param


@pytest.fixture
def file(tmp_path, task):
    (a, b), (c, d) = members(task), members(task, 17, 1)
    path = tmp_path / "arrays.npz"
    np.savez(path, train_images=a, train_labels=b, test_images=c, test_labels=d)
    return path


def started(file, folder, **changes):
    settings = replace(SETTINGS, data_dir=str(file), **changes)
    return runs.start(settings, folder, report=False, say=None)


COLUMNS = {
    "multilabel": ["train_accuracy", "test_loss", "test_ap", "test_f1", "test_accuracy"],
    "regress": ["test_loss", "test_rmse", "test_mae", "test_r2"],
}


def test_a_run_keeps_what_its_task_measures(tmp_path, file, task):
    outcome = started(file, tmp_path / "run")
    run = runs.open(tmp_path / "run")
    assert outcome.status == "finished" and run.notes() == () and run.task == task
    assert list(run.epochs) == ["step", "epoch", "lr", "train_loss", *COLUMNS[task], "seconds"]
    assert ("accuracy" in run.steps) == (task == "multilabel") and len(run.steps["step"]) == 9
    score = {"multilabel": "ap", "regress": "rmse"}[task]
    pick = max if task == "multilabel" else min
    assert outcome.best[score] == pytest.approx(pick(run.epochs[f"test_{score}"]), rel=1e-5)
    assert f"best test {'average precision' if task == 'multilabel' else 'RMSE'}" in str(outcome)
    model, facts = load_weights(tmp_path / "run")
    assert facts.task == task and len(facts.classes) == (3 if task == "multilabel" else 1)
    assert model(np.zeros((1, 32, 32, 3), np.float32)).shape == (1, len(facts.classes))
    assert run.settings.task == task and run.settings.loss == ("mse" if task == "regress" else None)
    seen = overview.read(tmp_path / "run")
    assert seen.best == pytest.approx(outcome.best[score], rel=1e-5) and seen.state == "finished"


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(tmp_path, file):
    whole = started(file, tmp_path / "whole", validation=0.2)
    started(file, tmp_path / "part", validation=0.2, steps=4)
    part = runs.resume(tmp_path / "part", steps=9, allow_change=["steps"], report=False, say=None)
    assert whole.weights.read_bytes() == part.weights.read_bytes()
    assert whole.best_weights.read_bytes() == part.best_weights.read_bytes()
    with runs.open(tmp_path / "part").replay() as replay:
        assert verify(replay, runs.open(tmp_path / "part").history, 9) == []
    tested = runs.open(tmp_path / "part").tested
    assert tested["samples"] == 17 and tested["steps"] == 9


def test_the_bytes_do_not_depend_on_threads_and_workers(tmp_path, file):
    one = started(file, tmp_path / "one")
    other = started(file, tmp_path / "other", threads=2, workers=1)
    assert one.weights.read_bytes() == other.weights.read_bytes()


@pytest.mark.parametrize("loss", ["l1", "huber"])
def test_each_loss_of_numbers_has_weights_of_its_own(tmp_path, loss):
    images, labels = members("regress")
    found = set()
    for name in ("mse", loss):
        training = ArrayDataset(images, 3 * labels, layout="NHWC")
        settings = Settings(model="uwnet1", batch_size=10, steps=2, lr=0.01, loss=name, workers=0, threads=1)
        with Session(settings.resolved(training), training, training) as session:
            session.train()
            found.add(session.model.state_dict()["0.weight"].tobytes())
    assert len(found) == 2


def test_a_predictor_answers_as_the_task_does(tmp_path, file, task):
    started(file, tmp_path / "run", steps=60, lr=0.02 if task == "multilabel" else 0.002)
    predictor = Predictor(tmp_path / "run")
    images, labels = members(task, 6, 2)
    found = predictor(images)
    assert found.task == task and len(found) == 6
    if task == "multilabel":
        assert found.probabilities.shape == (6, 3) and found.labels.dtype == bool
        assert found.predicted[0] == tuple(str(k) for k in np.flatnonzero(found.labels[0]))
        assert (found.labels == labels).mean() > 0.8
        with pytest.raises(AttributeError, match="values: wanted a model of task regress, got one"):
            found.values  # noqa: B018 as it is asked for
    else:
        assert found.values.shape == (6, 1) and found.predicted[0] == (found.values[0, 0],)
        assert np.corrcoef(found.values[:, 0], labels)[0, 1] > 0.5
    np.save(tmp_path / "some.npy", images)
    again = predictor(tmp_path / "some.npy")
    assert again.probabilities.tobytes() == found.probabilities.tobytes()
    assert again.names[1] == f"{tmp_path / 'some.npy'}[1]"


@pytest.mark.parametrize("changes, problem", [
    ({"task": "classify"}, "task: wanted {task}, as the labels are, got classify"),
    ({"label_smoothing": 0.1}, "label_smoothing: wanted 0 for labels of task {task}, got 0.1"),
    ({"balanced": True}, "balanced: wanted False for labels of task {task}, got True"),
])  # fmt: skip
def test_settings_that_are_none_of_the_task_are_refused(task, changes, problem):
    images, labels = members(task)
    training = ArrayDataset(images, labels, layout="NHWC")
    with pytest.raises(ValueError) as caught:
        replace(SETTINGS, **changes).resolved(training)
    assert str(caught.value) == problem.format(task=task)


def test_a_loss_is_of_numbers_alone(tmp_path):
    images, labels = members("multilabel")
    with pytest.raises(ValueError, match="loss: wanted task regress beside it, got labels of task m"):
        replace(SETTINGS, loss="l1").resolved(ArrayDataset(images, labels, layout="NHWC"))
    with pytest.raises(RefusedError, match="task: wanted classify, as the labels of shapes10 are"):
        runs.start(Settings(task="regress"), tmp_path / "run", say=None)
    with pytest.raises(RefusedError, match="loss: wanted task regress beside it, got labels of task c"):
        runs.start(Settings(loss="l1", steps=1), tmp_path / "run", say=None)


def test_a_run_of_classes_has_the_files_that_it_always_had(tmp_path):
    images, labels = members("multilabel")
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels[:, 0], x_test=images, y_test=labels[:, 0])
    outcome = started(tmp_path / "a.npz", tmp_path / "run", steps=2)
    text = (tmp_path / "run" / "config.toml").read_text()
    assert "task" not in text and "loss" not in text and "layout" not in text
    assert (
        (tmp_path / "run" / "metrics.csv")
        .read_text()
        .startswith("step,epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n")
    )
    _, notes = cynet.interop.safetensors.load(outcome.weights)
    assert "task" not in notes and "kind" not in notes


def test_a_score_that_no_training_wrote_is_named(task):
    images, labels = members(task)
    training = ArrayDataset(images, labels, layout="NHWC")
    with Session(SETTINGS.resolved(training), training, training) as session:
        score = session.task.measures.score
        _, found = state.capture(session, best={score: 0.5, "step": 0, "epoch": 1})
        assert Saved.of(json.loads(json.dumps(found))).best[score] == 0.5
        for best, problem in [
            ({"accuracy": 0.5, "step": 0, "epoch": 1}, f"best does not fit a run: missing: {score}"),
            ({score: -0.5, "step": 0, "epoch": 1}, f"best.{score}: wanted a number in"),
        ]:
            with pytest.raises(ValueError, match=problem):
                Saved.of(found | {"best": best})


def test_labels_that_no_test_sample_has_are_no_reason_to_stop(tmp_path):
    images, labels = members("multilabel")
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images[:4], y_test=labels[:4] * 0)
    outcome = started(tmp_path / "a.npz", tmp_path / "run", steps=4)
    assert outcome.status == "finished" and outcome.best["ap"] is None
    assert str(outcome).endswith("; best test average precision nan")
    assert contents.read(tmp_path / "run").epochs["test_ap"] == [None]
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "test ap nan" in log and "\nbest test average precision nan, after 4 steps: " in log
    assert log.endswith("test average precision nan\n") and overview.read(tmp_path / "run").best is None
    again = runs.resume(tmp_path / "run", steps=8, allow_change=["steps"], report=False, say=None)
    assert (again.best["ap"], again.best["step"]) == (None, 4)


def test_rows_and_signals_are_trained_evaluated_and_predicted(tmp_path):
    @cynet.models.register()
    def flat_net(batch_norm, classes, channels):
        return cynet.Sequential(cynet.Linear(channels, 8), cynet.ReLU(), cynet.Linear(8, classes))

    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((60, 5)) * [1, 10, 100, 1e-3, 1e6] + 3).astype(np.float32)
    numbers = (rows[:, 0] - rows[:, 2] / 100).astype(np.float32)
    np.savez(
        tmp_path / "a.npz", x_train=rows[:40], y_train=numbers[:40], x_test=rows[40:], y_test=numbers[40:]
    )
    outcome = started(tmp_path / "a.npz", tmp_path / "run", model="flat_net", steps=150, lr=0.05)
    _, facts = load_weights(tmp_path / "run")
    assert facts.picture_shape == (5,) and facts.kind == "float32" and len(facts.mean) == 5
    assert outcome.test.r2 > 0.9
    found = Predictor(tmp_path / "run")(rows[:3])
    np.testing.assert_allclose(found.values[:, 0], numbers[:3], atol=0.6)
    matched = matching.load(facts, "arrays", tmp_path / "a.npz", "test")
    with DataLoader(matched.known, 5, workers=0) as loader:
        assert next(iter(loader))[0].shape == (5, 5)
    with pytest.raises(ValueError, match=r"sample 0: wanted float32 of 5 features, \(5,\), or several of"):
        Predictor(tmp_path / "run")(rows[:3, :4])


@pytest.mark.parametrize(("layout", "length"), [("NLC", 64), ("NCL", 8192)])
def test_signals_are_a_run_like_any_other(tmp_path, layout, length):
    rng = np.random.default_rng(0)
    signals = rng.standard_normal((12, length, 2)).astype(np.float32)
    labels = np.arange(12) % 3
    kept = signals if layout == "NLC" else signals.transpose(0, 2, 1)
    path = tmp_path / "a.npz"
    np.savez(path, x_train=kept, y_train=labels, x_test=kept[:6], y_test=labels[:6])
    outcome = started(
        path, tmp_path / "run", model="conv1d_small", layout=layout, batch_size=4, steps=3, augment=False
    )
    log = (tmp_path / "run" / "log.txt").read_text()
    assert outcome.status == "finished"
    assert "12 training and 6 test signals of 3 classes\n" in log and "activation bytes a signal\n" in log
    again = runs.resume(tmp_path / "run", steps=5, allow_change=["steps"], report=False, say=None)
    whole = started(
        path, tmp_path / "whole", model="conv1d_small", layout=layout, batch_size=4, steps=5, augment=False
    )
    assert again.weights.read_bytes() == whole.weights.read_bytes()
    run = runs.open(tmp_path / "whole")
    with run.replay() as replay:
        assert verify(replay, run.history, 2) == []
    np.save(tmp_path / "some.npy", signals[:3])
    np.savez(tmp_path / "some.npz", anything=signals[:3])
    found, same, of_file = (
        Predictor(tmp_path / "run")(tmp_path / name) for name in ("some.npy", "some.npz", "some.npy")
    )
    np.testing.assert_array_equal(found.probabilities, same.probabilities)
    assert of_file.names == tuple(f"{tmp_path / 'some.npy'}[{k}]" for k in range(3))
    runs.write_report(tmp_path / "run", tmp_path / "page.html", say=lambda text: None)
    assert (tmp_path / "page.html").stat().st_size > 10_000


def test_of_a_file_of_several_arrays_the_samples_for_testing_are_taken(tmp_path):
    rows = np.zeros((3, 2), np.float32)
    np.savez(tmp_path / "a.npz", x_train=rows, y_train=[0, 1, 1], x_test=rows[:2] + 1, y_test=[0, 1])
    np.testing.assert_array_equal(array_files.samples_in(tmp_path / "a.npz"), rows[:2] + 1)
    np.savez(tmp_path / "b.npz", left=rows, right=rows)
    with pytest.raises(ValueError, match=r"wanted one array of samples, or one called .*, got left, right"):
        array_files.samples_in(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz")
    with pytest.raises(ValueError, match="got no array"):
        array_files.samples_in(tmp_path / "c.npz")


def test_a_run_of_several_labels_says_what_it_was_begun_from(tmp_path, file):
    started(file, tmp_path / "base", steps=2)
    started(file, tmp_path / "tuned", steps=2, init_from=str(tmp_path / "base"), new_head=True)
    assert "\nbegun from " in (tmp_path / "tuned" / "log.txt").read_text()
