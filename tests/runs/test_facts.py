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
