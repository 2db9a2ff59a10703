"""What is left when a loader ends, however it ends, and when there is no memory for it: real processes."""

import contextlib
import gc
import mmap
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from helpers import environment_of, gone, run_python, wait_until
from kill_workers import assert_nothing_left, held

from cynet.data import ArrayDataset, DataLoader
from cynet.data.workers import shared

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def fail(picture, rng):
    raise ValueError("too dark")


@pytest.fixture
def dataset():
    return ArrayDataset(np.zeros((64, 3, 8, 8), np.uint8), np.arange(64) % 4, tuple("abcd"))


def loader_of(dataset, *transforms):
    return DataLoader(dataset, 4, workers=2, transforms=transforms)


def _leave_early(dataset):
    with loader_of(dataset) as loader:
        next(iter(loader))


def _fail_in_the_loop(dataset):
    with contextlib.suppress(ZeroDivisionError), loader_of(dataset) as loader:
        for _ in loader:
            raise ZeroDivisionError


def _fail_in_a_worker(dataset):
    with contextlib.suppress(ValueError):
        list(loader_of(dataset, fail))


def _interrupt(dataset):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            for _ in loader_of(dataset):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def _kill(dataset):
    with loader_of(dataset) as loader:
        for number, _ in enumerate(loader):
            if number == 5:
                os.kill(loader._feed.crew.members[1].process.pid, signal.SIGKILL)


@linux
@pytest.mark.parametrize("end", [_leave_early, _fail_in_the_loop, _fail_in_a_worker, _interrupt, _kill])
def test_nothing_is_left_however_it_ends(dataset, end):
    _leave_early(dataset)  # the fork server, and the shared pictures, which are the data set's now
    gc.collect()
    before = held()
    end(dataset)
    gc.collect()
    assert_nothing_left(before)


INTERRUPTED = """
import os, signal, sys, threading
from multiprocessing import forkserver, util
import numpy as np
from cynet.data import ArrayDataset, DataLoader

def catches(pid):
    with open(f"/proc/{pid}/status") as lines:
        return any(int(line.split()[1], 16) & 2 for line in lines if line.startswith("SigCgt"))

def interrupt():
    os.killpg(0, signal.SIGINT)
    os.read(taken, 1)  # some thread of this process has the signal

def server(*arguments, start=util.spawnv_passfds):
    pid = start(*arguments)
    if "forkserver" in str(arguments):
        while not catches(pid):  # Python has set its handler, the fork server has not yet
            os.sched_yield()
        interrupt()
    return pid

def worker(fds, connect=forkserver.connect_to_new_process):
    ends = connect(fds)  # the worker is there, and waits for what it shall do
    interrupt()
    return ends

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    taken, tells = os.pipe()
    os.set_blocking(tells, False)
    signal.set_wakeup_fd(tells)
    threading.Thread(target=threading.Event().wait, daemon=True).start()  # as OpenMP's: it takes signals
    if sys.argv[1] == "server":
        util.spawnv_passfds = server
    else:
        forkserver.connect_to_new_process = worker
    dataset = ArrayDataset(np.zeros((40, 1, 4, 4), np.uint8), np.zeros(40, int), ["a"])
    try:
        list(DataLoader(dataset, 4, workers=2))
    except KeyboardInterrupt:
        print("stopped", flush=True)
        sys.exit(130)
"""


@linux
@pytest.mark.parametrize("while_it_starts", ["server", "worker"])
def test_ctrl_c_while_processes_start_is_for_the_owner_alone(tmp_path, while_it_starts):
    (tmp_path / "interrupted.py").write_text(INTERRUPTED)
    done = run_python(tmp_path / "interrupted.py", while_it_starts, process_group=0)
    assert (done.returncode, done.stdout, done.stderr) == (130, "stopped\n", "")


UNCLOSED = """
import numpy as np
from cynet.data import ArrayDataset, DataLoader

if __name__ == "__main__":
    dataset = ArrayDataset(np.zeros((40, 1, 4, 4), np.uint8), np.zeros(40, int), ["a"])
    loader = DataLoader(dataset, 4, workers=2)
    walk = iter(loader)
    next(walk)
    print(*(member.process.pid for member in loader._feed.crew.members))
"""


@linux
def test_a_script_may_end_without_closing_its_loader(tmp_path):
    (tmp_path / "unclosed.py").write_text(UNCLOSED)
    done = run_python(tmp_path / "unclosed.py")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    workers = [int(word) for word in done.stdout.split()]
    assert len(workers) == 2
    wait_until(lambda: all(gone(pid) for pid in workers), 2)


FORKING = """
import os, signal, sys
import numpy as np
from cynet.data import ArrayDataset, DataLoader

if __name__ == "__main__":
    dataset = ArrayDataset(np.zeros((40, 1, 4, 4), np.uint8), np.zeros(40, int), ["a"])
    loader = DataLoader(dataset, 4, workers=2)
    next(iter(loader))
    if not os.fork():
        os.close(1)
        sys.stdin.read()  # holds all that its parent held
        os._exit(0)
    print(*(member.process.pid for member in loader._feed.crew.members), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no descriptors of processes here")
def test_workers_end_with_their_owner_though_its_children_live(tmp_path):
    (tmp_path / "forking.py").write_text(FORKING)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "forking.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment_of(),
    )  # fmt: skip
    with process:
        workers = [int(word) for word in process.stdout.readline().split()]
        assert len(workers) == 2
        wait_until(lambda: all(gone(pid) for pid in workers), 2)


# -- memory ------------------------------------------------------------------------------------------------
SMALL = """
import resource
import numpy as np
from cynet.data import ArrayDataset, DataLoader

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # of any file, memory without a name included
    dataset = ArrayDataset(np.zeros((40, 1, 32, 32), np.uint8), np.zeros(40, int), ["a"])
    try:
        list(DataLoader(dataset, 4, workers=1))
    except MemoryError as error:
        print(error)
    print(len(list(DataLoader(dataset, 4, workers=0))))
"""


@linux
def test_a_limit_of_the_system_is_told_and_no_workers_do_without(tmp_path):
    (tmp_path / "small.py").write_text(SMALL)
    done = run_python(tmp_path / "small.py", PYTHONDONTWRITEBYTECODE="1")  # which the limit would cut off
    assert done.returncode == 0 and done.stderr == "", done.stderr
    message, batches = done.stdout.splitlines()
    assert message.startswith("pictures: wanted 40960 bytes of shared memory, ") and "are free" in message
    assert message.endswith("a loader with workers=0 needs none") and batches == "10"


def test_more_pictures_than_there_is_memory_are_refused_before_they_are_moved(tmp_path):
    size = 2 * shared.free_bytes()
    with open(tmp_path / "hole", "w+b") as file:
        file.truncate(size)
        images = np.frombuffer(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ), np.uint8)
    dataset = ArrayDataset(images.reshape(1, 1, 1, -1), [0], ["a"])
    with (
        DataLoader(dataset, 1, workers=1) as loader,
        pytest.raises(MemoryError, match=rf"pictures: wanted {size} bytes .*, \d+ are free \(more than"),
    ):
        next(iter(loader))
