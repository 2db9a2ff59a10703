"""What X, nets and parameters the estimators take, and what they say of others."""

import numpy as np
import pytest

pytest.importorskip("sklearn.base")

import cynet
from cynet.sklearn import CNNClassifier, CNNRegressor
from cynet.train import Diverged

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (12, 8, 6, 3)).astype(np.uint8)
Y = np.arange(12) % 2
ONCE = {"epochs": 1, "random_state": 0}


def linear(shape, outputs, width=4):
    hidden = cynet.Linear(int(np.prod(shape)), width)
    return cynet.Sequential(
        *([cynet.Flatten()] if len(shape) > 1 else []), hidden, cynet.Linear(width, outputs)
    )


def test_pictures_may_be_rows():
    pictures = CNNClassifier(**ONCE).fit(PICTURES, Y)
    rows = CNNClassifier(**ONCE, image_shape=(8, 6, 3)).fit(PICTURES.reshape(12, -1), Y)
    assert pictures.input_shape_ == rows.input_shape_ == (8, 6, 3) and pictures.n_features_in_ == 144
    wanted = pictures.predict_proba(PICTURES)
    for given in (PICTURES, PICTURES.reshape(12, -1), PICTURES.tolist()):
        assert np.allclose(rows.predict_proba(given), wanted, atol=1e-6)


def test_bytes_and_floats_of_the_same_pixels_are_alike():
    of_bytes = CNNClassifier(**ONCE).fit(PICTURES, Y)
    assert of_bytes.mean_ == pytest.approx(PICTURES.mean(axis=(0, 1, 2)))
    assert of_bytes.std_ == pytest.approx(PICTURES.std(axis=(0, 1, 2)))
    of_floats = CNNClassifier(**ONCE).fit(PICTURES.astype(float), Y)
    for x in (PICTURES, PICTURES.astype(np.float32), PICTURES.astype(np.int64)):
        assert np.allclose(of_bytes.predict_proba(x), of_floats.predict_proba(x), atol=1e-5)


def test_samples_are_standardised_or_not():
    ones = cynet.Sequential(cynet.Linear(2, 1, bias=False))
    ones.parameters()[0].data = [[1.0, 1.0]]
    x, y = np.array([[0, 10], [4, 10], [8, 10.0]]), np.array([-1.0, 0.0, 1.0])
    still = {"epochs": 1, "learning_rate": 1e-30}
    found = CNNRegressor(ones, **still).fit(x, y)
    scale = y.std()
    assert (found.mean_.tolist(), found.std_[1]) == ([4, 10], 1) and found.std_[0] == pytest.approx(
        x[:, 0].std()
    )
    assert found.predict(x) == pytest.approx(np.array([-1.2247449, 0, 1.2247449]) * scale)
    found = CNNRegressor(ones, **still, standardize=False).fit(x, y)
    assert found.predict(x) == pytest.approx(x.sum(axis=1) * scale)
    bytes_ = CNNRegressor(ones, **still, standardize=False).fit(x.astype(np.uint8), y)
    assert bytes_.predict(x) == pytest.approx(x.sum(axis=1) / 255 * scale)


def test_signals_and_grey_pictures_by_their_shape():
    x = RNG.standard_normal((12, 20, 2))
    signals = CNNRegressor(**ONCE, image_shape=(20, 2)).fit(x, Y)
    assert signals.input_shape_ == (20, 2) and "Conv1d" in str(signals.model_)
    assert signals.predict(x).shape == signals.predict(x.reshape(12, -1)).shape == (12,)
    grey = CNNClassifier(**ONCE, image_shape=(8, 6, 1)).fit(PICTURES[..., 0], Y)
    assert (grey.predict(PICTURES[..., 0]) == grey.predict(PICTURES[..., :1])).all()


@pytest.mark.parametrize(("x", "options", "said"), [
    (PICTURES[..., 0], {}, r"X: wanted \(n, features\) or .* got samples of shape \(8, 6\)"),
    (PICTURES.transpose(0, 3, 1, 2), {}, r"X: wanted channels last, as of numpy.moveaxis\(X, 1, -1\)"),
    (PICTURES, {"image_shape": (8, 6, 4)}, "image_shape: wanted a shape of 144 numbers, as X has"),
    (PICTURES, {"image_shape": 3}, r"image_shape: wanted \(height, width, channels\), .* got 3"),
    (PICTURES, {"image_shape": (8, 6, 0)}, r"image_shape\[2\]: wanted at least 1, got 0"),
    (PICTURES, {"image_shape": (2, 2, 6, 6)}, "image_shape: wanted "),
    (PICTURES, {"epochs": 0}, "epochs: wanted at least 1, got 0"),
    (PICTURES, {"batch_size": 2.5}, "batch_size: wanted an int, got 2.5"),
    (PICTURES, {"learning_rate": -1}, r"learning_rate: wanted a number in \(0, inf\], got -1"),
    (PICTURES, {"optimizer": "rmsprop"}, "optimizer: wanted one of sgd"),
    (PICTURES, {"momentum": 2}, "momentum: wanted a number"),
    (PICTURES, {"schedule": "steps"}, "schedule: wanted one of constant, cosine, one-cycle, got 'steps'"),
    (PICTURES, {"augment": "flop"}, "augment: wanted names out of"),
    (PICTURES / 255, {"augment": "flip"}, "augment: wanted pictures of uint8"),
    (PICTURES, {"augment": "random-resized-crop:4x4"}, r"augment: wanted the size of the pictures \(8, 6\)"),
    (PICTURES, {"standardize": 2}, "standardize: wanted True or False, got 2"),
    (PICTURES, {"warm_start": "no"}, "warm_start: wanted True or False, got 'no'"),
    (PICTURES, {"n_jobs": 0}, "n_jobs: wanted None, a number from 1"),
    (PICTURES, {"n_jobs": "two"}, "n_jobs: wanted an int, got 'two'"),
    (PICTURES, {"early_stopping": True, "validation_fraction": 1.0}, "validation_fraction: wanted a number"),
    (PICTURES, {"early_stopping": True, "n_iter_no_change": 0}, "n_iter_no_change: wanted at least 1"),
    (PICTURES, {"model": "uwnet9"}, "model: wanted one of .*, got 'uwnet9'"),
    (PICTURES, {"model": "lenet5"}, r"input_shape: wanted .* of at least \(16, 16, 1\) for lenet5"),
    (PICTURES, {"model": "uwnet2", "model_options": {"depth": 3}}, "depth: wanted an option of uwnet2"),
    (PICTURES, {"model_options": {"depth": 3}}, "model_options: wanted a model beside it"),
    (PICTURES, {"model": "uwnet2", "model_options": [3]}, "model_options: wanted a dict"),
    (PICTURES, {"model": linear, "model_options": {"width": {3}}}, "model_options: wanted plain values"),
    (PICTURES, {"model": 7}, "model: wanted a function, a Layer or a name, got 7"),
    (PICTURES, {"model": lambda shape, outputs: None}, "wanted a cynet.Layer, got None"),
    (PICTURES, {"model": cynet.Sequential(cynet.Flatten(), cynet.Linear(144, 3))}, "wanted an output"),
])  # fmt: skip
def test_what_cannot_be_is_said(x, options, said):
    with pytest.raises((TypeError, ValueError), match=said):
        CNNClassifier(**{**ONCE, **options}).fit(x, Y)


