"""What a layer holds among its attributes, also in lists, tuples and dicts, however deep."""

from collections import UserDict, UserList, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

# Attributes that belong to passes under way and say nothing about what a layer computes.
PASSING = ("_last", "_made", "_turn", "_seen", "_worked_out", "_training_steps", "_plans", "_nested")
# In which layers and parameters are looked for.
BOXES = (list, tuple, dict, deque, set, frozenset, UserList, UserDict, MappingProxyType)
PLAIN = {int, float, str, bool, type(None)}  # what is most often found instead


def members(layer: Any, kinds: type | tuple[type, ...]) -> list[tuple[str, Any]]:
    """(name, value) of a layer's attributes of some kinds, in order; also in lists, tuples and dicts.

    Raises
    ------
    TypeError
        When a set holds some, which has no order, or another kind of container, in which they are not found.
    """
    found = []
    for name, value in vars(layer).copy().items():  # another thread may evaluate, and set one
        if isinstance(value, kinds):
            found.append((name, value))
        elif type(value) not in PLAIN and name not in PASSING:
            _look_into(value, name, kinds, found, ())
    return found


def _look_into(
    box: Any, path: str, kinds: type | tuple[type, ...], found: list[tuple[str, Any]], around: tuple[int, ...]
) -> None:
    if not isinstance(box, BOXES):
        _refuse_hidden(box, path, kinds)
        return
    if id(box) in around:  # a list that holds itself
        return
    around = *around, id(box)
    pairs: Iterable[tuple[Any, Any]] = box.items() if isinstance(box, Mapping) else enumerate(box)
    for key, value in pairs:
        if type(value) in PLAIN:
            continue
        if isinstance(value, kinds):
            if isinstance(box, (set, frozenset)):
                raise TypeError(f"{path}: wanted layers in a list, a tuple or a dict, got a set (no order)")
            found.append((f"{path}.{key}", value))
        else:
            _look_into(value, f"{path}.{key}", kinds, found, around)


def _refuse_hidden(box: Any, path: str, kinds: type | tuple[type, ...]) -> None:
    """Raise TypeError where layers lie in another container of values: nobody would train them."""
    inside: Iterable[Any] = ()
    if isinstance(box, np.ndarray):
        inside = box.flat if box.dtype == object else ()
    elif isinstance(box, SimpleNamespace) or (is_dataclass(box) and not isinstance(box, type)):
        inside = getattr(box, "__dict__", {}).values()
    if any(isinstance(value, kinds) for value in inside):
        got = type(box).__name__
        raise TypeError(f"{path}: wanted layers in a list, a tuple or a dict, got them in a {got}")


def refuse_circles(layer: Any) -> None:
    """Raise ValueError where one of cynet's containers holds itself, or one around it: no pass would end."""

    def below(one: Any) -> Iterator[tuple[str, Any]]:
        return iter(() if one._boxed else one.children())  # a user's layer may refer to those around it

    around, left = [layer], [below(layer)]  # no recursion: they may be nested as deeply as they like
    while left:
        name, child = next(left[-1], (None, None))
        if child is None:
            around.pop()
            left.pop()
        elif any(child is one for one in around):
            path = f"{type(around[-1]).__name__}.{name}"
            raise ValueError(f"{path}: wanted another layer, got the {type(child).__name__} around it")
        else:
            around.append(child)
            left.append(below(child))
