"""The course's data: what is refused by which name, what a batch draws, what a file of a picture holds."""

import io
from types import SimpleNamespace

import numpy as np
import pytest

import cynet
from cynet import uwnet
from cynet.uwnet import data


@pytest.mark.parametrize(("call", "words"), [
    (lambda: data.checked_image("image", np.zeros((2, 3))),
     "image: wanted an image (channels, height, width), got shape (2, 3)"),
    (lambda: data.checked_image("picture", np.zeros((2, 0, 3))),
     "picture: wanted an image (channels, height, width), got shape (2, 0, 3)"),
    (lambda: uwnet.save_png(np.zeros((2, 4, 4)), "x"), "image: wanted 1 or 3 channels, got shape (2, 4, 4)"),
    (lambda: data.checked_path("path", 3), "path: wanted a str or Path, got int"),
    (lambda: data.checked_path("images", ""), "images: wanted the path of a file, got ''"),
    (lambda: data.checked_path("path", "a\0"), "path: wanted the path of a file, got 'a\\x00'"),
    (lambda: uwnet.random_batch([1], 2), "data: wanted an object with matrices x and y, got list"),
    (lambda: uwnet.random_batch(uwnet.Data(np.zeros((0, 3)), np.zeros((0, 2))), 1),
     "data: wanted at least 1 row, got x of shape (0, 3)"),
])  # fmt: skip
def test_what_is_refused_is_told_by_its_name(call, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert str(caught.value) == words


def test_a_batch_is_drawn_with_replacement_by_the_seed():
    x, y = np.arange(20.0).reshape(10, 2), np.eye(10)
    rows = uwnet.Data(x, y)
    assert repr(rows) == "Data of 10 rows, 2 columns, 10 classes"
    cynet.seed(3)
    first, second = uwnet.random_batch(rows, 50), uwnet.random_batch(rows, 50)
    cynet.seed(3)
    again = uwnet.random_batch(SimpleNamespace(x=x, y=y), 50)  # any object with matrices
    np.testing.assert_array_equal(first.x, again.x)
    assert not np.array_equal(first.x, second.x)
    labels = first.y.argmax(axis=1)
    np.testing.assert_array_equal(first.x, x[labels])
    drawn = {int(k) for batch in (first, second) for k in batch.y.argmax(axis=1)}
    assert drawn == set(range(10)) and first.x.shape == (50, 2)


def test_a_saved_picture_is_rounded_and_clipped(tmp_path):
    image = pytest.importorskip("PIL.Image")
    values = np.array([[[-1, 0, 0.5], [0.9999, 1, 7]]] * 3, np.float32)
    values[1, 0, 0] = np.nan
    uwnet.save_png(values, tmp_path / "a")
    with image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "RGB"
        found = np.asarray(picture)
    assert found[..., 0].tolist() == [[0, 0, 128], [255, 255, 255]] and found[0, 0].tolist() == [0, 0, 0]
    uwnet.save_png(values[:1], tmp_path / "b.png")
    assert uwnet.load_image(tmp_path / "b.png").tolist() == (found[None, ..., 0] / np.float32(255)).tolist()
    for name, wanted in (("c", "c.jpg"), ("d.jpg", "d.jpg"), ("e.png", "e.png.jpg")):
        uwnet.save_image(values, tmp_path / name)
        assert (tmp_path / wanted).read_bytes()[:2] == b"\xff\xd8"
    whole, buffer = image.fromarray(found), io.BytesIO()
    whole.save(buffer, "JPEG", quality=80)
    assert (tmp_path / "c.jpg").read_bytes() == buffer.getvalue()


def test_the_loss_is_summed_in_double():
    rng = np.random.default_rng(0)
    x = rng.random((500, 7), dtype=np.float32) + np.float32(1e-3)
    y = rng.random((500, 7), dtype=np.float32)
    wanted = -np.sum(y.astype(float) * np.log(x.astype(float))) / 500
    assert uwnet.cross_entropy_loss(x, y) == pytest.approx(wanted, rel=1e-12)
    assert uwnet.cross_entropy_loss([[0.0, 1.0]], [[0.0, 1.0]]) == 0
    assert uwnet.cross_entropy_loss([[0.0, 1.0]], [[1.0, 0.0]]) == np.inf


def test_a_matrix_that_is_not_there_is_told():
    layer = uwnet.make_connected_layer(3, 2)
    vars(layer).pop("w")
    with pytest.raises(AttributeError, match=r"has no w$"):
        _ = layer.w
