"""The batches of a text: what a run is trained on, and what it is evaluated on.

Design: an evaluation cuts a text into as many rows whatever the batches of training have, so that it says the
same of weights wherever they come from; each row begins with a state of zeros, so they are few and long.
"""

import numpy as np

from cynet import data
from cynet.data import registry
from cynet.data.text import Sequences, TokenSet, Vocabulary

ROWS, TOKENS = 64, 100  # of an evaluation; of a short text fewer rows, each of so many tokens or more


def training_batches(training, settings):
    """The `Sequences` of a text that is trained on."""
    return Sequences(
        training.tokens, settings.batch_size, training.sequence_length, settings.random_starts,
        seed=settings.seed, vocabulary=training.vocabulary,
    )  # fmt: skip


def evaluated_batches(text, facts, rows=ROWS):
    """The `Sequences` of a text that is evaluated, of as many tokens as a model of these `Facts` gets."""
    rows = max(1, min(rows, ROWS, len(text.tokens) // TOKENS))
    return Sequences(text.tokens, rows, facts.picture_shape[0], vocabulary=text.vocabulary)


def refuse_other(training, test):
    """Raise ValueError where a text to test with has another vocabulary than that for training."""
    if training.vocabulary != test.vocabulary:
        wanted, got = training.vocabulary, test.vocabulary
        raise ValueError(f"data: wanted tokens for testing of the same vocabulary, {wanted!r}, got {got!r}")
    if (most := int(test.tokens.max())) >= len(training.classes):
        raise ValueError(
            f"data: wanted tokens for testing below {len(training.classes)}, as for training, got {most}"
        )


def load(facts, name, root, split, **options):
    """A text for a model with these `Facts`, by the name of its data set: its tokens are the model's own.

    Raises
    ------
    ValueError
        When it is no text, or holds what the model has no token for.
    OSError
        When it cannot be read.
    """
    if name not in registry.dataset.those(texts=True):
        raise ValueError(f"wanted a text, as the model's, {name} is none")
    own = facts.vocabulary and Vocabulary.from_dict(facts.vocabulary)
    if own:
        options["level"] = own.level
    if facts.fold:  # of older weights only the run around them tells it
        options["fold"] = True
    if own and registry.dataset.facts(name).get("vocabulary"):
        options["vocabulary"] = own
    found = data.load(name, root, split, **options | {"sequence_length": facts.picture_shape[0]})
    if not own:
        raise ValueError("wanted a model that tells of its vocabulary, got one that does not")
    return found if found.vocabulary == own else _renumbered(found, own, name)


def _renumbered(text, own, name):
    """A text whose tokens are those of another vocabulary."""
    known = {entry: token for token, entry in enumerate(own.entries)}
    rest = len(own.entries)  # the unknown one
    table = np.array([*(known.get(entry, rest) for entry in text.vocabulary.entries), rest])
    tokens = table[text.tokens]
    if not own.unknown and (tokens == rest).any():
        odd = [text.vocabulary.names[token] for token in np.unique(text.tokens[tokens == rest])]
        shown = ", ".join(map(repr, odd[:5])) + (f" and {len(odd) - 5} more" if len(odd) > 5 else "")
        raise ValueError(f"wanted a text of the model's own {own.level}s, {name} also has {shown}")
    found = TokenSet(tokens, text.sequence_length, own)
    if strange := int((tokens == rest).sum()):
        which = f"{strange:,} of {len(tokens):,} {own.level}s, which the model does not know,"
        found.notes = (f"{which} are the unknown one",)
    return found
