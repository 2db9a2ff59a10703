"""Threads at one loader: the second is refused at once, a pass may be handed on, and closing never hangs."""

import contextlib
import copy
import os
import pickle
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import run_python

from cynet.data import ArrayDataset, DataLoader
from cynet.data.workers import crew

COUNT = 40
both = pytest.mark.parametrize("workers", [0, 2])
OTHER = "DataLoader: thread {!r} wanted {} while thread {!r} waits for a batch: a loader is for one"
PASS = "DataLoader: thread {!r} wanted to begin a pass in the middle of that of thread {!r}: a loader is"
CLOSED = "this pass over the loader ended when the loader was closed"


@pytest.fixture
def dataset():
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 3, 8, 8), np.uint8)
    return ArrayDataset(images, np.arange(COUNT) % 4, tuple("abcd"))


@pytest.fixture
def wanted(dataset):
    return [x for x, _ in DataLoader(dataset, 8, shuffle=False, workers=0, copy=True)]


def loader_of(dataset, workers, **options):
    return DataLoader(dataset, 8, **{"shuffle": False, "workers": workers, "copy": True, **options})


def same(found, wanted):
    return len(found) == len(wanted) and all(map(np.array_equal, found, wanted))


class Other(threading.Thread):
    """A thread named "other" that does `work`, and keeps what it returned or raised."""

    def __init__(self, work):
        super().__init__(name="other", daemon=True)
        self.work, self.found = work, None
        self.start()

    def run(self):
        try:
            self.found = self.work()
        except Exception as error:
            self.found = error

    def outcome(self):
        self.join(60)
        assert not self.is_alive(), "it hangs"
        return self.found


@pytest.fixture
def waited(monkeypatch):
    """An Event that is set when a thread is about to wait for the workers."""
    event, wait = threading.Event(), crew.connection.wait

    def noted(*arguments):
        event.set()
        return wait(*arguments)

    monkeypatch.setattr(crew.connection, "wait", noted)
    return event


class Stopped:
    """A loader with one worker that is stopped, and another thread that waits for its first batch."""

    def __init__(self, dataset, waited):
        self.loader = loader_of(dataset, 1, timeout=100)
        self.loader._feed.start()
        self.pid = self.loader._feed.crew.members[0].process.pid
        os.kill(self.pid, signal.SIGSTOP)
        waited.clear()
        self.iterator = iter(self.loader)
        self.other = Other(lambda: [x for x, _ in self.iterator])
        assert waited.wait(60)

    def go_on(self):
        with contextlib.suppress(ProcessLookupError):  # it was ended
            os.kill(self.pid, signal.SIGCONT)


@pytest.fixture
def stopped(dataset, waited):
    case = Stopped(dataset, waited)
    yield case
    case.go_on()
    case.other.join(60)
    case.loader.close()


def test_a_second_thread_is_refused_at_once_and_the_first_gets_its_batches(stopped, wanted):
    text = re.escape(OTHER.format("MainThread", "a batch", "other"))
    with pytest.raises(RuntimeError, match=text):
        next(iter(stopped.loader))
    with pytest.raises(RuntimeError, match=text):
        next(stopped.iterator)
    with pytest.raises(RuntimeError, match=re.escape(OTHER.format("MainThread", "to end a pass", "other"))):
        stopped.iterator.close()
    state = stopped.loader.state_dict()
    with pytest.raises(RuntimeError, match=re.escape(OTHER.format("MainThread", "to load a state", "other"))):
        stopped.loader.load_state_dict(state)
    stopped.go_on()
    assert same(stopped.other.outcome(), wanted)


def test_a_loader_that_another_thread_closes_ends_the_wait_at_once(stopped, wanted):
    stopped.loader.close()
    error = stopped.other.outcome()
    assert isinstance(error, RuntimeError) and str(error) == CLOSED
    assert stopped.loader._feed.crew is None, "it ended the workers"
    assert same([x for x, _ in stopped.loader], wanted), "the next epoch starts them anew"


