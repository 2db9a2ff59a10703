"""Sequences: epochs of batches of a text, each row of which goes on where it ended in the batch before.

Design: batch k of epoch e is a pure function of (seed, e, k, tokens, sizes), as a loader's is. So the whole
state is (seed, epoch, next batch), and the network's own state, which is carried from batch to batch, begins
anew at batches that `begins` names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import AnyArray
from cynet.data import fingerprint
from cynet.data.sampler import generator

from .token_set import PARTS, TokenSet
from .vocabulary import Vocabulary

TOGETHER = 10  # sequences that follow one another from each random place
STARTS = 1  # the stream of random numbers, apart from that of a loader's order
STATE = "seed", "epoch", "batch", "batch_size", "fingerprint"
REPLACED = "this pass over the sequences ended when another one was started"
LOADED = "this pass over the sequences ended when a state was loaded"
CLOSED = "this pass over the sequences ended when they were closed"


class Sequences:
    """Batches of sequences of tokens; one ``for`` over it is one epoch.

    The text is cut into `batch_size` chunks of equal length, one for each row; what is left over at its end
    is not used. A batch has the next `sequence_length` tokens of each chunk, and as labels the token that
    follows each of them. The last batch of an epoch is shorter. So a recurrent net may carry its state from
    batch to batch.

    Parameters
    ----------
    tokens : array of int (n,)
    batch_size : int
        Rows of a batch.
    sequence_length : int
    random_starts : bool, optional
        Begin each row at a random place instead, and again after ten sequences; all are of full length, and
        an epoch is of as many batches.
    seed : int, optional
        Of these places.
    vocabulary : Vocabulary, optional
        What the tokens stand for.

    Attributes
    ----------
    dataset : TokenSet
        The tokens as a data set.
    epoch : int
        The number of the epoch that the next ``for`` runs (or continues).
    batch_size, sequence_length, random_starts, seed
        As given.

    Yields
    ------
    x, y : ndarray of int64 (batch_size, length)
        Tokens, and those that follow them: arrays of one's own.

    Raises
    ------
    TypeError, ValueError
        From the constructor: when an argument is none such, or the text too short for it.
    RuntimeError
        When another pass, a state that was loaded, or `close` ended this one.

    Examples
    --------
    >>> batches = Sequences(np.arange(1, 21), batch_size=2, sequence_length=4)
    >>> [x.tolist() for x, y in batches]
    [[[1, 2, 3, 4], [11, 12, 13, 14]], [[5, 6, 7, 8], [15, 16, 17, 18]], [[9], [19]]]
    """

    workers = 0  # slicing is all that there is to do

    def __init__(
        self,
        tokens: Any,
        batch_size: int,
        sequence_length: int,
        random_starts: bool = False,
        seed: int = 0,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self.dataset = TokenSet(tokens, sequence_length, vocabulary)
        self.batch_size = checks.integer("batch_size", batch_size, 1)
        self.sequence_length = self.dataset.sequence_length
        self.random_starts = checks.flag("random_starts", random_starts)
        self.seed = checks.integer("seed", seed, 0, 2**63 - 1)
        self._chunk = self._checked_chunk()
        self.epoch = self._batch = 0
        self._walk: list[str] = []  # of the current pass: once it has ended, why
        self._ordered: Any = (None, None)  # the last order asked for, and what it is the order of

    def _checked_chunk(self) -> int:
        """Tokens of each row in an epoch."""
        count = len(self.dataset.tokens)
        if count < 2 * self.batch_size:
            raise ValueError(
                f"batch_size: wanted at most {count // 2}, so that each row has two of the {count} tokens, "
                f"got {self.batch_size}"
            )
        if self.random_starts and count <= TOGETHER * self.sequence_length:
            raise ValueError(
                f"sequence_length: wanted at most {(count - 1) // TOGETHER}, so that {TOGETHER} sequences "
                f"from a random place fit the {count} tokens, got {self.sequence_length}"
            )
        return count // self.batch_size

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-(self._chunk - 1) // self.sequence_length)

    def begins(self, batch: int) -> bool:
        """Whether the state of a recurrent net begins anew before the batch of this number.

        Parameters
        ----------
        batch : int
            In its epoch, counted from 0.

        Returns
        -------
        bool
            True at the beginning of an epoch, and where all rows begin at other places.
        """
        batch = checks.integer("batch", batch, 0)
        return batch % TOGETHER == 0 if self.random_starts else batch == 0

    def order(self, epoch: int) -> AnyArray:
        """Where in the text each row of each batch of an epoch begins: int64 (batches x batch_size,)."""
        key = epoch, self.seed, self.random_starts
        ordered = self._ordered
        if ordered[0] != key:
            ordered = self._ordered = key, self._new_order(epoch)
        return ordered[1].copy()

    def _new_order(self, epoch: int) -> AnyArray:
        numbers = np.arange(len(self), dtype=np.int64)[:, None]
        if not self.random_starts:
            rows = np.arange(self.batch_size, dtype=np.int64) * self._chunk
            return (rows + numbers * self.sequence_length).reshape(-1)
        groups, most = -(-len(self) // TOGETHER), len(self.dataset.tokens) - TOGETHER * self.sequence_length
        drawn = generator(self.seed, epoch, STARTS).integers(0, most, (groups, self.batch_size))
        first = drawn[numbers[:, 0] // TOGETHER]
        return (first + numbers % TOGETHER * self.sequence_length).reshape(-1)

    def batch(self, epoch: int, batch: int) -> tuple[AnyArray, AnyArray]:
        """The batch of a number in an epoch, both counted from 0.

        Parameters
        ----------
        epoch, batch : int

        Returns
        -------
        x, y : ndarray of int64 (batch_size, length)

        Raises
        ------
        TypeError, ValueError
            When there is none of this number.
        """
        epoch = checks.integer("epoch", epoch, 0, 2**63 - 1)
        number, size = checks.integer("batch", batch, 0, len(self) - 1), self.batch_size
        length = self.sequence_length
        if not self.random_starts:
            length = min(length, self._chunk - 1 - number * length)
        starts = self.order(epoch)[number * size : (number + 1) * size]
        found = self.dataset.tokens[starts[:, None] + np.arange(length + 1)]
        return found[:, :-1].astype(np.int64, order="C"), found[:, 1:].astype(np.int64, order="C")

    def __iter__(self) -> Iterator[tuple[AnyArray, AnyArray]]:
        walk, epoch = self._new_walk(REPLACED), self.epoch
        for number in range(self._batch, len(self)):
            self._batch = number + 1
            yield self.batch(epoch, number)
            if walk:
                raise RuntimeError(walk[0])
        self.epoch, self._batch = epoch + 1, 0

    def _new_walk(self, why: str) -> list[str]:
        """The mark of a new pass, which will hold why it ended; that of the last one gets `why`."""
        self._walk.append(why)
        self._walk = []
        return self._walk

    def fingerprint(self) -> str:
        """That of the tokens, of their vocabulary, and of the sequences' length."""
        return self.dataset.fingerprint()

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, as JSON has it: seed, epoch, next batch, sizes, fingerprint."""
        values = self.seed, self.epoch, self._batch, self.batch_size, self.fingerprint()
        return dict(zip(STATE, values, strict=True)) | {"random_starts": self.random_starts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where another one stood.

        Parameters
        ----------
        state : dict
            `random_starts` may be missing.

        Raises
        ------
        ValueError
            When an entry is missing or out of range, or the sizes differ, or the tokens, saying what did.
        """
        missing = set(STATE) - set(state)
        if missing:
            raise ValueError(f"state: wanted {', '.join(STATE)}, got no {sorted(missing)}")
        before, now = state["fingerprint"], self.fingerprint()
        if before != now:
            raise ValueError(
                f"state: wanted the text with fingerprint {before}, got {self.dataset!r} with {now}; "
                f"changed: {fingerprint.changes(before, now, PARTS)}"
            )
        for name in ("batch_size", "random_starts"):
            wanted, got = state.get(name, self.random_starts), getattr(self, name)
            if wanted != got:
                raise ValueError(f"state: wanted {name}={wanted}, got {got}")
        seed = checks.integer("seed", state["seed"], 0, 2**63 - 1)
        epoch = checks.integer("epoch", state["epoch"], 0, 2**63 - 1)
        batch = checks.integer("batch", state["batch"], 0, len(self))
        self._new_walk(LOADED)
        self.seed, self.epoch, self._batch = seed, epoch, batch
        if batch == len(self):
            self.epoch, self._batch = epoch + 1, 0

    def close(self) -> None:
        """End a pass that is under way; there is nothing else to give back."""
        self._new_walk(CLOSED)

    def __enter__(self) -> Sequences:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        sizes = f"batch_size={self.batch_size}, sequence_length={self.sequence_length}"
        return f"Sequences({self.dataset!r}, {sizes})"
