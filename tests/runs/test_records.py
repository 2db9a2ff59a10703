"""env.json and test.json: what is damaged is refused in a sentence, and never lost."""

import json
import os
from types import SimpleNamespace

import pytest
from damages import COUNT, bounded, damaged_bytes, damaged_values, deep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cynet.report.repeating import commands
from cynet.runs import environment, records, replay
from cynet.runs.places import data_folder, lasting
from cynet.runs.settings import Settings
from cynet.runs.validation import results
from cynet.train import RunFolder

PART = {
    "time": "2026-01-01T00:00:00+00:00", "command": ["cynet", "train", "--lr", ".1"], "folder": "/home/a",
    "host": "h", "system": "s", "cpu": "c", "processors": 2, "threads": 1, "workers": 0,
    "cynet": {"version": "1", "compiler": "gcc", "flags": "-O3", "ISA": "avx", "OpenMP": "1"},
    "python": "3.11", "numpy": "2", "git": {"commit": "c", "changed": False},
    "data": {
        "name": "image_folder", "fingerprint": "f",
        "parts": {"drawn": {"split_seed": 0, "test_share": 0.2}, "train": 4, "test": 1},
        "validation": {"share": 0.1, "seed": 0, "training": 3, "validation": 1, "sha256": "0a"},
        "class_weights": [1.0, 0.5],
    },
    "init_from": {"path": "/no/such/file", "sha256": "0b"},
}  # fmt: skip
CHANGED = {"lr": [0.1, 0.01], "lr_steps": [None, "3:0.01"], "batch_norm": [True, False]}
GONE_ON = PART | {"after_step": 4, "changed": CHANGED}
ENVIRONMENT = PART | {"resumed": [GONE_ON, GONE_ON | {"changed": {}}]}
TESTED = {
    "weights": "best.safetensors", "sha256": "0c", "step": 4, "steps": 9, "loss": 0.5, "accuracy": 0.25,
    "samples": 8, "before": [3],
}  # fmt: skip
MANY = settings(max_examples=COUNT, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.write_config({"model": "uwnet2", "validation": 0.1})
    folder.metrics.add("9,1,0.1,2,0,2,0,1")
    folder.close()
    return folder


def used(found):
    """What every command asks of an env.json."""
    for ask in (environment.drawing, environment.held_out_digest, environment.fingerprint):
        ask(found)
    data_folder({"data": "cifar10", "data_dir": "d"}, found)
    lasting("d", found)
    commands(SimpleNamespace(config={}, environment=found))
    environment.differences(found, PART)
    try:
        replay.first_settings(Settings(), found.get("resumed", []))
        environment.initial_weights(found)
    except (OSError, ValueError) as error:
        assert str(error)


def read(folder, name, content):
    """What comes of a file's content: read and used, or refused in a line that names it, and nothing lost."""
    path = folder.path / name
    path.write_bytes(content)
    told = []
    with bounded():
        found = folder.read_environment(told.append)
        used(found)
        results(folder)
        lines = folder.set_aside()
    assert all("\n" not in line and len(line) < 1000 for line in told)
    kept = [each for each in folder.path.iterdir() if each.stem.startswith(path.stem)]
    assert [each.read_bytes() for each in kept] == [content]
    if kept != [path]:
        assert len(lines) == 1 and lines[0].startswith(f"note: {path}: ")
        assert lines[0].endswith(f"set aside as {kept[0].name}")
        assert (name == "test.json") or told
        kept[0].unlink()


FILES = [("env.json", ENVIRONMENT), ("test.json", TESTED)]


@pytest.mark.parametrize("name, sound", FILES)
@given(data=st.data())
@MANY
def test_every_field_may_be_odd(folder, name, sound, data):
    value = data.draw(damaged_values(sound))
    read(folder, name, json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))


@pytest.mark.parametrize("name, sound", FILES)
@given(data=st.data())
@MANY
def test_every_byte_may_be_damaged(folder, name, sound, data):
    read(folder, name, data.draw(damaged_bytes(json.dumps(sound, indent=1).encode())))


def test_sound_ones_come_back(folder):
    for name, sound, reader in (
        ("env.json", ENVIRONMENT, records.environment), ("test.json", TESTED, records.tested)
    ):  # fmt: skip
        (folder.path / name).write_text(json.dumps(sound))
        assert reader(folder.path) == sound
    assert folder.set_aside() == []
    assert results(folder)["test_loss"] == "0.5"
    (folder.path / "test.json").write_text(json.dumps(TESTED | {"loss": "inf"}))
    assert results(folder)["test_loss"] == "inf"
    nothing = dict.fromkeys(("data", "git", "init_from", "cynet", "folder", "cpu"))
    for other in ({}, nothing, {"new": [1]}):
        (folder.path / "env.json").write_text(json.dumps(other))
        assert folder.read_environment() == other


