"""The number of threads: what the environment asks for, and what is left of it in a process made by fork."""

import os

import pytest
from helpers import SLOWER, run_python

from cynet.core import threads

openmp = pytest.mark.skipif(not threads._config.build_info()["openmp"], reason="one thread without OpenMP")
forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

COUNT = """
import os
os.sched_getaffinity = lambda _: {0, 1, 2}
from cynet.core import processors
processors._quotas = lambda root: []
import cynet, numpy as np
print(cynet.get_num_threads(), cynet.get_num_threads())
cynet.Conv2d(3, 8, 3)(np.zeros((8, 32, 32, 3), np.float32))
"""


@openmp
@pytest.mark.parametrize(("text", "count", "word"), [
    ("", 3, None), ("  ", 3, None), ("1", 1, None), ("2", 2, None), (" 5 ", 5, None), ("2,4", 2, None),
    ("+4", 4, None), ("007", 7, None), ("64", 64, None),
    ("65", 3, "wanted at most 64, got 65"), ("100000", 3, "wanted at most 64, got 100000"),
    ("9" * 5000, 3, "wanted at most 64, got 9999"), (str(2**64), 3, "wanted at most 64, got 184467"),
    ("0", 3, "wanted a number from 1 on, got '0'"), ("-1", 3, "wanted a number from 1 on, got '-1'"),
    ("abc", 3, "wanted a number from 1 on, got 'abc'"), ("2.5", 3, "wanted a number from 1 on, got '2.5'"),
    (",2", 3, "wanted a number from 1 on, got ',2'"), ("٣", 3, "wanted a number from 1 on"),
    ("1e9", 3, "wanted a number from 1 on, got '1e9'"), ("0x10", 3, "wanted a number from 1 on"),
])  # fmt: skip
def test_what_the_environment_asks_for_is_taken_or_passed_over_with_a_word(text, count, word):
    done = run_python("-c", COUNT, OMP_NUM_THREADS=text, PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stdout) == (0, f"{count} {count}\n"), done.stderr
    ours = [line for line in done.stderr.splitlines() if line.startswith("cynet: ")]
    assert len(ours) == (word is not None)
    if word:
        assert ours[0].startswith(f"cynet: OMP_NUM_THREADS: {word}")
        assert ours[0].endswith("; taking 3, one a processor")


@pytest.mark.parametrize(("text", "count", "word"), [
    ("64", 64, None), ("65", 65, None), ("100", 100, None),
    ("101", 100, "wanted at most 100, got 101; taking 100"),
])  # fmt: skip
def test_a_machine_of_many_processors_may_use_them(text, count, word, monkeypatch, capsys):
    monkeypatch.setattr(threads, "processors", lambda: 100)
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert threads._first() == count
    said = capsys.readouterr().err
    assert (f"cynet: OMP_NUM_THREADS: {word}, one a processor\n" if word else "") == said


@openmp
def test_one_thread_does_what_is_little_work_and_all_do_what_is_more():
    threads.set_num_threads(3)
    assert [threads.team(macs) for macs in (0, threads.ALONE - 1, threads.ALONE, 1e12)] == [1, 1, 3, 3]


@openmp
def test_bounds_of_the_number_of_threads():
    for count in (1, 1024):
        threads.set_num_threads(count)
        assert threads.get_num_threads() == count
    for count, said in ((0, "at least 1, got 0"), (1025, "at most 1024, got 1025")):
        with pytest.raises(ValueError, match=f"^threads: wanted {said}$"):
            threads.set_num_threads(count)
    assert threads.get_num_threads() == 1024


# -- forks ---------------------------------------------------------------------------------------------------
START = (
    f"""
import faulthandler
faulthandler.dump_traceback_later({60 * SLOWER}, exit=True)  # where it hangs
"""
    """
import ctypes, hashlib, multiprocessing, os, sys, threading
import numpy as np
import cynet
from cynet import data

cynet.seed(0)
model = cynet.models.create("resnet20")
x = np.random.default_rng(0).standard_normal((64, 32, 32, 3)).astype(np.float32)

def evaluated(_=None):
    return hashlib.sha256(model.eval()(x[:16]).tobytes()).hexdigest()

def trained(_=None):
    twin = cynet.models.create("uwnet2")
    twin.load_state_dict(start)
    optimizer, criterion = cynet.SGD(twin.parameters(), 0.1, 0.9), cynet.CrossEntropyLoss()
    for _ in range(3):
        criterion(twin.train()(x), np.arange(64) % 10)
        twin.zero_grad()
        twin.backward(criterion.backward())
        optimizer.step()
    state = twin.state_dict()
    return hashlib.sha256(b"".join(state[name].tobytes() for name in state)).hexdigest()

def loaded(workers):
    pictures = np.random.default_rng(0).integers(0, 256, (200, 3, 32, 32), np.uint8)
    dataset = data.ArrayDataset(pictures, np.arange(200) % 10, list("abcdefghij"))
    with data.DataLoader(dataset, 64, workers=workers, transforms=[data.RandomFlip()]) as batches:
        return hashlib.sha256(b"".join(x.tobytes() for x, _ in batches)).hexdigest()

def forked(work, *arguments, fork=os.fork):
    "What work(*arguments) gives in a child by fork."
    read, write = os.pipe()
    child = fork()
    if not child:
        try:
            os.write(write, str(work(*arguments)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer

start = cynet.models.create("uwnet2").state_dict()
cynet.set_num_threads(1)
wanted = evaluated(), trained(), loaded(0)
cynet.set_num_threads(2)
assert (evaluated(), trained(), loaded(0)) == wanted
context = multiprocessing.get_context("fork")
"""
)