def test_a_finalizer_may_close_the_loader_that_its_own_thread_waits_for(dataset, monkeypatch):
    loader, wait, calls = loader_of(dataset, 1), crew.connection.wait, []

    def collected(*arguments):
        if not calls:
            calls.append(loader.close())  # as a garbage collection in the middle of the wait has it
        return wait(*arguments)

    loader._feed.start()
    monkeypatch.setattr(crew.connection, "wait", collected)
    with pytest.raises(RuntimeError, match=CLOSED):
        next(iter(loader))
    assert loader._feed.crew is None


def test_without_workers_a_second_thread_is_refused_at_once_too(dataset, wanted):
    inside, go = threading.Event(), threading.Event()

    def paused(picture, rng):
        inside.set()
        assert go.wait(60)
        return picture

    loader = loader_of(dataset, 0, transforms=[paused])
    other = Other(lambda: [x for x, _ in loader])
    assert inside.wait(60)
    with pytest.raises(RuntimeError, match=re.escape(OTHER.format("MainThread", "a batch", "other"))):
        next(iter(loader))
    loader.close()
    go.set()
    error = other.outcome()
    assert isinstance(error, RuntimeError) and str(error) == CLOSED, "as with workers"
    assert same([x for x, _ in loader], wanted[1:])


@both
def test_a_pass_in_the_middle_of_another_threads_is_refused(dataset, wanted, workers):
    with loader_of(dataset, workers) as loader:
        walk = iter(loader)
        found = [next(walk)[0]]
        error = Other(lambda: next(iter(loader))).outcome()
        assert isinstance(error, RuntimeError) and str(error).startswith(PASS.format("other", "MainThread"))
        assert same(found + [x for x, _ in walk], wanted)
        assert same(Other(lambda: [x for x, _ in loader]).outcome(), wanted), "now it is nobody's"


@both
@pytest.mark.parametrize("end", ["the iterator", "the loader", "the name", "a state"])
def test_a_pass_that_was_ended_is_in_nobodys_way(dataset, wanted, workers, end):
    with loader_of(dataset, workers) as loader:
        state, walk = loader.state_dict(), iter(loader)
        next(walk)
        if end == "the iterator":
            walk.close()
        elif end == "the loader":
            loader.close()
        elif end == "a state":
            loader.load_state_dict(state)
        else:
            del walk
        left = wanted if end == "a state" else wanted[1:]
        assert same(Other(lambda: [x for x, _ in loader]).outcome(), left)


@both
def test_a_thread_that_ended_is_in_nobodys_way(dataset, wanted, workers):
    with loader_of(dataset, workers) as loader:
        state, kept = loader.state_dict(), []
        Other(lambda: kept.append(iter(loader)) or next(kept[0])).outcome()
        loader.load_state_dict(state)
        assert same([x for x, _ in loader], wanted)


@both
def test_a_pass_may_be_handed_from_thread_to_thread(dataset, wanted, workers):
    with loader_of(dataset, workers) as loader:
        walk, found = iter(loader), []
        for _ in wanted:
            found.append(Other(lambda: next(walk)[0]).outcome())
        assert isinstance(Other(lambda: next(walk)).outcome(), StopIteration)
        assert same(found, wanted)


@both
def test_two_passes_in_one_thread_are_told_apart(dataset, wanted, workers):
    with loader_of(dataset, workers) as loader:
        old, state = iter(loader), loader.state_dict()
        next(old)
        loader.load_state_dict(state)
        assert same([x for x, _ in loader], wanted)
        with pytest.raises(RuntimeError, match="ended when a state was loaded"):
            next(old)


@both
@pytest.mark.parametrize("taken", [1, 5])
def test_a_pass_over_a_loader_that_was_closed_says_so(dataset, wanted, workers, taken):
    loader = loader_of(dataset, workers)
    walk = iter(loader)
    found = [next(walk)[0] for _ in range(taken)]
    Other(loader.close).outcome()
    with pytest.raises(RuntimeError, match=CLOSED):
        next(walk)
    assert same(found, wanted[:taken])
    loader.close()


@both
def test_a_pass_is_told_what_ended_it_first(dataset, workers):
    with loader_of(dataset, workers) as loader:
        walk = iter(loader)
        next(walk)
        loader.load_state_dict(loader.state_dict())
        next(iter(loader))
        loader.close()
        with pytest.raises(RuntimeError, match="ended when a state was loaded"):
            next(walk)


