"""What is measured as a call from Python, and the numbers that nobody has to give."""

import inspect

import numpy as np
import pytest

from cynet import cli
from cynet.bench import choices, loading, measuring, peak, per_layer, processes, speed
from cynet.bench.compare import compare
from cynet.core import threads


def test_what_is_wanted_is_measured_from_python(one_thread):
    wanted = measuring.Wanted("infer", ("uwnet1",), (2,), threads=(1,), repeat=1)
    (report,) = measuring.reports(wanted)
    assert report.command == "infer"
    assert [(row["model"], row["batch_size"], row["threads"]) for row in report.rows] == [("uwnet1", 2, 1)]
    assert np.isfinite(report.rows[0]["seconds"])


def test_the_greatest_of_several_numbers_of_threads_is_set(one_thread, monkeypatch):
    seen = []
    monkeypatch.setitem(measuring.RUNS, "train", lambda *_: seen.append(threads.get_num_threads()) or ())
    for count in ((1, 2), 2, (2, 1)):
        threads.set_num_threads(1)
        assert list(measuring.reports(measuring.Wanted("train", threads=count))) == []
    assert seen == [2, 2, 2]


def test_each_measurement_has_a_name_that_the_command_knows():
    assert [*measuring.RUNS, "compare"] == list(choices.WHAT)


@pytest.mark.parametrize(("function", "name", "value"), [
    (peak.measure, "repeat", choices.REPEATS["peak"]),
    (processes.memory, "repeat", choices.REPEATS["memory"]),
    (processes.memory, "steps", choices.STEPS), (processes.imports, "repeat", choices.REPEATS["import"]),
    (loading.speed, "batch_size", choices.BATCH), (per_layer.measure, "batch_size", choices.BATCH),
    (compare, "tolerance", choices.TOLERANCE), (speed.Setup, "models", choices.MODELS),
])  # fmt: skip
def test_python_and_the_command_line_begin_with_the_same_numbers(function, name, value):
    assert inspect.signature(function).parameters[name].default == value


def test_a_table_measures_what_its_four_commands_do(monkeypatch):
    seen = []
    for what in ("speed.measure", "processes.memory", "processes.imports"):
        module, name = what.split(".")
        monkeypatch.setattr(
            getattr(measuring, module), name, lambda *given, what=what: seen.append((what, given[:-1]))
        )
    list(measuring.reports(measuring.Wanted("table", ("uwnet1",), against="torch")))
    plan = {"models": ("uwnet1",), "peer": "torch"}
    assert seen == [
        ("speed.measure", (speed.Setup(True, batch_sizes=(128,), **plan),)),
        ("speed.measure", (speed.Setup(False, batch_sizes=(128, 1), **plan),)),
        ("processes.memory", (speed.Setup(True, batch_sizes=(128,), **plan), 3, 10)),
        ("processes.imports", ("torch", 15)),
    ]


def test_no_more_pictures_fit_a_batch_than_the_loader_walks_over(capsys):
    assert cli.main(["bench", "loader", "--batch-size", str(choices.EPOCH + 1)]) == 2
    assert "from 1 to 12800" in capsys.readouterr().err
