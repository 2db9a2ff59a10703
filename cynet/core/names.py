"""Names of files as text that every terminal, log and table can show."""

import codecs
import itertools
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

SPELLED = "cynet.spelled"  # an error handler for text that is encoded: what `printable` escapes, as it does
STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(name: str | os.PathLike[str]) -> str:
    """A name with what cannot be shown escaped: bytes that are no UTF-8, line ends, control characters.

    Parameters
    ----------
    name : str or path
        As the system gave it: bytes that are no UTF-8 are lone surrogates in it.

    Returns
    -------
    str
        Of printable characters alone, composed (NFC), so that one name is one text on every system. What was
        escaped begins with a backslash, such as `caf\\xe9` for the Latin-1 bytes of café.
    """
    text = unicodedata.normalize("NFC", _decoded(str(name)))
    return text if text.isprintable() else "".join(map(_shown, text))


def _decoded(name: str) -> str:
    """The same name where the system's own encoding is not UTF-8."""
    try:
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # none that the system gave
        return name


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode()


def harmless(text: str) -> str:
    """A text for a terminal: what would steer it escaped, control characters but line end and tab, and marks
    that turn the direction of writing.
    """
    return STEERING.sub(lambda found: _shown(found.group()), text)


def few(names: Sequence[str], most: int = 5) -> str:
    """Some names in words: the first ones, printable, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(printable, names[:most])) + more


def unused(path: Path, there: Callable[[Path], bool] = os.path.lexists) -> Path:
    """A path, or the first one with a number behind its name that nothing has, as `there` tells."""
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(2))
    return next(each for each in itertools.chain([path], numbered) if not there(each))


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """What stands for letters that an encoding lacks: `\\xe9` for a byte of a name that is no UTF-8."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_ascii, error.object[error.start : error.end])), error.end


def _ascii(letter: str) -> str:
    return _shown(letter) if not letter.isprintable() else letter.encode("ascii", "backslashreplace").decode()


codecs.register_error(SPELLED, _spelled)
