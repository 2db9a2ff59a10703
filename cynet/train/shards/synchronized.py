"""Batch norm over the whole batch of a step: shards go through the net together, from one to the next.

Design: each shard of this process has a thread, and one of them runs at a time. At a batch norm it leaves
its sums, and the turn, to the next shard; the last one hears those of the other processes, and joins all in
the order of the shards. Then all go on with the same numbers, one after another again. What a layer shares
between threads otherwise, gradients and random keys, each shard has of its own: they change with the turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

import cynet.core.random as random
from cynet.core import workspace
from cynet.core.types import AnyArray, Array
from cynet.kernels.norm import channels as table
from cynet.kernels.norm import single_steps
from cynet.kernels.norm.normalization import NormPass
from cynet.nn.parameter import Held, Parameter
from cynet.nn.passes import Pass, mode

from .world import World, refuse

WHAT = "what the other ranks have of a batch norm"
OTHER = "sync_batch_norm: wanted a net that calls its batch norms alike in every shard, got another order"


class Turns:
    """The shards of this process, which take turns.

    Parameters
    ----------
    world : World
    params : list of Parameter
        Whose gradients each shard has of its own.
    count : int
        Of this process's shards.

    Attributes
    ----------
    layers, moments : list
        Of each batch norm that was called its layer, and the float32 mean and unbiased variance of the batch.
    """

    def __init__(self, world: World, params: list[Parameter], count: int) -> None:
        self.world, self.params, self.count = world, params, count
        self.layers: list[Any] = []
        self.moments: list[bytes] = []
        self._condition = threading.Condition()
        self._turn, self._error = 0, False
        self._given: list[AnyArray] = []
        self._place: Any = None  # where the shards are that have given
        self._is_over = False  # for some shard
        self._joined: Any = None
        self._own = [parameter.grad for parameter in params]
        self._grads = [[workspace.zeros(grad.shape) for grad in self._own] for _ in range(count)]
        self._keys: list[Any] = [None] * count

    def run(self, pool: ThreadPoolExecutor, shard: Callable[[int], Any]) -> list[Any]:
        """What ``shard(i)`` returns for each; gradients and random state are those of before again."""
        before = random.get_state()
        try:
            futures = [pool.submit(self._one, i, shard) for i in range(self.count)]
            errors = [future.exception() for future in futures]
            for error in sorted(filter(None, errors), key=lambda each: isinstance(each, _BrokenError)):
                raise error
            return [future.result() for future in futures]
        finally:
            random.set_state(before)
            self._bind(self._own)

    def _one(self, i: int, shard: Callable[[int], Any]) -> Any:
        with self._mine(i):
            return shard(i)

    @contextmanager
    def _mine(self, i: int) -> Iterator[None]:
        """A context of a thread that goes through the net as a shard, from its first turn on."""
        self._wait(i)
        mode.statistics, mode.by_turns, mode.around = _OfShard(self, i), True, Pass(None)
        try:
            yield
            if self._given:  # the others wait where this one never came
                raise RuntimeError(OTHER)
            self._is_over = True
            self._hand_on(i)
        except BaseException:
            with self._condition:
                self._error = True
                self._condition.notify_all()
            raise
        finally:
            mode.statistics, mode.by_turns, mode.around = None, False, None

    def _bind(self, grads: list[Array]) -> None:
        for parameter, grad in zip(self.params, grads, strict=True):
            parameter._grad = grad

    def _wait(self, i: int) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._turn == i or self._error)
            if self._error:
                raise _BrokenError
        self._bind(self._grads[i])
        if self._keys[i] is not None:
            random.set_state(self._keys[i])

    def _hand_on(self, i: int) -> None:
        self._keys[i] = random.get_state()
        with self._condition:
            self._turn = (i + 1) % self.count
            self._condition.notify_all()

    def ended(self) -> None:
        """See that the other processes have come to the end of their shards, too, and not to a batch norm."""
        if any(self.world.gathered(b"", WHAT)):
            refuse(self.world, OTHER)

    def meet(self, i: int, place: Any, own: AnyArray, join: Callable[[list[AnyArray]], Any]) -> Any:
        """What `join` makes of the float64 arrays of all shards, in their order, of which this is one's; all
        are at the same `place`."""
        if self._is_over or (self._given and place != self._place):
            raise RuntimeError(OTHER)
        self._place = place
        self._given.append(own)
        if len(self._given) == self.count:
            packed = b"".join(each.tobytes() for each in self._given)
            data = self.world.gathered(packed, WHAT)
            if any(len(each) != len(packed) for each in data):
                refuse(self.world, OTHER)
            arrays = np.frombuffer(b"".join(data), np.float64).reshape(-1, *own.shape)
            self._joined, self._given = join(list(arrays)), []
        if self.count > 1:
            self._hand_on(i)
            self._wait(i)
        return self._joined


class _BrokenError(RuntimeError):
    """Another shard's thread has ended with an error."""


