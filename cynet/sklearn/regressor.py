"""CNNRegressor: numbers of pictures, signals or rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from cynet.core.tasks import REGRESS
from cynet.core.types import AnyArray, Array

from .estimator import NetEstimator
from .extra import RegressorMixin, r2_score


class CNNRegressor(RegressorMixin, NetEstimator):
    """A net that tells numbers, as an estimator of scikit-learn's.

    The numbers are standardised for training, too, by their mean and deviation there.

    Parameters
    ----------
    model, model_options, image_shape, epochs, batch_size, optimizer, learning_rate, momentum
        As of `CNNClassifier`, and so are all others but `loss`.
    loss : {"mse", "l1", "huber"}
        What is made small, of the standardised numbers.
    weight_decay, schedule, augment, standardize, early_stopping, validation_fraction, n_iter_no_change
    warm_start, random_state, n_jobs, verbose

    Attributes
    ----------
    target_mean_, target_std_ : ndarray of float64 (numbers,)
        The outputs of `model_` are multiplied by the second, and added to the first.
    model_, input_shape_, mean_, std_, loss_curve_, validation_scores_, n_iter_, n_features_in_
        As of `CNNClassifier`.
    """

    def __init__(
        self,
        model: Any = None,
        *,
        model_options: dict[str, Any] | None = None,
        image_shape: tuple[int, ...] | None = None,
        epochs: int = 20,
        batch_size: int = 32,
        optimizer: str = "adam",
        learning_rate: float = 0.003,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        schedule: str = "cosine",
        loss: str = "mse",
        augment: str | bool | None = None,
        standardize: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        warm_start: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.model_options = model_options
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.loss = loss
        self.augment = augment
        self.standardize = standardize
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    task = REGRESS

    def partial_fit(self, X: Any, y: Any) -> Self:
        """Train for one epoch on a part of all samples, at a constant learning rate.

        The first part settles by what samples and numbers are standardised.

        Parameters
        ----------
        X, y : array
            As for `fit`.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            As of `fit`.
        """
        self._partially(X, y, told=False)
        return self

    def predict(self, X: Any) -> AnyArray:
        """The numbers of each sample.

        Parameters
        ----------
        X : array
            As for `fit`.

        Returns
        -------
        ndarray of float64 (n,) or (n, numbers)
            As y of `fit`.
        """
        return self._answers(self._given(self._samples(X)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    # -- what numbers are ---------------------------------------------------------------------------------
    def _taken(self, y: Any, reset: bool) -> AnyArray:
        y = np.asarray(y, np.float64)
        if reset:
            self._shape = y.shape[1:]
        elif y.shape[1:] != self._shape:
            raise ValueError(f"y: wanted numbers of shape (n, *{self._shape}), as before, got {y.shape}")
        return y

    def _settle(self, y: AnyArray) -> None:
        y = y.reshape(len(y), -1)
        self.target_mean_, std = y.mean(axis=0), y.std(axis=0)
        self.target_std_ = np.where(std > 0, std, 1.0)

    def _outputs(self) -> int:
        return len(self.target_mean_)

    def _targets(self, y: AnyArray) -> AnyArray:
        return ((y.reshape(len(y), -1) - self.target_mean_) / self.target_std_).astype(np.float32)

    def _answers(self, outputs: Array) -> AnyArray:
        return (outputs * self.target_std_ + self.target_mean_).reshape(len(outputs), *self._shape)

    def _rated(self, y: AnyArray, answers: AnyArray) -> float:
        return float(r2_score(y, answers))
