"""Initial weights and the keys that they are drawn with."""

import numpy as np
import pytest
from helpers import run_python

import cynet
from cynet.core import random
from cynet.nn import init


@pytest.mark.parametrize("shape", [(400, 50), (64, 16, 3, 3), (32, 1, 5, 7), (10, 2), (256, 3), (5000, 1)])
def test_weights_are_uniform_within_the_root_of_two_over_the_inputs(shape):
    random.seed(0)
    bound = np.sqrt(2 / np.prod(shape[1:]))
    w = np.concatenate([init.weights(shape).ravel() for _ in range(-(-20_000 // int(np.prod(shape))))])
    assert w.dtype == np.float32 and np.abs(w).max() <= bound * (1 + 1e-6)
    assert w.max() > 0.998 * bound and w.min() < -0.998 * bound
    scale = np.sqrt(len(w))
    assert abs(w.mean()) < 4 * bound / np.sqrt(3) / scale  # of four standard errors
    assert abs(w.var() - bound**2 / 3) < 4 * bound**2 * np.sqrt(4 / 45) / scale
    counts = np.histogram(w, 10, (-bound, bound))[0]
    assert np.abs(counts - len(w) / 10).max() < 4.5 * np.sqrt(len(w) * 0.09)


@pytest.mark.parametrize(("layer", "inputs"), [
    (lambda: cynet.Linear(50, 400), 50), (lambda: cynet.Conv2d(16, 64, 3), 144),
    (lambda: cynet.Conv2d(16, 640, 3, groups=4), 36), (lambda: cynet.Conv2d(64, 64, (5, 7), groups=64), 35),
])  # fmt: skip
def test_a_layer_begins_with_weights_for_its_inputs_and_no_bias(layer, inputs):
    random.seed(1)
    layer = layer()
    bound = np.sqrt(2 / inputs)
    assert 0.99 * bound < np.abs(layer.weight.data).max() <= bound * (1 + 1e-6)
    assert not layer.bias.data.any()


def test_batch_norm_begins_as_the_identity_of_normal_numbers():
    layer = cynet.BatchNorm2d(3)
    assert (layer.weight.data == 1).all() and not layer.bias.data.any()
    assert (layer.running_var == 1).all() and not layer.running_mean.any() and layer.num_batches_tracked == 0


def test_every_draw_of_a_seed_is_its_own_and_comes_again():
    def draws(seed):
        random.seed(seed)
        return [init.weights((3, 5)).tobytes() for _ in range(4)]

    assert draws(3) == draws(3) and len({*draws(3), *draws(4), *draws(2**63 - 1)}) == 12
    random.seed(3)
    init.weights((3, 5))
    state = random.get_state()
    assert state == {"seed": 3, "draws": 1}
    after = init.weights((3, 5)).tobytes()
    assert state == {"seed": 3, "draws": 1}, "a copy"
    init.weights((2, 2))
    random.set_state(state)
    assert init.weights((3, 5)).tobytes() == after
    assert (random.next_key(), random.next_key(), random.get_state()["draws"]) == ((3, 2), (3, 3), 4)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, True, None])
def test_no_seed(seed):
    before = random.get_state()
    with pytest.raises((TypeError, ValueError), match="seed: wanted"):
        random.seed(seed)
    assert random.get_state() == before


def test_the_first_weights_of_a_seed_are_for_ever():
    """A training that is repeated with a later version begins with the same ones, layer by layer."""
    cynet.seed(7)
    conv, linear = cynet.Conv2d(2, 1, 2), cynet.Linear(3, 2)
    wanted = [-0.3362735, 0.3720734, 0.4722633, -0.2046347, -0.1858723, -0.0799024, 0.1942509, -0.0946078]
    np.testing.assert_allclose(conv.weight.data.ravel(), wanted, rtol=1e-6, atol=1e-7)
    wanted = [0.4050448, 0.6245657, -0.16083789, -0.21385962, -0.11903226, 0.02787459]
    np.testing.assert_allclose(linear.weight.data.ravel(), wanted, rtol=1e-6, atol=1e-7)
    done = run_python("-c", "from cynet.core import random; print(random.get_state())")
    assert done.stdout == "{'seed': 0, 'draws': 0}\n", "without a seed it is 0: every start is the same"


def test_a_state_that_is_none_changes_nothing():
    random.seed(5)
    for state in ({"seed": 6, "draws": -1}, {"seed": 6, "draws": 1.0}, {"seed": -1, "draws": 3}):
        with pytest.raises((TypeError, ValueError), match="wanted"):
            random.set_state(state)
        assert random.get_state() == {"seed": 5, "draws": 0}


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (3, 5, 3, 3), (4, 2, 2, 5), (2, 2, 1, 1)])
def test_diracs_filters_hand_their_channel_on_and_the_others_stay(shape):
    random.seed(0)
    weight = init.weights(shape)
    before = weight.copy()
    init.dirac(weight)
    outputs, inputs, height, width = shape
    for i in range(outputs):
        if i < inputs:
            wanted = np.zeros(shape[1:])
            wanted[i, height // 2, width // 2] = 1
        else:
            wanted = before[i]
        np.testing.assert_array_equal(weight[i], wanted)
    with pytest.raises(ValueError, match=r"weight: wanted filters \(out, in, height, width\), got \(2, 3\)"):
        init.dirac(np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("filters", [2, 8, 24])
def test_whitened_patches_have_unit_variance_and_no_covariance(filters):
    rng = np.random.default_rng(0)
    patches = rng.standard_normal((2000, 12)) @ rng.standard_normal((12, 12))
    moments = patches.T @ patches / len(patches)
    weight = np.zeros((filters, 3, 2, 2), np.float32)
    init.whitening(weight, moments, eps=0.0)
    half = filters // 2
    np.testing.assert_array_equal(weight[half:], -weight[:half])
    found = weight[:half].reshape(half, -1).astype(np.float64)
    np.testing.assert_allclose(found @ moments @ found.T, np.eye(half), atol=1e-4)
    lengths = np.linalg.norm(found, axis=1)
    assert (np.diff(lengths) > 0).all(), "the strongest pattern comes first"
    assert (np.take_along_axis(found, np.abs(found).argmax(1)[:, None], 1) > 0).all()
    np.testing.assert_allclose(lengths[0], np.linalg.eigvalsh(moments)[-1] ** -0.5, rtol=1e-6)


def test_whitening_bounds_what_patches_never_show_and_refuses_other_numbers_of_filters():
    weight = np.zeros((8, 1, 2, 2), np.float32)
    init.whitening(weight, np.full((4, 4), 0.25))  # all pixels equal
    assert np.linalg.norm(weight[0]) == pytest.approx((1 + 5e-4) ** -0.5, rel=1e-6)
    np.testing.assert_allclose(np.linalg.norm(weight[1:4].reshape(3, -1), axis=1), 5e-4**-0.5, rtol=1e-3)
    for filters in (7, 10):
        wanted = f"weight: wanted an even number of filters, at most 8, got {filters}"
        with pytest.raises(ValueError, match=wanted):
            init.whitening(np.zeros((filters, 1, 2, 2), np.float32), np.eye(4))
