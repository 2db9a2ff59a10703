"""The lab's figures as PNG. matplotlib, an extra of the package, is imported when one is drawn."""

import io

from cynet.core.drawing import figure_class

from .contest import OTHERS, YOURS
from .roofline import GIGA

COLORS = dict(zip((YOURS, *OTHERS), ("#b24c08", "#8792a0", "#7442b8", "#1d5fb0", "#14775a"), strict=True))
DPI = 100


def roofline(times):
    """The roofline of `Times`, as the bytes of a PNG.

    Raises
    ------
    ImportError
        Without matplotlib, naming the extra.
    """
    figure = figure_class()((8, 5), layout="constrained")
    axis = figure.subplots()
    ridge = times.flops / times.bandwidth
    xs = [row["flops"] / row["bytes"] for row in times.rows]
    ends = [min([*xs, ridge]) / 2, ridge, max([*xs, ridge]) * 4]
    axis.plot(
        ends, [min(times.flops, x * times.bandwidth) / GIGA for x in ends], color="#17202b", label="the roof"
    )
    for who, color in COLORS.items():
        rows = [row for row in times.rows if row["who"] == who]
        if rows:
            axis.scatter([row["flops"] / row["bytes"] for row in rows],
                         [row["flops"] / row["seconds"] / GIGA for row in rows], color=color, label=who,
                         s=50 if who == YOURS else 25, zorder=3)  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel="operations per byte", ylabel="GFLOP/s")
    axis.grid(alpha=0.3)
    axis.legend()
    return _png(figure)


def curves(panels, ylabel="training loss"):
    """Lines over steps, as the bytes of a PNG.

    Parameters
    ----------
    panels : list of (str, list of (str, str, list of float, bool))
        A title, and lines: name, colour, values, whether it is dashed, upon those that are not.
    """
    figure = figure_class()((4 * len(panels), 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (title, lines) in zip(axes, panels, strict=True):
        for name, color, values, dashed in lines:
            style = {"linestyle": "--", "zorder": 3} if dashed else {}
            axis.plot(range(1, len(values) + 1), values, color=color, label=name, **style)
        axis.set_title(title)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    axes[0].set_ylabel(ylabel)
    return _png(figure)


def _png(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    return file.getvalue()
