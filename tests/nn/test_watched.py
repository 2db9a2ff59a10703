"""An evaluation that was planned sees every change: parameters, statistics, attributes, lists."""

import copy

import numpy as np
import pytest
from test_evaluation import every_kind, own, planned, ready

import cynet
from cynet import nn
from cynet.nn.members import PASSING

OTHERS = {
    # attribute -> another value that fits, or None where it does not count in evaluation
    "eps": lambda old: old + 0.5, "negative_slope": lambda old: old + 0.4,
    "training": lambda old: None, "momentum": lambda old: None, "p": lambda old: None,
}  # fmt: skip


@pytest.fixture(scope="module")
def start():
    """A model, an input, and the model's paths."""
    model, x = ready(every_kind(), batch=4)
    return model, x, [path for path, _ in model.walk()]


def copied(start):
    """A copy of the model that has evaluated its input, so that it has a plan; the input; what it gave."""
    model, x, _ = start
    model = copy.deepcopy(model)
    before = planned(model, x)
    (plan,) = model._plans[x.shape]
    assert plan.fits()
    return model, x, before


def seen(model, x, before, what):
    """Whether the next evaluation is that of the changed model, and another than before."""
    wanted = own(model, x)
    got = planned(model, x)
    assert got.shape == wanted.shape, what
    np.testing.assert_allclose(got, wanted, rtol=0, atol=3e-5 * np.abs(wanted).max(), err_msg=what)
    assert before.shape != got.shape or np.abs(before - got).max() > 3e-4 * np.abs(before).max(), what


def layer_at(model, path):
    return dict(model.walk())[path]


def arrays_of(layer):
    """What a layer computes with, by name."""
    arrays = {name: parameter.data for name, parameter in layer._own()}
    names = [name for name in layer.buffers if name != "num_batches_tracked"]
    return arrays | {name: getattr(layer, name) for name in names}


def test_every_element_that_is_computed_with(start):
    """The first and the last entry of each parameter and statistic, in place, in one plan."""
    (model, x, before), without = copied(start), 0
    for path, layer in model.walk():
        for name, array in arrays_of(layer).items():
            for place in (0, -1):  # a whole filter: a single weight may meet zeros alone
                kept = array[place].copy()
                for change in (10, -10) if name != "running_var" else (40,):
                    array[place] = kept + change * (1 + abs(array).max())
                    if np.abs(own(model, x) - before).max() > 1e-3:  # else a ReLU let nothing of it through
                        break
                if np.abs(own(model, x) - before).max() > 1e-3:
                    seen(model, x, before, f"{path}.{name}[{place}]")
                else:
                    without += 1
                array[place] = kept
                np.testing.assert_array_equal(planned(model, x), before)
    assert without <= 4


@pytest.mark.parametrize("value", [0, 1])
def test_shifts_and_scales_that_were_as_a_new_net_has_them(start, value):
    """A plan may not leave out for good what changes nothing while it is made."""
    model, x, _ = start
    model, names = copy.deepcopy(model), {0: ("bias", "running_mean"), 1: ("weight", "running_var")}[value]
    found = [
        (f"{path}.{name}", array) for path, layer in model.walk() for name, array in arrays_of(layer).items()
        if name in names and array.ndim == 1
    ]  # fmt: skip
    for _, array in found:
        array[...] = value
    before = planned(model, x)
    for name, array in found:
        array[...] = value + 3 * (1 + np.arange(len(array)) % 2)
        if np.abs(own(model, x) - before).max() > 1e-3:
            seen(model, x, before, name)
        array[...] = value
        np.testing.assert_array_equal(planned(model, x), before)


def test_every_parameter_and_statistic_that_is_replaced(start):
    model, x, before = copied(start)
    for path, layer in model.walk():
        for name, array in arrays_of(layer).items():
            old = getattr(layer, name)
            new = array * 3 + 0.5
            setattr(layer, name, cynet.Parameter(new) if isinstance(old, cynet.Parameter) else new)
            seen(model, x, before, f"{path}.{name}")
            setattr(layer, name, old)
            np.testing.assert_array_equal(planned(model, x), before)
    for path, layer in model.walk():
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and layer.bias is not None:
            old, layer.bias = layer.bias, None
            seen(model, x, before, f"{path}.bias")
            layer.bias = old


