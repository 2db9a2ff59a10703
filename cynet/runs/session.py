"""A training run put together from its settings: loaders, model, loss, optimiser and schedule."""

from __future__ import annotations  # what loads data is asked for when it is needed

import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import prod
from typing import Any, Self

import numpy as np

import cynet.core.random as random
from cynet import data, models
from cynet.core import threads
from cynet.core.tasks import CLASSIFY, LANGUAGE
from cynet.data import registry
from cynet.data.dataset import words_of
from cynet.nn.layer import Layer, shapes_of
from cynet.nn.spec import NET, notes
from cynet.train.loop import Observer, Result, train
from cynet.train.tasks import task_of

from . import augmentations, nets, texts, trial
from .facts import BYTES, DRAWN, TOKENS, Facts
from .initial import load_initial
from .middle import ready
from .resolving import spread, with_task
from .settings import BALANCED, Settings
from .trainers import trainer_of
from .validation import TEST, VALIDATION, Division
from .whitening import whiten

__all__ = ["Session", "Settings", "normalize", "test_loader"]

TEST_BATCH = 250
TEXTS = "language_model"  # what is meant where a text is given to a net of pictures


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
        `nets.named` has it, or the net itself, which is trained then. Its name takes the place of the
        registry's in `settings`. Default: that which the settings name.

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
    batches : DataLoader, or of a text Sequences
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
            if self.net is not None and settings.model in models.names():  # whose name is not this net's
                settings = replace(settings, model=self.net.name)
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
        self.model = self._new_model()
        _refuse_other(training, test)
        each, least = settings.batch_size // settings.shards, 2 * settings.shards
        if each == 1 and norms_single_values(self.model, (1, *self.facts.picture_shape)):
            wanted = f"wanted at least {least}, for the batch norm of single values"
            raise ValueError(f"batch_size: {wanted}, got {settings.batch_size}")
        if settings.init_from and initial:
            self.initial = load_initial(self.model, settings.init_from, self.facts, settings.new_head)
        if settings.whiten and initial:
            whiten(self.model, training, self.division.kept, self.facts)
        self.class_weights = None
        if settings.class_weights == BALANCED:
            labels = training.labels[self.division.kept]
            self.class_weights = self.task.weights(labels, len(training.classes))
        self.trainer = trainer_of(self.model, settings, self.class_weights)
        self.batches = self._batches(training)
        self.test_batches = test_loader(test, self.facts)
        self.evaluation_batches = self.test_batches if self.measure == TEST else self.evaluation_loader()
        self.is_known = NET in notes(self.model)
        if not self.is_known:
            self._try(test)

    def _batches(self, training):
        """What is trained on, a batch for each step."""
        settings = self.settings
        if self.task.name == LANGUAGE:
            return texts.training_batches(training, settings)
        augment = augmentations.transforms(settings.augment)
        if settings.tta and len(training.picture_shape) != 3:
            raise ValueError(f"tta: wanted pictures, which have such views, got {training!r}")
        if settings.augment and (self.facts.kind != BYTES or len(training.picture_shape) != 3):
            got = f"{training!r} of {self.facts.kind}"
            raise ValueError(f"augment: wanted pictures of bytes, uint8, got {got}")
        return data.DataLoader(
            training,
            settings.step_size,
            shuffle=True,
            seed=settings.seed,
            workers=settings.workers,
            drop_last=True,
            transforms=[*augment, normalize(self.facts)],
            sampler=self._sampler(training.labels),
        )

    def _new_model(self) -> Layer:
        """The model of the settings, which takes samples of the shape that the facts tell of."""
        settings, net, shape = self.settings, self.net, self.facts.picture_shape
        if net is None:
            self.facts.options()
        elif not (settings.batch_norm or net.is_data):
            wanted = "wanted True for a net of one's own, whose options model_option gives"
            raise ValueError(f"batch_norm: {wanted}, got False")
        else:
            nets.HERE[settings.model] = net
            model = nets.of_facts(net, self.facts)
        try:
            if net is None:
                model = self.facts.create()
            found, whole = model.checked_shape((settings.batch_size, *shape)), self.facts.output_shape
            if net is None and found[1:] != whole:
                raise ValueError(f"it gives {found[1:]} for each of them, wanted {whole}")
        except ValueError as error:
            if str(error).partition(": ")[0] in json.loads(settings.model_option or "{}"):
                raise ValueError(f"model_option: {error}") from None
            sizes, what = " x ".join(map(str, shape)), words_of(shape, self.facts.task)
            wanted = f"{settings.model} cannot take the {what} of {settings.data}, {sizes}"
            other = net is None and self.task.name == LANGUAGE and settings.model != TEXTS
            hint = f" (did you mean model {TEXTS}?)" if other else ""
            raise ValueError(f"model: {wanted}: {error}{hint}") from None
        return model

    def _try(self, test):
        """Let the model's own code run once; see `trial`."""
        first = data.SubsetSampler(np.arange(min(trial.SAMPLES, len(test))), shuffle=False)
        with test_loader(test, self.facts, trial.SAMPLES, first) as loader:
            x = np.resize(next(iter(loader))[0], (trial.SAMPLES, *self.facts.picture_shape))
        name = self.net.name if self.net else self.settings.model
        trial.check(name, self.model, x, (trial.SAMPLES, *self.facts.output_shape))

    @property
    def step_count(self) -> float:
        """How many pictures a step has; of a text how many tokens, on the mean of an epoch."""
        rows = self.settings.step_size
        if self.task.name != LANGUAGE:
            return rows
        return rows * (len(self.batches.dataset.tokens) // rows - 1) / len(self.batches)

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
            Only so many pictures, spread over all, as one batch; at most all. Of a text all of it.
        """
        if self.task.name == LANGUAGE:
            return test_loader(self._measured, self.facts)
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
            observers, watch, self.measure, self.settings.evaluate_every,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._before:
            self.batches.close()
            self.evaluation_batches.close()
            self.test_batches.close()


def _refuse_other(training, test):
    """Raise ValueError where samples for testing are of another shape or kind than those for training."""
    for what, of in (
        ("samples", lambda found: (getattr(_images(found), "dtype", ""), *found.picture_shape)),
        ("labels", lambda found: (getattr(found, "task", CLASSIFY), *found.labels.shape[1:])),
    ):
        wanted, got = (" ".join(map(str, of(found))) for found in (training, test))
        if wanted != got:
            raise ValueError(f"data: wanted {what} for testing as those for training, {wanted}, got {got}")

    if getattr(training, "task", CLASSIFY) == LANGUAGE:
        texts.refuse_other(training, test)


def _images(samples):
    """The array of a data set that keeps one, else None."""
    return getattr(samples, "images", None)


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

    Of pictures that are kept larger than the model takes them it gives the middle. Of a text it gives
    sequences, in at most as many rows.
    """
    if facts.kind == TOKENS:
        return texts.evaluated_batches(test, facts, batch_size)
    return data.DataLoader(
        test, batch_size, shuffle=False, workers=0, transforms=ready(facts), sampler=sampler
    )
