"""A text to train on: its tokens, of which the first are for training and the rest for testing."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.names import printable
from cynet.core.types import AnyArray, AnyPath
from cynet.data import fingerprint
from cynet.data.sets.bounded import memory

from .counting import TOKEN, tokenized
from .reading import folded, read
from .vocabulary import CHARACTER, WORD, Vocabulary, checked_level, checked_tokens

ALICE = Path(__file__).with_name("alice.txt")
RAREST = {CHARACTER: 1, WORD: 5}  # how often an entry occurs at least in the training part


class Text:
    """Tokens to train on, tokens to test with, and what they stand for.

    Parameters
    ----------
    train, test : array of int (n,)
        At least two each, so that there is one to be predicted.
    vocabulary : Vocabulary
    name : str, optional

    Attributes
    ----------
    train, test : ndarray of int32 (n,)
    vocabulary : Vocabulary
    name : str
        Of a file its name without folders and ending.
    notes : tuple of str
        What may not have been meant: what of the part for testing the part for training has not.

    Raises
    ------
    TypeError, ValueError
        When the arguments are none such; a token is named by its place.
    """

    def __init__(self, train: Any, test: Any, vocabulary: Vocabulary, name: str = "text") -> None:
        if not isinstance(vocabulary, Vocabulary):
            raise TypeError(f"vocabulary: wanted a Vocabulary, got {vocabulary!r:.80}")
        if not isinstance(name, str):
            raise TypeError(f"name: wanted a str, got {name!r:.80}")
        self.vocabulary, self.name = vocabulary, name
        self.train = checked_tokens("train", train, len(vocabulary), least=2).astype(TOKEN, copy=False)
        self.test = checked_tokens("test", test, len(vocabulary), least=2).astype(TOKEN, copy=False)

    @classmethod
    def of(
        cls,
        content: str,
        level: str = CHARACTER,
        fold: bool = False,
        train: float = 0.8,
        rarest: int | None = None,
        name: str = "text",
        vocabulary: Vocabulary | None = None,
    ) -> Text:
        """The `Text` of a str; arguments and errors are those of `load`."""
        if not isinstance(content, str):
            raise TypeError(f"content: wanted a str, got {content!r:.80}")
        return cls(*_divided(content, level, fold, train, rarest, printable(name), vocabulary), name)

    @property
    def level(self) -> str:
        """What tokens are: "character" or "word"."""
        return self.vocabulary.level

    @property
    def notes(self) -> tuple[str, ...]:
        """What may not have been meant."""
        if not self.vocabulary.unknown:
            return ()
        trained, tested = (int((part == len(self.vocabulary) - 1).sum()) for part in (self.train, self.test))
        if not trained + tested:  # of a vocabulary that was given
            return ()
        found = f"{tested:,} of {len(self.test):,} {self.level}s to test"
        if trained:
            found = f"{trained:,} of {len(self.train):,} {self.level}s to train on and {found}"
        else:
            found += ", which are not in the training part,"
        return (f"{found} are the unknown one",)

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(np.ascontiguousarray(self.train, "<i4").data)
        shape = len(self.train), 1, 1, 1
        return fingerprint.of_digest(shape, self.test, (self.level, *self.vocabulary.names), digest)

    def fingerprint(self) -> str:
        """Count of the tokens to train on, and what SHA-256 says of vocabulary, test and training part."""
        return self._fingerprint

    def __len__(self) -> int:
        """How many tokens both parts have."""
        return len(self.train) + len(self.test)

    def __repr__(self) -> str:
        counts = f"{len(self.train):,} + {len(self.test):,} {self.level}s"
        return f"Text({printable(self.name)}: {counts}, {len(self.vocabulary):,} different)"


def load(
    path: AnyPath,
    level: str = CHARACTER,
    fold: bool = False,
    train: float = 0.8,
    rarest: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> Text:
    """The text of a file, as tokens.

    Parameters
    ----------
    path : str or path
        Of a UTF-8 text of at most 256 MiB; see `read`.
    level : {"character", "word"}, optional
        What a token is. Words are what stands between white space.
    fold : bool, optional
        Make one space of every run of white space.
    train : float, optional
        The share of the tokens, from the first on, that is for training; the rest is for testing.
    rarest : int, optional
        How often a character or word must occur in the training part to have a token of its own; default: 1
        for characters, 5 for words. What occurs less often, there or in the rest, is the unknown token, which
        is there only where it is needed. So are words of more than 100 letters, and the word `<unk>`.
    vocabulary : Vocabulary, optional
        That of a net which is to read the text, instead of the training part's; its level is the text's.

    Returns
    -------
    Text

    Raises
    ------
    OSError
        When the file cannot be opened, or is a folder, a pipe, a socket or a device.
    TypeError, ValueError
        When an argument is none such, or the file is too large, no text, too short, of too many different
        characters or words, or of others than the vocabulary that was given has.
    """
    parts = _divided(read(path), level, fold, train, rarest, printable(path), vocabulary)
    return Text(*parts, Path(path).stem)


def _divided(
    content: str,
    level: str,
    fold: bool,
    train: float,
    rarest: int | None,
    where: str,
    own: Vocabulary | None,
) -> tuple[AnyArray, AnyArray, Vocabulary]:
    """Tokens to train on, tokens to test with, and their vocabulary; `where` is what messages call them."""
    if own is not None and not isinstance(own, Vocabulary):
        raise TypeError(f"vocabulary: wanted a Vocabulary, got {own!r:.80}")
    level = checked_level(own.level if own else level)
    share = checks.number("train", train, 0, 1, open_low=True, open_high=True)
    least = checks.integer("rarest", RAREST[level] if rarest is None else rarest, 1)
    if checks.flag("fold", fold):
        content = folded(content)
    with memory(TOKEN().itemsize * len(content), where):
        tokens, cut, vocabulary = tokenized(content, level, share, least, where, own)
    return tokens[:cut], tokens[cut:], vocabulary


def embedded(
    level: str = CHARACTER,
    fold: bool = False,
    train: float = 0.8,
    rarest: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> Text:
    """The text that comes with cynet: Lewis Carroll's Alice's Adventures in Wonderland (1865).

    Parameters
    ----------
    level, fold, train, rarest, vocabulary
        As for `load`.

    Returns
    -------
    Text
        148,425 characters, 70 different ones.
    """
    return load(ALICE, level, fold, train, rarest, vocabulary)
