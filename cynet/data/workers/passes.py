"""One pass over a loader at a time, in one thread at a time.

A loader has one ring of batches and one place in its epoch. A thread that finds another one at it is refused
at once, in a sentence; nobody waits, so nothing that closes a loader can hang either.
"""

import contextlib
import threading
import weakref

from cynet.core.turns import Turn

ADVICE = "a loader is for one thread; give each thread one of its own"


class Desk:
    """Who is at a loader, and whose pass is under way."""

    def __init__(self):
        self._turn, self._pass, self._closing = Turn(), None, False

    @contextlib.contextmanager
    def alone(self, what, doing, put_away):
        """Within this context no other thread is here.

        Parameters
        ----------
        what, doing : str
            What this thread wants, and what others are told that it does.
        put_away : callable
            That of a `close` meanwhile.
        """
        holder, this = self._turn.take(doing), threading.current_thread()
        if holder and holder[0] is not this:
            raise RuntimeError(
                f"DataLoader: thread {this.name!r} wanted {what} while thread {holder[0].name!r} "
                f"{holder[1]}: {ADVICE}"
            )
        try:
            yield
        finally:
            if holder is None:  # else it is given back where this thread took it
                self._turn.give_back()
                if self._closing:
                    self.close(put_away)

    def close(self, put_away):
        """Have `put_away` called, now, or by who is here when they leave; returns whether it was done."""
        self._closing = True
        while self._closing:
            if self._turn.take("closes the loader") is not None:
                return False
            try:
                self._closing = False
                self.end_pass()
                put_away()
            finally:
                self._turn.give_back()
        return True

    def begin(self, new):
        """Note a pass that begins; RuntimeError while another thread is in the middle of one."""
        old = self._pass and self._pass()
        if old is not None and old.is_elsewhere():
            raise RuntimeError(
                f"DataLoader: thread {threading.current_thread().name!r} wanted to begin a pass in the "
                f"middle of that of thread {old.thread.name!r}: {ADVICE}, or end that pass by close() of its "
                "iterator or of the loader"
            )
        self._pass = weakref.ref(new)

    def end_pass(self):
        """Nobody is in the middle of a pass now."""
        self._pass = None

    def __reduce__(self):
        return Desk, ()


class EpochBatches:
    """The batches of an epoch, one after another: what `iter(loader)` gives.

    Threads may hand it on. Two that ask it for a batch at the same time are one too many: RuntimeError.

    Parameters
    ----------
    desk : Desk
    batches : generator
    put_away : callable
        As for `Desk.close`.
    """

    def __init__(self, desk, batches, put_away):
        self._desk, self._batches, self._put_away = desk, batches, put_away
        self.thread, self._begun = None, False  # thread: that asked last

    def __iter__(self):
        return self

    def __next__(self):
        with self._desk.alone("a batch", "waits for a batch", self._put_away):
            self.thread = threading.current_thread()
            if not self._begun:
                self._desk.begin(self)
                self._begun = True
            return next(self._batches)

    def close(self):
        """End the pass, as leaving a `for` loop does; RuntimeError while another thread waits for a batch."""
        with self._desk.alone("to end a pass", "ends a pass", self._put_away):
            self._batches.close()

    def is_elsewhere(self):
        """Whether it is under way in another thread, which lives."""
        other = self.thread is not threading.current_thread() and self.thread.is_alive()
        return other and self._batches.gi_frame is not None
