"""What the tokens of a text are: characters or words, numbered; plain data, which a file can carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import AnyArray

CHARACTER, WORD = LEVELS = ("character", "word")
UNKNOWN = "<unk>"  # what the unknown word is called; a text that has it as a word means just that
REPLACEMENT = "\ufffd"  # what an unknown character is decoded as
ENTRIES = ("level", "entries", "unknown")  # of a vocabulary as data

# Its limits, so that a weights file can carry it.
MOST_ENTRIES = 1 << 16  # with the unknown one
MOST_LETTERS = 100  # of a word; longer ones are unknown
MESSAGE = 200  # letters
SHOWN = 5  # unknown entries that a message names


class Vocabulary:
    """Characters or words and their numbers, the tokens.

    Token k is entry k; where there is an unknown one, its token is the last.

    Parameters
    ----------
    entries : sequence of str
        Characters, or words without white space of at most 100 letters; each once, sorted by code points.
        With the unknown one at most 65,536.
    level : {"character", "word"}, optional
    unknown : bool, optional
        Whether there is a token for what is none of them.

    Attributes
    ----------
    entries : tuple of str
    level : str
    unknown : bool

    Raises
    ------
    TypeError, ValueError
        When the arguments are none such, naming the entry.

    Examples
    --------
    >>> Vocabulary("abc").encode("cab")
    array([2, 0, 1])
    """

    def __init__(self, entries: Sequence[str], level: str = CHARACTER, unknown: bool = False) -> None:
        self.level = checked_level(level)
        self.unknown = checks.flag("unknown", unknown)
        self.entries = _checked_entries(entries, level, MOST_ENTRIES - unknown)

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self.entries) + self.unknown

    @property
    def unknown_token(self) -> int | None:
        """The token of what is no entry, None where there is none."""
        return len(self.entries) if self.unknown else None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of each token, printable: `\\n` is a backslash and an n, the unknown one `<unk>`."""
        names = (
            each if each.isprintable() else each.encode("unicode_escape").decode() for each in self.entries
        )
        return (*names, UNKNOWN) if self.unknown else tuple(names)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What each token is decoded as: its entry; the unknown one U+FFFD, or the word `<unk>`."""
        unknown = UNKNOWN if self.level == WORD else REPLACEMENT
        return (*self.entries, unknown) if self.unknown else self.entries

    @cached_property
    def _tokens(self) -> dict[str, int]:
        return {entry: token for token, entry in enumerate(self.entries)}

    def encode(self, text: str, unknown: bool = False) -> AnyArray:
        """The tokens of a text.

        Parameters
        ----------
        text : str
        unknown : bool, optional
            Give what is no entry the unknown token; otherwise it is an error. The word `<unk>` is no entry.

        Returns
        -------
        ndarray of int64 (n,)

        Raises
        ------
        TypeError, ValueError
            When `text` is no str, or something in it is no entry: it and its place are named, characters and
            words counted from 0. When `unknown` is wanted and there is no such token.
        """
        if not isinstance(text, str):
            raise TypeError(f"text: wanted a str, got {text!r:.80}")
        if checks.flag("unknown", unknown) and not self.unknown:
            raise ValueError("unknown: wanted a vocabulary with an unknown token, got one without it")
        parts = text if self.level == CHARACTER else text.split()
        known, rest = self._tokens, len(self.entries)
        tokens = np.fromiter((known.get(part, rest) for part in parts), np.int64, len(parts))
        if not unknown and len(wrong := np.flatnonzero(tokens == rest)):
            raise ValueError(f"text: wanted {self.level}s of the vocabulary, got {_first(parts, wrong)}")
        return tokens

    def decode(self, tokens: Any) -> str:
        """The text of some tokens; words with a space between them.

        Parameters
        ----------
        tokens : array of int (n,)

        Returns
        -------
        str
            An unknown character is U+FFFD in it, an unknown word `<unk>`.

        Raises
        ------
        TypeError, ValueError
            When they are no integers, or out of range.
        """
        tokens = checked_tokens("tokens", tokens, len(self), least=0)
        texts = self.texts
        return (" " if self.level == WORD else "").join([texts[token] for token in tokens.tolist()])

    def to_dict(self) -> dict[str, Any]:
        """It as plain data, for JSON: level, entries, unknown."""
        return {"level": self.level, "entries": list(self.entries), "unknown": self.unknown}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Vocabulary:
        """The vocabulary that `to_dict` gave.

        Parameters
        ----------
        value : dict

        Returns
        -------
        Vocabulary

        Raises
        ------
        ValueError
            When it is none such, naming what of it.
        """
        if not isinstance(value, Mapping) or set(value) != set(ENTRIES):
            got = sorted(map(str, value))[:9] if isinstance(value, Mapping) else value
            raise ValueError(f"vocabulary: wanted a table of {', '.join(ENTRIES)}, got {got!r:.80}")
        try:
            return cls(value["entries"], value["level"], value["unknown"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"vocabulary: {error!s:.{MESSAGE}}") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.level, self.entries, self.unknown))

    def __repr__(self) -> str:
        more = " and the unknown one" if self.unknown else ""
        return f"Vocabulary({len(self.entries):,} {self.level}s{more})"


def checked_level(level: Any) -> str:
    """`level`, if it is "character" or "word"."""
    if not isinstance(level, str) or level not in LEVELS:
        raise ValueError(f'level: wanted "character" or "word", got {level!r:.80}')
    return level


def checked_tokens(name: str, tokens: Any, count: int, least: int = 1) -> AnyArray:
    """`tokens` as an array of integers (n,) with n >= `least`, each from 0 to `count` - 1, or an error."""
    try:
        found = np.asarray(tokens)
    except ValueError:  # lists of several lengths
        raise TypeError(f"{name}: wanted integers (n,), got {tokens!r:.80}") from None
    if found.shape == (0,) and least == 0:
        return np.zeros(0, np.int64)
    if found.dtype.kind not in "iu" or found.ndim != 1:
        raise TypeError(f"{name}: wanted integers (n,), got {found.dtype} {found.shape}")
    if len(found) < least:
        raise ValueError(f"{name}: wanted at least {least}, got {len(found)}")
    if found.min() < 0 or found.max() >= count:
        at = np.flatnonzero((found < 0) | (found >= count))[0]
        raise ValueError(f"{name}[{at}]: wanted 0 to {count - 1}, got {found[at]}")
    return found


def _checked_entries(entries: Any, level: str, most: int) -> tuple[str, ...]:
    if not isinstance(entries, (str, list, tuple)):
        raise TypeError(f"entries: wanted a list of str, got {entries!r:.80}")
    if not 0 < len(entries) <= most:
        raise ValueError(f"entries: wanted 1 to {most:,}, got {len(entries):,}")
    for number, entry in enumerate(entries):
        if not isinstance(entry, str) or not _is_one(entry, level):
            wanted = "one character" if level == CHARACTER else f"a word of 1 to {MOST_LETTERS} letters"
            raise ValueError(f"entries[{number}]: wanted {wanted}, got {entry!r:.80}")
    for number, (one, other) in enumerate(pairwise(entries), 1):
        if one >= other:
            got = f"got {other!r:.80} after {one!r:.80}"
            raise ValueError(f"entries[{number}]: wanted each once, sorted by code points, {got}")
    return tuple(entries)


def _is_one(entry: str, level: str) -> bool:
    """Whether it may be an entry: no lone surrogate, which no file holds, and no NUL."""
    if "\0" in entry or any("\ud800" <= letter <= "\udfff" for letter in entry):
        return False
    if level == CHARACTER:
        return len(entry) == 1
    return len(entry) <= MOST_LETTERS and entry.split() == [entry] and entry != UNKNOWN


def _first(parts: Any, places: AnyArray) -> str:
    """The different ones of `parts` at some places, each where it is first."""
    first: dict[str, int] = {}
    for place in places:
        first.setdefault(parts[place], int(place))
        if len(first) > SHOWN:
            break
    named = [f"{_shown(part)} at {place:,}" for part, place in first.items()]
    return ", ".join(named[:SHOWN]) + (" and others" if len(first) > SHOWN else "")


def _shown(part: str) -> str:
    code = f" (U+{ord(part):04X})" if len(part) == 1 else ""
    return f"{part!r:.80}{code}"
