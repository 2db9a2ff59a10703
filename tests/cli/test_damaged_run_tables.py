"""Commands over runs whose tables something else has written: what they say, and that nothing is lost."""

import itertools
import os
import shutil

import numpy as np
import pytest
import tiny  # noqa: F401
from damages import bounded, check_table, damaged_bytes, damaged_tables
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cynet import cli
from cynet.bench import per_layer
from cynet.report.curves import curves
from cynet.runs import contents

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("error")]
FLAGS = ("--data", "tiny", "--model", "uwnet1", "--batch-size", 8, "--workers", 0, "--no-report")
TABLES = ("metrics.csv", "steps.csv", "digests.csv")
READ = {"runs": TABLES[:1], "report": TABLES[:2], "diff": TABLES}
STEPS = 20


def command(*arguments):
    with bounded(60):
        return cli.main([*map(str, arguments)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two equal runs."""
    place = tmp_path_factory.mktemp("runs")
    for name in ("one", "other"):
        assert command("train", *FLAGS, "--steps", STEPS, "--run-dir", place / name) == 0
    return place


@pytest.fixture
def runs(trained, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(trained, tmp_path / "runs")


@pytest.fixture
def said(capsys):
    def say(*arguments):
        status = command(*arguments)
        found = capsys.readouterr()
        return status, found.out, found.err

    return say


def resumed(run):
    return "train", "--resume", run, "--steps", STEPS + 2, "--allow-change", "steps"


# -- a spreadsheet ----------------------------------------------------------------------------------------
def spoil(run, old=",", new=";"):
    before = {}
    for name in TABLES:
        text = (run / name).read_text().replace(old, new)
        (run / name).write_text(text)
        before[name] = text.encode()
    return before


def test_a_run_whose_tables_a_spreadsheet_saved_goes_on_with_new_ones(runs, said):
    before = spoil(runs / "one")
    status, out, _ = said(*resumed(runs / "one"))
    assert status == 0
    for name, data in before.items():
        aside = name.replace(".csv", ".set-aside.csv")
        assert (runs / "one" / aside).read_bytes() == data
        heading = data.decode().partition("\n")[0]
        assert f"note: {name} has the heading '{heading[:60]}'" in out
        assert f": set aside as {aside}; a new table is begun\n" in out
        assert f"set aside as {aside}" in (runs / "one" / "log.txt").read_text()
    assert contents.read(runs / "one").steps["step"] == [STEPS + 1, STEPS + 2]
    assert contents.read(runs / "one").epochs["step"] == [STEPS + 2]
    wanted = (runs / "one" / "last.safetensors").read_bytes()
    status, out, _ = said(*resumed(runs / "other"))  # the same weights as with whole tables
    assert status == 0 and "set aside" not in out
    assert (runs / "other" / "last.safetensors").read_bytes() == wanted
    assert contents.read(runs / "other").steps["step"] == list(range(1, STEPS + 3))


def test_what_cannot_be_read_is_noted_and_all_else_is_shown(runs, said):
    spoil(runs / "one")
    status, out, err = said("runs", runs)
    assert (status, err) == (0, "")
    assert f"note: {runs / 'one'}: metrics.csv cannot be read: wanted a heading" in out
    status, out, err = said("report", runs / "one", "--no-timing", "--output", runs / "x.html")
    assert (status, err) == (0, "") and "note: steps.csv cannot be read: wanted a heading of names" in out
    status, out, err = said("diff", runs / "one", runs / "other")
    assert status == 1 and err.count("\n") == 1 and "nothing says that they are equal" in err
    assert [f"note: {runs / 'one' / name}: wanted a heading" in out for name in TABLES] == [True] * 3
    status, out, err = said("diff", runs / "one", runs / "other", runs / "other")
    assert status == 1 and "not known" in out and f"note: {runs / 'one' / 'steps.csv'}: wanted" in out
    status, out, err = said("verify", runs / "one")
    assert status == 2 and "steps.csv: wanted a heading of names with commas between them" in err


def test_columns_that_are_not_there_leave_out_their_figure_alone(runs, said):
    for name, old, new in (("metrics.csv", "test_loss", "mine"), ("steps.csv", "loss", "Loss")):
        path = runs / "one" / name
        path.write_text(path.read_text().replace(old, new, 1))
    status, out, _ = said("report", runs / "one", "--no-timing")
    assert status == 0 and "note: metrics.csv has no column to read called test_loss\n" in out
    assert "note: steps.csv has no column to read called loss\n" in out
    drawn = curves(contents.read(runs / "one"))
    assert drawn["steps"] == {} and "test_accuracy" in drawn["epochs"]
    assert "test_loss" not in drawn["epochs"]
    status, out, err = said("diff", runs / "one", runs / "other")
    assert status == 1 and f"{runs / 'one' / 'steps.csv'} has no column to read called loss" in out
    assert "they have no losses of the same steps" in err


def test_a_table_of_a_step_beyond_all_runs_ends_no_command(runs, said):
    for run in ("one", "other"):
        with (runs / run / "steps.csv").open("a") as steps:
            steps.write(f"{10**15},1,0.1,0.5,0.5,1\n")
        with (runs / run / "metrics.csv").open("a") as metrics:
            metrics.write(f"{2**70},1,0.1,0.5,0.5,0.5,7.0,1\n{STEPS},3,0.1,inf,0.5,-inf,7.0,1\n")
    status, out, _ = said("diff", runs / "one", runs / "other")
    assert status == 0 and f"equal: the losses of {STEPS + 1} steps" in out
    assert "lacks the digests of step 50" in out
    assert said("diff", runs / "one", runs / "other", "--replay")[0] == 0
    assert said("verify", runs / "one", "--steps", 3)[0] == 0
    status, out, _ = said("report", runs / "one", "--no-timing")
    assert status == 0 and "note: metrics.csv: lines that are no rows are left out: 1\n" in out
    assert "note: metrics.csv: cells that hold no value of their column are left out, in 1 rows\n" in out
    assert said("runs", runs)[0] == 0


@pytest.mark.parametrize("name", TABLES)
def test_a_pipe_in_the_place_of_a_table_is_waited_for_by_nobody(runs, said, name):
    (runs / "one" / name).unlink()
    os.mkfifo(runs / "one" / name)
    for arguments in (("runs", runs), ("report", runs / "one", "--no-timing"), ("diff", *[runs / "one"] * 2)):
        status, out, err = said(*arguments)
        assert status in (0, 1) and "Traceback" not in err
        if name in READ[arguments[0]]:
            told = name if arguments[0] == "diff" else f"{name} cannot be read"
            assert f"{told}: wanted a regular file, got a pipe" in out + err
    status, _, err = said(*resumed(runs / "one"))
    assert status == 2 and f"{name}: wanted a regular file, got a pipe" in err and err.count("\n") == 1


# -- drawn ------------------------------------------------------------------------------------------------
def damages(data):
    return st.one_of(damaged_tables(data), damaged_bytes(data))


def test_drawn_damages_end_no_command_and_lose_nothing(trained, tmp_path, capsys, monkeypatch):
    # The page at a run's end times each layer, which no table tells anything of.
    monkeypatch.setattr(per_layer, "times", lambda leaves, x, repeat: np.ones((len(leaves), repeat, 2)))
    whole = {name: (trained / "one" / name).read_bytes() for name in TABLES}
    numbers = itertools.count()

    # Without shrinking, for which these commands are too slow.
    @settings(max_examples=8, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.tuples(*map(damages, whole.values())))
    def check(drawn):
        runs = shutil.copytree(trained, tmp_path / str(next(numbers)))
        damaged = dict(zip(whole, drawn, strict=True))
        for name, data in damaged.items():
            (runs / "one" / name).write_bytes(data)
        for arguments in (
            ("runs", runs),
            ("diff", runs / "one", runs / "other"),
            ("diff", runs / "other", runs / "one", runs / "other"),
            ("verify", runs / "one", "--steps", 2),
            ("report", runs / "one", runs / "other", "--no-timing"),
        ):
            status = command(*arguments)
            err = capsys.readouterr().err
            assert status in (0, 1, 2) and err.count("\n") <= (status > 0), (arguments, err)
        assert {name: (runs / "one" / name).read_bytes() for name in TABLES} == damaged
        assert command(*resumed(runs / "one")) == 0
        out = capsys.readouterr().out.splitlines()
        for name, data in damaged.items():
            told = next((line for line in out if line.startswith(f"note: {name} ")), None)
            check_table(runs / "one" / name, data, told, STEPS)

    check()
