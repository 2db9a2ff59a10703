"""A run from Python: arguments are checked before anything is made, and what is said is said for Python."""

import json
import os
import pathlib
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

import cynet
from cynet import nn
from cynet.core import random, threads
from cynet.data import balance
from cynet.nn import ReLU
from cynet.runs import Outcome, RefusedError, Settings, beginning, divergence, ranges, remarks
from cynet.runs.origins import Names
from cynet.runs.settings import DEFAULTS
from cynet.train import Diverged, Observer, RunFolder, Session, batching, diagnosis

pytestmark = pytest.mark.usefixtures("one_thread")
SETTINGS = {"data": "tiny", "batch_size": 8, "workers": 0, "threads": 1, "steps": 4, "lr": 0.01}
FLAG = re.compile(r"(?<![\w-])--[a-z]")


def start(path, report=False, say=None, observers=(), **more):
    return cynet.runs.start(Settings(**SETTINGS | more), path, report=report, say=say, observers=observers)


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no words")

    __eq__ = __bool__ = __repr__
    __hash__ = object.__hash__


# -- settings of other types -------------------------------------------------------------------------------
WRONG = [np.array([0.1, 0.2]), np.array(0.1), [1], (1, 2), object(), Unshowable(), 1j]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", vars(Settings()))
def test_a_setting_of_a_wrong_type_is_refused_by_its_name(tmp_path, name, wrong):
    with pytest.raises(RefusedError) as caught:
        start(tmp_path / "run", **{name: wrong})
    assert str(caught.value).startswith(f"{name}: wanted ") and "\n" not in str(caught.value)
    assert caught.value.argument == name and not (tmp_path / "run").exists()


DRAWN = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 70), st.floats(), st.complex_numbers(), st.text("flip,x0:.5"),
    st.binary(), st.lists(st.sampled_from(["flip", "shift", "norm", "0.*", "x", 3])), st.just({"a": {1}}),
    st.sets(st.just("flip")), st.dictionaries(st.integers(0, 9), st.floats()), st.just(np.float32(0.5)),
)  # fmt: skip


@given(name=st.sampled_from(list(vars(Settings()))), value=DRAWN)
@settings(max_examples=600)
def test_whatever_settings_are_given_they_are_of_their_type_or_refused_at_once(name, value):
    """What is taken is what a file of settings would give, and the settings can be kept and read again."""
    try:
        made = Settings(**{name: value})
    except RefusedError as error:
        assert error.argument == name and str(error).startswith(f"{name}: wanted ")
        return
    flat = made.flat()
    assert flat[name] is None or ranges.is_plain(name, flat[name])
    assert Settings.unflat(json.loads(json.dumps(flat))).flat() == flat


@pytest.mark.parametrize(("more", "wanted"), [
    ({"lr_factor": {"*.bias": np.float64(64), "0.*": 0.5}}, "*.bias:64.0,0.*:0.5"), ({"lr_factor": {}}, None),
    ({"freeze_after": {"0.bias": 3}}, "0.bias:3"), ({"epochs": np.float32(0.5)}, 0.5), ({"epochs": 3.0}, 3),
    ({"freeze": ["0.*", "*.bias"]}, "0.*,*.bias"), ({"freeze": []}, None), ({"tta": ()}, None),
    ({"tta": ("shift", "flip")}, "flip,shift"), ({"no_decay": ["bias"]}, "bias"), ({"augment": []}, False),
    ({"augment": ["crop:4", "flip"]}, True), ({"model_option": {"width": 8}}, '{"width": 8}'),
    ({"lr": np.float32(0.5)}, 0.5), ({"init_from": pathlib.Path("a")}, "a"), ({"lr_steps": {}}, {}),
    ({"lr_steps": {np.int64(3): 1}}, {3: 1.0}),
])  # fmt: skip
def test_settings_take_what_python_has_types_for(more, wanted):
    (name,) = more
    assert vars(Settings(**more))[name] == wanted and type(vars(Settings(**more))[name]) is type(wanted)


