"""Text that a model goes on with."""

import itertools

import numpy as np
import pytest

import cynet
from cynet.models.language_model import language_model
from cynet.nn import GRU, Linear, Sequential
from cynet.nn.passes import no_grad
from cynet.train import generation
from cynet.train.generation import foretold, generate, log_probabilities, surprise


def made(cell="gru", layers=1, vocabulary=6):
    cynet.seed(3)
    model = language_model((1,), vocabulary, 5, 8, layers, cell)
    for parameter in model.parameters():
        parameter.data = parameter.data * np.float32(2)
    return model


def scores(model, tokens, prompt):
    """The sum of log-probabilities of tokens after a prompt, by the model's own pass."""
    whole = np.array([[*prompt, *tokens]])
    with no_grad():
        found = log_probabilities(model(whole[:, :-1]))[0]
    return sum(found[len(prompt) - 1 + i, token] for i, token in enumerate(tokens))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_likeliest_token_is_that_of_the_whole_pass(cell, layers):
    model, known = made(cell, layers), [1, 4]
    found = generate(model, known, 9)
    for token in found:
        with no_grad():
            assert token == model(np.array([known]))[0, -1].argmax()
        known.append(token)


def test_a_beam_as_wide_as_all_sequences_finds_the_best_one():
    model, prompt = made(vocabulary=4), [2]
    best = max(itertools.product(range(4), repeat=4), key=lambda tokens: scores(model, tokens, prompt))
    assert tuple(generate(model, prompt, 4, "beam", beam_width=4**3)) == best


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_beam_of_one_is_the_likeliest_and_wider_ones_are_no_worse(cell):
    model = made(cell)
    greedy = generate(model, [0, 3], 8)
    np.testing.assert_array_equal(generate(model, [0, 3], 8, "beam", beam_width=1), greedy)
    wide = generate(model, [0, 3], 8, "beam", beam_width=200)
    assert scores(model, wide, [0, 3]) >= scores(model, greedy, [0, 3]) - 1e-5


def test_what_is_drawn_has_the_probabilities_of_the_model():
    model = made(vocabulary=4)
    with no_grad():
        logits = model(np.array([[1]]))[0, -1]
    for temperature in (1.0, 0.5):
        wanted = np.exp(log_probabilities(logits / np.float32(temperature)))
        found = [generate(model, [1], 1, "sample", temperature, seed=seed)[0] for seed in range(1500)]
        shares = np.bincount(found, minlength=4) / 1500
        assert (np.abs(shares - wanted) < 5 * np.sqrt(wanted * (1 - wanted) / 1500) + 1e-9).all()


def test_the_same_seed_draws_the_same_text_and_temperature_0_the_likeliest():
    model = made()
    first = generate(model, [1], 40, "sample", seed=7)
    np.testing.assert_array_equal(generate(model, [1], 40, "sample", seed=7), first)
    assert (generate(model, [1], 40, "sample", seed=8) != first).any()
    np.testing.assert_array_equal(generate(model, [1], 40, "sample", 0), generate(model, [1], 40))
    np.testing.assert_array_equal(generate(model, [1], 40, "sample", 1e-308), generate(model, [1], 40))
    assert len(np.unique(generate(model, [1], 200, "sample", 1e9))) == 6


@pytest.mark.parametrize("count", [1, 3, 7, 50])
def test_the_greatest_are_those_of_a_stable_sort(count):
    rng = np.random.default_rng(count)
    for values in (rng.integers(0, 5, 50).astype(float), rng.standard_normal(50), np.zeros(50)):
        for odd in (0.0, np.nan, -np.inf):
            values[rng.integers(0, 50, 5)] = odd
            wanted = np.argsort(-values, kind="stable")[:count]
            np.testing.assert_array_equal(generation._greatest(values, count), wanted)


def test_one_prompt_is_gone_on_from_several_times():
    model = made()
    read = generation.begun(model, [1, 2])
    for strategy in ("beam", "sample", "max", "sample", "beam"):
        found = generation.after(read, 20, strategy, seed=4)
        np.testing.assert_array_equal(found, generate(model, [1, 2], 20, strategy, seed=4))


@pytest.mark.parametrize("strategy", ["max", "sample", "beam"])
def test_tokens_come_one_by_one(strategy):
    model, steps = made(), []
    step, *rest = generation.begun(model, [1, 2])
    read = (lambda *given: steps.append(1) or step(*given), *rest)
    found = generation.one_by_one(read, 20, strategy, seed=4)
    for place, token in enumerate(generate(model, [1, 2], 20, strategy, seed=4)):
        assert next(found) == token and len(steps) == (19 if strategy == "beam" else place)
    assert next(found, None) is None
    with pytest.raises(ValueError, match="length: wanted at least 1"):
        generation.one_by_one(read, 0, strategy)  # before anything is asked for


def test_the_likeliest_tokens_at_each_place():
    model, tokens = made(), np.random.default_rng(0).integers(0, 6, 150)  # more than are asked about at once
    with no_grad():
        odds = np.exp(log_probabilities(model(tokens[None, :-1])[0]))
    given, likeliest, shares = foretold(model, tokens, 3)
    np.testing.assert_allclose(given, odds[np.arange(149), tokens[1:]], rtol=1e-4)
    np.testing.assert_array_equal(likeliest, np.argsort(-odds, axis=1)[:, :3])
    np.testing.assert_allclose(shares, np.sort(odds, axis=1)[:, :-4:-1], rtol=1e-4)
    assert foretold(model, tokens, 99)[1].shape == (149, 6) and model.training
    for wrong in ([1], [0.5, 1.0], 3):
        with pytest.raises(ValueError, match="tokens: wanted at least 2"):
            surprise(model, wrong)


def test_the_probability_of_each_token_after_all_before_it():
    model, tokens = made(), np.random.default_rng(0).integers(0, 6, 12)
    with no_grad():
        wanted = np.exp(log_probabilities(model(tokens[None, :-1])[0]))[np.arange(11), tokens[1:]]
    np.testing.assert_allclose(surprise(model, tokens), wanted, rtol=1e-4)


@pytest.mark.parametrize(("arguments", "words"), [
    (([], 3), "prompt: wanted at least 1"), (([0.5], 3), "prompt: wanted"),
    (([9], 3), "tokens: wanted 0 to 5"),
    (([1], 0), "length: wanted at least 1"), (([1], 3, "best"), "strategy: wanted max, sample, beam"),
    (([1], 3, "sample", -0.1), "temperature: wanted"), (([1], 3, "sample", np.nan), "temperature"),
    (([1], 3, "beam", 1.0, 0), "beam_width: wanted at least 1"), (([1], 3, "sample", 1.0, 1, -1), "seed"),
])  # fmt: skip
def test_other_arguments_are_refused(arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        generate(made(), *arguments)


def test_other_models_are_refused():
    for model in (Sequential(GRU(3, 4), Linear(4, 3)), Linear(2, 2), None):
        with pytest.raises(ValueError, match="wanted Embedding, GRU or LSTM, and Linear"):
            generate(model, [1], 2)
