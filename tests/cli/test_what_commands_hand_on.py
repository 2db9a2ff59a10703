"""What evaluate, diff, verify, bundle and the rest ask of the library, and how they tell what it gives."""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cynet import cli
from cynet.cli import bench_flags, column_tables, lr_find, runs, tables, trained
from cynet.cli.parser import Parser
from cynet.core.tasks import CLASSIFY, REGRESS
from cynet.report import evaluated
from cynet.runs import beside, bundling, comparing, environment, evaluating, matching, replay
from cynet.train import lr_find as library


# -- evaluate ------------------------------------------------------------------------------------------------
@pytest.fixture
def evaluate(monkeypatch, tmp_path):
    """A function of a task and words: what was loaded, what was asked, and the status; a third is NaN."""
    asked = {}

    def run(task, *words):
        facts = SimpleNamespace(data="shapes10", task=task, classes=("a",), tta="flip")
        known = SimpleNamespace(
            sure=np.arange(3600) % 3 > 0, evaluation=SimpleNamespace(accuracy=0.25), task=task
        )
        found = SimpleNamespace(known=known, unknown={}, matched="matched")
        monkeypatch.setattr(trained, "locate", lambda path, *_: (Path(path), str(tmp_path)))
        monkeypatch.setattr(trained, "load", lambda *_: ("model", facts))
        monkeypatch.setattr(trained, "headline", lambda *_: "headline")
        monkeypatch.setattr(beside, "data_options", lambda path, name: {"path": path, "name": name})
        monkeypatch.setattr(beside, "loss_of", lambda path: f"loss of {path}")
        monkeypatch.setattr(
            matching, "load", lambda facts, *given, **more: asked.update(load=(*given, more)) or "matched"
        )
        monkeypatch.setattr(
            evaluating, "evaluate", lambda *given, **more: asked.update(evaluate=(*given[2:], more)) or found
        )
        monkeypatch.setattr(evaluated, "notes_of", lambda matched: [f"of {matched}"])
        monkeypatch.setattr(tables, "evaluation", lambda *given: asked.update(told=given[3:]) or ["classes"])
        monkeypatch.setattr(
            column_tables, "evaluation", lambda *given: asked.update(told=given[2:]) or ["columns"]
        )
        monkeypatch.setattr(column_tables, "last", lambda known, split: f"{split} last")
        return cli.main(["evaluate", "w", *words]), asked

    return run


def test_numbers_are_evaluated_with_the_loss_of_their_training(evaluate, capsys, tmp_path):
    status, asked = evaluate(REGRESS)
    assert status == 0 and asked["load"] == (
        "shapes10", str(tmp_path), "test", {"path": "w", "name": "shapes10"},
    )  # fmt: skip
    assert asked["evaluate"] == ("matched", 250, False, {"tta": "flip", "loss": "loss of w"})
    assert asked["told"] == ("shapes10", "test", False)
    out, err = capsys.readouterr()
    assert out == "headline\nnote: of matched\ncolumns\ntest last\n"
    assert err == "warning: 1,200 samples gave NaN; they count as wrong\n"


def test_classes_are_evaluated_as_the_flags_say(evaluate, capsys):
    words = "--data mnist --split train --batch-size 7 --tta none --flip"
    status, asked = evaluate(CLASSIFY, *words.split())
    assert status == 0 and asked["load"] == ("mnist", None, "train", {"path": "w", "name": "mnist"})
    assert asked["evaluate"] == ("matched", 7, True, {"tta": "flip", "loss": None})
    assert asked["told"] == ("mnist", "train", ("flip",))
    out, err = capsys.readouterr()
    assert out == "headline\nnote: of matched\nclasses\ntrain accuracy 0.2500\n"
    assert err == "warning: 1,200 pictures gave NaN; they count as wrong\n"


@pytest.mark.parametrize(("words", "flag"), [
    ("--flip", "--flip"), ("--tta shift", "--tta"), ("--tta shift --flip", "--flip"),
])  # fmt: skip
def test_a_text_has_no_views(evaluate, capsys, words, flag):
    status, asked = evaluate("language", *words.split())
    assert status == 2 and "evaluate" not in asked
    assert capsys.readouterr().err == (
        f"cynet evaluate: error: {flag}: wanted a model of pictures, got one of texts\n"
    )


@pytest.mark.parametrize(("words", "place"), [
    ("--int8", None), ("--int8 --data-dir there", "there"), ("--int8 --data mnist --data-dir there", None),
    ("--int8 --data shapes10 --samples 7", None),
])  # fmt: skip
def test_ranges_of_eight_bits_are_those_of_the_training_set_wherever_it_is_evaluated(
    evaluate, monkeypatch, tmp_path, words, place
):
    asked = []
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trained, "quantized", lambda *given: asked.append(given) or "in eight bits")
    monkeypatch.setattr("cynet.interop.int8.running.QuantizedNet", lambda net: net)
    assert evaluate(CLASSIFY, *words.split())[0] == 0
    ((model, _, path, name, root, count),) = asked
    assert (model, path, name, root) == ("model", Path("w"), "shapes10", place or str(tmp_path))
    assert count == (7 if "--samples" in words else None)


