"""What goes wrong in a training, in words: what is seen, what usually causes it, what to try.

Design: `Doctor` watches and computes beside the training, nothing that the weights depend on. Each finding is
said once. The thresholds are rules of thumb, and are given with each finding's numbers.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from cynet.core.processors import processor_waits
from cynet.core.threads import get_num_threads
from cynet.core.types import AnyArray, Array
from cynet.core.wording import FLAGS, Wording
from cynet.nn import ReLU
from cynet.nn.activity import dead_channels, first_not_finite
from cynet.nn.layer import Layer
from cynet.nn.modes import evaluating

from .loop import Observer, Progress, Result
from .metrics import TEST
from .task import PICTURES, Task
from .trainer import Diverged, Trainer

ENOUGH_STEPS = 100  # before which a loss need not fall
LEARNT = 0.97  # of the loss of guessing, below which something was learnt
NORM_EVERY = {10: 1, 100: 5, float("inf"): 50}  # up to a step: steps between looks at the gradients
CROWDED_AFTER = 60.0  # seconds over which waiting for processors is looked at
LOOKED_AT = 250  # pictures, spread over those that are evaluated, that tell which channels never fire
SHOWN = 12  # samples that are named
CLASS_ACCURACY = "accuracy, the mean over the classes,"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `kind`, and the three sentences."""

    kind: str
    seen: str
    cause: str
    advice: str

    def __str__(self) -> str:
        return f"diagnosis: {self.seen}. Likely cause: {self.cause}. Try: {self.advice}."


class Doctor(Observer):
    """Watches a training.

    Parameters
    ----------
    trainer : Trainer
    say : callable
        Gets each `Finding`.
    labels : ndarray of int
        Of the samples that are trained with.
    look : callable
        Gives so many pictures, of those that are evaluated, as a batch; OSError or ValueError where they
        cannot be read.
    workers : int, optional
        Of the loader.
    even : bool, optional
        Whether the loss of training sees the classes as if all were of one size.
    measure : str, optional
        What is evaluated.
    task : Task, optional
        Default: classes.
    words : Wording, optional
        How advice writes settings; default: as flags. So in the functions below.
    """

    def __init__(
        self,
        trainer: Trainer,
        say: Callable[[Finding], object],
        labels: AnyArray,
        look: Callable[[int], Array],
        workers: int = 0,
        even: bool = False,
        measure: str = TEST,
        words: Wording = FLAGS,
        task: Any = None,
    ) -> None:
        self.trainer, self.say, self.look, self.words = trainer, say, look, words
        self.workers, self.measure = workers, measure
        self.known: set[str] = set()
        self.norms: list[float] = []
        self.seconds = self.waited = 0.0
        self.best_test_loss = float("inf")
        self._since = time.monotonic(), processor_waits()
        self.task = task if task is not None and task.columns else None  # classes are looked at here
        if self.task is None:
            counts = np.bincount(labels)
            shares = counts[counts > 0] / counts.sum()
            self.chance = 1 / len(shares)
            if even:
                shares[:] = self.chance
            self.guessing = float(-(shares * np.log(shares)).sum())
        else:  # weighed labels have another loss of training, which tells nothing beside guessing
            self.guessing = 0.0 if even else self.task.guessing(labels)
            self.chance = self.task.chance(labels)
        self.things = PICTURES if task is None else task.things
        self._pictures: AnyArray | None = None
        self._begun = False
        self._suspected: set[str] = set()  # kinds that the evaluation before showed

    def report(self, finding: Finding | None) -> None:
        """Say a finding, unless one of its kind was said."""
        if finding is not None and finding.kind not in self.known:
            self.known.add(finding.kind)
            self.say(finding)

    def _report_lasting(self, step: int, *findings: Finding | None) -> None:
        """Say what two evaluations in a row show, the running statistics having had time to settle."""
        found = [finding for finding in findings if finding is not None and step >= ENOUGH_STEPS]
        for finding in found:
            if finding.kind in self._suspected:
                self.report(finding)
        self._suspected = {finding.kind for finding in found}

    def stepped(self, progress: Progress) -> None:
        if self._begun:  # the first, also of a run that goes on, waits for the workers to start
            self.seconds += progress.seconds
            self.waited += progress.waited
        self._begun = True
        if progress.step % next(every for last, every in NORM_EVERY.items() if progress.step <= last) == 0:
            norm = self.trainer.gradient_norm()
            self.report(exploding(norm, self.norms, progress.step, progress.lr, self.words))
            self.norms.append(norm)
            self._look_around()

    def _look_around(self) -> None:
        """Whether the threads waited for processors, since the look that was a while ago."""
        if time.monotonic() - self._since[0] >= CROWDED_AFTER:
            (start, before), self._since = self._since, (time.monotonic(), processor_waits())
            now, waits = self._since
            lost = max((seconds - before.get(thread, 0.0) for thread, seconds in waits.items()), default=0.0)
            self.report(crowded(now - start, lost, get_num_threads(), self.words))

    def evaluated(self, result: Result) -> None:
        test, words, things = result.test, self.words, self.things
        recall = float(np.nanmean(test.class_accuracy)) if self.task is None else self.task.skill(test)
        if things == PICTURES:  # nothing has to be prepared of a text
            self.report(data_bound(self.seconds, self.waited, self.workers, words))
        self.report(
            not_falling(result.step, result.train_loss, self.guessing, result.lr, words, things, test.loss)
        )
        self._report_lasting(
            result.step,
            shuffled(
                result.train_loss,
                self.guessing,
                recall,
                self.chance,
                result.measure,
                CLASS_ACCURACY if self.task is None else self.task.skilled,
                things,
            ),
            overfitted(
                result.train_loss,
                test.loss,
                self.best_test_loss,
                self.guessing,
                result.measure,
                words,
                things,
            ),
        )
        self.best_test_loss = min(self.best_test_loss, test.loss)
        self.report(self._dead())

    def _dead(self) -> Finding | None:
        if "dead" in self.known:
            return None
        if self._pictures is None:
            try:
                self._pictures = self.look(LOOKED_AT)
            except (OSError, ValueError):  # the training will meet it, and say so
                return None
        model = self.trainer.model
        with evaluating(model), self.task.apart(model) if self.task else nullcontext():
            found = dead_channels(model, self._pictures, ReLU)
        norms = any("running_mean" in layer.buffers for _, layer in model.walk())
        return dead(found, len(self._pictures), norms, self.measure, self.words, self.things)


