"""Random keys from a counter: the n-th draw after `seed(s)` is a pure function of (s, n).

Initial weights and dropout masks take their keys here, so that the whole random state of a training run is
two integers, which a checkpoint stores.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from . import checks
from .types import Array, Shape

# What tells the uses of one seed apart: words of Philox's key. The first word is a seed, below 2**63; the
# second counts from 0, below 2**61: draws from here (initial weights, dropout), epochs (orders, augmentation)
# or steps. A new use takes a number that stands here.
SHARDS = 1 << 60  # the second word from which the draws of a step's shards are counted
MIXUP = 3 << 61  # with the seed in the first word, apart from all seeds below 2**61; the second counts steps
DIRECTIONS = 5 << 61  # the second word of what checks gradients: never the numbers that weights were drawn as
HELD_OUT = 2**64 - 1  # the second word of what is held out of training: no epoch has this number

_state = {"seed": 0, "draws": 0}


def seed(value: int) -> None:
    """Start the random numbers (initial weights, dropout) again from `value`.

    Parameters
    ----------
    value : int
        0 to 2**63 - 1.

    Raises
    ------
    TypeError, ValueError
        When it is none of these.
    """
    _state.update(seed=checks.integer("seed", value, 0, 2**63 - 1), draws=0)


def get_state() -> dict[str, int]:
    """The random state: a dict with "seed" and "draws"."""
    return dict(_state)


def set_state(state: Mapping[str, Any]) -> None:
    """Continue from a state that `get_state` returned; TypeError or ValueError, and no change, for others."""
    known = {name: checks.integer(name, state[name], 0, 2**63 - 1) for name in ("seed", "draws")}
    _state.update(known)


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """A context at the end of which the random state is again what it was."""
    before = get_state()
    try:
        yield
    finally:
        set_state(before)


def next_key() -> tuple[int, int]:
    """(seed, number of this draw): a key that no other draw of this seed has."""
    key = _state["seed"], _state["draws"]
    _state["draws"] += 1
    return key


def uniform(shape: Shape, bound: float) -> Array:
    """float32 array, uniform in [-bound, bound), from the next key."""
    number, draw = next_key()
    generator = np.random.Generator(np.random.Philox(key=[number, draw]))
    values = generator.random(shape, dtype=np.float32)
    values *= np.float32(2 * bound)
    values -= np.float32(bound)
    return values
