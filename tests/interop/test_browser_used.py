"""The page of a net in use, in a real browser: what keys, a pointer and buttons lead to."""

from pathlib import Path

import numpy as np
import pytest
from dom import CHROMIUM, asked

import cynet
from cynet.interop import save_html

pytestmark = [
    pytest.mark.chromium, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]  # fmt: skip
HOSTILE = "</script><img src=x onerror=alert(1)>"
SCRIPT = (Path(__file__).parent / "browser_used.js").read_text(encoding="utf-8")


def page(path, model, shape, script, *flags, **options):
    save_html(model, path, shape, **options)
    return asked(path, f"(() => {{ {SCRIPT} return {script}; }})()", *flags)


def bright(classes):
    """A net whose first number grows with how bright a picture is, while the second falls."""
    linear = cynet.Linear(2, classes)
    linear.weight.data[:] = 0
    linear.weight.data[:2, 0] = 4, -4
    linear.bias.data[:] = -1 - np.arange(classes)
    linear.bias.data[:2] = -2, 2
    conv = cynet.Conv2d(3, 2, 3, padding=1)
    conv.weight.data[:] = 0
    conv.weight.data[0, :, 1, 1] = 1 / 3
    conv.bias.data[:] = 0
    return cynet.Sequential(conv, cynet.ReLU(), cynet.GlobalAvgPool2d(), linear)


def test_a_page_of_coloured_pictures(tmp_path):
    shape, pixels = (10, 8, 3), ((0,) * 3, (1,) * 3)
    images = np.zeros((3, *shape), np.uint8) + np.array([255, 0, 200], np.uint8)[:, None, None, None]
    names = [HOSTILE, "dark", "third"]
    found, tree = page(
        tmp_path / "x.html", bright(3), shape, "coloured()", "--window-size=400,800",
        pixels=pixels, classes=names, pictures=(images, np.array([0, 1, 1])), title=HOSTILE,
    )  # fmt: skip
    shares = np.exp([2.0, -2, -3]) / np.exp([2.0, -2, -3]).sum()
    sure = f"{HOSTILE} {shares[0] * 100:.1f} %"
    label = [f"Test picture {k + 1}: {names[right]}" for k, right in enumerate((0, 1, 1))]
    assert found["first"] == [sure, "Test picture 1: right", [label[0]]] and found["wide"]
    assert [text for text, *_ in found["bars"]] == [
        f"{name}{share * 100:.1f} %" for name, share in zip(names, shares, strict=True)
    ]
    assert [kind for _, kind, _ in found["bars"]] == ["said true", "", ""]
    assert [float(width[:-1]) for *_, width in found["bars"]] == pytest.approx(100 * shares, abs=0.01)
    assert tree.one("h1").text == HOSTILE and not tree.all("img")
    assert [name[:13] for name in found["tabs"]] == [
        "Test picture ", "Answer all 3", "file", "Sheet to draw", "size", "ink", "paper", "Clear"
    ]  # fmt: skip
    at = [1, 2, 1, 0, 0, 2, 2, 0]  # beyond an end nothing happens
    assert found["keys"] == [[True, label[k], label[k]] for k in at] + [[False, label[0], label[0]]]
    assert found["last"][1:] == [f"Test picture 3: in truth {names[1]}", [label[2]]]
    assert found["marks"] == "hit hit miss" and found["score"] == "2 of 3 right"

    assert found["empty"] == [True, [], "Your drawing"]
    middle = [4 * 8 + column for column in range(4, 8)]  # the pen begins between two rows
    assert set(middle) <= set(found["line"]) and all(30 <= place < 48 for place in found["line"])
    assert found["lifted"] == len(found["line"]) and not found["unknown"]
    assert found["cleared"] == [[], []]
    assert found["stroke"] == [8 * row for row in range(1, 9)] and found["below"]
    assert found["blue"] == [0, 0, 255, 255]
    assert found["refused"] == "That was no file. Save the picture first, and drop the file."
    assert found["again"] == ["", sure, "Test picture 1: right", [label[0]]]
    assert found["maps"] == [[8, 10]] * 2


def test_a_page_of_several_labels_of_grey_pictures(tmp_path):
    count = 14
    model = cynet.Sequential(cynet.Flatten(), cynet.Linear(12, count))
    model[1].weight.data[:] = 0
    model[1].weight.data[:, 11] = np.arange(count) - 10  # of the last pixel
    model[1].bias.data[:] = -1.5
    images = np.zeros((1, 3, 4, 1), np.uint8)
    images[0, 0, 1], images[0, 2, 3] = 7, 255
    table = np.zeros((1, count), bool)
    table[0, [12, 13]] = True
    found, tree = page(
        tmp_path / "x.html", model, (3, 4, 1), "grey()", pixels=((0,), (1,)), pictures=(images, table),
        task="multilabel",
    )  # fmt: skip
    assert found["first"] == [
        "class 12, class 13",
        "Test picture 1: right",
        ["Test picture 1: class 12, class 13"],
    ]
    logits = np.arange(count) - 11.5
    shares = 1 / (1 + np.exp(-logits))
    order = np.argsort(-shares)[:12]  # the most probable ones
    assert [text for text, _ in found["bars"]] == [f"class {k}{shares[k] * 100:.1f} %" for k in order]
    assert [kind for _, kind in found["bars"]] == ["said true"] * 2 + [""] * 10
    assert found["given"] == [0, 0, 0, 255, 7, 7, 7, 255]
    assert (found["dark"], found["light"]) == (12, 0)  # it begins as dark as the pictures are
    assert found["none"][0] == "class 12, class 13" and found["none"][1:] == ["Your drawing", []]
    assert found["weights"][0] == [1, "−11.5"] and len(found["weights"]) == count
    assert found["page"] == [None, 0]  # there is but one picture to answer
    assert found["nan"] == ["The net gives no number (NaN) for this picture.", 0]
    assert "14 labels of 3 × 4 grey pixels" in tree.one("header").text
