"""The curves of a run as the page takes them: of a few hundred points."""

from math import exp

from cynet.core.tasks import LANGUAGE
from cynet.train.language_task import MOST_LOSS

POINTS = 400  # of a curve on the page


def curves(run):
    """The curves of a run as the page takes them, of at most `POINTS` points each.

    Returns
    -------
    dict
        "epochs": columns of metrics.csv, and of a text "train_perplexity"; "steps": {"step", "seconds", "lr",
        "loss", "low", "high"}, where a point is the mean, the least and the greatest loss of the steps up to
        it. Empty where not known.
    """
    epochs = run.epochs if run.epochs.get("step") else {}
    rows = len(epochs.get("step", ()))
    kept = range(rows)
    if rows > POINTS:
        kept = sorted({round(i * (rows - 1) / (POINTS - 1)) for i in range(POINTS)})
    thin = {name: [_short(column[i]) for i in kept] for name, column in epochs.items()}
    if "train_loss" in thin and run.task == LANGUAGE and run.plain.get("label_smoothing") == 0:
        thin["train_perplexity"] = list(map(_perplexity, thin["train_loss"]))
    return {"epochs": thin, "steps": _step_curve(run.steps)}


def _perplexity(loss):
    """That of a mean cross-entropy, which a loss of smoothed labels is not."""
    return None if loss is None or loss > MOST_LOSS else _short(exp(loss))


def _step_curve(steps):
    count = len(steps.get("step", ()))
    if not count or "loss" not in steps:
        return {}
    buckets = min(count, POINTS)
    bounds = [(count * b // buckets, count * (b + 1) // buckets) for b in range(buckets)]
    curve = {"loss": [], "low": [], "high": []}
    for start, stop in bounds:
        values = [value for value in steps["loss"][start:stop] if value is not None]
        curve["loss"].append(_short(sum(values) / len(values)) if values else None)
        curve["low"].append(_short(min(values, default=None)))
        curve["high"].append(_short(max(values, default=None)))
    for name in ("step", "seconds", "lr"):
        if name in steps:
            curve[name] = [_short(steps[name][stop - 1]) for _, stop in bounds]
    return curve


def _short(value):
    """A number with the six digits that a chart can use."""
    if value is None:
        return None
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short
