"""Random keys: what was before comes again, and the numbers that tell uses of a seed apart."""

import re
from pathlib import Path

import numpy as np
import pytest

from cynet.core import random

PACKAGE = Path(random.__file__).parent.parent


def test_the_numbers_that_tell_uses_of_a_seed_apart_are_for_ever():
    """The weights of every training depend on them."""
    assert (random.MIXUP, random.DIRECTIONS, random.HELD_OUT) == (0x6 << 60, 0xA << 60, 0xFFFF_FFFF_FFFF_FFFF)
    assert [0 <= each < 2**64 for each in (random.MIXUP, random.DIRECTIONS, random.HELD_OUT)] == [True] * 3


def test_no_other_file_numbers_its_own_stream():
    for path in PACKAGE.rglob("*.py"):
        if path != Path(random.__file__):
            assert not re.search(r"^STREAM\b|<< 6\d|2 ?\*\* ?64 - 1", path.read_text(), re.MULTILINE), path


def test_within_a_context_the_state_is_kept():
    random.seed(5)
    random.next_key()
    with pytest.raises(KeyError), random.kept():
        random.seed(6)
        random.uniform((3,), 1.0)
        raise KeyError
    assert random.get_state() == {"seed": 5, "draws": 1}
    np.testing.assert_array_equal(np.unique(random.uniform((3,), 0.0)), [0])
