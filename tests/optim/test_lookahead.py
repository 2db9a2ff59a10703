"""Lookahead over each optimiser."""

import copy
import pickle

import numpy as np
import pytest

import cynet
from cynet.nn.parameter import Parameter
from cynet.optim import SGD, Adam, Lookahead
from cynet.optim.lookahead import Rising


def parameters():
    rng = np.random.default_rng(0)
    return [Parameter(rng.standard_normal(shape)) for shape in ((3, 4), (7,))]


def stepped(optimizer, steps, seed=1):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for parameter in optimizer.params:
            parameter.grad = rng.standard_normal(parameter.shape)
        optimizer.step()


@pytest.mark.parametrize("kind", [lambda p: SGD(p, 0.1, 0.9), lambda p: Adam(p, 0.01)])
def test_every_few_steps_the_weights_go_back_to_slow_ones(kind):
    made, fast = Lookahead(kind(parameters()), 3, 0.75), kind(parameters())
    slow = [p.data.astype(float) for p in fast.params]
    rng = np.random.default_rng(1)
    for step in range(1, 8):
        for p, q in zip(made.params, fast.params, strict=True):
            p.grad = rng.standard_normal(p.shape)
            q.grad = p.grad
        made.step()
        fast.step()
        for i, q in enumerate(fast.params):
            if step % 3 == 0:
                slow[i] = 0.75 * slow[i] + 0.25 * q.data
                q.data = slow[i]
        for p, q in zip(made.params, fast.params, strict=True):
            np.testing.assert_allclose(p.data, q.data, rtol=1e-5, atol=1e-6)
    assert made.steps == 7


def test_a_decay_of_0_changes_nothing():
    made, plain = Lookahead(SGD(parameters(), 0.1), 2, 0.0), SGD(parameters(), 0.1)
    stepped(made, 5)
    stepped(plain, 5)
    for p, q in zip(made.params, plain.params, strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-6, atol=1e-7)


def test_what_is_frozen_stays():
    made = Lookahead(SGD(parameters(), 0.1), 2, 0.5)
    made.params[0].requires_grad = False
    stepped(made, 4)
    assert np.array_equal(made.params[0].data, parameters()[0].data)
    assert not np.array_equal(made.params[1].data, parameters()[1].data)


@pytest.mark.parametrize("twin", [
    lambda made: copy.deepcopy(made), lambda made: pickle.loads(pickle.dumps(made)),
])  # fmt: skip
def test_a_copy_goes_on_alike(twin):
    made = Lookahead(SGD(parameters(), 0.1, 0.9), 3)
    stepped(made, 4)
    other = twin(made)
    stepped(made, 4, 2)
    stepped(other, 4, 2)
    assert all(np.array_equal(p.data, q.data) for p, q in zip(made.params, other.params, strict=True))


def test_the_state_goes_on_exactly():
    made = Lookahead(SGD(parameters(), 0.1, 0.9), 3)
    stepped(made, 4)
    made.lr = 0.05
    state = made.state_dict()
    other = Lookahead(SGD([Parameter(p.data) for p in made.params], 0.1, 0.9), 3)
    other.load_state_dict(state)
    assert (other.lr, other.steps) == (0.05, 4)
    stepped(made, 4, 2)
    stepped(other, 4, 2)
    assert all(np.array_equal(p.data, q.data) for p, q in zip(made.params, other.params, strict=True))
    assert not np.array_equal(state["slow.0"], made.slow[0])  # it was a copy


def test_a_state_that_does_not_fit_changes_nothing():
    made = Lookahead(SGD(parameters(), 0.1, 0.9), 3)
    stepped(made, 4)
    before = made.state_dict()
    for other, words in (
        ({"slow.1": np.zeros(8)}, r"shape of slow\.1: wanted \(7,\) of numbers, got \(8,\)"),
        ({"slow.2": np.zeros(8)}, r"unexpected: slow\.2"),
        ({"slow.1": np.array(["1"] * 7)}, r"shape of slow\.1: wanted \(7,\) of numbers, got \(7,\)"),
        ({"slow.1": np.zeros(7, complex)}, r"shape of slow\.1: wanted \(7,\) of numbers"),
        ({"0.momentum_buffer": np.zeros(1)}, r"shape of 0\.momentum_buffer"),
    ):
        state = {name: array + 1 for name, array in before.items()} | other
        with pytest.raises(ValueError, match=words):
            made.load_state_dict(state)
    with pytest.raises(ValueError, match=r"missing: slow\.0; missing: slow\.1"):
        made.load_state_dict({name: before[name] for name in before if "slow" not in name})
    assert all(np.array_equal(array, before[name]) for name, array in made.state_dict().items())


def test_arguments_that_are_none_are_named():
    with pytest.raises(TypeError, match="optimizer: wanted an optimiser, got None"):
        Lookahead(None)
    for arguments, words in (((0,), "period: wanted"), ((2, 1.0), "decay: wanted"), ((2, -0.1), "decay")):
        with pytest.raises(ValueError, match=words):
            Lookahead(SGD(parameters(), 0.1), *arguments)
    made = cynet.Lookahead(SGD(parameters(), 0.1), 4, 0.25)
    assert repr(made).startswith("Lookahead(SGD(parameters=2, ") and repr(made).endswith(
        "period=4, decay=0.25)"
    )
    with pytest.raises(ValueError, match="lr: wanted"):
        made.lr = -1
    made.params[0].grad += 1
    made.zero_grad()
    assert not made.params[0].grad.any()


