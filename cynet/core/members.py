"""What a layer holds among its attributes, also in lists, tuples and dicts, however deep."""

from collections import deque

import numpy as np

# Attributes that belong to passes under way and say nothing about what a layer computes.
PASSING = ("_saved", "_seen", "_plan", "_plans")
BOXES = (list, tuple, dict, deque, set, frozenset)  # in which layers and parameters are looked for
PLAIN = {int, float, str, bool, type(None), np.ndarray}  # what is most often found instead


def members(layer, kinds):
    """(name, value) of a layer's attributes of some kinds, in order; also in lists, tuples and dicts.

    Raises
    ------
    TypeError
        When a set holds some: it has no order.
    """
    found = []
    for name, value in vars(layer).items():
        if isinstance(value, kinds):
            found.append((name, value))
        elif isinstance(value, BOXES) and name not in PASSING:
            _look_into(value, name, kinds, found)
    return found


def _look_into(box, path, kinds, found):
    keyed = isinstance(box, dict)
    for key, value in box.items() if keyed else enumerate(box):
        if type(value) in PLAIN:
            continue
        if isinstance(value, kinds):
            if isinstance(box, (set, frozenset)):
                raise TypeError(f"{path}: wanted layers in a list, a tuple or a dict, got a set (no order)")
            found.append((f"{path}.{key}", value))
        elif isinstance(value, BOXES):
            _look_into(value, f"{path}.{key}", kinds, found)
