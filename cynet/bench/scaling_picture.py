"""The figure of `distributed` as one PNG file, by matplotlib, an extra of the package."""

import io

from cynet.core.drawing import figure_class
from cynet.core.files import user_path, write_atomically

COLORS = "#2563b0", "#c2570c", "#15803d", "#7c3aed", "#6b7280"
MARKS = "os^Dv"
DPI = 120


def write(reports, path):
    """Draw what the model of many machines says, the last report of `distributed.measure`.

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
    report = reports[-1]
    figure, facts = figure_class()((12, 4.2), layout="constrained"), report.extra
    panels = figure.subplots(1, 3)
    for i, name in enumerate(dict.fromkeys(row["model"] for row in report.rows)):
        rows = [row for row in report.rows if row["model"] == name]
        look = {"color": COLORS[i % len(COLORS)], "marker": MARKS[i % len(MARKS)], "label": name}
        for panel, key, factor in zip(
            panels, ("same_batch", "batch_a_machine", "pictures"), (100, 100, 1), strict=True
        ):
            seen = [row for row in rows if row[key] is not None]
            panel.plot([row["machines"] for row in seen], [factor * row[key] for row in seen], ms=4, **look)
    machines = sorted({row["machines"] for row in report.rows})
    titles = (
        f"{facts['batch_size']} pictures in all",
        f"{facts['batch_size']} pictures a machine, in {facts['a_machine']} shards",
        f"pictures a machine, in one shard, for {100 * facts['wanted']:g} %",
    )
    for panel, title in zip(panels, titles, strict=True):
        panel.set_xscale("log", base=2)
        panel.set_xticks(machines, map(str, machines))
        panel.minorticks_off()
        panel.set_title(title, fontsize="medium")
        panel.set_xlabel("machines")
        panel.grid(alpha=0.3)
    for panel in panels[:2]:
        panel.set(ylim=(0, 103), ylabel="efficiency, %")
    panels[2].set_yscale("log", base=2)
    panels[2].yaxis.set_major_formatter("{x:g}")
    panels[0].legend(frameon=False)
    figure.suptitle(f"Predicted for machines {facts['line']} apart", fontsize="medium")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    write_atomically(user_path(path), drawn.getvalue())
