"""The page of a net as it is written: the net in it, texts from outside, and what is refused."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from dom import parsed

import cynet
from cynet.interop import save_html
from cynet.interop.browser import document, writing
from cynet.interop.program.folding import folded, with_curves, with_pixels
from cynet.interop.program.lowering import lower

SHAPE, PIXELS = (6, 5, 3), ((0.1, 0.5, 0.3), (0.2, 0.3, 1.5))
HOSTILE = "</script><script>alert(1)//<!--&\" onload='x"


def net(channels=3, classes=4):
    cynet.seed(1)
    return cynet.Sequential(
        cynet.Conv2d(channels, 4, 3), cynet.BatchNorm2d(4), cynet.ReLU(), cynet.GlobalAvgPool2d(),
        cynet.Linear(4, classes),
    )  # fmt: skip


def written(path, model, shape=SHAPE, **options):
    """(the tree of the page, its document, its weights)"""
    save_html(model, path / "net.html", shape, **{"pixels": PIXELS} | options)
    tree = parsed((path / "net.html").read_text(encoding="utf-8"))
    weights = np.frombuffer(base64.b64decode(tree.one("script", id="weights").text), "<f4")
    return tree, json.loads(tree.one("script", id="data").text), weights


def test_the_numbers_of_the_net_are_those_of_its_program(tmp_path):
    _, told, weights = written(tmp_path, net())
    program = with_curves(folded(with_pixels(lower(net(), SHAPE), *PIXELS)))
    assert [step["operation"] for step in told["net"]["steps"]] == ["pixels", "conv", "mean", "linear"]
    count = 0
    for step, plain in zip(program.steps, told["net"]["steps"], strict=True):
        assert set(plain["arrays"]) == set(step.arrays)
        for name, array in step.arrays.items():
            start, size = plain["arrays"][name]
            np.testing.assert_array_equal(weights[start : start + size], array.reshape(-1))
            count += size
        assert plain["output"] == step.output and plain["inputs"] == list(step.inputs)
    assert count == len(weights) and told["net"]["steps"][1]["after"] == {"kind": "relu"}
    assert told["net"]["shapes"][str(told["net"]["output"])] == [4]
    assert told["parameters"] == sum(parameter.data.size for parameter in net().parameters())
    assert told["macs"] == 4 * 3 * 4 * 3 * 9 + 4 * 4  # 4 x 3 places of a 3 x 3 window


def test_the_pictures_are_those_that_were_given(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, *SHAPE), np.uint8)
    _, told, _ = written(tmp_path, net(), pictures=(images[:, :, ::-1], np.array([3, 0, 1, 2, 2])))
    assert told["pictures"]["count"] == 5 and told["pictures"]["labels"] == [3, 0, 1, 2, 2]
    assert base64.b64decode(told["pictures"]["bytes"]) == images[:, :, ::-1].tobytes()
    table = np.eye(5, 4, dtype=bool)
    _, told, _ = written(tmp_path, net(), pictures=(images, table), task="multilabel")
    assert told["pictures"]["labels"] == table.astype(int).tolist() and told["task"] == "multilabel"
    for nothing in (None, (images[:0], None), (images[:0], np.zeros(0, int))):
        _, told, _ = written(tmp_path, net(), pictures=nothing)
        assert told["pictures"] == {"count": 0, "bytes": "", "labels": None}


def test_texts_from_outside_cannot_leave_their_place(tmp_path):
    names = [HOSTILE, "{{weights}}", "caf\udce9", "ü😀"]
    plain = len(written(tmp_path, net())[0].all("script"))
    tree, told, _ = written(tmp_path, net(), classes=names, title=HOSTILE)
    assert told["classes"] == [HOSTILE, "{{weights}}", "caf\\xe9", "ü😀"]
    assert told["title"] == HOSTILE == tree.one("title").text
    assert len(tree.all("script")) == plain == 3 and not tree.all("img")
    assert not any(name.startswith("on") for node in tree.walk() for name in node.attributes)


def test_the_page_asks_for_nothing_else(tmp_path):
    tree, _, _ = written(tmp_path, net())
    (policy,) = (node["content"] for node in tree.all("meta", http_equiv="Content-Security-Policy"))
    assert policy.startswith("default-src 'none'; ") and "http" not in policy and "*" not in policy
    links = [
        value for node in tree.walk() for name, value in node.attributes.items() if name in ("src", "href")
    ]
    assert links == ["data:,", "#pictures"]
    text = (tmp_path / "net.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import|\bfetch\(|XMLHttp|import\(", text)


def test_tables_that_python_finds_for_the_script():
    cynet.seed(1)
    model = cynet.Sequential(
        cynet.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), cynet.AvgPool2d(2, padding=1),
        cynet.Upsample(scale_factor=2), cynet.AdaptiveAvgPool2d((2, 3)),
    )  # fmt: skip
    net, weights = document.document(lower(model, (4, 3, 1)))
    conv, pool, nearest, areas = (step["tables"] for step in net["steps"])
    assert conv == {"rows": [1, 0, 1, 2, 3, 2], "columns": [1, 0, 1, 2, 1]}
    assert pool == {"counts": [4] * 6} and nearest == {"rows": [0, 0, 1, 1, 2, 2], "columns": [0, 0, 1, 1]}
    assert areas == {"rows": [0, 3, 3, 6], "columns": [0, 1, 2, 2, 3, 4]} and len(weights) == 20
    assert net["first"] == 0


def test_the_first_layer_that_looks_at_the_picture():
    flat = [cynet.Flatten(), cynet.Linear(30, 4)]
    for layers, first in (
        (flat, 1), ([cynet.ReLU(), *flat], 2), ([cynet.MaxPool2d(1), cynet.Conv2d(1, 1, 1)], 1),
        ([cynet.GlobalAvgPool2d(), cynet.Linear(1, 4)], None), ([cynet.ReLU()], None),
        ([cynet.Flatten(), cynet.ReLU(), cynet.Linear(30, 4)], None),
    ):  # fmt: skip
        program = lower(cynet.Sequential(*layers), (6, 5, 1))
        assert document.first_to_look(program) == first, layers


def test_operations_that_a_page_has_not_are_listed_all_at_once(tmp_path):
    model = cynet.Sequential(
        cynet.Reshape((5, 18)), cynet.GRU(18, 4), cynet.LSTM(4, 4), cynet.GlobalAvgPool1d()
    )
    with pytest.raises(ValueError, match=r"model: wanted .* that a page has, got gru \(1\), lstm \(2\)"):
        save_html(model, tmp_path / "x.html", SHAPE, pixels=PIXELS)

    class Own(cynet.Layer):
        def forward(self, x):
            return x

    with pytest.raises(ValueError, match="wanted a net of layers that can be exported, got itself: Own"):
        save_html(Own(), tmp_path / "x.html", SHAPE, pixels=PIXELS)
    assert not list(tmp_path.iterdir())


def test_a_net_of_more_numbers_than_a_page_can_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "MOST_NUMBERS", 100)
    with pytest.raises(ValueError, match="model: wanted a net of at most 100 numbers, got 138"):
        save_html(net(), tmp_path / "x.html", SHAPE, pixels=PIXELS)


IMAGES = np.zeros((2, *SHAPE), np.uint8)
SIZES = "input_shape: wanted (height, width, channels) of pictures of 1 or 3 channels, got"
BYTES = "pictures: wanted images of uint8 ('n', 6, 5, 3), got"
MANY = np.zeros((1001, *SHAPE), np.uint8)
WRONG = [
    (ValueError, f"{SIZES} (6, 5)", {"input_shape": (6, 5)}),
    (ValueError, f"{SIZES} (6, 5, 2)", {"input_shape": (6, 5, 2)}),
    (ValueError, f"{SIZES} 6", {"input_shape": 6}),
    (ValueError, "input_shape[1]", {"input_shape": (6, 0, 3)}),
    (ValueError, "input_shape[0]", {"input_shape": (1 << 13, 5, 3)}),
    (TypeError, "input_shape[0]", {"input_shape": (6.0, 5, 3)}),
    (ValueError, "pixels: wanted a mean for each of 3 channels", {"pixels": ((0.5,), (1,))}),
    (TypeError, "pixels: wanted (mean, std), got None", {"pixels": None}),
    (TypeError, "classes: wanted a sequence of names, got 'abcd'", {"classes": "abcd"}),
    (TypeError, "classes: wanted a sequence of names, got 4", {"classes": 4}),
    (TypeError, "classes[1]: wanted a text, got 2", {"classes": ["a", 2, "c", "d"]}),
    (ValueError, "classes: wanted 4 names, one for each number of the net's, got 3", {"classes": [*"abc"]}),
    (TypeError, "title: wanted a text, got None", {"title": None}),
    (ValueError, "task: wanted one of classify, multilabel, got 'regress'", {"task": "regress"}),
    (ValueError, "task: wanted one of classify, multilabel, got ['classify']", {"task": ["classify"]}),
    (ValueError, "resize: wanted one of crop, stretch, got 'fit'", {"resize": "fit"}),
    (TypeError, "kept: wanted (height, width), got 8", {"kept": 8}),
    (ValueError, "kept[1]", {"kept": (6, 4)}),
    (TypeError, "pictures: wanted (images, labels), got ndarray", {"pictures": IMAGES}),
    (ValueError, f"{BYTES} float64 (2, 6, 5, 3)", {"pictures": (IMAGES / 2, None)}),
    (ValueError, f"{BYTES} uint8 (2, 3, 6, 5)", {"pictures": (IMAGES.transpose(0, 3, 1, 2), None)}),
    (ValueError, f"{BYTES} NoneType", {"pictures": (None, None)}),
    (ValueError, "pictures: wanted at most 1000 images of 16 MiB in all", {"pictures": (MANY, None)}),
    (ValueError, "pictures[1]: wanted 0 to 3, got 4", {"pictures": (IMAGES, [0, 4])}),
    (TypeError, "pictures: wanted integers, got dtype float64", {"pictures": (IMAGES, [0.0, 1.0])}),
    (ValueError, "pictures: wanted labels of bool (2, 4), got int64 (2,)",
     {"pictures": (IMAGES, np.zeros(2, np.int64)), "task": "multilabel"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "changes"), WRONG, ids=[row[1][:60] for row in WRONG])
def test_what_is_wrong_is_said(tmp_path, kind, text, changes):
    (tmp_path / "x.html").write_text("as it was")
    options = {"input_shape": SHAPE, "pixels": PIXELS} | changes
    with pytest.raises(kind, match=re.escape(text)):
        save_html(net(), tmp_path / "x.html", **options)
    assert (tmp_path / "x.html").read_text() == "as it was"


def test_nets_that_give_no_number_for_each_class_are_refused(tmp_path):
    x = cynet.Input(SHAPE)
    twice = cynet.Graph(x, [cynet.GlobalAvgPool2d()(x), cynet.GlobalMaxPool2d()(x)])
    for model, got in ((cynet.Sequential(cynet.ReLU()), "(6, 5, 3)"), (twice, "(3,), (3,)")):
        with pytest.raises(
            ValueError, match=re.escape(f"gives a number for each class of a picture, got {got}")
        ):
            save_html(model, tmp_path / "x.html", SHAPE, pixels=PIXELS)


def test_every_script_is_in_the_page(tmp_path):
    text = "".join(node.text for node in written(tmp_path, net())[0].all("script"))
    for path in Path(writing.__file__).parent.glob("*.js"):
        assert path.name in writing.SCRIPTS and path.read_text(encoding="utf-8") in text
