"""What the weights tell on the page, by hand: filters as pictures, their change, the norms' spreads."""

import base64
import struct
import zlib

import numpy as np
import pytest
import tiny
import torch_files

import cynet
from cynet.core import random
from cynet.data import ArrayDataset
from cynet.report import evaluated, findings
from cynet.train import Settings
from cynet.train.metrics import Evaluation
from cynet.train.predictions import Predictions


def pixels(address):
    """The array in a data: address of an unfiltered PNG file."""
    data = base64.b64decode(address.partition(",")[2])
    width, height, _, colour = struct.unpack(">IIBB", data[16:26])
    size = struct.unpack(">I", data[33:37])[0]
    rows = np.frombuffer(zlib.decompress(data[41 : 41 + size]), np.uint8).reshape(height, -1)[:, 1:]
    return rows.reshape((height, width, 3) if colour == 2 else (height, width))


def convolution(weights):
    weights = np.asarray(weights, np.float32)
    layer = cynet.Conv2d(weights.shape[1], weights.shape[0], weights.shape[2:])
    layer.weight.data[...] = weights
    return cynet.Sequential(layer)


def level(value, scale):
    return int(np.rint(127.5 + 127.5 * np.clip(value / scale, -1, 1)))


def test_a_filter_is_a_picture_of_its_weights():
    weights = np.zeros((2, 3, 1, 2))
    weights[0, :, 0, 0], weights[1, :, 0, 1] = (1, -1, 0.5), (-0.5, 0, 0.25)
    found = findings.filters(convolution(weights), (8, 8, 3))
    scale = np.quantile(np.abs(weights), 0.999)
    assert (found["layer"], found["count"], found["shape"]) == ("0", 2, [3, 1, 2])
    assert found["scale"] == pytest.approx(scale, rel=1e-4) and found["before"] is found["change"] is None
    for address, weight in zip(found["after"], weights, strict=True):
        wanted = [[[level(v, scale) for v in weight[:, 0, x]] for x in (0, 1)]]
        np.testing.assert_array_equal(pixels(address), wanted)


def test_a_filter_of_other_channels_is_grey_by_their_mean():
    found = findings.filters(convolution([[[[1.0]], [[0.5]]], [[[-1.0]], [[0.0]]]]), (8, 8, 2))
    scale = np.quantile([1, 0.5, 1, 0], 0.999)
    assert [pixels(address).tolist() for address in found["after"]] == [
        [[[level(0.75, scale)] * 3]], [[[level(-0.5, scale)] * 3]]
    ]  # fmt: skip


def test_before_and_after_have_one_scale_and_a_change():
    before = convolution([[[[1.0]]], [[[0.0]]], [[[-2.0]]]])
    after = convolution([[[[0.5]]], [[[1.0]]], [[[-4.0]]]])
    found = findings.filters(after, (8, 8, 1), before)
    assert found["scale"] == pytest.approx(np.quantile([1, 0, 2, 0.5, 1, 4], 0.999), rel=1e-4)
    assert found["change"] == [0.5, None, 1.0]  # one that was nothing has no length to compare with
    assert pixels(found["before"][2]).ravel()[0] == level(-2, found["scale"])
    assert pixels(found["after"][2]).ravel()[0] == 0
    other = findings.filters(after, (8, 8, 1), convolution(np.ones((3, 2, 1, 1))))
    assert other["before"] is other["change"] is None  # of another shape


def test_only_the_first_filters_are_shown():
    weights = np.arange(1, 71, dtype=float).reshape(70, 1, 1, 1)
    found = findings.filters(convolution(weights), (8, 8, 1), convolution(weights))
    assert found["count"] == 70 and len(found["after"]) == len(found["before"]) == len(found["change"]) == 64


def test_weights_that_are_no_numbers_are_drawn_all_the_same():
    weights = [[[[np.nan]]], [[[np.inf]]], [[[-np.inf]]], [[[1.0]]]]
    found = findings.filters(convolution(weights), (8, 8, 1))
    assert found["scale"] == 1
    assert [int(pixels(address).ravel()[0]) for address in found["after"]] == [128, 255, 0, 255]


