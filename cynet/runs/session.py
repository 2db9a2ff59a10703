"""A training run put together from its settings: loaders, model, loss, optimiser and schedule."""

from __future__ import annotations  # what loads data is asked for when it is needed

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import prod
from typing import Any, Self

import numpy as np

import cynet.core.random as random
from cynet import data
from cynet.core import threads
from cynet.data import registry
from cynet.data.dataset import WORDS
from cynet.nn.layer import Layer, shapes_of
from cynet.optim.adam import Adam, AdamW
from cynet.optim.choosing import decay_groups, freeze
from cynet.optim.lookahead import Lookahead
from cynet.optim.optimizers import SGD
from cynet.train.average import Average
from cynet.train.loop import Observer, Result, Trainer, train
from cynet.train.mixup import Mixup
from cynet.train.task import task_of
from cynet.train.views import seen

from . import augmentations, nets
from .facts import BYTES, DRAWN, Facts
from .initial import load_initial
from .middle import ready
from .resolving import spread, with_task
from .settings import ADAM, ADAMW, BALANCED, NESTEROV, Settings
from .validation import TEST, VALIDATION, Division

__all__ = ["Session", "Settings", "normalize", "test_loader"]

TEST_BATCH = 250
BETA = 0.999  # of the mean square of adam and adamw


def norms_single_values(model: Layer, shape: tuple[int, ...]) -> bool:
    """Whether a batch norm of a model would have one value of each channel, for an input of a shape."""
    return any(
        "running_mean" in layer.buffers and any(prod(x[:-1]) == 1 for x in shapes_of(given))
        for _, layer, given in model.trace(shape)
    )