@pytest.mark.parametrize(("more", "words"), [
    ({"lr": np.array([0.1, 0.2])}, "lr: wanted a number, got array([0.1, 0.2])"),
    ({"batch_norm": 1}, "batch_norm: wanted True or False, got 1"),
    ({"warmup": False}, "warmup: wanted a number, got False"),
    ({"workers": None}, "workers: wanted a number or 'auto', got None"),
    ({"lr_steps": 3}, "lr_steps: wanted a dict such as {300: .01, 420: .001}, got 3"),
    ({"data_dir": 3}, "data_dir: wanted a path, got 3"),
    ({"model": nn.Sequential(nn.Flatten())},
     "model: wanted a name (cynet.models.register gives a model of your own one), got Sequential("),
    ({"data": tiny.tiny()},
     "data: wanted a name (cynet.data.register gives a data set of your own one), got ArrayDataset("),
])  # fmt: skip
def test_what_is_wanted_of_a_setting_is_told_in_the_words_of_python(tmp_path, more, words):
    with pytest.raises(RefusedError) as caught:
        start(tmp_path / "run", **more)
    assert str(caught.value).startswith(words)


def test_settings_that_equal_the_defaults_are_nobodys_choice(tmp_path):
    start(tmp_path / "run", lr_steps={}, warmup=0, checkpoint_minutes=10, momentum=0.9)
    origins = cynet.runs.open(tmp_path / "run").origins
    assert {name for name, origin in origins.items() if origin == "python"} == set(SETTINGS)


# -- arguments ---------------------------------------------------------------------------------------------
class Half:
    def stepped(self, progress): ...


@pytest.mark.parametrize(("more", "words"), [
    ({"observers": [print]}, "observers[0]: wanted an Observer, got <built-in function print>"),
    ({"observers": [Observer(), Observer]}, "observers[1]: wanted an Observer, got <class "),
    ({"observers": [Half()]}, "observers[0]: wanted an Observer, got "),
    ({"observers": 3}, "observers: wanted a sequence of Observer, got 3"),
    ({"observers": Observer()}, "observers: wanted a sequence of Observer, got "),
    ({"say": 3}, "say: wanted a callable or None, got 3"),
    ({"report": 3}, "report: wanted True, False or what writes the page, got 3"),
    ({"report": "page.html"}, "report: wanted True, False or what writes the page, got 'page.html'"),
])  # fmt: skip
def test_arguments_of_a_wrong_type_are_refused_before_anything_is_made(tmp_path, more, words):
    with pytest.raises(TypeError) as caught:
        start(tmp_path / "run", **more)
    assert str(caught.value).startswith(words) and not (tmp_path / "run").exists()
    with pytest.raises(TypeError) as caught:
        cynet.runs.resume(tmp_path / "run", **more)
    assert str(caught.value).startswith(words)
    assert start(tmp_path / "run").status == "finished"  # the second try


@pytest.mark.parametrize("wrong", [3, None, b"run", ["run"]])
def test_a_folder_that_is_no_path_is_refused(wrong):
    with pytest.raises(TypeError, match=r"^folder: wanted a str or a Path, got "):
        cynet.runs.resume(wrong)
    with pytest.raises(TypeError, match="wanted a str or a Path, got "):
        cynet.runs.open(wrong)
    if wrong is not None:
        with pytest.raises(TypeError, match=r"^run_dir: wanted a str or a Path, got "):
            start(wrong)
    with pytest.raises(RefusedError, match=r"^run_dir: wanted the name of a file .*NUL"):
        start("a\0b")


@pytest.mark.parametrize(("wrong", "words"), [
    (3, "allow_change: wanted a sequence of str, got 3"), ([3], "allow_change[0]: wanted a str, got 3"),
])  # fmt: skip
def test_allow_change_is_of_names(tmp_path, wrong, words):
    with pytest.raises(TypeError) as caught:
        cynet.runs.resume(tmp_path, allow_change=wrong)
    assert str(caught.value) == words


