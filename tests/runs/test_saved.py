"""Checkpoints that are sound by their digests and hold what no run wrote: damaged ones like any other."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
import tiny
from damages import COUNT, bounded, damaged_bytes, damaged_values, deep
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet import cli, models
from cynet.core import random
from cynet.interop import safetensors
from cynet.runs import checkpoint, layouts, state
from cynet.runs.layouts import ModelLayout
from cynet.runs.saved import Saved
from cynet.runs.weights import digests
from cynet.train import DamagedError, Session, Settings

pytestmark = pytest.mark.usefixtures("one_thread")
FLAGS = ("--data", "tiny", "--model", "uwnet2", "--batch-size", "8", "--workers", "0", "--steps", "13",
         "--checkpoint-every", "3", "--ema", ".9")  # fmt: skip


def train(*arguments):
    return cli.main(["train", "--no-report", *map(str, arguments)])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with two checkpoints."""
    path = tmp_path_factory.mktemp("saved") / "run"
    assert train(*FLAGS, "--run-dir", path) == 0
    return path


@pytest.fixture(scope="module")
def contents(run):
    """The tensors and the state of its last checkpoint but one, in the middle of an epoch."""
    return checkpoint.load(run / "last.prev.ckpt")


def changed(path, value):
    """Of (tensors, state): the state with another value at a place, or without the place for None."""

    def change(tensors, known):
        *around, last = path.split(".")
        inner = known
        for name in around:
            inner = inner[name]
        if value is GONE:
            del inner[last]
        else:
            inner[last] = value
        return tensors, known

    return change


GONE = object()


def tensor(name, make):
    def change(tensors, known):
        if make is None:
            del tensors[name]
        else:
            tensors[name] = make(tensors.get(name))
        return tensors, known

    return change


