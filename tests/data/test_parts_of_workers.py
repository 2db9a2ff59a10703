"""The parts that workers are made of, each by itself: errors that travel, memory that is shared, tasks."""

import errno
import io
import os
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from cynet import data
from cynet.data.workers import auto, crew, feed, pixels, shared, start, worker
from cynet.data.workers.shared import Mapped, SharedMemory

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 1, 4, 4), np.uint8)


def dataset_of(images=IMAGES):
    return data.ArrayDataset(images, np.arange(len(images)) % 4)


def descriptors():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


# -- errors that travel --------------------------------------------------------------------------------------
class Coded(ValueError):
    """With more to say than its text."""


class Twofold(Exception):
    """Made of two things."""

    def __init__(self, one, two):
        super().__init__(one, two)


def coded(text):
    error = Coded(text)
    error.code = 7
    return error


@pytest.mark.parametrize(("error", "text", "notes"), [
    (ValueError("wrong"), "wrong\nwhere", []), (KeyError("key"), "'key'", ["where"]),
    (OSError(errno.EIO, "no"), "[Errno 5] no", ["where"]), (coded("odd"), "odd", ["where"]),
    (Twofold("a", "b"), "('a', 'b')", ["where"]), (RuntimeError(), "", ["where"]),
], ids=repr)  # fmt: skip
def test_an_error_of_a_worker_keeps_what_it_is_and_gains_its_place(error, text, notes):
    place, again, name, told, trace = worker.unpacked(worker.packed(error, 3))
    assert place == 3 and type(again) is type(error) and told == str(error) and trace
    builtin = type(error).__module__ == "builtins"
    assert name == ("" if builtin else f"{__name__}.") + type(error).__name__
    raised = crew._raised_here(again, name, told, "where")
    assert type(raised) is type(error) and str(raised) == text
    assert getattr(raised, "__notes__", []) == notes and getattr(raised, "code", 7) == 7


def test_an_error_that_does_not_travel_is_told_by_its_name():
    class Local(Exception):
        pass

    place, again, name, told, _ = worker.unpacked(worker.packed(Local("text"), -1))
    raised = crew._raised_here(again, name, told, "where")
    assert (place, again, type(raised)) == (-1, None, RuntimeError)
    assert str(raised) == f"{__name__}.{Local.__qualname__}: text\nwhere"


# -- tasks ---------------------------------------------------------------------------------------------------
class Fake:
    """A worker that notes what it is sent."""

    def __init__(self, number, count):
        self.number, self.tasks, self.sent = number, [b"x"] * count, []
        self.pipe = SimpleNamespace(send_bytes=self.sent.append)

    def add(self, task):
        self.tasks.append(task)


def test_the_worker_with_the_fewest_tasks_gets_the_next_up_to_the_window(monkeypatch):
    made = crew.Crew.__new__(crew.Crew)
    made.pending, made.members = crew.deque(), [Fake(0, 3), Fake(1, 1), Fake(2, 2)]
    for task in (b"a", b"b", b"c"):
        made.submit(task)
    assert [member.sent for member in made.members] == [[], [b"a", b"b"], [b"c"]]
    monkeypatch.setattr(crew, "WINDOW", 4)
    for task in (b"d", b"e", b"f", b"g", b"h"):
        made.submit(task)
    assert [len(member.tasks) for member in made.members] == [4, 4, 4]
    assert list(made.pending) == [b"g", b"h"]


@pytest.mark.parametrize("prefetch", [2, 5])
def test_as_many_batches_as_there_are_slots_are_under_way(monkeypatch, prefetch):
    sent, real = [], feed.Feed._submit

    def submit(self, batch, *rest):
        sent.append(batch)
        real(self, batch, *rest)

    monkeypatch.setattr(feed.Feed, "_submit", submit)
    with data.DataLoader(dataset_of(), 3, workers=1, prefetch=prefetch) as loader:
        batches = iter(loader)
        next(batches)
        assert sent == list(range(prefetch))
        next(batches)
        assert sent == list(range(prefetch + 1))
        assert len(list(batches)) == 6 and sent == list(range(8))


