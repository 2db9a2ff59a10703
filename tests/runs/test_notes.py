"""Weights files with a sound digest and notes that no training wrote: refused by file and note, in time."""

import json
import os
import re
from dataclasses import replace

import numpy as np
import pytest
import tiny
from damages import COUNT, bounded, damaged_bytes, damaged_values, deep
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet import Predictor, cli, data
from cynet.interop import safetensors
from cynet.runs import weights
from cynet.runs.facts import MOST_CLASSES, Facts
from cynet.runs.session import load_initial
from cynet.train import Session, Settings, load_weights, save_weights

FACTS = Facts("uwnet2", True, "tiny", tiny.CLASSES, (0.5,) * 3, (0.2,) * 3, drawn=(5, 0.2))
NOTES = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(FACTS).items()}


MODEL = FACTS.create()


@pytest.fixture(scope="module")
def tensors():
    return MODEL.state_dict()


def written(path, tensors, notes):
    """A sound weights file with these notes; a note that is a str stands as it is."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in notes.items()}
    safetensors.save(tensors, path, texts)
    return path


def test_sound_notes_are_read(tmp_path, tensors):
    notes = {name: json.dumps(value) for name, value in NOTES.items()}
    _, facts = load_weights(written(tmp_path / "a.safetensors", tensors, notes))
    assert facts == FACTS
    save_weights(tmp_path / "b.safetensors", facts.create(), facts)
    assert load_weights(tmp_path / "b.safetensors")[1] == facts


@pytest.mark.parametrize(("note", "value", "words"), [
    *(("mean", value, "mean: wanted ") for value in (
        "[NaN, 0, 0]", "[Infinity, 0, 0]", "[1e999, 0, 0]", [0.5], [0.5] * 4, [], "3", '"abc"', ["0", 0, 0],
        [True, 0, 0], "[1" + "0" * 400 + ", 0, 0]", [None] * 3, "{}", "null", "[9e99, 0, 0]")),
    *(("std", value, "std: wanted ") for value in (
        "[NaN, 1, 1]", "[1e999, 1, 1]", [0, 1, 1], [-1, 1, 1], [1e-320, 1, 1], [0.2], [0.2] * 100_000)),
    *(("classes", value, "classes") for value in (
        [], ["a", "a", "b"], ["a", "b", 3], ["a", "b", None], ["a", "b", ["c"]], '"abc"', "{}", "3",
        ["a", "b", ""], ["a", "b", "x" * 9999], ["a"] * 40_000, "[" * 100_000, deep(900),
        [str(i) for i in range(1_000_000)])),
    *(("model", value, "model: wanted ") for value in (
        '"net\\u001b[2J"', '"x"', "3", "[]", '""', '"' + "x" * 9999 + '"')),
    *(("batch_norm", value, "batch_norm: wanted ") for value in ("1", '"yes"', "null", "[]")),
    *(("data", value, "data: wanted ") for value in ("1", "null", '""', '"' + "x" * 9999 + '"')),
    *(("picture_shape", value, "picture_shape: wanted ") for value in (
        [], [32, 32, 3, 1], [0, 32, 3], [-1, 32, 3], [32.0, 32, 3], [2**40, 32, 3], [32, 32, 2**31],
        [True, 32, 3], "32", "[" + "9" * 5000 + ", 1, 1]")),
    *(("resize", value, "resize: wanted ") for value in ('"x"', "[]", "{}", "3", "null")),
    *(("drawn", value, "drawn: wanted ") for value in ([5], [-1, 0.2], [5, 1.5], "3", '"ab"', "null", "{}")),
    ("classes", [str(i) for i in range(MOST_CLASSES)], "state does not fit the model: shape of "),
    ("picture_shape", [16384, 16384, 3], "picture_shape: wanted at most 16,777,216 values, got 805,306,368"),
])  # fmt: skip
def test_a_note_that_no_training_wrote_is_named(tmp_path, tensors, note, value, words):
    notes = {name: json.dumps(told) for name, told in NOTES.items()}
    notes[note] = value if isinstance(value, str) else json.dumps(value)
    path = written(tmp_path / "a.safetensors", tensors, notes)
    with bounded(), pytest.raises(ValueError) as caught:
        load_weights(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and words in message
    assert len(message) < 1_000 and message.isprintable()


@pytest.mark.parametrize(("shape", "words"), [
    ([64, 64, 3], r"1\.weight: .*\(256, 12288\)"), ([1, 1, 3], r"1\.weight: .*\(256, 3\)"),
    ([33, 1, 3], r"1\.weight: .*\(256, 99\)"),
    ([16384, 16384, 3], "picture_shape: wanted at most"),
    ([2048, 2048, 3], r"picture_shape: wanted one that a uwnet0 .* weights: wanted at most [\d,]+ values"),
])  # fmt: skip
def test_a_size_of_pictures_that_is_not_that_of_the_weights_is_named_and_takes_no_room(
    tmp_path, shape, words
):
    facts = Facts("uwnet0", False, "tiny", tiny.CLASSES, (0.5,) * 3, (0.2,) * 3)
    model = facts.create()
    notes = {name: json.dumps(value) for name, value in vars(facts).items() if name != "drawn"}
    path = written(tmp_path / "a.safetensors", model.state_dict(), notes | {"picture_shape": str(shape)})
    with bounded(), pytest.raises(ValueError, match=words) as caught:
        load_weights(path)
    assert str(caught.value).startswith(f"{path}: ")
    with bounded(), pytest.raises(ValueError, match=words):
        save_weights(tmp_path / "b.safetensors", model, replace(facts, picture_shape=tuple(shape)))
    assert os.listdir(tmp_path) == ["a.safetensors"]


@pytest.mark.parametrize("note", ["model", "classes", "mean", "std", "data", "batch_norm"])
def test_a_note_that_is_missing_is_named(tmp_path, tensors, note):
    notes = {name: json.dumps(value) for name, value in NOTES.items() if name != note}
    with pytest.raises(ValueError, match=f"it lacks {note}"):
        load_weights(written(tmp_path / "a.safetensors", tensors, notes))


@pytest.mark.parametrize(("name", "value", "words"), [
    ("num_batches_tracked", 2**63 - 1, "wanted a whole number from 0 to 9223372034707292160, got 922337203"),
    ("num_batches_tracked", -5, "wanted a whole number from 0 to .*, got -5"),
    ("running_var", -0.5, "wanted numbers of at least 0, got -0.5"),
])  # fmt: skip
def test_statistics_that_no_training_has_are_named(tmp_path, monkeypatch, capsys, name, value, words):
    facts = replace(FACTS, batch_norm=True)
    model = facts.create()
    save_weights(tmp_path / "a.safetensors", model, facts)
    tensors, notes = safetensors.load(tmp_path / "a.safetensors")
    notes.pop("cynet")
    (where,) = (each for each in list(tensors)[:9] if each.endswith(name) and each.startswith("1."))
    tensors[where] = np.full_like(tensors[where], value)
    path = written(tmp_path / "b.safetensors", tensors, notes)
    with pytest.raises(ValueError, match=rf"b\.safetensors: {where}: {words}"):
        load_weights(path)
    monkeypatch.chdir(tmp_path)
    flags = "--data", "tiny", "--steps", "1", "--batch-size", "8", "--workers", "0"
    assert cli.main(["train", "--init-from", str(path), *flags]) == 2
    assert re.search(f"--init-from: {path}: {where}: {words}", capsys.readouterr().err)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_of_a_training_that_diverged_are_read(tmp_path, value):
    facts = replace(FACTS, batch_norm=True)
    model = facts.create()
    model[1].running_var[:] = value
    save_weights(tmp_path / "a.safetensors", model, facts)
    assert not np.isfinite(load_weights(tmp_path / "a.safetensors")[0][1].running_var).any()


def test_what_notes_claim_takes_no_room(tmp_path, tensors, monkeypatch):
    made = []
    monkeypatch.setattr(Facts, "create", lambda facts: made.append(facts))
    for claim in ({"picture_shape": [32, 32, 256]}, {"classes": [str(i) for i in range(MOST_CLASSES)]}):
        sizes = {name: (0.5,) * 256 if name == "mean" else (0.2,) * 256 for name in ("mean", "std")}
        notes = NOTES | (sizes if "picture_shape" in claim else {}) | claim
        path = written(tmp_path / "a.safetensors", tensors, {n: json.dumps(v) for n, v in notes.items()})
        with bounded(), pytest.raises(ValueError, match=r"shape of \d+\.weight: wanted "):
            load_weights(path)
    assert not made


def test_a_training_whose_weights_could_not_be_kept_is_refused_at_first():
    samples = data.ArrayDataset(np.zeros((8, 3, 32, 32), np.uint8), np.arange(8) % 2, ("a", "x" * 2000))
    with pytest.raises(ValueError, match=r"data: classes\[1\]: wanted a text of 1 to 1,000 letters"):
        Session(Settings(batch_size=4, steps=1, workers=0).resolved(8), samples, samples)


# -- files ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "huge", "huge with a header"])
def test_what_is_no_weights_file_is_refused_and_never_waited_for(tmp_path, tensors, kind):
    path = tmp_path / "a.safetensors"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        written(path, tensors, {})
        with path.open("r+b") as file:
            file.truncate(0 if kind == "huge" else None)
            file.truncate(100 * 2**30)
    with bounded(), pytest.raises((OSError, ValueError), match=r"a\.safetensors"):
        safetensors.load(path)


def test_a_sound_header_over_more_than_the_memory_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    entry = {"dtype": "F32", "shape": [2**48], "data_offsets": [0, 2**50]}
    text = json.dumps({"a": entry}).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + 2**42)
    with bounded(), pytest.raises(ValueError, match=r"bytes do not fit the .* of memory that are free"):
        safetensors.load(path)


@pytest.mark.parametrize("text", [
    b" " * 100_000_000, b'{"a":' + b"[" * 3_000_000, b'{"a":[' + b"[]," * 1_000_000,
    b'{"a":' + b"9" * 100_000,
    b'{"a":{"dtype":"F32","shape":[' + b"9223372036854775807," * 100_000 + b'1],"data_offsets":[0,4]}}',
    b'{"a":{"dtype":"F32","shape":[0,9223372036854775807,4],"data_offsets":[0,0]}}',
    b'{"' + b"\\u001b" * 50_000 + b'":3}',
])  # fmt: skip
def test_no_header_takes_long(tmp_path, text):
    with bounded(), pytest.raises(ValueError) as caught:
        safetensors.unpack(len(text).to_bytes(8, "little") + text + b"1234")
    assert len(str(caught.value)) < 1_000 and str(caught.value).isprintable()


def test_weights_of_somebody_else_are_taken_to_begin_with(tmp_path, tensors):
    path = written(tmp_path / "a.safetensors", tensors, {"model": "theirs", "format": "pt"})
    model = FACTS.create()
    load_initial(model, path, FACTS)
    np.testing.assert_array_equal(model.state_dict()["0.weight"], tensors["0.weight"])
    with pytest.raises(ValueError, match="it lacks batch_norm, data"):
        load_weights(path)


def test_a_file_that_could_not_be_read_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="wanted at most 1,048,576 commas, colons and brackets"):
        safetensors.save({}, tmp_path / "a.safetensors", {"a": "," * 2**21})
    assert os.listdir(tmp_path) == []


# -- drawn ---------------------------------------------------------------------------------------------------
def looked_at(path):
    """Everything that takes a weights file: it is taken, or a sentence names it, within bounds, unchanged."""
    before = path.read_bytes()
    with bounded():
        try:
            model, facts = load_weights(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ") and str(error).isprintable()
        else:
            facts.check()
            assert model.output_shape((1, *facts.picture_shape)) == (1, len(facts.classes))
        try:
            load_initial(MODEL, path, FACTS)
        except ValueError as error:
            assert str(error).startswith(f"init_from: {path}: ") and str(error).isprintable()
    assert path.read_bytes() == before


@settings(max_examples=COUNT)
@given(data=st.data())
def test_drawn_notes_are_sound_or_named(tmp_path_factory, tensors, data):
    path = tmp_path_factory.getbasetemp() / "drawn.safetensors"
    drawn = data.draw(damaged_values(NOTES))
    texts = drawn if isinstance(drawn, dict) else {"x": drawn}
    notes = {name: json.dumps(value) for name, value in texts.items()}
    path.write_bytes(safetensors.pack(tensors, notes))
    looked_at(path)


@settings(max_examples=COUNT)
@given(data=st.data())
def test_drawn_bytes_of_weights_are_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "drawn.safetensors"
    whole = safetensors.pack({"1.weight": np.zeros((3, 2), np.float32)}, {"model": '"uwnet0"'})
    path.write_bytes(data.draw(damaged_bytes(whole)))
    looked_at(path)


# -- whole commands ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("note", "value"), [
    ("mean", [float("nan"), 0, 0]), ("std", [0, 1, 1]), ("classes", ["a", "b", 3]), ("classes", "abc"),
    ("model", 3), ("picture_shape", [32, 32, 3, 1]), ("resize", 3),
    ("classes", [str(i) for i in range(10**6)]),
])  # fmt: skip
def test_every_command_names_the_file_and_the_note(tmp_path, monkeypatch, capsys, tensors, note, value):
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    notes = {name: json.dumps(told) for name, told in (NOTES | {note: value}).items()}
    path = written(tmp_path / "a.safetensors", tensors, notes)
    (tmp_path / "x.png").write_bytes(b"")
    commands = [
        ["evaluate", path, "--data", "tiny"], ["predict", path, "x.png"],
        ["train", "--data", "tiny", "--model", "uwnet2", "--init-from", path, "--batch-size", "8"],
    ]  # fmt: skip
    for command in commands:
        with bounded(60):
            assert cli.main(list(map(str, command))) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and "a.safetensors" in err and len(err) < 1_000
        assert f"its notes on the model are no such facts: {note}" in err
    assert sorted(os.listdir()) == ["a.safetensors", "x.png"]
    with bounded(), pytest.raises(ValueError, match=note):
        Predictor(path)


def test_a_report_goes_on_without_weights_that_cannot_be_used(tmp_path, capsys, tensors):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.toml").write_text("steps = 3\n")
    notes = {name: json.dumps(told) for name, told in (NOTES | {"std": [0, 1, 1]}).items()}
    path = written(run / "last.safetensors", tensors, notes)
    with bounded(60):
        assert cli.main(["report", str(run), "--no-timing"]) == 0
    assert f"note: {path}: its notes on the model are no such facts: std: wanted" in capsys.readouterr().out
    assert (run / "report.html").is_file()


def test_control_characters_of_notes_do_not_reach_the_terminal(tmp_path, monkeypatch, capsys, tensors):
    pillow = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    odd = NOTES | {"classes": ["\x1b[2J", "b", "c"], "data": "\x1b[31m"}
    path = written(tmp_path / "a.safetensors", tensors, {n: json.dumps(v) for n, v in odd.items()})
    pillow.new("RGB", (32, 32)).save("x.png")
    assert cli.main(["predict", str(path), "x.png"]) == 0
    np.savez("a.npz", images=np.zeros((3, 32, 32, 3), np.uint8), labels=np.arange(3), classes=["0", "1", "2"])
    assert cli.main(["evaluate", str(path), "--data", "arrays", "--data-dir", "a.npz"]) in (0, 2)
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\\x1b[2J" in out and "trained on \\x1b[31m" in out


def test_a_note_of_too_many_letters_is_refused_before_it_is_read(tmp_path, tensors, monkeypatch):
    monkeypatch.setattr(weights, "MOST_NOTE", 100)
    notes = {name: json.dumps(told) for name, told in NOTES.items()}
    most = json.dumps(NOTES["data"] + "x" * (98 - len(NOTES["data"])))
    path = written(tmp_path / "a.safetensors", tensors, notes | {"data": most})
    assert load_weights(path)[1].data == json.loads(most)
    path = written(tmp_path / "b.safetensors", tensors, notes | {"data": most + " "})
    with pytest.raises(ValueError, match=r"/b\.safetensors: .*data: wanted at most 100 letters, got 101$"):
        load_weights(path)
