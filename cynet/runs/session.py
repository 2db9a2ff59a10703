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
from cynet.nn.layer import Layer, shapes_of
from cynet.nn.losses import CrossEntropyLoss
from cynet.optim.optimizers import SGD
from cynet.train.average import Average
from cynet.train.loop import Observer, Result, Trainer, train
from cynet.train.mixup import Mixup

from . import nets
from .facts import DRAWN, Facts
from .resolving import spread
from .settings import BALANCED, Settings
from .validation import TEST, VALIDATION, Division
from .weights import check_statistics, initial_file, noted_or_none, read_weights

__all__ = ["Session", "Settings", "normalize", "test_loader"]

TEST_BATCH = 250
SHOWN = 10  # tensors that do not fit which one error names
PADDING = 4  # pixels around a picture that augmentation crops from


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
    facts : Facts
    division : Division
        Which pictures of `training` are trained on, and which are held out.
    measure : str
        What the run is measured on: "validation" where pictures are held out, else "test".
    class_weights : ndarray of float64 (classes,) or None
        Of the loss of training.
    batches : DataLoader
        Of the pictures that are trained on.
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
        if training.labels.min() == training.labels.max():
            name, count = training.classes[training.labels[0]], len(training.labels)
            raise ValueError(f"data: wanted pictures of at least two classes, got {count:,} of {name} alone")
        self.settings, self.facts = settings, _facts(settings, training)
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
            self.model = self.facts.create()
        else:
            shape, classes = self.facts.picture_shape, len(self.facts.classes)
            self.model = self.net.made(shape, classes, settings.model_option)
            nets.HERE[settings.model] = self.net
        try:
            self.model.checked_shape((settings.batch_size, *training.picture_shape))
        except ValueError as error:
            shape = " x ".join(map(str, training.picture_shape))
            raise ValueError(
                f"model: {settings.model} cannot take the pictures of {settings.data}, {shape}: {error}"
            ) from None
        if settings.batch_size == 1 and norms_single_values(self.model, (1, *training.picture_shape)):
            raise ValueError("batch_size: wanted at least 2, for the batch norm of single values, got 1")
        if settings.init_from and initial:
            load_initial(self.model, settings.init_from, self.facts)
        self.class_weights = None
        if settings.class_weights == BALANCED:
            labels = training.labels[self.division.kept]
            self.class_weights = data.class_weights(labels, len(training.classes))
        self.trainer = trainer_of(self.model, settings, self.class_weights)
        augment = [data.RandomCrop(PADDING), data.RandomFlip()] if settings.augment else []
        self.batches = data.DataLoader(
            training,
            settings.batch_size,
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
    """The `Trainer` of a model with these `Settings`, which are resolved, and weights of the classes."""
    schedule = settings.learning_rates()
    return Trainer(
        model,
        CrossEntropyLoss(settings.label_smoothing, weight=class_weights),
        SGD(model.parameters(), schedule(0), settings.momentum, settings.weight_decay),
        schedule,
        settings.clip_norm,
        Average(model, settings.ema) if settings.ema else None,
        Mixup(settings.mixup, settings.seed) if settings.mixup else None,
    )


def _facts(settings, training):
    """The `Facts` of a run on these pictures, which may be others than the settings name."""
    drawn = (getattr(training, "parts", None) or {}).get("drawn")
    return replace(
        settings.facts(training),
        data=registry.name_of(training, settings.data),
        drawn=tuple(drawn[name] for name in DRAWN) if drawn else (),
    )


def load_initial(model, path, facts):
    """Give a model with these `Facts` the weights in a file or a run folder, or change nothing; a ValueError
    says what model they are of, and the first tensors that do not fit."""
    try:
        path = initial_file(path)
        tensors, notes = read_weights(path)
        told = noted_or_none(path, notes)
    except ValueError as error:
        raise ValueError(f"init_from: {error}") from None
    try:
        check_statistics(tensors)
        model.load_state_dict(tensors)
    except ValueError as error:
        problems = str(error).split("; ")
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        text = _other(told, facts) + "; ".join(problems[:SHOWN]) + more
        raise ValueError(f"init_from: {path}: {text}") from None


def _other(told, facts):
    """'that is a uwnet2, this is a resnet20: ' where the facts of the weights tell of another model."""
    if told is None:
        return ""
    that, this = _kind(told), _kind(facts)
    return "" if that == this else f"that is a {that}, this is a {this}: "


def _kind(facts):
    norm, channels = " with batch norm" if facts.batch_norm else "", facts.picture_shape[2]
    return f"{facts.model}{norm} of {len(facts.classes)} classes and {channels}-channel pictures"


def normalize(facts: Facts) -> data.Normalize:
    """The transform that makes pictures ready for a model with these `Facts`."""
    return data.Normalize(facts.mean, facts.std)


def test_loader(
    test: Any, facts: Facts, batch_size: int = TEST_BATCH, sampler: Any = None
) -> data.DataLoader:
    """Every sample of `test` once, in order, the last batch as small as it comes; or those of a sampler."""
    return data.DataLoader(
        test, batch_size, shuffle=False, workers=0, transforms=[normalize(facts)], sampler=sampler
    )
