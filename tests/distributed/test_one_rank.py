"""What a rank says, counts and sets up by itself: in a job of one, and of ranks that are told of by hand."""

import inspect
from collections import Counter
from types import SimpleNamespace

import mpi_jobs
import numpy as np
import pytest
from helpers import run_python

pytest.importorskip("mpi4py")

from cynet import distributed
from cynet.core import threads
from cynet.data.workers import auto
from cynet.distributed import mpi, start
from cynet.train.shards.world import ENDED, FAILURE, RankFailedError

pytestmark = pytest.mark.mpi


def test_what_is_promised_where_nobody_says_more():
    given = {one.name: one.default for one in inspect.signature(distributed.init).parameters.values()}
    assert given == {"shards": 8, "timeout": 120.0, "sync_batch_norm": False, "allow_mixed": False}
    assert (mpi.PATIENCE, mpi.GRACE, mpi.LAST, mpi.MOST_TEXT) == (30, 30.0, 4, 1024)


ALONE = """
import os, sys
os.environ.pop('OMP_NUM_THREADS', None)
from cynet import distributed
from cynet.core import threads
from cynet.core.processors import processors
from cynet.data.workers import auto
from cynet.train.trainer import Trainer

assert distributed.current() is None and Trainer.sharding is None
for bad in (0, -1, float("nan")):
    try:
        distributed.init(timeout=bad)
    except ValueError as error:
        assert str(error).startswith("timeout: wanted"), error
    else:
        raise AssertionError(bad)
assert distributed.current() is None, "nothing was begun"
world = distributed.init()
assert (world.rank, world.size, world.local, world.timeout) == (0, 1, 1, 120.0)
assert distributed.current() is world and Trainer.sharding.shards == 8 and not world.allow_mixed
assert Trainer.sharding.world is world and Trainer.sharding.pool is None
assert threads.get_num_threads() == processors() and auto.part(5) == 5
assert distributed.init(4, 7, True, True) is world
assert (world.timeout, world.allow_mixed) == (7, True)
assert Trainer.sharding.shards == 4 and Trainer.sharding.pool is not None
try:
    distributed.init(allow_mixed=2)
except TypeError as error:
    assert str(error).startswith("allow_mixed: wanted"), error
else:
    raise AssertionError
assert world.gathered(b"x", "words") == [b"x"] and world.from_first(b"y", "words") == b"y"
assert (world.sent_bytes, world.sent_messages) == (0, 0)
world.leave(3)  # nobody else is to be ended
print("good")
raise KeyError("the error of a script")
"""


@pytest.mark.skipif(not mpi_jobs.LAUNCHER.exists(), reason="no mpiexec beside this Python")
def test_a_job_of_one():
    done = run_python("-c", ALONE)
    assert done.stdout == "good\n" and done.returncode == 1, done.stderr
    assert done.stderr.count("KeyError: 'the error of a script'") == 1


BROKEN = """
import types
class Broken(types.ModuleType):
    def __getattr__(self, name):
        raise RuntimeError("no libmpi.so")
sys.modules["mpi4py"] = Broken("mpi4py")
"""


@pytest.mark.parametrize(("how", "why"), [
    ("sys.modules['mpi4py'] = None", "import of mpi4py halted"), (BROKEN, "no libmpi.so"),
], ids=["not there", "broken"])  # fmt: skip
def test_without_mpi4py_or_an_mpi_the_extra_is_named(how, why):
    done = run_python("-c", f"import sys\n{how}\nimport cynet.distributed as d\nd.init()")
    said = done.stderr.splitlines()[-1]
    wanted = (
        'ImportError: training over MPI needs mpi4py and an MPI: pip install "cynet[distributed]", and an '
    )
    assert done.returncode == 1 and said.startswith(f"{wanted}MPI, such as pip install mpich ({why}"), said