# -- the findings: a Finding, or None ------------------------------------------------------------------------
def exploding(
    norm: float, before: Sequence[float], step: int, lr: float, words: Wording = FLAGS
) -> Finding | None:
    """Gradients that are suddenly a hundred times as long."""
    if len(before) < 3 or not norm > 100 * median(before):
        return None
    return Finding(
        "exploding",
        f"the gradient's norm at step {step} is {norm:.3g}, its median before {median(before):.3g}",
        f"a learning rate ({lr:g}) that is too high for these weights, or a very odd batch",
        f"a lower {words('lr')}, {words('warmup')}, or {words('clip_norm')}",
    )


def data_bound(seconds: float, waited: float, workers: int, words: Wording = FLAGS) -> Finding | None:
    """A training that waits for its batches more than a fifth of its time."""
    if seconds < 1 or waited < 0.2 * seconds:
        return None
    return Finding(
        "data-bound",
        f"{100 * waited / seconds:.0f} % of the time went by waiting for batches",
        f"{workers} loader workers prepare pictures more slowly than the model learns from them"
        if workers
        else "the pictures of a step are prepared before it, by the process that trains",
        f"{words.with_value('workers', workers + 1)}, or on a busy machine {words.with_value('workers', 0)} "
        "and fewer other programs"
        if workers
        else f"{words.with_value('workers', 1)}, on a few processors with one of {words('threads')} less",
    )


def crowded(seconds: float, lost: float, threads: int, words: Wording = FLAGS) -> Finding | None:
    """A thread that waits for a processor a third of the time, or longer: all others wait for it.

    `lost` is the seconds that it so lost, of so many on the clock.
    """
    if threads == 1 or seconds < CROWDED_AFTER or lost < seconds / 3:
        return None
    return Finding(
        "crowded",
        f"in {seconds:.0f} s one of {threads} threads waited {lost:.0f} s for a processor, all others for it",
        "other programs that keep the processors busy, or more threads and loader workers than there are of "
        "these",
        f"{words.with_value('threads', threads - 1)}, which changes no weight, or fewer other programs",
    )


def not_falling(
    step: int,
    train_loss: float,
    guessing: float,
    lr: float,
    words: Wording = FLAGS,
    things: str = PICTURES,
    test_loss: float = float("inf"),
) -> Finding | None:
    """A loss that stays where guessing is: of training, a mean that begins with the steps of a new net, and
    of the evaluation at its end."""
    if step < ENOUGH_STEPS or min(train_loss, test_loss) < LEARNT * guessing or not guessing:
        return None
    way = "high" if train_loss > 1.5 * guessing else "low, or so high that all is lost at once"
    labelled = things == PICTURES
    return Finding(
        "not falling",
        f"after {step} steps the training loss is {train_loss:.4g}, and guessing gives {guessing:.4g}",
        f"a learning rate ({lr:g}) that is too {way}"
        + ("; or labels that do not belong to their pictures" if labelled else ""),
        f"{words.lr_find}, which draws the loss over rates"
        + ("; `cynet data show`, which draws pictures by label" if labelled else ""),
    )


