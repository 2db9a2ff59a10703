"""What both estimators share: the checks of what `fit` is given, the walk over epochs, what a net gives.

Design: a `Settings` says what a `Trainer` is made of, as for any run, so that a parameter here means what the
setting of its name means. The epochs are walked through here: nothing is kept on disk, and scikit-learn's
users look at scores, not at observers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Self

import numpy as np

from cynet.core import checks, random
from cynet.core.tasks import CLASSIFY, REGRESS
from cynet.core.types import AnyArray, Array, State
from cynet.data.images.augment import Normalize
from cynet.data.loader import DataLoader
from cynet.nn.modes import evaluating
from cynet.nn.passes import no_grad
from cynet.runs import augmentations
from cynet.runs.settings import CONSTANT, COSINE, ONE_CYCLE, Settings
from cynet.runs.trainers import trainer_of
from cynet.train.trainer import Trainer

from . import nets, samples
from .extra import BaseEstimator, check_is_fitted, check_random_state, train_test_split, validate_data
from .process import Mutex, fitting, running

PREDICTED = 250  # samples that go through the net at once, outside of training
SCHEDULES = (CONSTANT, COSINE, ONE_CYCLE)
MOST_SEED = 2**31 - 1


class NetEstimator(BaseEstimator):
    """Base of the estimators: everything but what labels are.

    A subclass has a constructor, `task`, and the methods that are empty here.
    """

    task = CLASSIFY
    _partial: tuple[int, dict[str, int], State] | None  # seed, random state, optimiser, of `partial_fit`

    # -- what labels are ----------------------------------------------------------------------------------
    def _taken(self, y: Any, reset: bool) -> AnyArray:
        """The labels as an array, looked at; with `reset` what they tell is kept, else compared with."""
        raise NotImplementedError

    def _settle(self, y: AnyArray) -> None:
        """Keep what the net's outputs are computed back by, of the labels of training."""

    def _outputs(self) -> int:
        """How many the net has."""
        raise NotImplementedError

    def _targets(self, y: AnyArray) -> AnyArray:
        """The labels as a loss takes them."""
        raise NotImplementedError

    def _weights(self, y: AnyArray, part: bool) -> AnyArray | None:
        """The weights of the classes in the loss, of labels that are all, or a part."""
        return None

    def _answers(self, outputs: Array) -> AnyArray:
        """Labels, of what the net gives."""
        raise NotImplementedError

    def _rated(self, y: AnyArray, answers: AnyArray) -> float:
        """The score of answers; the greatest is the best."""
        raise NotImplementedError

    # -- training -----------------------------------------------------------------------------------------
    def fit(self, X: Any, y: Any) -> Self:
        """Train a new net; with `warm_start` that of the last `fit` goes on.

        Parameters
        ----------
        X : array (n, height, width, channels), (n, length, channels) or (n, features)
            Rows may be pictures, see `image_shape`.
        y : array (n,)
            Of numbers also (n, numbers).

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            When a parameter, X or y cannot be; the message names it.
        Diverged
            An ArithmeticError: when the loss is no finite number any more, as where `learning_rate` is too
            high.
        """
        epochs, settings = checks.integer("epochs", self.epochs, 1), self._settings(self.schedule)
        reset = not (checks.flag("warm_start", self.warm_start) and hasattr(self, "model_"))
        X, y = self._checked(X, y, reset, reset, least=2)
        kept, held = self._divided(y, settings.seed)
        with fitting(self.n_jobs):
            random.seed(settings.seed)
            if reset:
                self._begin(X[kept], y[kept])
            batches = self._batches(X[kept], self._targets(y[kept]), settings)
            settings = replace(settings, steps=epochs * len(batches))
            trainer = self._trainer(settings, self._weights(y[kept], False))
            self.loss_curve_, self.validation_scores_, self._partial = [], [], None
            best = None
            for epoch in range(1, epochs + 1):
                self.loss_curve_.append(_walked(trainer, batches))
                if held is not None:
                    self.validation_scores_.append(self._rated(y[held], self._answers(self._given(X[held]))))
                    if max(self.validation_scores_) > max(self.validation_scores_[:-1], default=-np.inf):
                        best = epoch, self.model_.state_dict()
                self._say(epoch, epochs)
                if best and epoch - best[0] == self.n_iter_no_change:
                    break
            if best:
                self.model_.load_state_dict(best[1])
        self.n_iter_ = epoch
        return self

    def _partially(self, X: Any, y: Any, told: bool) -> None:
        """One epoch over some samples, at a constant rate; `told`: what labels there are is known."""
        first, settings = not hasattr(self, "model_"), self._settings(CONSTANT)
        X, y = self._checked(X, y, first, first and not told, least=1)
        with fitting(self.n_jobs):
            random.seed(settings.seed)
            if first:
                self._begin(X, y)
                self.loss_curve_, self.validation_scores_, self._partial = [], [], None
            if self._partial is not None:
                settings = replace(settings, seed=self._partial[0])
                random.set_state(self._partial[1])
            trainer = self._trainer(replace(settings, steps=1), self._weights(y, True))
            if self._partial is not None:
                trainer.optimizer.load_state_dict(self._partial[2])
                trainer.steps = trainer.optimizer.steps
            batches = self._batches(X, self._targets(y), settings)
            batches.epoch = len(self.loss_curve_)  # each part has an order of its own
            self.loss_curve_.append(_walked(trainer, batches))
            self._partial = settings.seed, random.get_state(), trainer.optimizer.state_dict()
        self.n_iter_ = len(self.loss_curve_)
        self._say(self.n_iter_, None)

    def _settings(self, schedule: Any) -> Settings:
        """The parameters as the settings of a run, but for its steps; the seed is drawn."""
        if schedule not in SCHEDULES:
            raise ValueError(f"schedule: wanted one of {', '.join(SCHEDULES)}, got {schedule!r:.80}")
        return Settings(
            lr=checks.number("learning_rate", self.learning_rate, 0, open_low=True),
            optimizer=self.optimizer,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            schedule=schedule,
            lr_steps={},
            augment=self.augment or False,
            task=None if self.task == CLASSIFY else self.task,
            loss=getattr(self, "loss", None),
            seed=int(check_random_state(self.random_state).randint(MOST_SEED)),
        )

    def _begin(self, X: AnyArray, y: AnyArray) -> None:
        """Keep what a new net is made for, and make it."""
        self._settle(y)
        self.mean_, self.std_ = np.zeros(X.shape[-1]), np.full(X.shape[-1], samples.unit(X))
        if checks.flag("standardize", self.standardize):
            self.mean_, self.std_ = samples.moments(X)
        self.model_ = nets.made(self.model, self.model_options, self.input_shape_, self._outputs())
        self._turn = Mutex()

    def _divided(self, y: AnyArray, seed: int) -> tuple[Any, AnyArray | None]:
        """What is trained on, and the indices of what is held out: of every class its share."""
        if not checks.flag("early_stopping", self.early_stopping):
            return slice(None), None
        checks.integer("n_iter_no_change", self.n_iter_no_change, 1)
        share = checks.number("validation_fraction", self.validation_fraction, 0, 1, True, True)
        stratify = y if self.task == CLASSIFY else None
        kept, held = train_test_split(
            np.arange(len(y)), test_size=share, random_state=seed, stratify=stratify
        )
        return kept, held

    def _batches(self, X: AnyArray, targets: AnyArray, settings: Settings) -> DataLoader:
        """A loader of batches as equal as they can be; a rest of a single sample waits for the next epoch."""
        most, count = checks.integer("batch_size", self.batch_size, 1), len(X)
        size = -(-count // -(-count // most))
        if settings.augment and (X.dtype != np.uint8 or X.ndim != 4):
            got = f"{X.dtype} of shape {X.shape[1:]}"
            raise ValueError(f"augment: wanted pictures of uint8 (height, width, channels), got X {got}")
        cut = augmentations.cut_size(settings.augment)
        if cut not in (None, X.shape[1:3]):
            raise ValueError(f"augment: wanted the size of the pictures {X.shape[1:3]}, got {cut}")
        found = samples.data_set(X, targets, self.task)
        transforms = [*augmentations.transforms(settings.augment), self._ready(X)]
        single = count % size == 1
        return DataLoader(found, size, seed=settings.seed, workers=0, drop_last=single, transforms=transforms)

    def _ready(self, X: AnyArray) -> Normalize:
        """What makes samples ready for the net."""
        scale = samples.unit(X)
        return Normalize(self.mean_ / scale, self.std_ / scale)

    def _trainer(self, settings: Settings, weights: AnyArray | None) -> Trainer:
        self.model_.train()
        return trainer_of(self.model_, settings, weights)

    def _say(self, epoch: int, epochs: int | None) -> None:
        if self.verbose:
            held = f", held out {self.validation_scores_[-1]:.4f}" if self.validation_scores_ else ""
            print(f"epoch {epoch}{f'/{epochs}' if epochs else ''}: loss {self.loss_curve_[-1]:.4f}{held}")

    # -- samples ------------------------------------------------------------------------------------------
    def _checked(self, X: Any, y: Any, reset: bool, reset_y: bool, least: int) -> tuple[AnyArray, AnyArray]:
        """X as the net gets samples, and y as an array."""
        X, given = samples.flattened(X)
        options = {"y_numeric": True, "multi_output": True} if self.task == REGRESS else {}
        X, y = validate_data(
            self, X, y, reset=reset, dtype=[np.float32, np.uint8], ensure_min_samples=least, **options
        )
        if reset:
            self.input_shape_ = samples.input_shape(self.image_shape, given, X.shape[1])
        return samples.shaped(X, given, self.input_shape_), self._taken(y, reset_y)

    def _samples(self, X: Any) -> AnyArray:
        """X of a fitted estimator, as the net gets samples."""
        check_is_fitted(self)
        X, given = samples.flattened(X)
        X = validate_data(self, X, reset=False, dtype=[np.float32, np.uint8])
        return samples.shaped(X, given, self.input_shape_)

    def _given(self, X: AnyArray) -> Array:
        """What the net gives for samples: float32 (n, outputs)."""
        found = samples.data_set(X, np.zeros((len(X), 1)), REGRESS)  # nobody looks at its labels
        loader = DataLoader(found, PREDICTED, shuffle=False, workers=0, transforms=[self._ready(X)])
        with running(self.n_jobs), self._turn, evaluating(self.model_), no_grad():
            outputs = np.concatenate([np.array(self.model_(x)) for x, _ in loader])
        if not np.isfinite(outputs).all():
            raise ValueError("X: wanted samples for which the net gives finite numbers, got NaN or infinity")
        return outputs


def _walked(trainer: Trainer, batches: DataLoader) -> float:
    """Train on each batch of an epoch; the mean loss, each batch's before its step."""
    losses, counts = zip(*_steps(trainer, batches), strict=True)
    return float(np.average(losses, weights=counts))


def _steps(trainer: Trainer, batches: DataLoader) -> Iterator[tuple[float, int]]:
    for x, y in batches:
        yield trainer.step(x, y), len(y)
