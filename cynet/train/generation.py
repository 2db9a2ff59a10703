"""Text from a language model, token by token: the likeliest, drawn, or the best that a beam finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.tasks import BEAM, MAX, STRATEGIES
from cynet.core.types import AnyArray, Array
from cynet.nn.layer import Layer
from cynet.nn.layers.embedding import Embedding
from cynet.nn.layers.linear import Linear
from cynet.nn.layers.recurrent import Recurrent
from cynet.nn.modes import evaluating
from cynet.nn.passes import no_grad
from cynet.nn.stepping import Stepper

from .carrying import afresh

MOST_LENGTH, MOST_WIDTH = 1 << 20, 256
Begun = tuple[Stepper, Array, Any]  # what goes on, the logits after a prompt, the state there
TOGETHER = 64  # tokens that a model is asked about at a time, its state going on


def generate(
    model: Layer,
    prompt: Sequence[int] | AnyArray,
    length: int,
    strategy: str = MAX,
    temperature: float = 1.0,
    beam_width: int = 5,
    seed: int = 0,
) -> AnyArray:
    """The tokens that go on from a prompt.

    Parameters
    ----------
    model : Layer
        A chain of Embedding, GRU or LSTM, and Linear, as `models.language_model` makes it.
    prompt : sequence of int
        At least one token.
    length : int
        How many tokens.
    strategy : {"max", "sample", "beam"}, optional
        "max": the likeliest token each time. "sample": one drawn by its probability. "beam": of the
        `beam_width` likeliest sequences so far each goes on with each token, and the likeliest of all these
        are kept; their logarithms of probabilities are added, and the best one at the end is returned.
    temperature : float, optional
        What logits are divided by before a token is drawn: below 1 likely tokens become likelier; 0 is the
        likeliest.
    beam_width : int, optional
    seed : int, optional
        Of what is drawn: the same seed, the same text, on any machine that has the same logits.

    Returns
    -------
    ndarray of int64 (length,)

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """
    return after(begun(model, prompt), length, strategy, temperature, beam_width, seed)


def begun(model: Layer, prompt: Sequence[int] | AnyArray) -> Begun:
    """A model that has read a prompt, for `after`; arguments and errors are those of `generate`."""
    tokens, step = _prompt(prompt), stepper(model)
    logits, state = step(tokens[:1])
    for place in range(1, len(tokens)):
        logits, state = step(tokens[place : place + 1], state)
    return step, logits, state


def after(
    begun: Begun,
    length: int,
    strategy: str = MAX,
    temperature: float = 1.0,
    beam_width: int = 5,
    seed: int = 0,
) -> AnyArray:
    """As `generate`, of what `begun` gave: one prompt may be gone on from several times."""
    return np.fromiter(one_by_one(begun, length, strategy, temperature, beam_width, seed), np.int64)


def one_by_one(
    begun: Begun,
    length: int,
    strategy: str = MAX,
    temperature: float = 1.0,
    beam_width: int = 5,
    seed: int = 0,
) -> Iterator[int]:
    """As `after`, each token when it is found, those of a beam at its end; arguments are looked at now."""
    length = checks.integer("length", length, 1, MOST_LENGTH)
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy: wanted {', '.join(STRATEGIES)}, got {strategy!r:.80}")
    temperature = checks.number("temperature", temperature, 0)
    width = checks.integer("beam_width", beam_width, 1, MOST_WIDTH)
    seed = checks.integer("seed", seed, 0, 2**63 - 1)
    if strategy == BEAM:
        return iter(_beam(*begun, length, width).tolist())
    return _found(*begun, length, 0.0 if strategy == MAX else temperature, seed)


def _found(
    step: Stepper, logits: Array, state: Any, length: int, temperature: float, seed: int
) -> Iterator[int]:
    """Tokens that are drawn, one after the other; of temperature 0 the likeliest."""
    draws = np.random.Generator(np.random.Philox(key=[seed, 0])).random(length)
    token = np.empty(1, np.int64)
    for place in range(length):
        token[0] = _drawn(logits[0], temperature, draws[place]) if temperature else logits[0].argmax()
        yield int(token[0])
        if place + 1 < length:
            logits, state = step(token, state)


def stepper(model: Layer) -> Stepper:
    """The `Stepper` of a model; ValueError where it is no chain of Embedding, GRU or LSTM, and Linear."""
    walk = model.walk() if isinstance(model, Layer) else ()
    layers: list[Any] = [layer for _, layer in walk if not layer.children()]
    kinds = Embedding, Recurrent, Linear
    if len(layers) != 3 or not all(isinstance(*each) for each in zip(layers, kinds, strict=True)):
        wanted = "wanted Embedding, GRU or LSTM, and Linear, one after the other"
        raise ValueError(f"model: {wanted}, got {model!r:.80}")
    return Stepper(*layers)  # type: ignore[arg-type]  # they were looked at


def log_probabilities(logits: Array) -> AnyArray:
    """The logarithms of the probabilities that logits (..., classes) stand for: float64."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def surprise(model: Layer, tokens: Sequence[int] | AnyArray) -> AnyArray:
    """The probability that a model gave each token, from the second one on, after all before it.

    Parameters
    ----------
    model : Layer
        Any that gives logits (N, L, classes) for integers (N, L).
    tokens : sequence of int
        At least two.

    Returns
    -------
    ndarray of float64 (len(tokens) - 1,)
    """
    return foretold(model, tokens, 1)[0]


