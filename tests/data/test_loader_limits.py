"""Loaders of odd sizes and orders, and what a function of the user is handed."""

import numpy as np
import pytest

from cynet import data
from cynet.data.images import decode, transforms
from cynet.data.workers import portable

IMAGES = np.random.default_rng(1).integers(0, 256, (20, 3, 8, 8), np.uint8)


@pytest.fixture
def dataset():
    return data.ArrayDataset(IMAGES.copy(), np.arange(20) % 4)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_far_larger_than_the_data_set_takes_no_more_memory(dataset, workers):
    with data.DataLoader(dataset, 2**31 - 1, workers=workers, copy=True) as loader:
        ((x, y),) = list(loader)
        assert x.shape == (20, 8, 8, 3) and len(y) == 20
        assert not workers or loader._feed.batch_size == 20


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("order", [
    np.arange(20)[::-1], np.arange(20)[::3], np.arange(20, dtype=np.int32), np.arange(20, dtype=">i8"),
    np.uint8([3, 3, 19]), [4, 2],
], ids=str)  # fmt: skip
def test_an_order_of_any_integers_and_any_layout_is_followed(dataset, workers, order):
    with data.DataLoader(dataset, 3, workers=workers, sampler=lambda _: order, copy=True) as loader:
        x, y = map(np.concatenate, zip(*loader, strict=True))
    np.testing.assert_array_equal(y, dataset.labels[np.asarray(order, int)])
    np.testing.assert_allclose(x, IMAGES[np.asarray(order, int)].transpose(0, 2, 3, 1) / 255, atol=1e-6)


def test_a_weight_of_zero_is_never_drawn(monkeypatch):
    """Also where the draw is 0 itself, or as much as the sum before."""

    class Drawn:
        def random(self, count):
            return np.array([0.0, 0.5, np.nextafter(1, 0)])[:count]

    monkeypatch.setattr("cynet.data.sampler.generator", lambda *_: Drawn())
    sampler = data.WeightedSampler([0, 1, 0, 0, 1, 0], count=3)
    assert sampler.order(0).tolist() == [1, 4, 4]


def test_a_function_gets_a_picture_in_the_usual_order_of_memory(dataset):
    met = []

    def look(picture, rng):
        met.append((picture.flags.c_contiguous, picture.flags.writeable, picture.shape, picture.dtype))
        return np.asfortranarray(picture)

    found, _ = next(iter(data.DataLoader(dataset, 20, shuffle=False, workers=0, transforms=[look])))
    assert set(met) == {(True, True, (8, 8, 3), np.dtype(np.uint8))}
    np.testing.assert_allclose(found, IMAGES.transpose(0, 2, 3, 1) / 255, atol=1e-6)


def test_after_the_functions_a_failure_is_of_no_sample(dataset, monkeypatch):
    def broken(*_):
        raise ArithmeticError("of the kernel")

    monkeypatch.setattr(decode, "decode", broken)
    for functions in ([], [lambda picture, rng: picture]):
        with pytest.raises(ArithmeticError) as caught:
            next(iter(data.DataLoader(dataset, 4, workers=0, transforms=functions)))
        assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize("kind", transforms.KINDS)
def test_a_kind_of_transform_is_none_itself(dataset, kind):
    """Its class in place of one, which some could be called as functions are."""
    with pytest.raises(TypeError, match=r"transforms\[0\]: wanted a RandomCrop, .*, got <class "):
        data.DataLoader(dataset, 4, workers=0, transforms=[kind])


def test_auto_in_a_daemonic_process_is_none(dataset, monkeypatch, capsys):
    monkeypatch.setattr(portable, "daemonic", lambda: True)
    with data.DataLoader(dataset, 5, workers="auto") as loader:
        assert len(list(loader)) == 4 and loader.workers == 0
    said = "workers=0 chosen (a daemonic process may start no others)"
    assert loader.chosen == said and capsys.readouterr().err == f"cynet: DataLoader: {said}\n"
