"""Ctrl-C at moments at which it would leave half of something behind."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Start processes with SIGINT blocked, which they inherit: Ctrl-C is their owner's to handle.

    The owner's own Ctrl-C waits till the block is left: one of its other threads may still take the signal,
    and the interrupt would part a process from what it is about to be sent, or from who waits for it.
    """
    came: list[bool] = []
    handler: Any = None
    if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
        handler = signal.signal(signal.SIGINT, lambda *_: came.append(True))
    mask = getattr(signal, "pthread_sigmask", lambda *_: None)
    before = mask(getattr(signal, "SIG_BLOCK", None), {signal.SIGINT})
    try:
        yield
    finally:
        mask(getattr(signal, "SIG_SETMASK", None), before)
        if handler:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)
