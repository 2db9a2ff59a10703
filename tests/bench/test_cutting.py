"""The measurement of pictures that are cut while they are loaded."""

import pytest

from cynet.bench import cutting


@pytest.fixture(autouse=True)
def few(monkeypatch):
    for name, value in {"KEPT": 20, "SIZE": 12, "COUNT": 40, "BATCH": 20}.items():
        monkeypatch.setattr(cutting, name, value)


def test_a_row_for_each_number_of_workers():
    report = cutting.speed(repeat=2)
    assert [row["workers"] for row in report.rows] == [0, 1, 2]
    assert all(row["images_per_second"] > 0 for row in report.rows)
    assert "scaled to 12x12" in report.notes[0]


def test_batches_have_the_size_that_is_cut_to():
    with cutting.loader(0) as loader:
        assert [x.shape for x, _ in loader] == [(20, 12, 12, 3)] * 2


@pytest.mark.torch
def test_beside_pytorch():
    pytest.importorskip("torch")
    rows = cutting.speed(peer="torch", repeat=1).rows
    assert all(row["peer_images_per_second"] > 0 and row["ratio"] > 0 for row in rows)
    from cynet.bench import torch_steps

    batches = torch_steps.cutting_loader(*cutting.pictures(), 12, (0.5,) * 3, (0.2,) * 3, 20, 0)
    x, _ = next(iter(batches))
    assert x.shape == (20, 3, 12, 12) and -2.6 < x.min() < x.max() < 2.6
