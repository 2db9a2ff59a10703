"""Tables that grow by a row at a time: CSV files that are appended to, and cut back when a run is resumed."""

import contextlib
import os
from pathlib import Path

from cynet.core.files import write_atomically
from cynet.core.folder import open_appending, own_file
from cynet.core.names import SPELLED


class Table:
    """A CSV file that is only appended to; the first column is a step, which grows.

    Rows reach the file when a buffer is full, and the disk with `sync`.

    Parameters
    ----------
    path : str or Path
        Continued where it holds rows.
    columns : sequence of str
    """

    def __init__(self, path, columns):
        self.path, self.columns = Path(path), tuple(columns)
        self._file = None

    def add(self, row):
        """Append a row: a str of the columns' values and commas."""
        try:
            if self._file is None:
                self._open()
            self._file.write(row + "\n")
        except OSError as error:
            raise self._named(error) from error

    def sync(self):
        """Make every row so far last through a power cut."""
        if self._file is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._named(error) from error

    def keep(self, last):
        """Drop the rows of steps after `last`, and rows that were cut short."""
        self.close()
        if not self.path.exists():
            return
        text = self._text()
        kept = [",".join(self.columns)]
        kept += [line for line in text.split("\n")[1:-1] if self._step(line) <= last]
        if text != (wanted := "\n".join([*kept, ""])):
            write_atomically(own_file(self.path), wanted.encode())

    def rows(self):
        """The whole rows of the file, each a dict of str; none where there is no file."""
        if not self.path.exists():
            return []
        heading, *lines = self._text().split("\n")[:-1] or [""]
        columns = heading.split(",")
        rows = (line.split(",") for line in lines)
        return [dict(zip(columns, row, strict=True)) for row in rows if len(row) == len(columns)]

    def close(self):
        """Write what is still in the buffer; the next row opens the file again."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                raise self._named(error) from error

    def renew(self):
        """Let go of a file that is not at the path any more, but removed or replaced; whether it was so.

        The next row opens the one that is there, or begins another.
        """
        if self._file is None:
            return False
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(self._file.fileno()), os.stat(self.path)):
                return False
        self.close()
        return True

    def _open(self):
        how = {"encoding": "utf-8", "errors": SPELLED, "buffering": 2**16}
        self._file = open_appending(self.path, **how)
        if self._file.tell() == 0:
            self._file.write(",".join(self.columns) + "\n")

    def _text(self):
        return self.path.read_text(encoding="utf-8", errors="replace")

    def _step(self, line):
        cells = line.split(",")
        whole = len(cells) == len(self.columns) and cells[0].isdecimal()
        return int(cells[0]) if whole else float("inf")

    def _named(self, error):
        return type(error)(error.errno, f"cannot write {self.path}: {error.strerror or error}")
