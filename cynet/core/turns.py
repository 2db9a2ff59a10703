"""One thread at a time where two would spoil each other's work: the second is refused, and nobody waits."""

from __future__ import annotations

import threading

from .threads import forks

ADVICE = "give each thread a model and a loss of its own (copy.deepcopy), or let one finish its step first"


class Turn:
    """Which thread is at something. A copy, a pickle and a child by fork begin with nobody there."""

    def __init__(self) -> None:
        # forks -> (thread, what it does): who was there in another process is not here
        self._holders: dict[int, tuple[threading.Thread, str]] = {}

    def take(self, doing: str = "") -> tuple[threading.Thread, str] | None:
        """None where this thread has the turn from now on; else (thread, what it does) of who has it.

        That may be this thread. `doing` is told to those that come meanwhile.
        """
        mine = (threading.current_thread(), doing)
        holder = self._holders.setdefault(forks(), mine)
        return None if holder is mine else holder

    def give_back(self) -> None:
        """Let the next thread have the turn."""
        self._holders.clear()

    def alone(self, name: str) -> _Alone:
        """Within this context no other thread is here; one that comes gets a RuntimeError with `name`."""
        return _Alone(self, name)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return Turn, ()


class _Alone:
    """The context of `Turn.alone`."""

    __slots__ = "before", "name", "turn"

    def __init__(self, turn: Turn, name: str) -> None:
        self.turn, self.name = turn, name

    def __enter__(self) -> None:
        self.before, this = self.turn.take(), threading.current_thread()
        if self.before and self.before[0] is not this:
            raise RuntimeError(
                f"{self.name}: thread {this.name!r} wanted a training pass while thread "
                f"{self.before[0].name!r} is in one: {ADVICE}"
            )

    def __exit__(self, *error: object) -> None:
        if self.before is None:
            self.turn.give_back()


def refuse_anothers(name: str, maker: int, made: set[int]) -> None:
    """Raise RuntimeError where backward would follow the pass of another thread in place of this one's own.

    Parameters
    ----------
    name : str
    maker : int
        The thread that made the last pass, which is another one.
    made : set of int
        The threads that made passes which no backward followed.
    """
    this = threading.current_thread()
    if this.ident in made:
        names = {thread.ident: repr(thread.name) for thread in threading.enumerate()}
        raise RuntimeError(
            f"{name}.backward: wanted the pass of thread {this.name!r}, got that of thread "
            f"{names.get(maker, 'that has ended')}, made since: {ADVICE}"
        )
