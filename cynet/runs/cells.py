"""The cells of a run's tables: what may stand under each heading, and the one reader of it."""

import os
import re
from dataclasses import dataclass
from itertools import pairwise

from cynet.core.files import open_regular
from cynet.core.folder import own_file
from cynet.core.names import printable

ROWS = 1_000_000  # lines of a table that are read
LINE = 2**16  # bytes of a line
TAIL = 2**12  # bytes at the end of a table in which its last row is
SHOWN = 60  # letters of a heading in a message
STEPS = 10**15  # more than any run takes; floats hold each whole number up to there, and its neighbours
SINGLE = 1e39  # beyond every float32, with which losses and rates are computed
AGE = 1e10  # seconds


@dataclass(frozen=True)
class Cell:
    """What may stand in a cell: text of some form, and of numbers those within bounds.

    Attributes
    ----------
    form : str
        A regular expression of ASCII.
    make : type
        int, float or str.
    least, most : float
        Bounds of a number; NaN and infinity are for the form to allow.
    """

    form: str
    make: type = float
    least: float = 0.0
    most: float = SINGLE

    def parser(self):
        """A function from a cell's text to its value, None where it is none."""
        fits, make, least, most = re.compile(self.form, re.ASCII).fullmatch, self.make, self.least, self.most

        def parse(text):
            if not fits(text):
                return None
            value = make(text)
            if make is str or text[-1] in NO_DIGITS or least <= value <= most:
                return value
            return None

        return parse


NO_DIGITS = "nf"  # at the ends of nan and inf
NUMBER = r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:e[-+]?[0-9]{1,4})?"
COUNT = Cell(r"[0-9]{1,16}", int, 0, STEPS)
SIZE, SHARE, TIME = Cell(NUMBER), Cell(NUMBER, most=1.0), Cell(NUMBER, most=AGE)
PART = Cell(rf"{NUMBER}|nan", most=1.0)  # nan: no sample that it could be a part of
LOSS = Cell(rf"{NUMBER}|nan|-?inf", least=-SINGLE)
CELLS = {
    "step": COUNT, "epoch": COUNT, "lr": SIZE, "loss": LOSS, "accuracy": SHARE, "seconds": TIME,
    "train_loss": LOSS, "test_loss": LOSS, "validation_loss": LOSS,
    "train_accuracy": SHARE, "test_accuracy": SHARE, "validation_accuracy": SHARE,
    "test_ap": PART, "validation_ap": PART, "test_f1": SHARE, "validation_f1": SHARE,
    "test_perplexity": LOSS, "validation_perplexity": LOSS,
    "test_rmse": SIZE, "validation_rmse": SIZE, "test_mae": SIZE, "validation_mae": SIZE,
    "test_r2": LOSS, "validation_r2": LOSS,
    "tensor": Cell(r"[^,\r\n]+", str), "sha256": Cell(r"[0-9a-f]{64}", str),
}  # fmt: skip


@dataclass(frozen=True)
class Content:
    """What `read` found.

    Attributes
    ----------
    columns : dict of str to list
        Of each heading that `CELLS` knows, "step" first: int, float or str, None where a cell holds no such
        value. The rows are in the order of their steps, and every one has its step.
    notes : tuple of str
        What was left out, and what is not as a run writes it.
    """

    columns: dict
    notes: tuple


def read(path):
    """The columns of a table.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Content
        Without rows where the file has none. A line at its end that was cut short is left out.

    Raises
    ------
    OSError
        When it cannot be opened, or is no regular file.
    ValueError
        When its first line is no heading of a run's table.
    """
    with open_regular(own_file(path)) as file:
        names = _names(file.readline(LINE))
        if not names:
            return Content({}, ())
        known, notes = _known(names)
        parsers = [(names.index(name), CELLS[name].parser()) for name in known]
        rows, found = _rows(file, len(names), parsers)
    notes += found
    if any(before[0] > after[0] for before, after in pairwise(rows)):
        rows.sort(key=lambda row: row[0])
        notes.append("its rows are not in the order of their steps: they are taken in it")
    columns = zip(*rows, strict=True) if rows else [()] * len(known)
    return Content({name: list(column) for name, column in zip(known, columns, strict=True)}, tuple(notes))


def _names(line):
    """The headings in the first line of a file, [] of an empty one."""
    text = line.decode("utf-8-sig", "surrogateescape").rstrip("\r\n")
    names = text.split(",")
    if line and "step" not in names:
        raise ValueError(
            f"wanted a heading of names with commas between them, step among them, got {shortened(text)}"
        )
    if names.count("step") > 1:
        raise ValueError(f"wanted one column called step, got {shortened(text)}")
    return names if line else []


def shortened(text):
    """The beginning of a heading as it stands in a message."""
    return f"'{printable(text[:SHOWN])}'{'...' * (len(text) > SHOWN)}"


def _known(names):
    """(the headings that are read, "step" first, and notes on those that are not)."""
    known = [name for name in dict.fromkeys(names) if name in CELLS and names.count(name) == 1]
    notes = [f"there are {names.count(name)} columns called {name}: none of them is read"
             for name in dict.fromkeys(names) if name in CELLS and names.count(name) > 1]  # fmt: skip
    return sorted(known, key=lambda name: name != "step"), notes


def _rows(file, width, parsers):
    """(a tuple of values for each row below the heading, notes); the step is a row's first value."""
    rows, notes, odd, empty = [], [], 0, 0
    for number in range(ROWS + 1):
        line = file.readline(LINE + 1)
        if not line.endswith(b"\n"):  # the end, perhaps in a row that was cut short
            if len(line) > LINE:
                notes.append(f"what follows a line of more than {LINE:,} bytes is left out")
            elif line.count(b",") == width - 1 and line:
                notes.append("its last line has no end: left out")
            break
        if number == ROWS:
            notes.append(f"only its first {ROWS:,} lines are read")
            break
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        cells = text.split(",")
        row = tuple(parse(cells[place]) for place, parse in parsers) if len(cells) == width else (None,)
        if row[0] is None:
            odd += bool(text)
        else:
            empty += None in row
            rows.append(row)
    notes += [f"lines that are no rows are left out: {odd:,}"] * bool(odd)
    notes += [f"cells that hold no value of their column are left out, in {empty:,} rows"] * bool(empty)
    return rows, notes


def last_row(path):
    """The last whole row of a table, alone: {heading: value or None}; {} where there is none."""
    try:
        with open_regular(own_file(path)) as file:
            heading = file.readline(TAIL)
            names = _names(heading)
            file.seek(max(len(heading), os.fstat(file.fileno()).st_size - TAIL))
            lines = file.read(TAIL).decode("utf-8", "replace").split("\n")
    except (OSError, ValueError):
        return {}
    rows = (line.rstrip("\r").split(",") for line in reversed(lines[:-1]))
    whole = next((row for row in rows if len(row) == len(names)), ())
    return {name: CELLS[name].parser()(cell) for name, cell in zip(names, whole, strict=bool(whole))
            if name in CELLS and names.count(name) == 1}  # fmt: skip
