"""List the runs in a folder: the settings in which they differ, the best accuracy, the time, the state."""

import json

from cynet.core.names import few, printable

from .columns import aligned
from .parser import refusing
from .registry import command

FOLDER = "runs"
SHOWN = 8  # folders that are named
SHOWN_LETTERS = 100  # of a cell


def add_flags(parser):
    parser.add_argument(
        "folder", nargs="?", default=FOLDER, metavar="FOLDER", help=f"with runs, or a run (default: {FOLDER})"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with every setting")


@command("the runs in a folder: settings that differ, best accuracy, time, state", order=4)
def run(flags):
    from cynet.runs import overview

    with refusing("FOLDER"):
        runs, others = overview.read_all(flags.folder)
    if flags.json:
        print(json.dumps(overview.document(runs, others), indent=1, allow_nan=False))
        return 0
    if runs:
        print(aligned(rows(runs)))
    else:
        print(f"no runs in {flags.folder}")
    for each in runs:
        for problem in each.problems:
            if not problem.endswith("is not there"):
                print(f"note: {printable(each.run.path)}: {printable(problem)}")
    if others:
        print(f"note: no runs: {few(others, SHOWN)}")
    return 0


def rows(runs):
    """The table: a heading, then a row for each run, as texts."""
    from cynet.runs.overview import differing

    from .terminal import duration

    names = differing(runs)
    measures = {each.measure for each in runs if each.measure}
    title = f"best {measures.pop()}" if len(measures) == 1 else "best"
    yield ["run", *names, title, "at step", "steps", "time", "state"]
    for each in runs:
        mixed = f" {each.measure}" if measures else ""
        yield [
            shown(each.run.name),
            *(shown(each.settings.get(name)) for name in names),
            "-" if each.best is None else f"{each.best:.4f}{mixed}",
            shown(each.best_step),
            f"{shown(each.step)}/{shown(each.steps)}",
            duration(each.seconds) if each.seconds else "-",
            each.state,
        ]


def shown(value):
    """A setting as a cell of a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in (None, "", {}) else printable(value)[:SHOWN_LETTERS]
