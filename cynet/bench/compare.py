"""Two files of `cynet bench`, case by case: what got faster, and what slower."""

import json
from dataclasses import dataclass

from cynet.core.files import read_regular, worded
from cynet.core.names import printable

from .choices import TOLERANCE
from .report import GIGA, MEBIBYTES, MICROSECONDS, MILLISECONDS, PERCENT, TIMES, Report, scaled

MOST = 1 << 28  # bytes of a file
LARGEST = 1e100  # of a number that was measured; a whole number in JSON may be beyond any float
RATE = scaled(1, 0)
SHAPES = (
    "shape threads",
    {"forward_seconds": (False, MILLISECONDS, "ms"), "both_seconds": (False, MILLISECONDS, "ms")},
)
GROWTH = (
    "model side batch_size threads",
    {"train": (False, MILLISECONDS, "ms"), "infer": (False, MILLISECONDS, "ms")},
)
# Of each command: what a case is named by, and what is measured of it, each with whether more is better, how
# it is shown, and its unit.
KINDS = {
    "peak": ("measure", {"rate": (True, GIGA, "G/s")}),
    "kernels": ("kernel shape place", {"seconds": (False, MICROSECONDS, "µs")}),
    "train": ("model side batch_norm batch_size threads", {"seconds": (False, MILLISECONDS, "ms")}),
    "infer": ("model side batch_norm batch_size threads", {"seconds": (False, MILLISECONDS, "ms")}),
    "shapes": SHAPES,
    "shapes: drawn": SHAPES,
    "memory": (
        "model batch_norm batch_size threads steps",
        {"peak_bytes": (False, MEBIBYTES, "MiB"), "own_bytes": (False, MEBIBYTES, "MiB")},
    ),
    "import": ("import", {"seconds": (False, MILLISECONDS, "ms")}),
    "loader": ("workers", {"images_per_second": (True, RATE, "images/s")}),
    "loader: cost": (
        "workers",
        {"first_seconds": (False, MILLISECONDS, "ms"), "grown_bytes": (False, MEBIBYTES, "MiB")},
    ),
    "loader: training": ("workers", {"images_per_second": (True, RATE, "images/s")}),
    "growth: batch": GROWTH,
    "growth: side": GROWTH,
    "growth: depth": GROWTH,
    "growth: threads": ("threads", {"seconds": (False, MILLISECONDS, "ms")}),
    "language-model": ("hidden batch_size length threads", {"seconds": (False, MILLISECONDS, "ms")}),
    "language-model: writing": ("hidden threads", {"seconds": (False, MICROSECONDS, "µs")}),
    "language-model: memory": (
        "hidden batch_size length threads steps",
        {"peak_bytes": (False, MEBIBYTES, "MiB"), "own_bytes": (False, MEBIBYTES, "MiB")},
    ),
    "distributed": ("model ranks threads", {"seconds": (False, MILLISECONDS, "ms")}),
    "distributed: the model": ("model machines", {"same_batch": (True, PERCENT, "%")}),
    "profile": (
        "model batch_norm batch_size path layer",
        {
            "forward": (False, MICROSECONDS, "µs"),
            "backward": (False, MICROSECONDS, "µs"),
            "total": (False, MICROSECONDS, "µs"),
        },
    ),
}
BESIDE = {
    "seconds": "ratio", "peak_bytes": "ratio", "own_bytes": "own_ratio", "images_per_second": "ratio",
    "forward_seconds": "forward_ratio", "both_seconds": "both_ratio",
}  # fmt: skip
NAMES = {
    "batch_size": "batch {}", "threads": "{} threads", "workers": "{} workers", "steps": "{} steps",
    "ranks": "{} ranks", "machines": "{} machines", "hidden": "{} units", "side": "@{}",
    "length": "length {}",
}  # fmt: skip
COLUMNS = (
    ("case", "case", None), ("old", "old", str), ("new", "new", str), ("unit", "", None),
    ("ratio", "ratio", TIMES), ("by", "by", None),
)  # fmt: skip
NOTE = (
    "ratio: how much faster (or smaller) the new one is, above 1 better. By a peer: in both files it stands "
    "beside one, measured in turns, and the ratio is of the ratios to it, which hold on a busy machine."
)


