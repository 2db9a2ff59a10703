"""The lines of a training while it goes, one for each evaluation, and how good it is at the end."""

import time

from cynet.core.tasks import CLASSIFY, LANGUAGE, MEASURES, MULTILABEL
from cynet.train.loop import Observer

IMAGES = "images"  # what samples are called where nobody says it


class Lines(Observer):
    """Says a line for each evaluation.

    Parameters
    ----------
    steps : int
    batch_size : int or float
        How many samples, or tokens, a step has.
    done : int, optional
        Steps that were taken before.
    say : callable, optional
    what : str, optional
        What these samples are called.
    """

    def __init__(self, steps, batch_size, done=0, say=print, what=IMAGES):
        self.steps, self.batch_size, self.done, self._say, self.what = steps, batch_size, done, say, what
        self.start = self.since = self.last = time.perf_counter()
        self.images = 0

    def stepped(self, progress):
        self.images += progress.images
        self.last = time.perf_counter()

    def evaluated(self, result):
        now = time.perf_counter()
        left = (now - self.start) / max(1, result.step - self.done) * (self.steps - result.step)
        measures = MEASURES[getattr(result.test, "task", CLASSIFY)]
        right = f"accuracy {result.train_accuracy:.4f}  " if measures.trained else ""
        figures = "  ".join(
            f"{result.measure} {name} {figure(getattr(result.test, name))}" for name in measures.columns
        )
        self.say(
            f"epoch {result.epoch}  step {result.step}/{self.steps}  loss {_loss(result.train_loss)}  "
            f"{right}{result.measure} loss {_loss(result.test.loss)}  {figures}  lr {result.lr:.3g}  "
            f"{self.images / (max(self.last - self.since, 0) or 1):,.0f} {self.what}/s  {duration(left)} left"
        )

    def say(self, text):
        """Say a line; and begin to measure the speed anew."""
        self.show(text)
        self.since, self.images = time.perf_counter(), 0

    def show(self, text):
        """Say a line."""
        self._say(text)

    def close(self):
        """End what is shown."""


def _loss(value):
    return f"{value:.4f}" if value < 1e5 else f"{value:.4g}"


def figure(value):
    """A measure with four digits after the point, or of a large one four altogether."""
    return f"{value:.4f}" if abs(value) < 1e4 else f"{value:.4g}"


def duration(seconds):
    """A time in words: '0.35 s', '45 s', '12 min', '2 h 5 min'."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def accuracies(evaluation, classes, split="test"):
    """The accuracy of each class and, on the last line, over all; of a text accuracy and perplexity.

    Parameters
    ----------
    evaluation : Evaluation
    classes : sequence of str
    split : str, optional

    Returns
    -------
    str
    """
    task = getattr(evaluation, "task", CLASSIFY)
    if task == LANGUAGE:
        right = f"{split} accuracy {evaluation.accuracy:.4f}, of {evaluation.tokens:,} tokens"
        return f"{right}\n{split} perplexity {figure(evaluation.perplexity)}"
    width = max(len(name) for name in classes)
    if task != CLASSIFY:
        names = ("average precision", "F1") if task == MULTILABEL else ("RMSE", "MAE", "R2")
        found = each_figure(evaluation)
        lines = [
            f"{name:<{width}}  " + "  ".join(f"{t} {figure(v)}" for t, v in zip(names, row, strict=True))
            for name, row in zip(classes, found, strict=True)
        ]
        measures = MEASURES[task]
        last = figure(getattr(evaluation, measures.score))
        return "\n".join([*lines, f"{split} {measures.words} {last}"])
    lines = [
        f"{name:<{width}}  {accuracy:.4f}  of {count:,}" if count else f"{name:<{width}}  no pictures"
        for name, accuracy, count in zip(classes, evaluation.class_accuracy, evaluation.samples, strict=True)
    ]
    return "\n".join([*lines, f"{split} accuracy {evaluation.accuracy:.4f}"])


def each_figure(evaluation):
    """What is measured of each label, average precision and F1, or number, RMSE, MAE and R2: rows."""
    if evaluation.task == MULTILABEL:
        return list(zip(evaluation.average_precision, evaluation.label_f1, strict=True))
    return list(zip(evaluation.each_rmse, evaluation.each_mae, evaluation.each_r2, strict=True))