class _OfShard:
    """Takes the statistics of batch norms for one shard."""

    def __init__(self, turns: Turns, i: int) -> None:
        self.turns, self.i = turns, i

    def taken(self, layer: Any, rows: Array, affine: tuple[AnyArray, ...], eps: float) -> NormPass:
        """The pass of a layer over rows, with the statistics of all shards."""
        mean, variance = single_steps.statistics(rows)
        own = np.stack([np.full_like(mean, len(rows)), mean, variance * len(rows)])
        last = len(self.turns._given) == self.turns.count - 1
        count, mean, square = self.turns.meet(self.i, (id(layer), "forward"), own, _whole)
        variance = square / count
        if last:
            with np.errstate(over="ignore", invalid="ignore"):
                moments = np.stack([mean, square / (count - 1)]).astype(np.float32)
            self.turns.layers.append(layer)
            self.turns.moments.append(moments.tobytes())
        stats = JointPass(rows, *_terms(mean, variance, affine, eps), True)
        stats.held, stats.shard, stats.count = Held(layer.weight, layer.bias), self, int(count[0])
        stats.layer = id(layer)
        return stats


def _whole(parts: list[AnyArray]) -> tuple[AnyArray, AnyArray, AnyArray]:
    """(rows, mean, sum of squared deviations) of all, from those of each (Chan, Golub and LeVeque, 1983)."""
    count, mean, square = parts[0].copy()
    with np.errstate(over="ignore", invalid="ignore"):
        for n, other, more in parts[1:]:
            delta = other - mean
            mean = mean + delta * n / (count + n)
            square = square + more + delta * delta * count * n / (count + n)
            count = count + n
    return count, mean, square


def _terms(
    mean: AnyArray, variance: AnyArray, affine: tuple[AnyArray, ...], eps: float
) -> tuple[Array, AnyArray]:
    """The terms and the state of a `NormPass`, as its kernels make them."""
    weight, bias = affine
    terms, state = single_steps.mean_terms(mean), np.empty((table.STATE, len(mean)))
    state[table.MEAN], state[table.INVERSE] = mean, 1 / np.sqrt(variance + eps)
    terms[table.SCALE] = state[table.INVERSE] * (weight if weight.size else 1)
    terms[table.SHIFT] = bias if bias.size else 0
    return terms, state


class JointPass(NormPass):
    """Batch norm of a shard's rows, with the statistics and the sums of all shards.

    Attributes
    ----------
    shard : object
        Where it meets the others.
    count : int
        Rows of all shards.
    layer : int
        Tells its layer from others.
    """

    shard: Any = None
    count = layer = 0

    def finish(self, partial: AnyArray, weight: Array, weight_grad: Array, bias_grad: Array) -> None:
        """As of `NormPass`: the parameters' gradients by this shard's sums, the terms by those of all."""
        if not len(partial):
            return
        inverse, own = self.state[table.INVERSE], np.add.reduce(partial, axis=0)
        if weight_grad.size:
            weight_grad += (own[1] * inverse).astype(np.float32)
        if bias_grad.size:
            bias_grad += own[0].astype(np.float32)
        total, product = self.shard.turns.meet(self.shard.i, (self.layer, "backward"), own, _sum)
        a = inverse * weight if weight.size else inverse
        self.terms[table.OF_DY] = a
        self.terms[table.OF_X] = -a * product * (inverse * inverse) / self.count
        self.terms[table.CONSTANT] = -a * total / self.count


def _sum(parts: list[AnyArray]) -> AnyArray:
    found = parts[0].copy()
    for part in parts[1:]:
        found += part
    return found
