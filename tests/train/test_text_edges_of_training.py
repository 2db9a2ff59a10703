"""The task of texts and what it writes, at the edges: modes, states after errors, limits, draws."""

import math

import numpy as np
import pytest

import cynet
from cynet.cli import language_model as command
from cynet.data.text import Sequences
from cynet.models.language_model import language_model
from cynet.nn.sequence_loss import SequenceLoss
from cynet.train import generation
from cynet.train.carrying import carried, carry, carrying, recurrent
from cynet.train.language_task import LanguageTask, TokenEvaluation


def made(vocabulary=5, cell="gru"):
    cynet.seed(0)
    return language_model((3,), vocabulary, 3, 4, cell=cell)


@pytest.mark.parametrize(("loss", "perplexity"), [
    (0.0, 1.0), (699.0, math.exp(699)), (700.0, math.inf), (709.0, math.inf), (750.0, math.inf),
])  # fmt: skip
def test_the_perplexity_of_any_loss_is_a_number(loss, perplexity):
    assert TokenEvaluation(loss, 1, 2).perplexity == perplexity


def test_a_text_is_evaluated_without_dropout_and_the_mode_is_given_back():
    cynet.seed(0)
    layers = cynet.nn.Embedding(5, 3), cynet.nn.GRU(3, 4), cynet.Dropout(0.9), cynet.Linear(4, 5)
    model = cynet.Sequential(*layers)
    test = Sequences(np.arange(60) % 5, 2, 7)
    first, second = (LanguageTask().evaluate(model, test) for _ in range(2))
    assert first == second and model.training
    plain = cynet.Sequential(*layers[:2], layers[3])
    assert LanguageTask().evaluate(plain, test) == first


def test_smoothing_and_weights_are_in_the_loss_of_training():
    rng = np.random.default_rng(0)
    logits, y = rng.standard_normal((2, 4, 5), dtype=np.float32), rng.integers(0, 5, (2, 4))
    weights = np.arange(1.0, 6.0, dtype=np.float32)
    flat = logits.reshape(-1, 5), y.reshape(-1)
    plain = SequenceLoss()(logits, y)
    for smoothing, weight in ((0.2, None), (0.0, weights), (0.2, weights)):
        wanted = cynet.CrossEntropyLoss(smoothing, weight=weight)(*flat)
        assert LanguageTask().criterion(smoothing, weight)(logits, y) == wanted != plain
    assert LanguageTask().criterion()(logits, y) == plain


def test_an_error_ends_the_carrying_and_an_inner_one_leaves_it_on():
    model = made()
    (layer,) = recurrent(model).values()
    with pytest.raises(KeyError), carrying(model):
        assert layer.carry
        raise KeyError
    assert not layer.carry
    with carrying(model):
        LanguageTask().evaluate(model, Sequences(np.arange(20) % 5, 1, 4))
        assert layer.carry


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_states_that_are_handed_over_are_copied(cell):
    model = made(cell=cell)
    with carrying(model):
        model(np.ones((2, 3), int))
    states = {name: array.copy() for name, array in carried(model).items()}
    assert set(states) == ({"1.h"} if cell == "gru" else {"1.h", "1.c"})
    before = {name: array.copy() for name, array in states.items()}
    carry(model, states)
    for array in states.values():
        array[...] = 9
    assert all((array == before[name]).all() for name, array in carried(model).items())
    carry(model, {})
    assert carried(model) == {}


def test_the_limits_of_what_is_written_are_those_of_the_command(monkeypatch):
    assert (command.MOST_LENGTH, command.MOST_WIDTH) == (1 << 20, 256)
    assert (generation.MOST_LENGTH, generation.MOST_WIDTH) == (1 << 20, 256)
    assert command.MOST_SEED == 2**63 - 1
    model = made()
    assert generation.generate(model, [1], 2, "beam", beam_width=256, seed=2**63 - 1).shape == (2,)
    for name, value, wanted in (
        ("beam_width", 257, "at most 256"), ("length", (1 << 20) + 1, "at most 1048576"),
        ("seed", 2**63, "at most 9223372036854775807"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"{name}: wanted {wanted}, got {value}"):
            generation.generate(model, [1], **{"length": 2, name: value})
    monkeypatch.setattr(generation, "MOST_LENGTH", 3)
    assert len(generation.generate(model, [1], 3)) == 3


def test_a_draw_at_a_bound_never_takes_what_has_no_probability():
    logits = np.float32([-1e4, 0, -1e4, 0, -1e4])
    drawn = [generation._drawn(logits, 1.0, draw) for draw in (0.0, 0.25, 0.4999, 0.5, 0.9999)]
    assert drawn == [1, 1, 1, 3, 3]
    assert generation._drawn(np.zeros(4, np.float32), 1.0, 0.75) == 3


def test_of_equally_likely_texts_the_first_is_taken():
    model = made()
    for parameter in model.parameters():
        parameter.data = np.zeros_like(parameter.data)
    for strategy in ("max", "beam"):
        assert generation.generate(model, [2], 4, strategy, beam_width=3).tolist() == [0] * 4


def test_a_probability_is_of_two_tokens_at_least():
    for tokens in ([1], [], [[1, 2]], [0.5, 1.0]):
        with pytest.raises(ValueError, match="tokens: wanted at least 2 of the vocabulary's numbers, "):
            generation.surprise(made(), tokens)
    assert generation.surprise(made(), [1, 2]).shape == (1,)


def test_probabilities_of_logits_are_of_double_precision_and_leave_them_as_they_are():
    for kind in (np.float32, np.float64):
        logits = np.array([[1, 3, -2], [9, 9, 9]], kind)
        found = generation.log_probabilities(logits)
        wanted = np.float64([[1, 3, -2], [9, 9, 9]])
        assert found.dtype == np.float64 and logits.tolist() == wanted.tolist()
        np.testing.assert_allclose(found, wanted - np.log(np.exp(wanted).sum(axis=1, keepdims=True)), 1e-14)


def test_the_net_of_texts_has_its_documented_size():
    vectors, units, decoder = language_model((100,), 7)
    assert (vectors.embedding_dim, units.input_size, units.hidden_size, units.num_layers) == (512,) * 3 + (1,)
    assert type(units) is cynet.nn.GRU and decoder.weight.data.shape == (7, 512)
    assert decoder.weight is not vectors.weight


def test_three_states_that_do_not_belong_are_named():
    model = made()
    states = {f"x{number}": np.zeros((1, 1, 4), np.float32) for number in range(5)}
    states["1.h"] = states["x0"]
    with pytest.raises(ValueError, match=r"wanted states of recurrent layers, got 'x0', 'x1', 'x2'$"):
        carry(model, states)
