"""How much files of others may hold, what writers do where nobody says more, what is read at those ends."""

import base64
import importlib
import inspect
import json

import numpy as np
import pytest
import torch_files
from torch_files import saved, tensor

import cynet
from cynet.interop import header, load_torch, safetensors
from cynet.interop.browser import checking, document, writing
from cynet.interop.program.lowering import lower
from cynet.interop.pytorch import storages

ONES = np.ones((2, 3), np.float32)
LIMITS = {
    "zips": {"MOST_ENTRIES": 65_536, "CHUNK": 262_144},
    "header": {"MOST_HEADER": 100_000_000, "MOST_MARKS": 1_048_576, "MOST_DIMENSIONS": 32,
               "MOST_SIDE": 2**63 - 1, "MOST_SIZE": 2**62},
    "kinds": {"SOON": 4096},
    "pytorch.tensors": {"MOST_PICKLE": 16_777_216, "MOST_INSTRUCTIONS": 1_048_576},
    "pytorch.storages": {"SPARE": 1_048_576},
    "browser.checking": {"MOST_SIDE": 4096, "MOST_PICTURES": 1000, "MOST_BYTES": 16_777_216},
    "browser.document": {"MOST_NUMBERS": 33_554_432},
    "c.unit": {"MOST": 2**31 - 1}, "c.literals": {"LONG": 65_536}, "c.arena": {"ALIGNMENT": 16},
    "int8.quantizing": {"MOST_TERMS": 65_793, "SHIFT": 20}, "int8.running": {"EXACT": 2**24, "BATCH": 64},
    "int8.observing": {"BATCH": 64, "BINS": 2048},
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name):
    module = importlib.import_module(f"cynet.interop.{name}")
    assert {limit: getattr(module, limit) for limit in LIMITS[name]} == LIMITS[name]


@pytest.mark.parametrize(("function", "wanted"), [
    (cynet.interop.save_c, {"pixels": None, "classes": (), "name": "net", "samples": None}),
    (cynet.interop.save_html, {"classes": (), "pictures": None, "title": "A net to try", "task": "classify",
                               "resize": "crop", "kept": None}),
    (safetensors.save, {"metadata": None}),
], ids=["C", "page", "weights"])  # fmt: skip
def test_what_writers_do_where_nobody_says_more(function, wanted):
    arguments = inspect.signature(function).parameters.values()
    assert {one.name: one.default for one in arguments if one.default is not one.empty} == wanted


# -- weights -------------------------------------------------------------------------------------------------
def test_what_could_not_be_read_is_not_written(monkeypatch):
    data = safetensors.pack({"a": ONES})
    length = int.from_bytes(data[:8], "little")
    marks = sum(data[8 : 8 + length].count(mark) for mark in b",:[{")
    monkeypatch.setattr(header, "MOST_MARKS", marks)
    assert safetensors.pack({"a": ONES}) == data
    monkeypatch.setattr(header, "MOST_MARKS", marks - 1)
    with pytest.raises(ValueError, match=f"^its header: wanted at most {marks - 1} commas"):
        safetensors.pack({"a": ONES})


def test_what_follows_the_tensors_is_not_read(tmp_path):
    path = tmp_path / "w"
    safetensors.save({"a": ONES}, path)
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.truncate(1 << 40)  # a hole, for the most part
    with pytest.raises(ValueError) as caught:
        safetensors.load(path)
    more = (1 << 40) - size + 24
    assert str(caught.value) == f"{path}: wanted 24 bytes of tensors, got {more}: the file is too long"


def test_a_model_tells_what_it_is_beside_the_notes(tmp_path):
    model = cynet.Sequential(cynet.Linear(2, 3))
    safetensors.save(model, tmp_path / "w", {"a": "b"})
    notes = safetensors.load(tmp_path / "w")[1]
    assert notes["a"] == "b" and notes["cynet"] == cynet.__version__ and "Linear" in notes["net"]
    text = (tmp_path / "w").read_bytes()
    found = json.loads(text[8 : 8 + int.from_bytes(text[:8], "little")])["__metadata__"]
    assert [*found] == sorted(found) and {*found} - {*notes} == {"cynet_sha256"}


