"""Rows and lines of `runs`, `verify` and the search for a rate."""

from types import SimpleNamespace

import numpy as np
import pytest

from cynet import cli
from cynet.cli import lr_find, runs, terminal, verify
from cynet.runs import overview, remarks
from cynet.runs.replay import Difference
from cynet.runs.run import Run


# -- tables ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("value", "cell", "plain"), [
    (True, "yes", True), (False, "no", False), (None, "-", None), ("", "-", ""), ({}, "-", "{}"), (0, "0", 0),
    (0.5, "0.5", 0.5), (float("nan"), "nan", "nan"), (float("inf"), "inf", "inf"), ("a", "a", "a"),
    ("x" * 101, "x" * 100, "x" * 101),
])  # fmt: skip
def test_a_setting_as_a_cell_and_in_json(value, cell, plain):
    assert runs.shown(value) == cell
    assert overview.plain(value) == plain and type(overview.plain(value)) is type(plain)


def test_a_row_of_a_run_has_its_numbers_in_their_columns():
    def overview(name, measure, best, **more):
        values = {"best_step": 8, "step": 12, "steps": 16, "seconds": 125.0, "state": "stopped"} | more
        run = SimpleNamespace(name=name, config={})
        return SimpleNamespace(run=run, measure=measure, best=best, settings={}, **values)

    one = overview("a", "test", 0.123456)
    other = overview("b", "validation", None, best_step=None, step=None, steps=None, seconds=None)
    assert list(runs.rows([one])) == [
        ["run", "best test", "at step", "steps", "time", "state"],
        ["a", "0.1235", "8", "12/16", "2 min", "stopped"],
    ]
    heading, first, second = runs.rows([one, other])
    assert (
        heading[1] == "best" and first[1] == "0.1235 test" and second[1:] == ["-", "-", "-/-", "-", "stopped"]
    )


def test_the_loss_over_rates_is_drawn_from_the_least_to_the_first(monkeypatch):
    monkeypatch.setattr(terminal, "can_show", lambda text: False)
    smooth = np.array([3.0, 3.0, 3.0, 3.0, 2.0, 1.0, 2.0, 9.0])
    found = SimpleNamespace(rates=10.0 ** np.arange(-4, 4), smooth=smooth)
    lines = list(lr_find.drawn(found))
    assert [line.count("#") for line in lines] == [30, 30, 30, 30, 15, 0, 15, 30]
    assert lines[4] == "  lr 1         loss 2        " + "#" * 15 and lines[0].startswith(
        "  lr 0.0001    loss 3  "
    )
    found = SimpleNamespace(rates=np.arange(1.0, 151), smooth=np.linspace(3, 1, 150))
    lines = list(lr_find.drawn(found))
    assert len(lines) == 16 and lines[0].split()[1] == "1" and lines[-1].split()[1] == "1.5e+02"


# -- what `verify` says ------------------------------------------------------------------------------------
DIFFERENCES = [
    Difference(7, "loss", 0.5, 0.25), Difference(5, "0.weight", "aa", "bb"),
    Difference(5, "0.bias", "cc", "dd"), Difference(5, "1.bias", "ee", "ff"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "limit", "environment", "status", "lines"), [
    ([], None, ["numpy: 1 against 2"], 0, ["equal: 9 losses, and every tensor after step 0, 2, 9"]),
    ([], 9, [], 0, ["settings were changed after step 9: only the steps up to it can be trained again",
                    "equal: 9 losses, and every tensor after step 0, 2, 9"]),
    (DIFFERENCES[:1], None, [], 1, ["differs at step 7: loss: 0.5 against 0.25 (kept, now)"]),
    (DIFFERENCES[1:2], None, [], 1, ["differs at step 5: 0.weight: aa against bb (kept, now)"]),
    (DIFFERENCES, None, ["numpy: 1 against 2", "cpu: a against b"], 1, [
        "differs at step 7: loss: 0.5 against 0.25 (kept, now)",
        "differs at step 5: 0.weight: aa against bb (kept, now)", "and 2 more tensors after step 5",
        "perhaps because of numpy: 1 against 2 (then, now)",
        "perhaps because of cpu: a against b (then, now)",
    ]),
])  # fmt: skip
def test_what_verify_found_is_told_with_its_steps(found, limit, environment, status, lines):
    history = SimpleNamespace(digests={9: {}, 0: {}, 2: {}, 10: {}})
    said, stored = [], SimpleNamespace(limit=limit, history=history)
    assert verify._told(stored, 9, found, environment, said.append) == status
    assert said == lines


@pytest.mark.parametrize(
    ("losses", "limit", "wanted"), [((1, 2, 3), None, 3), ((1, 2, 3), 2, 2), ((), None, 0), ((1, 2), 9, 2)]
)
def test_as_many_steps_can_be_trained_again_as_were_kept_with_the_first_settings(losses, limit, wanted):
    made = Run.__new__(Run)
    made.history, made.limit = SimpleNamespace(losses=dict.fromkeys(losses, 0.5)), limit
    assert made.repeatable == wanted
    for environment, fingerprint in (({"data": {"fingerprint": "f"}}, "f"), ({"data": {}}, None), ({}, None)):
        made.environment = environment
        assert made.fingerprint == fingerprint


# -- how many are named ------------------------------------------------------------------------------------
@pytest.mark.parametrize(("count", "line"), [
    (0, None), (1, "note: no runs: f0"), (8, "note: no runs: f0, f1, f2, f3, f4, f5, f6, f7"),
    (9, "note: no runs: f0, f1, f2, f3, f4, f5, f6, f7 and 1 more"),
])  # fmt: skip
def test_of_folders_that_are_no_runs_eight_are_named(tmp_path, capsys, count, line):
    for number in range(count):
        (tmp_path / f"f{number}").mkdir()
    assert cli.main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [f"no runs in {tmp_path}", *([line] if line else [])]


def test_the_weights_of_ten_classes_are_shown_and_of_more_the_ends():
    names, counts = tuple("abcdefghijk"), np.arange(1, 12)
    ten = remarks._weights(1 / counts[:10], counts[:10], names[:10])
    assert ten.startswith("class weights in the loss of training: a 1, b 0.5, c 0.333, ")
    assert " j 0.1; " in ten
    assert "training: k 0.0909 to a 1; " in remarks._weights(1 / counts, counts, names)
    some = remarks._weights(np.array([1.0, 0.0, 2.0]), np.array([3, 0, 1]), tuple("abc"))
    assert "training: a 1, c 2, without pictures b 0; evaluations weigh every picture the same" in some
