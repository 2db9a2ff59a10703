"""Evaluation with a backward pass after it: seldom wanted, so it costs the forward pass next to nothing.

Design: in evaluation mode `Sequential` runs its plan (`inference.py`) outside `no_grad` too, and keeps of
the pass only its input, a copy of its output, and which weights gave it. When backward is called, the pass is
made again: first by the plan, whose output must be that copy to the last bit (else the input, or something
beside the weights, is not what it was), then layer by layer, each keeping what its backward needs. Changed
weights are refused as well, where single layers would mix old activations with new weights.

Only models of cynet's own layers, and of containers that run by their parts, run so. A user's layer may draw
random numbers or count its passes: a second forward pass would not be the first one. Of a model with such
layers the Sequentials within it run so. Where a layer is in training mode, nothing does, so that a model that
is frozen in part trains as fast as ever.
"""

from dataclasses import dataclass

import numpy as np

from cynet.nn import modes
from cynet.nn.passes import layer_by_layer, no_grad

from . import inference
from .rules import is_known


@dataclass(frozen=True, slots=True)
class Sweep:
    """A pass by a plan: its input, a copy of its output, and which version of the weights gave it."""

    plan: object
    version: int
    x: np.ndarray
    y: np.ndarray


def forward(model, x):
    """model(x) by its plan, or None where that has to be done layer by layer.

    Parameters
    ----------
    model : Sequential
        Keeps the pass for `again`.
    x : ndarray of float32

    Returns
    -------
    ndarray of float32 or None
    """
    known = x.shape in vars(model).get("_plans", ())
    if not known and not all(is_known(layer) for _, layer in model.children()):
        return None  # no plan is made that will not be used
    with no_grad():
        found = inference.swept(model, x, exact=True)
    if found is None:
        return None
    y, plan, version = found
    model.save(Sweep(plan, version, x, y.copy()))  # the caller may change its own y
    return y


def in_parts(model):
    """Whether a model in evaluation mode throughout holds users' layers: then its parts have plans."""
    if model._trains():
        return False
    if any(layer._trains() for _, layer in model.walk()):
        return False
    # with several inputs or outputs it has no plan as a whole
    return not model.is_single() or not all(is_known(layer) for _, layer in model.children())


def again(model, sweep, chain_steps):
    """The steps of a pass that `forward` made, after the layers' own passes, which the pass around keeps.

    Raises
    ------
    RuntimeError
        When the input, the weights, statistics or settings of a layer changed since.
    """
    model.parts()  # refuses what is no layer
    training = [layer for _, layer in model.walk() if layer._trains()]
    with modes.kept(training):
        for layer in training:  # set to training since
            layer.training = False
        with no_grad():
            found = inference.swept(model, sweep.x) if sweep.plan.holds(sweep.version) else None
        if found is None or not _same_bytes(found[0], sweep.y):
            raise RuntimeError(
                f"{type(model).__name__}.backward: wanted input, weights and layers as they were in the "
                "forward pass (in evaluation mode), got changed ones; make that pass again"
            )
        steps = chain_steps(model)
        with layer_by_layer():
            steps.forward(sweep.x)
        return steps


def _same_bytes(a, b):
    return a.shape == b.shape and np.array_equal(a.view(np.uint32), b.view(np.uint32))
