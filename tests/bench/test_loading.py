"""What `cynet bench loader` reports. No test asserts a time."""

import numpy as np
import pytest

from cynet.bench import loading


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(loading, "PICTURES", 64)
    monkeypatch.setattr(loading, "WORKERS", (0, 1))
    monkeypatch.setattr(loading, "STEPS", 2)


def test_speed_counts_whole_batches():
    rows = loading.speed(batch_size=24, repeat=2).rows
    assert [row["workers"] for row in rows] == [0, 1]
    for row in rows:
        assert row["images_per_second"] * row["seconds"] == pytest.approx(48)


def test_the_cost_of_workers_is_the_ring_and_what_each_has_for_itself():
    none, one = (loading.measure_cost(workers, 16) for workers in (0, 1))
    assert (none["ring"], none["members"]) == (0, [])
    batch = 16 * 3 * 32 * 32 * 4
    assert 4 * batch <= one["ring"] <= 4 * (batch + 4096)
    assert len(one["members"]) == 1 and one["members"][0] > 0
    assert none["first"] > 0 < one["first"]


def test_training_is_held_against_a_fixed_batch():
    report = loading.training(batch_size=8, repeat=1)
    assert [row["workers"] for row in report.rows] == [0, 1]
    for row in report.rows:
        share = row["images_per_second"] / row["fixed_images_per_second"]
        assert row["share"] == pytest.approx(share)
    assert "share %" in report.text()


@pytest.mark.torch
def test_the_peers_loader_gives_pictures_of_the_same_kind():
    peer = pytest.importorskip("cynet.bench.torch_peer")
    images, labels = loading.pictures(32)
    x, y = next(iter(peer.loader(images, labels, 0, loading.MEAN, loading.STD, 32, 0)))
    assert sorted(y.tolist()) == sorted(labels.tolist())
    values = (images / 255 - np.array(loading.MEAN)[:, None, None]) / np.array(loading.STD)[:, None, None]
    found = {row.tobytes() for row in np.round(x.numpy().reshape(32, -1).astype(np.float64), 3)}
    wanted = {np.round(p.astype(np.float32).astype(np.float64), 3).tobytes() for p in values.reshape(32, -1)}
    mirrored = values[..., ::-1].reshape(32, -1)
    wanted |= {np.round(p.astype(np.float32).astype(np.float64), 3).tobytes() for p in mirrored}
    assert found <= wanted
    rows = loading.speed(batch_size=32, peer="torch", repeat=1).rows
    assert all(row["ratio"] > 0 and row["peer_images_per_second"] > 0 for row in rows)