CASES = [
    (lambda tensors, _: (tensors, []), "state: wanted a JSON object"),
    (lambda tensors, _: (tensors, {}), "the state does not fit a run: missing: step; missing: place"),
    *((changed(entry, GONE), f"missing: {entry}") for entry in ("step", "best", "origin", "random")),
    *((changed("step", value), "step: wanted") for value in (True, -1, 2**70, 1.5, "3", None, float("nan"))),
    *((changed("place", value), "place") for value in ([], {}, None, "x")),
    *((changed(f"place.{name}", value), "place") for name in ("epoch", "batch", "count", "right", "evaluated")
      for value in (-1, 2**62, "x", None, 1.5)),
    (changed("place.loss", float("nan")), "place.loss: wanted a number"),
    (changed("place.loss", float("inf")), "place.loss: wanted a number"),
    (changed("place.images", 0), "place: wanted a picture or more for each step"),
    (lambda tensors, known: (tensors, known | {"place": known["place"] | {
        "evaluated": known["step"], "count": 0, "images": 0, "right": 0, "loss": -1.0}}),
     "place: wanted no loss and no pictures of no step"),
    (lambda tensors, known: (tensors, known | {"place": known["place"] | {"evaluated": 0, "count": 1}}),
     "place: wanted all of "),
    *((changed(f"loader.{name}", 99), f"loader.{name}: wanted ") for name in ("seed", "epoch", "batch")),
    *((tensor(f"{part}.1.num_batches_tracked", lambda a, count=count: np.array(count, a.dtype)),
       f"{part}.1.num_batches_tracked: wanted a whole number from 0 to ")
      for part in ("model", "average") for count in (2**63 - 1, -5)),
    *((tensor(f"{part}.1.running_var", lambda a: a * 0 - 1),
       f"{part}.1.running_var: wanted numbers of at least 0, got -1") for part in ("model", "average")),
    *((changed(f"loader.{name}", value), f"loader.{name}")
      for name in ("seed", "epoch", "batch", "batch_size", "fingerprint") for value in (-1, "x", None, [3])),
    (changed("loader.batch_size", 16), "loader.batch_size: wanted 8, as in config, got 16"),
    (changed("loader.fingerprint", "9" * 9000 + "x1x1x1.00000000.00000000." + "0" * 16), "of a data set"),
    *((changed("random", value), "random") for value in (
        None, [], {"seed": 1}, {"seed": -1, "draws": 0}, {"seed": 0, "draws": 2**64}, {"seed": "", "draws": 0}
    )),
    (changed("schedule", 5), "schedule: wanted a text"),
    *((changed("schedule", value), "schedule: wanted MultiStep(lr=0.1")
      for value in ("", "x", "Constant(lr=0.1)")),
    (changed("config.lr", 0.3), "schedule: wanted MultiStep(lr=0.3"),
    *((changed("config", value), "config") for value in ([], None, {}, "x")),
    *((changed(f"config.{name}", value), "config: ") for name, value in (
        ("data", "x"), ("data", "tiny\x1b"),
        ("model", 3), ("model", "net\x1b[2J"), ("batch_norm", 1), ("steps", "many"), ("steps", GONE),
        ("lr", -1), ("lr", float("nan")), ("lr_steps", "5"), ("momentum", 2), ("seed", 2**64),
        ("threads", 10**9), ("epochs", 3), ("warmup", 99), ("balanced", "yes"), ("class_weights", "x"),
        ("schedule", "x"),
        ("data_dir", 5), ("workers", [2]))),
    *((changed("origin", value), "origin") for value in (None, [], "x", {"lr": 3})),
    *((changed("best", value), "best") for value in ([], "x", {}, {"accuracy": 0.5}, {
        "accuracy": float("nan"), "step": 1, "epoch": 1}, {"accuracy": 0.5, "step": 10**6, "epoch": 1}, {
        "accuracy": 0.5, "step": 1, "epoch": "1"}, {"accuracy": "x", "step": 1, "epoch": 1})),
    *((changed("seconds", value), "seconds: wanted") for value in (None, "x", -1, float("inf"), 1e300)),
    (tensor("model.0.weight", None), "missing: model.0.weight"),
    (tensor("model.99.weight", lambda _: np.zeros(2)), "unexpected: model.99.weight"),
    (tensor("average.0.weight", None), "missing: average.0.weight"),
    (tensor("model.0.weight", lambda a: a[1:].copy()), "shape of "),
    (tensor("model.0.weight", lambda a: a.astype(np.float64)), "dtype of model.0.weight: wanted float32"),
    (tensor("optimizer.0.momentum_buffer", lambda a: a[:1]), "shape of optimizer.0.momentum_buffer"),
    (tensor("optimizer.steps", lambda a: a * 0 - 1), "optimizer.steps: wanted"),
    (tensor("optimizer.steps", lambda a: a + 1), "optimizer.steps: wanted"),
    (tensor("optimizer.lr", lambda a: a * np.nan), "optimizer.lr: wanted a number"),
    (tensor("optimizer.lr", lambda a: a - 9), "optimizer.lr: wanted a number"),
]  # fmt: skip


@pytest.mark.parametrize("value", [np.nan, np.inf, 0])
def test_running_statistics_of_a_training_that_diverges_are_sound(contents, value):
    tensors, known = copied(contents)
    tensors["model.1.running_var"] = np.full_like(tensors["model.1.running_var"], value)
    most = 2**63 - 1 - (2**31 - 1) + known["step"]
    tensors["model.1.num_batches_tracked"] = np.array(most)
    assert load(checkpoint.pack(tensors, known))[0]["model.1.num_batches_tracked"] == most


def load(data):
    return state.checked(*checkpoint.unpack(data))


def copied(contents):
    tensors, known = contents
    return dict(tensors), json.loads(json.dumps(known))


def test_what_a_run_saves_is_sound(run):
    for name in ("last.ckpt", "last.prev.ckpt"):
        _, saved = checkpoint.load(run / name, state.checked)
        assert isinstance(saved, Saved) and saved.settings.ema == 0.9


@pytest.mark.parametrize(("change", "words"), CASES)
def test_a_state_that_no_run_wrote_is_damage_and_named(contents, change, words):
    data = checkpoint.pack(*change(*copied(contents)))
    with bounded(), pytest.raises(ValueError) as caught:
        load(data)
    assert words in str(caught.value) and len(str(caught.value)) < 2_000 and str(caught.value).isprintable()


