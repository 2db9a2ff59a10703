"""The checks that are run by hand say how."""

from pathlib import Path

import pytest
from helpers import run_python

HERE = Path(__file__).parent
SCRIPTS = [
    "mutants.py", "data/fuzz_parsers.py", "data/kill_workers.py", "runs/kill_and_resume.py",
    "runs/kills_at_writes.py",
]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_and_nonsense_are_answered_in_words(script, tmp_path):
    done = run_python(HERE / script, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("usage: ")
    done = run_python(HERE / script, "--nonsense", cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "usage: " in done.stderr