@pytest.mark.parametrize(("processors", "ranks", "variable", "count"), [
    (8, 2, "", [4]), (8, 3, "", [2]), (2, 4, "", [1]), (8, 1, "", [8]), (8, 2, "3", []),
])  # fmt: skip
def test_ranks_of_a_machine_have_their_share_of_its_processors(
    processors, ranks, variable, count, monkeypatch
):
    monkeypatch.setenv("OF_THREADS", variable)
    found = []
    mpi.set_threads(SimpleNamespace(local=ranks), processors, found.append, "OF_THREADS")
    assert found == count


def test_an_error_that_nobody_catches_is_printed_told_and_ends_all():
    calls = []
    world = SimpleNamespace(
        fail=lambda text: calls.append(("fail", text)), leave=lambda status: calls.append(("leave", status))
    )
    error = ValueError("no such file")
    start._ended(world, lambda *given: calls.append(given), ValueError, error, None)
    told = ("fail", "ValueError: no such file")
    assert calls == [(ValueError, error, None), told, ("leave", 1)]


# -- ranks that are told of by hand --------------------------------------------------------------------------
class Request:
    """A message under way, that comes when it is let."""

    def __init__(self, done=False):
        self.done, self.calls = done, []

    def Test(self):
        return self.done

    def Cancel(self):
        self.calls.append("cancelled")

    def Wait(self):
        self.calls.append("waited")


class Told(mpi.MpiWorld):
    """A rank among some, without MPI: what it sends is kept, what it gets is set."""

    def __init__(self, rank=0, size=3):
        super(mpi.MpiWorld, self).__init__()
        self.rank, self.size, self.timeout, self.ended = rank, size, 0.002, False
        self._mpi = SimpleNamespace(BYTE="BYTE", Exception=RuntimeError)
        self.sent, self.exits, self._left, self._saving = [], [], {}, []
        self._hosts = [f"h{i}" if i else "a\x1b" for i in range(size)]
        self._comm = SimpleNamespace(Isend=self._isend, Irecv=lambda *given: Request())
        self._notices = [np.zeros(mpi.MOST_TEXT, np.uint8) for _ in range(size)]
        self._listening = {other: self._listen(other) for other in range(size) if other != rank}

    def _isend(self, what, rank, tag):
        self.sent.append((bytes(what[0]).rstrip(b"\0"), rank, tag))
        return Request(True)

    def _abort(self, status):
        self.exits.append(status)
        raise SystemExit(status)

    def hear(self, rank, data):
        self._notices[rank][: len(data)] = np.frombuffer(data, np.uint8)
        self._listening[rank].done = True


def test_threads_and_workers_know_who_else_is_on_the_machine(monkeypatch):
    world, before = Told(), threads.get_num_threads()
    world.local = 2
    for name, value in (("_world", None), ("processors", lambda: 8)):
        monkeypatch.setattr(start, name, value)
    monkeypatch.setattr(mpi, "world", lambda timeout: world)
    monkeypatch.setattr(auto, "_shared", [1])
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    try:
        assert start.begin(5) is world and world.timeout == 5 and start.current() is world
        assert threads.get_num_threads() == 4 and auto.part(6) == 3
        threads.set_num_threads(1)
        assert start.begin(6) is world and world.timeout == 6 and threads.get_num_threads() == 1, "once"
    finally:
        threads.set_num_threads(before)


def test_names_of_ranks_cannot_act_on_a_terminal():
    world = Told()
    assert [world.name(i) for i in range(2)] == ["rank 0 on a\\x1b", "rank 1 on h1"]


