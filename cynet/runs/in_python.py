"""A setting as Python gives it: of its type and in its range, or an error that names it.

Design: what `ranges` says of files and flags holds here, too. What Python has its own types for, a list of
names, a dict, a path, a number of NumPy's, is made plain first. Without NumPy, as settings are.
"""

import json
import os
import sys

from .ranges import PLACES, RANGES, checked, is_plain, short

LISTS = ("freeze", "augment", "no_decay", "tta")  # comma separated: in Python a list, too

BY_PATTERN = ("lr_factor", "freeze_after")  # patterns and numbers: in Python a dict, too


def taken(name, value):
    """A setting as `Settings` has it; a `RefusedError` names it where it is of another type or range."""
    if name in LISTS and isinstance(value, (list, tuple)) and not value:
        return False if name == "augment" else None
    if name == "lr_steps" and isinstance(value, dict) and not value:
        return {}
    if name in BY_PATTERN and isinstance(value, dict) and not value:
        return None
    try:
        plain = _text(name, _plain(value))
    except Exception:  # what a dict of a user's holds may be anything
        plain = None
    if not is_plain(name, plain):
        raise _refused(name, f"wanted {RANGES[name].in_python}, got {short(value)}")
    try:
        return checked(name, plain)
    except ValueError as error:
        raise _refused(name, str(error).removeprefix(f"{name}: ")) from None


def _refused(name, text):
    from .errors import RefusedError  # here: settings are there at once

    return RefusedError.of(name, text)


def _text(name, value):
    """As a file has it, of what Python has another type for."""
    if name in PLACES and isinstance(value, os.PathLike):
        return os.fspath(value)
    if name == "model_option" and isinstance(value, dict):
        return json.dumps(value)
    if name == "lr_steps" and isinstance(value, dict):
        return ",".join(f"{_plain(step)!r}:{_plain(rate)!r}" for step, rate in value.items())
    if name in BY_PATTERN and isinstance(value, dict):
        return ",".join(f"{pattern}:{_plain(number)!r}" for pattern, number in value.items())
    if name in LISTS and isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    return value


def _plain(value):
    """A number of NumPy's as one of Python's."""
    numpy = sys.modules.get("numpy")
    return value.item() if numpy and isinstance(value, numpy.generic) else value
