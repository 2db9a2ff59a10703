"""Tables that grow by a row at a time: CSV files that are appended to, and cut back when a run is resumed.

Between two parts of a run anything may have opened a table and saved it. What is not as a run writes it is
never dropped in silence: the file is set aside under another name.
"""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path

from cynet.core.files import mode_of, open_regular, placed, read_regular, reason, write_atomically
from cynet.core.folder import is_at, open_appending, open_changing, own_target, set_aside
from cynet.core.names import SPELLED

from .cells import CELLS, LINE, last_row, read, shortened

TYPE_CHECKING = False  # what checks types takes it for True; nobody else needs the imports
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cynet.core.types import AnyPath

MENDED = 2**26  # bytes of a table whose rows are picked out of what else stands there
ASIDE = "set-aside"  # in the name of a table that could not be continued
KEPT = "surrogateescape"  # bytes that are no UTF-8 stay what they are


class Table:
    """A CSV file that is only appended to; the first column is a step, which grows.

    Rows reach the file when a buffer is full, and the disk with `sync`. A file that has other names (hard
    links) is copied before it is changed, see `cynet.core.folder`.

    Parameters
    ----------
    path : str or Path
        Continued where it holds rows.
    columns : sequence of str
        Of `CELLS`.
    """

    def __init__(self, path: AnyPath, columns: Sequence[str]) -> None:
        self.path, self.columns = Path(path), tuple(columns)
        self._file: Any = None

    def add(self, row: str) -> None:
        """Append a row: a str of the columns' values and commas."""
        try:
            if self._file is None:
                self._open()
            self._file.write(row + "\n")
        except OSError as error:
            raise self._named(error) from error

    def sync(self) -> None:
        """Make every row so far last through a power cut."""
        if self._file is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._named(error) from error

    def keep(self, last: int) -> str | None:
        """Drop the rows of steps after `last`, which come again, and a row that was cut short.

        Where the file holds anything else that is no row of this table, it is set aside as it is: under
        another name in the same folder, never in the place of an earlier one. Rows that are in order stay.

        Parameters
        ----------
        last : int

        Returns
        -------
        str or None
            What was done, where something was set aside.

        Raises
        ------
        OSError
            When there is something that is no regular file, or it cannot be changed.
        """
        self.close()
        if mode_of(*placed(self.path)) is None:
            return None
        own_target(self.path)
        end = self._end(last)
        if end is not None:
            self._cut(end)
            return None
        return self._mend(last)

    def take(self, names: Sequence[str] | None = None) -> tuple[list[list[Any]], tuple[str, ...]]:
        """Some columns, or all of the table's.

        Returns
        -------
        columns : list of list
            Of int, float or str, None where a cell holds no value; all empty where one is not there.
        notes : tuple of str
            What could not be read and why, with the path. A table that is not there has none.
        """
        names = names or self.columns
        nothing: list[list[Any]] = [[] for _ in names]
        try:
            content = self._content()
        except FileNotFoundError:
            return nothing, ()
        except (OSError, ValueError) as error:
            text = reason(error)
            return nothing, (text if str(self.path) in text else f"{self.path}: {text}",)
        notes = [f"{self.path}: {note}" for note in content.notes]
        lacking = [name for name in names if name not in content.columns]
        if lacking and content.columns:
            notes.append(f"{self.path} has no column to read called {', '.join(lacking)}")
        return nothing if lacking else [content.columns[name] for name in names], tuple(notes)

    def rows(self, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """The rows that have all of these columns, or all of the table's: a list of dicts."""
        columns, _ = self.take(names)
        rows = zip(*columns, strict=True)
        return [dict(zip(names or self.columns, row, strict=True)) for row in rows if None not in row]

    def last(self) -> dict[str, Any]:
        """The last row of the file as a dict, {} where there is none that is whole."""
        row = last_row(self.path)
        return row if all(row.get(name) is not None for name in self.columns) else {}

    def close(self) -> None:
        """Write what is still in the buffer; the next row opens the file again."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                raise self._named(error) from error

    def renew(self) -> bool:
        """Let go of a file that is not at the path any more, but removed or replaced; whether it was so.

        The next row opens the one that is there, or begins another.
        """
        if self._file is None:
            return False
        stayed = is_at(self._file, self.path)
        if not stayed or os.fstat(self._file.fileno()).st_nlink > 1:  # the next row goes to a copy
            self.close()
        return not stayed

    def _open(self):
        how = {"encoding": "utf-8", "errors": SPELLED, "buffering": 2**16}
        self._file = open_appending(self.path, **how)
        if self._file.tell() == 0:
            self._file.write(self._heading)

    # What a table of another form has its own way of: reading, the heading, and what is a row.
    _opening = b""  # of a row, before its step

    def _content(self):
        return read(self.path)

    @property
    def _heading(self):
        return ",".join(self.columns) + "\n"

    def _row(self):
        """A function from a line, with its end, to a match whose first group is the step, or None."""
        first, *others = (f"({CELLS[name].form})" for name in self.columns)
        return re.compile(",".join([first, *others]) + "\n", re.ASCII).fullmatch

    # -- going on with it ------------------------------------------------------------------------------
    def _end(self, last):
        """Where the rows up to a step end, in bytes; None in a file that is not just as `add` writes it."""
        row, before, end = self._row(), -1, None
        with open_regular(self.path) as file:
            heading = self._heading.encode()
            place = len(line := file.readline(LINE) if heading else b"")
            if heading != line:
                return 0 if heading.startswith(line) else None
            while (line := file.readline(LINE)).endswith(b"\n"):
                found = row(line.decode("utf-8", "replace"))
                step = int(found[1]) if found else -1
                if found is None or step < before:
                    return None
                if step > last and end is None:
                    end = place
                before, place = step, place + len(line)
        torn = line.removeprefix(self._opening).partition(b",")
        known = torn[1] and not (torn[0].isdigit() and int(torn[0][:20]) > last)
        return None if known or len(line) == LINE else place if end is None else end

    def _cut(self, end):
        place, folder = placed(self.path)
        try:
            if os.stat(place, dir_fd=folder).st_size > end:
                with open_changing(self.path) as file:
                    file.truncate(end)
                    os.fsync(file.fileno())
        except OSError as error:
            raise self._named(error) from error

    def _mend(self, last):
        """Set the file aside and keep its rows; or only rewrite it, where just ends of lines differ."""
        try:
            data = read_regular(self.path, MENDED)
        except ValueError:
            return self._begin_anew("is too large to look for its rows")
        lines = data.decode("utf-8-sig", KEPT).replace("\r\n", "\n").split("\n")
        if self._heading and (heading := lines.pop(0)) + "\n" != self._heading:
            return self._begin_anew(f"has the heading {shortened(heading)}")
        row = self._row()
        found = [row(line + "\n") for line in lines[:-1] if line]
        steps = [int(match[1]) for match in found if match]
        if any(before > after for before, after in pairwise(steps)):
            return self._begin_anew("has rows that are not in the order of their steps")
        odd = sum(match is None for match in found) + bool(lines and lines[-1])
        rows = [match[0] for match in found if match and int(match[1]) <= last]
        told = None
        if odd:
            aside = set_aside(self.path, ASIDE, stays=True)
            lines = "a line that is no row" if odd == 1 else f"{odd:,} lines that are no rows"
            told = f"note: {self.path.name} has {lines}: kept as it was as {aside.name}; its rows stay"
        write_atomically(self.path, (self._heading + "".join(rows)).encode(errors=KEPT))
        return told

    def _begin_anew(self, why):
        try:
            aside = set_aside(self.path, ASIDE)
        except OSError as error:
            raise self._named(error) from error
        return f"note: {self.path.name} {why}: set aside as {aside.name}; a new table is begun"

    def _named(self, error):
        return type(error)(error.errno, f"cannot write {self.path}: {error.strerror or error}")
