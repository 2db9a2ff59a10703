"""Files of settings: the config.toml of a run, what --config names, and recipes. One reader, typed values.

Design: TOML's parser takes time that grows with the square of a dotted key's length, and recurses into
brackets. So a file is measured before it is parsed, by a scan that knows texts, comments, dots and brackets.
"""

import json
import re
from dataclasses import dataclass

from cynet.core import folder
from cynet.core.files import read_regular, reason, worded, write_atomically
from cynet.core.names import printable

from .ranges import RANGES, checked

CONFIG = "config.toml"
ORIGIN = "origin"  # the table that tells where each value came from
VERSION = "cynet"  # the entry that tells what wrote it
# What every run writes, the first and the last of it too: a file that was cut short lacks one of them.
NEEDED = "steps", "lr", "schedule", "tensorboard"

# The limits of such a file. One that a run writes has some 2,000 bytes, a bracket and 20 dots.
MOST_BYTES = 1 << 18
MOST_MARKS = 1_000  # dots and opening brackets outside texts
MOST_DEPTH = 16  # brackets within brackets
MOST_ORIGIN = 8_192  # letters that tell where a value came from
SHOWN = 80  # letters of a value in a message
MOST_MESSAGE = 500  # letters of one of the parser's own

# What is skipped, and what counts. A text that is not closed ends with its line or the file, where the parser
# refuses it.
SCAN = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"""|\Z)' r"|'''.*?(?:'''|\Z)" r'|"(?:\\.|[^"\\\n])*"?' r"|'[^'\n]*'?"
    r"|\#[^\n]*" r"|[\[\]{}.]",
    re.DOTALL,
)  # fmt: skip


@dataclass(frozen=True)
class Configuration:
    """A file of settings as it was read.

    Attributes
    ----------
    plain : dict of str to str, bool, int or float
        The settings that it gives, in its own spelling, each of its type and in its range.
    origins : dict of str to str
        Where each came from; {} where the file does not tell.
    version : str
        Of the cynet that wrote it; "" where it does not tell.
    unknown : dict
        Entries that are no settings, by name; nothing is known of their values.
    """

    plain: dict
    origins: dict
    version: str
    unknown: dict

    @property
    def values(self):
        """The settings as `Settings` takes them."""
        return {name: checked(name, value) for name, value in self.plain.items()}

    @property
    def told(self):
        """All that is known, in the file's own form: with its version, and the table of origins."""
        version = {VERSION: self.version} if self.version else {}
        return version | self.plain | ({ORIGIN: self.origins} if self.origins else {})


def read(path):
    """The `Configuration` in a file.

    Raises
    ------
    OSError
        When it cannot be read, or is no regular file.
    ValueError
        Naming the file, when it is too large or no TOML, or the first setting that is none.
    """
    found = read_toml(path)
    try:
        origins = _origins(found.pop(ORIGIN, {}))
        version = _text(VERSION, found.pop(VERSION, ""))
        known = {name: value for name, value in found.items() if name in RANGES}
        for name, value in known.items():
            checked(name, value)
    except ValueError as error:
        raise ValueError(f"{printable(path)}: {error}") from None
    return Configuration(known, origins, version, {n: v for n, v in found.items() if n not in RANGES})


def read_run(path):
    """The `Configuration` of a run, as `read`, of a file in the run's own folder.

    Raises
    ------
    OSError, ValueError
        As `read`; also where it is a link that leaves the folder, or lacks what every run writes: what is cut
        short is never filled up with defaults.
    """
    found = read(folder.own_file(path))
    lacking = [name for name in NEEDED if name not in found.plain]
    if lacking or not found.version:
        names = ", ".join([*([] if found.version else [VERSION]), *lacking])
        raise ValueError(f"{printable(path)}: wanted {names}, as every run writes it, got a file without")
    return found


def _origins(table):
    if not isinstance(table, dict):
        raise ValueError(f"{ORIGIN}: wanted a table of texts, got {_short(table)}")
    return {name: _text(f"{ORIGIN}.{name}", value) for name, value in table.items() if name in RANGES}


def _text(name, value):
    if not isinstance(value, str) or len(value) > MOST_ORIGIN:
        wanted = f"wanted text in quotes, of at most {MOST_ORIGIN:,} letters"
        raise ValueError(f"{name}: {wanted}, got {_short(value)}")
    return value


def _short(value):
    try:
        return f"{value!r:.{SHOWN}}"
    except (ValueError, RecursionError):  # a number of too many digits
        return f"a {type(value).__name__}"


def read_toml(path):
    """The values in a file of TOML, with the bytes of paths that `toml` escaped as they were.

    Raises
    ------
    OSError
        When it cannot be read, or is no regular file.
    ValueError
        Naming the file, when it is no TOML, or more than the limits above.
    """
    import tomllib

    data = read_regular(path, MOST_BYTES)
    try:
        content = data.decode("utf-8-sig")
        _measure(content)
        return _unescaped(tomllib.loads(content))
    except UnicodeDecodeError as error:
        raise ValueError(f"{printable(path)}: wanted a text in UTF-8: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{printable(path)}: {worded(error):.{MOST_MESSAGE}}") from None


def _measure(content):
    """Raise ValueError where a text has more in it than a parser should be asked to go into."""
    marks = depth = 0
    for found in SCAN.finditer(content):
        mark = found[0]
        if mark in "[{.":
            marks += 1
        if mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
        if marks > MOST_MARKS or depth > MOST_DEPTH:
            most = f"{MOST_DEPTH} brackets" if depth > MOST_DEPTH else f"{MOST_MARKS:,} dots and brackets"
            inside = " within each other" if depth > MOST_DEPTH else ""
            line = content.count("\n", 0, found.start()) + 1
            raise ValueError(f"wanted settings, with at most {most}{inside}, got more at line {line}")


def _unescaped(values):
    """The values, with the bytes of texts at the top and in tables there as they were."""
    found = {}
    for name, value in values.items():
        if isinstance(value, dict):
            value = {inner: _bytes_again(each) for inner, each in value.items()}
        found[name] = _bytes_again(value)
    return found


def _bytes_again(value):
    if not isinstance(value, str):
        return value
    return re.sub(r"\\u(dc[89a-f][0-9a-f])", lambda found: chr(int(found[1], 16)), value)


def write(path, config, origins=None):
    """Write a file of settings, as a whole or not at all.

    Parameters
    ----------
    path : Path
    config : dict of str to str, bool, int, float or None
        An entry of None is left out.
    origins : dict of str to str, optional
        Where each value came from.
    """
    text = toml(config)
    if origins:
        text += f"\n[{ORIGIN}]\n" + toml(
            {name: origins.get(name) for name, value in config.items() if value is not None}
        )
    write_atomically(path, text.encode())


def set_aside(path):
    """Keep what lies in the place of a run's file of settings and cannot be read, before it is written anew.

    Returns
    -------
    str or None
        What was wrong, and the new name beside it; None where it can be read, or nothing is there.
    """
    try:
        read_run(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return f"{reason(error)}; kept as {folder.set_aside(path, stays=True).name}"
    return None


def toml(values):
    """A flat dict of str, bool, int and float as TOML; entries of None are left out."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in values.items() if value is not None)


def _toml(value):
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (bool, int)):
        return str(value).lower()
    # JSON's strings are TOML's, but for DEL, and for what is no UTF-8: TOML has no escape for it.
    text = str(value).encode(errors="backslashreplace").decode()
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
