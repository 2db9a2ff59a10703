"""What a training run says on a terminal: a bar while it goes, plain lines elsewhere."""

import contextlib
import os
import sys

from cynet.runs.lines import IMAGES, Lines, accuracies, duration

__all__ = ["Terminal", "accuracies", "can_show", "duration", "say"]

SMOOTH = 0.05  # weight of the newest step in what the bar shows


def say(*parts):
    """Print a line now, also into a pipe; where it is gone, what is printed later goes nowhere."""
    try:
        print(*parts, flush=True)
    except OSError:
        _silence(sys.stdout)
        raise


def _silence(stream):
    """Let what goes to a stream, and what waits in its buffer, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):  # one that is no file
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def can_show(text):
    """Whether standard output's encoding has these characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


class Terminal(Lines):
    """Shows steps and results: a bar on a terminal, a line for each evaluation.

    The lines go to standard output, the bar to standard error.

    Parameters
    ----------
    steps, batch_size, done, what
        As of `Lines`.
    bar : bool, optional
        Default: whether standard error is a terminal.
    say : callable, optional
        Prints a line.
    """

    def __init__(self, steps, batch_size, bar=None, done=0, say=say, what=IMAGES):
        super().__init__(steps, batch_size, done, say, what)
        self.bar = self.loss = self.accuracy = None
        if sys.stderr.isatty() if bar is None else bar:
            from tqdm import tqdm

            self.bar = tqdm(
                total=steps * batch_size,
                initial=done * batch_size,
                unit=f" {what}",
                unit_scale=True,
                leave=False,
                dynamic_ncols=True,
            )

    def stepped(self, progress):
        super().stepped(progress)
        if self.bar is None:
            return
        self.loss = _smooth(self.loss, progress.loss)
        self.accuracy = _smooth(self.accuracy, progress.right / progress.images)
        if progress.step % 10 == 1:
            text = f"loss {self.loss:.4f}, acc {self.accuracy:.3f}, lr {progress.lr:.3g}"
            self.bar.set_postfix_str(text, refresh=False)
        with self._shown():
            self.bar.update(progress.images)

    @contextlib.contextmanager
    def _shown(self):
        """Do without the bar from the moment on that the terminal is gone."""
        try:
            yield
        except OSError:
            self.bar = None
            _silence(sys.stderr)

    def show(self, text):
        """Print a line, above the bar."""
        if self.bar is None:
            return super().show(text)
        with self._shown():
            self.bar.clear()
        super().show(text)
        if self.bar is not None:
            with self._shown():
                self.bar.refresh()

    def close(self):
        """Take the bar away."""
        if self.bar is not None:
            with self._shown():
                self.bar.close()


def _smooth(before, now):
    return now if before is None else before + SMOOTH * (now - before)