@pytest.mark.parametrize(
    "value, said",
    [
        ({"data": "x"}, "data: wanted an object, got 'x'"),
        ({"resumed": None}, "resumed: wanted a list, got None"),
        ({"resumed": [3]}, r"resumed\[0\]: wanted an object, got 3"),
        ({"resumed": [{"after_step": 1}]}, r"resumed\[0\]\.changed: wanted it, got none"),
        ({"resumed": [GONE_ON | {"changed": {"lr": 1}}]}, r"resumed\[0\]\.changed: wanted settings with"),
        ({"resumed": [GONE_ON | {"after_step": -1}]}, r"resumed\[0\]\.after_step: wanted a whole number of"),
        ({"init_from": {"path": "x"}}, "init_from.sha256: wanted it, got none"),
        ({"data": {"fingerprint": "\x1b[2J"}}, "data.fingerprint: wanted a digest, got '.x1b"),
        ({"folder": "a\0"}, "folder: wanted the path of a folder or null, got 'a"),
        ({"command": "cynet"}, "command: wanted a list of texts, got 'cynet'"),
        *(
            ({"data": {"parts": parts}}, "data.parts: wanted the parts of a folder")
            for parts in (
                {"drawn": 1},
                {"drawn": {}},
                {"drawn": {"seed": "q"}},
                {"drawn": {"split_seed": 3}},
                {"drawn": {"split_seed": "q", "test_share": 0.2}},
                {"drawn": {"split_seed": -1, "test_share": 0.2}},
                {"drawn": {"split_seed": 3, "test_share": 2.0}},
                {"train": []},
                {"test": -1},
                {"train": 0.5},
            )
        ),
        ({"host": deep(100)}, "wanted at most 100 levels"),
        ([], "wanted an object of JSON, got list"),
    ],
)
def test_the_entry_that_is_wrong_is_named(folder, value, said):
    (folder.path / "env.json").write_text(json.dumps(value))
    with pytest.raises(ValueError, match=f"run/env.json: {said}"):
        records.environment(folder.path)


@pytest.mark.parametrize(("content", "said"), [
    (b"", "wanted an object of JSON, got nothing"), (b" \n", "wanted an object of JSON, got nothing"),
    (b'{"a": 1,\n x}', "wanted an object of JSON, got something else at line 2, column 2"),
    (b'{"a": ' + b"9" * 100_000 + b"}", "wanted numbers of at most 4,300 digits, got more"),
    (b"\xff\xfe{}", "wanted a text in UTF-8, got another byte at place 0"),
    (b'{"a": 1e999}', "wanted finite numbers, got 1e999"),
])  # fmt: skip
def test_what_is_no_json_is_told_in_plain_words(folder, content, said):
    (folder.path / "env.json").write_bytes(content)
    with bounded(), pytest.raises(ValueError) as caught:
        records.environment(folder.path)
    assert str(caught.value) == f"{folder.path / 'env.json'}: {said}"


def test_what_is_no_file_is_set_aside_too_and_no_older_one_lost(folder):
    for number in ("", "-2", "-3"):
        os.mkfifo(folder.path / "env.json")
        with bounded():
            assert folder.set_aside() == [
                f"note: {folder.path}/env.json: wanted a regular file, got a pipe; "
                f"set aside as env.damaged{number}.json"
            ]
    assert len(list(folder.path.glob("env.damaged*"))) == 3


def test_what_a_file_says_cannot_steer_a_terminal():
    lines = environment.differences({"cpu": "\x1b[2J\n" + "x" * 10_000}, {"cpu": "c"})
    assert lines[0].startswith(r"cpu: \x1b[2J\nxxx") and len(lines[0]) < 600


@pytest.mark.parametrize("accuracy", [0, 0.0, 0.5, 1, 1.0])
def test_every_accuracy_from_nothing_right_to_all_is_read(folder, accuracy):
    (folder.path / "test.json").write_text(json.dumps(TESTED | {"accuracy": accuracy}))
    assert records.tested(folder.path)["accuracy"] == accuracy
    for wrong in (-1e-9, 1 + 1e-9):
        (folder.path / "test.json").write_text(json.dumps(TESTED | {"accuracy": wrong}))
        with pytest.raises(ValueError, match=r"accuracy: wanted a number from 0 to 1, got"):
            records.tested(folder.path)
