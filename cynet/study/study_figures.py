"""The figures of a batch-norm study. matplotlib, an extra of the package, is imported when one is drawn."""

import io

import numpy as np

from cynet.core.drawing import figure_class

from .study import ANNEAL, SWEEP, chosen, mean_and_spread, mean_curve, rates_of, smooth, window

LOSS, ACCURACY = "loss.png", "accuracy.png"
COLORS = {False: "#c44e52", True: "#2f6db3"}
NAMES = {False: "without batch norm", True: "with batch norm"}
MARKS = {False: "s", True: "o"}
DPI = 80
SHADES = 64
COLUMNS = 4
HIGHEST = 3.0  # losses above are cut off: chance of ten classes is 2.3


def loss(runs):
    """Loss against step: a panel for each rate of the sweep, and one for the annealing.

    Parameters
    ----------
    runs : sequence of Trial
        At least one.

    Returns
    -------
    bytes
        A PNG. Lines are means over seeds of the smoothed loss, bands their standard deviation.
    """
    panels = [(SWEEP, lr) for lr in rates_of(runs, SWEEP)]
    panels += [(ANNEAL, None)] if rates_of(runs, ANNEAL) else []
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = _figure(2.9 * columns + 0.6, 2.5 * rows + 0.8)
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).reshape(-1)
    for axis in axes[len(panels) :]:
        axis.remove()
    for axis, (phase, lr) in zip(axes, panels, strict=False):
        for net in NAMES:
            _draw_losses(axis, chosen(runs, phase, net, lr), net)
        axis.set_title(f"rate {lr:g}" if phase == SWEEP else "annealing")
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    if panels[-1][0] == ANNEAL:
        _mark_rounds(axes[len(panels) - 1], runs)
    axes[0].set_ylim(0, min(HIGHEST, axes[0].get_ylim()[1]))
    for axis in axes[: len(panels) : columns]:
        axis.set_ylabel("training loss")
    figure.legend(*_handles(), loc="outside upper center", ncols=2, frameon=False)
    return _png(figure)


def accuracy(runs, chance):
    """Test accuracy against learning rate for both nets, with the best that the annealing reached.

    Parameters
    ----------
    runs : sequence of Trial
        At least one.
    chance : float
        The accuracy of a guess, drawn as a line; a run that diverged is a cross on it.

    Returns
    -------
    bytes
        A PNG. Points are means over seeds, bars and the band around an annealing standard deviations.
    """
    figure = _figure(7.5, 4.6)
    axis = figure.subplots()
    for net, name in NAMES.items():
        rates, means, spreads = [], [], []
        for lr in rates_of(runs, SWEEP, net):
            found = chosen(runs, SWEEP, net, lr)
            if any(run.diverged for run in found):
                axis.plot(lr, chance, "x", color=COLORS[net], markersize=9, markeredgewidth=2, clip_on=False)
            if not all(run.diverged for run in found):
                mean, spread = mean_and_spread(run.accuracy for run in found)
                rates, means, spreads = [*rates, lr], [*means, mean], [*spreads, spread]
        if rates:
            axis.errorbar(rates, means, spreads, marker=MARKS[net], color=COLORS[net], label=name, capsize=4)
        _draw_annealed(axis, runs, net)
    axis.axhline(chance, color="grey", linestyle=":", label="chance (a cross: runs diverged)")
    axis.set(xscale="log", xlabel="learning rate", ylabel="test accuracy", ylim=(0, 1))
    rates = rates_of(runs, SWEEP)
    axis.set_xticks(rates, [f"{lr:g}" for lr in rates])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return _png(figure)


def _draw_annealed(axis, runs, net):
    last = [run for run in runs if run.phase == ANNEAL and run.batch_norm == net and not run.diverged]
    end = max((run.steps for run in last), default=None)
    if end is None:
        return
    mean, spread = mean_and_spread(run.accuracy for run in last if run.steps == end)
    axis.axhline(mean, color=COLORS[net], linestyle="--", linewidth=1.2, label=f"annealed, {NAMES[net]}")
    axis.axhspan(mean - spread, mean + spread, color=COLORS[net], alpha=0.12, linewidth=0)


def _draw_losses(axis, runs, net):
    """Mean and band of the runs over steps; a run that diverged is a thin line that ends."""
    for steps in sorted({run.steps for run in runs if not run.diverged}):
        mean, spread = mean_curve([run for run in runs if run.steps == steps])
        x = np.arange(steps - len(mean), steps) + 1
        axis.plot(x, mean, color=COLORS[net], linewidth=1.4)
        axis.fill_between(x, mean - spread, mean + spread, color=COLORS[net], alpha=0.25, linewidth=0)
    for run in runs:
        if run.diverged and run.losses:
            x = np.arange(run.steps - len(run.losses), run.steps) + 1
            y = smooth(run.losses, window(run.losses))
            axis.plot(x, y, color=COLORS[net], linewidth=0.8)
            axis.plot(x[-1], min(y[-1], HIGHEST), "x", color=COLORS[net], clip_on=False)


def _mark_rounds(axis, runs):
    """A dotted line where each round begins, with its rate."""
    ends = {}
    for run in runs:
        if run.phase == ANNEAL:
            ends[run.lr] = max(run.steps, ends.get(run.lr, 0))
    start = 0
    for lr, end in ends.items():
        if start:
            axis.axvline(start, color="grey", linestyle=":", linewidth=0.8)
        axis.text((start + end) / 2, 0.97, f"{lr:g}", ha="center", va="top", fontsize=7,
                  transform=axis.get_xaxis_transform())  # fmt: skip
        start = end


def _handles():
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=COLORS[net], linewidth=2) for net in NAMES], list(NAMES.values())


def _figure(width, height):
    return figure_class()((width, height), layout="constrained")


def _png(figure):
    """The figure as a PNG of at most `SHADES` colours, which is a third of the bytes."""
    from PIL import Image

    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(SHADES, dither=Image.Dither.NONE).save(
        packed, format="png", optimize=True
    )
    return packed.getvalue()
