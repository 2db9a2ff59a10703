"""Stepper: the same as the layers, a step at a time."""

import re

import numpy as np
import pytest

import cynet
from cynet.core import threads
from cynet.nn import stepping
from cynet.nn.stepping import Stepper

KINDS = pytest.mark.parametrize("kind", [cynet.GRU, cynet.LSTM])


def stack(kind, numbers=11, width=5, hidden=20, layers=1, bias=True):
    cynet.seed(2)
    return cynet.Embedding(numbers, width), kind(width, hidden, layers), cynet.Linear(hidden, numbers, bias)


def of_layers(layers, tokens, state=None):
    """(logits of every step, last state)."""
    embedding, recurrent, decoder = layers
    with cynet.no_grad():
        y, state = recurrent(embedding(tokens), state)
        return decoder(y), state


def assert_same_states(one, other):
    pairs = zip(one, other, strict=True) if isinstance(one, tuple) else [(one, other)]
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@KINDS
@pytest.mark.parametrize("rows", [1, 2, 5, 8, 9, 32])
@pytest.mark.parametrize("sizes", [(11, 5, 20, 1, True), (70, 33, 17, 2, False), (3, 1, 1, 3, True)])
def test_steps_equal_the_layers(kind, rows, sizes):
    layers = stack(kind, *sizes)
    step, tokens, state = Stepper(*layers), np.random.default_rng(0).integers(0, sizes[0], (rows, 6)), None
    wanted, last = of_layers(layers, tokens)
    for t in range(6):
        logits, state = step(tokens[:, t], state)
        assert logits.dtype == np.float32 and logits.shape == (rows, sizes[0])
        np.testing.assert_allclose(logits, wanted[:, t], rtol=1e-5, atol=1e-5)
    assert_same_states(state, last)


@KINDS
def test_without_a_table_of_products_it_gives_the_same(kind, monkeypatch):
    layers, tokens = stack(kind), np.array([3, 4])
    wanted = Stepper(*layers)(tokens)
    monkeypatch.setattr(stepping, "LARGE", 0)
    found = Stepper(*layers)(tokens)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-5, atol=1e-6)
    assert_same_states(found[1], wanted[1])


@KINDS
def test_the_layers_go_on_from_its_state_and_it_from_theirs(kind):
    layers, tokens = stack(kind, layers=2), np.random.default_rng(0).integers(0, 11, (2, 7))
    wanted, _ = of_layers(layers, tokens)
    _, state = of_layers(layers, tokens[:, :3])
    logits, state = Stepper(*layers)(tokens[:, 3], state)
    np.testing.assert_allclose(logits, wanted[:, 3], rtol=1e-5, atol=1e-5)
    found, _ = of_layers(layers, tokens[:, 4:], state)
    np.testing.assert_allclose(found, wanted[:, 4:], rtol=1e-5, atol=1e-5)


@KINDS
def test_states_are_chosen_by_row_as_a_beam_does(kind):
    step = Stepper(*stack(kind))
    _, state = step(np.array([1, 2, 3]))
    before = [one.copy() for one in (state if isinstance(state, tuple) else (state,))]
    chosen = tuple(one[:, [2, 2, 0]] for one in state) if isinstance(state, tuple) else state[:, [2, 2, 0]]
    logits, _ = step(np.array([5, 5, 5]), chosen)
    np.testing.assert_array_equal(logits[0], logits[1])
    wanted, _ = step(np.array([5, 5, 5]), state)
    np.testing.assert_array_equal(logits[[0, 2]], wanted[[2, 0]])
    for one, two in zip(state if isinstance(state, tuple) else (state,), before, strict=True):
        np.testing.assert_array_equal(one, two)  # not changed


@KINDS
@pytest.mark.usefixtures("threads_for_small_shapes")
def test_same_bytes_for_one_to_four_threads(kind):
    results = []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        step = Stepper(*stack(kind, 70, 9, 50, 2))
        found = [array for row in (step(np.arange(12)), step(np.array([3]))) for array in (row[0], *row[1])]
        results.append([array.tobytes() for array in found])
    assert all(one == results[0] for one in results)


@KINDS
@pytest.mark.parametrize("large", [stepping.LARGE, 0])  # with a table of products, and without
def test_it_keeps_the_weights_that_it_was_made_with(kind, large, monkeypatch):
    monkeypatch.setattr(stepping, "LARGE", large)
    layers = stack(kind, layers=2)
    for layer in layers[2:]:
        layer.bias.data[...] = 1
    step = Stepper(*layers)
    first, _ = step(np.array([1]))
    for layer in layers:
        for parameter in layer.parameters():
            parameter.data[...] *= 2  # in place
    np.testing.assert_array_equal(step(np.array([1]))[0], first)
    assert not np.array_equal(Stepper(*layers)(np.array([1]))[0], first)


@KINDS
@pytest.mark.parametrize("given", [list, np.int8, np.uint16, np.uint64, ">i4", "apart"])
def test_tokens_may_be_of_every_kind_of_integer(kind, given):
    step, tokens = Stepper(*stack(kind)), np.array([3, 0, 10])
    wanted, _ = step(tokens)
    if given == "apart":
        one = np.repeat(tokens, 2)[::2]
    else:
        one = [3, 0, 10] if given is list else tokens.astype(given)
    np.testing.assert_array_equal(step(one)[0], wanted)


def test_the_state_of_an_lstm_may_be_a_list():
    step = Stepper(*stack(cynet.LSTM))
    _, state = step(np.array([1]))
    np.testing.assert_array_equal(step(np.array([2]), list(state))[0], step(np.array([2]), state)[0])
    with pytest.raises(TypeError, match=r"^state: wanted 2 arrays, got 3$"):
        step(np.array([2]), (*state, state[0]))
    with pytest.raises(ValueError, match=r"^state: wanted shape \(1, 2, 20\), got \(1, 1, 20\)$"):
        step(np.array([2, 3]), state)


