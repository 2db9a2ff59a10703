"""What differs between two data sets, told of their fingerprints alone: each part by itself, and several."""

import itertools

import numpy as np
import pytest

from cynet.data import fingerprint

ONE = {"count": 5, "shape": (3, 4, 6), "classes": ["a", "b"], "labels": [0, 1], "pixels": 0}
OTHER = {"count": 7, "shape": (1, 4, 6), "classes": ["a", "c"], "labels": [1, 0], "pixels": 1}
WORDS = {
    "count": "count (5 then, 7 now)",
    "shape": "picture shape (channels x height x width) (3x4x6 then, 1x4x6 now)",
    "classes": "classes", "labels": "labels", "pixels": "pixels",
}  # fmt: skip


def made(count, shape, classes, labels, pixels):
    images = np.full((count, *shape), pixels, np.uint8)
    return fingerprint.of(images, np.resize(labels, count).astype(np.int64), classes)


@pytest.mark.parametrize(
    "changed", [names for n in range(6) for names in itertools.combinations(WORDS, n)], ids="-".join
)
def test_every_part_that_differs_is_told(changed):
    """Labels and pixels follow the count, and pixels the shape."""
    told = fingerprint.changes(made(**ONE), made(**ONE | {name: OTHER[name] for name in changed}))
    own = [name for name in WORDS if name in changed]
    if "count" in changed:
        own = [name for name in own if name not in ("labels", "pixels")]
    elif "shape" in changed and "pixels" not in own:
        own.append("pixels")
    assert told == ", ".join(WORDS[name] for name in own)


def test_what_is_no_fingerprint_is_told_as_it_stands():
    good = made(**ONE)
    for other in (None, "", 3, good + "0", good[1:].replace("x", "y")):
        assert fingerprint.changes(other, good) == f"fingerprint ({other} then, {good} now)"


def test_it_is_the_same_for_labels_of_any_kind_of_integer_and_byte_order():
    images, labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2), np.array([3, 1])
    found = {fingerprint.of(images, labels.astype(kind), ["x", "y"]) for kind in ("<i8", ">i8", "<i4", "u1")}
    assert len(found) == 1


def test_names_of_classes_may_hold_anything():
    images, labels = np.zeros((1, 1, 2, 2), np.uint8), np.zeros(1, np.int64)
    named = ["\udcff"], ["?"], ["\xff"], ["a", ""], ["a"]
    found = {fingerprint.of(images, labels, names) for names in named}
    assert len(found) == 5
