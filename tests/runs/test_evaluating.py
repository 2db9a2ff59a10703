"""A model on a data set: what it says of classes that it knows and of others, in views, as it was judged."""

from dataclasses import replace

import numpy as np
import pytest

import cynet
from cynet import data
from cynet.runs import evaluating, exporting, matching
from cynet.runs.facts import Facts

pytestmark = pytest.mark.usefixtures("one_thread")
FACTS = Facts("own", True, "tiny", ("a", "b", "c"), (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), (6, 6, 3))
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (9, 3, 6, 6), np.uint8)


@pytest.fixture(scope="module")
def net():
    """A net to which mirrored pictures, and moved ones, are others."""
    cynet.seed(1)
    return cynet.Sequential(cynet.Flatten(), cynet.Linear(108, 3)).eval()


def ready(images):
    return ((np.moveaxis(images, 1, -1) / 255 - FACTS.mean) / FACTS.std).astype(np.float32)


def softmax(logits):
    parts = np.exp(logits - logits.max(axis=1, keepdims=True))
    return parts / parts.sum(axis=1, keepdims=True)


def matched(*labels, classes=("a", "b", "c")):
    return matching.match(data.ArrayDataset(IMAGES[: len(labels)], np.array(labels), classes), FACTS.classes)


def test_those_of_other_classes_stand_apart(net):
    given = matched(0, 3, 1, 2, 4, 3, 0, 3, 1, classes=("c", "a", "b", "x", "y"))
    found = evaluating.evaluate(net, FACTS, given, batch_size=2)
    whole = softmax(net(ready(IMAGES)).astype(np.float64))
    assert found.matched is given and list(found.unknown) == ["x", "y"]
    np.testing.assert_allclose(found.known.probabilities, whole[[0, 2, 3, 6, 8]], rtol=1e-4)
    np.testing.assert_allclose(found.unknown["x"].probabilities, whole[[1, 5, 7]], rtol=1e-4)
    np.testing.assert_allclose(found.unknown["y"].probabilities, whole[[4]], rtol=1e-4)
    right = whole.argmax(axis=1)[[0, 2, 3, 6, 8]] == [2, 0, 1, 2, 0]
    assert found.known.evaluation.accuracy == right.mean()


@pytest.mark.parametrize(("own", "asked", "flip", "mirrored"), [
    ("", None, False, False), ("flip", None, False, True), ("flip", "", False, False),
    ("", "flip", False, True), ("", None, True, True), ("flip", "", True, True),
])  # fmt: skip
def test_the_views_are_those_of_the_training_unless_others_are_asked_for(net, own, asked, flip, mirrored):
    found = evaluating.evaluate(net, replace(FACTS, tta=own), matched(*[0, 1, 2] * 3), flip=flip, tta=asked)
    x = ready(IMAGES)
    views = [net(x), net(np.ascontiguousarray(x[:, :, ::-1]))] if mirrored else [net(x)]
    wanted = np.mean([softmax(logits.astype(np.float64)) for logits in views], axis=0)
    np.testing.assert_allclose(found.known.probabilities, wanted, rtol=1e-4)


@pytest.mark.parametrize("loss", ["mse", "l1"])
@pytest.mark.parametrize("flip", [False, True])
def test_numbers_are_judged_by_the_loss_that_is_named(net, loss, flip):
    facts = replace(FACTS, task="regress")
    labels = RNG.standard_normal((9, 3)).astype(np.float32)
    given = matching.Matched(data.ArrayDataset(IMAGES, labels, FACTS.classes))
    found = evaluating.evaluate(net, facts, given, batch_size=4, flip=flip, loss=loss).known
    x = ready(IMAGES)
    values = (net(x) + net(np.ascontiguousarray(x[:, :, ::-1]))) / 2 if flip else net(x)
    gaps = values.astype(np.float64) - labels
    assert found.loss == pytest.approx((gaps**2).mean() if loss == "mse" else np.abs(gaps).mean(), rel=1e-4)
    assert found.rmse == pytest.approx(np.sqrt((gaps**2).mean()), rel=1e-4)


