"""What is read of a run's folder: its neighbours, its log, its tables, and notes on what is missing."""

import os

import pytest

from cynet.runs import contents
from cynet.runs.contents import Contents

METRICS = "step,epoch,lr,train_loss,train_accuracy,{0}_loss,{0}_accuracy,seconds"


TEST = METRICS.format("test")


def run_in(place, metrics=(TEST,), **files):
    place.mkdir(parents=True, exist_ok=True)
    (place / "metrics.csv").write_text("\n".join([*metrics, ""]))
    for name, text in files.items():
        (place / name.replace("_", ".")).write_text(text)
    return Contents(place)


def test_the_youngest_runs_beside_one_by_name(tmp_path):
    for name, age in (("c", 10), ("a", 30), ("e", 20), ("this", 99), ("b", 5)):
        run_in(tmp_path / name)
        os.utime(tmp_path / name / "metrics.csv", (age, age))
    (tmp_path / "no run").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "metrics.csv").mkdir()
    (tmp_path / "file").touch()
    this = Contents(tmp_path / "this")
    for most, names in ((20, "abce"), (3, "ace"), (2, "ae"), (1, "a"), (0, "")):
        assert [path.name for path in contents.beside(this, most)] == list(names)


def test_a_log_says_each_diagnosis_once_and_the_error_at_its_end(tmp_path):
    log = "diagnosis: a.\nepoch 1\nerror: early\ndiagnosis: b\ndiagnosis: a.\n"
    log += "said diagnosis: no\nerror: it broke.\n"
    assert run_in(tmp_path / "a", log_txt=log).said == ("diagnosis: a", "diagnosis: b", "error: it broke")
    assert run_in(tmp_path / "b", log_txt=log + "resumed\n").said == ("diagnosis: a", "diagnosis: b")
    assert run_in(tmp_path / "c").said == ()


def test_only_the_end_of_a_long_log_is_read(tmp_path, monkeypatch):
    run = run_in(tmp_path / "a", log_txt="diagnosis: early\n" + "x" * 50 + "\ndiagnosis: late\n")
    monkeypatch.setattr(contents, "LOGGED", 40)
    assert run.said == ("diagnosis: late",)


@pytest.mark.parametrize("measure", ["test", "validation"])
def test_what_a_run_is_measured_on_follows_from_its_columns(tmp_path, measure):
    run = run_in(tmp_path / "a", [METRICS.format(measure), "8,1,0.1,2,0.5,1.5,inf,7"])
    assert run.measure == measure and run.epochs[f"{measure}_loss"] == [1.5]
    assert run.epochs[f"{measure}_accuracy"] == [None] and run.notes(("epochs",)) == (
        "metrics.csv: cells that hold no value of their column are left out, in 1 rows",
    )


def test_columns_that_are_missing_are_noted(tmp_path):
    run = run_in(tmp_path / "a", ["step,loss", "1,2"], steps_csv="step,loss\n1,nan\n")
    assert run.notes(("epochs",)) == (
        "metrics.csv has no column to read called epoch, lr, train_loss, train_accuracy, test_loss, "
        "test_accuracy, seconds",
    )
    assert run.steps == {"step": [1], "loss": [None]}
    assert run.notes(("steps",)) == ("steps.csv has no column to read called epoch, lr, accuracy, seconds",)


def test_what_is_not_there_or_cannot_be_read_is_noted_in_order(tmp_path):
    run = run_in(tmp_path / "a", config_toml="lr = [", env_json="[]")
    notes = run.notes()
    assert [note.split()[0] for note in notes] == ["config.toml", "env.json", "steps.csv"]
    assert notes[0].startswith("config.toml cannot be read: ") and notes[2] == "steps.csv is not there"
    assert str(tmp_path) not in "".join(notes) and set(run.problems) == {"config", "environment", "steps"}
    assert run.notes(("steps",)) == notes[2:] and run.config == run.environment == run.steps == {}
    assert run.plain == {} and run.name == "a"


def test_what_is_no_run_is_refused(tmp_path):
    for name, words in (("gone", "no such run folder: "), ("file", "wanted a run folder, got "),
                        ("empty", "holds neither config.toml nor metrics.csv")):  # fmt: skip
        (tmp_path / "file").write_text("text")
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(ValueError, match=words):
            contents.read(tmp_path / name)
    (tmp_path / "empty" / "config.toml").symlink_to("nowhere")
    assert contents.read(tmp_path / "empty").name == "empty"
    assert contents.read(tmp_path / "empty", lambda path: Contents(path)).path == tmp_path / "empty"
