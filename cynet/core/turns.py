"""One thread at a time where two would spoil each other's work: the second is refused, and nobody waits."""

import threading

from .threads import forks


class Turn:
    """Which thread is at something. A copy, a pickle and a child by fork begin with nobody there."""

    def __init__(self):
        self._holders = {}  # forks -> (thread,): who was there in another process is not here

    def take(self):
        """None where this thread has the turn from now on; else the thread that has it, which may be this."""
        mine = (threading.current_thread(),)
        holder = self._holders.setdefault(forks(), mine)
        return None if holder is mine else holder[0]

    def give_back(self):
        """Let the next thread have the turn."""
        self._holders.clear()

    def __reduce__(self):
        return Turn, ()
