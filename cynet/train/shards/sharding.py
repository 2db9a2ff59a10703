"""Sharding: the gradients of a step, and evaluations, by shards, in this process or in several."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import isfinite
from typing import Any

import numpy as np

import cynet.core.random as random
from cynet.core import checks, workspace
from cynet.core.types import AnyArray, Array, Batch
from cynet.data.rows import BatchRows
from cynet.train import metrics

from . import statistics, told
from .evaluation import evaluate, is_shared
from .exchange import Exchange
from .gradients import Gradients, is_published
from .rows_going_on import GoingOn
from .sameness import differences, of_this_machine, of_training, processor
from .statistics import Statistics
from .synchronized import Turns
from .told import Told
from .tree import Subtotal, joined
from .world import World

MOST = 1 << 12  # shards
KEYS = 1 << 16  # random keys of a shard: with 2**31 steps they stay below 2**59
WHAT = "what the other ranks tell of a step"
BEGINNING = "the beginning of the training"


class Sharding:
    """Steps of a `Trainer` by shards: set as its `sharding`.

    A batch is cut by index into shards, as equal as can be. Each goes through the net by itself: batch norm
    knows one shard, dropout draws from (seed, step, shard). The gradients are added in a tree that depends on
    the number of shards alone. So the weights after a step do not depend on how many processes take part.

    Parameters
    ----------
    shards : int, optional
    world : World, optional
        The processes, whose number divides that of the shards; default: this one alone.
    sync_batch_norm : bool, optional
        Whether batch norm knows the whole batch: see `synchronized.py`.

    Attributes
    ----------
    exchange : Exchange or None
        Of the training under way.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, shards: int = 8, world: World | None = None, sync_batch_norm: bool = False) -> None:
        self.shards, self.world = checks.integer("shards", shards, 1, MOST), world or World()
        if self.shards % self.world.size:
            ranks = self.world.size
            raise ValueError(f"shards: wanted a multiple of the {ranks} ranks, got {self.shards}")
        each = self.shards // self.world.size
        self.own = range(self.world.rank * each, (self.world.rank + 1) * each)
        self.exchange: Exchange | None = None
        self.pool: ThreadPoolExecutor | None = None
        if checks.flag("sync_batch_norm", sync_batch_norm):
            self.pool = ThreadPoolExecutor(each, "cynet-shard")  # its threads begin when they are needed
        self._gradients: Gradients | None = None
        self._sum: Array | None = None

    def part(self, shard: int, samples: int) -> slice:
        """Which samples of a batch are a shard's."""
        return slice(samples * shard // self.shards, samples * (shard + 1) // self.shards)

    def cut(self, number: int, samples: int) -> slice:
        """Which samples of a batch this process needs: those of its shards."""
        first, last = self.part(self.own[0], samples), self.part(self.own[-1], samples)
        return slice(first.start, last.stop)

    # -- a step ----------------------------------------------------------------------------------------
    def gradients(
        self, trainer: Any, x: Any, y: AnyArray, targets: list[tuple[AnyArray, float]], batch: Batch
    ) -> tuple[float, int]:
        """The loss of a batch, and how many of its samples were predicted right, before the step.

        The gradients are those of the parameters afterwards, and running statistics have moved.

        Raises
        ------
        Diverged
            When the loss is not finite; no running statistics have moved.
        RankFailedError, RuntimeError
            When another process failed, or is at another step.
        """
        if len(y) < self.shards:
            hint = "a loader with drop_last=True leaves out a smaller last batch"
            raise ValueError(
                f"batch: wanted a sample for each of {self.shards} shards, got {len(y)} ({hint})"
            )
        step = _Step(self, trainer, x, y, targets)
        drawn = random.get_state()
        try:
            found = step.taken()
            self.world.patient = False
        except BaseException:
            step.going_on.restore()
            raise
        finally:
            random.set_state(drawn)
        loss = sum(each.loss for each in found)
        if not isfinite(loss):
            raise trainer.diverged(loss, "training loss", batch)
        step.move_statistics(found)
        return loss, sum(each.right for each in found)

    def prepared(self, trainer: Any) -> tuple[Gradients, Exchange, Array]:
        """The gradients of what is trained now, how they are exchanged, and an array for their sum."""
        params = [parameter for parameter in trainer.optimizer.params if parameter.requires_grad]
        if self._gradients is None or not self._gradients.are_of(params):
            self._agree(trainer)
            early = is_published(trainer.model)
            gradients = self._gradients = Gradients(params, early=early)
            array = self._sum = np.empty(gradients.size, np.float32)
            self.exchange = Exchange(self.world, self.shards, lambda number: gradients.give(number, array))
        self._gradients.settle()
        assert self.exchange is not None and self._sum is not None
        return self._gradients, self.exchange, self._sum

    def _agree(self, trainer: Any) -> None:
        """Refuse, in every process, what is not the same in all where they begin to train."""
        if self.world.size > 1:
            table = of_this_machine(*processor()) | of_training(self, trainer.model)
            if text := differences(self.world, table, BEGINNING, "allow_mixed=True"):
                raise ValueError(text)

    # -- the rest of a training ------------------------------------------------------------------------
    def share(self, trainer: Any, batches: Any, test_batches: Any) -> tuple[Any, Any]:
        """Batches for a training, of which this process makes what it needs alone, where that can be."""
        self.world.patient = True
        if self.world.size > 1:
            if _in_parts(batches) and trainer.mixup is None:
                batches = _InPart(batches, self.cut)
            if _in_parts(test_batches) and is_shared(self.world, trainer.evaluated):
                test_batches = _InPart(test_batches, self._whole_or_none)
        return batches, test_batches

    def _whole_or_none(self, number: int, samples: int) -> slice:
        return slice(0, samples if number % self.world.size == self.world.rank else 0)

    def as_the_first(self, value: bool) -> bool:
        """What the first process says."""
        return bool(self.world.from_first(bytes([value]), "whether rank 0 has enough")[0])

    def evaluate(self, trainer: Any, batches: Iterable[Any]) -> Any:
        """What ``trainer.evaluate(batches)`` gives; each process runs the model over some of the batches."""
        found = trainer.task.evaluate if trainer.task else metrics.evaluate
        return evaluate(self.world, found, trainer.evaluated, batches)

    def whole(self, batch: Batch) -> Batch:
        """A batch of which each process has the samples of its shards, with all."""
        x, y = batch
        if not isinstance(x, BatchRows):
            return batch
        shape = x.x.shape[1:]
        data = b"".join(self.world.gathered(np.ascontiguousarray(x.x).tobytes(), "a batch"))
        return np.frombuffer(data, np.float32).reshape(-1, *shape), y


def _in_parts(batches: Any) -> bool:
    """Whether these are a loader that can make parts of batches; to import it takes long."""
    return hasattr(batches, "in_part")


class _InPart:
    """Batches of a loader, of which some samples alone are made."""

    def __init__(self, loader: Any, cut: Callable[[int, int], slice]) -> None:
        self.loader, self.cut = loader, cut

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[BatchRows, AnyArray]]:
        return self.loader.in_part(self.cut)


