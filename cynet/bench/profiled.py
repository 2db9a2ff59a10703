"""The net whose layers are timed: of the registry, of a file of one's own, or of weights that tell of it.

Design: apart from `workload`, which the processes load whose memory is measured, and which is for models
alone that another process, or a peer, can make by their names.
"""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cynet import models
from cynet.core.files import user_path
from cynet.nn.layer import Layer
from cynet.runs import nets, weights

from . import workload
from .setting import CLASSES, PICTURE


@dataclass(frozen=True)
class Profiled:
    """A net that is timed.

    Attributes
    ----------
    shape : tuple of int
        Of a sample.
    classes : int
        How many outputs it has.
    build : callable
        Gives it, new each time.
    norm : str
        What a title says of its batch norm; "" where that is no question.
    """

    shape: tuple[int, ...]
    classes: int
    build: Callable[[], Layer]
    norm: str = ""

    def create(self):
        """The net, which spares the gradient of its input, as a trainer's does."""
        model = self.build()
        model.input_grad = False
        return model


def of(name, batch_norm=True, options=None, side=None):
    """The `Profiled` of a name.

    Parameters
    ----------
    name : str
        Of the registry; or where a function is, as `cynet train --model` takes it; or a run folder, or a file
        of weights.
    batch_norm : bool, optional
        False: of the registry's without.
    options : str or None
        What else its function is given by name, a JSON object.
    side : int or None
        Of the pictures that it is made for; default: 32, or what it needs.

    Raises
    ------
    OSError, ValueError
        When it cannot be read, or made.
    """
    if nets.is_registered(name):
        given = json.loads(options or "{}") | ({} if batch_norm else {"batch_norm": False})
        shape = _sided(workload.input_shape(name), side, name)
        norm = f", batch norm {'on' if batch_norm else 'off'}"
        return Profiled(shape, CLASSES, lambda: models.create(name, shape, CLASSES, **given), norm)
    if not batch_norm:
        raise ValueError(f"batch_norm: wanted a model of the registry to leave it out of, got {name}")
    if nets.is_own(name):
        net = _named(name)
        shape = _sided(PICTURE, side, name)
        return Profiled(shape, CLASSES, lambda: net.made(shape, CLASSES, options))
    if not user_path(name).exists():
        models.create(name)  # which says what there is
    if options:
        raise ValueError(f"model_option: wanted a function that takes it, got weights, {name}")
    if side:
        raise ValueError(f"side: wanted a net that is made for it, got weights, {name}")
    return _weighed(weights.file_of(name))


def _sided(shape, side, name):
    """The shape of a sample with sides of so many pixels."""
    if not side:
        return shape
    if len(shape) != len(PICTURE):
        raise ValueError(f"side: wanted a net of pictures, got {name}, one of signals")
    return side, side, shape[-1]


@functools.lru_cache
def _named(name):
    """A net of one's own, whose code is run once."""
    return nets.named(name)


def _weighed(path: Path):
    model, facts = weights.load(path)
    if facts is not None:
        shape, classes = facts.picture_shape, len(facts.classes)
    else:
        shape, *others = getattr(model, "input_shapes", (PICTURE,))
        if others:
            raise ValueError(f"{path}: wanted a net of one input, got one of {1 + len(others)}")
        classes = model.checked_shape((2, *shape))[-1]
    return Profiled(tuple(shape), classes, lambda: weights.load(path)[0])
