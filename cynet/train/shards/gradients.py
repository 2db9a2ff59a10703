"""The gradients of a net as one flat array, in buckets, in the order in which backward finishes them.

Design: containers tell when the backward pass of one of their layers has come to its end (`nn/passes.py`).
The first backward pass is listened to: the last word on a layer with a parameter is when that one is final,
also of one that stands at several places. From the next step on the parameters are laid out in that order,
and cut into buckets; a bucket may go once its last word was said. Where later passes say other words nothing
goes early any more, and words on what has gone are refused.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Any

from cynet.core.types import Array
from cynet.nn.compile.training import Joined
from cynet.nn.containers.container import by_parts
from cynet.nn.layer import Layer
from cynet.nn.parameter import Parameter
from cynet.nn.passes import mode

BUCKET = 1 << 16  # floats of a bucket, from which on it is full


class Gradients:
    """The gradients of some parameters as one array.

    Parameters
    ----------
    params : sequence of Parameter
    bucket : int, optional
        Floats from which on a bucket is full.
    early : bool, optional
        Whether words may be relied on: see `is_published`. Otherwise all buckets are final at the end.

    Attributes
    ----------
    size : int
        Floats of all.
    buckets : list of slice
        Where they lie in the array.
    is_settled : bool
        Whether a backward pass was listened to.
    """

    def __init__(self, params: Sequence[Parameter], bucket: int = BUCKET, early: bool = True) -> None:
        self.params, self.bucket, self.early = list(params), bucket, early
        self.size = sum(parameter.size for parameter in self.params)
        self.is_settled = False
        self._words: list[tuple[int, ...]] = []
        self._known: dict[int, tuple[Any, tuple[int, ...]]] = {}  # by id: a layer, and its parameters
        self._places = {id(parameter): i for i, parameter in enumerate(self.params)}
        self._lay(dict.fromkeys(range(len(self.params)), inf))

    def are_of(self, params: Sequence[Parameter]) -> bool:
        """Whether these are still all that are trained."""
        return len(params) == len(self.params) and all(map(_is, params, self.params))

    def _lay(self, finals: dict[int, float]) -> None:
        """Lay the parameters out by which word is their last one: the last ones of a net first."""
        order = sorted(finals, key=lambda i: (finals[i], -i))
        self.buckets: list[slice] = []
        self._members: list[list[tuple[Parameter, slice]]] = []
        self._ready: list[float] = []  # after how many words each bucket is final
        self._bucket_of: dict[int, int] = {}
        start = place = 0
        members: list[tuple[Parameter, slice]] = []
        for i in order:
            parameter = self.params[i]
            members.append((parameter, slice(place, place + parameter.size)))
            place += parameter.size
            self._bucket_of[i] = len(self.buckets)
            if place - start >= self.bucket or i == order[-1]:
                self.buckets.append(slice(start, place))
                self._members.append(members)
                self._ready.append(finals[i] + 1)
                start, members = place, []
        self.digest = zlib.crc32(repr([order, self._ready, [p.shape for p in self.params]]).encode())

    # -- what backward says ----------------------------------------------------------------------------
    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """A context around a backward pass whose words are noted, if none were."""
        if self._words:
            yield
            return
        words: list[tuple[int, ...]] = []
        with _told(lambda layer: words.append(self._of(layer))):
            yield
        self._words = [word for word in words if word]

    def settle(self) -> None:
        """Lay the parameters out by the words that were heard: between two steps, for all processes alike."""
        if self.is_settled or not self._words:
            return
        finals: dict[int, float] = dict.fromkeys(range(len(self.params)), inf)
        for number, word in enumerate(self._words):
            finals.update(dict.fromkeys(word, number))
        self._lay(finals)
        self.is_settled = True

    @contextlib.contextmanager
    def following(self, ready: Callable[[int], None], poll: Callable[[], None]) -> Iterator[None]:
        """A context around a backward pass: `ready` gets the number of each bucket that is final, in order.

        `poll` is called whenever a layer has finished. At the end of the context the buckets that are left
        are final, too.

        Raises
        ------
        RuntimeError
            When a gradient is added to that has gone.
        """
        if not (self.is_settled and self.early):
            with self.listening():
                yield
            for number in range(len(self.buckets)):
                ready(number)
            return
        said, gone, as_known = 0, 0, True

        def tell(layer: Any) -> None:
            nonlocal said, gone, as_known
            word = self._of(layer)
            if word:
                as_known = as_known and said < len(self._words) and word == self._words[said]
                said += 1
                self._refuse_late(word, gone)
                while as_known and gone < len(self._ready) and self._ready[gone] <= said:
                    ready(gone)
                    gone += 1
            poll()

        with _told(tell):
            yield
        for number in range(gone, len(self.buckets)):
            ready(number)

    def _refuse_late(self, word: tuple[int, ...], gone: int) -> None:
        if gone and any(self._bucket_of[i] < gone for i in word):
            raise RuntimeError(
                "shards: wanted a net whose backward pass takes the same way in every step, got one that "
                "came back to parameters whose gradients were taken for final"
            )

    def _of(self, layer: Any) -> tuple[int, ...]:
        """Which parameters a layer, or a step that stands for several, has; none where those within tell."""
        known = self._known.get(id(layer))
        if known is None:
            found: dict[int, None] = {}
            joined = layer.layers if isinstance(layer, Joined) else ()
            for each in () if by_parts(layer) else (layer, *joined):
                found.update(dict.fromkeys(self._within(each)))
            known = self._known[id(layer)] = layer, tuple(found)
        return known[1]

    def _within(self, layer: Layer) -> Iterator[int]:
        for _, each in layer.walk():
            for _, parameter in each._own():
                if id(parameter) in self._places:
                    yield self._places[id(parameter)]

    # -- to the array and back -------------------------------------------------------------------------
    def take_all(self, array: Array) -> None:
        """Copy all gradients into an array."""
        for number in range(len(self.buckets)):
            self.take(number, array)

    def take(self, number: int, array: Array) -> None:
        """Copy the gradients of a bucket into their places of an array of all."""
        for parameter, place in self._members[number]:
            array[place] = parameter.grad.reshape(-1)

    def give(self, number: int, array: Array) -> None:
        """Let the gradients of a bucket be those of an array of all."""
        for parameter, place in self._members[number]:
            parameter.grad.reshape(-1)[...] = array[place]


def is_published(model: Layer) -> bool:
    """Whether all layers of a net that hold others run as their parts say.

    A user's own layer that calls others may add to any gradient when these have said their words: with a
    parameter that stands at two places, or a penalty.
    """
    return all(by_parts(layer) or len(list(layer.walk())) == 1 for _, layer in model.walk())


def _is(one: Any, other: Any) -> bool:
    return one is other


@contextlib.contextmanager
def _told(tell: Callable[[Any], object]) -> Iterator[None]:
    before, mode.tell = mode.tell, tell
    try:
        yield
    finally:
        mode.tell = before