def test_the_first_layer_of_a_net_without_convolutions():
    cynet.seed(0)
    layer = cynet.Linear(2 * 3 * 1, 4)
    found = findings.filters(cynet.Sequential(cynet.Flatten(), layer), (2, 3, 1))
    assert (found["layer"], found["count"], found["shape"]) == ("1", 4, [1, 2, 3])
    first = layer.weight.data[0].reshape(2, 3)
    scale = np.quantile(np.abs(layer.weight.data), 0.999)
    np.testing.assert_array_equal(
        pixels(found["after"][0])[..., 0], [[level(v, scale) for v in row] for row in first]
    )
    assert findings.filters(cynet.Sequential(layer), (2, 3, 1)) is None  # not of a flattened picture
    assert findings.filters(cynet.Sequential(cynet.Flatten(), layer), (2, 2, 1)) is None
    assert findings.filters(cynet.Sequential(cynet.ReLU()), (2, 3, 1)) is None


def test_the_filters_of_a_linear_layer_on_colour_pictures_have_their_channels_first():
    """As `Flatten` writes them."""
    layer = cynet.Linear(3 * 4 * 3, 2)
    layer.weight.data[...] = np.random.default_rng(0).standard_normal((2, 36))
    found = findings.filters(cynet.Sequential(cynet.Flatten(), layer), (3, 4, 3))
    assert found["shape"] == [3, 3, 4]
    scale = np.quantile(np.abs(layer.weight.data), 0.999)
    for address, weights in zip(found["after"], layer.weight.data, strict=True):
        wanted = weights.reshape(3, 3, 4).transpose(1, 2, 0)
        np.testing.assert_array_equal(pixels(address), np.vectorize(level)(wanted, scale))


def test_the_spreads_of_a_norm_are_over_its_channels():
    norm, plain = cynet.BatchNorm2d(5), cynet.BatchNorm1d(2, affine=False)
    norm.running_mean[...], norm.running_var[...] = (4, 0, 1, 2, 3), (1, 4, 9, 16, np.inf)
    norm.weight.data[...], norm.bias.data[...] = (5, 1, 2, 3, 4), np.nan
    first, second = findings.norms(cynet.Sequential(norm, cynet.ReLU(), plain))
    assert first == {"path": "0", "channels": 5, "mean": [0, 1, 2, 3, 4],
                     "deviation": [1, 1.75, 2.5, 3.25, 4],
                     "gamma": [1, 2, 3, 4, 5], "beta": None}  # fmt: skip
    assert (second["path"], second["gamma"], second["beta"]) == ("2", None, None)


def test_numbers_have_five_digits_and_what_is_none_is_none():
    assert findings.numbers([1.23456789, 123456.0, float("nan"), float("inf")]) == [
        1.2346,
        123460,
        None,
        None,
    ]
    assert evaluated.number(1.23456789) == 1.23456789 and evaluated.number(float("-inf")) is None


CHANCES = np.log([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6], [0.05, 0.9, 0.05], [0.6, 0.3, 0.1]])
LABELS = np.array([0, 1, 0, 2, 1])


@pytest.fixture
def predictions():
    rows = CHANCES.copy()
    rows[4] = np.nan
    return Predictions(rows, LABELS)


def test_the_worst_mistakes_come_first(predictions):
    images = np.arange(100, 140, dtype=np.uint8).reshape(5, 2, 2, 2)
    dataset = ArrayDataset(images, LABELS, ("a", "b", "c"))
    found = findings.mistakes(predictions, dataset, 2)
    assert [(each["index"], each["label"]) for each in found] == [(3, 2), (2, 0)]
    assert found[1]["top"] == [[2, 0.6], [0, 0.2], [1, 0.2]]
    np.testing.assert_array_equal(pixels(found[0]["picture"]), images[3, 0])  # of two channels the first
    assert len(findings.mistakes(predictions, dataset)) == 3
    colours = ArrayDataset(images.repeat(2, axis=1)[:, :3], LABELS, ("a", "b", "c"))
    np.testing.assert_array_equal(
        pixels(findings.mistakes(predictions, colours)[0]["picture"]), colours[3][0]
    )


def test_an_evaluation_as_plain_numbers(predictions):
    found = findings.tested(predictions, ("a", "b", "c"))
    assert (found["accuracy"], found["samples"], found["unsure"]) == (0.2, [2, 2, 1], 1)
    assert found["confusion"] == [[1, 0, 1], [1, 0, 0], [0, 1, 0]] and found["loss"] is None
    assert found["recall"] == [0.5, 0, 0] and found["precision"] == [0.5, 0, 0]
    assert list(map(tuple, found["confused"])) == [(0, 2, 1), (1, 0, 1), (2, 1, 1)]
    assert sum(found["calibration"]["counts"]) == 4


