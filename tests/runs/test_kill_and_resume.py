"""Real processes, killed at random moments and resumed."""

from pathlib import Path

import pytest
from helpers import run_python

TEXT = (
    "--data", "alice", "--model", "language_model", "--no-augment", "--sequence-length", 16,
    "--batch-size", 8,
    "--model-option", "embedding=6", "--model-option", "hidden=9", "--optimizer", "adam", "--ema", 0.9,
)  # fmt: skip


@pytest.mark.parametrize("flags", [
    (), ("--validation", 0.25, "--balanced"), TEXT, (*TEXT, "--model-option", "cell=lstm"),
])  # fmt: skip
def test_a_few_kills_change_nothing(flags):
    done = run_python(Path(__file__).parent / "kill_and_resume.py", 5, 1, "--steps", 150, *flags)
    assert done.returncode == 0, done.stderr
    assert "all as the one that nobody stopped" in done.stdout
