"""CNNClassifier: classes of pictures, signals or rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from cynet.core.types import AnyArray, Array
from cynet.train.views import log_softmax

from .estimator import NetEstimator
from .extra import (
    ClassifierMixin,
    check_classification_targets,
    column_or_1d,
    compute_class_weight,
)


class CNNClassifier(ClassifierMixin, NetEstimator):
    """A net that tells classes, as an estimator of scikit-learn's.

    Parameters
    ----------
    model : str, callable, Layer or None
        The net: one of `cynet.models.names()`; "FILE.py:NAME"; a function of (input_shape, outputs,
        **options) that returns a Layer; or a Layer, of which a copy is trained, from the weights that it has.
        None: a small one that suits the shape of X: of pictures three convolutions with batch norm, of
        signals "conv1d_small", of rows two hidden layers of 64.
    model_options : dict or None
        What else the model's function is given by name.
    image_shape : tuple of int or None
        The shape of a sample where X has rows that are none: (height, width, channels), or (length,
        channels).
    epochs : int
        How often all samples are trained on.
    batch_size : int
        At most so many samples a step.
    optimizer : {"adam", "adamw", "sgd", "nesterov"}
    learning_rate : float
        The greatest.
    momentum : float
        Of "adam" and "adamw" the decay of the mean gradient.
    weight_decay : float
    schedule : {"cosine", "constant", "one-cycle"}
        How the learning rate goes on from step to step.
    class_weight : dict, "balanced" or None
        What a class counts in the loss, as elsewhere in scikit-learn.
    augment : str, bool or None
        What is done to training pictures of uint8, as `cynet train --augment` has it, such as "crop:4,flip".
    standardize : bool
        Whether every channel (of rows every feature) is standardised by its mean and deviation in training.
        Otherwise floats go into the net as they are, and uint8 divided by 255.
    early_stopping : bool
        Whether a part of the samples is held out, the epoch with the best score on it is kept, and training
        ends after `n_iter_no_change` epochs without a better one.
    validation_fraction : float
        That part, of each class.
    n_iter_no_change : int
    warm_start : bool
        Whether `fit` goes on with the net of the last one.
    random_state : int, RandomState or None
        Of the first weights, the order of samples and all else that is random. An int gives the same weights,
        to the last bit, for any `n_jobs`.
    n_jobs : int or None
        The threads of the kernels; -1: all processors. None: what `cynet.get_num_threads` says.
    verbose : int
        Whether each epoch prints a line.

    Attributes
    ----------
    classes_ : ndarray (classes,)
        The labels of y, sorted.
    model_ : Layer
        The net. Its outputs are logits, in the order of `classes_`, of samples that are standardised.
    input_shape_ : tuple of int
        The shape in which it takes a sample.
    mean_, std_ : ndarray of float64 (channels,)
        What is subtracted from X, and what it is then divided by, in the units of X.
    loss_curve_ : list of float
        The mean loss of each epoch.
    validation_scores_ : list of float
        With `early_stopping` the score after each epoch.
    n_iter_ : int
        The epochs.
    n_features_in_ : int
        The numbers of a sample.
    feature_names_in_ : ndarray of str
        Where X was a table whose columns have names.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> CNNClassifier(image_shape=(8, 8, 1), random_state=0).fit(X[:1500], y[:1500]).score(X[1500:], y[1500:])
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
        class_weight: Any = None,
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
        self.class_weight = class_weight
        self.augment = augment
        self.standardize = standardize
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Train for one epoch on a part of all samples, at a constant learning rate.

        The first part settles by what samples are standardised.

        Parameters
        ----------
        X, y : array
            As for `fit`.
        classes : array (classes,), optional
            All labels that there are; wanted by the first call.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            As of `fit`.
        """
        if not hasattr(self, "model_"):
            if classes is None:
                raise ValueError("classes: wanted all labels that there are, for the first part, got None")
            self.classes_ = self._several(np.unique(classes))
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes: wanted those of the first part, {self.classes_}, got {classes}")
        self._partially(X, y, told=True)
        return self

    def predict_proba(self, X: Any) -> AnyArray:
        """The probability of each class.

        Parameters
        ----------
        X : array
            As for `fit`.

        Returns
        -------
        ndarray of float64 (n, classes)
            In the order of `classes_`.
        """
        return np.exp(log_softmax(self._given(self._samples(X))))

    def predict(self, X: Any) -> AnyArray:
        """The most probable label of each sample, the first of equally probable ones.

        Parameters
        ----------
        X : array
            As for `fit`.

        Returns
        -------
        ndarray (n,)
        """
        return self._answers(self._given(self._samples(X)))

    # -- what labels are ----------------------------------------------------------------------------------
    def _taken(self, y: Any, reset: bool) -> AnyArray:
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        found = np.unique(y)
        if reset:
            self.classes_ = self._several(found)
        elif len(new := np.setdiff1d(found, self.classes_)):
            raise ValueError(f"y: wanted labels out of {self.classes_}, got {new}")
        return y

    @staticmethod
    def _several(classes: AnyArray) -> AnyArray:
        if len(classes) < 2:
            raise ValueError(f"y: wanted at least two classes, got 1 class: {classes}")
        return classes

    def _outputs(self) -> int:
        return len(self.classes_)

    def _targets(self, y: AnyArray) -> AnyArray:
        return np.searchsorted(self.classes_, y)

    def _weights(self, y: AnyArray, part: bool) -> AnyArray | None:
        if self.class_weight is None:
            return None
        if part and self.class_weight == "balanced":
            wanted = "wanted a dict, or None, for partial_fit, which does not know how many there are"
            raise ValueError(f"class_weight: {wanted}, got 'balanced'")
        return compute_class_weight(self.class_weight, classes=self.classes_, y=y)

    def _answers(self, outputs: Array) -> AnyArray:
        return self.classes_[log_softmax(outputs).argmax(axis=1)]

    def _rated(self, y: AnyArray, answers: AnyArray) -> float:
        return float((y == answers).mean())
