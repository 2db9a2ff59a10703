"""The figures as PNG files, by matplotlib, an extra of the package."""

import io
import warnings

import numpy as np

from cynet.core.drawing import figure_class
from cynet.core.files import HeldPath, write_atomically
from cynet.core.folder import opened_own, own_target
from cynet.core.names import printable

CURVES, CONFUSION = "curves.png", "confusion.png"
DPI = 120
MOST_CLASSES = 30  # whose names and counts fit into a confusion matrix


def write(document, folder):
    """Draw the curves and the confusion matrix of a document into a folder.

    Parameters
    ----------
    document : dict
        As `gather` makes it.
    folder : Path
        Made when it is not there.

    Returns
    -------
    list of Path
        The files; what the document does not know is not drawn.

    Raises
    ------
    ImportError
        Without matplotlib, naming the extra.
    OSError
        When they cannot be written, or one is a link that leaves the folder around `folder`.
    """
    figures = {}
    if document["runs"][0]["epochs"] or document["runs"][0]["steps"]:
        figures[CURVES] = _curves(document["runs"][0])
    if document["test"]:
        figures[CONFUSION] = _confusion(document["test"])
    if figures:
        with opened_own(folder) as held:
            for name, figure in figures.items():
                write_atomically(own_target(HeldPath.of(folder / name, held), folder.parent), _drawn(figure))
    return [folder / name for name in figures]


def _drawn(figure):
    """The bytes of a figure's PNG file."""
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a name in letters that the font has not is a box
        figure.savefig(drawn, format="png", dpi=DPI)
    return drawn.getvalue()


def _figure(width, height):
    return figure_class()((width, height), layout="constrained")


def _curves(run):
    figure, epochs, steps, measure = _figure(8, 7), run["epochs"], run["steps"], run["measure"]
    loss, accuracy, rate = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1))
    if steps:
        low, high = (_array(steps[name]) for name in ("low", "high"))
        loss.fill_between(steps["step"], low, high, color="#2563b0", alpha=0.15, linewidth=0)
        mean = _array(steps["loss"])
        loss.plot(steps["step"], mean, color="#2563b0", linewidth=1, label="training, by step")
    losses = (("train_loss", "training", "#2563b0"), (f"{measure}_loss", measure, "#c2570c"))
    for name, label, color in losses:
        if name in epochs:
            loss.plot(epochs["step"], _array(epochs[name]), "o-", color=color, markersize=3, label=label)
    if f"{measure}_accuracy" in epochs:
        percent = _array(epochs[f"{measure}_accuracy"]) * 100
        accuracy.plot(epochs["step"], percent, "o-", color="#c2570c", markersize=3)
    source = steps if steps.get("lr") else epochs
    if source.get("lr"):
        rate.step(source["step"], _array(source["lr"]), where="pre", color="#6b7280")
    if loss.lines:
        loss.legend(frameon=False)
    for axis, label in ((loss, "loss"), (accuracy, f"{measure} accuracy, %"), (rate, "learning rate")):
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    rate.set_xlabel("step")
    return figure


def _confusion(test):
    counts, names = np.array(test["confusion"]), test["classes"]
    figure = _figure(8, 7.2)
    axis = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axis.set_xlabel("prediction")
    axis.set_ylabel("label")
    if len(names) <= MOST_CLASSES:
        names = list(map(printable, names))  # and a $ in one begins no formula
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right", parse_math=False)
        axis.set_yticks(range(len(names)), names, parse_math=False)
        for i, j in np.argwhere(counts):
            color = "white" if shares[i, j] > 0.5 else "black"
            axis.text(j, i, counts[i, j], ha="center", va="center", color=color, fontsize=7)
    return figure


def _array(values):
    return np.array([np.nan if value is None else value for value in values], float)