# -- what the process has afterwards -------------------------------------------------------------------------
@pytest.mark.parametrize("more", [{}, {"batch_size": 65}, {"init_from": "/nowhere"}])
def test_threads_and_random_numbers_are_afterwards_as_before(tmp_path, more):
    threads.set_num_threads(2)
    random.seed(77)
    random.next_key()
    before = threads.get_num_threads(), random.get_state()
    try:
        start(tmp_path / "run", seed=5, **more)
    except RefusedError:
        assert more
    assert (threads.get_num_threads(), random.get_state()) == before


def test_a_session_that_nobody_closes_changes_nothing_later():
    settings = Settings(**SETTINGS).resolved(64)
    one = Session(settings, tiny.tiny(), tiny.tiny(split="test"))
    random.seed(78)
    one.batches.close()
    del one
    assert random.get_state() == {"seed": 78, "draws": 0}


# -- the end -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("error", "words"), [
    (KeyError("x"), "KeyError: 'x'"), (RuntimeError("no ink"), "RuntimeError: no ink"),
    (ZeroDivisionError(), "ZeroDivisionError: "), (MemoryError(), "MemoryError: "),
    (TypeError("three"), "TypeError: three"), (ValueError("no"), "no"), (ValueError(), "ValueError: "),
    (OSError(28, "No space left"), "No space left"),
])  # fmt: skip
def test_a_page_that_cannot_be_made_ends_no_trained_run(tmp_path, error, words):
    def broken(*given, **more):
        raise error

    said = []
    assert start(tmp_path / "run", report=broken, say=said.append).status == "finished"
    assert f"note: no report.html: {words}" in said


def test_ctrl_c_while_the_page_is_made_is_no_note(tmp_path):
    def interrupted(*given, **more):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "run", report=interrupted)


def test_an_outcome_is_shown_in_one_short_line(tmp_path):
    found = start(tmp_path / "run")
    assert repr(found) == f"<Outcome: {found}>" and "array" not in repr(found) and "\n" not in repr(found)


class Killing(Observer):
    def stepped(self, progress):
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_the_wish_to_stop_is_noted_where_the_run_says_things(tmp_path, capfd):
    said = []
    assert start(tmp_path / "a", say=said.append, observers=[Killing()]).status == "stopped"
    assert "stopping after this step, and saving; once more stops at once" in said
    assert start(tmp_path / "b", say=None, observers=[Killing()]).status == "stopped"
    assert capfd.readouterr() == ("", "")

    def broken(line):
        if line.startswith("stopping"):
            raise RuntimeError("reentrant call")

    assert start(tmp_path / "c", say=broken, observers=[Killing()]).status == "stopped"


# -- advice ------------------------------------------------------------------------------------------------
def test_a_run_from_python_says_no_flags(tmp_path):
    said = []
    start(tmp_path / "run", say=said.append, batch_size=40)
    start(tmp_path / "other", say=said.append, lr=1e30, batch_norm=False)
    advice = [line for line in said if "batch_size=" in line or "a lower lr" in line]
    assert len(advice) == 2 and not [line for line in said if FLAG.search(line)]


def test_all_advice_is_written_for_python_where_that_is_asked_for(tmp_path):
    words = Names()
    with Session(Settings(**SETTINGS).resolved(64), tiny.tiny(), tiny.tiny(split="test")) as one:
        told = [
            diagnosis.exploding(500.0, [1.0, 2.0, 3.0], 200, 0.1, words),
            diagnosis.data_bound(10.0, 3.0, 1, words), diagnosis.data_bound(10.0, 3.0, 0, words),
            diagnosis.overfitted(0.1, 1.5, 1.0, 2.3, words=words),
            diagnosis.dead([("2", ReLU(), 4, 16)], 250, True, words=words),
            diagnosis.not_finite(one.trainer, one.batches, Diverged(3, float("nan"), "training loss"), words),
            balance.advice(words), batching.advice(80, 60, words=words), words.begin("b"),
            words.resume("r", "lr"), *remarks.of(one, words),
        ]  # fmt: skip
    assert all(told) and not [line for line in map(str, told) if FLAG.search(line)]
    assert words.resume("r", "lr_steps") == (
        "cynet.runs.resume('r', lr_steps={STEP: RATE}, allow_change=['lr_steps'])"
    )


