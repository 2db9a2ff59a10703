"""The modes of layers, training or evaluation, given back after a while in others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from .layer import Layer


@contextlib.contextmanager
def kept(layers: Iterable[Layer]) -> Iterator[None]:
    """A context at the end of which each of some layers has the mode again that it had."""
    modes = [(layer, layer.training) for layer in layers]
    try:
        yield
    finally:
        for layer, mode in modes:
            layer.training = mode


@contextlib.contextmanager
def evaluating(model: Layer) -> Iterator[None]:
    """A context within which a model, with all below it, is in evaluation mode; then each layer as before."""
    with kept([layer for _, layer in model.walk()]):
        model.eval()
        yield
