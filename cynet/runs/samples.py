"""What a net of texts writes as its training goes on: after each evaluation, by each strategy.

Design: the prompt is how the text for testing begins, always the same; what is drawn comes from a stream of
its own, by the run's seed and the epoch. So the rows of a run that was stopped are those of one that was not,
and the training stays what it would have been.
"""

from __future__ import annotations

import hashlib
from typing import Any

from cynet.core.tasks import LANGUAGE, STRATEGIES
from cynet.core.types import AnyArray
from cynet.data.text import Vocabulary
from cynet.data.text.vocabulary import CHARACTER, WORD
from cynet.nn.layer import Layer
from cynet.train.generation import after, begun, stepper

PROMPT = {CHARACTER: 40, WORD: 8}  # tokens
LENGTH = {CHARACTER: 160, WORD: 40}
WIDTH = 4  # of the beam


class Sampler:
    """Writes the samples of one run.

    Parameters
    ----------
    model : Layer
        As `generate` takes it.
    vocabulary : Vocabulary
    tokens : ndarray of int
        A text, whose beginning is the prompt.
    seed : int
        Of the run.
    """

    def __init__(self, model: Layer, vocabulary: Vocabulary, tokens: AnyArray, seed: int) -> None:
        self.model, self.vocabulary, self.seed = model, vocabulary, seed
        self.prompt = tokens[: PROMPT[vocabulary.level]]

    def row(self, step: int, epoch: int) -> dict[str, Any]:
        """A row of a `SampleTable`, by the model as it is."""
        vocabulary, read = self.vocabulary, begun(self.model, self.prompt)
        length, seed = LENGTH[vocabulary.level], seed_of(self.seed, epoch)
        row = {"step": step, "epoch": epoch, "prompt": vocabulary.decode(self.prompt)}
        for strategy in STRATEGIES:
            row[strategy] = vocabulary.decode(after(read, length, strategy, beam_width=WIDTH, seed=seed))
        return row


def seed_of(seed: int, epoch: int) -> int:
    """The seed of what is drawn after an epoch of a run of a seed: 0 to 2**63 - 1."""
    digest = hashlib.sha256(f"samples {seed} {epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def sampler_of(session: Any) -> Sampler | None:
    """The `Sampler` of a `Session`; None where it trains no text, or a net that `generate` does not take."""
    facts = session.facts
    if session.task.name != LANGUAGE or facts.vocabulary is None:
        return None
    try:
        stepper(session.model)
    except ValueError:
        return None
    tokens = session.test_batches.dataset.tokens
    return Sampler(session.model, Vocabulary.from_dict(facts.vocabulary), tokens, session.settings.seed)
