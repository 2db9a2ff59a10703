"""A table of results: as text, as GitHub markdown, and as what a JSON file holds."""

import textwrap
from dataclasses import dataclass, field


def scaled(factor, digits):
    """A format: the value times `factor` with so many digits behind the point."""
    return lambda value: f"{value * factor:,.{digits}f}"


def significant(factor):
    """A format: the value times `factor`, with three digits that count."""

    def show(value):
        value = value * factor
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
        return f"{value:,.{digits}f}"

    return show


def span(values):
    """A format: 'low to high'."""
    return " to ".join(f"{value:.2f}" for value in values)


WIDTH = 100  # of notes under a table
MILLISECONDS, MICROSECONDS, GIGA = significant(1e3), significant(1e6), scaled(1e-9, 1)
PERCENT, TIMES, MEBIBYTES = scaled(100, 0), scaled(1, 2), significant(1 / 2**20)


@dataclass
class Report:
    """What a command measured.

    Parameters
    ----------
    command : str
    columns : tuple of (key, heading, format)
        Those without a value in any row are left out of tables; None as format shows a value as it is.
    rows : list of dict
        In seconds, bytes and operations; they may hold more than the columns show.
    notes : tuple of str
        What a reader has to know, under the table.
    extra : dict
        More for the JSON file.
    """

    command: str
    columns: tuple
    rows: list
    notes: tuple = ()
    extra: dict = field(default_factory=dict)

    def document(self):
        """What the JSON file says of it."""
        return {"command": self.command, **self.extra, "rows": self.rows, "notes": list(self.notes)}

    def cells(self):
        """(headings, rows of text, which columns are numbers)."""
        shown = [c for c in self.columns if any(row.get(c[0]) is not None for row in self.rows)]
        cells = [[_text(row.get(key), form) for key, _, form in shown] for row in self.rows]
        return [heading for _, heading, _ in shown], cells, [form is not None for *_, form in shown]

    def text(self):
        """Columns side by side, then the notes."""
        headings, rows, numbers = self.cells()
        widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
        lines = ["  ".join(map(_aligned, row, widths, numbers)).rstrip() for row in [headings, *rows]]
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([*lines, *(textwrap.fill(note, WIDTH) for note in self.notes)])

    def markdown(self):
        """The same for GitHub."""
        headings, rows, numbers = self.cells()
        rule = ["---:" if number else "---" for number in numbers]
        lines = ["| " + " | ".join(row) + " |" for row in [headings, rule, *rows]]
        return "\n\n".join(["\n".join(lines), *self.notes])


def _text(value, form):
    if value is None:
        return ""
    return str(value) if form is None else form(value)


def _aligned(text, width, number):
    return text.rjust(width) if number else text.ljust(width)
