"""All settings in one table: their flags, bounds, help, origins, and what a run that goes on may change."""

import hashlib
import re
import shutil
import tomllib

import numpy as np
import pytest
import tiny
from settings_table import SETTINGS

from cynet import cli, data
from cynet.cli import train as command
from cynet.cli.gathering import gather
from cynet.cli.parser import Parser, UsageError
from cynet.data import registry
from cynet.runs import recipes
from cynet.train import RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")
RUN = (
    "--data",
    "tiny",
    "--model",
    "uwnet2",
    "--batch-size",
    "8",
    "--workers",
    "0",
    "--steps",
    "9",
    "--lr",
    ".01",
)
FREE = [name for name, promise in SETTINGS.items() if promise.free]
SETTLED = ("validation", "split_seed")
PLAIN = (int, float, str)


def tiny2(root=None, split="train"):
    """Other pictures than tiny's."""
    whole = tiny.tiny(split=split)
    return data.ArrayDataset(whole.images ^ np.uint8(1), whole.labels, whole.classes)


@pytest.fixture(scope="module", autouse=True)
def registered():
    """The data set "tiny2", within this file."""
    data.register("tiny2", tiny2)
    yield
    registry.dataset.remove("tiny2")


def parser():
    made = Parser("train", "")
    command.add_flags(made)
    return made


def gathered(*arguments):
    return gather(parser().parse_args(list(map(str, arguments))))


def flag(name):
    return "--" + name.replace("_", "-")


def own(name, folder):
    """The flags that change a setting, and what it becomes."""
    promise = SETTINGS[name]
    flags = [word.replace("WEIGHTS", str(folder / "best.safetensors")) for word in promise.other]
    given = str(folder / "best.safetensors") if promise.given == "WEIGHTS" else promise.given
    return flags, given


CASES = [(name, text, True) for name, each in SETTINGS.items() for text in each.takes]
CASES += [(name, text, False) for name, each in SETTINGS.items() for text in each.refuses]


def meant(name, text):
    """The value that a text stands for."""
    kind = float if name == "epochs" else type(SETTINGS[name].given)
    if name == "model_option":
        return {"a=": '{"a": ""}', "a=[1]": '{"a": [1]}'}.get(text, text)
    if kind is dict:
        return {int(step): float(rate) for step, rate in (part.split(":") for part in text.split(","))}
    return text if text == "auto" or name == "augment" else kind(text)


@pytest.mark.parametrize(("name", "text", "taken"), CASES)
def test_the_bounds_are_where_they_are_said_to_be(tmp_path, name, text, taken):
    file = tmp_path / "own.toml"
    quoted = type(SETTINGS[name].given) in (str, dict) or text in ("auto", "some") or name == "augment"
    file.write_text(f"{name} = {repr(text) if quoted else text}\n")
    for arguments, called in (
        ([f"{flag(name)}={text}"], flag(name)),
        (["--config", file], f"--config: {file}: {name}"),
    ):
        if taken:
            assert gathered(*arguments)[0][name] == meant(name, text)
            continue
        with pytest.raises(UsageError) as caught:
            gathered(*arguments)
        said = str(caught.value)
        if name == "augment" and ":" in text:  # which of its arguments is told
            kind, _, value = text.partition(":")
            assert said.startswith(f"{called}: {kind}: ") and ": wanted " in said and value in said
        else:
            assert said.startswith(f"{called}: wanted ") and text in said


@pytest.mark.parametrize("name", SETTINGS)
def test_help_says_the_default(monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "1000")
    blocks = re.findall(r"^  (--\S.*(?:\n {6,}.*)*)", parser().format_help(), re.MULTILINE)
    (text,) = (block for block in blocks if re.match(rf"{flag(name)}[ ,]", block))
    shown = SETTINGS[name].shown
    if shown is None:
        assert "(default: " not in text
    else:
        assert text.count("(default") == 1 and f"(default: {shown})" in text
    switch = isinstance(SETTINGS[name].default, bool) and name != "augment"  # whose --no-augment is its own
    assert ("--no-" + name.replace("_", "-") in text) == switch


@pytest.mark.parametrize("name", SETTINGS)
def test_a_flag_goes_over_the_file_over_the_recipe_over_the_default(monkeypatch, tmp_path, name):
    promise = SETTINGS[name]
    monkeypatch.setattr(recipes, "RECIPES", tmp_path)
    values, origins = gathered()
    assert (values[name], origins[name]) == (promise.default, "default")
    first, second = line_of(name, 0), line_of(name, 1)
    (tmp_path / "mine.toml").write_text(first[0])
    values, origins = gathered("--recipe", "mine")
    assert (values[name], origins[name]) == (first[1], "recipe mine")
    file = tmp_path / "file.toml"
    file.write_text(second[0])
    values, origins = gathered("--recipe", "mine", "--config", file)
    assert (values[name], origins[name]) == (second[1], str(file))
    words, value = own(name, tmp_path)
    values, origins = gathered("--recipe", "mine", "--config", file, *words)
    assert (values[name], origins[name]) == (value, "flag")