@pytest.mark.parametrize(("words", "status", "line"), [
    ("--data-dir gone", 2, "--data-dir: no such file or folder: "),
    ("--data mnist --skip-damaged", 2, "--skip-damaged: wanted "),
    ("--json .", 2, "--json: wanted a file, . is a folder"),
])  # fmt: skip
def test_what_cannot_be_evaluated_is_refused_before_it_is(evaluate, capsys, words, status, line):
    found, asked = evaluate(CLASSIFY, *words.split())
    assert found == status and "evaluate" not in asked
    assert capsys.readouterr().err.startswith(f"cynet evaluate: error: {line}")


# -- diff and verify -----------------------------------------------------------------------------------------
@pytest.fixture
def two(monkeypatch):
    """Two runs, of which the second was resumed; each thing that is said of them has its name."""
    made = {
        name: SimpleNamespace(
            folder=SimpleNamespace(path=name), limit=limit, environment=f"env of {name}", name=name
        )
        for name, limit in (("one", 0), ("two", 8))
    }  # fmt: skip
    monkeypatch.setattr("cynet.cli.again.opened", made.__getitem__)
    both = lambda word: lambda one, other: [f"{word} {one.name} {other.name}"]  # noqa: E731
    monkeypatch.setattr(comparing, "settings", both("of"))
    monkeypatch.setattr(comparing, "results", both("results"))
    monkeypatch.setattr(comparing, "notes", lambda run: [f"note of {run.name}"])
    monkeypatch.setattr(environment, "differences", lambda one, other: [f"{one}, {other}"])
    monkeypatch.setattr(comparing, "replayed", lambda one, other, names: f"replayed {one.name} {other.name}")
    return made


@pytest.mark.parametrize("part", [False, True])
def test_a_note_on_several_runs_is_said_once(two, monkeypatch, capsys, part):
    monkeypatch.setattr(comparing, "table", lambda runs: ([["run", *(each.name for each in runs)]], part))
    monkeypatch.setattr(comparing, "notes", lambda run: [f"of {run.name}", "of the machine"])
    assert cli.main(["diff", "one", "two", "one"]) == part
    assert capsys.readouterr().out.splitlines() == [
        "run  one  two  one", "note: of one", "note: of the machine", "note: of two",
    ]  # fmt: skip


@pytest.mark.parametrize(("differ", "flags", "last"), [
    (True, [], []), (False, [], []), (False, ["--replay"], []), (True, ["--replay"], ["replayed one two"]),
])  # fmt: skip
def test_runs_are_compared_in_order_and_trained_again_where_they_differ(
    two, monkeypatch, capsys, differ, flags, last
):
    monkeypatch.setattr(comparing, "divergence", lambda one, other, say: say("parted") or differ)
    assert cli.main(["diff", "one", "two", *flags]) == int(differ)
    assert capsys.readouterr().out.splitlines() == [
        "one against two", "setting of one two", "two was resumed with other settings after step 8",
        "note: note of one", "note: note of two", "environment env of one, env of two", "results one two",
        "parted", *last,
    ]  # fmt: skip


@pytest.fixture
def stored(monkeypatch):
    """A run of ten steps that can be repeated up to step 8, and what was asked of its replay."""
    asked = []

    @contextlib.contextmanager
    def again(names, **changes):
        asked.append(changes)
        yield SimpleNamespace(session=None)

    run = SimpleNamespace(
        repeatable=8, limit=0, environment={}, replay=again, soundness=lambda: {"a": None, "b": None},
        folder=SimpleNamespace(digests=SimpleNamespace(path="digests.csv")),
        history=SimpleNamespace(notes=["cut off"], digests={0: 0, 5: 0, 10: 0}, gaps=lambda steps: [steps]),
    )  # fmt: skip
    monkeypatch.setattr("cynet.cli.again.opened", lambda path: run)
    monkeypatch.setattr(replay, "verify", lambda again, history, steps: asked.append(steps) or [])
    monkeypatch.setattr(environment, "describe", lambda session: {})
    return run, asked


@pytest.mark.parametrize(("flags", "steps", "changes", "last"), [
    ([], 8, {"threads": None}, "equal: 8 losses, and every tensor after step 0, 5"),
    (["--steps", "5", "--threads", "3", "--data-dir", "there"], 5, {"threads": 3, "data_dir": "there"},
     "equal: 5 losses, and every tensor after step 0, 5"),
    (["--steps", "4"], 4, {"threads": None}, "equal: 4 losses, and every tensor after step 0"),
])  # fmt: skip
def test_as_many_steps_are_verified_as_can_be(stored, capsys, flags, steps, changes, last):
    assert cli.main(["verify", "R", *flags]) == 0
    assert stored[1] == [changes, steps]
    assert capsys.readouterr().out.splitlines() == [
        "note: cut off", f"note: digests.csv lacks the digests of step {steps}", "a: sound", "b: sound", last,
    ]  # fmt: skip


