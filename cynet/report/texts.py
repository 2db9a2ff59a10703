"""What the test text tells of a model of texts, and what it wrote, as plain values for the page."""

import numpy as np

from cynet.core.names import printable
from cynet.core.tasks import STRATEGIES
from cynet.data.text.vocabulary import CHARACTER, REPLACEMENT, UNKNOWN, WORD, Vocabulary
from cynet.train.generation import foretold

from .findings import number

PASSAGE = {CHARACTER: 600, WORD: 200}  # tokens, of which the first is given by nothing
LIKELIEST = 3
RARE = "is not in the text for training, or too rare there to be learnt"
SAMPLES = 8  # rows
CALLED = {" ": "space", "\n": "line end", "\t": "tab"}
SHOWN = {"\n": "↵\n", "\t": "⇥"}


def tested(found, names):
    """The numbers of a `TokenEvaluation`."""
    figures = {name: number(getattr(found, name)) for name in ("loss", "perplexity", "accuracy")}
    return {"count": found.tokens, "unsure": 0, **figures}


def mistakes(found, samples):
    """None: no token is looked at by itself."""
    return None


def passage(model, text):
    """How probable the model found each token at the beginning of a text.

    Parameters
    ----------
    model : Layer
    text : TokenSet

    Returns
    -------
    dict
        {"level", "bits" (the mean of a token; None where it is infinite), "tokens"}: a list of [as it is
        shown, as it is called, its probability (None of the first one), the likeliest [called, probability]].
    """
    level = WORD if text.vocabulary is None else text.vocabulary.level
    tokens = text.tokens[: PASSAGE[level]]
    given, likeliest, shares = foretold(model, tokens, LIKELIEST)
    told = {token: _told(text, token) for token in {*tokens.tolist(), *likeliest.ravel().tolist()}}
    first, *others = tokens.tolist()
    rows = [[*told[first], None, []]]
    for token, share, best, odds in zip(others, given, likeliest.tolist(), shares, strict=True):
        named = [[told[each][1], number(p)] for each, p in zip(best, odds, strict=True)]
        rows.append([*told[token], number(share), named])
    with np.errstate(divide="ignore"):
        bits = float(-np.log2(given).mean())
    return {"level": level if text.vocabulary else "token", "bits": number(bits), "tokens": rows}


def _told(text, token):
    """A token as it stands in a text, and as a sentence speaks of it."""
    vocabulary = text.vocabulary
    if vocabulary is None:  # the model may have more than occur in this text
        return str(token), f"token {token}"
    if token == vocabulary.unknown_token:
        shown = vocabulary.names[token] if vocabulary.level == WORD else REPLACEMENT
        return shown, f"an unknown {vocabulary.level}"
    entry = vocabulary.entries[token]
    shown = printable(entry)
    return SHOWN.get(entry, shown), CALLED.get(entry, f"“{shown}”")


def unknown(facts):
    """What the unknown token is: {"shown", "means", "written"}, where the last is of samples alone, or ''.

    None where the model of these `Facts` has no such token.
    """
    vocabulary = facts.vocabulary and Vocabulary.from_dict(facts.vocabulary)
    if not vocabulary or not vocabulary.unknown:
        return None
    level, words = vocabulary.level, vocabulary.level == WORD
    return {
        "shown": UNKNOWN if words else REPLACEMENT,
        "means": f"the unknown {level}, in place of each that {RARE}.",
        "written": " Where most words are, max and beam write little else." if words else "",
    }


def samples(columns):
    """What was written as a training went on: of many rows the first, the last, and some between.

    Parameters
    ----------
    columns : dict of str to list
        Of a `SampleTable`.

    Returns
    -------
    list of dict or None
        The rows; None where there are none. Letters that cannot be shown are escaped in their texts.
    """
    rows = len(columns.get("step", ()))
    if not rows:
        return None
    kept = range(rows)
    if rows > SAMPLES:
        kept = sorted({round(i * (rows - 1) / (SAMPLES - 1)) for i in range(SAMPLES)})
    return [
        {"step": columns["step"][i], "epoch": columns["epoch"][i]}
        | {name: _visible(columns[name][i]) for name in ("prompt", *STRATEGIES)}
        for i in kept
    ]


def _visible(text):
    return "\n".join(printable(line) for line in text.split("\n"))
