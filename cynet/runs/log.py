"""What a run says: to whoever listens, and into log.txt while the run's folder is open."""

import contextlib
import os

from cynet.core.files import reason
from cynet.core.folder import is_at, open_appending
from cynet.core.names import SPELLED


def nobody(line):
    """Listens to nothing."""


class Voice:
    """Says lines: called with the parts of one, as print is.

    Within `logged` nothing is lost where nobody listens any more: a closed terminal, a pipe whose reader
    ended or a full disk behind it ends no training.

    Parameters
    ----------
    listener : callable or None, optional
        Gets each line, a str.
    """

    def __init__(self, listener=print):
        self._listener, self._logs = listener or nobody, []

    def __call__(self, *parts):
        line = " ".join(map(str, parts))
        self.log(line)
        try:
            self._listener(line)
        except OSError as error:
            if not self._logs:
                raise
            self._listener = nobody
            self.log(
                f"note: standard output is gone ({reason(error)}); what is said from here on is said here"
            )

    def log(self, line):
        """Write a line to the log alone."""
        for each in self._logs:
            with contextlib.suppress(OSError):  # a full disk is told by what matters more
                print(line, file=each.file, flush=True)

    @contextlib.contextmanager
    def logged(self, path):
        """Within this context, of a `Log`, what is said, and the error that ends it, goes to its file too."""
        with contextlib.closing(Log(path)) as kept:
            self._logs.append(kept)
            try:
                yield kept
            except Exception as error:
                self.log(f"error: {reason(error)}")
                raise
            finally:
                self._logs.remove(kept)


class Log:
    """A file to the end of which is written what is said.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        As `open_appending`.
    """

    def __init__(self, path):
        self.path, self.refused = path, None
        self.file = self._open()

    def _open(self):
        return open_appending(self.path, encoding="utf-8", errors=SPELLED)

    def renew(self):
        """Go on in what is at the path, where that is not the file any more; a line to say about it, or None.

        Where it cannot be written, as a link, the lines go on where they went: a log stops no training.
        """
        if is_at(self.file, self.path) and os.fstat(self.file.fileno()).st_nlink == 1:
            self.refused = None
            return None
        gone = not is_at(self.file, self.path)
        try:
            file = self._open()
        except OSError as error:
            before, self.refused = self.refused, reason(error)
            return None if before == self.refused else f"note: what is said is not kept: {self.refused}"
        self.close()
        self.file, self.refused = file, None
        if not gone:  # it had other names
            return None
        return f"note: {self.path} was removed or replaced: further lines go to what is there"

    def close(self):
        with contextlib.suppress(OSError):  # of a disk that is full
            self.file.close()
