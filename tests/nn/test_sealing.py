"""Layers whose weights can never change: evaluated as they were, and nobody changes them unnoticed."""

import copy
import pickle
import threading

import numpy as np
import pytest
from examples import EXAMPLES, NETS, made, normal
from helpers import frozen

import cynet
from cynet import nn
from cynet.core.sealed import is_sealed, sealed
from cynet.nn.parameter import Parameter
from cynet.optim.lookahead import Lookahead

X = frozen(np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype(np.float32))


def net():
    cynet.seed(4)
    return cynet.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 5),
    )


def evaluated(model, x=X):
    with cynet.no_grad():
        return model.eval()(x)


@pytest.mark.parametrize("shape", [(3, 4), (0, 2), ()])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_a_sealed_array_has_the_same_numbers_and_nobody_can_write_it(shape, dtype):
    array = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    found = sealed(array)
    assert found.shape == shape and found.dtype == dtype and np.array_equal(found, array)
    assert is_sealed(found) and is_sealed(found.reshape(-1)) and sealed(found) is found
    with pytest.raises(ValueError, match="WRITEABLE"):
        found.setflags(write=True)


def test_an_array_that_is_read_only_for_now_is_not_sealed():
    array = np.ones(3, np.float32)
    view = array[:]
    view.flags.writeable = False
    assert not is_sealed(view) and not is_sealed(array)
    pickled = pickle.loads(pickle.dumps(array))
    pickled[0] = 2
    assert not is_sealed(pickled)
    turned = sealed(np.ones((2, 3), np.float32)).T
    assert is_sealed(turned) and sealed(turned).flags.c_contiguous


@pytest.mark.parametrize("call", EXAMPLES)
def test_every_layer_gives_and_passes_back_the_same_when_it_is_sealed(call):
    layer, x = made(call), normal(EXAMPLES[call])
    twin = copy.deepcopy(layer)
    for one in (layer, twin.seal()):
        one.eval()
    cynet.seed(3)
    wanted = layer(x)
    cynet.seed(3)
    found = twin(x)
    np.testing.assert_array_equal(found, wanted)
    dy = frozen(normal(wanted.shape, 7))
    dx, dx_twin = layer.backward(dy), twin.backward(dy)
    assert (dx is None) == (dx_twin is None)
    if dx is not None:
        np.testing.assert_array_equal(dx_twin, dx)
    for one, other in zip(layer.parameters(), twin.parameters(), strict=True):
        assert other.is_sealed and not one.is_sealed
        np.testing.assert_array_equal(one.grad, other.grad)


@pytest.mark.parametrize(("name", "options"), NETS)
def test_a_sealed_net_gives_the_bytes_that_it_gave(name, options):
    model = cynet.models.create(name, **options)
    x = normal((2, 32, 32, 3), 1)
    before = evaluated(model, x)
    assert np.array_equal(evaluated(model.seal(), x), before)


def test_a_plan_of_sealed_weights_compares_and_copies_none():
    model = net().seal()
    evaluated(model)
    (plan,) = model._plans[X.shape]
    assert plan._weights.bytes == 0
    arrays = [array for name, (array, _) in model._state().items() if "num_" not in name]
    for kept, array in zip(plan._weights.copies, arrays, strict=True):
        assert is_sealed(kept) and np.shares_memory(kept, array)
    open_model = net()
    evaluated(open_model)
    (plan,) = open_model._plans[X.shape]
    assert plan._weights.bytes == sum(
        a.nbytes for n, (a, _) in open_model._state().items() if "num_" not in n
    )


def test_weights_that_are_read_only_for_a_while_are_compared():
    model = net()
    array = model[0].weight.data
    array.flags.writeable = False
    before = evaluated(model)
    array.flags.writeable = True
    array += 1
    after = evaluated(model)
    assert not np.array_equal(after, before)
    vars(model).pop("_plans")
    assert np.array_equal(evaluated(model), after)


def test_arrays_that_somebody_got_before_are_not_the_layers_any_more():
    model = net()
    before = evaluated(model)
    weight, mean = model[0].weight.data, model[1].running_mean
    part = cynet.Sequential(model[0], model[1])
    wanted = evaluated(part)
    model[0].seal()
    weight.fill(0)
    assert np.array_equal(evaluated(model), before) and np.array_equal(evaluated(part), wanted)
    model.seal()
    mean.fill(9)
    assert np.array_equal(evaluated(model), before)


def test_what_would_change_sealed_weights_is_refused():
    model = net().seal()
    before = model.state_dict()
    named = {parameter.name: parameter for parameter in model.parameters()}
    with pytest.raises(
        ValueError, match=r"0\.weight.data: wanted a parameter that can change, got a sealed one"
    ):
        named["0.weight"].data = np.zeros((8, 3, 3, 3))
    with pytest.raises(ValueError, match="read-only"):
        named["0.weight"].data[...] = 0
    with pytest.raises(ValueError, match="sealed"):
        cynet.SGD(model.parameters(), lr=0.1)
    other = {name: array + 1 for name, array in net().state_dict().items()}
    with pytest.raises(
        ValueError, match=r"values of 0\.weight: wanted an array that can be written, got a sealed one"
    ):
        model.load_state_dict(other)
    with pytest.raises(ValueError, match="running_mean: wanted an array that can be written"):
        model.train()(X)
    for name, array in model.state_dict().items():
        assert np.array_equal(array, before[name])


@pytest.mark.parametrize("kind", [cynet.SGD, cynet.Adam])
def test_an_optimiser_that_was_there_before_says_so(kind):
    model = net()
    optimizer = kind(model.parameters(), lr=0.1)
    model.seal()
    with pytest.raises(ValueError, match=r"0\.weight.data: wanted a parameter that can change"):
        optimizer.step()


