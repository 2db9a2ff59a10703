"""What weights files tell of their pictures, and what is refused in them: the drawing, names, classes."""

from dataclasses import replace

import numpy as np
import photos
import pytest

from cynet import data
from cynet.data import registry
from cynet.runs import matching
from cynet.runs.facts import Facts
from cynet.runs.session import load_initial
from cynet.train import Session, Settings, load_weights, save_weights


def facts():
    return Facts("uwnet0", False, "tiny", ("a", "b", "c"), (0.5,) * 3, (0.2,) * 3)


# -- a folder without parts ----------------------------------------------------------------------------------
def test_a_folder_without_parts_is_divided_as_the_model_was_trained(tmp_path):
    pytest.importorskip("PIL")
    root = photos.folder_of(tmp_path / "pets", b=12, c=12)
    training = data.load("image_folder", root, "train", split_seed=5)
    test = data.load("image_folder", root, "test", split_seed=5)
    settings = Settings(data="image_folder", batch_size=4, steps=1, workers=0)
    with Session(settings.resolved(len(training)), training, test) as session:
        assert session.facts.drawn == (5, 0.2)
        save_weights(tmp_path / "alone.safetensors", session.model, session.facts)
    _, told = load_weights(tmp_path / "alone.safetensors")
    found = matching.load(told, "image_folder", root, "test")
    assert told.drawn == (5, 0.2) and found.doubt is None
    np.testing.assert_array_equal(found.known.images, test.images)
    assert any("split seed 5" in note for note in found.notes)
    unknown = matching.load(replace(told, drawn=()), "image_folder", root, "test")
    assert unknown.doubt == (
        "this folder has no parts: 20 % were drawn by the split seed 0 to test with; whether the model was "
        "trained on them is not known"
    )


@pytest.mark.parametrize("drawn", [(5,), (-1, 0.2), (5, 1.0), (5, 0), ("5", 0.2), (True, 0.2)])
def test_a_note_on_the_drawing_that_is_none_is_refused(drawn):
    facts().check()
    replace(facts(), drawn=(5, 0.2)).check()
    with pytest.raises(ValueError, match=r"^drawn: wanted "):
        replace(facts(), drawn=drawn).check()


# -- what the facts claim ------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind, told, wanted", [
    (data.ArrayDataset, "shapes10", "ArrayDataset"),
    (data.ArrayDataset, "arrays", "arrays"),
    (data.ImageFolder, "shapes10", "image_folder"),
    (data.ImageFolder, "arrays", "image_folder"),
    (data.CIFAR100, "cifar10", "cifar100"),
    (type("Own", (data.ArrayDataset,), {}), "shapes10", "Own"),
    (type("Own", (data.Shapes10,), {}), "shapes10", "shapes10"),
    (data.ArrayDataset, "nothing like it", "ArrayDataset"),
])  # fmt: skip
def test_the_facts_name_the_data_set_that_was_used(kind, told, wanted):
    assert registry.name_of(object.__new__(kind), told) == wanted


def test_weights_of_classes_with_one_name_are_refused(tmp_path):
    samples = data.ArrayDataset(np.zeros((8, 3, 32, 32), np.uint8), np.arange(8) % 2, ("a", "a"))
    twice = "classes: wanted a name of its own for each class, got 'a' twice"
    with pytest.raises(ValueError, match=f"data: {twice}"):
        Session(Settings(batch_size=4, steps=1, workers=0).resolved(8), samples, samples)
    told = replace(facts(), classes=("a", "a"))
    with pytest.raises(ValueError, match=f"facts: .*: {twice}"):
        save_weights(tmp_path / "a.safetensors", told.create(), told)
    for path, error in ((3, TypeError), (None, TypeError), ("a\0.safetensors", ValueError)):
        with pytest.raises(error, match="path: wanted "):
            save_weights(path, facts().create(), facts())
        with pytest.raises(error, match="path: wanted "):
            load_weights(path)


