"""Workers' clocks, what an epoch that was left leaves under way, and whose the workers are."""

import functools
import logging
import os
import time

import numpy as np
import pytest

from cynet.data import ArrayDataset, DataLoader
from cynet.data.workers import crew

COUNT = 48


@pytest.fixture
def dataset():
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 1, 4, 4), np.uint8)
    return ArrayDataset(images, np.arange(COUNT) % 4, tuple("abcd"))


def hold(folder, picture, rng):
    """A transform that says it is at work, and goes on when it may."""
    (folder / "at work").touch()
    while not (folder / "go").exists():
        os.sched_yield()
    return picture


@pytest.fixture
def clock(monkeypatch):
    """A function that lets seconds pass, as the loader's process sees them."""
    real, passed = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + passed[0])

    def let_pass(seconds):
        passed[0] += seconds

    return let_pass


def batches(loader):
    return [x.copy() for x, _ in loader]


@pytest.mark.parametrize("away", ["between batches", "between epochs"])
def test_a_long_absence_is_no_time_out(dataset, clock, tmp_path, monkeypatch, away):
    asked, real = [], crew.connection.wait

    def wait(things, seconds):
        asked.append(seconds)
        (tmp_path / "go").touch()
        return real(things, 60)

    held = functools.partial(hold, tmp_path)
    (tmp_path / "go").touch()
    with DataLoader(dataset, 4, workers=1, prefetch=3, transforms=[held], timeout=50, copy=True) as loader:
        loader._feed.start()
        start = loader._feed.crew.submit

        def submit(task):  # the worker stays at its second task until somebody waits
            start(task)
            if len(loader._feed.crew.members[0].tasks) > 1:
                (tmp_path / "go").unlink(missing_ok=True)

        monkeypatch.setattr(loader._feed.crew, "submit", submit)
        walk, found = iter(loader), []
        monkeypatch.setattr(crew.connection, "wait", wait)
        found.append(next(walk)[0])
        clock(1000)
        if away == "between epochs":
            walk.close()
            loader.epoch, loader._batch = 0, 0
            walk, found = iter(loader), []
        found += [x for x, _ in walk]
        assert min(asked) > 40
    for x, (wanted, _) in zip(found, DataLoader(dataset, 4, workers=0), strict=True):
        np.testing.assert_array_equal(x, wanted)


def test_a_clock_runs_for_the_first_task_and_starts_anew_with_the_next(clock):
    member = crew.Member.__new__(crew.Member)
    member.tasks, member.since = [], -1.0
    member.add(b"one")
    first = member.since
    assert first > 0
    clock(10)
    member.add(b"two")
    assert member.since == first, "it is at the first one still"
    member.remove(b"one")
    assert member.since >= first + 10 and member.tasks == [b"two"]
    clock(10)
    group = crew.Crew.__new__(crew.Crew)
    group.members = [member, member]
    group.rest()
    assert member.since >= first + 20


@pytest.mark.parametrize("taken", [1, 2, 3, 5])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_epoch_that_was_left_puts_nothing_into_the_next(dataset, tmp_path, taken, workers):
    """Its batches are still being made when the other epoch begins."""
    held = functools.partial(hold, tmp_path)
    (tmp_path / "go").touch()
    options = {"batch_size": 4, "prefetch": 3, "copy": True}
    with DataLoader(dataset, workers=workers, transforms=[held], **options) as loader:
        walk = iter(loader)
        for _ in range(taken):
            next(walk)
        (tmp_path / "go").unlink()
        walk.close()
        (tmp_path / "go").touch()
        for epoch in (3, 1):
            loader.epoch, loader._batch = epoch, 0
            wanted = DataLoader(dataset, workers=0, **options)
            wanted.epoch = epoch
            for x, other in zip(batches(loader), batches(wanted), strict=True):
                np.testing.assert_array_equal(x, other)
            assert loader.epoch == epoch + 1


class Dead:
    """A worker that was killed."""

    number, tasks, name, pid, exitcode = 0, (), "worker", 1, -9

    def __init__(self, *_):
        self.process = self.pipe = self

    def join(self):
        pass

    forget = join


@pytest.mark.parametrize(("deaths", "error"), [
    ((0, 10), False), ((0, 10, 20), True), ((0, 300, 599), True), ((0, 300, 601), False),
    ((0, 599, 1198, 1797), False), ((0, 599, 1190, 1195), True),
])  # fmt: skip
def test_three_deaths_within_ten_minutes_are_an_error(deaths, error, clock, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    group, passed = crew.Crew.__new__(crew.Crew), 0
    monkeypatch.setattr(crew, "Member", Dead)
    monkeypatch.setattr(group, "_last", lambda member: [], raising=False)
    group.store = group  # whose pixels' memory is whole
    group.pixels = group.memory = group
    group.require_whole, group.losses, group.arguments = lambda: None, [], ()
    group.members = [Dead()]
    for number, then in enumerate(deaths):
        clock(then - passed)
        passed = then
        if error and number == len(deaths) - 1:
            with pytest.raises(crew.WorkerLostError, match="3 workers died within 10 minutes, "):
                group._replace(group.members[0])
        else:
            before = group.members[0]
            assert group._replace(before) == [] and group.members[0] is not before
            said = caplog.records[-1]  # no warning: it is made good
            assert (said.levelname, said.getMessage()) == (
                "INFO", "worker (pid 1, signal SIGKILL) died at nothing; another one takes its place"
            )  # fmt: skip
