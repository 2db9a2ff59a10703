"""Models and data sets of one's own: registered, trained by their names, and refused where they are none."""

import numpy as np
import pytest
import tiny

import cynet
from cynet import data, models, nn
from cynet.data import registry
from cynet.models.registry import model as registered
from cynet.runs import Settings, checkpoint, matching, places, state


@pytest.fixture
def forgotten():
    """Registries that forget what a test has added."""
    known = {each: set(each.names()) for each in (registered, registry.dataset)}
    yield
    for each, names in known.items():
        for name in set(each.names()) - names:
            each.remove(name)


def small(input_shape, classes, width=4, batch_norm=True):
    norm = [nn.BatchNorm2d(width)] if batch_norm else []
    first = nn.Conv2d(input_shape[-1], width, 1)
    return nn.Sequential(first, *norm, nn.GlobalAvgPool2d(), nn.Linear(width, classes))


def earlier(batch_norm, classes, channels):
    return nn.Sequential(nn.GlobalAvgPool2d(), nn.Flatten(), nn.Linear(channels, classes))


def test_a_model_of_ones_own_is_trained_saved_and_read_by_its_name(forgotten, tmp_path):
    assert models.register()(small) is small and models.names()[-1] == "small"
    assert models.create("small", classes=3)(np.zeros((2, 32, 32, 3), np.float32)).shape == (2, 3)
    data.register("mine", tiny.tiny)
    settings = Settings(model="small", data="mine", batch_size=8, workers=0, threads=1, steps=4)
    found = cynet.runs.start(settings, tmp_path / "run", report=False, say=None)
    model, facts = cynet.runs.open(found.folder).load()
    assert (found.status, facts.model, facts.data) == ("finished", "small", "mine")
    assert len(list(model.walk())) == len(list(small((32, 32, 3), 3).walk()))


def test_the_options_of_ones_own_are_those_of_its_signature(forgotten):
    models.register()(small)
    assert models.options("small") == {"width": 4, "batch_norm": True}
    assert models.create("small", (8, 8, 2), 3, width=7, batch_norm=False)[0].out_channels == 7
    for given, words in (
        (
            {"widht": 7},
            r"widht: wanted an option of small, width or batch_norm, got widht=7 \(did you mean width\?\)",
        ),
        ({"batchnorm": False}, r"batchnorm: wanted .* \(did you mean batch_norm\?\)"),
        ({"batch_norm": 0}, "batch_norm: wanted True or False, got 0"),
    ):
        with pytest.raises((TypeError, ValueError), match=f"^{words}"):
            models.create("small", **given)
    with pytest.raises(ValueError, match=r"^dropout: wanted none, got dropout=0\.1: lenet5 has no options"):
        models.create("lenet5", dropout=0.1)
    with pytest.raises(ValueError, match=r"^name: wanted one of .* got 'smal' \(did you mean small\?\)"):
        models.options("smal")


def test_a_function_of_any_options_gets_them_and_one_of_none_is_said(forgotten):
    taken = []

    def anything(input_shape, classes, **options):
        taken.append((input_shape, classes, options))
        return small(input_shape, classes)

    def nothing():
        return small((8, 8, 3), 2)

    for function in (anything, nothing):
        models.register()(function)
    models.create("anything", [8, 8, 3], 2, depth=3)
    assert taken == [((8, 8, 3), 2, {"depth": 3})] and models.options("anything") == {}
    wanted = (
        r"nothing: wanted a function of \(input_shape, classes, \*\*options\), got .*nothing\(\): too many"
    )
    with pytest.raises(TypeError, match=wanted):
        models.create("nothing")


def test_a_function_of_batch_norm_classes_and_channels_is_called_as_it_was(forgotten):
    models.register()(earlier)
    assert models.options("earlier") == {"batch_norm": True}
    assert models.create("earlier", (5, 6, 2), 7, batch_norm=False)[2].weight.shape == (7, 2)
    taken = []

    def older(batch_norm, classes, channels):
        taken.append((batch_norm, classes, channels))
        return earlier(batch_norm, classes, channels)

    models.register()(older)
    for given in ({}, {"batch_norm": False}, {"batch_norm": True}):
        models.create("older", (5, 6, 2), 7, **given)
    assert taken == [(True, 7, 2), (False, 7, 2), (True, 7, 2)]
    with pytest.raises(TypeError, match=r"^batch_norm: wanted True or False, got 1"):
        models.create("older", (5, 6, 2), 7, batch_norm=1)