def test_a_thread_that_comes_while_another_closes_the_loader_is_told_so(dataset, monkeypatch):
    loader, inside, go = loader_of(dataset, 0), threading.Event(), threading.Event()

    def slow():
        inside.set()
        assert go.wait(60)

    monkeypatch.setattr(loader, "_put_away", slow)
    other = Other(loader.close)
    assert inside.wait(60)
    try:
        with pytest.raises(RuntimeError, match="wanted a batch while thread 'other' closes the loader: "):
            next(iter(loader))
    finally:
        go.set()
    assert other.outcome() is None


def test_a_transform_that_uses_its_own_loader_does_not_let_other_threads_in(dataset, wanted):
    told, state = [], None

    def meddling(picture, rng):
        if not told:
            loader.load_state_dict(state)
            told.append(str(Other(lambda: next(iter(loader))).outcome()))
        return picture

    loader = loader_of(dataset, 0, transforms=[meddling])
    state = loader.state_dict()
    with pytest.raises(RuntimeError, match="ended when a state was loaded"):
        next(iter(loader))
    assert told[0].startswith(OTHER.format("other", "a batch", "MainThread"))
    assert loader.state_dict() == state, "nothing was counted"
    assert same([x for x, _ in loader], wanted)


def test_threads_that_ask_for_the_orders_of_different_epochs_get_their_own(dataset):
    loader = DataLoader(dataset, 8, workers=0)
    wanted = [loader.order(epoch) for epoch in range(2)]

    class Ordered:
        """As if another thread asked for epoch 1 after every write."""

        def __set__(self, instance, value):
            pass

        def __get__(self, instance, owner):
            return (1, loader.seed, loader.shuffle), wanted[1]

    loader.__class__ = type("Crowded", (DataLoader,), {"_ordered": Ordered()})
    np.testing.assert_array_equal(loader.order(0), wanted[0])


LEAVING = """
import os, signal, threading
import numpy as np
from cynet.data import ArrayDataset, DataLoader
from cynet.data.workers import crew

def noted(*arguments, wait=crew.connection.wait):
    waiting.set()
    return wait(*arguments)

dataset = ArrayDataset(np.zeros((40, 1, 4, 4), np.uint8), np.zeros(40, int), ["a"])
loader, waiting = DataLoader(dataset, 4, workers=1), threading.Event()
loader._feed.start()
os.kill(loader._feed.crew.members[0].process.pid, signal.SIGSTOP)
crew.connection.wait = noted
threading.Thread(target=list, args=[loader], daemon=True).start()
waiting.wait()
print("leaves")
"""


def test_a_script_may_end_while_a_thread_waits_for_a_batch(tmp_path):
    (tmp_path / "leaving.py").write_text(LEAVING)
    done = run_python(tmp_path / "leaving.py")
    assert (done.returncode, done.stdout) == (0, "leaves\n")
    assert done.stderr == "" or done.stderr.endswith(f"RuntimeError: {CLOSED}\n")


@both
def test_of_threads_that_begin_at_once_each_gets_all_batches_or_a_sentence(dataset, wanted, workers):
    begin = threading.Barrier(4)

    def work(_):
        begin.wait(60)
        try:
            return [x for x, _ in loader]
        except RuntimeError as error:
            return str(error)

    with loader_of(dataset, workers) as loader, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, range(4)))
    told = [text for text in found if isinstance(text, str)]
    assert len(told) < 4 and all("a loader is for one thread; give each" in text for text in told)
    assert all(same(batches, wanted) for batches in found if not isinstance(batches, str))


def test_a_loader_that_is_in_use_can_be_copied(dataset, wanted):
    loader = loader_of(dataset, 0)
    walk = iter(loader)
    next(walk)
    for twin in (copy.deepcopy(loader), pickle.loads(pickle.dumps(loader))):
        assert same(Other(lambda twin=twin: [x for x, _ in twin]).outcome(), wanted[1:])


@both
def test_a_pass_of_a_thread_that_ended_in_its_middle_keeps_nobody_away(dataset, wanted, workers):
    with loader_of(dataset, workers) as loader:
        kept = []
        Other(lambda: kept.append(iter(loader)) or next(kept[0])).outcome()
        assert same([x for x, _ in loader], wanted[1:]), "it goes on after the batch that was taken"
