"""Models and data sets of one's own: registered, trained by their names, and refused where they are none."""

import numpy as np
import pytest
import tiny

import cynet
from cynet import data, models, nn
from cynet.data import registry
from cynet.models.registry import model as registered
from cynet.runs import Settings, matching, places

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def forgotten():
    """Registries that forget what a test has added."""
    known = {each: set(each.names()) for each in (registered, registry.dataset)}
    yield
    for each, names in known.items():
        for name in set(each.names()) - names:
            each.remove(name)


def small(batch_norm, classes, channels):
    return nn.Sequential(nn.GlobalAvgPool2d(), nn.Flatten(), nn.Linear(channels, classes))


def test_a_model_of_ones_own_is_trained_saved_and_read_by_its_name(forgotten, tmp_path):
    assert models.register()(small) is small and models.names()[-1] == "small"
    assert models.create("small", classes=3)(np.zeros((2, 32, 32, 3), np.float32)).shape == (2, 3)
    data.register("mine", tiny.tiny)
    settings = Settings(model="small", data="mine", batch_size=8, workers=0, threads=1, steps=4)
    found = cynet.runs.start(settings, tmp_path / "run", report=False, say=None)
    model, facts = cynet.runs.open(found.folder).load()
    assert (found.status, facts.model, facts.data) == ("finished", "small", "mine")
    assert len(list(model.walk())) == len(list(small(True, 3, 3).walk()))


def test_a_cell_that_is_run_twice_registers_anew(forgotten):
    for count in (3, 4):
        cell = {"models": models, "data": data, "nn": nn, "tiny": tiny.tiny, "__name__": "__main__"}
        cell["count"] = count
        exec(
            "@models.register()\ndef cell(batch_norm, classes, channels):\n"
            "    return nn.Sequential(nn.Flatten(), nn.Linear(32 * 32 * channels, count))\n"
            "def pictures(root, split):\n    return tiny()\n"
            "data.register('cell', pictures)\n",
            cell,
        )
        assert models.create("cell")(np.zeros((1, 32, 32, 3), np.float32)).shape == (1, count)
        assert len(data.load("cell")) == 64
    with pytest.raises(ValueError, match="name: wanted one that is not taken, got 'cell'"):
        data.register("cell", tiny.tiny)
    with pytest.raises(ValueError, match="name: wanted one that is not taken, got 'shapes10'"):
        data.register("shapes10", tiny.tiny)


@pytest.mark.parametrize("made", [None, 3, np.zeros(3), lambda: None, nn.Linear])
def test_what_is_no_layer_or_no_data_set_is_refused_by_the_name_of_its_function(forgotten, made):
    def wrong(*given, **options):
        return made

    models.register()(wrong)
    data.register("wrong", wrong)
    maker = r"test_what\S+<locals>\.wrong"
    with pytest.raises(TypeError, match=rf"^wrong: wanted a Layer from {maker}, got {type(made).__name__}$"):
        models.create("wrong")
    with pytest.raises(TypeError, match=rf"^wrong: wanted an ArrayDataset .*, got {type(made).__name__}$"):
        data.load("wrong")


@pytest.mark.parametrize("name", ["", "<lambda>", "a/../b", ".a", "-a"])
def test_names_that_are_none_are_refused(name):
    with pytest.raises(ValueError, match="name: wanted letters"):
        data.register(name, tiny.tiny)
    with pytest.raises(ValueError, match="got '<lambda>'"):
        models.register()(lambda batch_norm, classes, channels: None)
    with pytest.raises(TypeError, match="@model: wanted a class or function, got"):
        models.register()(small(True, 3, 3))


def test_what_is_said_of_ones_own_data_counts(forgotten):
    taken = []

    def pictures(root, split, **options):
        taken.append((root, options))
        return tiny.tiny()

    data.register("own_pictures", pictures, own=True, pictures=True, fetched=True, drawn=True)
    assert "own_pictures" in registry.OWN and registry.PICTURES.__contains__("own_pictures")
    with pytest.raises(ValueError, match="root: wanted the place of the files of own_pictures, got none"):
        data.load("own_pictures")
    data.load("own_pictures", "here", skip_damaged=True, download=True, split_seed=3)
    assert taken == [("here", {"skip_damaged": True, "download": True, "split_seed": 3})]
    with pytest.raises(cynet.runs.RefusedError, match="data_dir: wanted the place of the files of own"):
        cynet.runs.start(Settings(data="own_pictures"), say=None)
    with pytest.raises(TypeError, match=r"^owned: wanted one of fetched, own, "):
        data.register("other", pictures, owned=True)
    with pytest.raises(TypeError, match=r"^own: wanted True or False, got 3"):
        data.register("other", pictures, own=3)


def test_data_that_are_fitted_get_the_size_of_the_model_and_those_embedded_have_no_place(forgotten, tmp_path):
    taken = []

    def pictures(root, split, **options):
        taken.append(options)
        return tiny.tiny()

    data.register("mine_fitted", pictures, fitted=True)
    facts = Settings(data="tiny").facts(tiny.tiny())
    assert len(matching.load(facts, "mine_fitted", None, "train").known) == 64
    assert taken == [{"size": (32, 32), "resize": "crop", "channels": 3}]
    data.register("mine_embedded", tiny.tiny, embedded=True)
    assert places.is_embedded("mine_embedded") and places.is_embedded("shapes10")
    assert not places.is_embedded("mine_fitted")
    with pytest.raises(cynet.runs.RefusedError, match="mine_embedded is made by code and reads no files"):
        cynet.runs.start(Settings(data="mine_embedded", data_dir=str(tmp_path)), say=None)
