"""What a training run says: while it goes a bar on a terminal, plain lines elsewhere; then how good it is."""

import contextlib
import os
import sys
import time

from cynet.core.folder import is_at, open_appending
from cynet.core.names import SPELLED
from cynet.train.loop import Observer

from .parser import reason

SMOOTH = 0.05  # weight of the newest step in what the bar shows


_logs: list = []  # each a `Log`


def say(*parts):
    """Print a line now, also into a pipe.

    Within `logged` nothing is lost where nobody reads it any more: a closed terminal, a pipe whose reader
    ended or a full disk behind it ends no training.
    """
    log(*parts)
    try:
        print(*parts, flush=True)
    except OSError as error:
        if not _logs:
            raise
        log(f"note: standard output is gone ({reason(error)}); what is said from here on is said here")
        _silence(sys.stdout)


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


def log(*parts):
    """Write a line to the files of `logged` alone."""
    for each in _logs:
        with contextlib.suppress(OSError):  # a full disk is told by what matters more
            print(*parts, file=each.file, flush=True)


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


@contextlib.contextmanager
def logged(path):
    """Within this context, of a `Log`, what is said, and the error that ends it, also goes to its file."""
    with contextlib.closing(Log(path)) as kept:
        _logs.append(kept)
        try:
            yield kept
        except Exception as error:
            log(f"error: {reason(error)}")
            raise
        finally:
            _logs.remove(kept)


class Terminal(Observer):
    """Shows steps and results: a bar on a terminal, a line for each evaluation.

    The lines go to standard output, the bar to standard error.

    Parameters
    ----------
    steps, batch_size : int
    bar : bool, optional
        Default: whether standard error is a terminal.
    done : int, optional
        Steps that were taken before.
    """

    def __init__(self, steps, batch_size, bar=None, done=0):
        self.steps, self.done, self.bar = steps, done, None
        self.loss = self.accuracy = None
        self.start = self.since = self.last = time.perf_counter()
        self.images = 0
        if sys.stderr.isatty() if bar is None else bar:
            from tqdm import tqdm

            self.bar = tqdm(
                total=steps * batch_size,
                initial=done * batch_size,
                unit=" images",
                unit_scale=True,
                leave=False,
                dynamic_ncols=True,
            )

    def stepped(self, progress):
        self.images += progress.images
        self.last = time.perf_counter()
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

    def evaluated(self, result):
        now = time.perf_counter()
        left = (now - self.start) / max(1, result.step - self.done) * (self.steps - result.step)
        self.say(
            f"epoch {result.epoch}  step {result.step}/{self.steps}  loss {_loss(result.train_loss)}  "
            f"accuracy {result.train_accuracy:.4f}  {result.measure} loss {_loss(result.test.loss)}  "
            f"{result.measure} accuracy {result.test.accuracy:.4f}  lr {result.lr:.3g}  "
            f"{self.images / (max(self.last - self.since, 0) or 1):,.0f} images/s  {duration(left)} left"
        )

    def say(self, text):
        """Print a line, above the bar; and begin to measure the speed anew."""
        if self.bar is None:
            say(text)
        else:
            with self._shown():
                self.bar.clear()
            say(text)
            if self.bar is not None:
                with self._shown():
                    self.bar.refresh()
        self.since, self.images = time.perf_counter(), 0

    def close(self):
        """Take the bar away."""
        if self.bar is not None:
            with self._shown():
                self.bar.close()


def _loss(value):
    return f"{value:.4f}" if value < 1e5 else f"{value:.4g}"


def _smooth(before, now):
    return now if before is None else before + SMOOTH * (now - before)


def duration(seconds):
    """A time in words: '0.35 s', '45 s', '12 min', '2 h 5 min'."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def accuracies(evaluation, classes, split="test"):
    """The accuracy of each class and, on the last line, over all.

    Parameters
    ----------
    evaluation : Evaluation
    classes : sequence of str
    split : str, optional

    Returns
    -------
    str
    """
    width = max(len(name) for name in classes)
    lines = [
        f"{name:<{width}}  {accuracy:.4f}  of {count:,}" if count else f"{name:<{width}}  no pictures"
        for name, accuracy, count in zip(classes, evaluation.class_accuracy, evaluation.samples, strict=True)
    ]
    return "\n".join([*lines, f"{split} accuracy {evaluation.accuracy:.4f}"])
