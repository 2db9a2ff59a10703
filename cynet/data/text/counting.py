"""A text as tokens, and the vocabulary that its first part gives.

Design: some characters are looked at at a time, so that a text of hundreds of millions is no heap of objects.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cynet.core.types import AnyArray

from .reading import CHUNK, SPACES
from .vocabulary import CHARACTER, MOST_ENTRIES, MOST_LETTERS, UNKNOWN, WORD, Vocabulary

TOKEN = np.int32  # what a text keeps: a quarter of a gigabyte of characters is one of tokens
SHOWN = 5  # that a message names
MOST_WORDS = 1 << 22  # different ones of a text, each of which is kept while they are counted
CODES = 0x110000  # of characters


def tokenized(
    text: str, level: str, share: float, rarest: int, name: str, own: Vocabulary | None = None
) -> tuple[AnyArray, int, Vocabulary]:
    """(tokens, how many of them are for training, vocabulary) of a text.

    Parameters
    ----------
    text : str
    level : {"character", "word"}
    share : float
        Of the tokens, from the first on: the part for training, which alone the vocabulary is of.
    rarest : int
        How often what is in the vocabulary occurs there at least.
    name : str
        What messages call the text.
    own : Vocabulary, optional
        Of this level, to take instead of one of the text's own.

    Returns
    -------
    tokens : ndarray of int32 (n,)
    cut : int
    vocabulary : Vocabulary
        With an unknown token where one is needed.

    Raises
    ------
    ValueError
        When a part has fewer than two tokens, or the vocabulary is empty or too large, or when what is in the
        text is not in the vocabulary that was given, and this has no unknown token.
    """
    numbers, entries = _characters(text) if level == CHARACTER else _words(text, name)
    cut = int(len(numbers) * share)
    if min(cut, len(numbers) - cut) < 2:
        got = f"{cut:,} to train on and {len(numbers) - cut:,} to test"
        raise ValueError(f"{name}: wanted at least two {level}s in each part, got {got}")
    chosen = own.entries if own else _chosen(numbers[:cut], entries, level, rarest, name)
    order = {entry: token for token, entry in enumerate(chosen)}
    table = np.array([order.get(entry, len(chosen)) for entry in entries], TOKEN)
    if own and not own.unknown:
        _refuse_others(numbers, entries, table == len(chosen), level, name)
    for start in range(0, len(numbers), CHUNK):  # in their place
        numbers[start : start + CHUNK] = table[numbers[start : start + CHUNK]]
    if own:
        return numbers, cut, own
    unknown = bool(numbers.max() == len(chosen))
    _check_size(len(chosen) + unknown, level, rarest, name)
    return numbers, cut, Vocabulary(chosen, level, unknown)


def _chosen(numbers: AnyArray, entries: list[str], level: str, rarest: int, name: str) -> list[str]:
    """The entries that occur often enough, sorted."""
    counts = _counts(numbers, len(entries))
    if level == WORD:
        counts[0] = 0  # the unknown one
    kept = np.flatnonzero(counts >= rarest)
    _check_size(len(kept), level, rarest, name)
    return sorted(entries[number] for number in kept)


def _refuse_others(numbers: AnyArray, entries: list[str], strange: AnyArray, level: str, name: str) -> None:
    """Raise ValueError where the text has what is strange."""
    there = sorted(entries[i] for i in np.flatnonzero(strange & (_counts(numbers, len(entries)) > 0)))
    if there:
        shown = ", ".join(repr(entry) for entry in there[:SHOWN])
        more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
        raise ValueError(f"{name}: wanted {level}s of the vocabulary, got {shown:.400}{more}")


def _characters(text: str) -> tuple[AnyArray, list[str]]:
    """(the number of each character, the characters by number): they are numbered as they come."""
    numbers = np.empty(len(text), TOKEN)
    for start in range(0, len(text), CHUNK):
        part = text[start : start + CHUNK].encode("utf-32-le", "surrogatepass")
        numbers[start : start + CHUNK] = np.frombuffer(part, "<u4")
    there = np.flatnonzero(_counts(numbers, CODES))
    table = np.zeros(CODES, TOKEN)
    table[there] = np.arange(len(there))
    for start in range(0, len(text), CHUNK):
        numbers[start : start + CHUNK] = table[numbers[start : start + CHUNK]]
    return numbers, [chr(code) for code in there]


def _words(text: str, name: str) -> tuple[AnyArray, list[str]]:
    """(the number of each word, the words by number): the first is the unknown one, as overlong ones are."""
    known = {UNKNOWN: 0}
    parts = []
    for words in _pieces(text):
        words = [word if len(word) <= MOST_LETTERS else UNKNOWN for word in words]
        parts.append(np.fromiter((known.setdefault(word, len(known)) for word in words), TOKEN, len(words)))
        if len(known) > MOST_WORDS:
            raise ValueError(f"{name}: wanted at most {MOST_WORDS:,} different words, got more")
    return np.concatenate(parts) if parts else np.empty(0, TOKEN), list(known)


def _pieces(text: str) -> Iterator[list[str]]:
    """The words of a text, some at a time."""
    start = 0
    while start < len(text):
        space = SPACES.search(text, min(start + CHUNK, len(text)))
        end = space.start() if space else len(text)
        yield text[start:end].split()
        start = space.end() if space else end


def _counts(numbers: AnyArray, most: int) -> AnyArray:
    """How often each number below `most` occurs: int64 (most,)."""
    counts = np.zeros(most, np.int64)
    for start in range(0, len(numbers), CHUNK):  # counting takes eight bytes for each
        found = np.bincount(numbers[start : start + CHUNK])
        counts[: len(found)] += found
    return counts


def _check_size(count: int, level: str, rarest: int, name: str) -> None:
    often = f"that occur {rarest} times or more" if rarest > 1 else "in its training part"
    if not count:
        raise ValueError(f"{name}: wanted {level}s {often}, got none (a smaller rarest keeps more)")
    if count > MOST_ENTRIES:
        other = 'level="word", or ' if level == CHARACTER else ""
        raise ValueError(
            f"{name}: wanted at most {MOST_ENTRIES:,} different {level}s, got {count:,} {often} "
            f"(take {other}a rarest above {rarest})"
        )
