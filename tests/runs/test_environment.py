"""What a run notes of its machine and its pictures, and what of it tells two runs apart."""

import copy
import hashlib
import os
import platform
import signal
import subprocess
import sys
from datetime import datetime

import numpy as np
import pytest
import tiny
from damages import bounded

import cynet
from cynet.core.build import config, processor
from cynet.runs import environment
from cynet.runs.environment import describe, differences, drawing, held_out_digest, initial_weights
from cynet.runs.initial import Taken
from cynet.train import Session, Settings, save_weights

pytestmark = pytest.mark.usefixtures("one_thread")


def session(**settings):
    settings = {"data": "tiny", "batch_size": 8, "workers": 0, "steps": 9, "threads": 1} | settings
    training = tiny.tiny()
    return Session(Settings(**settings).resolved(training), training, tiny.tiny(split="test"))


def test_everything_is_noted_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cynet", "train", "--x"])
    with session() as one:
        found = describe(one)
        fingerprint = one.batches.dataset.fingerprint()
    assert list(found) == [
        "time", "command", "folder", "host", "system", "cpu", "processors", "threads", "workers", "cynet",
        "python", "numpy", "git", "data", "init_from",
    ]  # fmt: skip
    assert datetime.fromisoformat(found["time"]).utcoffset().total_seconds() == 0
    assert (found["command"], found["folder"]) == (["cynet", "train", "--x"], os.path.realpath(tmp_path))
    assert (found["host"], found["system"], found["cpu"]) == (
        platform.node(),
        platform.platform(),
        processor(),
    )
    assert (found["threads"], found["workers"]) == (1, 0) and found["processors"] >= 1
    assert (found["python"], found["numpy"]) == (platform.python_version(), np.__version__)
    assert found["cynet"] == {
        name: config()[name] for name in ("version", "compiler", "flags", "ISA", "OpenMP", "checks")
    }
    assert found["data"] == {"name": "tiny", "fingerprint": fingerprint} and found["init_from"] is None