def test_other_samples_than_it_was_fitted_on_are_refused():
    found = CNNClassifier(**ONCE).fit(PICTURES, Y)
    with pytest.raises(
        ValueError, match=r"^X: wanted samples of shape \(8, 6, 3\), or rows of 144 numbers, got \(6, 8"
    ):
        found.predict(PICTURES.transpose(0, 2, 1, 3))
    with pytest.raises(ValueError, match="X has 4 features"):
        found.predict(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="at least two classes, got 1 class"):
        CNNClassifier(**ONCE).fit(PICTURES, np.zeros(12))
    with pytest.raises(ValueError, match="y: wanted numbers of shape"):
        CNNRegressor(**ONCE, warm_start=True).fit(PICTURES, Y).fit(PICTURES, np.stack([Y, Y], axis=1))


def test_a_net_by_name_function_file_or_itself(tmp_path):
    by_name = CNNClassifier("resnet20", model_options={"batch_norm": False}, **ONCE).fit(PICTURES, Y)
    assert "BatchNorm2d" not in str(by_name.model_) and by_name.predict_proba(PICTURES).shape == (12, 2)
    by_function = CNNClassifier(linear, model_options={"width": 7}, **ONCE).fit(PICTURES, Y)
    assert "Linear(144, 7" in str(by_function.model_)
    file = tmp_path / "net.py"
    file.write_text(
        "import cynet\ndef small(shape, outputs):\n"
        "    return cynet.Sequential(cynet.GlobalAvgPool2d(), cynet.Linear(shape[-1], outputs))\n"
    )
    by_file = CNNClassifier(f"{file}:small", **ONCE).fit(PICTURES, Y)
    assert "GlobalAvgPool2d" in str(by_file.model_)
    net = linear((8, 6, 3), 2)
    before = {name: array.copy() for name, array in net.state_dict().items()}
    itself = CNNClassifier(net, **ONCE).fit(PICTURES, Y)
    assert all((array == before[name]).all() for name, array in net.state_dict().items())
    started = {name: np.abs(a - before[name]).max() for name, a in itself.model_.state_dict().items()}
    assert 0 < max(started.values()) < 0.1, "from the weights that it had"


def test_augmentation_changes_what_is_trained_on():
    plain, turned, mixed = (
        CNNClassifier(**ONCE, augment=text).fit(PICTURES, Y).model_.state_dict()
        for text in (None, "crop:1,flip", "mixup")
    )
    for other in (turned, mixed):
        assert any((plain[name] != other[name]).any() for name in plain)


def test_a_rest_of_a_single_sample_is_left_for_another_epoch():
    """Batch norm would have one value of each channel."""
    net = cynet.Sequential(cynet.Linear(3, 4), cynet.BatchNorm1d(4), cynet.Linear(4, 1))
    x = RNG.standard_normal((101, 3))
    found = CNNRegressor(net, batch_size=10, **ONCE).fit(x, x[:, 0])
    assert int(found.model_.state_dict()["1.num_batches_tracked"]) == 10
    found = CNNRegressor(net, batch_size=1000, **ONCE).fit(x, x[:, 0])
    assert int(found.model_.state_dict()["1.num_batches_tracked"]) == 1


def test_a_training_that_diverges_says_so():
    x = RNG.standard_normal((50, 3)).astype(np.float32)
    with pytest.raises(Diverged, match="loss is"), np.errstate(all="ignore"):
        CNNRegressor(optimizer="sgd", learning_rate=1e9, epochs=9, random_state=0).fit(x, x[:, 0])


def test_a_net_that_gives_no_numbers_is_found_out():
    found = CNNRegressor(**ONCE).fit(PICTURES, Y)
    found.model_.parameters()[-1].data = [np.nan]
    with pytest.raises(ValueError, match="X: wanted samples for which the net gives finite numbers"):
        found.predict(PICTURES)
