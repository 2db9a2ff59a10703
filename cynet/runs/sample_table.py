"""What a net of texts wrote after each evaluation: a table whose rows are lines of JSON, as texts."""

import json
import re

from cynet.core.files import open_regular
from cynet.core.folder import own_file

from .cells import LINE, STEPS, Content
from .filenames import SAMPLE_COLUMNS
from .tables import Table

ROWS = 10_000  # that are read
LETTERS = 400  # of a text


class SampleTable(Table):
    """A file of JSON objects, one a line, that is only appended to, and cut back as a `Table` is.

    An object has step and epoch, the prompt, and what was written after it by each strategy: texts of at
    most `LETTERS` letters.

    Parameters
    ----------
    path : str or Path
    """

    _opening, _heading = b'{"step": ', ""

    def __init__(self, path):
        super().__init__(path, SAMPLE_COLUMNS)

    def add(self, row):
        """Append a row, a dict of the columns."""
        cut = {name: value if type(value) is int else value[:LETTERS] for name, value in row.items()}
        super().add(json.dumps(cut, ensure_ascii=False))

    def last(self):
        return next(reversed(self.rows()), {})

    def _content(self):
        return read(self.path)

    def _row(self):
        form = re.compile(r'\{"step": ([0-9]{1,16}), .*\}\n', re.ASCII).fullmatch
        return lambda line: form(line) if parsed(line) else None


def read(path):
    """The rows of a file of samples, as `cells.read` gives those of a CSV file; errors of opening it are its.

    Where a step comes again, as of a run that went on without its checkpoint, the last row of it counts.
    """
    rows, odd, notes = {}, 0, []
    with open_regular(own_file(path)) as file:
        for number in range(ROWS + 1):
            line = file.readline(LINE + 1)
            if not line.endswith(b"\n"):
                if line:
                    notes.append(
                        f"what follows a line of more than {LINE:,} bytes is left out" if len(line) > LINE
                        else "its last line has no end: left out"
                    )  # fmt: skip
                break
            if number == ROWS:
                notes.append(f"only its first {ROWS:,} lines are read")
                break
            row = parsed(line.decode("utf-8", "replace"))
            odd += row is None and bool(line.strip())
            if row:
                rows[row["step"]] = row
    notes += [f"lines that are no rows are left out: {odd:,}"] * bool(odd)
    found = [rows[step] for step in sorted(rows)]
    return Content({name: [row[name] for row in found] for name in SAMPLE_COLUMNS}, tuple(notes))


def parsed(line):
    """The row in a line, a dict of the columns; None where it is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or any(name not in found for name in SAMPLE_COLUMNS):
        return None
    row = {name: found[name] for name in SAMPLE_COLUMNS}
    counts, texts = list(row.values())[:2], list(row.values())[2:]
    if not all(type(count) is int and 0 <= count <= STEPS for count in counts):
        return None
    return row if all(isinstance(text, str) and len(text) <= LETTERS for text in texts) else None
