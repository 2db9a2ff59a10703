"""A part of a data set, looked at from Python: what was left out, counted, and said."""

import numpy as np
import pytest
import tiny  # noqa: F401  (adds the data set "tiny")

from cynet import data
from cynet.data import checking
from cynet.data.inspection import ClassCounts
from cynet.data.text import TokenSet, Vocabulary


class Problem:
    def __init__(self, damaged):
        self.damaged = damaged


def part(problems=(), counts=(2, 1), wanted=None, dataset=True, name="tiny", split="train"):
    return checking.Part(name, split, dataset or None, tuple(problems), ClassCounts(counts, wanted))


def test_a_part_is_counted_and_told():
    found = checking.part("tiny", None, "test")
    lines = list(found.lines())
    assert found.right and found.problems == () and found.found.counts == (7, 7, 6)
    assert lines[0] == "test: 20 pictures of 32 x 32, 3 channels, 3 classes"
    assert lines[2] == f"  fingerprint {data.load('tiny', split='test').fingerprint()}"
    assert lines[3:] == ["  a          7", "  b          7", "  c          6"]


def test_uneven_classes_are_told_with_what_helps():
    dataset = data.ArrayDataset(np.zeros((9, 1, 2, 2), np.uint8), [0] * 8 + [1], ("a", "b"))
    found = checking.Part("arrays", "train", dataset, (), ClassCounts((8, 1), None))
    *_, uneven, single = found.lines("do this")
    assert uneven == "  classes are uneven: 8 pictures of a, 1 of b; do this"
    assert single == "  a single picture of: b"
    assert list(checking.Part("arrays", "train", None, (), None).lines()) == []


@pytest.mark.parametrize(("parts", "skip", "wanted"), [
    ([part()], False, None),
    ([part(counts=(1, 0))], False, "the numbers of pictures are not as published, or a class has none"),
    ([part(counts=(1, 0), name="arrays", split="test")], False, None),
    ([part(counts=(1, 0), name="arrays")], False,
     "the numbers of pictures are not as published, or a class has none"),
    ([part(counts=(2, 1), wanted=(2, 2))], True,
     "the numbers of pictures are not as published, or a class has none"),
    ([part([Problem(True)])], False, "1 picture cannot be used (leave it)"),
    ([part([Problem(True)])], True, None),
    ([part([Problem(False)]), part([Problem(False)])], False, "2 pictures cannot be used"),
    ([part([Problem(False), Problem(True)])], False, "2 pictures cannot be used (leave it)"),
    ([part([Problem(True)] * 1234)], False, "1,234 pictures cannot be used (leave it)"),
    ([part([Problem(True)], dataset=None), part()], True, "1 picture cannot be used"),
])  # fmt: skip
def test_why_a_data_set_cannot_be_trained_on(parts, skip, wanted):
    assert checking.refusal(parts, skip, "leave it") == wanted


def test_size_statistics_and_a_constant_channel_are_told():
    images = np.full((4, 2, 3, 5), 51, np.uint8)
    images[:2, 1] = 255
    dataset = data.ArrayDataset(images, [0, 0, 1, 1], ("a", "b"))
    lines = list(checking.Part("arrays", "train", dataset, (), ClassCounts((2, 2), None)).lines())
    assert lines == [
        "train: 4 pictures of 3 x 5, 2 channels, 2 classes",
        "  mean [0.2, 0.6], deviation [0.0, 0.4]",
        "  channel 0 is constant: 51 of 255 in all pictures",
        f"  fingerprint {dataset.fingerprint()}",
        "  2 of each class",
    ]


@pytest.mark.parametrize(("counts", "wanted", "lines"), [
    ((5000, 5000), (5000, 5000), ["5,000 of each class, as published"]),
    ((5000, 5000), (4999, 4999), ["5,000 of each class, wanted 4,999"]),
    ((2, 2), (2, 3), ["cat               2, as published", "elephant          2, wanted 3"]),
    ((2, 1), (2, 1), ["cat               2, as published", "elephant          1, as published"]),
    ((1200, 3), None, ["cat           1,200", "elephant          3"]),
    ((7,), None, ["cat          7"]),
])  # fmt: skip
def test_each_class_is_counted_beside_what_is_published(counts, wanted, lines):
    classes = ("cat", "elephant")[: len(counts)]
    assert list(checking._counted(classes, ClassCounts(counts, wanted))) == lines


def test_a_part_is_loaded_as_it_would_be_trained_on(monkeypatch):
    asked = []

    def load(name, root, split, **options):
        asked.append((name, root, split, options))
        return data.load("tiny", split=split)

    monkeypatch.setattr(checking.loading, "load", load)
    checking.part("image_folder", "place", "test", 7)
    checking.part("tiny", None, "train")
    assert asked == [
        ("image_folder", "place", "test", {"split_seed": 7, "skip_damaged": True}),
        ("tiny", None, "train", {"split_seed": 0, "skip_damaged": False}),
    ]


def test_what_is_wrong_but_for_pictures_is_raised():
    with pytest.raises(ValueError, match="name: wanted one of"):
        checking.part("nope", None, "train")
    with pytest.raises(FileNotFoundError):
        checking.part("cifar10", "/nowhere", "train")


