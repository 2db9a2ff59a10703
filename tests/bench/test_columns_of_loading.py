"""What stands in each column of the loader's tables is what was measured, by stand-ins that count."""

import json

import numpy as np
import pytest

from cynet import data
from cynet.bench import cutting, loading

MIB = 1 << 20


class Loader:
    """Batches that take their time, of which closing is counted."""

    closed = 0

    def __init__(self, take, batches):
        self.take, self.batches = take, batches

    def __iter__(self):
        for _ in range(self.batches):
            self.take()
            yield np.zeros(1), np.zeros(1)

    def close(self):
        Loader.closed += 1


@pytest.fixture
def loaders(monkeypatch, clock):
    monkeypatch.setattr(Loader, "closed", 0)
    monkeypatch.setattr(loading, "PICTURES", 100)
    seconds = {0: 0.08, 1: 0.04, 2: 0.02}
    monkeypatch.setattr(loading, "loader", lambda n, size=128: Loader(clock(seconds[n]), 100 // size))
    return seconds


def test_loading_is_of_whole_batches_beside_the_best_of_the_peers(loaders, clock, peer, shown):
    given, theirs = [], {0: 0.2, 1: 0.01, 2: 0.1}

    def loader(images, labels, *more):
        given.append((len(images), len(labels), *more))
        return Loader(clock(theirs[more[-1]]), 3)

    peer.loader = loader
    told = []
    report = loading.speed(32, "other", 2, lambda *at: told.append(at))
    assert given == [(100, 100, 4, loading.MEAN, loading.STD, 32, n) for n in (0, 1, 2)]
    assert shown(report) == [
        {"workers": str(n), "cynet images/s": f"{32 / loaders[n]:,.0f}", "other images/s": rate,
         "best of other": "1 workers", "cynet / that": ratio, "quartiles": f"{ratio} to {ratio}"}
        for n, rate, ratio in ((0, "160", "0.12"), (1, "3,200", "0.25"), (2, "320", "0.50"))
    ]  # fmt: skip
    assert told == [(i, 2, "loader") for i in (1, 2)] and Loader.closed == 3
    assert "Epochs of 100 pictures" in report.notes[0] and "batches of 32" in report.notes[0]
    assert len(loading.speed(32).rows) == 3


def test_training_from_the_loader_is_held_against_one_fixed_batch(monkeypatch, loaders, clock, shown):
    work = clock(0.02)
    seen = []
    monkeypatch.setattr(loading, "STEPS", 4)
    monkeypatch.setattr(loading.workload, "create", lambda name: seen.append(name))
    monkeypatch.setattr(loading.workload, "training_step_on", lambda model: work)
    told = []
    report = loading.training(10, 2, lambda *at: told.append(at))
    assert shown(report) == [
        {"workers": str(n), "from the loader, images/s": rate, "one fixed batch, images/s": "500",
         "share %": f"{share:.0f}", "quartiles": f"{share:.2f} to {share:.2f}"}
        for n, rate, share in ((0, "100", 20), (1, "167", 100 / 3), (2, "250", 50))
    ]  # fmt: skip
    assert seen == [loading.MODEL] * 4 and Loader.closed == 3
    assert told == [(i, 2, "loader: training") for i in (1, 2)]


def test_the_cost_of_loading_is_of_medians_and_the_largest_worker(monkeypatch, shown):
    calls, told = [], []

    def run(flag, program, arguments):
        assert flag == "-c" and "measure_cost" in program
        workers, size = json.loads(arguments)
        turn = sum(one == workers for one in calls)
        calls.append(workers)
        assert size == 16
        members = [(turn + 1) * MIB, None, 3 * MIB][:workers]
        first, grown = (0.5, 0.1, 0.2)[turn] * (workers + 1), (7, 9, 50)[turn] * MIB
        return json.dumps({"first": first, "grown": grown, "ring": 2 * workers * MIB, "members": members})

    monkeypatch.setattr(loading, "run_python", run)
    report = loading.cost(16, 3, lambda *at: told.append(at))
    assert shown(report) == [
        {"workers": "0", "first batch ms": "200", "owner grows MiB": "9.00", "of it ring MiB": "0.000",
         "a worker's own MiB": ""},
        {"workers": "1", "first batch ms": "400", "owner grows MiB": "9.00", "of it ring MiB": "2.00",
         "a worker's own MiB": "3.00"},
        {"workers": "2", "first batch ms": "600", "owner grows MiB": "9.00", "of it ring MiB": "4.00",
         "a worker's own MiB": "3.00"},
        {"workers": "4", "first batch ms": "1,000", "owner grows MiB": "9.00", "of it ring MiB": "8.00",
         "a worker's own MiB": "3.00"},
    ]  # fmt: skip
    assert told == [(i, 4, "loader: cost") for i in (1, 2, 3, 4)]
    assert f"({12_800 * 3072 / MIB:.1f} MiB)" in report.notes[0]


def test_a_turn_of_training_is_of_forty_batches_of_the_size_that_was_asked_for(monkeypatch, loaders):
    seen, made = [], []

    class Endless(Loader):
        def __iter__(self):
            made.append("epoch")
            for _ in range(15):
                yield np.zeros((self.batches, 1)), None

    monkeypatch.setattr(loading, "loader", lambda n, size: Endless(None, size))
    monkeypatch.setattr(loading.workload, "create", lambda name: name)
    monkeypatch.setattr(loading.workload, "training_step_on", lambda model: lambda x, y: seen.append(len(x)))

    def take_turns(contestants, *_, **__):
        for one in contestants:
            one.step()
        return {one.name: np.ones(1) for one in contestants}

    monkeypatch.setattr(loading, "take_turns", take_turns)
    report = loading.training(10)
    assert seen == [10] * 4 * 40 and made == ["epoch"] * 3 * 3  # forty are two epochs and a part of a third
    assert [row["images_per_second"] for row in report.rows] == [400] * 3


def test_both_loaders_normalise_by_the_numbers_of_cifar(monkeypatch):
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    monkeypatch.setattr(loading, "PICTURES", 4)
    monkeypatch.setattr(cutting, "COUNT", 64)
    monkeypatch.setattr(cutting, "KEPT", 8)
    made = []
    for module in (loading, cutting):
        monkeypatch.setattr(module, "DataLoader", lambda dataset, size, **how: made.append((dataset, how)))
    loading.loader(1, 2), cutting.loader(1)
    wanted = [
        [data.RandomCrop(4), data.RandomFlip(), data.Normalize(mean, std)],
        [data.RandomResizedCrop(224), data.RandomHorizontalFlip(), data.Normalize(mean, std)],
    ]
    assert [list(map(repr, how["transforms"])) for _, how in made] == [
        list(map(repr, each)) for each in wanted
    ]
    for (dataset, _), size, count in zip(made, (32, 8), (4, 64), strict=True):
        assert dataset.images.shape == (count, 3, size, size) and dataset.images.dtype == np.uint8
        assert dataset.images.min() < 10 and dataset.images.max() > 245
        assert [int(label) for label in dataset.labels[:12]] == [n % 10 for n in range(min(12, count))]