# -- PyTorch's files -----------------------------------------------------------------------------------------
def loaded(path, content):
    path.write_bytes(content)
    return load_torch(path)


@pytest.mark.parametrize(("value", "wanted"), [
    ({"model": {"a": tensor(ONES)}, "state_dict": {"b": tensor(ONES)}}, "b"),
    ({"model": {"a": tensor(ONES)}, "model_state_dict": {"b": tensor(ONES)}}, "b"),
    ({"model_state_dict": {"a": tensor(ONES)}, "state_dict": {"b": tensor(ONES)}}, "b"),
    ({"other": {"a": tensor(ONES), "x": 1}, "net": {"b": tensor(ONES)}}, "b"),
    ({"model": {"b": tensor(ONES), "x": 1}, 0.5: 1, b"bytes": 2, None: 3, 7: 4}, "b"),
])  # fmt: skip
def test_which_weights_of_a_checkpoint_count(tmp_path, value, wanted):
    assert [*loaded(tmp_path / "w.pth", saved(value))] == [wanted]


@pytest.mark.parametrize("first", [True, False])
def test_the_outermost_pickle_counts(tmp_path, first):
    program, stored = torch_files.pickled({"a": tensor(ONES)})
    inner = {"inner/data.pkl": torch_files.pickled({"b": tensor(ONES)})[0]}
    outer = {"data.pkl": program, "data/0": stored["0"]}
    entries = inner | outer if first else outer | inner
    found = loaded(tmp_path / "w.pth", torch_files.zipped(entries))
    assert [*found] == ["a"] and found["a"].tolist() == ONES.tolist()


def test_long_names_are_told_in_part(tmp_path):
    with pytest.raises(ValueError, match=rf"with them, got {'n' * 80}$"):
        loaded(tmp_path / "w.pth", saved({"n" * 90: 1}))


def test_storages_may_be_as_large_as_all_together_may(tmp_path, monkeypatch):
    content = saved({"a": tensor(np.zeros(5000, np.float32))}, method=8)
    monkeypatch.setattr(storages, "SPARE", 20_000 - 2 * len(content))
    assert loaded(tmp_path / "w.pth", content)["a"].shape == (5000,)
    monkeypatch.setattr(storages, "SPARE", 19_999 - 2 * len(content))
    with pytest.raises(ValueError, match="wanted storages of at most 19,999 bytes together, got more"):
        load_torch(tmp_path / "w.pth")


# -- pages ---------------------------------------------------------------------------------------------------
def test_pictures_of_a_page_at_their_ends():
    assert checking.shape((4096, 1, 1)) == (4096, 1, 1) and checking.shape([1, 4096, 3]) == (1, 4096, 3)
    for given in ((4097, 1, 1), (1, 4097, 1)):
        with pytest.raises(ValueError, match=r"^input_shape\[[01]\]: wanted at most 4096, got 4097$"):
            checking.shape(given)
    assert checking.kept(None, (6, 5, 3)) == [6, 5] and checking.kept((4096, 5), (6, 5, 3)) == [4096, 5]
    for given, at in (((5, 9), 0), ((9, 4), 1), ((4097, 9), 0), ((9, 4097), 1)):
        with pytest.raises(ValueError, match=rf"^kept\[{at}\]: wanted at"):
            checking.kept(given, (6, 5, 3))
    with pytest.raises(TypeError, match=r"^kept: wanted \(height, width\), got \(6, 5, 3\)$"):
        checking.kept((6, 5, 3), (6, 5, 3))


def test_as_many_pictures_as_a_page_holds():
    def told(count, side):
        return checking.pictures(
            (np.zeros((count, side, side, 1), np.uint8), None), (side, side, 1), 2, "classify"
        )

    assert told(1000, 1)["count"] == 1000 and told(1, 4096)["count"] == 1
    assert len(base64.b64decode(told(4, 2)["bytes"])) == 16 and told(4, 2)["labels"] is None
    for count, side, got in ((1001, 1, "1001 of 0 MiB"), (2, 4096, "2 of 32 MiB")):
        with pytest.raises(ValueError) as caught:
            told(count, side)
        assert str(caught.value) == f"pictures: wanted at most 1000 images of 16 MiB in all, got {got}"


