"""env.json and test.json of a run folder, each read by one reader into values of known types, or refused.

Entries that are not in the tables here are of another version, and stay as they are; nothing looks into them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from cynet.core.files import write_atomically
from cynet.core.folder import read_object
from cynet.core.tasks import MEASURES

from .facts import DRAWN, is_drawn

ENVIRONMENT, TESTED = "env.json", "test.json"
LARGEST = 1 << 23  # bytes of a file: some thousands of stops and goings on
LONGEST, PATH, DIGEST = 1 << 16, 1 << 12, 1 << 8  # characters of a text, of a path, and of a digest
MOST = 2**63  # that a number is less than
PARTED = "train", "test"  # the pictures of each, or their folders
WORST = "inf", "-inf", "nan"  # what JSON has no numbers for


@dataclass(frozen=True)
class Kind:
    """What an entry may be: some words for an error, and the test of a value."""

    words: str
    holds: Callable


def _is_text(value):
    return isinstance(value, str) and len(value) <= LONGEST


def _is_path(value):
    return isinstance(value, str) and len(value) <= PATH and "\0" not in value


def _is_count(value):
    return type(value) is int and 0 <= value < MOST


def _is_list(test):
    return lambda value: isinstance(value, list) and all(map(test, value))


def _is_parts(value):
    if not isinstance(value, dict):
        return False
    drawn = value.get("drawn")
    known = drawn is None or (isinstance(drawn, dict) and is_drawn([drawn.get(name) for name in DRAWN]))
    return known and all(
        value.get(name) is None or _is_count(value[name]) or _is_text(value[name]) for name in PARTED
    )


def _is_plain(value):
    """Whether a value may be that of a setting."""
    number = type(value) in (int, float) and 0 <= value < MOST
    return number or value is None or isinstance(value, bool) or _is_text(value)


def _are_changes(value):
    return isinstance(value, dict) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(_is_plain, pair)) for pair in value.values()
    )


TEXT = Kind("a text", _is_text)
TOKEN = Kind("a digest", lambda value: _is_text(value) and len(value) <= DIGEST and value.isprintable())
FILE = Kind("the path of a file", _is_path)
FOLDER = Kind("the path of a folder or null", lambda value: value is None or _is_path(value))
TEXT_OR_NONE = Kind("a text or null", lambda value: value is None or _is_text(value))
TEXTS = Kind("a list of texts", _is_list(_is_text))
COUNT = Kind("a whole number of at least 0", _is_count)
COUNTS = Kind("a list of whole numbers of at least 0", _is_list(_is_count))
SHARE = Kind("a number from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1)
LOSS = Kind("a number", lambda value: type(value) is float or _is_count(value) or value in WORST)
PARTS = Kind("the parts of a folder of pictures", _is_parts)
CHANGES = Kind("settings with their values before and after", _are_changes)

# An object is a dict of its entries, a list of objects a list of one; where None may stand a tuple has both.
BUILD = ({"version": TEXT, "compiler": TEXT, "flags": TEXT, "ISA": TEXT}, None)
DATA = {"name": TEXT, "fingerprint": TOKEN, "parts": PARTS, "validation": ({"sha256": TOKEN}, None)}
PART = {
    "time": TEXT, "command": TEXTS, "folder": FOLDER, "cpu": TEXT_OR_NONE, "numpy": TEXT,
    "cynet": BUILD, "data": (DATA, None), "init_from": ({"path": FILE, "sha256": TOKEN}, None),
}  # fmt: skip
GONE_ON = PART | {"after_step": COUNT, "changed": CHANGES}
SURROUNDINGS = PART | {"resumed": [GONE_ON]}
RESULT = {
    "weights": TEXT, "sha256": TOKEN, "step": COUNT, "steps": COUNT, "loss": LOSS, "accuracy": SHARE,
    "samples": COUNT, "before": COUNTS, "ap": LOSS, "f1": SHARE, "rmse": LOSS, "mae": LOSS, "r2": LOSS,
    "perplexity": LOSS,
}  # fmt: skip
NEEDED = {"init_from": ("path", "sha256"), "resumed": ("after_step", "changed")}  # entries of these objects


def environment(folder):
    """The contents of a run folder's env.json, a dict as `environment.describe` makes it.

    Raises
    ------
    OSError
        When there is none, or what stands there is no file of the folder: see `own_file`.
    ValueError
        Naming the file, and the first entry that is not what it must be.
    """
    return _read(folder / ENVIRONMENT, SURROUNDINGS)


def write_environment(path, environment):
    """Write env.json: a dict as `environment` reads it."""
    text = json.dumps(environment, indent=1, ensure_ascii=False) + "\n"
    # What is no UTF-8 in a path becomes \udce9 and the like, which JSON reads as it was.
    write_atomically(path, text.encode(errors="backslashreplace"))


def tested(folder):
    """The contents of a run folder's test.json, a dict; errors as of `environment`."""
    found = _read(folder / TESTED, RESULT)
    score = next((each.score for each in MEASURES.values() if each.score in found), "accuracy")
    missing = [name for name in ("steps", "loss", score) if name not in found]
    if missing:
        raise ValueError(f"{folder / TESTED}: wanted an entry {missing[0]}, got none")
    return found | {"loss": float(found["loss"])}


def _read(path, wanted):
    try:
        found = read_object(path, LARGEST)
    except ValueError as error:
        raise _worded(path, error) from None
    if problem := _problem(found, wanted):
        raise ValueError(f"{path}: {problem}")
    return found


def _worded(path, error):
    """The error of a file that is no JSON in words of our own: what was wanted, what was got."""
    cause = error.__context__
    if isinstance(cause, json.JSONDecodeError):
        place = f"something else at line {cause.lineno}, column {cause.colno}"
        got = place if cause.doc.strip() else "nothing"
        return ValueError(f"{path}: wanted an object of JSON, got {got}")
    if isinstance(cause, UnicodeDecodeError):
        return ValueError(f"{path}: wanted a text in UTF-8, got another byte at place {cause.start:,}")
    return error


def _problem(value, wanted, name=""):
    """What is wrong with a value, in words; None where nothing is."""
    if isinstance(wanted, Kind):
        return None if wanted.holds(value) else f"{name}: wanted {wanted.words}, got {value!r:.60}"
    if isinstance(wanted, tuple):
        return None if value is None else _problem(value, wanted[0], name)
    if isinstance(wanted, list):
        if not isinstance(value, list):
            return f"{name}: wanted a list, got {value!r:.60}"
        problems = (_problem(each, wanted[0], f"{name}[{i}]") for i, each in enumerate(value))
        return next(filter(None, problems), None)
    if not isinstance(value, dict):
        return f"{name}: wanted an object, got {value!r:.60}"
    inside = {each: f"{name}.{each}" if name else each for each in wanted}
    needed = NEEDED.get(name.rpartition(".")[2].partition("[")[0], ())
    lacking = [each for each in needed if each not in value]
    if lacking:
        return f"{inside[lacking[0]]}: wanted it, got none"
    problems = (_problem(value[each], wanted[each], inside[each]) for each in wanted if each in value)
    return next(filter(None, problems), None)
