"""The net of an estimator, by what its parameter `model` is."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from cynet import models
from cynet.core.types import Shape
from cynet.models.blocks import classified, conv
from cynet.models.registry import model as model_names
from cynet.nn import GlobalAvgPool2d, Linear, MaxPool2d, ReLU
from cynet.nn.layer import Layer
from cynet.runs import nets

HIDDEN = 64  # units of each hidden layer, for rows
FILTERS = (16, 32, 64)  # for pictures
SIGNALS = "conv1d_small"


def made(model: Any, options: Any, shape: Shape, outputs: int) -> Layer:
    """A new net for samples of a shape, with so many outputs.

    Parameters
    ----------
    model : None, str, callable or Layer
        None: by the shape. A name of `cynet.models.names()`, or "FILE.py:NAME". A function of (input_shape,
        outputs, **options). Of a Layer a copy, with its weights.
    options : dict or None
    shape : tuple of int
    outputs : int

    Raises
    ------
    TypeError, ValueError
        When it is none of these, or its net does not take such samples, or gives something else.
    """
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"model_options: wanted a dict, got {options!r:.80}")
    options = dict(options or {})
    if model is None:
        if options:
            raise ValueError(f"model_options: wanted a model beside it, got {options!r:.80} and model=None")
        return usual(shape, outputs)
    if isinstance(model, str) and not nets.is_own(model):
        found = models.create(model_names.checked(model, "model"), shape, outputs, **options)
        if (gives := found.checked_shape((2, *shape))[1:]) != (outputs,):
            raise ValueError(f"model: wanted a net that gives {outputs} for a sample, got {model}: {gives}")
        return found
    try:
        text = json.dumps(options)
    except (TypeError, ValueError) as error:
        raise TypeError(f"model_options: wanted plain values, got {options!r:.80} ({error})") from None
    net = nets.of(copy.deepcopy(model) if isinstance(model, Layer) else model)
    return net.made(shape, outputs, text)  # type: ignore[union-attr]  # none of None alone


def usual(shape: Shape, outputs: int) -> Layer:
    """The net of rows, signals or pictures where nobody names one: a small one."""
    if len(shape) == 1:
        layers: list[Layer] = [Linear(shape[0], HIDDEN), ReLU(), Linear(HIDDEN, HIDDEN), ReLU()]
        return classified(layers, shape, outputs)
    if len(shape) == 2:
        return models.create(SIGNALS, shape, outputs)
    layers, inputs = [], shape[-1]
    for filters in FILTERS:
        layers += [*conv(inputs, filters, batch_norm=True), MaxPool2d(3, 2, padding="same")]
        inputs = filters
    return classified([*layers[:-1], GlobalAvgPool2d()], shape, outputs)
