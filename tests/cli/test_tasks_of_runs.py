"""Several labels, and numbers, on the command line: what is said, and what is refused in one line."""

import json

import numpy as np
import pytest

from cynet import cli

pytestmark = pytest.mark.usefixtures("one_thread")
RNG = np.random.default_rng(0)
TRAINING = [
    "--model", "uwnet1", "--batch-size", "10", "--steps", "8", "--lr", ".01", "--workers", "0",
    "--threads", "1", "--no-report",
]  # fmt: skip


def said(capsys, *words):
    """(exit status, standard output, standard error) of a command."""
    status = cli.main([*map(str, words)])
    return status, *capsys.readouterr()


@pytest.fixture(scope="module", params=["multilabel", "regress"])
def made(request, tmp_path_factory):
    """(task, folder with a file of arrays and a run)"""
    folder = tmp_path_factory.mktemp(request.param)
    images = RNG.integers(0, 256, (30, 32, 32, 3), np.uint8)
    labels = RNG.integers(0, 2, (30, 2)) if request.param == "multilabel" else RNG.standard_normal((30, 2))
    labels[0] = 1
    np.savez(
        folder / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels, classes=["left", "up"]
    )
    np.save(folder / "some.npy", images[:2])
    assert (
        cli.main(["train", "--data", str(folder / "a.npz"), *TRAINING, "--run-dir", str(folder / "run")]) == 0
    )
    return request.param, folder


SCORE = {"multilabel": "average precision", "regress": "RMSE"}


def test_a_training_ends_with_its_score(made, capsys):
    task, folder = made
    log = (folder / "run" / "log.txt").read_text()
    assert f"task {task}{', loss mse' if task == 'regress' else ''}: left, up\n" in log
    assert log.splitlines()[-1].startswith(f"test {SCORE[task]} ")


def test_evaluate_has_a_line_for_each_label_and_the_same_numbers_as_json(made, capsys):
    task, folder = made
    status, out, err = said(capsys, "evaluate", folder / "run", "--json", folder / "all.json")
    assert (status, err) == (0, "")
    whole = json.loads((folder / "all.json").read_text())
    rows = whole["labels" if task == "multilabel" else "numbers"]
    assert [row["label" if task == "multilabel" else "number"] for row in rows] == ["left", "up"]
    lines = {
        line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith(("left", "up"))
    }
    first = "ap" if task == "multilabel" else "rmse"
    assert [lines[name][0] for name in ("left", "up")] == [f"{row[first]:.4f}" for row in rows]
    assert out.splitlines()[-1] == f"test {SCORE[task]} {whole[first]:.4f}"
    assert said(capsys, "evaluate", folder / "run", "--data", folder / "a.npz")[1] == out


def test_predict_says_labels_or_numbers(made, capsys):
    task, folder = made
    status, out, err = said(capsys, "predict", folder / "run", folder / "some.npy", "--json")
    assert (status, err) == (0, "")
    results = json.loads(out)["results"]
    assert [each["file"] for each in results] == [f"{folder / 'some.npy'}[{k}]" for k in range(2)]
    if task == "multilabel":
        assert all(one["said"] == (one["probability"] >= 0.5) for each in results for one in each["labels"])
    else:
        assert [one["name"] for one in results[0]["numbers"]] == ["left", "up"]
    _, out, _ = said(capsys, "predict", folder / "run", folder / "some.npy")
    assert out.count("  left") == out.count("  up") == 2


def test_a_run_is_verified_listed_and_compared(made, capsys):
    task, folder = made
    assert said(capsys, "verify", folder / "run")[0] == 0
    status, out, _ = said(capsys, "runs", folder / "run")
    assert status == 0 and "finished" in out
    status, out, _ = said(capsys, "diff", folder / "run", folder / "run")
    assert status == 0 and "equal: the losses of 8 steps" in out
    _, out, _ = said(capsys, "diff", *[folder / "run"] * 3)
    assert f"test_{'ap' if task == 'multilabel' else 'rmse'}" in out


def test_data_check_counts_what_there_is(made, capsys):
    task, folder = made
    status, out, _ = said(capsys, "data", "check", folder / "a.npz", "--split", "train")
    assert status == 0
    words = "2 labels" if task == "multilabel" else "2 numbers"
    assert f"train: 30 pictures of 32 x 32, 3 channels, {words}" in out and "\n  left " in out