@pytest.mark.parametrize("number", range(len(list(every_kind().walk()))))
def test_a_forward_that_is_set_on_any_layer(start, number):
    model, x, before = copied(start)
    path = start[2][number]
    layer = layer_at(model, path)
    real = layer.forward
    layer.forward = lambda x: 0.5 - real(x) * 1.5
    seen(model, x, before, path)
    del layer.forward
    np.testing.assert_allclose(planned(model, x), before, rtol=0, atol=3e-5 * np.abs(before).max())


@pytest.mark.parametrize("change", ["append", "insert", "remove", "replace", "other list", "reverse"])
def test_every_list_of_layers(start, change):
    for path in [path for path, layer in start[0].walk() if isinstance(layer, cynet.Sequential)]:
        model, x, before = copied(start)
        layer = layer_at(model, path)
        if change == "append":
            layer.layers.append(nn.Tanh())
        elif change == "insert":
            layer.layers.insert(0, nn.Sigmoid())
        elif change == "replace":
            layer.layers[-1] = cynet.Sequential(layer.layers[-1], nn.Sigmoid())
        elif change == "other list":
            layer.layers = [*layer.layers, nn.Sigmoid()]
        elif change == "reverse":
            layer.layers[-1:] = [nn.Sigmoid(), layer.layers[-1], nn.Tanh()]
        elif len(layer.layers) > 1 and isinstance(layer.layers[-1], (nn.BatchNorm2d, nn.Linear)):
            del layer.layers[-1]
        else:
            continue
        seen(model, x, before, f"{path}: {change}")


@pytest.mark.parametrize("name", ["body", "shortcut"])
def test_every_part_of_a_block(start, name):
    for path in [path for path, layer in start[0].walk() if isinstance(layer, nn.Residual)]:
        model, x, before = copied(start)
        layer = layer_at(model, path)
        part = getattr(layer, name)
        setattr(layer, name, nn.Sigmoid() if part is None else cynet.Sequential(part, nn.Sigmoid()))
        seen(model, x, before, f"{path}.{name}")
        before = planned(model, x)
        if part is None:
            layer.shortcut = None
            seen(model, x, before, f"{path}.{name}: none again")


def test_every_number_that_is_set(start):
    found = 0
    for path, layer in start[0].walk():
        for name, value in vars(layer).items():
            if name in PASSING or not isinstance(value, float) or OTHERS[name](value) is None:
                continue
            model, x, before = copied(start)
            setattr(layer_at(model, path), name, OTHERS[name](value))
            seen(model, x, before, f"{path}.{name}")
            found += 1
    assert found > 5


@pytest.mark.parametrize(("layer", "name", "value"), [
    (nn.Conv2d(3, 4, 3, padding=1), "stride", (2, 1)), (nn.Conv2d(3, 4, 3), "padding", (2, 0, 0, 1)),
    (nn.Conv2d(3, 4, 3), "padding", "same"), (nn.MaxPool2d(2), "stride", (1, 2)),
    (nn.MaxPool2d(2), "kernel_size", (2, 1)), (nn.MaxPool2d(2), "padding", (1, 0, 0, 1)),
    (nn.AvgPool2d(2), "stride", (1, 2)), (nn.AvgPool2d(2), "kernel_size", (1, 2)),
    (nn.AvgPool2d(2), "padding", (0, 1, 1, 0)), (nn.LeakyReLU(), "negative_slope", 0.7),
])  # fmt: skip
def test_every_setting_of_a_window(layer, name, value):
    model, x = ready(cynet.Sequential(layer, nn.Tanh()), side=9, batch=2)
    before = planned(model, x)
    setattr(layer, name, value)
    seen(model, x, before, name)


def test_another_number_of_threads_and_a_layer_in_training(start):
    model, x, before = copied(start)
    for count in (1, 3, 2):
        cynet.set_num_threads(count)
        np.testing.assert_allclose(planned(model, x), before, rtol=0, atol=1e-6)
    for path, layer in model.walk():
        if isinstance(layer, nn.BatchNorm2d):
            layer.training = True
            mean = layer.running_mean.copy()
            planned(model, x)
            assert not np.array_equal(mean, layer.running_mean), path
            layer.training = False