@pytest.mark.parametrize("features", [8, 9])
def test_more_channels_than_can_be_told_one_by_one_are_told_by_their_range(features):
    rows = np.stack([np.arange(features), 3 * np.arange(features) + 2]).astype(np.float32)
    dataset = data.ArrayDataset(rows, [0.5, 4.5], layout="NF")
    found = checking.Part("arrays", "train", dataset, (), checking.inspection.check(dataset))
    lines = list(found.lines())
    assert lines[0] == f"train: 2 rows of {features} features, float32, 1 number"
    if features == 8:
        means = [2.0 * k + 1 for k in range(8)]
        assert lines[1:-2] == [f"  mean {means}, deviation {[k + 1.0 for k in range(8)]}"]
    else:
        assert lines[1:-2] == ["  mean of each from 1 to 17", "  deviation of each from 1 to 9"]
    assert lines[-2].startswith("  fingerprint 2x9x1x1." if features == 9 else "  fingerprint 2x8x1x1.")
    assert lines[-1] == "  value  0.5 to 4.5, mean 2.5, deviation 2"


def test_labels_are_told_one_by_one_beside_all_samples():
    labels = [[1, 0], [1, 1], [0, 0], [1, 0]]
    dataset = data.ArrayDataset(np.zeros((4, 1, 2, 2), np.uint8), labels, ("a", "bc"))
    found = checking.Part("arrays", "test", dataset, (), checking.inspection.check(dataset))
    assert list(found.lines())[-2:] == ["  a           3 of 4", "  bc          1 of 4"]


def test_of_a_text_the_most_frequent_tokens_are_told_in_their_order():
    letters = "abcdefghijklmnop"
    counts = [3, 9, 1, 8, 2, 7, 2, 7, 4, 5, 6, 1, 1, 1, 1, 2]
    tokens = np.repeat(np.arange(16), counts)
    lines = list(checking._of_text(TokenSet(tokens, 4, Vocabulary(letters)), "train"))
    order = sorted(range(16), key=lambda k: -counts[k])[: checking.FEW]
    shown = ", ".join(f"'{letters[k]}' {counts[k] / 60:.1%}" for k in order)
    assert lines[:2] == ["train: 60 characters, 16 different ones", f"  the most frequent: {shown}"]
    assert shown.startswith("'b' 15.0%, 'd' 13.3%, 'f' 11.7%, 'h' 11.7%")


def told(dataset, split="train"):
    """What is said of it, without the line of its fingerprint, which ends what is said of the samples."""
    found = checking.Part("arrays", split, dataset, (), checking.inspection.check(dataset))
    lines = list(found.lines("do this"))
    lines.remove(f"  fingerprint {dataset.fingerprint()}")
    return lines


def test_signals_of_bytes_are_told_by_their_channels():
    values = np.full((4, 3, 2), 9, np.uint8)
    values[:, :, 1] = np.array([0, 60, 120, 180])[:, None]
    assert told(data.ArrayDataset(values, [0, 1, 2, 2], ("a", "bb", "ccc"), layout="NLC")) == [
        "train: 4 signals of 3, 2 channels, uint8, 3 classes",
        f"  mean {[round(9 / 255, 4), round(90 / 255, 4)]}, deviation {[0.0, round(4500**0.5 / 255, 4)]}",
        "  channel 0 is constant: 9 of 255 in all signals",
        *(f"  {name:<3}  {count:>9}" for name, count in (("a", 1), ("bb", 1), ("ccc", 2))),
        "  a single picture of: a, bb",
    ]


def test_pictures_of_floats_are_told_by_their_own_values():
    values = np.full((4, 2, 2, 2), -2.5, np.float32)
    values[:, 0] = np.array([0, 1, 2, 5])[:, None, None]
    assert told(data.ArrayDataset(values, [0, 1, 1, 1], ("long", "b"))) == [
        "train: 4 pictures of 2 x 2, 2 channels, float32, 2 classes",
        f"  mean [2.0, -2.5], deviation [{3.5**0.5:.4f}, 0.0]",
        "  channel 1 is constant: -2.5 in all pictures",
        "  long          1",
        "  b             3",
        "  a single picture of: long",
    ]


def test_of_many_constant_features_the_first_few_are_told():
    rows = np.full((3, 12), 7, np.uint8)
    rows[:, [2, 5]] = [[0, 10], [30, 20], [60, 30]]
    columns = [[1.5, -3], [2.5, 5], [6.5, 1]]
    assert told(data.ArrayDataset(rows, columns, ("x", "width"), layout="NF"), "test") == [
        "test: 3 rows of 12 features, uint8, 2 numbers",
        f"  mean of each from {7 / 255:.4g} to {30 / 255:.4g}",
        f"  deviation of each from 0 to {600**0.5 / 255:.4g}",
        *(f"  feature {k} is constant: 7 of 255 in all rows" for k in (0, 1, 3, 4, 6, 7, 8, 9)),
        f"  x      1.5 to 6.5, mean 3.5, deviation {(14 / 3) ** 0.5:.4g}",
        f"  width  -3 to 5, mean 1, deviation {(32 / 3) ** 0.5:.4g}",
    ]
