"""Threads at one model that trains: the second is refused in a sentence, or both get what one thread gets."""

import contextlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import cynet
from cynet import nn

BUSY = "Sequential: thread '{}' wanted a training pass while thread '{}' is in one: give each thread a model"
REPLACED = "{}.backward: wanted the pass of thread '{}', got that of thread '{}', made since: give each"


class Pausing(cynet.Layer):
    """A user's layer that waits in a pass, once `at` names that."""

    at = None

    def __init__(self):
        self.inside, self.go = threading.Event(), threading.Event()

    def pause(self, name):
        if self.at == name:
            self.at = None  # once
            self.inside.set()
            assert self.go.wait(60)

    def forward(self, x):
        self.pause("forward")
        return x

    def backward(self, dy):
        self.pause("backward")
        return dy


def model_of(*last):
    return cynet.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Tanh(), *last,
        nn.GlobalAvgPool2d(), nn.Linear(4, 5),
    )  # fmt: skip


class Net(cynet.Layer):
    """A model as users write it, without a Sequential."""

    def __init__(self):
        self.one, self.two = nn.Linear(6, 4), nn.Linear(4, 3)

    def output_shape(self, shape):
        return shape[0], 3

    def forward(self, x):
        return self.two(self.one(x))

    def backward(self, dy):
        return self.one.backward(self.two.backward(dy))


def pictures(count=1):
    rng = np.random.default_rng(0)
    found = [rng.standard_normal((4, 8, 8, 3)).astype(np.float32) for _ in range(count)]
    return found if count > 1 else found[0]


@pytest.fixture
def other():
    """`other(work, *arguments)` is what another thread, named "other", returns, or the error it raises."""

    def named():
        threading.current_thread().name = "other"

    with ThreadPoolExecutor(1, initializer=named) as pool:
        yield lambda work, *arguments: pool.submit(work, *arguments).result(60)


def test_a_training_pass_in_another_threads_is_refused_at_once():
    model, x = model_of(pausing := Pausing()), pictures()
    wanted = model.backward(model(x))
    with ThreadPoolExecutor(1, "first") as pool:
        for at in ("forward", "backward"):
            pausing.at = at
            pausing.inside.clear()
            pausing.go.clear()
            first = pool.submit(lambda: model.backward(model(x)))
            try:
                assert pausing.inside.wait(60)
                for refused in (lambda: model(x), lambda: model.backward(wanted)):
                    with pytest.raises(RuntimeError, match=BUSY.format("MainThread", "first_0")):
                        refused()
            finally:
                pausing.go.set()
            assert np.array_equal(first.result(60), wanted)
    assert np.array_equal(model.backward(model(x)), wanted)


@pytest.mark.parametrize("training", [True, False])
def test_a_backward_whose_pass_another_thread_replaced_is_refused(other, training):
    model, (x, z) = model_of().train(training), pictures(2)
    wanted = model.backward(dy := model(z))
    model(x)
    assert np.array_equal(other(model, z), dy)
    with pytest.raises(RuntimeError, match=REPLACED.format("Sequential", "MainThread", "other")):
        model.backward(dy)
    assert np.array_equal(other(model.backward, dy), wanted), "whose pass it is may go on"
    with pytest.raises(RuntimeError, match="wanted a forward pass before it"):
        model.backward(dy)
    assert np.array_equal(model.backward(model(z)), wanted)


def test_a_users_model_is_refused_too(other):
    model, rng = Net(), np.random.default_rng(0)
    x, z = (rng.standard_normal((2, 6)).astype(np.float32) for _ in range(2))
    model(x)
    dy = other(model, z)
    with pytest.raises(RuntimeError, match=REPLACED.format("Net", "MainThread", "other")):
        model.backward(dy)


def test_a_pass_may_be_handed_to_another_thread(other):
    model, x = model_of(), pictures()
    wanted = model.backward(dy := model(x))
    model(x)
    assert np.array_equal(other(model.backward, dy), wanted)
    other(model, x)
    assert np.array_equal(model.backward(dy), wanted)