@pytest.mark.parametrize("note", ["format", "sha256", "state"])
@pytest.mark.parametrize("value", [None, "", "[]", "3", "{", "[" * 100_000, '{"a":' * 100_000, "9" * 9_000,
                                   '{"x": "' + "x" * 2**21 + '"}'])  # fmt: skip
def test_notes_that_are_no_tables_are_damage(contents, note, value):
    data = with_notes(contents, {note: value})
    with bounded(), pytest.raises(DamagedError):
        checkpoint.unpack(data)


def with_notes(contents, more):
    """The bytes of a checkpoint with other notes under a digest that is theirs."""
    notes, _, _ = safetensors.parse(checkpoint.pack(*contents))
    notes = {name: value for name, value in (notes | more).items() if value is not None}
    notes[checkpoint.HEADER] = checkpoint.BLANK.decode()
    header, parts = safetensors.compose(contents[0], notes)
    digest = hashlib.sha256(header).hexdigest().encode()
    return b"".join([header.replace(checkpoint.BLANK, digest, 1), *parts])


def test_a_number_of_many_digits_is_told_in_words_of_our_own(contents):
    many = "wanted numbers of at most 4,300 digits, got more"
    with pytest.raises(DamagedError, match=f"its header: state: wanted a JSON object, .*: {many}"):
        checkpoint.unpack(with_notes(contents, {"state": f'{{"step": {"9" * 5_000}}}'}))
    header = f'{{"x": {{"dtype": "F32", "shape": [{"9" * 5_000}], "data_offsets": [0, 4]}}}}'.encode()
    with pytest.raises(ValueError, match=f"its header: {many}"):
        safetensors.parse(len(header).to_bytes(8, "little") + header)


@pytest.mark.parametrize("value", [None, ""])
def test_a_version_that_is_missing_is_damage(contents, value):
    with pytest.raises(DamagedError, match="its header: version: wanted that of the cynet that wrote it"):
        checkpoint.unpack(with_notes(contents, {"version": value}))


def test_a_digest_of_no_tensor_is_damage(contents):
    notes, _, _ = safetensors.parse(checkpoint.pack(*contents))
    digests = json.loads(notes["sha256"]) | {"model.99.weight": "0" * 64}
    with pytest.raises(DamagedError, match=r"its header: sha256 of no tensor: 'model\.99\.weight'"):
        checkpoint.unpack(with_notes(contents, {"sha256": json.dumps(digests)}))


def test_a_digest_that_is_missing_is_damage(contents):
    with pytest.raises(DamagedError, match=r"tensor '.*' differs from its SHA-256.*; and \d+ more"):
        checkpoint.unpack(with_notes(contents, {"sha256": "{}"}))


def test_a_damaged_state_changes_nothing_of_a_session(contents):
    tensors, known = copied(contents)
    with Session(Settings.unflat(known["config"]), tiny.tiny(), tiny.tiny(split="test")) as session:
        before = digests(session.model), random.get_state(), session.batches.state_dict()
        for change, _ in CASES:
            if not isinstance((case := change(*copied(contents)))[1], dict):
                continue
            try:
                state.checked(*case)
            except ValueError:
                pass
            else:
                raise AssertionError("accepted")
        for path, value in (("best", []), ("random", {"seed": 1}), ("place.batch", 9)):
            with pytest.raises(ValueError):
                state.restore(session, *changed(path, value)(*copied(contents)))
        with pytest.raises(ValueError, match=r"optimizer\.lr"):
            state.restore(session, *tensor("optimizer.lr", lambda a: a * np.nan)(*copied(contents)))
        now = digests(session.model), random.get_state(), session.batches.state_dict()
        assert now == before and session.trainer.steps == 0
        state.restore(session, tensors, known)
        assert session.trainer.steps == known["step"]


def test_a_state_of_generators_is_whole_or_not_taken():
    before = random.get_state()
    for value in ({"seed": -1, "draws": 0}, {"seed": 1, "draws": "2"}, {"seed": 1, "draws": 2**64}):
        with pytest.raises((TypeError, ValueError), match=r"(seed|draws): wanted"):
            random.set_state(value)
        assert random.get_state() == before