def foretold(
    model: Layer, tokens: Sequence[int] | AnyArray, count: int
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """As `surprise`, and beside it the likeliest tokens at each place, and their probabilities.

    Parameters
    ----------
    model, tokens
        As of `surprise`.
    count : int
        Of the likeliest; at most all.

    Returns
    -------
    given : ndarray of float64 (len(tokens) - 1,)
    likeliest : ndarray of int64 (len(tokens) - 1, count)
    probabilities : ndarray of float64 (len(tokens) - 1, count)
    """
    known, count = _prompt(tokens, 2, "tokens"), checks.integer("count", count, 1)
    given, likeliest, shares = [], [], []
    with evaluating(model), afresh(model), no_grad():
        for start in range(0, len(known) - 1, TOGETHER):
            part = known[start : start + TOGETHER + 1]
            odds = np.exp(log_probabilities(model(part[None, :-1])[0]))
            first = np.argsort(-odds, axis=1, kind="stable")[:, :count]
            given.append(np.take_along_axis(odds, part[1:, None], axis=1)[:, 0])
            likeliest.append(first)
            shares.append(np.take_along_axis(odds, first, axis=1))
    return np.concatenate(given), np.concatenate(likeliest), np.concatenate(shares)


def _prompt(prompt: Any, least: int = 1, name: str = "prompt") -> AnyArray:
    tokens = np.asarray(prompt)
    if tokens.dtype.kind not in "iu" or tokens.ndim != 1 or len(tokens) < least:
        got = f"{tokens.dtype} {tokens.shape}"
        raise ValueError(f"{name}: wanted at least {least} of the vocabulary's numbers, (n,), got {got}")
    return tokens.astype(np.int64)


def _drawn(logits: Array, temperature: float, draw: float) -> int:
    """The token whose part of the probabilities, one after the other from 0 to 1, holds `draw`."""
    below = logits.astype(np.float64) - logits.max()
    with np.errstate(over="ignore"):  # of a temperature of nearly 0: all but the likeliest have none
        sums = np.exp(below / temperature).cumsum()
    return min(int(np.searchsorted(sums, draw * sums[-1], side="right")), len(logits) - 1)


def _beam(step: Stepper, logits: Array, state: Any, length: int, width: int) -> AnyArray:
    """The best of the sequences that a beam finds; of equal ones the first."""
    scores, sequences = np.zeros(1), np.empty((1, 0), np.int64)
    for place in range(length):
        sums = (scores[:, None] + log_probabilities(logits)).reshape(-1)
        best = _greatest(sums, width)
        rows, tokens = np.divmod(best, logits.shape[1])
        scores = sums[best]
        sequences = np.concatenate([sequences[rows], tokens[:, None]], axis=1)
        if place + 1 < length:
            logits, state = step(tokens, _rows(state, rows))
    return sequences[0]


def _greatest(values: AnyArray, count: int) -> AnyArray:
    """The places of the greatest values, in order, of equal ones the first; NaN is less than any."""
    kept = np.arange(len(values))
    if count < len(values):  # nearly always far fewer are left to be sorted
        least = np.partition(values, -count)[-count]
        found = np.flatnonzero(values >= least)
        kept = found if len(found) >= count else kept
    return kept[np.argsort(-values[kept], kind="stable")[:count]]


def _rows(state: Any, rows: AnyArray) -> Any:
    """Some rows of a state, which may be several arrays."""
    if isinstance(state, tuple):
        return tuple(np.ascontiguousarray(each[:, rows]) for each in state)
    return np.ascontiguousarray(state[:, rows])
