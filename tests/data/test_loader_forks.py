"""A loader whose process forks: the child has workers of its own, and does not touch its parent's."""

import contextlib
import multiprocessing
import os
import sys
import threading

import numpy as np
import pytest
from helpers import run_python

from cynet.data import ArrayDataset, DataLoader
from cynet.data.workers import start

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@pytest.fixture
def dataset():
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), np.uint8)
    return ArrayDataset(images, np.arange(40) % 4, tuple("abcd"))


def in_a_child(work):
    """The text that work() gives in a child by fork."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(write, str(work()).encode())
        except BaseException as error:
            os.write(write, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


def workers_and_others():
    """How many processes of these two kinds are known to this one, as a text."""
    alive = [child.name for child in multiprocessing.process._children if not child._closed]
    return str((sum(map(alive.count, ("cynet-loader-0", "cynet-loader-1"))), alive.count("another's")))


def pids(loader):
    return [member.process.pid for member in loader._feed.crew.members]


def test_the_child_gets_the_same_batches_from_other_workers(dataset):
    with DataLoader(dataset, 8, workers=2, copy=True) as loader:
        wanted = [x for x, _ in DataLoader(dataset, 8, workers=0, copy=True)]
        before = list(loader)
        owned = pids(loader)
        loader.epoch = 0

        def work():
            found = [x for x, _ in loader]
            same = all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))
            return same, bool(set(pids(loader)) & set(owned)), loader.close()

        assert in_a_child(work) == "(True, False, None)"
        after = list(loader)
        assert pids(loader) == owned
        for found in (before, after):
            assert all(np.array_equal(a, b) for (a, _), b in zip(found, wanted, strict=True))


def test_a_pass_that_the_parent_began_is_the_parents(dataset):
    with DataLoader(dataset, 8, workers=1, copy=True) as loader:
        walk = iter(loader)
        found = [next(walk)[0]]
        said = in_a_child(lambda: next(walk))
        assert said == (
            f"RuntimeError: this pass over the loader is that of process {os.getpid()}, of which this is a "
            "fork; start another pass here"
        )
        found += [x for x, _ in walk]
        for a, (b, _) in zip(found, DataLoader(dataset, 8, workers=0), strict=True):
            np.testing.assert_array_equal(a, b)


LEAVING = """
import os, sys
import numpy as np
from cynet.data import ArrayDataset, DataLoader

dataset = ArrayDataset(np.zeros((40, 1, 4, 4), np.uint8), np.zeros(40, int), ["a"])
loader = DataLoader(dataset, 4, workers=2)
walk = iter(loader)
next(walk)
owned = [member.process.pid for member in loader._feed.crew.members]
for _ in range(4):
    child = os.fork()
    if not child:
        sys.exit()  # with all that Python does at its end
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(len(list(walk)), owned == [member.process.pid for member in loader._feed.crew.members])
"""


def test_a_child_that_ends_leaves_its_parents_workers_alive(tmp_path):
    (tmp_path / "leaving.py").write_text(LEAVING)
    done = run_python(tmp_path / "leaving.py")
    assert (done.returncode, done.stdout) == (0, "9 True\n")
    # Python 3.13 has its tracker of resources complain in a child by fork that ends, whose it is not.
    of_python = sys.version_info >= (3, 13) and "ResourceTracker.__del__" in done.stderr
    assert not done.stderr or (of_python and "cynet" not in done.stderr)


def test_what_another_thread_held_at_the_fork_is_free_in_the_child(dataset):
    """It was about to start a process, and had the environment changed."""

    def work():
        return start._path_lock.locked(), os.environ.get("PYTHONSAFEPATH"), len(list(loader))

    with DataLoader(dataset, 8, workers=1) as loader:
        with start.own_path():
            assert os.environ["PYTHONSAFEPATH"] == "1"
            assert in_a_child(work) == "(False, None, 5)"
        assert len(list(loader)) == 5


def test_locks_of_pythons_own_that_a_thread_held_at_the_fork_are_free_in_the_child():
    """Those that a worker's start takes: of the fork server, and of the tracker of resources."""
    owners = [each for each in (start.resource_tracker._resource_tracker, start.forkserver._forkserver)
              if hasattr(each, "_lock")]  # fmt: skip
    assert owners
    held, over = threading.Event(), threading.Event()

    def hold():
        with contextlib.ExitStack() as locks:
            for each in owners:
                locks.enter_context(each._lock)
            held.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        assert in_a_child(lambda: [each._lock.acquire(blocking=False) for each in owners]) == str(
            [True] * len(owners)
        )
        assert [each._lock.acquire(blocking=False) for each in owners] == [False] * len(owners)
    finally:
        over.set()
        thread.join()


def test_the_child_does_not_keep_its_parents_fork_server_alive(dataset):
    """It lives as long as a process has the other end of a pipe of its."""
    with DataLoader(dataset, 8, workers=1) as loader:
        next(iter(loader))
        end = start.forkserver._forkserver._forkserver_alive_fd
        assert in_a_child(lambda: os.fstat(end)) == "OSError: [Errno 9] Bad file descriptor"
        assert os.fstat(end)


def test_the_child_forgets_its_parents_workers_alone(dataset):
    """Other processes of the parent stay known to it, as without cynet."""
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    other = context.Process(target=theirs.recv, name="another's")
    other.start()
    theirs.close()
    try:
        with DataLoader(dataset, 8, workers=2) as loader:
            next(iter(loader))
            assert workers_and_others() == "(2, 1)"
            assert in_a_child(workers_and_others) == "(0, 1)"
            assert workers_and_others() == "(2, 1)"
    finally:
        ours.send("it may end")
        other.join()
        ours.close()
        other.close()


def test_threads_that_start_processes_do_not_hear_of_each_other():
    """One that wants the owner's script imported, and one that does not, at once."""
    whole, lean, go = [], [], threading.Barrier(2)

    def other():
        go.wait()
        whole.append(start.spawn.get_preparation_data("other"))
        go.wait()

    thread = threading.Thread(target=other)
    thread.start()
    with start.started(lean=True):
        go.wait()
        lean.append(start.spawn.get_preparation_data("own"))
        go.wait()
    thread.join()
    names = {name for name in whole[0] if name.startswith("init_main")}
    assert not {name for name in lean[0] if name.startswith("init_main")}
    assert names == {name for name in start._whole("x") if name.startswith("init_main")}
