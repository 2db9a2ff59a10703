"""What the test text tells of a model of texts, as plain values for the page."""

from .findings import number


def tested(found, names):
    """The numbers of a `TokenEvaluation`; `names` are those of the tokens."""
    figures = {name: number(getattr(found, name)) for name in ("loss", "perplexity", "accuracy")}
    return {"classes": list(names), "count": found.tokens, "unsure": 0, **figures}


def mistakes(found, samples):
    """None: no token is looked at by itself."""
    return None