def test_ways_out_of_a_divergence_are_calls(tmp_path):
    folder, said = RunFolder.open(start(tmp_path / "run").folder), []
    with Session(Settings(**SETTINGS).resolved(64), tiny.tiny(), tiny.tiny(split="test")) as one:
        divergence._ways_out(one, folder, said.append, Names())
    (line,) = said
    call = f"cynet.runs.resume({str(folder.path)!r}, lr=RATE, allow_change=['lr'])"
    assert line.endswith(f"with a lower rate: {call}")


def test_a_folder_in_the_place_of_a_name_is_answered_with_arguments(tmp_path):
    with pytest.raises(RefusedError) as caught:
        start(tmp_path / "run", data=str(tmp_path))
    assert str(caught.value).endswith(f"(did you mean data='image_folder' data_dir={str(tmp_path)!r}?)")


def test_a_net_is_named_or_brought_and_not_both(tmp_path):
    """Which of the two was meant nobody knows."""
    for net in (nn.Linear(2, 2), lambda shape, classes: nn.Linear(2, 2)):
        with pytest.raises(
            RefusedError, match=r"^model: wanted it once, got .* beside uwnet1 of the settings$"
        ):
            cynet.runs.start(Settings(**SETTINGS, model="uwnet1"), tmp_path / "a", model=net, say=None)
    assert not (tmp_path / "a").exists()


def told(**more):
    return Outcome(
        **{"status": "stopped", "folder": Path("a/b"), "step": 3, "steps": 9, "measure": "test"} | more
    )


@pytest.mark.parametrize(("best", "words"), [
    (None, ""), ({"accuracy": 0.12345, "step": 2, "epoch": 1}, "; best validation accuracy 0.1235"),
    ({"ap": None, "step": 2, "epoch": 1}, "; best validation average precision nan"),
    ({"rmse": 12.5, "step": 2, "epoch": 1}, "; best validation RMSE 12.5000"),
])  # fmt: skip
def test_an_outcome_has_its_best_by_its_measure(best, words):
    found = told(best=best, measure="validation")
    assert str(found) == f"stopped after 3 of 9 steps: a/b{words}" and repr(found) == f"<Outcome: {found}>"
    assert (found.weights, found.best_weights) == (Path("a/b/last.safetensors"), Path("a/b/best.safetensors"))


def test_calls_in_advice_can_be_pasted():
    names = Names()
    assert names("resume") == "folder" and names("lr") == "lr"
    assert names.resume(Path("it's")) == """cynet.runs.resume("it's")"""
    assert names.resume("a", "lr") == "cynet.runs.resume('a', lr=RATE, allow_change=['lr'])"
    rates = "cynet.runs.resume('a', lr_steps={STEP: RATE}, allow_change=['lr_steps'])"
    assert names.resume("a", "lr_steps") == rates
    assert names.begin(Path("w.safetensors")) == "cynet.runs.start with init_from='w.safetensors' and lr=RATE"
    for origin in ("default", "flag", "python"):
        assert names.of("lr", origin) == "lr"
    assert names.of("lr", "a.toml") == "a.toml: lr"
    assert Names("a.toml").of("lr", "a.toml") == "config: a.toml: lr"
    assert Names(Path("a.toml")).of("lr", "b.toml") == "b.toml: lr"


def test_the_error_of_a_setting_is_called_by_where_it_came_from():
    origins = dict.fromkeys(DEFAULTS, "default") | {"lr_steps": "a.toml", "init_from": "python"}
    for error, words in (
        (ValueError("lr_steps: wanted steps"), "a.toml: lr_steps: wanted steps"),
        (ValueError("warmup: wanted less"), "warmup: wanted less"),
        (FileNotFoundError(2, "No such file", "w.pt"), "init_from: w.pt: No such file"),
        (ValueError("wanted other pictures"), "wanted other pictures"),
    ):
        found = beginning._named(error, origins, Names())
        assert isinstance(found, RefusedError) and str(found) == words