@pytest.mark.parametrize("name", models.names())
def test_the_layout_of_a_model_grows_as_the_models_do(name):
    sides = {"conv1d_small": (64,), "language_model": ()}.get(name, (32, 32))

    def build(classes, channels):
        return models.create(name, (*sides, channels), classes).state_dict()

    keys = random.get_state()
    layout = ModelLayout(build)
    assert random.get_state() == keys
    for classes, channels in ((1, 1), (10, 3), (37, 4)):
        arrays = build(classes, channels)
        assert layout.shapes(classes, channels) == {n: a.shape for n, a in arrays.items()}
        assert layout.counts(arrays) == (classes, channels if name != "language_model" else 1)
    random.set_state(keys)


# -- drawn ---------------------------------------------------------------------------------------------------
@settings(max_examples=COUNT)
@given(data=st.data())
def test_a_drawn_state_is_sound_or_damaged(contents, data):
    tensors, known = copied(contents)
    packed = checkpoint.pack(tensors, data.draw(damaged_values(known)))
    with bounded():
        try:
            _, saved = load(packed)
        except ValueError as error:
            assert str(error).isprintable() and len(str(error)) < 2_000
        else:
            assert isinstance(saved.settings, Settings) and saved.step == known["step"]


@settings(max_examples=COUNT)
@given(data=st.data())
def test_drawn_bytes_of_a_checkpoint_are_damage(contents, data):
    tensors, known = copied(contents)
    small = checkpoint.pack({name: array for name, array in tensors.items() if array.size < 9}, known)
    drawn = data.draw(damaged_bytes(small))
    with bounded():
        if drawn == small:
            return
        with pytest.raises(DamagedError):
            checkpoint.unpack(drawn)


# -- whole commands ------------------------------------------------------------------------------------------
def folder_of(run, path):
    """A copy of a run that was stopped in the middle of its second part."""
    shutil.copytree(run, path)
    (path / "last.ckpt").unlink()
    shutil.copy(path / "last.prev.ckpt", path / "last.ckpt")
    return path


def all_bytes(path):
    return {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}


@pytest.mark.parametrize(("change", "words"), CASES[::4])
def test_resume_goes_on_from_the_previous_one(run, contents, tmp_path, capsys, change, words):
    path = folder_of(run, tmp_path / "run")
    damaged = checkpoint.pack(*change(*copied(contents)))
    (path / "last.ckpt").write_bytes(damaged)
    assert train("--resume", path) == 0
    out = capsys.readouterr().out
    assert "set aside as last.damaged.ckpt, going on from " in out and words in out
    assert (path / "last.damaged.ckpt").read_bytes() == damaged
    assert (path / "last.safetensors").read_bytes() == (run / "last.safetensors").read_bytes()


def test_two_damaged_ones_are_refused_and_the_folder_is_as_it_was(run, contents, tmp_path, capsys):
    path = folder_of(run, tmp_path / "run")
    for name in ("last.ckpt", "last.prev.ckpt"):
        (path / name).write_bytes(checkpoint.pack(*changed("best", [])(*copied(contents))))
    before = all_bytes(path)
    assert train("--resume", path) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.count("best: wanted a table, got []") == 2
    assert all_bytes(path) | {".lock": b""} == before | {".lock": b""}


def test_what_was_set_aside_before_stays(run, contents, tmp_path, capsys):
    path = folder_of(run, tmp_path / "run")
    (path / "last.damaged.ckpt").write_bytes(b"older")
    (path / "last.ckpt").write_bytes(checkpoint.pack(*changed("best", 3)(*copied(contents))))
    assert train("--resume", path) == 0
    assert "set aside as last.damaged-2.ckpt" in capsys.readouterr().out
    assert (path / "last.damaged.ckpt").read_bytes() == b"older"


