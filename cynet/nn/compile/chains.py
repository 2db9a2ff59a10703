"""How a `Sequential` runs its layers: by a plan in evaluation mode, by steps in training."""

from cynet.nn.passes import grad_enabled, layer_by_layer, may_sweep
from cynet.nn.structure import chain

from . import inference, recall
from .training import Steps


def evaluated(model, x):
    """model(x), in evaluation mode, by a plan; None where that cannot be."""
    if not may_sweep():
        return None
    return recall.forward(model, x) if grad_enabled() else inference.run(model, x)


def forward(model, x):
    """model(x) by the layers' own passes, those that may be joined as one."""
    if grad_enabled():
        if model._trains():
            vars(model).pop("_plans", None)  # training needs the memory
        if not recall.in_parts(model):
            with layer_by_layer():
                return _stepped(model, x)
    return _stepped(model, x)


def _stepped(model, x):
    steps = steps_of(model)
    y = steps.forward(x)
    model.save(steps)
    return y


def backward(model, dy):
    """The gradient to the input, or None, after a pass of `forward` or `evaluated`."""
    (kept,) = model.saved()
    steps = recall.again(model, kept, steps_of) if isinstance(kept, recall.Sweep) else kept
    return steps.backward(dy, model._wants_dx())


def steps_of(model):
    """The `Steps` of a model's layers, made anew when these changed."""
    steps = model._training_steps  # once: another thread may set it
    if steps is None or not steps.fit(model.layers):
        model._training_steps = steps = Steps(chain(model.parts()))
    return steps
