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


def test_draws_are_counted_from_the_seed_on_and_each_is_its_own():
    random.seed(2**63 - 1)
    assert [random.next_key() for _ in range(3)] == [(2**63 - 1, draw) for draw in range(3)]
    random.seed(0)
    assert random.get_state() == {"seed": 0, "draws": 0}
    random.get_state()["draws"] = 9  # a copy
    assert random.next_key() == (0, 0)
    for value in (-1, 2**63):
        with pytest.raises(ValueError, match=r"^seed: wanted at "):
            random.seed(value)
    with pytest.raises(TypeError, match=r"^seed: wanted an int"):
        random.seed(1.0)
    assert random.get_state() == {"seed": 0, "draws": 1}


def test_a_state_is_taken_whole_or_not_at_all():
    random.set_state({"seed": 3, "draws": 5, "more": None})
    assert random.get_state() == {"seed": 3, "draws": 5}
    for state, error in (({"seed": 4, "draws": -1}, ValueError), ({"seed": 2**63, "draws": 0}, ValueError),
                         ({"seed": 4, "draws": True}, TypeError), ({"seed": 4}, KeyError)):  # fmt: skip
        with pytest.raises(error):
            random.set_state(state)
        assert random.get_state() == {"seed": 3, "draws": 5}


def test_uniform_numbers_are_philoxs_of_seed_and_draw():
    random.set_state({"seed": 12, "draws": 34})
    for draw in (34, 35):
        drawn = np.random.Generator(np.random.Philox(key=[12, draw])).random((2, 500), dtype=np.float32)
        found = random.uniform((2, 500), 0.25)
        np.testing.assert_array_equal(found, drawn * np.float32(0.5) - np.float32(0.25))
        assert found.dtype == np.float32 and -0.25 <= found.min() < -0.24 and 0.24 < found.max() < 0.25
