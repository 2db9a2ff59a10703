"""Ctrl-C, SIGTERM and a closed terminal as a wish to stop, not as an exception in the middle of a step."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, TypeVar

NOTED = b"stopping after this step, and saving; once more stops at once\n"
T = TypeVar("T")


class Stopped(Exception):
    """The run was asked to stop.

    Parameters
    ----------
    number : int
        Of the signal.

    Attributes
    ----------
    signal : int
        The same.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


class Signals:
    """Within this context the first SIGINT, SIGTERM or SIGHUP is noted; the second ends the program at once.

    Only in the main thread; elsewhere it changes nothing. A SIGHUP that is ignored, as nohup does, stays so;
    one that comes again, as when a shell and the terminal both send it, is no second wish.

    Attributes
    ----------
    pending : int or None
        The number of the signal that came.

    Examples
    --------
    >>> with Signals() as signals:
    ...     for x, y in signals.watch(batches):
    ...         trainer.step(x, y)
    """

    def __init__(self) -> None:
        self.pending: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        except ValueError:  # not the main thread
            self._before.clear()
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.pending is None:
            self.pending = number
            with contextlib.suppress(OSError):  # the terminal may be gone
                os.write(2, NOTED)
        elif number != signal.SIGHUP:
            raise KeyboardInterrupt

    def watch(self, items: Iterable[T]) -> Iterator[T]:
        """The items, until a signal is noted: then `Stopped` is raised in place of the next one."""
        for item in items:
            self.check()
            yield item
            self.check()

    def check(self) -> None:
        """Raise `Stopped` when a signal was noted."""
        if self.pending is not None:
            raise Stopped(self.pending)