def test_a_frozen_parameter_stays_what_it_was_set_to():
    """Its slow weights are those from before: nothing goes back to them."""
    first, second = cynet.Parameter(np.ones(3)), cynet.Parameter(np.ones(3))
    optimizer = cynet.Lookahead(cynet.SGD([first, second], 0.5), period=1, decay=0.5)
    first.requires_grad = False
    first.data[:], first.grad[:], second.grad[:] = 7, 1, 1
    optimizer.step()
    assert first.data.tolist() == [7] * 3 and second.data.tolist() == [0.75] * 3


def net():
    cynet.seed(0)
    return cynet.Sequential(cynet.Linear(4, 3), cynet.BatchNorm1d(3, momentum=0.4), cynet.Linear(3, 2))


def batch(step):
    return np.random.default_rng(step).standard_normal((6, 4)).astype(np.float32)


def learned(model, optimizer, first, last):
    for step in range(first, last + 1):
        model(batch(step))
        optimizer.zero_grad()
        model.backward(np.ones((6, 2), np.float32))
        optimizer.step()


def test_a_decay_may_rise_with_running_statistics_beside_and_slow_weights_at_the_end():
    """By the definition: floats of the model's whole state, after steps 2 and 4 of 5 and after the last."""
    made, plain = net(), net()
    optimizer = Lookahead(SGD(made.parameters(), 0.1, 0.9), 2, Rising(0.5, 5, 3), made, 5)
    inner = SGD(plain.parameters(), 0.1, 0.9)
    slow = plain.state_dict()
    for step in range(1, 6):
        learned(made, optimizer, step, step)
        learned(plain, inner, step, step)
        decay = {2: 0.5 * 0.4**3, 4: 0.5 * 0.8**3, 5: 1.0}.get(step)
        if decay is not None:
            now = plain.state_dict()
            slow = {name: decay * slow[name] + (1 - decay) * now[name] for name in slow}
            plain.load_state_dict(slow | {"1.num_batches_tracked": now["1.num_batches_tracked"]})
        for name, array in plain.state_dict().items():
            np.testing.assert_allclose(made.state_dict()[name], array, rtol=1e-5, atol=1e-6, err_msg=name)


def test_slow_statistics_are_of_the_state_too():
    made, again = net(), net()
    one, other = (Lookahead(SGD(m.parameters(), 0.1, 0.9), 2, Rising(0.5, 7, 1), m, 7) for m in (made, again))
    learned(made, one, 1, 3)
    state = one.state_dict()
    assert [name for name in state if name.startswith("slow.")] == [f"slow.{i}" for i in range(8)]
    other.load_state_dict(state)
    again.load_state_dict(made.state_dict())
    learned(made, one, 4, 7)
    learned(again, other, 4, 7)
    for name, array in made.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], array)


def test_a_rising_decay_is_a_power_of_the_part_that_is_done():
    rising = Rising(0.8, 10, 2)
    assert [rising(step) for step in (0, 5, 10, 11)] == pytest.approx([0, 0.2, 0.8, 0.8])
    assert repr(Lookahead(SGD(parameters(), 0.1), decay=rising)).endswith("decay=Rising(0.8, 10, 2))")
    for arguments, words in (((1.0, 5, 3), "most"), ((0.5, 0, 3), "steps"), ((0.5, 5, -1), "power")):
        with pytest.raises(ValueError, match=f"{words}: wanted"):
            Rising(*arguments)
    with pytest.raises(TypeError, match="model: wanted a Layer, got 3"):
        Lookahead(SGD(parameters(), 0.1), model=3)
    with pytest.raises(ValueError, match="last: wanted"):
        Lookahead(SGD(parameters(), 0.1), last=0)
    wild = Lookahead(SGD(parameters(), 0.1), 2, lambda step: 0.9 * step)
    wild.step()
    with pytest.raises(ValueError, match=r"decay\(2\): wanted .* 1.8"):
        wild.step()


def test_it_may_be_made_of_an_optimiser_that_has_taken_steps():
    inner = SGD(parameters(), 0.1, 0.9)
    stepped(inner, 4)
    before = [p.data.copy() for p in inner.params]
    made = Lookahead(inner, 5, 0.5)
    assert made.steps == 4 and made.params is inner.params and made.groups is inner.groups
    for slow, data in zip(made.slow, before, strict=True):
        np.testing.assert_array_equal(slow, data)
    stepped(made, 1, 2)  # the fifth of all: a step of the slow weights is due
    assert made.steps == 5
    for slow, data, p in zip(made.slow, before, made.params, strict=True):
        np.testing.assert_array_equal(slow, p.data)
        assert not np.array_equal(slow, data)


def test_a_state_of_whole_numbers_is_taken():
    made = Lookahead(SGD(parameters(), 0.1), 2)
    made.load_state_dict(made.state_dict() | {"slow.1": np.arange(7)})
    np.testing.assert_array_equal(made.slow[1], np.arange(7, dtype=np.float32))
    assert made.slow[1].dtype == np.float32