@dataclass(frozen=True)
class Measured:
    """One number of a file: `beside` is its ratio to the peer that it was measured beside, or None."""

    value: float
    more_is_better: bool
    show: object
    unit: str
    beside: float | None


def read(path):
    """The cases of a file that `cynet bench --json` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of str to Measured
        By a text that says what was measured. What was not measured, or is no positive number, is left out.

    Raises
    ------
    OSError, ValueError
        When it cannot be read, or is no such file; named by its path.
    """
    wanted = f"{path}: wanted a file that `cynet bench --json` wrote"
    content = read_regular(path, MOST)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{wanted}, got one that is no JSON ({worded(error):.80})") from None
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, list):
        raise ValueError(f"{wanted}, got one without a list of results")
    found = {}
    for result in results:
        rows = result.get("rows") if isinstance(result, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"{wanted}, got a result without rows")
        command = result.get("command")
        if not isinstance(command, str) or command not in KINDS:
            raise ValueError(f"{wanted}, got results of an unknown command {command!r:.80}")
        for row in rows:
            _take(found, command, result | row)
    return found


def _take(found, command, row):
    """Add the cases of one row."""
    keys, measures = KINDS[command]
    words = [_word(key, row[key]) for key in keys.split() if row.get(key) not in (None, "")]
    for key, (more_is_better, show, unit) in measures.items():
        value = _positive(row.get(key))
        if value is None:
            continue
        what = [key.removesuffix("_bytes").replace("_", " ")] if len(measures) > 1 else []
        name = start = ", ".join([command, *words, *what])
        count = 1
        while name in found:  # a layer that stands twice in a net
            count += 1
            name = f"{start} ({count})"
        found[name] = Measured(value, more_is_better, show, unit, _positive(row.get(BESIDE.get(key))))


def _word(key, value):
    if key == "batch_norm":
        return "batch norm" if value else "no batch norm"
    return NAMES.get(key, "{}").format(printable(f"{value!s:.80}"))


def _positive(value):
    """A number that a ratio can be made of, or None."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if known and 0 < value < LARGEST else None


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    report : Report
        A row for each case of both files, sorted by ratio, the worst first.
    slower : tuple of str
        The cases whose ratio is below the tolerance.
    """

    report: Report
    slower: tuple


def compare(old, new, tolerance=TOLERANCE):
    """Compare two files of `cynet bench`.

    Parameters
    ----------
    old, new : str or Path
    tolerance : float, optional
        The ratio below which a case counts as slower.

    Returns
    -------
    Comparison

    Raises
    ------
    OSError, ValueError
        When one of them cannot be read, or no case is in both.
    """
    before, after = read(old), read(new)
    rows = sorted(
        (_row(name, before[name], after[name]) for name in before if name in after),
        key=lambda row: (row["ratio"], row["case"]),
    )
    if not rows:
        raise ValueError(f"{new}: wanted at least one case that {old} has too, got none")
    slower = tuple(row["case"] for row in rows if row["ratio"] < tolerance)
    text = f"Slower, below {tolerance:g}: {'; '.join(slower)}." if slower else f"Nothing below {tolerance:g}."
    notes = [NOTE, text]
    for path, own, others in ((old, before, after), (new, after, before)):
        alone = [name for name in own if name not in others]
        notes += [f"Only in {path}: {'; '.join(alone)}."] if alone else []
    return Comparison(Report("compare", COLUMNS, rows, tuple(notes)), slower)


def _row(name, old, new):
    ratio = new.value / old.value if new.more_is_better else old.value / new.value
    by = "itself"
    if old.beside is not None and new.beside is not None:
        ratio, by = new.beside / old.beside, "a peer"
    shown = {"old": new.show(old.value), "new": new.show(new.value), "unit": new.unit}
    return {"case": name, **shown, "ratio": ratio, "by": by}
