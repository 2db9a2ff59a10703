"""The figures as PNG files, by matplotlib, an extra of the package."""

import io
import warnings

import numpy as np

from cynet.core.drawing import figure_class
from cynet.core.files import HeldPath, write_atomically
from cynet.core.folder import opened_own, own_target
from cynet.core.names import printable
from cynet.core.tasks import CLASSIFY, MULTILABEL, REGRESS, measures_of

CURVES, CONFUSION = "curves.png", "confusion.png"
LABELS, SCATTER = "labels.png", "scatter.png"  # in place of the confusion of tasks other than classes
BLUE, ORANGE = "#2563b0", "#c2570c"
MOST_SCATTERS = 6
DPI = 120
MOST_CLASSES = 30  # whose names and counts fit into a confusion matrix


def write(document, folder):
    """Draw the curves and the confusion matrix of a document, or what other tasks have, into a folder.

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
    draw = {CLASSIFY: (CONFUSION, _confusion), MULTILABEL: (LABELS, _labels), REGRESS: (SCATTER, _scatter)}
    if document["test"] and document.get("task", CLASSIFY) in draw:
        name, drawn = draw[document.get("task", CLASSIFY)]
        figures[name] = drawn(document["test"])
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
    measures = measures_of(run.get("task"))
    if f"{measure}_{measures.score}" in epochs:
        values = _array(epochs[f"{measure}_{measures.score}"]) * (100 if measures.higher else 1)
        accuracy.plot(epochs["step"], values, "o-", color="#c2570c", markersize=3)
    score = f"{measure} {measures.words}" + (", %" if measures.higher else "")
    source = steps if steps.get("lr") else epochs
    if source.get("lr"):
        rate.step(source["step"], _array(source["lr"]), where="pre", color="#6b7280")
    if loss.lines:
        loss.legend(frameon=False)
    for axis, label in ((loss, "loss"), (accuracy, score), (rate, "learning rate")):
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


def _labels(test):
    """Average precision and F1 of each label, of the first that fit."""
    names = list(map(printable, test["classes"]))[:MOST_CLASSES]
    figure = _figure(8, 1.5 + 0.35 * len(names))
    axis, places = figure.subplots(), np.arange(len(names))
    for shift, (key, label, color) in enumerate((("ap", "average precision", BLUE), ("f1", "F1", ORANGE))):
        values = _array(test["each"][key][: len(names)]) * 100
        axis.barh(places + 0.4 * shift - 0.2, values, 0.38, color=color, label=label)
    axis.set_yticks(places, names, parse_math=False)
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel("%")
    figure.legend(loc="outside right upper", frameon=False)  # on no bar
    return figure


def _scatter(test):
    """What is given against what is true, of the first numbers."""
    count = min(len(test["classes"]), MOST_SCATTERS)
    figure = _figure(4.5 * min(count, 2), 4.3 * -(-count // 2))
    for k, axis in enumerate(figure.subplots(-(-count // 2), min(count, 2), squeeze=False).reshape(-1)):
        if k >= count:
            axis.set_axis_off()
            continue
        truth, given = _array(test["truth"][k]), _array(test["given"][k])
        ends = [np.nanmin([truth, given]), np.nanmax([truth, given])]
        axis.plot(ends, ends, "--", color="#6b7280", linewidth=1)
        axis.plot(truth, given, ".", color=BLUE, markersize=3, alpha=0.5)
        axis.set_title(printable(test["classes"][k]), parse_math=False)
        axis.set_xlabel("true")
        axis.set_ylabel("given")
    return figure


def _array(values):
    return np.array([np.nan if value is None else value for value in values], float)
