"""The processes that decode pictures: started without the owner's script, and not where there may be none."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import pytest
from helpers import run_python
from test_portable import piped

from cynet.data import ImageFolder
from cynet.data.images import decoding
from cynet.data.workers import portable

image = pytest.importorskip("PIL.Image")

FOLDER = """
import sys
from cynet.data import ImageFolder
from cynet.data.images import decoding
decoding.FEW, decoding.CHUNK, decoding.processors = 4, 2, lambda: 2
decoding.CONTEXT = {context!r}
print(len(ImageFolder("pictures", 4).images), "concurrent.futures.process" in sys.modules)
"""


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A folder with 8 pictures in two classes."""
    monkeypatch.chdir(tmp_path)
    for name in ("cat", "dog"):
        os.makedirs(f"pictures/{name}")
        for i in range(4):
            image.new("RGB", (6, 6), (40 * i, 0, 9)).save(f"pictures/{name}/{i}.png")
    return [f"pictures/cat/{i}.png" for i in range(4)]


@pytest.mark.parametrize("context", ["forkserver", "spawn"])
@pytest.mark.parametrize("how", ["stdin", "-c", "-i", "unguarded script"])
def test_a_folder_is_read_without_a_main_guard_with_a_cold_and_a_warm_cache(pictures, how, context):
    code = FOLDER.format(context=context)
    for said in ("8 True\n", "8 False\n"):
        if how in ("stdin", "-i"):
            _, out, err = piped(code, *(["-i"] if how == "-i" else []))
        else:
            Path("script.py").write_text(code)
            done = run_python(*(["-c", code] if how == "-c" else ["script.py"]))
            out, err = done.stdout, done.stderr
        assert out == said and "Error" not in err, err


def test_a_worker_that_is_killed_may_have_wanted_too_much_memory(pictures, monkeypatch):
    monkeypatch.setattr(decoding, "CHUNK", 1)
    before = set(multiprocessing.active_children())
    found = decoding.decoded(pictures * 20, None, 1)
    next(found)
    (worker,) = set(multiprocessing.active_children()) - before
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match=r"a process that decodes pictures died, possibly out of memory"):
        list(found)


def test_a_daemonic_process_decodes_by_itself(pictures, monkeypatch):
    monkeypatch.setattr(decoding, "FEW", 1)
    monkeypatch.setattr(portable, "daemonic", lambda: True)
    monkeypatch.setattr(decoding, "_by_workers", None)
    assert len(ImageFolder("pictures", 4)) == 8
    with pytest.raises(ValueError, match=r"workers: wanted 0 in a daemonic process, .* got 3"):
        list(decoding.decoded(pictures, None, 3))
    assert sum(map(len, decoding.decoded(pictures, None, 0))) == 4


DAEMONIC = """
import multiprocessing
from cynet.data import ImageFolder
from cynet.data.images import decoding

def read(place):
    decoding.FEW = 1
    return len(ImageFolder("pictures", 4, cache=False).images)

if __name__ == "__main__":
    for method in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.map(read, [0]) == [8]
"""


def test_a_pool_of_processes_reads_folders(pictures):
    Path("script.py").write_text(DAEMONIC)
    done = run_python("script.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_worker_that_imports_its_owners_script_reads_none(pictures, monkeypatch):
    monkeypatch.setattr(portable.process.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(
        RuntimeError, match=r"a worker process imports your script again; .* under: if __name__"
    ):
        list(decoding.decoded(pictures, None, 1))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_by_fork_starts_workers_of_its_own(pictures):
    assert sum(map(len, decoding.decoded(pictures, None, 1))) == 4
    child = os.fork()
    if not child:
        status = 1
        try:
            status = int(sum(map(len, decoding.decoded(pictures, None, 1))) != 4)
        finally:
            sys.stderr.flush()
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sum(map(len, decoding.decoded(pictures, None, 1))) == 4


@pytest.mark.parametrize(("count", "processors", "workers"), [
    (511, 4, 0), (512, 4, 4), (513, 1, 1), (10_000, 8, 8), (10_000, 64, 8),
])  # fmt: skip
def test_how_many_workers_decode(monkeypatch, count, processors, workers):
    found = []

    def by_workers(chunks, fit, workers, read):
        found.append((workers, [len(chunk) for chunk in chunks]))
        return []

    monkeypatch.setattr(decoding, "processors", lambda: processors)
    monkeypatch.setattr(decoding, "_by_workers", by_workers)
    sizes = [len(part) for part in decoding.decoded(["x"] * count, read=lambda path, fit: path)]
    if workers:
        assert found == [(workers, [64] * (count // 64) + [count % 64] * bool(count % 64))]
    else:
        assert found == [] and sizes == [64] * 7 + [63]


def test_only_a_few_answers_wait(monkeypatch, pictures):
    import concurrent.futures

    waiting, most = [0], []

    class Pool:
        def __init__(self, workers, context, initializer):
            most.append(workers)

        def submit(self, function, *given):
            waiting[0] += 1
            most.append(waiting[0])
            future = concurrent.futures.Future()
            future.set_result(function(*given))
            taken = future.result
            future.result = lambda: waiting.__setitem__(0, waiting[0] - 1) or taken()
            return future

        def shutdown(self, cancel_futures):
            most.append("shut")

    monkeypatch.setattr(concurrent.futures, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(decoding, "CHUNK", 1)
    found = list(decoding.decoded(list("abcdefghij"), None, 2, lambda path, fit: path))
    assert found == [[letter] for letter in "abcdefghij"]
    assert most == [2, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, "shut"]
    most.clear()
    list(decoding.decoded(["a"], None, 5, lambda path, fit: path))
    assert most[0] == 1  # no more workers than tasks


BEGUN = """
import ctypes, signal
from cynet.data.images import decoding
decoding._begin()
found = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(found))
print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN, found.value == signal.SIGKILL)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends what has lost its parent")
def test_a_worker_leaves_ctrl_c_to_its_owner_and_dies_with_it():
    assert run_python("-c", BEGUN).stdout == "True True\n"


def test_the_number_of_workers_is_checked(pictures):
    for wrong in (-1, 1025):
        with pytest.raises(ValueError, match=f"workers: wanted .*, got {wrong}"):
            list(decoding.decoded(pictures, None, wrong))
