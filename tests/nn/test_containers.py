"""Sequential, Residual, Concat, and a layer that a user wrote in NumPy."""

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import cynet
from cynet import Concat, Conv2d, Layer, Linear, Parameter, ReLU, Residual, Sequential
from cynet.nn.passes import grad_enabled

RNG = np.random.default_rng(0)


class Scale(Layer):
    """y = x * weight, in NumPy alone."""

    def __init__(self, channels):
        self.weight = Parameter(np.full(channels, 2.0))

    def forward(self, x):
        self.save(x)
        return x * self.weight.data

    def backward(self, dy):
        (x,) = self.saved()
        self.weight.grad += (dy * x).sum(axis=(0, 1, 2))
        return dy * self.weight.data


def build():
    return Sequential(
        Conv2d(3, 8, 3, padding=1),
        Residual(Sequential(Scale(8), cynet.Tanh(), Conv2d(8, 8, 3, padding=1))),
        Concat(Sequential(), Conv2d(8, 4, 1)),
        Residual(Conv2d(12, 6, 3, 2, 1), Conv2d(12, 6, 1, 2)),
        cynet.GlobalAvgPool2d(),
        Linear(6, 5),
    )


def test_gradients_of_a_graph_by_finite_differences():
    model, x = build(), RNG.standard_normal((2, 6, 6, 3)).astype(np.float32)
    dy = RNG.standard_normal((2, 5)).astype(np.float32)
    model(x)
    dx = model.backward(dy)
    step = np.float32(1e-2)

    def loss():
        return np.vdot(model(x).astype(float), dy)

    for array, gradient in [(x, dx)] + [(p.data, p.grad) for p in model.parameters()]:
        for place in list(np.ndindex(array.shape))[:: max(1, array.size // 7)]:
            before = array[place]
            array[place] = before + step
            up = loss()
            array[place] = before - step
            down = loss()
            array[place] = before
            assert abs((up - down) / (2 * step) - gradient[place]) < 2e-3 * max(1, abs(gradient[place]))


def test_names_are_paths_and_states_round_trip():
    model, other = build(), build()
    names = [p.name for p in model.parameters()]
    assert names[:4] == ["0.weight", "0.bias", "1.body.0.weight", "1.body.2.weight"]
    assert "3.shortcut.weight" in names and "2.1.bias" in names and len(set(names)) == len(names)
    assert list(model.state_dict()) == names
    other.load_state_dict(model.state_dict())
    x = RNG.standard_normal((2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(model(x), other(x))


def test_state_dict_is_a_copy():
    model = build()
    state = model.state_dict()
    state["0.weight"][:] = 7
    assert not (model[0].weight.data == 7).any()


def test_a_state_that_does_not_fit_lists_all_and_changes_nothing():
    model = build()
    before = model.state_dict()
    state = {k: v + 1 for k, v in before.items()}
    del state["0.bias"]
    state |= {"5.weight": np.zeros((5, 7)), "more": np.zeros(1), "2.1.bias": np.array(["a"] * 4)}
    with pytest.raises(ValueError) as error:
        model.load_state_dict(state)
    for part in ("missing: 0.bias", "unexpected: more", "5.weight: wanted (5, 6), got (5, 7)", "2.1.bias"):
        assert part in str(error.value)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_train_and_eval_reach_every_layer():
    model = build()
    assert model.eval() is model
    assert not any(layer.training for _, layer in model.walk())
    model.train()
    assert all(layer.training for _, layer in model.walk())


@pytest.mark.parametrize("model, shape, path", [
    (Sequential(Conv2d(3, 4, 3), Conv2d(5, 4, 3)), (1, 9, 9, 3), "layer 1: Conv2d(5, 4"),
    (Sequential(Residual(Sequential(ReLU(), Conv2d(4, 3, 1)))), (1, 9, 9, 3), "layer 0.body.1: Conv2d(4, 3"),
    (Sequential(Residual(Conv2d(3, 4, 3))), (1, 9, 9, 3), "layer 0: Residual("),
    (Sequential(Concat(Conv2d(3, 4, 3), ReLU())), (1, 9, 9, 3), "layer 0: Concat("),
])  # fmt: skip
def test_shape_errors_name_the_layer_by_its_path(model, shape, path):
    with pytest.raises(ValueError) as error:
        model(np.zeros(shape, np.float32))
    assert str(error.value).startswith(path)


def test_a_custom_layer_whose_result_is_wrong_is_told_so():
    class Wide(Scale):
        def forward(self, x):
            return super().forward(x).astype(np.float64)

    class Flat(Scale):
        def forward(self, x):
            return super().forward(x).reshape(len(x), -1)

    x = np.ones((1, 4, 4, 8), np.float32)
    with pytest.raises(TypeError, match=r"Wide.forward result: wanted dtype float32"):
        Sequential(Wide(8))(x)
    with pytest.raises(
        ValueError, match=r"Flat.forward returned shape \(1, 128\) where its output_shape says"
    ):
        Sequential(Flat(8))(x)


def test_sequential_is_a_list_of_its_layers():
    model = build()
    assert len(model) == 6 and list(model)[5] is model[-1]
    assert isinstance(model[:2], Sequential) and model[:2][1] is model[1]
    assert repr(Sequential(ReLU())) == "Sequential(ReLU())"


def test_empty_sequential_passes_its_input_on():
    x = np.ones((2, 3), np.float32)
    empty = Sequential()
    assert empty(x) is x and empty.backward(x) is x


def test_no_grad_is_of_one_thread():
    inside, leave = threading.Event(), threading.Event()

    def other():
        with cynet.no_grad():
            inside.set()
            leave.wait(60)
            return grad_enabled()

    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(other)
        assert inside.wait(60) and grad_enabled()
        with cynet.no_grad():
            leave.set()
            assert not result.result(60)
        assert grad_enabled()


def test_no_grad_keeps_nothing():
    model, x = build(), np.ones((1, 8, 8, 3), np.float32)
    with cynet.no_grad():
        model(x)
    with pytest.raises(RuntimeError, match="wanted a forward pass before it"):
        model.backward(np.ones((1, 5), np.float32))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copy_trains_on_as_the_original_does(duplicate):
    model, x = build(), RNG.standard_normal((2, 6, 6, 3)).astype(np.float32)
    optimizer = cynet.SGD(model.parameters(), 0.1, momentum=0.9)

    def step(model, optimizer):
        dy = model(x)
        optimizer.zero_grad()
        model.backward(dy)
        optimizer.step()

    step(model, optimizer)
    model(x)  # a pass is under way
    before = model.state_dict()
    other = duplicate((model, optimizer))
    step(*other)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    step(model, optimizer)
    for name, array in other[0].state_dict().items():
        np.testing.assert_array_equal(array, model.state_dict()[name])
