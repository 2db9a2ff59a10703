"""A net of one's own goes forward and back once, before a run keeps anything of it.

Design: what its code raises, or gives in the place of logits, is told before there is a folder, and not by a
training that has begun. The passes are made over the first test samples, whose kind the net is for; its
arrays are those of before again, and no random key was drawn.
"""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np

import cynet.core.random as random
from cynet.core.types import Array, Shape
from cynet.nn import passes
from cynet.nn.layer import Layer
from cynet.nn.passes import no_grad

from .net_code import run

PASSES = passes.__file__
SAMPLES = 2  # batch norm needs more than one


def check(name: str, model: Layer, x: Array, wanted: Shape) -> None:
    """Try a model.

    Parameters
    ----------
    name : str
        What settings call it.
    model : Layer
    x : ndarray of float32
        Samples as it gets them.
    wanted : tuple of int
        The shape of its output for them.

    Raises
    ------
    ValueError
        With what its code raises and the line, where that is known; or what it gives that is none of a model.
    """
    before = run(name, model.state_dict)
    parameters = run(name, model.parameters)
    with random.kept():
        run(name, lambda: [repr(layer) for _, layer in model.walk()])  # as a run shows them
        run(name, model.train)
        y = _checked(name, "training", run(name, lambda: model(x)), wanted)
        run(name, lambda: model.backward(np.zeros_like(y)))
        with no_grad():
            run(name, model.eval)
            _checked(name, "evaluation", run(name, lambda: model(x)), wanted)
    run(name, model.train)
    after = run(name, model.parameters)
    if [*map(id, after)] != [*map(id, parameters)]:
        raise ValueError(f"model: {name}: wanted the same parameters after a pass, got others")
    run(name, lambda: model.load_state_dict(before))
    model.zero_grad()


def in_pass(error: BaseException) -> bool:
    """Whether an error came out of a pass of a container or of a user's layer."""
    return any(frame.filename == PASSES for frame in traceback.extract_tb(error.__traceback__))


def _checked(name: str, mode: str, y: Any, wanted: Shape) -> Array:
    """The output of a model, if it is one."""
    if isinstance(y, np.ndarray) and y.dtype == np.float32 and y.shape == wanted:
        return y
    got = f"{y.dtype} {y.shape}" if isinstance(y, np.ndarray) else f"a {type(y).__name__}"
    raise ValueError(f"model: {name}: wanted an output of float32 {wanted} in {mode}, got {got}")