def test_what_is_held_out_and_weighed_is_noted(tmp_path):
    path = tmp_path / "w.safetensors"
    with session() as one:
        save_weights(path, one.model, one.facts)
    with session(validation=0.25, class_weights="balanced", init_from=str(path)) as one:
        found = describe(one)
        assert found["data"]["validation"] == one.division.record()
        assert found["data"]["class_weights"] == one.class_weights.tolist()
        assert held_out_digest(found) == one.division.record()["sha256"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found["init_from"] == {"path": str(path), "sha256": digest}
    assert initial_weights(found) == str(path)
    path.write_bytes(b"other")
    with pytest.raises(
        ValueError, match=f"wanted the weights that the run began with, SHA-256 {digest}, got "
    ):
        initial_weights(found)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        initial_weights(found)
    with session() as one:
        assert initial_weights(describe(one)) is None and held_out_digest(describe(one)) is None


ONE = {
    "cpu": "a", "numpy": "2.0", "git": {"commit": "x", "changed": False}, "host": "h", "threads": 1,
    "cynet": {"version": "1", "compiler": "gcc", "flags": "-O3", "ISA": "AVX2", "OpenMP": True},
    "data": {"fingerprint": "f", "validation": {"sha256": "v"}},
}  # fmt: skip


@pytest.mark.parametrize(("place", "value", "line"), [
    (("cpu",), "b", "cpu: a against b"), (("numpy",), "2.1", "numpy: 2.0 against 2.1"),
    (("git", "changed"), True,
     "git: {'commit': 'x', 'changed': False} against {'commit': 'x', 'changed': True}"),
    (("cynet", "version"), "2", "cynet version: 1 against 2"),
    (("cynet", "compiler"), "clang", "cynet compiler: gcc against clang"),
    (("cynet", "flags"), "-O2", "cynet flags: -O3 against -O2"),
    (("cynet", "ISA"), "SSE", "cynet ISA: AVX2 against SSE"),
    (("data", "fingerprint"), "g", "fingerprint of the data: f against g"),
    (("data", "validation", "sha256"), "w", "pictures held out, digest: v against w"),
    (("cynet", "OpenMP"), False, None), (("host",), "i", None), (("threads",), 2, None),
])  # fmt: skip
def test_what_may_change_the_last_bits_tells_two_runs_apart(place, value, line):
    other = copy.deepcopy(ONE)
    inner = other
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    assert differences(ONE, other) == ([] if line is None else [line])
    assert differences(ONE, ONE) == []


def test_what_is_not_known_differs_from_what_is():
    assert differences(ONE, {})[0] == "cpu: a against None" and len(differences(ONE, {})) == 9


def test_how_a_folder_was_drawn_is_read_back():
    drawn = {"test_share": 0.2, "split_seed": 3}
    assert drawing({"data": {"parts": {"drawn": drawn}}}) == drawn
    for odd in ({}, {"data": {}}, {"data": {"parts": {}}}, {"data": {"parts": {"drawn": {"split_seed": 3}}}}):
        assert drawing(odd) == {}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A function that puts a git of these lines into the path, and gives the folder cynet seems to lie in."""
    monkeypatch.setattr(cynet, "__file__", str(tmp_path / "cynet" / "__init__.py"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def with_git(*lines):
        (tmp_path / "bin" / "git").write_text("\n".join(("#!/bin/sh", *lines)))
        (tmp_path / "bin" / "git").chmod(0o755)
        return tmp_path

    return with_git


@pytest.mark.parametrize(("status", "changed"), [("", False), (" M cynet/x.py", True)])
def test_the_commit_is_that_of_the_checkout(checkout, status, changed):
    answers = f'case "$3" in rev-parse) echo abc;; status) echo "{status}";; esac'
    folder = checkout(f"echo $1 $2 >> {cynet.__file__}.asked", answers)
    (folder / "cynet").mkdir()
    asked = folder / "cynet" / "__init__.py.asked"
    assert environment.git() is None and not asked.exists()
    (folder / ".git").mkdir()
    assert environment.git() == {"commit": "abc", "changed": changed}
    assert asked.read_text().splitlines() == [f"-C {folder / 'cynet'}"] * 2
    checkout("echo abc", "exit 3")
    assert environment.git() is None


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    folder = checkout("echo abc")
    (folder / ".git").mkdir()
    monkeypatch.setenv("PATH", str(folder / "nothing"))
    assert environment.git() is None


def test_an_interrupt_leaves_no_process_of_a_slow_git_behind(checkout, monkeypatch):
    (checkout("kill -INT $PPID", "sleep 0.5", "kill -INT $PPID", "echo abc") / ".git").mkdir()
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *given, **more):
            super().__init__(*given, **more)
            started.append(self)

    monkeypatch.setattr(environment.subprocess, "Popen", Noted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            environment.git()
    finally:
        signal.signal(signal.SIGINT, before)
    assert [process.returncode for process in started] == [0]


def test_weights_of_no_end_that_a_run_began_with_are_not_read(tmp_path):
    path = tmp_path / "w.safetensors"
    os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 100 * 10**9)
    said = f"{path}: wanted a file of at most 4,294,967,296 bytes, got 100,000,000,000"
    with bounded(), pytest.raises(ValueError, match=said):
        initial_weights({"init_from": {"path": str(path), "sha256": "0" * 64}})


def test_what_is_gone_is_not_noted(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert environment._here() == str((tmp_path / "here").resolve())
    (tmp_path / "here").rmdir()
    assert environment._here() is None
    assert environment._file(tmp_path / "gone.safetensors", None) is None
    assert environment._file(tmp_path, None) is None  # a run without weights


def test_the_weights_that_a_run_began_with_are_noted_with_what_was_not_taken(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"weights")
    known = {"path": str(path), "sha256": hashlib.sha256(b"weights").hexdigest()}
    taken = Taken(path, 5, ("a",), ("b", "c"))
    assert environment._file(path, None) == environment._file(str(path), Taken(path, 5)) == known
    assert environment._file(path, taken) == known | {"new": ["a"], "unused": ["b", "c"]}
    assert environment._file(path, Taken(path, 5, ("a",))) == known | {"new": ["a"], "unused": []}
    assert initial_weights({"init_from": known}) == str(path)
    assert initial_weights({}) is initial_weights({"init_from": None}) is None
