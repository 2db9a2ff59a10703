"""Random keys from a counter: the n-th draw after `seed(s)` is a pure function of (s, n).

Initial weights and dropout masks take their keys here, so that the whole random state of a training run is
two integers, which a checkpoint stores.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import checks
from .types import Array, Shape

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