class Session:
    """Everything that a run needs in memory; a context that closes the loaders at its end.

    While it is there the process has its number of threads and its random state; those of before come again
    at the end of the context.

    Parameters
    ----------
    settings : Settings
        Resolved.
    training, test : dataset
    initial : bool, optional
        Whether to read the weights of `settings.init_from`; False where others take their place.
    model : callable, Layer or str, optional
        A net of one's own: a function (input_shape, classes, **options) that returns one, where that is as
        `nets.named` has it, or the net itself, which is trained then. Default: that which the settings name.

    Attributes
    ----------
    model : Layer
    trainer : Trainer
    task : Task
    facts : Facts
    division : Division
        Which pictures of `training` are trained on, and which are held out.
    measure : str
        What the run is measured on: "validation" where pictures are held out, else "test".
    class_weights : ndarray of float64 (classes,) or None
        Of the loss of training.
    initial : Taken or None
        What came from `settings.init_from`.
    batches : DataLoader
        Of the pictures that are trained on, as many at a time as a step has.
    evaluation_batches : DataLoader
        What is evaluated after each epoch: the pictures held out, or else the test set.
    test_batches : DataLoader

    Raises
    ------
    OSError
        When the initial weights cannot be read.
    ValueError
        When the pictures, the batch size or the initial weights do not fit the model, all pictures are of
        one class, or none can be held out.
    """

    def __init__(
        self, settings: Settings, training: Any, test: Any, initial: bool = True, model: Any = None
    ) -> None:
        with contextlib.ExitStack() as before:
            before.callback(threads.set_num_threads, threads.get_num_threads())
            before.callback(random.set_state, random.get_state())
            if settings.threads:
                threads.set_num_threads(settings.threads)
            random.seed(settings.seed)
            self.net = nets.of(model)
            self._make(settings, training, test, initial)
            self._before = before.pop_all()

    def _make(self, settings: Settings, training: Any, test: Any, initial: bool) -> None:
        self.settings = settings = with_task(settings, training)
        self.task = task_of(settings.task, settings.loss)
        if not self.task.columns and training.labels.min() == training.labels.max():
            name, count = training.classes[training.labels[0]], len(training.labels)
            raise ValueError(f"data: wanted pictures of at least two classes, got {count:,} of {name} alone")
        self.facts, self.initial = _facts(settings, training), None
        try:
            self.facts.check()
        except ValueError as error:  # no weights could be saved
            raise ValueError(f"data: {error}") from None
        self.division = Division.of(training, settings)
        held_out = self.division.held_out
        self.measure, self._measured = (VALIDATION, training) if len(held_out) else (TEST, test)
        if len(held_out):  # nothing of theirs is trained with, not their mean either
            mean, std = training.moments_without(held_out)
            self.facts = replace(self.facts, mean=tuple(map(float, mean)), std=spread(std))
        if self.net is None:
            self.facts.options()
        elif not settings.batch_norm:
            wanted = "wanted True for a net of one's own, whose options model_option gives"
            raise ValueError(f"batch_norm: {wanted}, got False")
        if self.net is not None:
            self.model = self.net.made(
                self.facts.picture_shape, len(self.facts.classes), settings.model_option
            )
            nets.HERE[settings.model] = self.net
        try:
            if self.net is None:
                self.model = self.facts.create()
            self.model.checked_shape((settings.batch_size, *self.facts.picture_shape))
        except ValueError as error:
            shape = " x ".join(map(str, self.facts.picture_shape))
            what = WORDS[len(self.facts.picture_shape)]
            raise ValueError(
                f"model: {settings.model} cannot take the {what} of {settings.data}, {shape}: {error}"
            ) from None
        if settings.batch_size == 1 and norms_single_values(self.model, (1, *self.facts.picture_shape)):
            raise ValueError("batch_size: wanted at least 2, for the batch norm of single values, got 1")
        if settings.init_from and initial:
            self.initial = load_initial(self.model, settings.init_from, self.facts, settings.new_head)
        self.class_weights = None
        if settings.class_weights == BALANCED:
            labels = training.labels[self.division.kept]
            self.class_weights = self.task.weights(labels, len(training.classes))
        self.trainer = trainer_of(self.model, settings, self.class_weights)
        augment = augmentations.transforms(settings.augment)
        if settings.augment and (self.facts.kind != BYTES or len(training.picture_shape) != 3):
            got = f"{training!r} of {self.facts.kind}"
            raise ValueError(f"augment: wanted pictures of bytes, uint8, got {got}")
        self.batches = data.DataLoader(
            training,
            settings.step_size,
            shuffle=True,
            seed=settings.seed,
            workers=settings.workers,
            drop_last=True,
            transforms=[*augment, normalize(self.facts)],
            sampler=self._sampler(training.labels),
        )
        self.test_batches = test_loader(test, self.facts)
        self.evaluation_batches = self.test_batches if self.measure == TEST else self.evaluation_loader()

    def _sampler(self, labels):
        """What says which pictures an epoch has; None: all of them."""
        kept, seed = self.division.kept, self.settings.seed
        if self.settings.balanced:
            return data.BalancedSampler(labels, seed=seed, indices=kept)
        return data.SubsetSampler(kept, seed=seed) if self.measure == VALIDATION else None

    def evaluation_loader(self, count: int | None = None) -> data.DataLoader:
        """A new loader of what is evaluated after each epoch, in order.

        Parameters
        ----------
        count : int, optional
            Only so many pictures, spread over all, as one batch; at most all.
        """
        samples = self.division.held_out if self.measure == VALIDATION else np.arange(len(self._measured))
        if count is not None:
            count = min(count, len(samples))
            samples = samples[np.linspace(0, len(samples) - 1, count).astype(np.int64)]
        sampler = data.SubsetSampler(samples, shuffle=False)
        return test_loader(self._measured, self.facts, count or TEST_BATCH, sampler)

    def train(
        self, observers: Sequence[Observer] = (), watch: Callable[[Any], Iterable[Any]] = iter
    ) -> Result:
        """Train to the last of the settings' steps, measured on the pictures held out or else the test set.

        Parameters
        ----------
        observers : sequence of Observer, optional
        watch : callable, optional
            As for `cynet.train.train`.

        Returns
        -------
        Result
            Of the last evaluation.
        """
        return train(
            self.trainer, self.batches, self.evaluation_batches,
            self.settings.steps,  # type: ignore[arg-type]  # they are resolved
            observers, watch, self.measure,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._before:
            self.batches.close()
            self.evaluation_batches.close()
            self.test_batches.close()


def trainer_of(model: Layer, settings: Settings, class_weights: Any = None) -> Trainer:
    """The `Trainer` of a model with these `Settings`, which are resolved, and weights of the classes.

    What the settings freeze of the model is frozen; a ValueError names the setting where there is no such.
    """
    if settings.freeze:
        freeze(model, settings.freeze.split(","))
    schedule, task = settings.learning_rates(), task_of(settings.task, settings.loss)
    return Trainer(
        model,
        task.criterion(settings.label_smoothing, class_weights),
        _optimizer(model, settings, schedule(0)),
        schedule,
        settings.clip_norm,
        Average(model, settings.ema) if settings.ema else None,
        _mixing(settings),
        settings.accumulate,
        seen(model, settings.tta),
        task,
    )


def _optimizer(model, settings, lr):
    """The optimiser that the settings name, over all parameters in their order."""
    params, decay = model.parameters(), settings.weight_decay
    if settings.no_decay:
        params = decay_groups(model, settings.no_decay.split(","))
    if settings.optimizer in (ADAM, ADAMW):
        kind = AdamW if settings.optimizer == ADAMW else Adam
        made = kind(params, lr, (settings.momentum, BETA), weight_decay=decay)
    else:
        made = SGD(params, lr, settings.momentum, decay, nesterov=settings.optimizer == NESTEROV)
    if settings.lookahead:
        period, kept = settings.lookahead.split(":")
        return Lookahead(made, int(period), float(kept))
    return made


def _mixing(settings):
    """What mixes the pictures of a step's batch; None."""
    named = augmentations.mixing(settings.augment, settings.seed)
    if named and settings.mixup:
        raise ValueError(f"mixup: wanted 0 beside augment={settings.augment!r}, got {settings.mixup:g}")
    return named or (Mixup(settings.mixup, settings.seed) if settings.mixup else None)


def _facts(settings, training):
    """The `Facts` of a run on these pictures, which may be others than the settings name."""
    drawn = (getattr(training, "parts", None) or {}).get("drawn")
    return replace(
        settings.facts(training),
        data=registry.name_of(training, settings.data),
        drawn=tuple(drawn[name] for name in DRAWN) if drawn else (),
    )


def normalize(facts: Facts) -> data.Normalize:
    """The transform that makes pictures ready for a model with these `Facts`."""
    return data.Normalize(facts.mean, facts.std)


def test_loader(
    test: Any, facts: Facts, batch_size: int = TEST_BATCH, sampler: Any = None
) -> data.DataLoader:
    """Every sample of `test` once, in order, the last batch as small as it comes; or those of a sampler.

    Of pictures that are kept larger than the model takes them it gives the middle.
    """
    return data.DataLoader(
        test, batch_size, shuffle=False, workers=0, transforms=ready(facts), sampler=sampler
    )
