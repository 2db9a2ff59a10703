"""What workers import, and how their faults are told: real processes."""

import ctypes
import functools
import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers import run_python, wait_until

import cynet
from cynet.data import ArrayDataset, DataLoader, RandomFlip, WorkerLostError
from cynet.data.workers import crew, start
from cynet.data.workers.worker import PR_SET_PDEATHSIG

COUNT, WRONG = 64, 37
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


class Files(ArrayDataset):
    """Pictures that tell their index, and say which file they are from."""

    def __init__(self):
        numbers = np.arange(COUNT, dtype=np.uint8)
        super().__init__(np.tile(numbers[:, None, None, None], (1, 3, 8, 8)), numbers % 4, tuple("abcd"))

    def path_of(self, index):
        return f"pictures/{index}.png"


class OddError(Exception):
    """One that is not made of a text alone."""

    def __init__(self, number, text):
        super().__init__(number, text)
        self.number = number


def raise_value_error(picture, rng):
    if picture[0, 0, 0] == WRONG:
        raise ValueError("too dark")
    return picture


def raise_odd_error(picture, rng):
    if picture[0, 0, 0] == WRONG:
        raise OddError(5, "too dark")
    return picture


def hang(picture, rng):
    if picture[0, 0, 0] == WRONG:
        threading.Event().wait()
    return picture


def live_on_once(mark, picture, rng):
    """Hang, not to be ended with the fork server, unless `mark` is there."""
    if not mark.exists():
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 0)
        mark.touch()
        threading.Event().wait()
    return picture


def leave(picture, rng):
    os._exit(3)


@pytest.fixture
def dataset():
    return Files()


def loader_of(dataset, *transforms, **options):
    return DataLoader(dataset, 4, **{"workers": 1, "transforms": transforms, **options})


def messages_of(error):
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


# -- faults of a user's function ---------------------------------------------------------------------------
@pytest.mark.parametrize(("function", "kind"), [(raise_value_error, ValueError), (raise_odd_error, OddError)])
def test_an_exception_comes_with_its_type_the_sample_its_file_and_the_traceback(dataset, function, kind):
    with loader_of(dataset, function) as loader, pytest.raises(kind) as caught:
        list(loader)
    batch = int(np.flatnonzero(loader.order(0) == WRONG)[0]) // 4
    assert caught.type is kind and getattr(caught.value, "number", 5) == 5
    text = messages_of(caught.value)
    assert (
        "too dark" in text and f"line {function.__code__.co_firstlineno + 2}, in {function.__name__}" in text
    )
    assert f"at the sample with index {WRONG} (pictures/{WRONG}.png) of batch {batch} of epoch 0" in text
    assert "in cynet-loader-0 (pid " in text


def test_a_function_that_hangs_is_named_by_worker_and_sample(dataset, monkeypatch):
    monkeypatch.setattr(crew, "PATIENCE", 0.1)
    with loader_of(dataset, hang, shuffle=False) as loader:
        named = rf"cynet-loader-0 \(pid \d+\) did not finish the sample with index {WRONG} \(pictures/{WRONG}"
        with pytest.raises(TimeoutError, match=named + r".png\) of batch 9 of .* within timeout=0.5 s"):
            for number, _ in enumerate(loader):
                if number == WRONG // 4 - 1:
                    loader._feed.crew.timeout = 0.5  # now that the worker is at it, or almost


def test_a_function_that_ends_its_process_is_not_tried_again(dataset):
    with (
        loader_of(dataset, leave) as loader,
        pytest.raises(
            WorkerLostError, match=r"pid \d+\) ended with exit code 3 .*, at the sample with index"
        ),
    ):
        list(loader)


# -- the processes -----------------------------------------------------------------------------------------
def test_workers_stay_for_all_epochs(dataset):
    with loader_of(dataset, workers=2) as loader:
        list(loader)
        before = [member.process.pid for member in loader._feed.crew.members]
        list(loader)
        assert [member.process.pid for member in loader._feed.crew.members] == before


def _kill_fork_server():
    os.kill(start.forkserver._forkserver._forkserver_pid, signal.SIGKILL)


