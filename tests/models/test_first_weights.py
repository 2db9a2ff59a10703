"""The weights that nets begin with, and the settings of their layers that no count of parameters tells."""

import numpy as np
import pytest

import cynet
from cynet import models

HE = 2.0  # the variance's bound squared times the inputs of a sum, of layers by themselves


def created(name, shape=(32, 32, 3), **options):
    cynet.seed(3)
    return models.create(name, shape, **options)


def of_kind(model, kind):
    return [(path, layer) for path, layer in model.walk() if isinstance(layer, kind)]


def bound(layer):
    """The largest weight, by that of a layer by itself: near 1 where there are many."""
    return float(np.abs(layer.weight.data).max() * np.sqrt(np.prod(layer.weight.shape[1:]) / HE))


def test_airbench_begins_with_diracs_filters_and_smaller_weights():
    model = created("airbench94")
    for path, conv in of_kind(model, cynet.Conv2d):
        if path == "whiten":
            assert bound(conv) == pytest.approx(1, rel=0.05) and conv.bias is not None
            continue
        weight = conv.weight.data
        outputs, inputs = weight.shape[:2]
        same = min(outputs, inputs)
        wanted = np.zeros((same, inputs, 3, 3))
        wanted[np.arange(same), np.arange(same), 1, 1] = 1
        np.testing.assert_array_equal(weight[:same], wanted, path)
        if outputs > same:
            rest = np.abs(weight[same:]).max() * np.sqrt(inputs * 9 / HE)
            assert rest == pytest.approx(0.5**0.5, rel=0.02), path
        assert conv.bias is None and conv.padding == (1, 1, 1, 1)
    assert bound(model.layers["fc"]) == pytest.approx(0.5**0.5 / 9, rel=0.02)


def test_airbenchs_norms_have_a_shift_alone_and_forget_soon():
    norms = [norm for _, norm in of_kind(created("airbench94"), cynet.BatchNorm2d)]
    assert [norm.num_features for norm in norms] == [64, 64, 256, 256, 256, 256]
    assert {(norm.eps, norm.momentum, norm.affine) for norm in norms} == {(1e-12, 0.4, "bias")}


def test_squeezenet_begins_with_three_times_the_variance_but_in_its_last_layer():
    model = created("squeezenet1_1")
    for path, conv in of_kind(model, cynet.Conv2d):
        few = conv.weight.size < 4000
        wanted = 1 if path == "classifier.1" else 3**0.5
        assert bound(conv) == pytest.approx(wanted, rel=0.05 if few else 0.01), path


@pytest.mark.parametrize("name", ["resnet20", "resnet18", "mobilenet_v2", "vgg_small", "lenet5", "uwnet0"])
def test_other_nets_begin_with_the_weights_of_their_layers(name):
    model = created(name)
    for path, layer in of_kind(model, (cynet.Conv2d, cynet.Linear)):
        assert 0.9 < bound(layer) <= 1.000001, path
        assert layer.bias is None or not layer.bias.data.any()
    for path, norm in of_kind(model, (cynet.BatchNorm1d, cynet.BatchNorm2d)):
        assert (norm.eps, norm.momentum, norm.affine) == (1e-5, 0.1, True), path
        assert (norm.weight.data == 1).all() and not norm.bias.data.any()


@pytest.mark.parametrize(("name", "shape", "sizes"), [
    ("uwnet1", (32, 32, 3), [16, 8, 4, 2]), ("uwnet1", (33, 47, 1), [(17, 24), (9, 12), (5, 6), (3, 3)]),
    ("uwnet2", (32, 32, 3), [8, 4]), ("vgg_small", (32, 32, 3), [16, 8, 4]), ("lenet5", (32, 32, 1), [14, 5]),
    ("airbench94", (32, 32, 3), [15, 7, 3]), ("airbench94", (9, 12, 1), [(4, 5), (2, 2), (1, 1)]),
    ("squeezenet1_1", (33, 40, 3), [(8, 9), (4, 4), (2, 2)]), ("resnet18", (32, 50, 3), [(8, 13)]),
    ("densenet_bc_40_12", (32, 32, 3), [16, 8]), ("conv1d_small", (256, 1), [128, 64, 32]),
    ("conv1d_small", (255, 2), [128, 64, 32]), ("conv1d_small", (5, 1), [3, 2, 1]),
])  # fmt: skip
def test_what_the_pools_of_a_net_leave_of_its_input(name, shape, sizes):
    pools = (cynet.MaxPool2d, cynet.nn.AvgPool2d)  # and those over sequences, which come from these
    found = []
    for _, layer, given in created(name, shape).trace((1, *shape)):
        if isinstance(layer, pools):
            found.append(layer.output_shape(given)[1:-1])
    wanted = [size if isinstance(size, tuple) else (size,) * (len(shape) - 1) for size in sizes]
    assert found == wanted
