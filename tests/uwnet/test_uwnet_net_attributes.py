"""A net whose layers or weights are set between the passes, and layers that stand at several places."""

import numpy as np
import pytest

import cynet
from cynet import uwnet


def two_layers():
    cynet.seed(4)
    return uwnet.make_net([uwnet.make_connected_layer(3, 3), uwnet.make_activation_layer(uwnet.LRELU)])


NOT_LAYERS = [
    None, [], (), 3, "x", [None], {}, [uwnet.make_activation_layer(0), 3], np.zeros(4), [[]], object(),
]  # fmt: skip


@pytest.mark.parametrize("use", [
    lambda net, _: uwnet.forward_net(net, np.ones((2, 3))), lambda net, _: uwnet.update_net(net, 0.1, 0, 0),
    lambda net, _: uwnet.run_net_image(net, np.ones((3, 1, 1))), lambda net, _: net.n,
    lambda net, _: repr(net),
    lambda net, _: uwnet.accuracy_net(net, uwnet.Data(np.ones((2, 3)), np.ones((2, 3)))),
    lambda net, path: uwnet.save_weights(net, path / "w"),
    lambda net, path: uwnet.load_weights(net, path / "w"),
    lambda net, _: uwnet.train_image_classifier(net, uwnet.Data(np.ones((2, 3)), np.eye(2)), 2, 1, 0.1, 0, 0),
])  # fmt: skip
def test_layers_set_to_what_they_cannot_be_are_refused_by_name(use, tmp_path):
    net = two_layers()
    for value in NOT_LAYERS:
        net.layers = value
        with pytest.raises((TypeError, ValueError), match=r"layers(\[\d\])?: wanted"):
            use(net, tmp_path)


@pytest.mark.parametrize("change", [
    *(lambda net, value=value: setattr(net, "layers", value) for value in NOT_LAYERS),
    lambda net: net.layers.reverse(), lambda net: net.layers.append(uwnet.make_activation_layer(uwnet.RELU)),
    lambda net: net.layers[0].forward(np.zeros((5, 3))), lambda net: setattr(net.layers[1], "kind", 0),
    lambda net: uwnet.accuracy_net(net, uwnet.Data(np.ones((5, 3)), np.ones((5, 3)))),
    lambda net: uwnet.forward_net(uwnet.make_net(net.layers[::-1]), np.ones((1, 3))),
    lambda net: setattr(net.layers[0], "w", np.ones((3, 3))),
])  # fmt: skip
def test_whatever_is_changed_between_the_passes_backward_is_that_of_the_pass_that_was_made(change):
    x, dy = np.random.default_rng(1).standard_normal((2, 2, 3))
    net, same = two_layers(), two_layers()
    layer = net.layers[0]
    for each in (net, same):
        uwnet.forward_net(each, x)
    change(net)
    assert np.array_equal(uwnet.backward_net(net, dy), uwnet.backward_net(same, dy))
    assert np.array_equal(layer.dw, same.layers[0].dw) and np.array_equal(layer.db, same.layers[0].db)


def test_weights_loaded_between_the_passes_do_not_change_the_gradient(tmp_path):
    x, dy = np.random.default_rng(1).standard_normal((2, 2, 3))
    net, same = two_layers(), two_layers()
    other = uwnet.make_net([uwnet.make_connected_layer(3, 3)])
    uwnet.save_weights(other, tmp_path / "w")
    for each in (net, same):
        uwnet.forward_net(each, x)
    uwnet.load_weights(net, tmp_path / "w")
    assert np.array_equal(net.layers[0].w, other.layers[0].w)
    assert np.array_equal(uwnet.backward_net(net, dy), uwnet.backward_net(same, dy))


def test_a_backward_pass_of_a_net_wants_its_forward_pass():
    net = two_layers()
    net.layers[0].forward(np.ones((2, 3)))
    with pytest.raises(RuntimeError, match="net: backward wanted a forward pass before it, got none"):
        uwnet.backward_net(net, np.ones((2, 3)))
    uwnet.forward_net(net, np.ones((2, 3)))
    with pytest.raises(ValueError, match="x: wanted"):
        uwnet.forward_net(net, np.ones((2, 4)))
    with pytest.raises(RuntimeError, match="net: backward wanted a forward pass"):
        uwnet.backward_net(net, np.ones((2, 3)))


def test_a_layer_at_two_places_of_a_net_and_in_another():
    layer = uwnet.make_connected_layer(3, 3)
    net, other = uwnet.make_net([layer, layer]), uwnet.make_net([layer])
    x, dy, unrelated = np.random.default_rng(2).standard_normal((3, 2, 3))
    w = layer.w.astype(float)
    np.testing.assert_allclose(uwnet.forward_net(net, x), x @ w @ w, atol=1e-5)
    uwnet.forward_net(other, unrelated)
    np.testing.assert_allclose(uwnet.backward_net(net, dy), dy @ w.T @ w.T, atol=1e-5)
    dw = (x @ w).T @ dy + x.T @ (dy @ w.T)
    np.testing.assert_allclose(layer.dw, dw, atol=1e-5)
    uwnet.update_net(net, 0.1, 0.5, 0)
    np.testing.assert_allclose(layer.w, w - 0.1 * dw, atol=1e-5)  # one step, though it stands there twice
    np.testing.assert_allclose(layer.dw, 0.5 * dw, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Setting the (shape|dtype) on a NumPy array:DeprecationWarning")
def test_weights_that_were_set_in_place_are_not_written(tmp_path):
    net = two_layers()
    vars(net.layers[0])["w"].dtype = np.int32
    with pytest.raises(ValueError, match=r"\.w: wanted a contiguous|\.w: wanted a float32"):
        uwnet.save_weights(net, tmp_path / "w")
    assert not list(tmp_path.iterdir())
