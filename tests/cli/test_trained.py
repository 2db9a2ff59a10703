"""Runs and weights files as arguments: which weights are meant, whose data, and what is none of them."""

import importlib.util
import json
import shutil
import zipfile

import numpy as np
import pytest
import tiny
import torch_files

from cynet import cli, data
from cynet.train import RunFolder, Settings, load_weights

pytestmark = pytest.mark.usefixtures("one_thread")
FLAGS = ("--data", "tiny", "--batch-size", 8, "--workers", 0, "--lr", 0.01)


def said(capsys, command, *arguments):
    status = cli.main([command, *map(str, arguments)])
    found = capsys.readouterr()
    return status, found.out, found.err


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of .npz pictures, begun in the folder it lies in; its last weights are not its best."""
    place = tmp_path_factory.mktemp("begun")
    rng = np.random.default_rng(0)
    y = np.arange(48) % 3
    x = (rng.integers(0, 120, (48, 32, 32, 3)) + y[:, None, None, None] * 60).astype(np.uint8)
    np.savez(place / "own.npz", train_images=x, train_labels=y, test_images=x[:30], test_labels=y[:30])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        flags = "--data", "arrays", "--data-dir", "own.npz", *FLAGS[2:], "--steps", 12, "--no-report"
        assert cli.main(["train", *map(str, flags), "--run-dir", "run"]) == 0
    weights = (place / "run" / "best.safetensors").read_bytes()
    (place / "run" / "best.safetensors").unlink()
    model, facts = load_weights(place / "run")
    for parameter in model.parameters():
        parameter.data *= 0.5
    from cynet.train import save_weights

    save_weights(place / "run" / "best.safetensors", model, facts)
    assert (place / "run" / "best.safetensors").read_bytes() != weights
    return place / "run"


def evaluated(capsys, *arguments):
    status, out, err = said(capsys, "evaluate", *arguments, "--json", "-")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_a_weights_file_of_a_run_is_evaluated_as_the_run_is(run, capsys, monkeypatch):
    monkeypatch.chdir("/")
    last, best = evaluated(capsys, run), evaluated(capsys, run, "--weights", "best")
    assert last["loss"] != best["loss"] and last["samples"] == 30
    assert evaluated(capsys, run / "last.safetensors") == last
    assert evaluated(capsys, run / "best.safetensors") == best
    assert evaluated(capsys, run, "--weights", "last") == last


def test_a_report_is_of_the_weights_that_are_named(run, tmp_path, capsys):
    wanted = {"a": [run, "--weights", "best"], "b": [run / "best.safetensors"], "c": [run]}
    for name, arguments in wanted.items():
        output = tmp_path / f"{name}.html"
        assert said(capsys, "report", *arguments, "--output", output, "--no-timing")[0] == 0
    one, other, last = ((tmp_path / f"{name}.html").read_text() for name in "abc")
    assert '"file":"best.safetensors"' in one and '"file":"last.safetensors"' in last and one == other


def test_predict_takes_either_weights(run, tmp_path, capsys):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.full((8, 8, 3), 99, np.uint8)).save(tmp_path / "x.png")
    results = [
        json.loads(said(capsys, "predict", *arguments, tmp_path / "x.png", "--json")[1])["results"]
        for arguments in ([run, "--weights", "best"], [run / "best.safetensors"], [run])
    ]
    assert results[0] == results[1] != results[2]


def test_which_weights_is_asked_of_a_run_alone(run, tmp_path, capsys):
    file = run / "best.safetensors"
    predict = [("predict", ("x.png",))] if importlib.util.find_spec("PIL") else []  # it asks for Pillow first
    for command, rest in (("evaluate", ()), ("report", ()), *predict):
        status, _, err = said(capsys, command, file, *rest, "--weights", "last")
        assert status == 2 and f"--weights: wanted a run folder to take the last ones from, {file}" in err
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "config.toml").touch()
    for command, rest in (("evaluate", ()), *predict):
        status, _, err = said(capsys, command, tmp_path / "new", *rest, "--weights", "best")
        assert status == 2 and "new has no best.safetensors" in err


def test_a_training_begins_from_a_run(run, tmp_path, capsys):
    for name, begin in (("a", run), ("b", run / "last.safetensors"), ("c", run / "best.safetensors")):
        flags = *FLAGS, "--steps", 1, "--no-report", "--init-from", begin, "--run-dir", tmp_path / name
        assert said(capsys, "train", *flags)[0] == 0
    a, b, c = ((tmp_path / name / "last.safetensors").read_bytes() for name in "abc")
    assert a == b != c
    environment = json.loads((tmp_path / "a" / "env.json").read_text())
    assert environment["init_from"]["path"] == str(run / "last.safetensors")
    assert said(capsys, "verify", tmp_path / "a")[0] == 0
    status, _, err = said(capsys, "train", *FLAGS, "--init-from", tmp_path, "--run-dir", tmp_path / "d")
    assert status == 2 and err.endswith(f"--init-from: {tmp_path} has no last.safetensors\n")


def test_a_training_begins_from_a_file_of_pytorchs(run, tmp_path, capsys):
    arrays, path = load_weights(run)[0].state_dict(), tmp_path / "w.pth"
    path.write_bytes(torch_files.saved({name: torch_files.tensor(array) for name, array in arrays.items()}))
    for name, begin in (("a", run), ("b", path)):
        flags = *FLAGS, "--steps", 1, "--no-report", "--init-from", begin, "--run-dir", tmp_path / name
        status, out, _ = said(capsys, "train", *flags)
        assert status == 0 and f"begun from {begin}" in out and "20 of 20 arrays taken" in out
    a, b = ((tmp_path / name / "last.safetensors").read_bytes() for name in "ab")
    assert a == b
    assert said(capsys, "verify", tmp_path / "b")[0] == 0
    status, _, err = said(capsys, "evaluate", path)
    assert status == 2 and "a training may begin from it: cynet train --init-from FILE --model NAME" in err


@pytest.fixture
def without_settings(run, tmp_path):
    """A copy of the run whose config.toml cannot be read."""
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "config.toml").write_text("x = [")
    return tmp_path / "run"


def test_settings_that_cannot_be_read_are_said_and_taken_from_the_checkpoint(
    run, without_settings, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir("/")
    wanted, path = evaluated(capsys, run), without_settings
    said_first = f"note: {path}/config.toml: Invalid value (at end of document); going on"
    for file in (path, path / "last.safetensors"):
        status, out, err = said(capsys, "evaluate", file, "--json", "-")
        assert (status, err) == (0, f"{said_first} with the settings in last.ckpt\n")
        assert json.loads(out) | {"weights": wanted["weights"]} == wanted
    (path / "last.ckpt").write_bytes(b"damaged")
    assert said(capsys, "evaluate", path)[2] == f"{said_first} with the settings in last.prev.ckpt\n"
    (path / "last.prev.ckpt").unlink()
    status, _, err = said(capsys, "evaluate", path)
    first, second, _ = err.split("\n")
    assert status == 2 and first == f"{said_first} without its settings" and "--data-dir: wanted" in second


def test_predict_says_that_settings_cannot_be_read_too(without_settings, capsys):
    pytest.importorskip("PIL")
    path = without_settings
    said_first = f"note: {path}/config.toml: Invalid value (at end of document); going on"
    for left in ("with the settings in last.ckpt", "without its settings"):
        _, _, err = said(capsys, "predict", path, path / "none.png")
        assert err.startswith(f"{said_first} {left}\n")
        for name in ("last.ckpt", "last.prev.ckpt"):
            (path / name).unlink(missing_ok=True)


def test_options_of_the_data_are_taken_from_the_checkpoint_too(without_settings, monkeypatch):
    from dataclasses import replace

    from cynet.runs import agreement, beside

    name, saved = agreement.saved(RunFolder.open(without_settings))
    saved = replace(saved, settings=replace(saved.settings, skip_damaged=True, split_seed=7))
    monkeypatch.setattr(agreement, "saved", lambda folder: (name, saved))
    found = beside.data_options(without_settings, "arrays")
    assert found == beside.data_options(without_settings / "last.safetensors", "arrays")
    assert found["skip_damaged"] is True
    assert beside.data_options(without_settings, "tiny") == {}


def test_weights_beside_a_configuration_of_another_tool_are_evaluated_without_a_word(run, tmp_path, capsys):
    shutil.copy(run / "last.safetensors", tmp_path / "net.safetensors")
    (tmp_path / "config.toml").write_text("[tool]\nname = 'other'\n")
    evaluated(capsys, tmp_path / "net.safetensors", "--data-dir", run.parent / "own.npz")


def test_a_file_of_another_kind_is_called_by_its_name(run, tmp_path, capsys):
    predict = [("predict", "x.png")] if importlib.util.find_spec("PIL") else []
    with zipfile.ZipFile(tmp_path / "t.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    np.savez(tmp_path / "x.npz", a=np.ones(3))
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07\x12\x07pytorch")
    (tmp_path / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    (tmp_path / "note.txt").write_text("to do")
    (tmp_path / "empty").touch()
    kinds = {
        "t.pt": "a PyTorch file (zip)", "x.npz": "a NumPy archive (.npz)", "m.onnx": "an ONNX file",
        "m.h5": "an HDF5 file", "note.txt": "a text", "empty": "an empty file",
    }  # fmt: skip
    for name, kind in kinds.items():
        for command, *rest in (("evaluate",), *predict, ("report",)):
            status, _, err = said(capsys, command, tmp_path / name, *rest)
            assert status == 2 and kind in err and err.count("\n") == 1, (command, name, err)
        status, _, err = said(capsys, "train", *FLAGS, "--init-from", tmp_path / name)
        wanted, kind = ("its data.pkl: wanted a pickle", "") if name == "t.pt" else ("wanted weights", kind)
        assert status == 2 and f"--init-from: {tmp_path / name}: {wanted}" in err and kind in err
    for command, *rest in (("evaluate",), *predict):
        status, _, err = said(capsys, command, run / "last.ckpt", *rest)
        assert status == 2 and f"is a checkpoint: wanted weights, as {run / 'last.safetensors'}" in err
    status, _, err = said(capsys, "train", *FLAGS, "--init-from", run / "last.ckpt")
    assert status == 2 and f"--init-from: {run / 'last.ckpt'} is a checkpoint: wanted weights" in err


# -- the model's size --------------------------------------------------------------------------------------
def test_size_channels_and_way_of_resizing_are_kept_with_the_weights(tmp_path):
    images = np.zeros((6, 1, 48, 40), np.uint8)
    images[::2] = 9
    samples = data.ArrayDataset(images, np.arange(6) % 2, ("x", "y"))
    assert Settings().facts(samples).picture_shape == (48, 40, 1)
    assert Settings().facts(samples).resize == "crop"
    samples.resize = "stretch"
    assert Settings().facts(samples).resize == "stretch"
    assert Settings().facts(tiny.tiny()).picture_shape == (32, 32, 3)


def test_grey_pictures_are_trained_on_and_evaluated(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    y = np.arange(40) % 2
    x = (np.random.default_rng(0).integers(0, 99, (40, 28, 28)) + 120 * y[:, None, None]).astype(np.uint8)
    np.savez("grey.npz", train_images=x, train_labels=y, test_images=x, test_labels=y)
    flags = "--data", "arrays", "--data-dir", "grey.npz", *FLAGS[2:], "--steps", 15, "--run-dir", "run"
    assert said(capsys, "train", *flags)[0] == 0
    assert evaluated(capsys, "run")["accuracy"] == 1
    status, _, err = said(capsys, "evaluate", "run", "--data", "tiny")
    assert status == 2 and "28 x 28 with 1 channel, those of tiny have 32 x 32 with 3 channels" in err
    x = np.zeros((4, 32, 32), np.uint8)
    np.savez("other.npz", test_images=x, test_labels=np.arange(4))
    status, _, err = said(capsys, "evaluate", "run", "--data-dir", "other.npz")
    assert status == 2 and "28 x 28 with 1 channel, those of arrays have 32 x 32 with 1 channel" in err


def test_classes_that_a_model_does_not_know_are_told_apart(run, tmp_path, capsys):
    source = np.load(run.parent / "own.npz")
    x = source["test_images"][:8]
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, test_images=x, test_labels=source["test_labels"][:8], classes=["2", "new", "0"])
    found = evaluated(capsys, run, "--data-dir", foreign)
    assert [each["count"] for each in found["classes"]] == [2, 0, 3] and found["samples"] == 5
    (new,) = found["unknown"]
    assert (new["class"], new["count"]) == ("new", 3) and sum(new["taken_for"].values()) == 3
    status, out, _ = said(capsys, "evaluate", run, "--data-dir", foreign)
    assert status == 0 and "not known to the model: new, 3 pictures, taken for: " in out