# -- memory --------------------------------------------------------------------------------------------------
def test_pictures_that_may_not_be_written_may_not_when_they_are_shared():
    for writable in (True, False):
        images = IMAGES.copy()
        images.flags.writeable = writable
        one = dataset_of(images)
        held = one.images.flags.writeable
        pixels.share(one)
        assert one.images.flags.writeable is held
        np.testing.assert_array_equal(one.images, IMAGES)


@pytest.mark.parametrize("part", [slice(None), slice(5, 20), slice(23, None)])
def test_a_part_of_what_is_shared_is_found_at_its_place(part):
    one = dataset_of()
    pixels.share(one)
    two = dataset_of(one.images[part])
    found = pixels.share(two)
    assert found.offset == (part.start or 0) * 16
    np.testing.assert_array_equal(found.array(), IMAGES[part])
    with data.DataLoader(two, 24, shuffle=False, workers=1) as loader:
        ((x, _),) = ((x.copy(), y) for x, y in loader)
    np.testing.assert_allclose(x[..., 0], IMAGES[part, 0] / 255, atol=1e-6)


@pytest.mark.parametrize("change", ["first byte", "last byte", "shorter", "gone", "no folder", "none"])
def test_a_file_that_holds_other_bytes_now_is_not_mapped_again(tmp_path, change):
    images = np.resize(IMAGES, (9000, 1, 4, 4))  # more than what is compared at both ends
    path = tmp_path / "folder" / "x.npy"
    path.parent.mkdir()
    np.save(path, images)
    one = dataset_of(np.load(path, mmap_mode="r"))
    whole = path.read_bytes()
    path.unlink()
    if change == "no folder":
        path.parent.rmdir()
        path.parent.touch()
    elif change != "gone":
        other = bytearray(whole)
        other[{"first byte": 128, "last byte": -1}.get(change, 0)] ^= change in ("first byte", "last byte")
        path.write_bytes(other[:-100] if change == "shorter" else other)
    before = descriptors()
    found = pixels.share(one)
    assert isinstance(found.memory, SharedMemory) == (change != "none")
    # Of the new memory two, where that of the file is gone.
    assert not before or descriptors() == before + (2 if change == "none" else 1)
    np.testing.assert_array_equal(found.array(), images)


def test_what_is_mapped_to_be_read_cannot_be_written(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(8)))
    for writable in (False, True):
        memory = Mapped(os.open(tmp_path / "a", os.O_RDWR), 8, writable)
        found = memory.array((2,), ">u2", 2)
        assert found.flags.writeable is writable and found.tolist() == [0x0203, 0x0405]
        memory.close()


def test_memory_of_no_bytes_can_be_had():
    memory = SharedMemory(0, "nothing")
    assert memory.size == 1 and memory.array((0, 3), "f4").shape == (0, 3)
    memory.close()