def test_an_optimiser_of_other_parameters_goes_on():
    model, other = net(), net()
    optimizer = cynet.SGD(model.parameters(), lr=0.1)
    twin = cynet.SGD(copy.deepcopy(model).parameters(), lr=0.1)
    for one in (optimizer, twin):
        for parameter in one.params:
            parameter.grad.fill(1)
    twin.step()
    other.seal()
    optimizer.step()
    for one, two in zip(optimizer.params, twin.params, strict=True):
        assert np.array_equal(one.data, two.data)


def test_a_part_that_is_sealed_lets_the_rest_be_trained():
    model = net()
    model[0].seal()
    model[0].weight.requires_grad = False
    optimizer = cynet.SGD(model.parameters(), lr=0.1)
    before = model.state_dict()
    y = model.train()(X)
    model.backward(np.ones_like(y))
    optimizer.step()
    after = model.state_dict()
    assert np.array_equal(before["0.weight"], after["0.weight"])
    assert not np.array_equal(before["4.weight"], after["4.weight"])


def test_a_copy_can_be_trained_as_before():
    model = net().seal()
    twin = copy.deepcopy(model).train()
    optimizer = cynet.SGD(twin.parameters(), lr=0.1)
    y = twin(X)
    twin.backward(np.ones_like(y))
    optimizer.step()
    assert not np.array_equal(twin[0].weight.data, model[0].weight.data)
    assert not any(parameter.is_sealed for parameter in twin.parameters())


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_net_gives_the_same_bytes(protocol):
    model = net().seal()
    again = pickle.loads(pickle.dumps(model, protocol))
    assert np.array_equal(evaluated(again), evaluated(model))
    assert not any(parameter.is_sealed for parameter in again.parameters())
    assert all(array.flags.writeable for array, _ in again._state().values())


def test_buffers_of_a_users_own_layer_are_left_to_it():
    class Counting(cynet.Layer):
        buffers = ("passes",)

        def __init__(self):
            self.weight = Parameter(np.ones(3))
            self.passes = np.zeros(1, np.float32)

        def forward(self, x):
            self.passes += 1
            return x * self.weight.data

    model = cynet.Sequential(Counting()).eval().seal()
    evaluated(model)
    evaluated(model)
    assert model[0].passes == 2 and model[0].weight.is_sealed


def test_a_backward_pass_wants_the_arrays_of_its_forward_pass():
    model = net().eval()
    y = model(X)
    model.seal()
    with pytest.raises(RuntimeError, match="make that pass again"):
        model.backward(np.ones_like(y))
    wanted = net().eval()
    dx = wanted.backward(np.ones_like(wanted(X)))
    assert np.array_equal(model.backward(np.ones_like(model(X))), dx)


def test_a_state_of_the_same_values_may_be_loaded_where_a_part_is_sealed():
    model, twin = net(), net()
    model[0].seal()
    for parameter in twin[4:].parameters():
        parameter.data += 1
    model.load_state_dict(twin.state_dict())
    assert np.array_equal(evaluated(model), evaluated(twin))
    model[1].running_mean.flags.writeable = False
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"values of 1\.running_mean: wanted .* got a read-only one"):
        model.load_state_dict(before | {"1.running_mean": np.ones(8), "4.bias": np.ones(5)})
    assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())


def test_slow_weights_pass_over_statistics_that_are_sealed():
    model = net()
    model[1].seal()
    for parameter in model[1].parameters():
        parameter.requires_grad = False
    model.eval()
    slow = Lookahead(cynet.SGD(model.parameters(), lr=0.1), 1, 0.5, model)
    for parameter in model.parameters():
        parameter.grad.fill(1)
    before = model.state_dict()
    slow.step()
    assert np.array_equal(model[1].running_mean, before["1.running_mean"])
    np.testing.assert_allclose(model[4].bias.data, before["4.bias"] - 0.05, rtol=1e-6)


def test_an_optimiser_whose_parameters_were_sealed_takes_no_state():
    model = net()
    optimizer = cynet.SGD(model.parameters(), lr=0.5, momentum=0.9)
    state = optimizer.state_dict() | {"lr": np.array(0.1), "steps": np.array(3)}
    model.seal()
    with pytest.raises(ValueError, match="wanted a parameter that can change"):
        optimizer.load_state_dict(state)
    assert (optimizer.lr, optimizer.steps) == (0.5, 0)


def test_gradients_of_a_sealed_layer_cannot_be_checked_and_nothing_is_changed():
    layer = nn.Linear(4, 3).seal()
    layer.input_grad = False
    layer.weight.grad.fill(7)
    with pytest.raises(ValueError, match="wanted a parameter that can change, got a sealed one"):
        cynet.check_gradients(layer, np.ones((2, 4), np.float32))
    assert layer.input_grad is False and (layer.weight.grad == 7).all()


def test_gradients_of_statistics_that_are_sealed_can_be_checked():
    norm = nn.BatchNorm2d(3, affine=False).seal().eval()
    cynet.check_gradients(norm, normal((2, 4, 4, 3), 1))


def test_threads_evaluate_while_others_seal():
    model, wanted = net(), evaluated(net())
    found, start = [], threading.Barrier(4)

    def evaluate():
        start.wait()
        found.extend(evaluated(model) for _ in range(30))

    def seal(part):
        start.wait()
        part.seal()

    model.eval()
    evaluating = [threading.Thread(target=evaluate) for _ in range(2)]
    sealing = [threading.Thread(target=seal, args=[part]) for part in (model[:2], model)]
    for thread in evaluating + sealing:
        thread.start()
    for thread in evaluating + sealing:
        thread.join()
    assert len(found) == 60 and all(np.array_equal(one, wanted) for one in found)