def test_what_pictures_were_taken_for(predictions):
    class Facts:
        classes = ("a", "b", "c")

    assert list(evaluated.taken_for(predictions, Facts).items()) == [("a", 2), ("b", 1), ("c", 1)]
    sparse = Predictions(CHANCES[[3, 3, 0]], LABELS[:3])
    assert list(evaluated.taken_for(sparse, Facts).items()) == [("b", 2), ("a", 1)]


def test_a_class_without_pictures_has_no_recall():
    confusion = np.array([[2, 0], [0, 0]])
    assert findings.numbers(Evaluation(0.1, np.array([2, 0]), confusion).class_accuracy) == [1.0, None]


def test_the_deviation_of_a_batch_norm_is_the_root_of_its_variance():
    model = cynet.models.create("uwnet2", classes=2)
    layer = next(layer for _, layer in model.walk() if "running_mean" in layer.buffers)
    layer.running_var[...] = 4.0
    layer.running_mean[...] = np.arange(len(layer.running_mean))
    found = findings.norms(model)[0]
    most = len(layer.running_mean) - 1
    assert found["deviation"] == [2, 2, 2, 2, 2]
    assert found["mean"] == [0, most / 4, most / 2, 3 * most / 4, most]


@pytest.mark.parametrize(("most", "stretched"), [
    (1, True), (16, True), (31, True), (32, False), (255, False), (0, False),
])  # fmt: skip
def test_bytes_that_an_eye_would_see_as_black_are_stretched(most, stretched):
    sample = np.array([[[most], [most - most // 2], [most // 4 * 3]]], np.uint8)
    found, levels = pixels(findings.shown(sample))[0].astype(float), sample[0, :, 0]
    np.testing.assert_allclose(found, levels * (255 / most) if stretched else levels, atol=1)  # from 0 on


@pytest.mark.parametrize("seed", [None, "3", 1.5, True, [3]])
def test_first_weights_are_made_again_of_a_whole_seed_alone(seed):
    class Facts:
        def create():
            return random.get_state()["seed"]

    with pytest.raises(ValueError, match="the configuration has no seed to make the first weights"):
        findings.before({"seed": seed}, Facts)
    state = random.get_state()
    assert findings.before({"seed": 7}, Facts) == 7 and random.get_state() == state


@pytest.mark.parametrize("whiten", [True, False, None])
def test_filters_that_were_set_from_pictures_are_not_made_again(whiten):
    class Facts:
        create = staticmethod(lambda: "made again")

    if whiten:
        with pytest.raises(ValueError, match="first filters were set from the pictures that the run was"):
            findings.before({"seed": 7, "whiten": whiten}, Facts)
    else:
        assert findings.before({"seed": 7, "whiten": whiten}, Facts) == "made again"


@pytest.mark.parametrize("new_head", [False, True])
def test_first_weights_may_be_of_another_tools_file(tmp_path, new_head):
    path, settings = tmp_path / "w.pth", Settings(model="uwnet2", data="tiny", batch_size=8)
    facts = settings.resolved(tiny.tiny()).facts(tiny.tiny())
    arrays = {name: array + 1 for name, array in facts.create().state_dict().items()}
    path.write_bytes(torch_files.saved({name: torch_files.tensor(array) for name, array in arrays.items()}))
    state = random.get_state()
    found = findings.before({"seed": 7, "init_from": str(path), "new_head": new_head}, facts).state_dict()
    other = {name for name, array in arrays.items() if not np.array_equal(found[name], array)}
    assert other == ({"12.weight", "12.bias"} if new_head else set()) and random.get_state() == state


def test_so_many_mistakes_and_pairs_of_classes_are_shown():
    classes = 8
    labels = np.arange(60) % classes
    rows = np.full((60, classes), np.log(0.1 / (classes - 1)))
    rows[np.arange(60), (labels + 1 + np.arange(60) // classes % 4) % classes] = np.log(0.9)
    found = Predictions(rows, labels)
    dataset = ArrayDataset(np.zeros((60, 1, 2, 2), np.uint8), labels, tuple("abcdefgh"))
    told = findings.mistakes(found, dataset)
    assert len(told) == 24 and {len(each["top"]) for each in told} == {3}
    assert len(findings.tested(found, tuple("abcdefgh"))["confused"]) == 10


def test_a_filter_may_change_by_more_than_its_length():
    after, before = convolution([[[[3.0]]], [[[-1.0]]]]), convolution([[[[1.0]]], [[[0.5]]]])
    found = findings.filters(after, (8, 8, 1), before)
    assert found["change"] == [2, 3]
