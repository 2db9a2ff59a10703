"""A net of several inputs, trained, evaluated and predicted with in memory: x is a tuple of arrays."""

import numpy as np
import pytest

import cynet
from cynet.train import Diverged, Trainer, evaluate, loop, predict
from cynet.train.mixup import Cutmix, Mixup
from cynet.train.task import NumberTask

RNG = np.random.default_rng(3)
A, B = RNG.standard_normal((12, 4, 4, 2)).astype("f"), RNG.standard_normal((12, 3)).astype("f")
Y = np.arange(12) % 3
ONE = "x: wanted a float32 NumPy array, got tuple"


def net(outputs=3):
    """What two inputs give is added: a picture's features, and a row's."""
    cynet.seed(5)
    picture, row = cynet.Input((4, 4, 2)), cynet.Input((3,))
    h = cynet.Linear(6, 5)(cynet.GlobalAvgPool2d()(cynet.Tanh()(cynet.Conv2d(2, 6, 3, padding=1)(picture))))
    h = cynet.Tanh()(cynet.Add()(h, cynet.Linear(3, 5)(row)))
    return cynet.Graph([picture, row], cynet.Linear(5, outputs)(h))


def trainer(model, criterion=None, **more):
    optimizer = cynet.SGD(model.parameters(), 0.1)
    return Trainer(model, criterion or cynet.CrossEntropyLoss(), optimizer, lambda step: 0.1, **more)


def stepped(model, **more):
    made = trainer(model, **more)
    losses = [made.step((A, B), Y) for _ in range(5)]
    return losses, model.state_dict()


@pytest.mark.parametrize("given", [(A, B), [A, B]])
def test_a_step_is_what_one_writes_by_hand(given):
    model, by_hand = net(), net()
    loss = trainer(model).step(given, Y)
    criterion, optimizer = cynet.CrossEntropyLoss(), cynet.SGD(by_hand.parameters(), 0.1)
    assert criterion(by_hand(A, B), Y) == loss
    by_hand.zero_grad()
    by_hand.backward(criterion.backward())
    optimizer.step()
    for name, array in by_hand.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], array)


def test_it_learns_and_in_parts_the_same_to_rounding():
    losses, state = stepped(net())
    assert losses == sorted(losses, reverse=True)
    others, other = stepped(net(), accumulate=4)
    np.testing.assert_allclose(losses, others, rtol=1e-5)
    for name, array in state.items():
        np.testing.assert_allclose(array, other[name], rtol=1e-4, atol=1e-6)


def test_it_is_trained_evaluated_and_predicted_with_over_batches():
    model = net()
    batches = [((A[:6], B[:6]), Y[:6]), ([A[6:], B[6:]], Y[6:])]
    result = loop.train(trainer(model), batches, batches, 4)
    found = evaluate(model, batches)
    assert result.test.loss == found.loss and found.samples.sum() == 12
    wanted = model.eval()(A, B)
    np.testing.assert_array_equal(predict(model, batches).predicted, wanted.argmax(axis=1))
    np.testing.assert_array_equal(model((A, B)), wanted)
    task, y = NumberTask(), B[:, :1]
    numbers = task.evaluate(net(1), [((A, B), y)])
    assert numbers.loss == pytest.approx(float(np.square(net(1).eval()(A, B) - y).mean()), rel=1e-5)


def test_a_step_that_diverges_keeps_all_inputs():
    with pytest.raises(Diverged) as caught:
        trainer(net()).step((A, np.full_like(B, np.nan)), Y)
    (a, b), y = caught.value.batch
    assert np.array_equal(a, A) and np.isnan(b).all() and np.array_equal(y, Y) and a is not A


@pytest.mark.parametrize(("call", "words"), [
    (lambda: trainer(net()).step((A,), Y), "wanted 2 inputs, got 1"),
    (lambda: trainer(net()).step((A, B, B), Y), "wanted 2 inputs, got 3"),
    (lambda: trainer(net()).step((A, Y), Y), "Graph input 1: wanted dtype float32"),
    (lambda: trainer(net()).step((), Y), "input: wanted a float32 NumPy array, got tuple"),
    (lambda: net()((A, B), B), "input 0: wanted a float32 NumPy array, got tuple"),
    (lambda: evaluate(net(), [((A, B[:5]), Y)]), "wanted a label for each of the 5 samples of batch 0"),
    (lambda: trainer(net(), mixup=Mixup(0.2, 0)).step((A, B), Y), ONE),
    (lambda: trainer(net(), mixup=Cutmix(0.2, 0)).step((A, B), Y), ONE),
    (lambda: predict(net(), [((A, B), Y)], flip=True), ONE),
    (lambda: NumberTask().evaluate(net(1), [((A, B), B[:, :1])], True), ONE),
    (lambda: cynet.check_gradients(net(), (A, None)), r"x\[1\]: wanted a float32"),
    (lambda: cynet.check_gradients(net(), A), "wanted 2 inputs, got 1"),
])  # fmt: skip
def test_what_does_not_fit_is_a_sentence(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()


def test_gradients_to_all_inputs_are_checked():
    found = cynet.check_gradients(net(), (A, B))
    assert found.ok and [row.name for row in found.rows][:2] == ["input 0", "input 1"], found
    assert [row.shape for row in found.rows][:2] == [A.shape, B.shape]


class Scaled(cynet.Layer):
    """x * y, whose gradients may be wrong."""

    def __init__(self, wrong):
        self.wrong = wrong

    def output_shape(self, x, y):
        return x

    def forward(self, x, y):
        self.save(x, y)
        return x * y

    def backward(self, dy):
        x, y = self.saved()
        found = {"first": (dy * x, dy * x), "second": (dy * y, dy), "none": (dy * y, None)}
        return found.get(self.wrong, dy * y)


@pytest.mark.parametrize(("wrong", "rows"), [
    ("first", {"input 0": "wrong"}), ("second", {"input 1": "wrong"}),
    ("none", {"input 1": "wrong: backward returned NoneType"}),
    ("one", dict.fromkeys(["input 0", "input 1"], "wrong: backward returned ndarray to 2 inputs")),
])  # fmt: skip
def test_a_wrong_gradient_to_one_of_them_is_named(wrong, rows):
    found = cynet.check_gradients(Scaled(wrong), [B, B[::-1].copy()])
    assert {row.name: row.problem for row in found.rows if row.problem} == rows