@pytest.mark.parametrize(("size", "told"), [
    (2, "rank 1 on h1"), (6, ", ".join(f"rank {i} on h{i}" for i in range(1, 6))),
    (9, ", ".join(f"rank {i} on h{i}" for i in range(1, 6)) + " and 3 more"),
])  # fmt: skip
@pytest.mark.parametrize("patient", [True, False])
def test_whom_a_rank_waited_for_is_told_by_name_up_to_five(size, told, patient, capfd):
    world = Told(size=size)
    world.patient = patient
    pending = [(Request(), rank) for rank in [*range(size - 1, 0, -1), 1]]
    with pytest.raises(SystemExit):
        world.wait(pending, "the gradients")
    limit = "0.06" if patient else "0.002"
    assert capfd.readouterr().err == (
        f"cynet: rank 0 on a\\x1b waited {limit} s for the gradients from {told}, which hangs or is cut off: "
        "all ranks are ended\n"
    )
    assert world.exits == [1]


@pytest.mark.parametrize(("number", "heard"), [(0, True), (4, False), (5, True), (6, True)])
@pytest.mark.parametrize("rank", [0, 2])
def test_failures_of_runs_that_all_have_left_are_nobodys(number, heard, rank):
    world = Told(rank)
    world.number = 5
    world.hear(1, f"{number}\nthe disk is full\xff".encode("latin-1"))
    before = world._listening[1]
    if heard:
        with pytest.raises(RankFailedError) as caught:
            world._look([])
        assert str(caught.value) == "rank 1 on h1: the disk is full\ufffd" and caught.value.rank == 1
        assert [to for _, to, _ in world.sent] == (
            [] if rank else [1, 2]
        )  # the first is to save, and says so
    else:
        world._look([])
        assert world.sent == []
    assert world._listening[1] is not before and not world._notices[1].any(), "it goes on listening"


def test_a_rank_that_left_is_missed_only_where_something_of_it_is_waited_for(monkeypatch):
    world = Told()
    world.hear(1, b"0\n")
    world._look([])
    assert [*world._left] == [1]
    here = [(Request(), 1), (Request(), 2)]
    world._look(here)  # what it has sent may still come
    monkeypatch.setattr(mpi, "LEFT", -1)
    world._look([(Request(), 2)])
    world._look([(Request(True), 1)])
    with pytest.raises(
        RankFailedError, match=r"^rank 1 on h1: its program came to its end before the others$"
    ):
        world._look(here)


def test_a_failure_is_told_once_to_every_other_rank_and_cut():
    world = Told(1, 4)
    world.fail("x" * 2000, 7)
    world.fail("again", 7)
    assert Counter(rank for _, rank, _ in world.sent) == {0: 1, 2: 1, 3: 1}
    assert {data for data, _, _ in world.sent} == {b"7\n" + b"x" * 1022} and world.failed
    assert {tag for *_, tag in world.sent} == {FAILURE}
    assert (world.sent_messages, world.sent_bytes) == (3, 3 * 1024)
    other = Told(0, 2)
    other.fail("")
    assert other.sent == [(b"0\nit failed", 1, FAILURE)]


@pytest.mark.parametrize(("ended", "failed", "told"), [(False, False, 2), (True, False, 0), (False, True, 0)])
def test_a_program_that_ends_tells_so_where_the_others_do_not_know(ended, failed, told):
    world = Told(2)
    world.ended, world.failed = ended, failed
    requests = [*world._listening.values()]
    world._at_exit()
    assert world.sent == [(b"0\n", rank, FAILURE) for rank in (0, 1)][:told]
    assert [one.calls for one in requests] == [["cancelled", "waited"]] * 2 and world._listening == {}


def test_the_first_rank_lets_the_others_go_at_the_end():
    world = Told(0)
    requests = [*world._listening.values()]
    world.end()
    assert [(rank, tag) for _, rank, tag in world.sent] == [(1, ENDED), (2, ENDED)] and world.ended
    assert all(one.calls for one in requests) and world._listening == {}


def test_bytes_that_are_sent_are_counted():
    world = Told()
    world.send(np.zeros(3), 1, FAILURE)
    world.send(np.zeros(5, np.uint8), 2, FAILURE)
    assert (world.sent_bytes, world.sent_messages) == (29, 2)
