"""`cynet.runs.open`: a run as its folder tells it, read when it is asked for."""

import json
import shutil

import numpy as np
import pytest
import tiny  # noqa: F401

import cynet
from cynet.runs import RefusedError, validation
from cynet.train import RunFolder, Settings

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("open") / "run"
    settings = Settings(data="tiny", batch_size=8, workers=0, threads=1, steps=12, lr=0.01, validation=0.25)
    cynet.runs.start(settings, path, say=None, report=False)
    return path


@pytest.fixture
def copied(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copied")


def test_it_tells_all_that_was_kept(whole):
    run = cynet.runs.open(whole)
    assert (run.name, run.measure, run.came_to) == ("run", "validation", "best")
    assert (run.settings.steps, run.settings.lr, run.settings.schedule) == (12, 0.01, "constant")
    assert run.origins["lr"] == "python" and run.origins["momentum"] == "default"
    assert run.plain["data"] == "tiny" and run.environment["threads"] == 1
    assert run.epochs["step"] == [6, 12] and run.steps["step"] == list(range(1, 13))
    assert run.tested["steps"] == 12 and run.results["step"] == "12"
    assert run.saved[0] == "last.ckpt" and run.saved[1].step == 12
    assert run.notes() == () and run.remarks == [] and run.said == ()
    assert (run.first, run.limit, run.repeatable) == (run.settings, None, 12)
    assert run.soundness() == dict.fromkeys(
        ("last.ckpt", "last.prev.ckpt", "last.safetensors", "best.safetensors")
    )
    assert repr(run) == f"Run({str(whole)!r})"


def test_nothing_is_read_before_it_is_asked_for(copied):
    run = cynet.runs.open(copied)
    (copied / "steps.csv").unlink()
    (copied / "env.json").write_text("{")
    assert run.settings.steps == 12 and run.epochs["step"] == [6, 12]
    assert run.notes(("config", "epochs")) == ()
    assert run.steps == {} and run.environment == {}
    first, second = run.notes()
    assert first.startswith("env.json cannot be read: ") and second == "steps.csv is not there"
    assert run.remarks == [f"note: going on without env.json: {run.problems['environment']}"]


def test_its_weights_are_those_that_are_asked_for(whole):
    run = cynet.runs.open(str(whole))
    assert run.weights() == run.weights("best") == whole / "best.safetensors"
    assert run.weights("last") == whole / "last.safetensors"
    model, facts = run.load("last")
    wanted, _ = cynet.train.load_weights(whole / "last.safetensors")
    assert facts.data == "tiny"
    for one, other in zip(model.parameters(), wanted.parameters(), strict=True):
        np.testing.assert_array_equal(one.data, other.data)
    with pytest.raises(ValueError, match="weights: wanted one of last, best, got 'first'"):
        run.weights("first")


def test_its_first_steps_can_be_trained_again(whole):
    run = cynet.runs.open(whole)
    with run.replay(threads=2) as again:
        assert [again.step()[0] for _ in range(3)] == [run.history.losses[step] for step in (1, 2, 3)]
    with (
        pytest.raises(RefusedError, match="data_dir: no such file or folder: /nowhere"),
        run.replay(data_dir="/nowhere"),
    ):
        pass


def test_a_damaged_configuration_is_told_by_the_checkpoint(copied):
    (copied / "config.toml").write_text("cynet = ")
    run = cynet.runs.open(copied)
    assert run.config == {} and run.settings.steps == 12
    assert run.remarks[0].endswith("going on with the settings in last.ckpt")
    for name in ("last.ckpt", "last.prev.ckpt"):
        (copied / name).unlink()
    with pytest.raises(ValueError, match=r"config\.toml: "):
        assert cynet.runs.open(copied).settings


def test_what_is_damaged_is_told_by_file(copied):
    data = bytearray((copied / "best.safetensors").read_bytes())
    data[-1] ^= 1
    (copied / "best.safetensors").write_bytes(data)
    problems = cynet.runs.open(copied).soundness()
    assert [name for name, problem in problems.items() if problem] == ["best.safetensors"]


def test_settings_that_were_changed_on_the_way(copied):
    cynet.runs.resume(copied, steps=16, allow_change=["steps"], say=None, report=False)
    run = cynet.runs.open(copied)
    assert (run.settings.steps, run.first.steps, run.limit, run.repeatable) == (16, 12, 12, 12)
    assert json.loads((copied / "env.json").read_text())["resumed"] == run.environment["resumed"]


def test_a_record_of_changes_that_nothing_was_trained_with_is_left_out_and_said(copied):
    known = json.loads((copied / "env.json").read_text())
    resumed = [known | {"after_step": 5, "changed": {"momentum": ["much", 0.9]}}]
    (copied / "env.json").write_text(json.dumps(known | {"resumed": resumed}))
    run = cynet.runs.open(copied)
    assert (run.first, run.limit, run.repeatable) == (run.settings, None, 12)
    (line,) = run.remarks
    assert line.startswith("note: going on without env.json: resumed[0].changed: wanted the settings before")
    assert "momentum: wanted a number" in line
    assert run.fingerprint is None


def test_a_record_of_the_surroundings_that_is_torn_is_said_and_one_that_is_gone_is_not(copied):
    (copied / "env.json").write_text("{")
    (line,) = cynet.runs.open(copied).remarks
    assert line.startswith(f"note: going on without env.json: {copied}/env.json: wanted an object of JSON")
    (copied / "env.json").unlink()
    assert cynet.runs.open(copied).remarks == []


def test_what_is_no_run_is_refused(tmp_path, whole):
    for path, words in (
        (tmp_path / "nix", "no such run folder: "), (tmp_path, "holds neither config.toml nor metrics.csv"),
        (whole / "last.safetensors", "wanted a run folder, got "),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            cynet.runs.open(path)


def test_nothing_in_the_folder_is_changed(whole):
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in whole.iterdir()}
    run = cynet.runs.open(whole)
    assert run.history.losses and run.notes() == () and run.load() and run.results
    assert before == {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in whole.iterdir()}
    assert RunFolder.open(whole).path == whole


@pytest.mark.parametrize(("columns", "wanted"), [
    (("step", "validation_loss"), "validation"), (("validation_accuracy",), "validation"),
    (("step", "test_loss", "test_accuracy"), "test"), (("test_accuracy",), "test"),
    (("step", "loss"), None), ((), None),
])  # fmt: skip
def test_what_a_run_is_measured_on_is_told_by_its_columns(columns, wanted):
    assert validation.measure_in(columns) == wanted
