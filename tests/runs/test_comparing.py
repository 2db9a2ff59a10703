"""Runs side by side: what is said of their settings and results, and of the step at which they part."""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from cynet.runs import comparing
from cynet.runs.errors import FailedError
from cynet.runs.replay import History


def digests(**tensors):
    return tensors


SAME = digests(w="aa", b="bb")
STEPS = (0, 1, 2, 5)  # whose digests a run keeps


def run(name="a", losses=(0.5, 0.25, 0.125), kept=(0, 1, 2), other=None, settings=None, results=None):
    """A run that took steps of these losses; `other` holds digests that are not the usual ones, by step."""
    found = dict.fromkeys(kept, SAME) | (other or {})
    history = History(dict(enumerate(losses, 1)), found)
    values = {"lr": 0.1, "threads": 2, "seed": 0} | (settings or {})
    folder = SimpleNamespace(path=Path(name), digests=SimpleNamespace(path=Path(name, "digests.csv")))
    return SimpleNamespace(
        folder=folder, history=history, settings=SimpleNamespace(flat=lambda: values), results=results or {},
        origins=dict.fromkeys(values, "flag"),
    )  # fmt: skip


def parting(one, other):
    said = []
    return comparing.divergence(one, other, said.append), said


def test_equal_runs_are_equal_as_far_as_they_were_kept():
    assert parting(run(), run("b")) == (
        False, ["equal: the losses of 3 steps, and all tensors up to step 2"]
    )  # fmt: skip
    longer = run("b", losses=(0.5, 0.25, 0.125, 0.1, 0.05), kept=(0, 1, 2, 5))
    assert parting(run(), longer) == (
        False, ["equal: the losses of 3 steps, and all tensors up to step 2; they have 3 and 5 steps"]
    )  # fmt: skip
    assert parting(run(kept=(0, 2)), run("b")) == (False, [
        "note: a/digests.csv lacks the digests of step 1",
        "equal: the losses of 3 steps, and all tensors up to step 2",
    ])  # fmt: skip


def test_the_first_loss_and_the_first_tensors_that_differ_are_told():
    other = run("b", losses=(0.5, 0.375, 0.25), other={2: digests(w="aa", b="cc")})
    assert parting(run(), other) == (True, [
        "the losses part at step 2: loss: 0.25 against 0.375", "all tensors are equal after step 1",
        "tensors that differ after step 2: b",
    ])  # fmt: skip
    many = dict.fromkeys("abcdef", "x")
    first = run(losses=(), kept=(), other={0: many})
    assert parting(first, run("b", losses=(), kept=(), other={0: dict.fromkeys(many, "y")})) == (
        True, ["tensors that differ before the first step: a, b, c, d and 2 more"]
    )  # fmt: skip


@pytest.mark.parametrize(("one", "other", "what"), [
    (run(losses=()), run("b"), "losses"), (run(kept=()), run("b"), "digests"),
    (run(kept=(2,)), run("b", kept=(1,)), "digests"),
])  # fmt: skip
def test_what_nothing_was_kept_of_is_not_called_equal(one, other, what):
    words = f"nothing says that they are equal: they have no {what} of the same steps"
    with pytest.raises(FailedError, match=words):
        comparing.divergence(one, other, print)


@pytest.mark.parametrize(("other", "text"), [
    (run("b"), "equal"), (run("b", losses=(0.5, 1.0, 0.125)), "at step 2"),
    (run("b", other={1: digests(w="x", b="bb")}), "at step 1"),
    (run("b", losses=(0.5, 1.0, 0.125), other={1: digests(w="x", b="bb")}), "at step 1"),
    (run("b", other={0: digests(w="x", b="bb")}), "before step 1"), (run("b", kept=(5,)), "not known"),
    (run("b", losses=(), kept=()), "not known"), (run("b", kept=()), "not known"),
])  # fmt: skip
def test_where_each_parts_from_the_first(other, text):
    first = run(settings={"lr": 0.2, "ema": None}, results={"test accuracy": "0.5"})
    other.settings = SimpleNamespace(flat=lambda: {"lr": 0.1, "threads": 2, "seed": 0, "ema": 0.9})
    other.results = {"test accuracy": "0.25", "time": "3 s"}
    rows, part = comparing.table([first, other])
    assert rows == [
        ["run", "a", "b"], ["lr", "0.2", "0.1"], ["ema", "-", "0.9"], ["test accuracy", "0.5", "0.25"],
        ["time", "-", "3 s"], ["parts from the first", "-", text],
    ]  # fmt: skip
    assert part is (text != "equal")


def test_settings_and_results_that_differ_are_told_with_their_origins():
    one = run(settings={"lr": 0.1, "threads": 2}, results={"accuracy": "0.5", "loss": "1", "same": "7"})
    other = run(
        "b", settings={"lr": 0.2, "threads": 1}, results={"accuracy": "0.25", "same": "7", "new": "2"}
    )
    other.origins = {"lr": "config.toml"}
    assert list(comparing.settings(one, other)) == [
        "lr: 0.1 (flag) against 0.2 (config.toml)",
        "threads: 2 (flag) against 1 (None), on which the weights do not depend",
    ]
    assert list(comparing.results(one, other)) == [
        "result accuracy: 0.5 against 0.25", "result loss: 1 against none", "result new: none against 2"
    ]  # fmt: skip
    assert list(comparing.results(one, run("b"))) == list(comparing.results(run(), other)) == []


def test_both_runs_are_trained_again_for_the_fewest_steps(monkeypatch):
    asked = []

    def run(name, repeatable, steps):
        @contextlib.contextmanager
        def replay(names, threads):
            yield f"{name} again"

        return SimpleNamespace(settings=SimpleNamespace(steps=steps), repeatable=repeatable, replay=replay)

    monkeypatch.setattr(comparing.replay, "first_difference", lambda *one: asked.append(one) or "at 3")
    assert comparing.replayed(run("one", 9, 8), run("two", 7, None)) == "trained again, they part at 3"
    assert asked == [("one again", "two again", 7)]