@pytest.mark.skipif(start.CONTEXT != "forkserver", reason="no fork server here")
def test_a_killed_fork_server_costs_no_batch(dataset):
    with loader_of(dataset, RandomFlip(), workers=2, copy=True) as loader:
        wanted = [x for x, _ in loader_of(dataset, RandomFlip(), workers=0, copy=True)]
        found = []
        for x, _ in loader:
            found.append(x)
            if len(found) == 3:
                _kill_fork_server()
        np.testing.assert_array_equal(found, wanted)


@linux
def test_a_worker_that_lives_on_without_its_fork_server_is_ended(dataset, tmp_path):
    mark = tmp_path / "mark"
    killer = threading.Thread(target=lambda: (wait_until(mark.exists, 10), _kill_fork_server()))
    with loader_of(dataset, functools.partial(live_on_once, mark), copy=True) as loader:
        killer.start()
        found = [x for x, _ in loader]
    killer.join()
    np.testing.assert_array_equal(found, [x for x, _ in loader_of(dataset, workers=0, copy=True)])


IMPORTS = """
import sys
before = set(sys.modules)
import numpy as np
from cynet.data import ArrayDataset, DataLoader
import probe

if __name__ == "__main__":
    dataset = ArrayDataset(np.zeros((8, 1, 4, 4), np.uint8), np.zeros(8, int), ["a"])
    try:
        list(DataLoader(dataset, 4, workers=1, transforms=[probe.probe]))
    except LookupError as error:
        found = set(str(error).split("\\n")[0].split()) - before - sys.stdlib_module_names
    print(*sorted(name for name in found if name.startswith("cynet.")))
    print(*sorted({name.partition(".")[0] for name in found} - sys.stdlib_module_names))
"""
PROBE = """
import sys

def probe(picture, rng):
    raise LookupError(" ".join(sys.modules))
"""


def test_workers_import_numpy_and_the_kernels_of_samples_alone(tmp_path):
    (tmp_path / "imports.py").write_text(IMPORTS)
    (tmp_path / "probe.py").write_text(PROBE)
    done = run_python(tmp_path / "imports.py")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    ours, packages = done.stdout.splitlines()
    package = Path(cynet.__file__).parent.parent
    places = {name: package / name.replace(".", "/") for name in ours.split()}
    plain = {  # in a wheel a compiled file has a stub
        name for name, place in places.items()
        if place.with_suffix(".py").exists() and not place.with_suffix(".pyx").exists()
    }  # fmt: skip
    rooms = {name for name, place in places.items() if place.is_dir()}
    assert places.keys() - plain - rooms == {
        "cynet.core._config", "cynet.core._shared", "cynet.data.floats", "cynet.data.images.colour",
        "cynet.data.images.decode", "cynet.data.images.warp",
    }  # fmt: skip
    assert not {"cynet.nn", "cynet.models", "cynet.data.loader", "cynet.train"} & set(ours.split())
    others = {name for name in packages.split() if not name.startswith(("_", "cython"))}
    assert others == {"cynet", "numpy", "probe"}


SPAWN = """
import hashlib
import numpy as np
from cynet.data import ArrayDataset, DataLoader, RandomCrop
from cynet.data.workers import start

start.CONTEXT = "spawn"

def digests(workers):
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), np.uint8)
    dataset = ArrayDataset(images, np.zeros(40, int), ["a"])
    with DataLoader(dataset, 8, workers=workers, transforms=[RandomCrop(2)]) as loader:
        return [hashlib.sha256(x.tobytes()).hexdigest() for x, _ in loader]

if __name__ == "__main__":
    print(digests(2) == digests(0))
"""


def test_spawned_workers_make_the_same_batches(tmp_path):
    (tmp_path / "spawning.py").write_text(SPAWN)
    done = run_python(tmp_path / "spawning.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


DEEP = """
import faulthandler
import numpy as np
from cynet.data import ArrayDataset, DataLoader

if __name__ == "__main__":
    faulthandler.dump_traceback_later(30, exit=True)
    dataset = ArrayDataset(np.zeros((1500, 1, 4, 4), np.uint8), np.zeros(1500, int), ["a"])
    with DataLoader(dataset, 1, workers=1, prefetch=1024) as loader:
        print(len(list(loader)))
"""


def test_more_tasks_than_a_pipe_holds_do_not_block(tmp_path):
    (tmp_path / "deep.py").write_text(DEEP)
    done = run_python(tmp_path / "deep.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1500\n", "")