@pytest.mark.parametrize("flags, problem", [
    (["--task", "classify"], "a.npz:y_train: labels: wanted"),
    (["--label-smoothing", ".1"], "--label-smoothing: wanted 0 for labels of task"),
    (["--balanced"], "--balanced: wanted False for labels of task"),
    (["--layout", "NLC"], "layout: wanted NCHW or NHWC for an array of 4 dimensions, got NLC"),
    (["--task", "segment"], "--task: wanted one of classify, multilabel, regress, language, got 'segment'"),
    (["--loss", "bce"], "--loss: wanted one of mse, l1, huber, got 'bce'"),
    (["--image-size", "48x64"], "--image-size: wanted pictures in files (image_folder, image_list), got"),
])  # fmt: skip
def test_what_does_not_fit_the_labels_is_refused_in_a_line(made, capsys, flags, problem):
    task, folder = made
    if task == "regress" and flags[-1] == "classify":
        problem = "a.npz:y_train: labels"
    words = ["train", "--data", folder / "a.npz", *TRAINING, "--run-dir", folder / "other", *flags]
    try:
        status, _, err = said(capsys, *words)
    except SystemExit as ended:
        status, err = ended.code, capsys.readouterr().err
    assert status == 2 and problem in err and err.count("\n") == 1
    assert not (folder / "other").exists()


def test_a_task_is_a_frozen_setting(made, capsys):
    task, folder = made
    other = "regress" if task == "multilabel" else "classify"
    status, _, err = said(capsys, "train", "--resume", folder / "run", "--task", other, "--steps", 9)
    assert status == 2 and " task" in err and err.count("\n") == 1


def parts(x, y, **changed):
    """The members of a file of 40 samples for training and 10 for testing."""
    return {"x_train": x[:40], "y_train": y[:40], "x_test": x[40:50], "y_test": y[40:50]} | changed


@pytest.mark.parametrize("shape", [(16, 2), (6,)])
def test_signals_and_rows_have_all_that_runs_have(tmp_path, capsys, shape):
    x, run = RNG.standard_normal((50, *shape)).astype(np.float32), tmp_path / "run"
    np.savez(
        tmp_path / "a.npz", **parts(x, np.arange(50) % 3), **({"layout": "NLC"} if len(shape) > 1 else {})
    )
    model = "conv1d_small" if len(shape) > 1 else "uwnet0"
    words = ["train", "--data", tmp_path / "a.npz", *TRAINING, "--model", model, "--run-dir"]
    assert said(capsys, *words, run)[0] == 0
    for command in (["evaluate", run], ["verify", run], ["report", run, "--no-timing"]):
        status, _, err = said(capsys, *command)
        assert status == 0, (command, err)
    status, _, err = said(capsys, *words, tmp_path / "other", "--tta", "flip")
    assert status == 2 and "--tta: wanted pictures, which have such views" in err
    others = [*words, tmp_path / "other", "--init-from", run, "--no-batch-norm"]
    status, _, err = said(capsys, *others)
    assert status == 2 and f"{shape[-1]}-channel {'signals' if len(shape) > 1 else 'rows'}" in err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("what", ["size", "channels", "kind", "columns"])
def test_samples_for_testing_are_as_those_for_training(tmp_path, capsys, what):
    x, y = RNG.integers(0, 256, (50, 8, 8, 3), np.uint8), RNG.integers(0, 2, (50, 3))
    y[:, 0] = y[:, 1] = 1
    changed = {
        "size": {"x_test": x[40:50, :4]}, "channels": {"x_test": x[40:50, :, :, :1]},
        "kind": {"x_test": x[40:50].astype(np.float32)}, "columns": {"y_test": y[40:50, :2]},
    }[what]  # fmt: skip
    np.savez(tmp_path / "a.npz", **parts(x, y, **changed), layout="NHWC")
    status, _, err = said(
        capsys, "train", "--data", tmp_path / "a.npz", *TRAINING, "--run-dir", tmp_path / "run"
    )
    assert status == 2 and "for testing as those for training" in err and err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_number_that_is_none_is_told_of_floats_that_are_checked(tmp_path, capsys):
    x = RNG.standard_normal((50, 8, 8, 3)).astype(np.float32)
    x[7, 2, 2, 1] = np.nan
    np.savez(tmp_path / "a.npz", **parts(x, np.arange(50) % 3), layout="NHWC")
    status, _, err = said(capsys, "data", "check", tmp_path / "a.npz")
    assert status == 2 and "images[7]: wanted finite numbers, got nan" in err and err.count("\n") == 1
