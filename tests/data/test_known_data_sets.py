"""Data sets by their names: what may be said of one, what a path may be, what a set is called."""

import numpy as np
import pytest

from cynet import data
from cynet.data import registry
from cynet.data.sets import shapes10
from cynet.data.sets.array_files import from_npy


def made(root, split):
    return data.ArrayDataset(np.zeros((2, 1, 2, 2), np.uint8), [0, 1])


@pytest.mark.parametrize("fact", registry.FACTS)
@pytest.mark.parametrize("value", [1, 0, None, "yes", np.True_])
def test_a_fact_is_true_or_false(fact, value):
    with pytest.raises(TypeError, match=f"{fact}: wanted True or False, got "):
        data.register("nothing", made, **{fact: value})
    assert "nothing" not in data.names()


def test_no_other_fact_may_be_said():
    with pytest.raises(TypeError, match=f"^odd: wanted one of {', '.join(registry.FACTS)}$"):
        data.register("nothing", made, odd=True)
    for wrong in ((5, made), ("nothing", 5)):
        with pytest.raises(TypeError, match="register: wanted a str and a callable, got "):
            data.register(*wrong)
    assert "nothing" not in data.names()


@pytest.mark.parametrize("lacks", registry.NEEDED)
def test_what_lacks_a_part_of_a_data_set_is_refused_when_it_is_made(lacks):
    parts = {name: () for name in registry.NEEDED if name != lacks}
    make = registry._watched("mine", lambda root, split: type("Partly", (), parts)())
    with pytest.raises(TypeError, match=r"^mine: wanted an ArrayDataset from [\w.<>]+<lambda>, got Partly$"):
        make(None, "train")


@pytest.mark.parametrize(("name", "kind"), [
    ("a.npz", "arrays"), ("A.NPZ", "arrays"), ("a.zip", None), ("none.npz", None), ("folder", "image_folder"),
    ("listed", "image_list"), ("plain", "arrays"), ("short", "arrays"), ("folder.npz", "image_folder"),
    ("a\0b", None), ("a" * 5000, None), (None, None), (7.5, None),
])  # fmt: skip
def test_what_a_path_looks_like(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    for file in ("a.npz", "A.NPZ", "a.zip"):
        (tmp_path / file).touch()
    for folder, file in (
        ("folder", "x"), ("listed", "a.labels"), ("plain", "train_images.npy"), ("short", "x_train.npy"),
        ("folder.npz", "x"),
    ):  # fmt: skip
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).touch()
    assert registry.kind_of(name) == kind
    alone = ("arrays", name) if kind == "arrays" else (name, None)
    assert registry.placed(name) == alone and registry.placed(name, "place") == (name, "place")


def test_a_set_of_arrays_is_called_so_only_where_somebody_said_it(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.zeros((2, 1, 2, 2), np.uint8))
    found = from_npy(tmp_path / "x.npy", np.array([0, 1]))
    assert registry.name_of(found, "arrays") == "arrays"
    assert registry.name_of(found, "cifar10") == "ArrayDataset"
    monkeypatch.setattr(shapes10, "COUNTS", {"test": 500})
    small = data.load("shapes10", split="test")
    assert registry.name_of(small, "arrays") == registry.name_of(small, "cifar10") == "shapes10"


@pytest.mark.parametrize("seed", [0, 2**31, 2**63 - 1])
def test_every_seed_of_63_bits_may_draw(monkeypatch, seed):
    monkeypatch.setattr(shapes10, "COUNTS", {"test": 500})
    assert len(data.load("shapes10", split="test", split_seed=seed)) == 500


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5])
def test_no_other_seed_may(seed):
    with pytest.raises((TypeError, ValueError), match=rf"split_seed: wanted .*, got {seed}"):
        data.load("shapes10", split="test", split_seed=seed)


def test_a_data_set_of_ones_own_is_asked_for_its_place_as_it_was_given():
    asked = []

    def mine(root, split):
        asked.append((root, split))
        return made(root, split)

    data.register("placed", mine)
    try:
        data.load("placed")
        data.load("placed", "a/b", "test")
    finally:
        registry.dataset.remove("placed")
    assert asked == [(None, "train"), ("a/b", "test")]