class _Step:
    """The shards of this process of one step."""

    def __init__(self, sharding: Sharding, trainer: Any, x: Any, y: AnyArray, targets: Any) -> None:
        self.sharding, self.trainer, self.batch = sharding, trainer, (x, y, targets)
        self.world, self.own, self.samples = sharding.world, sharding.own, len(y)
        self.gradients, self.exchange, self.sum = sharding.prepared(trainer)
        self.nodes: list[Subtotal] = []  # of the shards that are done
        self.told: list[Told] = []
        self.talk: Any = None
        self.layers: list[Any] = []
        self.turns: Turns | None = None
        self.going_on = GoingOn(trainer.model)
        self.seed = random.get_state()["seed"]

    def taken(self) -> list[Told]:
        """What all shards came to, once the gradients are those of all."""
        if self.sharding.pool is not None:
            self._in_turns(self.sharding.pool)
        else:
            for shard in self.own:
                self._shard(shard, shard == self.own[-1])
        since = time.perf_counter()  # what is waited for from here on was not hidden
        found = told.read(self.world, self.talk.heard(WHAT, self.exchange.poll))
        self.exchange.finish(since)
        if self.turns is None:
            self._check_statistics(found)
        if self.going_on.layers:
            parts = [self.sharding.part(shard, self.samples) for shard in range(self.sharding.shards)]
            pairs = zip(found, parts, strict=True)
            self.going_on.end([(each.carried, part.stop - part.start) for each, part in pairs])
        return found

    def move_statistics(self, found: list[Told]) -> None:
        """Move running statistics by those of all shards."""
        if self.turns is None:
            for each in found:
                statistics.move(self.layers, each.statistics)
        else:
            for layer, packed in zip(self.turns.layers, self.turns.moments, strict=True):
                statistics.move([layer], packed)

    def _seeded(self, shard: int) -> slice:
        """Where a shard lies in the batch; random keys are drawn for it from now on."""
        draws = random.SHARDS + (self.trainer.steps * self.sharding.shards + shard) * KEYS
        random.set_state({"seed": self.seed, "draws": draws})
        return self.sharding.part(shard, self.samples)

    def _in_turns(self, pool: ThreadPoolExecutor) -> None:
        """All shards of this process through the net together."""
        if self.going_on.layers:
            kind = type(self.going_on.layers[0]).__name__
            raise ValueError(f"sync_batch_norm: wanted a net without state that goes on, got one with {kind}")
        parts = [self.sharding.part(shard, self.samples) for shard in range(self.sharding.shards)]
        counts = {len(self.trainer.parts(part.start, part.stop)) for part in parts}
        if len(counts) > 1:  # some would wait for ever at the batch norms of others
            raise ValueError(
                f"accumulate: wanted a batch of as many parts in every shard, for sync_batch_norm, got "
                f"{min(counts)} and {max(counts)}, of {self.samples} samples"
            )
        turns = self.turns = Turns(self.world, self.gradients.params, len(self.own))

        def shard(i: int) -> Subtotal:
            part, loss, right = self._seeded(self.own[i]), 0.0, 0
            for each in self.trainer.parts(part.start, part.stop):
                added, found, gradient = self.trainer.forward(*self.batch, each)
                self.trainer.model.backward(gradient)
                loss, right = loss + added, right + found
            self.told.append(Told(loss, right, b"", b""))
            leaf = np.empty(self.gradients.size, np.float32)
            self.gradients.take_all(leaf)
            return Subtotal(self.own[i], 1, leaf)

        nodes = joined(turns.run(pool, shard))
        turns.ended()
        self._tell()
        for number, place in enumerate(self.gradients.buckets):
            own = [Subtotal(first, count, array[place]) for first, count, array in nodes]
            self.exchange.start(number, own, self.sum[place])

    def _tell(self) -> None:
        """Begin to tell the others what the shards came to."""
        data = told.packed(self.trainer.steps, self.gradients.digest, self.world, self.told)
        self.talk = self.world.begin(data)

    def _shard(self, shard: int, is_last: bool) -> None:
        trainer, part = self.trainer, self._seeded(shard)
        self.going_on.begin(part)
        trainer.optimizer.zero_grad()
        taken, loss, right = Statistics(), 0.0, 0
        gradient = None
        for each in trainer.parts(part.start, part.stop):
            if gradient is not None:  # of the part before
                trainer.model.backward(gradient)
            with statistics.taking(taken):
                added, found, gradient = trainer.forward(*self.batch, each)
            loss, right = loss + added, right + found
        self._take(taken)
        self.told.append(Told(loss, right, taken.packed(), self.going_on.packed()))
        gradients, leaf = self.gradients, workspace.empty((self.gradients.size,))
        if not is_last:
            with gradients.listening():
                trainer.model.backward(gradient)
            gradients.take_all(leaf)
            self.nodes = joined([*self.nodes, Subtotal(shard, 1, leaf)])
            return

        def ready(number: int) -> None:
            gradients.take(number, leaf)
            place, nodes = gradients.buckets[number], [*self.nodes, Subtotal(shard, 1, leaf)]
            own = joined(Subtotal(first, count, array[place]) for first, count, array in nodes)
            self.exchange.start(number, own, self.sum[place])

        self._tell()
        with gradients.following(ready, self.exchange.poll):
            trainer.model.backward(gradient)

    def _check_statistics(self, found: list[Told]) -> None:
        """See that all shards, wherever they were, called as many batch norms."""
        wanted = statistics.size_of(self.layers)
        for shard, each in enumerate(found):
            if len(each.statistics) != wanted:
                got = f"{len(each.statistics)} bytes of shard {shard}"
                raise RuntimeError(f"shards: wanted {wanted} bytes of statistics of each shard, got {got}")

    def _take(self, taken: Statistics) -> None:
        """See that batch norm was called as in the shards before."""
        if not self.told:
            self.layers = taken.layers
        elif [*map(id, taken.layers)] != [*map(id, self.layers)]:
            raise RuntimeError(
                "shards: wanted a net that calls its batch norms alike in every shard, got another order"
            )
