"""The four figures of `growth` as one PNG file, by matplotlib, an extra of the package."""

import io

from cynet.core.drawing import figure_class
from cynet.core.files import user_path, write_atomically

BLUE, ORANGE, GRAY = "#2563b0", "#c2570c", "#6b7280"
DPI = 120


def write(reports, path):
    """Draw the reports of `growth.measure`.

    Parameters
    ----------
    reports : list of Report
    path : str or Path
        The PNG file.

    Raises
    ------
    ImportError
        Without matplotlib, naming the extra.
    OSError
        When it cannot be written.
    """
    figure = figure_class()((9, 7), layout="constrained")
    panels, found = (
        figure.subplots(2, 2).flat,
        {report.command.split()[-1]: report.rows for report in reports},
    )
    grown = ("batch", "batch_size", "batch"), ("side", "side", "side, pixels"), ("depth", "model", "depth")
    for panel, (what, key, label) in zip(panels, grown, strict=False):
        each, unit = ("pixel", 1e9) if what == "side" else ("picture", 1e6)
        rows = found[what]
        at = [int("".join(filter(str.isdigit, row[key]))) if what == "depth" else row[key] for row in rows]
        for name, title, color in (("train", "training", BLUE), ("infer", "inference", ORANGE)):
            panel.plot(at, [unit * row[f"{name}_{each}"] for row in rows], "o-", color=color, label=title)
        panel.set(xlabel=label, ylabel="ns a pixel" if what == "side" else "µs a picture", ylim=(0, None))
        if what != "depth":
            panel.set_xscale("log", base=2)
        panel.legend(frameon=False)
    _threads(figure.axes[3], found["threads"])
    for panel in figure.axes:
        panel.grid(alpha=0.3)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    write_atomically(user_path(path), drawn.getvalue())


def _threads(panel, rows):
    """Measured points, and the model's two lines."""
    first, counts = rows[0], [row["threads"] for row in rows]
    for key, label, style in (
        ("model", "model", "-"),
        ("model_one_memory", "model, no more memory", "--"),
    ):
        panel.plot(counts, [first[key] / row[key] for row in rows], style, color=GRAY, label=label)
    seen = [row for row in rows if row["seconds"]]
    ratios = [first["seconds"] / row["seconds"] for row in seen]
    panel.plot([row["threads"] for row in seen], ratios, "o", color=BLUE, label="measured")
    panel.set(xlabel="threads", ylabel="speed-up")
    panel.set_xscale("log", base=2)
    panel.set_yscale("log", base=2)
    panel.legend(frameon=False)