def test_every_kind_of_argument_that_a_function_may_have_beside_its_two(forgotten):
    def of_many(input_shape, classes, width, *more, depth=2, wide=False, **options):
        return small(input_shape, classes, width)

    models.register()(of_many)
    assert models.options("of_many") == {"width": None, "depth": 2, "wide": False}
    assert models.create("of_many", (4, 4, 1), 3, width=5, other=1)[0].out_channels == 5
    with pytest.raises(TypeError, match=r"^wide: wanted True or False, got 'no'"):
        models.create("of_many", (4, 4, 1), 3, width=5, wide="no")
    with pytest.raises(
        TypeError, match=r"^of_many: wanted a function of .* got .*of_many\(.*: missing a req"
    ):
        models.create("of_many", (4, 4, 1), 3)


def test_a_least_shape_is_told_with_its_axes():
    for name, shape, words in (
        (
            "vgg_small",
            (8, 7, 1),
            "(height, width, channels) of at least (8, 8, 1) for vgg_small, got (8, 7, 1)",
        ),
        ("conv1d_small", (3, 3, 3), "(length, channels) of at least (1, 1) for conv1d_small, got (3, 3, 3)"),
        ("language_model", (3, 4), "(length,) of tokens of at least (1,) for language_model, got (3, 4)"),
    ):
        with pytest.raises(ValueError) as caught:
            models.create(name, shape)
        assert str(caught.value) == f"input_shape: wanted {words}"
    for shape, words in (
        ((32, 0, 3), "input_shape[1]: wanted at least 1, got 0"),
        (np.zeros(3), "input_shape: wanted a tuple of sizes, as (32, 32, 3), got array([0., 0., 0.])"),
        ([], "input_shape: wanted a tuple of sizes, as (32, 32, 3), got []"),
    ):
        with pytest.raises((TypeError, ValueError)) as caught:
            models.create("uwnet0", shape)
        assert str(caught.value) == words


@pytest.mark.parametrize("name", ["vgg_small", "uwnet0", "lenet5"])
def test_a_net_is_made_for_the_pictures_of_its_run(forgotten, tmp_path, name):
    """Weights and checkpoint tell the shape that the net was made for, and are held to it."""

    def pictures(root, split):
        rng = np.random.default_rng(split == "test")
        return data.ArrayDataset(
            rng.integers(0, 256, (16, 2, 24, 17)).astype(np.uint8), np.arange(16) % 2, ["a", "b"]
        )

    data.register("oblong", pictures)
    settings = Settings(model=name, data="oblong", batch_size=8, workers=0, threads=1, steps=2)
    found = cynet.runs.start(settings, tmp_path / "run", report=False, say=None)
    model, facts = cynet.runs.open(found.folder).load()
    assert facts.picture_shape == (24, 17, 2) and model.output_shape((3, 24, 17, 2)) == (3, 2)
    tensors, kept = checkpoint.load(found.folder / checkpoint.NAME)
    assert state.checked(tensors, kept)[1].input_shape == (24, 17, 2)
    for other in ([32, 32, 3], [2**12, 2**12, 2]):
        with pytest.raises(ValueError, match=r"shape of model\.\d+\.weight|weights: wanted at most"):
            state.checked(tensors, kept | {"input_shape": other})
    for odd in ([], [0, 1, 2], "24", [24.0, 17, 2], None):
        with pytest.raises(ValueError, match=r"input_shape"):
            state.checked(tensors, kept | {"input_shape": odd})


def test_pictures_that_are_too_small_and_a_norm_that_there_is_not_are_refused(forgotten):
    def pictures(root, split):
        return data.ArrayDataset(np.zeros((16, 3, 6, 9), np.uint8), np.arange(16) % 2, ["a", "b"])

    data.register("little", pictures)
    wanted = r"^model: vgg_small cannot take the pictures of little, 6 x 9 x 3: .* of at least \(8, 8, 1\)"
    with pytest.raises(cynet.runs.RefusedError, match=wanted):
        cynet.runs.start(Settings(model="vgg_small", data="little", batch_size=8, steps=1), say=None)
    wanted = r"^batch_norm: wanted True for lenet5, which has no such option, got False"
    with pytest.raises(cynet.runs.RefusedError, match=wanted):
        settings = Settings(model="lenet5", data="tiny", batch_size=8, steps=1, batch_norm=False)
        cynet.runs.start(settings, say=None)


def test_a_cell_that_is_run_twice_registers_anew(forgotten):
    for count in (3, 4):
        cell = {"models": models, "data": data, "nn": nn, "tiny": tiny.tiny, "__name__": "__main__"}
        cell["count"] = count
        exec(
            "@models.register()\ndef cell(input_shape, classes):\n"
            "    return nn.Sequential(nn.Flatten(), nn.Linear(32 * 32 * input_shape[-1], count))\n"
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
        models.register()(lambda input_shape, classes: None)
    with pytest.raises(TypeError, match="@model: wanted a class or function, got"):
        models.register()(small((32, 32, 3), 3))


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
