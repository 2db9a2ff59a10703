"""The checks that are run by hand say how."""

import os
from pathlib import Path

import pytest
from helpers import run_python

HERE = Path(__file__).parent
SCRIPTS = [
    "mutants.py", "data/fuzz_parsers.py", "data/kill_workers.py", "runs/kill_and_resume.py",
    "runs/kills_at_writes.py", pytest.param("train/language_model_in_pytorch.py", marks=pytest.mark.torch),
    pytest.param("train/airbench94_in_pytorch.py", marks=pytest.mark.torch),
]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_and_nonsense_are_answered_in_words(script, tmp_path):
    if "pytorch" in script:
        pytest.importorskip("torch")
    path = {"PYTHONPATH": os.pathsep.join((str(HERE.parent), str(HERE)))}
    done = run_python(HERE / script, "--help", cwd=tmp_path, **path)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("usage: ")
    done = run_python(HERE / script, "--nonsense", cwd=tmp_path, **path)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "usage: " in done.stderr


@pytest.mark.torch
def test_the_language_model_of_pytorch_learns(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "a.txt").write_text("the quick brown fox jumps over the lazy dog. " * 40)
    sizes = ("--hidden", "12", "--embedding", "6", "--batch", "4", "--length", "10", "--epochs", "3")
    done = run_python(HERE / "train/language_model_in_pytorch.py", "a.txt", *sizes, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = [float(line.split()[-1]) for line in done.stdout.splitlines()]
    assert len(found) == 3 and found[0] > found[1] > found[2] > 1
