"""Test-time augmentation: a picture is judged by several views of it, and their mean counts.

Design: the mean is that of the probabilities, not of the logits: a view of which the model is unsure says
little then, and one that it is sure of, rightly or wrongly, cannot outweigh all others.
"""

from collections.abc import Iterator

import numpy as np

from cynet.core import checks
from cynet.core.types import AnyArray, Array, Shape
from cynet.nn.layer import Layer

from .metrics import checked_model

FLIP, SHIFT, DIAGONAL = KINDS = "flip", "shift", "diagonal"
MOVES = (0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)  # of "shift": as it is, and a pixel up, down, left and right
CORNERS = (0, 0), (-1, -1), (1, 1)  # of "diagonal"
WEIGHTS = 2, 1, 1  # what each of these counts


def kinds_of(tta: str | None, flip: bool = False) -> tuple[str, ...]:
    """The kinds of views in a text such as "flip,shift", and with `flip` that one, too, in the order of
    `KINDS`; () of None and of "".

    Raises
    ------
    TypeError, ValueError
        When it is no text, or names another kind, or one twice.
    """
    if tta is not None and not isinstance(tta, str):
        raise TypeError(f"tta: wanted a text such as 'flip,shift', got {tta!r:.80}")
    given = tta.split(",") if tta else []
    if not set(given) <= set(KINDS) or len(set(given)) < len(given):
        raise ValueError(f"tta: wanted {' and '.join(KINDS)}, each at most once, got {tta!r:.80}")
    return tuple(kind for kind in KINDS if kind in given or (flip and kind == FLIP))


def views(x: Array, kinds: tuple[str, ...]) -> Iterator[Array]:
    """The views of a batch of pictures: itself first; with "flip" mirrored, too; with "shift" five of each,
    moved by a pixel, where those at the edge are repeated; with "diagonal" three of each, as it is and moved
    by a pixel up and left, and down and right, the picture mirrored at its edge (Jordan 2024).

    Parameters
    ----------
    x : ndarray of float32 (N, H, W, C)
    kinds : tuple of str

    Yields
    ------
    ndarray of float32, the same shape

    Raises
    ------
    ValueError
        When it has no height and width.
    """
    if kinds and x.ndim != 4:
        raise ValueError(f"tta: wanted pictures (N, H, W, C) to see views of, got inputs {x.shape}")
    for corner in CORNERS if DIAGONAL in kinds else CORNERS[:1]:
        for move in MOVES if SHIFT in kinds else MOVES[:1]:
            moved = _moved(_moved(x, corner, mirror=True), move)
            yield moved
            if FLIP in kinds:
                yield np.ascontiguousarray(moved[:, :, ::-1])


def weights(kinds: tuple[str, ...]) -> list[int]:
    """What each of these views counts."""
    each = (len(MOVES) if SHIFT in kinds else 1) * (2 if FLIP in kinds else 1)
    return [weight for weight in (WEIGHTS if DIAGONAL in kinds else (1,)) for _ in range(each)]


def _moved(x: Array, move: tuple[int, int], mirror: bool = False) -> Array:
    """Pictures moved down and right by some pixels, those at the edge repeated, or mirrored at it."""
    for axis, by in enumerate(move, 1):
        if by:
            size = x.shape[axis]
            places = np.arange(size) - by
            if mirror:
                places = np.where(places < size, np.abs(places), 2 * (size - 1) - places)
            x = np.take(x, np.clip(places, 0, size - 1), axis=axis)
    return x


def log_probabilities(model: Layer, x: Array, kinds: tuple[str, ...]) -> AnyArray:
    """The log of the mean probabilities over the views of each picture, each as often as it counts.

    Returns
    -------
    ndarray of float64 (N, classes)
        A row of NaN where a logit of a view was NaN.
    """
    x = checks.float_array("x", x) if kinds else x
    counts = weights(kinds)
    found = (
        log_softmax(model(view)) + np.log(count) for view, count in zip(views(x, kinds), counts, strict=True)
    )
    mean = next(found)
    with np.errstate(invalid="ignore"):
        for other in found:
            mean = np.logaddexp(mean, other)
    return mean - np.log(sum(counts)) if kinds else mean


def log_softmax(logits: AnyArray) -> AnyArray:
    """float64 (N, classes); a row with a NaN becomes NaN altogether, and so does one without a finite sum."""
    if logits.ndim != 2 or not logits.shape[1]:
        raise ValueError(f"model: wanted one that gives logits (N, classes), got an output {logits.shape}")
    logits = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):
        logits -= logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


class Views(Layer):
    """A model that judges pictures by their views: its logits are the log of the mean probabilities.

    To be evaluated, not trained.

    Parameters
    ----------
    model : Layer
    tta : str
        The kinds of views, such as "flip,shift".

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, model: Layer, tta: str) -> None:
        self.model, self.tta = checked_model(model), ",".join(kinds_of(tta))

    def output_shape(self, shape: Shape) -> Shape:
        return self.model.output_shape(shape)

    def forward(self, x: Array) -> Array:
        return log_probabilities(self.model, x, kinds_of(self.tta)).astype(np.float32)

    def __repr__(self) -> str:
        return f"Views({self.model!r}, {self.tta!r})"


def seen(model: Layer, tta: str | None) -> Layer:
    """The model, or with a `tta` its `Views`."""
    return Views(model, tta) if tta else model
