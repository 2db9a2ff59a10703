"""A training that is killed at any of its writes loses nothing."""

import re
from pathlib import Path

from helpers import run_python

EVERY = 2  # of the places one is tried; all are by hand
SCRIPT = Path(__file__).parent / "kills_at_writes.py"


def test_killed_at_any_write_a_training_is_resumed_to_the_same_end(tmp_path):
    done = run_python(SCRIPT, tmp_path, EVERY)
    assert done.returncode == 0, done.stderr
    places = re.fullmatch(r"(\d+) places, all resumed to the same end\n", done.stdout)
    assert int(places[1]) > 40 / EVERY
