"""A run's tables after a thousand damages each: what reads them answers, and nothing is lost."""

import json
import math
import os
import re
import tempfile
from pathlib import Path

import pytest
from damages import COUNT, bounded, check_table, damaged_bytes, damaged_tables
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.report import gather, page
from cynet.runs import contents, overview, validation
from cynet.runs.replay import History, first_loss, first_tensors
from cynet.train import RunFolder

PATCHES = pytest.MonkeyPatch.context
pytestmark = pytest.mark.filterwarnings("error")
TABLES = {
    "metrics.csv": "".join(
        ["step,epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n"]
        + [f"{8 * k},{k},0.1,{2 / k:.6g},0.5,{3 / k:.6g},{1 - 1 / (k + 1):.6g},{k}.25\n" for k in range(1, 7)]
    ),
    "steps.csv": "".join(
        ["step,epoch,lr,loss,accuracy,seconds\n"]
        + [f"{k},{1 + k // 8},1e-05,{math.pi / k!r},{0.125 * (k % 9)},{k / 8}\n" for k in range(1, 25)]
    ),
    "digests.csv": "".join(
        ["step,tensor,sha256\n"]
        + [f"{k},{name},{k:02x}{'0' * 62}\n" for k in (0, 1, 2, 5, 10, 20) for name in ("0.weight", "é.bias")]
    ),
}  # fmt: skip
LAST = 16
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # what would take its time is the disk


def damages(name):
    data = TABLES[name].encode()
    return st.one_of(damaged_tables(data), damaged_bytes(data))


def damaged_runs(name):
    """Run folders with a damaged table and the others whole."""

    def decorate(check):
        @settings(max_examples=COUNT, deadline=None)
        @given(damages(name))
        def test(data):
            with tempfile.TemporaryDirectory(dir=MEMORY) as place, bounded(), PATCHES() as patches:
                patches.setattr("os.fsync", lambda _: None)
                run = RunFolder(Path(place) / "run")
                run.write_config({"data": "none", "steps": 24})
                for each, text in TABLES.items():
                    (run.path / each).write_bytes(data if each == name else text.encode())
                check(run, data)

        return test

    return decorate


def check_read(run):
    """Everything that shows or compares a run's numbers."""
    read = contents.read(run.path)
    document = gather.gather(read, [read])
    assert json.loads(page.embedded(document))["runs"][0]["steps"] == document["runs"][0]["steps"]
    for columns in (read.epochs, read.steps):
        assert columns.get("step", []) == sorted(columns.get("step", []))
        for name, values in columns.items():
            known = [value for value in values if value is not None]
            assert all((math.isfinite(value) and abs(value) < 1e39) or name == "step" for value in known)
            assert not name.endswith("accuracy") or all(0 <= value <= 1 for value in known)
    whole = History({1: 2.0}, {0: {"0.weight": "0"}})
    history = History.of(run)
    first_loss(history, whole), first_tensors(history, whole)
    history.gaps(max(history.losses, default=0))
    validation.results(run)
    seen = overview.read(run.path)
    assert seen.best is None or 0 <= seen.best <= 1
    return read, history


@damaged_runs("metrics.csv")
def test_a_damaged_metrics_csv_is_noted_and_nothing_of_it_is_lost(run, data):
    check_read(run)
    run.metrics.rows(), run.metrics.last()
    check_table(run.metrics.path, data, run.metrics.keep(LAST), LAST)


@damaged_runs("steps.csv")
def test_a_damaged_steps_csv_is_noted_and_nothing_of_it_is_lost(run, data):
    read, _ = check_read(run)
    if len(read.steps.get("step", ())) < len(data.split()) - 2:  # one may be torn, and there is a heading
        assert any(note.startswith("steps.csv") for note in read.notes())
    check_table(run.steps.path, data, run.steps.keep(LAST), LAST)


@damaged_runs("digests.csv")
def test_a_damaged_digests_csv_is_noted_and_nothing_of_it_is_lost(run, data):
    _, history = check_read(run)
    for tensors in history.digests.values():
        assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in tensors.values())
    check_table(run.digests.path, data, run.digests.keep(LAST), LAST)


@pytest.mark.parametrize("name", ["metrics.csv", "steps.csv"])
def test_damaged_tables_make_png_files_without_a_warning(name, tmp_path):
    pytest.importorskip("matplotlib")
    from cynet.report import plots

    @settings(max_examples=8, deadline=None)
    @given(damages(name))
    def draw(data):
        with tempfile.TemporaryDirectory(dir=tmp_path) as place, bounded():
            for each, text in TABLES.items():
                (Path(place) / each).write_bytes(data if each == name else text.encode())
            document = gather.gather(contents.read(place))
            plots.write(document, Path(place) / "plots")

    draw()