OF_DATA = ("image_size", "layout", "level", "task", "loss")  # settings that this data set has but one of


def line_of(name, number):
    """(a line of TOML, the value) of a setting, two different ones."""
    given, default = SETTINGS[name].given, SETTINGS[name].default
    if isinstance(default, bool):
        value = (not default, default)[number]
        return f"{name} = {str(value).lower()}", value
    if name == "lr_steps":
        return (('lr_steps = "3:0.5"', {3: 0.5}), ('lr_steps = "4:0.25"', {4: 0.25}))[number]
    if name == "model_option":
        return (('model_option = "a=1"', '{"a": 1}'), ("model_option = '{\"a\": 2}'", '{"a": 2}'))[number]
    if name in (
        "class_weights",
        "schedule",
        "optimizer",
        "no_decay",
        "lookahead",
        "lr_drop",
        "lr_factor",
        "freeze_after",
        "tta",
        *OF_DATA,
    ):
        value = SETTINGS[name].takes[number]
    elif isinstance(given, str):
        value = ("one", "two")[number]
    else:
        value = (type(given)(1), type(given)(3))[number] if SETTINGS[name].takes[1] not in ("0.999",) else (
            0.125, 0.75)[number]  # fmt: skip
    return f"{name} = {value!r}".replace("'", '"'), value


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of nine steps, and its SHA-256."""
    path = tmp_path_factory.mktemp("table") / "run"
    assert cli.main(["train", *RUN, "--no-report", "--run-dir", str(path)]) == 0
    return path


def sha(run):
    return hashlib.sha256((run / "last.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "skip_damaged"])
def test_a_run_that_goes_on_changes_only_what_is_free(finished, tmp_path, capsys, name):
    run = shutil.copytree(finished, tmp_path / "run")
    words, _given = own(name, finished)
    if name == "split_seed":
        words = words[:2]
    if name == "tensorboard":
        pytest.importorskip("tensorboardX")
    status = cli.main(["train", "--resume", str(run), "--no-report", *words])
    out, err = capsys.readouterr()
    if SETTINGS[name].free:
        assert (status, err) == (0, "") and "is finished" in out
    else:
        assert status == 2 and err.count("\n") == 1
        assert {"epochs": "steps"}.get(name, name) in err or flag(name) in err
    advised = "wanted --allow-change" in err
    if SETTINGS[name].free or name in ("init_from", "new_head", "whiten"):  # which another run begins with
        return
    allowed = ["--allow-change", name.replace("_", "-")]
    also = {"lr_steps": ["--allow-change=schedule"], "sync_batch_norm": ["--allow-change=shards"]}
    allowed += also.get(name, [])  # which it takes
    status = cli.main(["train", "--resume", str(run), "--no-report", *words, *allowed])
    out, err = capsys.readouterr()
    # No other pictures or labels, and no other tensors.
    of_texts = "sequence_length", "fold", "random_starts"  # as level
    of_tensors = "model", "model_option", "batch_norm", "ema", "lookahead", "lr_factor"
    if name in (*SETTLED, *OF_DATA, *of_texts, *of_tensors):
        assert status == 2 and sha(run) == sha(finished)
    else:
        assert (status, err) == (0, "")
    assert advised == (status == 0)


@pytest.mark.parametrize("name", FREE)
def test_the_weights_do_not_depend_on_what_is_free(finished, tmp_path, capsys, name):
    if name == "tensorboard":
        pytest.importorskip("tensorboardX")
    words, given = own(name, finished)
    assert cli.main(["train", *RUN, "--no-report", *words, "--run-dir", str(tmp_path / "run")]) == 0
    assert sha(tmp_path / "run") == sha(finished)
    config, origins = RunFolder.open(tmp_path / "run").read_config()
    assert (config[name], origins[name]) == (given, "flag")
    assert f"{name} {given}" in next(
        line for line in capsys.readouterr().out.splitlines() if line.startswith("by flag: ")
    )


def test_a_folder_keeps_every_setting_with_its_origin(finished):
    config = tomllib.loads((finished / "config.toml").read_text())
    origins = config.pop("origin")
    assert set(origins) == config.keys() - {"cynet"}
    given = {word[2:].replace("-", "_") for word in RUN[::2]}
    assert {name for name, origin in origins.items() if origin == "flag"} == given
    assert {name for name, origin in origins.items() if origin == "default"} == config.keys() - given - {
        "cynet"
    }
    for name, value in config.items():
        assert name == "cynet" or type(value) in PLAIN or isinstance(value, bool)