CASES = {
    "pool": """
with context.Pool(2) as pool:
    assert pool.map(evaluated, range(4)) == [wanted[0]] * 4
    assert pool.map(trained, range(2)) == [wanted[1]] * 2
    assert pool.map(loaded, [0, 0]) == [wanted[2]] * 2
""",
    "os.fork": """
assert forked(evaluated) == wanted[0] and forked(trained) == wanted[1] and forked(loaded, 0) == wanted[2]
assert forked(cynet.get_num_threads) == "1" and cynet.get_num_threads() == 2
""",
    "grandchildren": """
assert forked(forked, evaluated) == wanted[0] and forked(forked, trained) == wanted[1]
assert forked(forked, cynet.get_num_threads) == "1"
def both():
    return [evaluated(), forked(evaluated), evaluated()] == [wanted[0]] * 3
assert forked(both) == "True"
""",
    "a fork that Python is not told of": """
fork = ctypes.PyDLL(None).fork
assert forked(evaluated, fork=fork) == wanted[0] and forked(trained, fork=fork) == wanted[1]
""",
    "loader with workers in the child": """
def twice():
    return [loaded(2), loaded(1)] == [wanted[2]] * 2
assert forked(twice) == "True"
assert loaded(2) == wanted[2]  # the parent's fork server, and another one in the next child
assert forked(twice) == "True" and forked(forked, twice) == "True"
assert loaded(2) == wanted[2]
""",
    "a pass that began before the fork": """
for name, x in (("resnet20", x[:8]), ("uwnet1", x), ("uwnet2", x)):
    own = cynet.models.create(name)
    for mode in (True, False):
        y = own.train(mode)(x)
        def gradient():
            return hashlib.sha256(own.backward(y).tobytes()).hexdigest()
        child = forked(gradient)
        assert child == gradient()
""",
    "one thread after several": """
cynet.set_num_threads(1)
def asking():
    cynet.set_num_threads(4)
    return cynet.get_num_threads(), evaluated() == wanted[0]
assert forked(asking) == "(1, True)"
assert cynet.get_num_threads() == 1
""",
    "more threads asked for": """
def ask():
    for count in (4, 1, 3):
        cynet.set_num_threads(count)
    return cynet.get_num_threads(), evaluated() == wanted[0]
assert forked(ask) == "(1, True)"
cynet.set_num_threads(3)
assert cynet.get_num_threads() == 3 and evaluated() == wanted[0]
""",
    "other threads of the parent at work": """
stop = threading.Event()
def compute():
    own = cynet.models.create("uwnet1").eval()
    while not stop.is_set():
        own(x), evaluated()
others = [threading.Thread(target=compute) for _ in range(3)]
for other in others:
    other.start()
try:
    for _ in range(10):
        assert forked(evaluated) == wanted[0] and forked(trained) == wanted[1]
    assert forked(loaded, 2) == wanted[2]
finally:
    stop.set()
    for other in others:
        other.join()
""",
}


@openmp
@forking
@pytest.mark.parametrize("case", CASES)
def test_a_child_by_fork_gives_the_parents_numbers(tmp_path, case):
    (tmp_path / "forking.py").write_text(START + CASES[case])
    done = run_python(tmp_path / "forking.py")
    assert done.returncode == 0, done.stderr
    said = "cynet: 1 thread instead of 4: this process is a fork of one that used several\n"
    assert done.stderr == (said if case in ("more threads asked for", "one thread after several") else "")


@openmp
@forking
def test_a_child_of_a_process_that_used_one_thread_may_use_several(tmp_path):
    code = START.replace("cynet.set_num_threads(2)", "") + (
        "def several():\n"
        "    cynet.set_num_threads(2)\n"
        "    return cynet.get_num_threads(), evaluated() == wanted[0], forked(cynet.get_num_threads)\n"
        "assert forked(several) == \"(2, True, '1')\", forked(several)\n"
    )
    (tmp_path / "forking.py").write_text(code)
    done = run_python(tmp_path / "forking.py", OMP_NUM_THREADS="1")
    assert (done.returncode, done.stderr) == (0, "")


@openmp
def test_work_for_several_begins_at_a_million_multiply_adds():
    """About 50 microseconds of one thread: ten times what it takes to start the others."""
    threads.set_num_threads(2)
    assert [threads.team(macs) for macs in (2**20 - 1, 2**20)] == [1, 2]
