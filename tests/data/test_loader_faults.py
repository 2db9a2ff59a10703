"""What the loader does when processes die, hang, fail, or are interrupted: real processes, real signals."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import environment_of, gone, run_python, wait_until

from cynet.data import ArrayDataset, DataLoader
from cynet.data.workers import shared, worker

HERE = Path(__file__).parent
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def dataset():
    images = np.random.default_rng(0).integers(0, 256, (64, 3, 8, 8), np.uint8)
    return ArrayDataset(images, np.arange(64) % 4, tuple("abcd"))


def test_twenty_killed_workers_cost_no_batch():
    done = run_python(HERE / "kill_workers.py", 20)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("20 kills") and done.stderr == ""


def test_workers_that_keep_dying_are_an_error_with_pid_and_signal(dataset):
    with DataLoader(dataset, 4, workers=1, prefetch=2) as loader:
        with pytest.raises(
            RuntimeError, match=r"3 workers died.*pid \d+, signal SIGKILL.*possibly out of memory"
        ):
            for _ in range(50):
                for _ in loader:  # a ready batch may come after its worker's end, before that is noticed
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(loader._feed.crew.members[0].process.pid, signal.SIGKILL)
        assert loader._feed.crew is None, "an error must leave no worker behind"
        left = 16 - loader.state_dict()["batch"]
        assert len(list(loader)) == left, "the loader goes on where it was"


def test_a_worker_that_hangs_is_named(dataset):
    with DataLoader(dataset, 4, workers=1, timeout=0.3) as loader:
        loader._feed.start()
        os.kill(loader._feed.crew.members[0].process.pid, signal.SIGSTOP)
        with pytest.raises(
            TimeoutError,
            match=r"cynet-loader-0 \(pid \d+\) did not finish batch 0 of epoch 0 \(4 samples, the first",
        ):
            list(loader)
        assert loader._feed.crew is None


def test_an_exception_in_a_worker_keeps_its_type_and_traceback(dataset):
    with DataLoader(dataset, 4, workers=1) as loader:
        loader._feed.start()
        loader._feed.crew.submit(worker.TASK.pack(999, 4, 0, 0, 7, 5))  # a slot outside the ring
        with pytest.raises(
            ValueError,
            match=r"(?s)in cynet-loader-0 \(pid \d+\), at batch 7 of epoch 0.*index 5.*Traceback.*worker.py",
        ):
            loader._feed.crew.collect()


@linux
@pytest.mark.parametrize("context", ["forkserver", "spawn"])
@pytest.mark.parametrize("number, code, send", [
    (signal.SIGKILL, -9, os.kill),
    (signal.SIGTERM, -15, os.kill),
    (signal.SIGINT, 130, os.kill),
    (signal.SIGINT, 130, os.killpg),  # Ctrl-C at a terminal: the workers get it too
])  # fmt: skip
def test_workers_end_with_their_owner(number, code, send, context):
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(HERE / "loader_process.py"), context],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment_of(), process_group=0,
    )  # fmt: skip
    workers = [int(word) for word in process.stdout.readline().split()]
    assert len(workers) == 2 and not any(gone(pid) for pid in workers)
    send(process.pid, number)
    out, err = process.communicate(timeout=20)
    wait_until(lambda: all(gone(pid) for pid in workers), 2)
    assert process.returncode == code and err == ""
    assert out == ("stopped\n" if code == 130 else "")


@linux
def test_a_killed_worker_is_noticed_within_two_seconds(dataset):
    with DataLoader(dataset, 4, workers=1) as loader:
        next(iter(loader))
        loader._feed.drain()
        before = loader._feed.crew.members[0].process.pid
        os.kill(before, signal.SIGKILL)
        start = time.monotonic()
        while not loader._feed.crew.losses:
            loader._feed.crew.collect()
        assert time.monotonic() - start < 2 and loader._feed.crew.members[0].process.pid != before
        assert len(loader._feed.crew.losses) == 1


@linux
def test_nothing_is_left_behind(dataset):
    before = None
    for _ in range(3):
        loader = DataLoader(dataset, 4, workers=2)
        next(iter(loader))
        pids = [m.process.pid for m in loader._feed.crew.members]
        del loader  # without close
        wait_until(lambda pids=pids: all(gone(pid) for pid in pids), 5)
        before = before or len(os.listdir("/proc/self/fd"))
    assert len(os.listdir("/proc/self/fd")) <= before


def test_too_little_shared_memory_says_how_much(monkeypatch, dataset):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shared.os, "posix_fallocate", full)
    with (
        DataLoader(dataset, 4, workers=1) as loader,
        pytest.raises(MemoryError, match=r"pictures: wanted 12288 bytes.* are free .*workers=0 needs none"),
    ):
        list(loader)


UNGUARDED = """
import numpy as np
from cynet.data import ArrayDataset, DataLoader
from cynet.data.workers import start

start.CONTEXT = "CONTEXT"

def same(picture, rng):
    return picture

dataset = ArrayDataset(np.zeros((8, 1, 4, 4), np.uint8), np.zeros(8, int), ["a"])
print(len(list(DataLoader(dataset, 4, workers=1, transforms=[TRANSFORM]))))
"""


@pytest.fixture(params=["forkserver", "spawn"])
def unguarded(request, tmp_path):
    """Runs the script above with a transform."""

    def run(transform):
        script = tmp_path / "unguarded.py"
        script.write_text(UNGUARDED.replace('CONTEXT"', f'{request.param}"').replace("TRANSFORM", transform))
        return run_python(script)

    return run


def test_a_script_without_a_main_guard_is_shown_one_where_workers_need_the_script(unguarded):
    done = unguarded("same")
    assert done.returncode != 0 and done.stdout == ""
    message = done.stderr.splitlines()[-1]
    assert message.startswith("RuntimeError: transforms[0]: <function same at ") and "unguarded.py" in message
    assert message.endswith('use workers=0, or start the work under: if __name__ == "__main__": main()')
    assert "in main\n" not in done.stderr, "no worker was started"


def test_a_script_that_workers_do_not_need_is_not_imported_by_them(unguarded):
    done = unguarded("")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


def test_workers_import_the_cynet_of_their_owner(tmp_path):
    """Not the one in the current folder, as in a checkout whose kernels are not built."""
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    other = tmp_path / "here" / "cynet"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise RuntimeError('the wrong cynet')")
    script = tmp_path / "elsewhere" / "script.py"
    script.parent.mkdir()
    script.write_text(
        "import numpy as np\n"
        "from cynet.data import ArrayDataset, DataLoader\n"
        "dataset = ArrayDataset(np.zeros((8, 3, 4, 4), np.uint8), np.zeros(8, int), ('a',))\n"
        "if __name__ == '__main__':\n"
        "    import os\n"
        "    before = dict(os.environ)\n"
        "    with DataLoader(dataset, 4, workers=1) as loader:\n"
        "        print(len(list(loader)), dict(os.environ) == before)\n"
    )
    pictures = script.with_name("pictures.py")
    pictures.write_text(
        "from cynet.data.images import decoding\n"
        "if __name__ == '__main__':\n"
        f"    print(len(list(decoding.decoded([{str(tmp_path / 'a.png')!r}], None, 1))), True)\n"
    )
    for program, out in ((script, "2 True\n"), (pictures, "1 True\n")):
        done = subprocess.run(
            [sys.executable, "-W", "error", program], cwd=other.parent, env=environment_of(),
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert (done.stdout, done.stderr) == (out, "")