def test_a_beginnings_arrays_are_of_their_own():
    h, c = Stepper(*stack(cynet.LSTM)).begin(2)
    h[...] = 1
    assert not c.any()


@KINDS
@pytest.mark.parametrize("classes", [3, 40])  # fewer than there are tokens, and more
def test_what_comes_next_may_be_of_other_classes(kind, classes):
    layers = *stack(kind)[:2], cynet.Linear(20, classes)
    step, tokens = Stepper(*layers), np.array([10, 0])
    np.testing.assert_allclose(step(tokens)[0], of_layers(layers, tokens[:, None])[0][:, 0], atol=1e-5)
    with pytest.raises(ValueError, match=r"^tokens: wanted 0 to 10, got 11$"):
        step(np.array([11]))


@KINDS
def test_the_last_number_that_has_a_table_of_products_is_the_limits(kind, monkeypatch):
    gates = 3 if kind is cynet.GRU else 4
    for more, made in ((0, True), (-1, False)):
        monkeypatch.setattr(stepping, "LARGE", 11 * gates * 20 + more)
        assert Stepper(*stack(kind))._of_numbers == made


@KINDS
def test_a_beginning_is_zeros(kind):
    step = Stepper(*stack(kind, layers=2))
    state = step.begin(3)
    for one in state if isinstance(state, tuple) else (state,):
        assert one.shape == (2, 3, 20) and one.dtype == np.float32 and not one.any()
    np.testing.assert_array_equal(step(np.array([1, 2, 3]), state)[0], step(np.array([1, 2, 3]))[0])


@KINDS
def test_what_does_not_fit_is_refused_by_name(kind):
    embedding, recurrent, decoder = stack(kind)
    step = Stepper(embedding, recurrent, decoder)
    for said, given in (
        (f"embedding: wanted a layer Embedding, got {recurrent!r}", (recurrent, recurrent, decoder)),
        (f"recurrent: wanted a layer GRU or a LSTM, got {decoder!r}", (embedding, decoder, decoder)),
        (f"decoder: wanted a layer Linear, got {embedding!r}", (embedding, recurrent, embedding)),
    ):
        with pytest.raises(TypeError) as caught:
            Stepper(*given)
        assert str(caught.value) == said
    for given in ((cynet.Embedding(11, 6), recurrent, decoder), (embedding, recurrent, cynet.Linear(7, 11))):
        with pytest.raises(ValueError, match="wanted"):
            Stepper(*given)
    other = cynet.Embedding(11, 5)
    other.weight = cynet.Parameter(np.zeros((3, 5)))
    with pytest.raises(ValueError, match=r"embedding\.weight: wanted a parameter of shape \(11, 5\)"):
        Stepper(other, recurrent, decoder)
    for tokens in (np.zeros(1, np.float32), np.zeros((1, 1), int), [], "x", 3, None):
        with pytest.raises(TypeError, match="tokens: wanted integers"):
            step(tokens)
    for tokens, wrong in (([3, -1], -1), ([11, 3], 11), ([12, -2, -1], -2)):
        with pytest.raises(ValueError, match=rf"^tokens: wanted 0 to 10, got {wrong}$"):
            step(np.array(tokens))
    for state in (np.zeros((1, 2, 20), np.float32), np.zeros((1, 1, 20)), 3, (1, 2, 3)):
        with pytest.raises((TypeError, ValueError), match="state: wanted"):
            step(np.array([1]), state)
    with pytest.raises(ValueError, match="rows: wanted at least 1"):
        step.begin(0)


@pytest.mark.parametrize(("hidden", "rows", "wanted"), [(210, 1, 3), (209, 1, 1), (148, 2, 3), (147, 2, 1)])
def test_several_threads_from_so_many_multiply_adds_on(monkeypatch, one_thread, hidden, rows, wanted):
    threads.set_num_threads(3)
    seen, right = [], stepping.stepping.gru_step
    monkeypatch.setattr(stepping.stepping, "gru_step", lambda *given: seen.append(given[-1]) or right(*given))
    Stepper(*stack(cynet.GRU, 5, 4, hidden, 1))(np.arange(rows))
    assert seen == [wanted]


def test_one_token_gives_what_it_gives_among_others():
    step = Stepper(*stack(cynet.GRU, 6, 5, 9, 2))
    logits, state = step(np.array([2, 4, 2]))
    alone, after = step(np.array([4]))
    np.testing.assert_array_equal(alone, logits[1:2])
    np.testing.assert_array_equal(after, state[:, 1:2])


@pytest.mark.parametrize("token", [-1, 6])
def test_one_token_out_of_range_is_named(token):
    step = Stepper(*stack(cynet.GRU, 6, 5, 9, 1))
    with pytest.raises(ValueError, match=f"tokens: wanted 0 to 5, got {token}"):
        step(np.array([token]))


@KINDS
@pytest.mark.parametrize(
    "shape", [(1, 2, 9), (3, 2, 9), (2, 1, 9), (2, 3, 9), (2, 2, 8), (2, 9), (2, 2, 9, 1)]
)
def test_a_state_of_another_shape_is_refused(kind, shape):
    step = Stepper(*stack(kind, 6, 5, 9, 2))
    state = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match=rf"state: wanted shape \(2, 2, 9\), got {re.escape(str(shape))}"):
        step(np.array([1, 2]), (state, state) if kind is cynet.LSTM else state)