def test_initial_weights_of_another_model_are_told_by_their_facts(tmp_path):
    other = replace(facts(), model="uwnet2", batch_norm=True)
    save_weights(tmp_path / "a.safetensors", other.create(), other)
    own = replace(other, model="resnet20")
    wanted = (
        r"that is a uwnet2 with batch norm of 3 classes and 3-channel pictures, this is a resnet20 .*: state "
        r"does not fit the model: .*; and \d+ more"
    )
    with pytest.raises(ValueError, match=wanted) as caught:
        load_initial(own.create(), tmp_path / "a.safetensors", own)
    assert str(caught.value).count("missing: ") == 10


@pytest.mark.parametrize("text", ["0", "[]", "null", "{", "[" * 4000, '"a"'])
def test_options_that_are_no_table_are_refused_by_name(text):
    with pytest.raises(ValueError, match=r"^model_option: wanted a JSON object, got "):
        replace(facts(), model_option=text).options()


# -- the ends of what is told --------------------------------------------------------------------------------
OF_FLOATS = {"kind": "float32", "picture_shape": (7, 3)}
OF_TEXTS = {"kind": "tokens", "task": "language", "picture_shape": (9,), "mean": (), "std": ()}
ENDS = {  # what is taken, and what is beyond it, each with what has to go with it
    "model": ([("x" * 1000, {})], [("x" * 1001, {}), ("", {}), (None, {})]),
    "data": ([("x" * 1000, {})], [("x" * 1001, {}), ("", {}), (3, {})]),
    "model_option": ([("x" * 4096, {}), (None, {})], [("x" * 4097, {}), ("", {}), (3, {})]),
    "batch_norm": ([(True, {}), (False, {})], [(0, {}), (None, {})]),
    "classes": (
        [(("a",), {}), (("x" * 1000, "b"), {}), (tuple(map(str, range(1 << 15))), {})],
        [((), {}), (("x" * 1001,), {}), (("a", ""), {}), (["a"], {}), (("a", "b", "a"), {}),
         (tuple(map(str, range((1 << 15) + 1))), {})],
    ),
    "picture_shape": (
        [((1, 1, 3), {}), ((1 << 14, 341, 3), {}),
         ((1, 1 << 14, 256), {"mean": (0.5,) * 256, "std": (1.0,) * 256}),
         ((1 << 22, 3), OF_FLOATS), ((1 << 16,), {"mean": (0.0,) * (1 << 16), "std": (1.0,) * (1 << 16)})],
        [((1 << 14, 342, 3), {}), ((0, 1, 3), {}), (((1 << 14) + 1, 1, 3), {}), ((1, (1 << 14) + 1, 3), {}),
         ((1, 1, 257), {"mean": (0.5,) * 257, "std": (1.0,) * 257}), (((1 << 22) + 1, 3), {}),
         (((1 << 16) + 1,), {}), ((1, 1, 1, 3), {}), ((), {}), ([1, 1, 3], {}), ((1.0, 1, 3), {}),
         ((True, 1, 3), {})],
    ),
    "mean": (
        [((1e6, -1e6, 0), {}), ((1e30, -1e30, 0.0), OF_FLOATS)],
        [((1.1e6, 0, 0), {}), ((0, 0, -1.1e6), {}), ((1.1e30, 0, 0), OF_FLOATS), ((0.5, 0.5), {}),
         ((float("nan"), 0, 0), {}), ((True, 0, 0), {}), (("0", 0, 0), {}), ([0, 0, 0], {}),
         ((0.5,), OF_TEXTS)],
    ),
    "std": (
        [((1e-12, 1e6, 1), {}), ((1e-30, 1e30, 1.0), OF_FLOATS)],
        [((9e-13, 1, 1), {}), ((1.1e6, 1, 1), {}), ((9e-31, 1, 1), OF_FLOATS), ((1.1e30, 1, 1), OF_FLOATS),
         ((0.0, 1, 1), {}), ((-1, 1, 1), {}), ((1, 1), {}), ((float("inf"), 1, 1), {})],
    ),
    "resize": ([("crop", {}), ("stretch", {})], [("", {}), ("pad", {}), (None, {})]),
    "tta": ([("", {}), ("flip", {}), ("flip,shift", {}), ("diagonal", {})],
            [("shift,flip", {}), ("x", {}), ("flip,", {}), (None, {})]),
    "drawn": ([((), {}), ((0, 0.5), {}), ((2**63 - 1, 1e-9), {})],
              [((2**63, 0.5), {}), ((0, 1.0), {}), ((0, 0.0), {}), ((0, 1), {}), ((0.0, 0.5), {}),
               ((1,), {})]),
    "task": ([("multilabel", {}), ("regress", {}), ("language", OF_TEXTS)],
             [("segment", {}), (None, {}), ("language", {}), ("classify", OF_TEXTS)]),
    "kind": ([("uint8", {}), ("float32", {})], [("float64", {}), (None, {}), ("tokens", {})]),
    "fold": ([(True, OF_TEXTS), (False, {})], [(True, {}), (0, {}), (1, OF_TEXTS)]),
    "kept": ([((), {}), ((32, 32), {}), ((1 << 14, 32), {})],
             [((31, 32), {}), ((1 << 14, 1 << 14), {}), ((32,), {})]),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_a_fact_is_taken_to_its_very_ends_and_not_beyond(name):
    good, bad = ENDS[name]
    for value, beside in good:
        replace(facts(), **beside | {name: value}).check()
    for value, beside in bad:
        with pytest.raises(ValueError, match=r"^\w+(\[\d+\])?: wanted "):
            replace(facts(), **beside | {name: value}).check()


@pytest.mark.parametrize(("change", "words"), [
    ({"classes": ()}, "classes: wanted a list of 1 to 32,768 names, got 0"),
    ({"classes": "ab"}, "classes: wanted a list of 1 to 32,768 names, got 'ab'"),
    ({"classes": ("a", 3)}, "classes[1]: wanted a text of 1 to 1,000 letters, got 3"),
    ({"mean": (0.5,)}, "mean: wanted 3 numbers, got (0.5,)"),
    ({"std": (1, 0, 1)}, "std: wanted"),
    ({"picture_shape": (64, 512, 513), "mean": (0,) * 513, "std": (1,) * 513}, "picture_shape: wanted"),
    ({"picture_shape": (4096, 4096, 3)},
     "picture_shape: wanted at most 16,777,216 values, got 50,331,648, of (4096, 4096, 3)"),
    ({"task": "segment"}, "task: wanted one of classify, multilabel, regress, language, got 'segment'"),
    ({"kind": "float64"}, "kind: wanted one of uint8, float32, tokens, got 'float64'"),
    ({"task": "language"}, "kind: wanted tokens of task language alone, got uint8 of language"),
    (OF_TEXTS | {"picture_shape": (9, 2)}, "picture_shape: wanted a length of tokens, got (9, 2)"),
    ({"fold": True}, "fold: wanted false of uint8, got true"),
    ({"vocabulary": {}}, "vocabulary: wanted none of uint8, got {}"),
    ({"tta": "shift,flip"}, "tta: wanted views such as flip,shift, got 'shift,flip'"),
    ({"net": 3}, "net: "), ({"kept": (31, 64)}, "kept: wanted"),
    ({"kept": (1 << 14, 1 << 10)}, "kept: wanted at most 16,777,216 values, got 50,331,648"),
])  # fmt: skip
def test_a_fact_that_is_none_is_told_with_what_was_wanted(change, words):
    with pytest.raises(ValueError) as caught:
        replace(facts(), **change).check()
    assert str(caught.value).startswith(words) and (
        words.endswith((": ", "wanted")) or str(caught.value) == words
    )


def test_the_output_of_a_text_is_after_each_token():
    own = facts()
    assert own.output_shape == (3,) and own.kept_shape == (32, 32, 3)
    assert replace(own, **OF_TEXTS).output_shape == (9, 3)
    assert replace(own, kept=(40, 48)).kept_shape == (40, 48, 3)
    assert replace(own, batch_norm=True).is_normed and not own.is_normed
    assert not replace(own, batch_norm=True, model="net.py:model").is_normed
