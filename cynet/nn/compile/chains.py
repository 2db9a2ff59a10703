"""How a `Sequential`, or a `Graph`, runs its layers: by a plan in evaluation mode, by steps in training."""

from cynet.nn.passes import grad_enabled, layer_by_layer, may_sweep

from . import inference, recall
from .nesting import Nested, layers_of
from .training import Steps


def evaluated(model, *xs):
    """The output in evaluation mode, by a plan; None where that cannot be, as of several inputs."""
    if not may_sweep() or not model.is_single():
        return None
    return recall.forward(model, *xs) if grad_enabled() else inference.run(model, *xs)


def forward(model, *xs):
    """The output by the layers' own passes, those that may be joined as one."""
    if grad_enabled():
        if model._trains():
            vars(model).pop("_plans", None)  # training needs the memory
        if not recall.in_parts(model):
            with layer_by_layer():
                return _stepped(model, *xs)
    return _stepped(model, *xs)


def _stepped(model, *xs):
    steps = steps_of(model)
    y = steps.forward(*xs)
    model.save(steps)
    return y


def backward(model, *dys):
    """The gradient to the input, or None, after a pass of `forward` or `evaluated`."""
    (kept,) = model.saved()
    steps = recall.again(model, kept, steps_of) if isinstance(kept, recall.Sweep) else kept
    if model.is_single():
        return steps.backward(*dys, model._wants_dx())
    (step,) = steps.steps
    return step.backward(*dys) if model._wants_dx() else step.backward_spared(*dys)


def steps_of(model):
    """The `Steps` of a model's layers, made anew when these changed."""
    steps = model._training_steps  # once: another thread may set it
    layers = _layers(model)
    if steps is None or not steps.fit(layers):
        model.parts()  # refuses what is no layer
        model._training_steps = steps = Steps(layers)
    for step in steps.steps:
        if isinstance(step, Nested):
            step.follow(model)
    return steps


def _layers(model):
    """The layers of a chain; of a graph as it can be read so, which is found once."""
    found = vars(model).get("layers")
    if found is None:
        found = vars(model).get("_nested")
    if found is None:
        model._nested = found = layers_of(model.parts(), model.ends())
    return found
