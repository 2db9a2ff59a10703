"""Ctrl-C while something must not be parted: it waits for the end, and is what it was before afterwards."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from cynet.core.interrupts import held

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no masks of signals here")


def blocked():
    """Whether this thread's Ctrl-C waits."""
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.fixture(autouse=True)
def as_before():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
    assert not blocked()


def test_an_interrupt_waits_for_the_end_and_then_comes():
    done = []
    with pytest.raises(KeyboardInterrupt), held():
        assert blocked()
        signal.raise_signal(signal.SIGINT)
        done.append("all of it")
    assert done and not blocked() and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_one_that_another_thread_takes_waits_too():
    """Python runs the handler in the main thread, whichever thread the system chose."""
    done, go = [], threading.Event()
    other = threading.Thread(target=go.wait, args=(60,))
    other.start()  # its signals are not blocked
    try:
        with pytest.raises(KeyboardInterrupt), held():
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                os.sched_yield()
            done.append("all of it")
    finally:
        go.set()
        other.join()
    assert done and not blocked()


def test_without_an_interrupt_nothing_comes_and_an_error_passes():
    with held():
        pass
    with pytest.raises(KeyError), held():
        raise KeyError
    assert not blocked() and signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_who_handles_no_interrupts_begins_with_none(handler):
    signal.signal(signal.SIGINT, handler)
    with held():
        assert signal.getsignal(signal.SIGINT) == handler and blocked()
    assert signal.getsignal(signal.SIGINT) == handler and not blocked()


def test_what_was_blocked_before_stays_so():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with held():
            assert blocked()
        assert blocked()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def test_another_thread_holds_its_own_alone():
    found = []

    def run():
        with held():
            found.append((blocked(), signal.getsignal(signal.SIGINT)))
        found.append(blocked())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert found == [(True, signal.default_int_handler), False]


def test_a_process_that_is_started_within_has_it_blocked():
    program = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    with held():
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