def test_what_cannot_be_verified_says_why(stored, capsys):
    stored[0].history.digests = {10: 0}
    assert cli.main(["verify", "R"]) == 1
    assert "nothing to compare: digests.csv holds no digests of these steps" in capsys.readouterr().err
    stored[0].repeatable = 0
    assert cli.main(["verify", "R"]) == 2
    assert "RUN: wanted a run of at least one step, R has none to train again (cut off)" in (
        capsys.readouterr().err
    )
    assert stored[1] == []


# -- others --------------------------------------------------------------------------------------------------
def test_what_is_left_out_of_each_run_is_said(tmp_path, monkeypatch, capsys):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").write_text("step\n")
    (tmp_path / "x.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bundling, "left_out", lambda folder: [f"left out of {folder.name}"])
    assert cli.main(["bundle", "a", "b", "--files", "x.py"]) == 0
    assert capsys.readouterr().out.splitlines()[:-1] == ["note: left out of a", "note: left out of b"]
    assert cli.main(["bundle", "a", "--base", "HEAD", "--output", "c.tar.gz"]) == 2
    assert "--base: wanted --files, the files to compare with it" in capsys.readouterr().err
    assert not (tmp_path / "c.tar.gz").exists()


def test_a_curve_without_matplotlib_is_a_table_alone(tmp_path, monkeypatch, capsys):
    def plot(found, path):
        raise ImportError("plots need matplotlib")

    curve = library.Found(np.array([0.001, 0.1]), np.array([3.0, 2.0]), np.array([3.0, 2.5]), 0.0123456)
    monkeypatch.setattr(library, "lr_find", lambda *_: curve)
    monkeypatch.setattr(library, "plot", plot)
    session = SimpleNamespace(settings=SimpleNamespace(model="m", data="d"), trainer=None, batches=None)
    monkeypatch.chdir(tmp_path)
    assert lr_find.find(session, None) == 0
    folder = Path("runs/m-d-lr-find-1")
    first, *_, table, picture, last = capsys.readouterr().out.splitlines()
    assert first == (
        f"learning rates from {library.LOWEST:g} to {library.HIGHEST:g} in up to {library.STEPS} steps"
    )
    assert (table, picture) == (f"curve in {folder / 'lr_find.csv'}", "no picture: plots need matplotlib")
    assert last == "suggestion: --lr 0.0123456" and len((folder / "lr_find.csv").read_text().split()) == 3


def test_a_cell_of_the_list_of_runs_is_cut_at_a_hundred_letters():
    assert runs.shown("x" * 100) == "x" * 100 and runs.shown("x" * 101) == "x" * 100


@pytest.mark.parametrize("text", ["", "a,", ",a", "a,,b", ","])
def test_names_with_nothing_between_commas_are_refused(text):
    with pytest.raises(bench_flags.ArgumentTypeError, match="wanted names with commas between them, got "):
        bench_flags.words(text)


def test_the_beginning_of_a_flag_is_no_flag(capsys):
    for words in (["evaluate", "w", "--batch", "3"], ["bench", "peak", "--rep", "3"]):
        assert cli.main(words) == 2
        assert f"unknown flag: {words[-2]} " in capsys.readouterr().err


def test_of_an_option_that_is_given_twice_the_last_counts():
    parser = Parser("bench", "")
    bench_flags.add(parser.commands(dict.fromkeys(bench_flags.choices.WHAT, "")))
    given = "profile --model-option width=3 --model-option depth=2 --model-option width=4 --model a --model b"
    flags = parser.parse_args(given.split())
    assert flags.model_option == '{"depth": 2, "width": 4}' and flags.model == ["a", "b"]


@pytest.mark.parametrize(("asked", "taken"), [(None, "flip"), ("", ""), ("shift", "shift")])
def test_an_evaluation_has_the_views_of_the_training_where_nobody_says_others(monkeypatch, asked, taken):
    seen = []
    monkeypatch.setattr(evaluating, "test_loader", lambda samples, *_: contextlib.nullcontext(samples))
    monkeypatch.setattr(evaluating, "predict", lambda *given: seen.append(given) or "found")
    facts = SimpleNamespace(task="classify", tta="flip")
    matched = SimpleNamespace(known="known", unknown={"cat": "cats"})
    found = evaluating.evaluate("model", facts, matched, tta=asked)
    assert seen == [("model", "known", False, taken), ("model", "cats", False, taken)]
    assert (found.known, found.unknown) == ("found", {"cat": "found"})