def test_labels_of_a_page():
    images = np.zeros((2, 1, 1, 1), np.uint8)

    def told(labels, task):
        return checking.pictures((images, labels), (1, 1, 1), 3, task)["labels"]

    assert told([2, 0], "classify") == [2, 0]
    for kind in (bool, np.uint8, np.int64):
        assert told(np.array([[3, 0, 1], [0, 0, 2]]).astype(kind), "multilabel") == [[1, 0, 1], [0, 0, 1]]
    with pytest.raises(ValueError, match=r"^pictures: wanted labels of bool \(2, 3\), got float64 \(2, 3\)$"):
        told(np.zeros((2, 3)), "multilabel")
    assert checking.classes((), 3) == ["class 0", "class 1", "class 2"]
    assert checking.classes(("a", "b", "c"), 3) == ["a", "b", "c"]
    for count in (1, 2, 4):
        with pytest.raises(ValueError, match=f"^classes: wanted 3 names, .* got {count}$"):
            checking.classes(["x"] * count, 3)


def test_a_page_holds_as_many_numbers_as_it_may_and_names_ten_strangers(monkeypatch):
    program = lower(cynet.Linear(4, 3), (4,))
    monkeypatch.setattr(document, "MOST_NUMBERS", 15)
    net, numbers = document.document(program)
    assert len(numbers) == 15 and numbers.dtype == np.float32
    assert net == {
        "shapes": {"0": [4], "1": [3]}, "input": 0, "output": 1, "first": None,
        "steps": [{"operation": "linear", "name": "linear", "inputs": [0], "output": 1, "numbers": {},
                   "after": None, "tables": {}, "arrays": {"weight": [0, 12], "bias": [12, 3]}}],
    }  # fmt: skip
    monkeypatch.setattr(document, "MOST_NUMBERS", 14)
    with pytest.raises(ValueError, match=r"^model: wanted a net of at most 14 numbers, got 15$"):
        document.document(program)
    many = cynet.Sequential(*(cynet.GRU(2, 2) for _ in range(12)))
    with pytest.raises(ValueError) as caught:
        document.document(lower(many, (3, 2)))
    shown = ", ".join(f"gru ({i})" for i in range(10))
    assert str(caught.value) == f"model: wanted a net of operations that a page has, got {shown}"


def test_multiplications_of_a_picture():
    """Of each weight as often as it is taken: of a transposed convolution for each pixel that comes in."""
    layers = (
        (cynet.Conv2d(2, 3, 3, stride=2, groups=1), (7, 5, 2), 3 * 2 * 54),
        (cynet.ConvTranspose2d(2, 3, 3, stride=2), (4, 5, 2), 4 * 5 * 54),
        (cynet.Linear(4, 3), (4,), 12), (cynet.BatchNorm2d(2), (4, 4, 2), 0),
    )  # fmt: skip
    for layer, shape, count in layers:
        assert writing.macs(lower(layer, shape)) == count, layer


def test_facts_of_a_page(tmp_path):
    model = cynet.Sequential(cynet.Conv2d(1, 2, 1), cynet.GlobalAvgPool2d())
    options = {"pixels": ((0.5,), (0.25,)), "kept": (5, 6), "resize": "stretch", "title": "A & <b>"}
    cynet.interop.save_html(model, tmp_path / "x.html", (4, 3, 1), **options)
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "<title>A &amp; &lt;b&gt;</title>" in text
    found = text.split('<script id="data" type="application/json">')[1].split("</script>")[0]
    facts = json.loads(found)
    del facts["net"]
    assert facts == {
        "cynet": cynet.__version__, "title": "A & <b>", "task": "classify", "classes": ["class 0", "class 1"],
        "shape": [4, 3, 1], "parameters": 4, "macs": 4 * 3 * 2, "resize": "stretch", "kept": [5, 6],
        "pictures": {"count": 0, "bytes": "", "labels": None},
    }  # fmt: skip