def test_memory_that_cannot_be_reserved_is_told_and_its_descriptor_given_back(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = descriptors()
    with pytest.raises(MemoryError, match=r"ring: wanted 4096 bytes .*\(No space left on device\)"):
        SharedMemory(4096, "ring")
    assert descriptors() == before


@pytest.mark.parametrize(("limit", "used", "free"), [
    ("max", 0, 7000 * 1024), (10**7, 10**6, 7000 * 1024), (8 * 10**6, 10**6, 7 * 10**6 + 4096),
    (1000, 10**6, 0),
])  # fmt: skip
def test_the_memory_that_is_free_is_the_machines_or_the_containers(tmp_path, monkeypatch, limit, used, free):
    """In kibibytes what is available, not what is unused; files that may be dropped do not count as used."""
    facts = "MemTotal: 9000 kB\nMemFree: 1000 kB\nMemAvailable: 7000 kB\n"
    monkeypatch.setattr(shared, "open", lambda path: io.StringIO(facts), raising=False)
    monkeypatch.setattr(shared, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 4096\nactive_file 9\n")
    assert shared.free_bytes() == free


# -- how many, and how they start ----------------------------------------------------------------------------
def test_the_first_batch_is_not_timed_and_a_rate_is_of_pictures(monkeypatch):
    now, made = [0.0], []

    def batches():
        while True:
            now[0] += 0.125 if made else 100.0
            made.append(now[0])
            yield None

    monkeypatch.setattr(auto, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    assert auto._batches_a_second(batches()) == 8 and len(made) == 1 + auto.BATCHES[0]
    made.clear()
    monkeypatch.setattr(auto, "SECONDS", 1e9)
    assert auto._batches_a_second(batches()) == 8 and len(made) == 1 + auto.BATCHES[1]


def test_as_many_workers_as_processors_are_tried(monkeypatch):
    rates, tried = [100, 150, 200], []

    class Feeds:
        def __init__(self, workers):
            tried.append(workers)

        def __enter__(self):
            return rates[tried[-1]]

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(auto, "processors", lambda: 2)
    monkeypatch.setattr(auto, "_batches_a_second", lambda rate: rate)
    assert auto.choose(Feeds, 32) == (
        2, "workers=2 chosen (images/s with so many workers: 0: 3,200, 1: 4,800, 2: 6,400)"
    )  # fmt: skip
    assert tried == [0, 1, 2]


@pytest.mark.parametrize(("threads", "there", "wanted"), [
    (1, 1, (0, "workers 0 chosen: the kernels have 1 thread, the machine 1 processor")),
    (1, 2, (1, "workers 1 chosen: the kernels have 1 thread, the machine 2 processors")),
    (2, 2, (0, "workers 0 chosen: the kernels have 2 threads, the machine 2 processors")),
    (3, 2, (0, "workers 0 chosen: the kernels have 3 threads, the machine 2 processors")),
])  # fmt: skip
def test_a_worker_beside_a_training_wants_a_processor_of_its_own(monkeypatch, threads, there, wanted):
    monkeypatch.setattr(auto, "processors", lambda: there)
    assert auto.beside(threads) == wanted


@pytest.mark.parametrize(("error", "perhaps"), [
    (EOFError(), True), (OSError(errno.EAGAIN, "again"), False),
    (RuntimeError("can't start new thread"), False),
])  # fmt: skip
def test_a_limit_is_told_with_its_number_and_perhaps_where_nobody_says_so(monkeypatch, error, perhaps):
    import resource

    for most, words in ((12345, "12,345"), (resource.RLIM_INFINITY, "unlimited")):
        monkeypatch.setattr(resource, "getrlimit", lambda _, most=most: (most, most))
        with pytest.raises(OSError) as caught, start.limits_named():
            raise error
        assert caught.value.errno == errno.EAGAIN
        assert caught.value.strerror == (
            f"cannot start a worker process: {'perhaps ' * perhaps}no more processes or threads are allowed "
            f"here (ulimit -u: {words}); workers=0 needs none"
        )


def test_a_slot_has_its_indices_its_place_and_its_floats_on_a_cache_line():
    for batch_size in (1, 7, 8, 100):
        size = worker.Store.slot_bytes((3, 5, 4), batch_size)
        assert size % 4096 == 0
        store = worker.Store(None, SharedMemory(2 * size, "ring"), batch_size, 2, (3, 5, 4))
        for number in (0, 1):
            x, indices, at = store.slot(number, batch_size)
            assert x.ctypes.data % 64 == 0 and x.shape == (batch_size, 5, 4, 3)
            at[0], indices[...], x[...] = number + 1, number + 2, number + 3
        for number in (0, 1):
            x, indices, at = store.slot(number, batch_size)
            assert (at[0], *np.unique(indices), *np.unique(x)) == (number + 1, number + 2, number + 3)
        store.ring.close()


def test_a_task_is_told_with_its_numbers():
    task = worker.TASK.pack(1, 5, 9, 3, 7, 41)
    assert worker.describe(task) == "batch 7 of epoch 3 (5 samples, the first with index 41)"


def test_an_error_whose_pickle_cannot_be_read_again_is_told_by_its_name():
    message = pickle.dumps((2, b"no pickle", "builtins.OSError", "text", "trace"))
    assert worker.unpacked(message) == (2, None, "OSError", "text", "trace")
    assert worker.unpacked(worker.packed(Twofold("a", "b"), 0))[1].args == ("a", "b")


def test_processes_on_the_same_processors_have_a_part_each(monkeypatch):
    monkeypatch.setattr(auto, "_shared", [1])
    assert auto.part(8) == 8
    auto.share(3)
    assert auto.part(8) == 2 and auto.part(1) == 1