def shuffled(
    train_loss: float,
    guessing: float,
    recall: float,
    chance: float,
    measure: str = TEST,
    skilled: str = CLASS_ACCURACY,
    things: str = PICTURES,
) -> Finding | None:
    """Training pictures that are learnt by heart while those of the evaluation are guessed.

    `recall` is the mean of the classes' accuracies: with uneven classes, guessing the largest is right often.
    Of other tasks it is what `skilled` calls it, and `chance` what guessing comes to.
    """
    if train_loss > 0.6 * guessing or not guessing or recall > min(1.5 * chance, chance + 0.1):
        return None
    if measure == TEST:
        cause = "in one of the two sets, or an order of classes that differs between them"
        which = "--split train and --split test"
    else:
        cause, which = "or pictures too few to learn from", "--split train"
    seen = f"the training loss fell to {train_loss:.4g}, but {measure} {skilled} is {recall:.3f}, as by "
    seen += "guessing"
    if things != PICTURES:
        cause = "a text for testing, its last part, that is of another kind than what is before it"
        return Finding("shuffled", seen, cause, "a look at the end of the text")
    return Finding(
        "shuffled",
        seen,
        f"labels that look shuffled, {cause}",
        f"`cynet data show` with {which}: each row should be one class"
        if skilled == CLASS_ACCURACY
        else "a look at some samples and their labels, of both sets",
    )


def overfitted(
    train_loss: float,
    test_loss: float,
    best: float,
    guessing: float,
    measure: str = TEST,
    words: Wording = FLAGS,
    things: str = PICTURES,
) -> Finding | None:
    """A loss of the evaluation that rises again, far above the training loss."""
    learnt = train_loss < min(guessing, 0.5 * test_loss)
    if not learnt or test_loss < 1.15 * best + 0.05 * guessing:
        return None
    first, mixing = f"{words.switched('augment')}, ", f"{words.with_value('mixup', '.2')}, "
    if things != PICTURES:  # which alone can be changed so
        first = mixing = ""
    return Finding(
        "overfitted",
        f"the {measure} loss rose to {test_loss:.4g} from {best:.4g} while the training loss is "
        f"{train_loss:.4g}",
        f"a model that learns its training {things} by heart",
        f"{first}a greater {words('weight_decay')}, {mixing}fewer steps, or {words('patience')}",
    )


def dead(
    found: Sequence[tuple[str, Layer, int, int]],
    pictures: int,
    batch_norm: bool,
    measure: str = TEST,
    words: Wording = FLAGS,
    things: str = PICTURES,
) -> Finding | None:
    """Layers of which a quarter or more of the channels never fire."""
    layers = [(path, count, of) for path, _, count, of in found if count >= 0.25 * of]
    if not layers:
        return None
    text = ", ".join(f"layer {path} ({count} of {of})" for path, count, of in layers)
    return Finding(
        "dead",
        f"channels of ReLU are 0 for all of {pictures} {measure} {things}: {text}",
        "a step so large that biases fell below all inputs; such channels learn no more",
        f"a lower {words('lr')}, {words('warmup')}, {'' if batch_norm else 'batch norm before the ReLU, '}"
        "or LeakyReLU",
    )


def not_finite(trainer: Trainer, batches: Any, error: Diverged, words: Wording = FLAGS) -> Finding:
    """Where the values of a `Diverged` step come from.

    Parameters
    ----------
    trainer : Trainer
        As it was left: the weights are those before the step.
    batches : DataLoader
        Which it trained with.
    error : Diverged
    words : Wording, optional

    Returns
    -------
    Finding
    """
    model = trainer.model
    broken = [name for name, array in model.state_dict().items() if not np.isfinite(array).all()]
    lr, warmup, clip_norm = map(words, ("lr", "warmup", "clip_norm"))
    advice = f"a lower {lr} (it was {trainer.optimizer.lr:g}), {warmup}, or {clip_norm}"
    if broken:
        seen = f"weights that are not finite: {', '.join(broken[:SHOWN])}"
        return Finding("not finite", seen, "the step before this one was too large", advice)
    if error.batch is None:
        return Finding("not finite", f"{error}", "weights that grew too large", advice)
    x, _ = error.batch
    indices = samples(trainer, batches)
    if trainer.mixup:
        x, _, _ = trainer.mixup(x, error.batch[1], trainer.steps)
    twin, task = copy.deepcopy(model).train(), trainer.task or Task()
    task.carry(twin, error.carried)
    with np.errstate(all="ignore"), task.training(twin):
        found = first_not_finite(twin, x)
    if found is None:
        seen = f"all layers' outputs are finite, and {error}"
        return Finding("not finite", seen, "gradients, or a sum, beyond the largest number", advice)
    path, layer, places = found
    named = ", ".join(str(indices[place]) for place in places[:SHOWN])
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    seen = f"layer {path}, {layer!r:.60}, is the first with values that are not finite"
    seen += f", for the {task.indexed} {named}{more}"
    return Finding("not finite", seen, "weights that grew too large", advice)


def samples(trainer: Trainer, batches: Any) -> AnyArray:
    """The indices of the samples of the batch under way, int64."""
    place = trainer.place
    start = place.batch * batches.batch_size
    return batches.order(place.epoch)[start : start + batches.batch_size]