@pytest.mark.parametrize("kind", ["pipe", "folder", "huge", "huge with a header", "device"])
def test_what_lies_in_the_place_of_a_checkpoint_is_set_aside(run, tmp_path, capsys, kind):
    path = folder_of(run, tmp_path / "run")
    last = path / "last.ckpt"
    start = last.read_bytes()
    last.unlink()
    if kind == "pipe":
        os.mkfifo(last)
    elif kind == "folder":
        last.mkdir()
    elif kind == "device":
        last.symlink_to("/dev/zero")
    else:
        with last.open("wb") as file:
            file.write(start if "header" in kind else b"")
            file.truncate(100 * 2**30)
    with bounded(60):
        assert train("--resume", path) == 0
    assert "set aside as last.damaged.ckpt" in capsys.readouterr().out
    assert os.path.lexists(path / "last.damaged.ckpt") and last.is_file() and last.stat().st_size < 2**24
    assert (path / "last.safetensors").read_bytes() == (run / "last.safetensors").read_bytes()


def test_verify_tells_damage_of_every_kind(run, contents, tmp_path, capsys):
    path = folder_of(run, tmp_path / "run")
    (path / "last.ckpt").write_bytes(checkpoint.pack(*changed("best", deep(5))(*copied(contents))))
    (path / "last.prev.ckpt").unlink()
    os.mkfifo(path / "last.prev.ckpt")
    with bounded(60):
        assert cli.main(["verify", str(path), "--steps", "2"]) == 1
    out = capsys.readouterr().out
    assert "damaged: " in out and "best: wanted a table" in out
    assert "last.prev.ckpt: wanted a regular file, got a pipe" in out


# -- the configuration beside them ---------------------------------------------------------------------------
DAMAGES = [
    b"a = " + b"[" * 100_000, b"a." * 20_000 + b"a = 1", b"data_dir = 5", b"", b"\0", b"\xff\xfe",
    b"steps = 3\n", b"[origin]\nlr = 3\n", b"xyz = 3\n", None,
]  # fmt: skip


def damaged_run(run, path, content):
    shutil.copytree(run, path)
    if content is None:
        (path / "config.toml").unlink()
        os.mkfifo(path / "config.toml")
    else:
        (path / "config.toml").write_bytes(content)
    return path


@pytest.mark.parametrize("content", DAMAGES)
def test_no_command_ends_in_a_traceback_or_changes_a_configuration(run, tmp_path, capsys, content):
    path = damaged_run(run, tmp_path / "run", content)
    before = all_bytes(path)
    commands = [
        ["verify", path, "--steps", "1"], ["diff", path, run], ["runs", tmp_path], ["evaluate", path],
        ["report", path, "--no-timing", "--output", tmp_path / "page.html"],
        ["train", "--config", path / "config.toml", "--run-dir", path],
    ]  # fmt: skip
    for command in commands:
        with bounded(60):
            assert cli.main(list(map(str, command))) in (0, 1, 2)
        err = capsys.readouterr().err
        assert "Traceback" not in err and err.count("\n") <= 1
    assert all_bytes(path) == before


@pytest.mark.parametrize("content", DAMAGES)
def test_resume_keeps_a_configuration_that_it_cannot_read(run, tmp_path, capsys, content):
    path = damaged_run(run, tmp_path / "run", content)
    assert train("--resume", path, "--steps", 15, "--allow-change", "steps") == 0
    out = capsys.readouterr().out
    assert "; kept as config.damaged.toml; written anew from the checkpoint" in out
    kept = path / "config.damaged.toml"
    assert kept.is_fifo() if content is None else kept.read_bytes() == content
    assert "steps = 15" in (path / "config.toml").read_text()


@pytest.mark.parametrize("count", [0, 1, 10, 11, 12, 250])
def test_of_many_problems_ten_are_named_and_the_others_counted(count):
    problems = [f"p{i}: wrong" for i in range(count)]
    found = layouts.told(problems)
    named, _, more = found.partition("; and ")
    assert named == "; ".join(problems[:10]) and more == (f"{count - 10} more" if count > 10 else "")


@pytest.mark.parametrize("seconds", [0, 30 * 3600, 365 * 86400.0])
def test_a_run_may_have_taken_a_year(contents, seconds):
    _, known = contents
    assert Saved.of(known | {"seconds": seconds}).seconds == seconds
