"""A part of a text as a data set: what a training asks of one, and the fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.tasks import LANGUAGE
from cynet.core.types import AnyArray

from .vocabulary import MOST_ENTRIES, Vocabulary, checked_tokens

BLOCK = 1 << 20  # tokens that are digested at a time
PARTS = "number of tokens", "sequence length (1 x 1 x length)", "vocabulary", "tokens", "tokens"


class TokenSet:
    """Tokens in a row, of which each but the first is to be predicted from those before it.

    Parameters
    ----------
    tokens : array of int (n,)
        At least two, each from 0 and below the size of the vocabulary, or 65,536.
    sequence_length : int, optional
        Of what a net is given at a time.
    vocabulary : Vocabulary, optional
        What they stand for.

    Attributes
    ----------
    tokens : ndarray of int (n,)
        As it was given, not copied.
    sequence_length : int
    vocabulary : Vocabulary or None
    labels : ndarray of int (n - 1,)
        The tokens that are predicted: all but the first.
    classes : tuple of str
        The printable name of each token; without a vocabulary "0", "1" and so on up to the largest.
    picture_shape : tuple of int
        Of a sample, as a net gets it: (sequence_length,).
    task, notes, parts
        As of other data sets.

    Raises
    ------
    TypeError, ValueError
        When the arguments are none such; a token is named by its place.
    """

    notes: tuple[str, ...] = ()
    parts: dict[str, Any] | None = None
    task: str = LANGUAGE

    def __init__(self, tokens: Any, sequence_length: int = 1, vocabulary: Vocabulary | None = None) -> None:
        if vocabulary is not None and not isinstance(vocabulary, Vocabulary):
            raise TypeError(f"vocabulary: wanted a Vocabulary, got {vocabulary!r:.80}")
        most = MOST_ENTRIES if vocabulary is None else len(vocabulary)
        self.tokens = checked_tokens("tokens", tokens, most, least=2)
        self.sequence_length = checks.integer("sequence_length", sequence_length, 1)
        self.vocabulary = vocabulary

    @property
    def labels(self) -> AnyArray:
        """The tokens that are predicted."""
        return self.tokens[1:]

    @cached_property
    def classes(self) -> Sequence[str]:
        """The name of each token."""
        if self.vocabulary is None:
            return tuple(map(str, range(int(self.tokens.max()) + 1)))
        return self.vocabulary.names

    @property
    def picture_shape(self) -> tuple[int, ...]:
        """The shape of a sample as a net gets it."""
        return (self.sequence_length,)

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        for start in range(0, len(self.tokens), BLOCK):
            digest.update(np.ascontiguousarray(self.tokens[start : start + BLOCK], "<i4").data)
        level = self.vocabulary.level if self.vocabulary else ""
        names = hashlib.sha256("\0".join((level, *self.classes)).encode()).hexdigest()
        found, shape = digest.hexdigest(), f"{len(self.tokens)}x1x1x{self.sequence_length}"
        return f"{shape}.{names[:8]}.{found[-8:]}.{found[:16]}"

    def fingerprint(self) -> str:
        """Number of tokens, sequence length, and what SHA-256 says of vocabulary and tokens."""
        return self._fingerprint

    def __len__(self) -> int:
        """How many tokens are predicted."""
        return len(self.labels)

    def __repr__(self) -> str:
        return f"TokenSet({len(self.tokens):,} tokens, {len(self.classes):,} different)"
