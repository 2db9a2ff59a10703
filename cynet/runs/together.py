"""A run of several processes: what they must have in common, and what the others do beside the first.

Design: the first process has the run's folder, and does all that one process does. The others know nothing
of a folder: they get the settings and the state that the first one begins with, make its steps with it, and
end where it ends. What goes wrong in one of them is said by the first.
"""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from cynet.core.files import reason
from cynet.distributed import current
from cynet.models.registry import model as registry
from cynet.train.loop import Observer
from cynet.train.shards.sameness import differences, of_this_machine
from cynet.train.shards.sameness import processor as _processor
from cynet.train.shards.world import RankFailedError, World
from cynet.train.signals import Signals, Stopped
from cynet.train.trainer import Diverged, Trainer

from . import checkpoint
from .errors import FailedError, RefusedError
from .origins import DEFAULT
from .outcome import DIVERGED, FINISHED, STOPPED, Outcome
from .settings import FREE
from .state import capture, restore

SHARDS = 8  # where several processes train and nobody says how many
ALLOWED = "allow_mixed"
CODE = "code of the net"  # not known of one that a run keeps, which the first process hands to the others
WHAT = "the beginning of the training"


def world() -> World | None:
    """The processes that train together, where there are several."""
    found = current()
    return found if found is not None and found.size > 1 else None


def is_first() -> bool:
    """Whether this process has the run's folder, and says what there is to say."""
    found = world()
    return found is None or found.rank == 0


def with_shards(values: dict[str, Any], origins: dict[str, str]) -> dict[str, Any]:
    """Settings with the shards of several processes, where nobody gave any: those of `init`, or 8."""
    if current() is None or origins["shards"] != DEFAULT:
        return values
    begun = Trainer.sharding
    if begun is None:
        return values | {"shards": SHARDS}
    found = {"shards": begun.shards}
    if origins["sync_batch_norm"] == DEFAULT:
        found["sync_batch_norm"] = begun.pool is not None
    return values | found


# -- what they must have in common ---------------------------------------------------------------------------
def agree(session: Any, names: Any, allow_mixed: bool = False) -> None:
    """Refuse, in every process, what is not the same in all.

    Raises
    ------
    RefusedError
        Naming what differs, and in which ranks.
    """
    found = world()
    if found is None:
        return
    found.allow_mixed = found.allow_mixed or allow_mixed
    if text := differences(found, _table(session), WHAT, names(ALLOWED), (CODE,)):
        raise RefusedError(text)


def _table(session: Any) -> dict[str, str]:
    """What must be the same, by name."""
    settings = session.settings
    table = of_this_machine(*_processor()) | {
        "fingerprint of the data": session.batches.dataset.fingerprint(),
        "fingerprint of the test data": session.test_batches.dataset.fingerprint(),
        "net": sha256(repr(session.model).encode()).hexdigest()[:16],
    }
    net = session.net
    if net is not None and net.source is not None:
        table[CODE] = sha256(json.dumps([net.sha256, net.digests], sort_keys=True).encode()).hexdigest()[:16]
    elif found := _code_of(session.model, settings.model):
        table[CODE] = found
    return table | {name: str(value) for name, value in settings.flat().items() if name not in FREE}


def _code_of(model: Any, name: str) -> str:
    """The digest of the files, outside of cynet, that define a net's layers and what is registered by a name;
    "" where there are none."""
    defined: list[Any] = [type(layer) for _, layer in model.walk()]
    if name in registry:
        defined.append(registry[name])
    files = set()
    for each in defined:
        if each.__module__.partition(".")[0] != "cynet":
            with contextlib.suppress(OSError, TypeError):  # where it is typed in, or compiled
                files.add(inspect.getsourcefile(each))
    digests = {sha256(Path(file).read_bytes()).hexdigest() for file in files if file}
    return sha256("".join(sorted(digests)).encode()).hexdigest()[:16] if digests else ""


# -- what the first one hands to the others ------------------------------------------------------------------
def hand_out(data: bytes) -> bytes:
    """What the first process has, in all; in the first it is what is given."""
    found = world()
    return data if found is None else found.from_first(data, "what rank 0 begins with")


def hand_settings(settings: Any, origins: dict[str, str], net: Any = None) -> None:
    """Let the others know what a run goes on with."""
    if world() is not None:
        hand_out(json.dumps([settings.flat(), origins, net]).encode())


def hand_state(session: Any) -> None:
    """Let the others begin where the first one does."""
    if world() is not None:
        hand_out(checkpoint.pack(*capture(session)))


# -- what the others do --------------------------------------------------------------------------------------
def follow(session: Any) -> Outcome:
    """Train beside the first process, from where that one begins to where it ends.

    Raises
    ------
    RankFailedError
        When another process failed.
    """
    trainer, steps = session.trainer, session.settings.steps
    last = _LastResult()

    def outcome(status: str, **more: Any) -> Outcome:
        return Outcome(status, Path(), trainer.steps, steps, session.measure, None, last.result, **more)

    data = hand_out(b"")
    if not data:  # nothing is left to train
        return outcome(FINISHED)
    restore(session, *checkpoint.unpack(data))
    try:
        with Signals(_nobody) as signals:
            session.train([last], Agreed(signals, world()).watch)
    except Stopped as stopped:
        return outcome(STOPPED, signal=stopped.signal)
    except Diverged as error:
        return outcome(DIVERGED, error=str(error))
    return outcome(FINISHED)


def dismiss() -> None:
    """Tell the others that nothing is left to train."""
    if world() is not None:
        hand_out(b"")


class _LastResult(Observer):
    result: Any = None

    def evaluated(self, result: Any) -> None:
        self.result = result


def _nobody(line: str) -> None:
    """Tells nobody."""


class Agreed:
    """Signals of which a training knows when all its processes do, so that all stop after the same step.

    Parameters
    ----------
    signals : Signals
        Of this process.
    together : World or None
        None: these are all.
    """

    def __init__(self, signals: Signals, together: World | None) -> None:
        self.signals, self.together = signals, together
        if together is not None:
            together.noted = lambda: self.signals.pending or 0

    @property
    def pending(self) -> int | None:
        """The number of a signal that came to this process."""
        return self.signals.pending

    def watch(self, items: Iterable[Any]) -> Iterator[Any]:
        """As `Signals.watch`."""
        if self.together is None:
            yield from self.signals.watch(items)
            return
        for item in items:
            self._check(self.together)
            yield item
            self._check(self.together)

    @staticmethod
    def _check(together: World) -> None:
        if together.agreed:
            raise Stopped(together.agreed)


@contextlib.contextmanager
def told_to_others() -> Iterator[None]:
    """A context of a run, whose errors the other processes are told of, which end then, too."""
    found = world()
    if found is not None:
        found.anew()
    try:
        yield
    except RankFailedError as error:
        raise FailedError(str(error)) from error
    except BaseException as error:
        if found is not None:
            known = isinstance(error, (OSError, ValueError, RuntimeError)) and str(error)
            found.fail(reason(error) if known else f"{type(error).__name__}: {error}", found.number)
        raise