# -- what is taken of a data set on the way out --------------------------------------------------------------
@pytest.fixture
def page(monkeypatch, tmp_path):
    """What a page is made of, for these facts and pictures."""
    written = []

    def save_html(model, path, shape, **more):
        written.append((model, path, shape, more))
        path.write_text("four")

    monkeypatch.setattr(exporting, "save_html", save_html)

    def made(facts, test=None):
        assert exporting.to_html("the net", facts, tmp_path / "x.html", test) == 4
        ((model, path, shape, more),) = written
        assert (model, path, shape) == ("the net", tmp_path / "x.html", facts.picture_shape)
        return more

    return made


def test_a_page_has_what_is_known_of_the_net(page):
    assert page(replace(FACTS, resize="stretch", task="multilabel")) == {
        "pixels": (FACTS.mean, FACTS.std), "classes": ("a", "b", "c"), "pictures": None, "task": "multilabel",
        "title": "own", "resize": "stretch", "kept": None,
    }  # fmt: skip


@pytest.mark.parametrize(("count", "places"), [(9, range(9)), (79, range(0, 79, 2)), (40, range(40))])
def test_a_page_shows_forty_pictures_all_over_the_set(page, count, places):
    test = data.ArrayDataset(np.resize(IMAGES, (count, 3, 6, 6)), np.arange(count) % 3, FACTS.classes)
    images, labels = page(FACTS, test)["pictures"]
    assert images.dtype == np.uint8 and labels.tolist() == [place % 3 for place in places]
    np.testing.assert_array_equal(images, np.moveaxis(test.images[list(places)], 1, -1))


@pytest.mark.parametrize(("kept", "scaled", "shown"), [((6, 7), (6, 7), True), ((12, 12), (7, 7), False)])
def test_pictures_that_are_scaled_have_no_bytes_to_show(page, kept, scaled, shown):
    test = data.ArrayDataset(np.zeros((4, 3, *kept), np.uint8), np.arange(4) % 3, FACTS.classes)
    found = page(replace(FACTS, kept=kept), test)
    assert found["kept"] == scaled and (found["pictures"] is not None) == shown


def test_what_is_no_picture_of_bytes_gets_no_page():
    for facts, words in (
        (replace(FACTS, kind="float32"), "got one of float32, 6x6x3"),
        (replace(FACTS, picture_shape=(7, 3)), "got one of uint8, 7x3"),
    ):
        with pytest.raises(ValueError) as caught:
            exporting.check_pictures(facts)
        assert str(caught.value) == f"wanted a net of pictures of bytes for a page, {words}"


def test_the_ranges_of_eight_bits_are_those_of_five_hundred_samples(monkeypatch):
    seen = []
    monkeypatch.setattr(exporting, "quantized", lambda model, shape, x: seen.append((model, shape, x)))
    facts = replace(FACTS, picture_shape=(2,), kind="float32", mean=(0.0, 1.0), std=(1.0, 2.0))
    rows = np.arange(2002, dtype=np.float32).reshape(-1, 2)
    whole = data.ArrayDataset(rows, np.arange(1001) % 3, FACTS.classes, layout="NF")
    exporting.in_eight_bits("the net", facts, whole)
    exporting.in_eight_bits("the net", facts, whole, 2)
    ((model, shape, x), (*_, two)) = seen
    assert (model, shape, x.shape) == ("the net", (2,), (500, 2))
    wanted = (rows - (0, 1)) / (1, 2)
    np.testing.assert_allclose(two, wanted[[0, -1]], rtol=1e-6)
    np.testing.assert_allclose(x[[0, -1]], wanted[[0, -1]], rtol=1e-6)
    assert set(np.diff(x[:, 0])) <= {4.0, 6.0}  # every second or third


def test_each_byte_is_told_as_the_net_gets_it():
    found = exporting.levels(FACTS)
    wanted = (np.arange(256)[:, None] / 255 - FACTS.mean) / FACTS.std
    assert found.shape == (256, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