def test_threads_that_take_turns_train_as_one():
    def trained(turns):
        cynet.seed(0)
        model, loss = model_of(), cynet.CrossEntropyLoss()
        optimizer, labels = cynet.SGD(model.parameters(), 0.1, 0.9), np.arange(4)

        def step(x):
            loss(model(x), labels)
            model.zero_grad()
            model.backward(loss.backward())
            optimizer.step()

        with contextlib.ExitStack() as stack:
            pools = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(turns)]
            for i, x in enumerate(pictures(6)):
                pools[i % turns].submit(step, x).result(60)
        return model.state_dict()

    wanted, found = trained(1), trained(3)
    assert all(np.array_equal(found[name], array) for name, array in wanted.items())


@pytest.mark.parametrize("model", [model_of(), model_of().eval(), nn.Tanh()], ids=["net", "eval", "one"])
def test_an_evaluation_in_no_grad_leaves_another_threads_pass_alone(other, model):
    def evaluated():
        with cynet.no_grad():
            for _, layer in model.walk():
                if not isinstance(layer, nn.Linear):
                    layer(np.zeros((2, 8, 8, 4 if isinstance(layer, nn.BatchNorm2d) else 3), np.float32))

    x = pictures()
    wanted = model.backward(dy := model(x))
    model(x)
    other(evaluated)
    assert np.array_equal(model.backward(dy), wanted)


@pytest.mark.parametrize("loss", [cynet.CrossEntropyLoss(), cynet.MSELoss()], ids=lambda loss: repr(loss))
def test_a_loss_that_another_thread_replaced_is_refused(other, loss):
    def call(y):
        target = np.zeros(4, int) if isinstance(loss, cynet.CrossEntropyLoss) else np.zeros_like(y)
        loss(y, target)

    y = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    call(y)
    wanted = loss.backward()
    call(y)
    other(call, 2 * y)
    with pytest.raises(RuntimeError, match=REPLACED.format(type(loss).__name__, "MainThread", "other")):
        loss.backward()
    assert not np.array_equal(other(loss.backward), wanted)
    call(y)
    assert np.array_equal(loss.backward(), wanted)


def test_a_loss_in_no_grad_leaves_another_threads_gradient_alone(other):
    loss, y = cynet.MSELoss(), np.ones((4, 5), np.float32)

    def evaluated():
        with cynet.no_grad():
            return loss(3 * y, 0 * y)

    assert loss(y, 0 * y) == pytest.approx(1)
    assert other(evaluated) == pytest.approx(9)
    np.testing.assert_allclose(loss.backward(), 2 * y / y.size)


def test_a_thread_whose_losses_were_all_followed_may_follow_another_threads(other):
    """As where one thread computes and another one goes back: nothing of its own is left behind."""
    loss, y = cynet.MSELoss(), np.ones((4, 5), np.float32)
    loss(y, 0 * y)
    loss.backward()
    other(loss, 3 * y, 0 * y)
    np.testing.assert_allclose(loss.backward(), 6 * y / y.size)


def test_a_thread_whose_passes_were_all_followed_may_follow_another_threads(other):
    layer, x = nn.Tanh(), np.ones((2, 3), np.float32)
    layer.backward(layer(x))
    other(layer, 2 * x)
    dx = layer.backward(x)
    np.testing.assert_allclose(dx, 1 - np.tanh(2) ** 2 * x, rtol=1e-5)
    with pytest.raises(RuntimeError, match="got none"):
        layer.backward(x)


@pytest.mark.parametrize("training", [True, False])
def test_of_threads_that_begin_at_once_each_gets_its_own_gradient_or_a_sentence(training):
    model, inputs, begin = model_of().train(training), pictures(4), threading.Barrier(4)
    wanted = [model.backward(model(x)) for x in inputs]
    outcomes, interval = [], sys.getswitchinterval()

    def work(number):
        begin.wait(60)
        for _ in range(30):
            try:
                dx = model.backward(model(inputs[number]))
                outcomes.append(np.array_equal(dx, wanted[number]))
            except RuntimeError as error:
                told = "while thread", "made since", "got none"
                outcomes.append(any(words in str(error) for words in told))

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
    finally:
        sys.setswitchinterval(interval)
    assert outcomes == [True] * 120
