"""Evaluation mode without no_grad: the plan runs, and a backward pass after it gives the right gradients."""

import copy
import pickle
import threading

import numpy as np
import pytest
from examples import NETS

import cynet
from cynet import data, nn
from cynet.core import threads
from cynet.models.registry import model as registered
from cynet.nn.compile import recall
from cynet.nn.passes import layer_by_layer

RNG = np.random.default_rng(0)
CHANGED = r"backward: wanted input, weights and layers as they were in the forward pass .* got changed ones"


def block(inputs, outputs, stride=1, shortcut=None):
    return nn.Residual(
        cynet.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1),
            nn.BatchNorm2d(outputs, affine=False),
        ),
        shortcut,
    )


def conv_norm(inputs, outputs, stride=1):
    return cynet.Sequential(nn.Conv2d(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


def every_kind():
    """Nested containers, layers that are planned, and layers that are called as they are."""
    return cynet.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        block(8, 8),
        nn.ReLU(),
        nn.Dropout(0.5),
        block(8, 16, 2, conv_norm(8, 16, 2)),
        nn.LeakyReLU(),
        nn.BatchNorm2d(16),
        cynet.Sequential(nn.MaxPool2d(3, 2, "same"), cynet.Sequential(nn.Tanh())),
        nn.Concat(conv_norm(16, 5), nn.Conv2d(16, 3, 1)),
        nn.Flatten(),
        nn.Linear(8 * 16, 24, bias=False),
        nn.BatchNorm1d(24),
        nn.ReLU(),
        nn.Linear(24, 7),
    )


def ready(model, side=16, batch=6):
    """`model` with running statistics of its own, in evaluation mode, and an input."""
    rng = np.random.default_rng(0)
    for _ in range(2):
        model(rng.standard_normal((batch, side, side, 3)).astype(np.float32))
    for _, layer in model.walk():
        layer._last = None
    return model.eval(), rng.standard_normal((batch, side, side, 3)).astype(np.float32)


def gradients(model, dy):
    model.zero_grad()
    dx = model.backward(dy)
    return [dx, *(parameter.grad.copy() for parameter in model.parameters())]


def own_gradients(model, x, dy):
    """Those of the layers themselves."""
    with layer_by_layer():
        model(x)
        return gradients(model, dy)


def assert_same(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def direction(y):
    return np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)


@pytest.mark.parametrize("make", [every_kind, *dict.fromkeys(name for name, _ in NETS)])
def test_the_output_is_the_plans_and_the_gradients_are_the_layers(make):
    least = registered.facts(make).get("least", (1,)) if isinstance(make, str) else (1,)
    side = max(16, *least)
    made = cynet.models.create(make, (side, side, 3)) if isinstance(make, str) else make()
    model, x = ready(made, side, 4)
    with cynet.no_grad():
        wanted = model(x)
    before = model.state_dict()
    y = model(x)
    np.testing.assert_array_equal(y, wanted)
    assert not model.last_pass.inner  # nothing was kept of its layers
    dy = direction(y)
    assert_same(gradients(model, dy), own_gradients(model, x, dy))
    assert not any(layer.training for _, layer in model.walk())
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_the_gradients_are_those_of_finite_differences():
    model, x = ready(cynet.Sequential(conv_norm(3, 8), nn.GELU(), nn.AvgPool2d(8)))
    y = model(x)
    dy, step = direction(y), np.float32(1e-2)
    dx = model.backward(dy)
    for place in [(0, 0, 0, 0), (3, 7, 8, 1), (5, 12, 3, 2)]:
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        with cynet.no_grad():
            wanted = np.vdot(model(up).astype(float) - model(down), dy) / (2 * float(step))
        assert dx[place] == pytest.approx(wanted, abs=1e-5)


def test_the_callers_output_may_be_written_before_backward():
    model, x = ready(every_kind())
    y = model(x)
    dy = direction(y)
    y[:] = 0
    assert_same(gradients(model, dy), own_gradients(model, x, dy))


def test_a_second_backward_needs_a_second_forward():
    model, x = ready(every_kind())
    y = model(x)
    model.backward(y)
    with pytest.raises(RuntimeError, match="wanted a forward pass before it"):
        model.backward(y)


def test_after_no_grad_there_is_still_nothing_to_go_back_through():
    model, x = ready(every_kind())
    with cynet.no_grad():
        y = model(x)
    with pytest.raises(RuntimeError, match="wanted a forward pass before it"):
        model.backward(y)


def test_of_two_passes_the_last_one_counts():
    model, x = ready(every_kind())
    other = -2 * x
    dy = direction(model(x))
    wanted = own_gradients(model, other, dy)
    model(x)
    model(other)
    assert_same(gradients(model, dy), wanted)
    model(x)
    twin = copy.deepcopy(model).train()
    cynet.seed(0)  # of dropout
    model.train()(other)  # of the two this was the last one
    found = gradients(model, dy)
    cynet.seed(0)
    twin(other)
    assert_same(found, gradients(twin, dy))
    model(x)  # in training mode
    model.eval()(other)
    assert_same(gradients(model, dy), own_gradients(model, other, dy))


def test_a_pass_within_no_grad_leaves_the_one_before_it_alone():
    model, x = ready(every_kind())
    dy = direction(model(x))
    with cynet.no_grad():
        model(-x)
    assert_same(gradients(model, dy), own_gradients(model, x, dy))


def test_training_mode_set_between_the_passes_changes_nothing():
    model, x = ready(every_kind())
    dy = direction(model(x))
    wanted = own_gradients(model, x, dy)
    model(x)
    model.train()
    before = model.state_dict()
    assert_same(gradients(model, dy), wanted)
    assert all(layer.training for _, layer in model.walk())
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def _weight(model, x):
    model[0].weight.data[0, 0, 0, 0] += 1e-3


def _last_weight(model, x):
    model[-1].weight.data *= 1.5


def _step(model, x):
    for parameter in model.parameters():
        parameter.data -= 0.01


def _new_parameter(model, x):
    model[-1].bias = cynet.Parameter(np.arange(7.0))


def _statistics(model, x):
    model[1].running_mean += 0.5


def _beside(model, x):
    model[8].running_var *= 2  # of a layer that is called as it is


def _in_a_branch(model, x):
    model[10].branches[1].weight.data[0] = 3


def _eps(model, x):
    model[1].eps = 0.5


def _slope(model, x):
    model[7].negative_slope = 0.5


def _inner_list(model, x):
    model[9].layers.append(nn.Tanh())


def _input(model, x):
    x[2, 3, 4, 1] += 0.25


@pytest.mark.parametrize("again", [False, True], ids=["", "after another pass"])
@pytest.mark.parametrize("change", [
    _weight, _last_weight, _step, _new_parameter, _statistics, _beside, _in_a_branch, _eps, _slope,
    _inner_list, _input,
], ids=lambda f: f.__name__)  # fmt: skip
def test_what_changed_between_the_passes_is_refused(change, again):
    model, x = ready(every_kind())
    y = model(x)
    change(model, x)
    if again:  # which plans the model anew
        with cynet.no_grad():
            model.eval()(x)
    with pytest.raises(RuntimeError, match=CHANGED):
        model.backward(y)
    assert model.backward(model.eval()(x)).shape == x.shape  # and the next pass is a good one


def test_a_batch_of_a_loader_that_is_gone_is_refused():
    images = RNG.integers(0, 256, (8, 3, 32, 32), np.uint8)
    dataset = data.ArrayDataset(images, np.zeros(8, int), ("a",))
    model, _ = ready(cynet.models.create("uwnet2"), 32)
    batches = iter(data.DataLoader(dataset, 4, workers=0))
    y = model(next(batches)[0])
    model.backward(y)
    y = model(next(batches)[0])
    assert next(batches, None) is None
    model.backward(y)  # the last one is still there
    batches = iter(data.DataLoader(dataset, 4, workers=0))
    y = model(next(batches)[0])
    next(batches)
    with pytest.raises(RuntimeError, match=CHANGED):
        model.backward(y)


def test_other_threads_between_the_passes_change_nothing():
    threads.set_num_threads(1)
    model, x = ready(cynet.models.create("resnet20"), 32)
    dy = direction(model(x))
    wanted = own_gradients(model, x, dy)
    model(x)
    threads.set_num_threads(3)
    assert_same(gradients(model, dy), wanted)


def test_a_plan_that_another_pass_is_in_is_waited_for_by_nobody():
    model, x = ready(every_kind())
    y = model(x)
    dy = direction(y)
    wanted = own_gradients(model, x, dy)
    model(x)
    taken = model._plans[x.shape].pop()  # as a thread in the middle of its pass has it
    assert_same(gradients(model, dy), wanted)
    np.testing.assert_array_equal(model(x), y)
    assert taken not in model._plans[x.shape]
    assert_same(gradients(model, dy), wanted)


def test_threads_without_no_grad_get_what_one_gets():
    model, x = ready(cynet.models.create("uwnet2"), 32)
    wanted, found = model(x), []

    def work():
        found.extend(np.array_equal(model(x), wanted) for _ in range(30))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [True] * 120


def test_partly_frozen_models_run_layer_by_layer_as_ever():
    model, x = ready(every_kind())
    model[-2].training = True
    y = model(x)
    assert model.last_pass.inner and "_plans" not in vars(model[9]) | vars(model[3].body)
    dy = direction(y)
    found = gradients(model, dy)
    assert_same(found, own_gradients(model, x, dy))
    model.train()
    for part in (model[3], model[9], model[10]):
        part.eval()  # a frozen part of a model that trains
    model(x)
    assert not any("_plans" in vars(layer) for _, layer in model.walk() if layer is not model)
    model.backward(dy)


class Noise(cynet.Layer):
    """A user's layer, random in evaluation mode too."""

    def __init__(self):
        self.rng, self.passes = np.random.default_rng(0), 0

    def forward(self, x):
        self.passes += 1
        factors = self.rng.standard_normal(x.shape, np.float32)
        self.save(factors)
        return x * factors

    def backward(self, dy):
        (factors,) = self.saved()
        return dy * factors


def test_a_users_layer_makes_one_pass_and_the_parts_beside_it_are_planned():
    part = cynet.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    model, x = ready(cynet.Sequential(part, noise := Noise(), nn.GlobalAvgPool2d()))
    noise.passes, noise.rng = 0, np.random.default_rng(0)
    y = model(x)
    dx = model.backward(y)
    assert noise.passes == 1 and x.shape in part._plans and "_plans" not in vars(model)
    noise.rng = np.random.default_rng(0)
    with layer_by_layer():
        model(x)
        np.testing.assert_array_equal(model.backward(y), dx)


class Net(cynet.Layer):
    """A model as users write it."""

    def __init__(self):
        self.body = cynet.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = cynet.Sequential(nn.GlobalAvgPool2d(), nn.Linear(4, 7))

    def output_shape(self, shape):
        return self.head.output_shape(self.body.output_shape(shape))

    def forward(self, x):
        return self.head(self.body(x))

    def backward(self, dy):
        return self.body.backward(self.head.backward(dy))


def test_the_parts_of_a_users_model_are_planned():
    model, x = ready(Net())
    y = model(x)
    assert x.shape in model.body._plans and model.head._plans
    dy = direction(y)
    found = gradients(model, dy)
    with layer_by_layer():
        np.testing.assert_allclose(model(x), y, atol=1e-5)
        for a, b in zip(found, gradients(model, dy), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


class Twice(cynet.Sequential):
    """A user's Sequential with a pass of its own, which counts."""

    passes = 0

    def forward(self, x):
        self.passes += 1
        return 2 * super().forward(x)

    def backward(self, dy):
        return super().backward(2 * dy)


def test_a_users_sequential_is_planned_and_not_planned_anew_for_what_it_counts():
    model, x = ready(Twice(nn.Conv2d(3, 4, 3), nn.ReLU()))
    dy = direction(model(x))
    (plan,) = model._plans[x.shape]
    assert_same(gradients(model, dy), own_gradients(model, x, dy))
    model(x)
    assert model._plans[x.shape] == [plan]
    model.layers = model.layers[:1]
    np.testing.assert_allclose(model(x), 2 * model[0](x), atol=1e-5)


def test_without_the_inputs_gradient_the_parameters_have_theirs():
    model, x = ready(cynet.models.create("uwnet2"), 32)
    dy = direction(model(x))
    wanted = own_gradients(model, x, dy)
    model.input_grad = False
    model(x)
    found = gradients(model, dy)
    assert found[0] is None
    assert_same(found[1:], wanted[1:])


def test_copies_and_pickles_hold_no_pass():
    model, x = ready(every_kind())
    y = model(x)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with pytest.raises(RuntimeError, match="wanted a forward pass before it"):
            twin.backward(y)
    model.backward(y)


def test_training_takes_the_memory_back_and_evaluation_keeps_its_plan():
    model, x = ready(every_kind())
    model(x)
    (plan,) = model._plans[x.shape]
    with cynet.no_grad():
        model(x)
    assert model._plans[x.shape] == [plan]
    model.train()(x)
    assert "_plans" not in vars(model) and not isinstance(model.last_pass.kept[0][0], recall.Sweep)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_come_back(value):
    model, x = ready(cynet.models.create("uwnet2"), 32)
    x[1, 3, 3, 1] = value
    y = model(x)
    assert np.isnan(y[1]).all()
    dy = direction(y)
    assert_same(gradients(model, dy), own_gradients(model, x, dy))


def test_an_empty_batch_and_no_layers():
    model, x = ready(cynet.models.create("uwnet2"), 32)
    y = model(x[:0])
    assert y.shape == (0, 10) and model.backward(y).shape == (0, 32, 32, 3)
    empty = cynet.Sequential().eval()
    np.testing.assert_array_equal(empty.backward(empty(x)), x)


def test_a_shape_that_does_not_fit_names_the_layer():
    model, x = ready(cynet.models.create("uwnet2"), 32)
    with pytest.raises(ValueError, match=r"layer 0: .*wanted \(N, H, W, 3\)"):
        model(np.zeros((2, 32, 32, 4), np.float32))
    model(x)
    with pytest.raises(ValueError, match=r"backward: wanted dy of shape \(6, 10\)"):
        model.backward(np.zeros((6, 9), np.float32))
