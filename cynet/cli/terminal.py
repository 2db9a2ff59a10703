"""What a training run says: while it goes a bar on a terminal, plain lines elsewhere; then how good it is."""

import contextlib
import sys
import time

from cynet.train.loop import Observer

LINES = 10  # plain progress lines of a run, besides those of its epochs
SMOOTH = 0.05  # weight of the newest loss in the one shown


_logs = []  # open files


def say(*parts):
    """Print a line now, also into a pipe."""
    log(*parts)
    print(*parts, flush=True)


def log(*parts):
    """Write a line to the files of `logged` alone."""
    for file in _logs:
        with contextlib.suppress(OSError):  # a full disk is told by what matters more
            print(*parts, file=file, flush=True)


@contextlib.contextmanager
def logged(path):
    """Within this context, what is said, and the error that ends it, also goes to the end of a file."""
    with open(path, "a", encoding="utf-8") as file:
        _logs.append(file)
        try:
            yield
        except Exception as error:
            log(f"error: {getattr(error, 'strerror', None) or error}")
            raise
        finally:
            _logs.remove(file)


class Terminal(Observer):
    """Shows steps and results; the results go to standard output, the bar to standard error.

    Parameters
    ----------
    steps, batch_size : int
    bar : bool, optional
        Default: whether standard error is a terminal.
    done : int, optional
        Steps that were taken before.
    """

    def __init__(self, steps, batch_size, bar=None, done=0):
        self.steps, self.loss, self.bar = steps, None, None
        self.every = max(1, steps // LINES)
        self.since, self.images = time.perf_counter(), 0
        if sys.stderr.isatty() if bar is None else bar:
            from tqdm import tqdm

            self.bar = tqdm(
                total=steps * batch_size,
                initial=done * batch_size,
                unit=" images",
                unit_scale=True,
                leave=False,
            )

    def stepped(self, progress):
        self.loss = progress.loss if self.loss is None else self.loss + SMOOTH * (progress.loss - self.loss)
        self.images += progress.images
        if self.bar is not None:
            if progress.step % 10 == 1:
                self.bar.set_postfix_str(f"loss {self.loss:.4f}, lr {progress.lr:g}", refresh=False)
            self.bar.update(progress.images)
        elif progress.step % self.every == 0:
            rate = self.images / (time.perf_counter() - self.since)
            say(
                f"step {progress.step}/{self.steps}  epoch {progress.epoch}  lr {progress.lr:g}  "
                f"loss {self.loss:.4f}  {rate:,.0f} images/s"
            )
            self.since, self.images = time.perf_counter(), 0

    def evaluated(self, result):
        text = (
            f"step {result.step}/{self.steps}  epoch {result.epoch}  training loss {result.train_loss:.4f}  "
            f"test loss {result.test.loss:.4f}  accuracy {result.test.accuracy:.4f}"
        )
        if self.bar is None:
            say(text)
        else:
            log(text)
            self.bar.write(text, file=sys.stdout)
        self.since, self.images = time.perf_counter(), 0

    def close(self):
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()


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
