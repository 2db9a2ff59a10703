"""Layers that follow each other, run as one step: fewer passes over memory.

Design: `Sequential` runs the steps that `Steps` finds in its list of layers. A step is a layer itself, or
stands for several and has a layer's methods:

    NormReLU      batch norm, ReLU   y is written once, and nothing is kept but x: backward makes its mask
                                     from x again, by the same arithmetic
    NormReLUPool  BatchNorm2d,       only the pooled output and its winners are written; backward makes the
                  ReLU, MaxPool2d    pool's gradient while it sums, where dx will be
    FlattenLinear Flatten, Linear    with at most 32 outputs: not the images change order but the weights
    ResidualReLU  Residual, ReLU     sum and ReLU are done in one pass, and where the body is a Sequential
                                     that ends in batch norm, in the pass that normalises

The layers stay what they are: their parameters, modes and states are read at each pass. Only these very
classes are joined; a subclass, or a layer whose own `forward` was set, runs as it is. Outputs and gradients
equal those of the layers one by one bit for bit, but after FlattenLinear, which adds in another order: to
1e-6 of the terms added. What a forward pass keeps belongs to the container that made it, and is handed to a
step for its backward: that pass has to go through the container as well.
"""

from math import prod

from cynet.kernels.pointwise import arrays
from cynet.nn.containers import residual, sequential
from cynet.nn.layer import Layer, give, plain, taken
from cynet.nn.layers.batch_norm import BatchNorm1d, BatchNorm2d
from cynet.nn.layers.conv2d import Conv2d
from cynet.nn.layers.flatten import Flatten
from cynet.nn.layers.linear import Linear
from cynet.nn.layers.max_pool2d import MaxPool2d
from cynet.nn.layers.relu import ReLU

NORMS = BatchNorm1d, BatchNorm2d


class Steps:
    """The steps of a list of layers.

    Parameters
    ----------
    layers : list of Layer
    """

    def __init__(self, layers):
        self.signature, self.steps, i = signature(layers), [], 0
        while i < len(layers):
            step, count = joined(layers[i : i + 3])
            self.steps.append(step)
            i += count

    def fit(self, layers):
        """Whether these are still the steps of `layers`, which may have been set to anything."""
        try:
            return self.signature == signature(layers)
        except (AttributeError, TypeError, ValueError):  # no layers, or none that could run
            return False

    def forward(self, x):
        """(output, what `backward` needs)."""
        kept = []
        for step in self.steps:
            x = step(x)
            kept.append(taken(step))
        return x, kept

    def backward(self, dy, kept, input_grad, added=None):
        """The gradient to the input, plus `added`, or None unless `input_grad`."""
        for step in reversed(self.steps[1:]):
            give(step, kept.pop())  # nothing else holds it now: its memory is free after this step
            dy = step.backward(dy)
        for first in self.steps[:1]:
            give(first, kept.pop())
            if input_grad and added is not None and plain(first) is Conv2d:
                return first.backward(dy, added)  # it adds while it writes
            dy = first.backward(dy) if input_grad else first.backward_spared(dy)
        return dy if added is None else arrays.add(dy, added)


def signature(layers):
    """What the steps of `layers` depend on."""
    found = list(layers)
    for layer in layers:
        found.append(plain(layer))
        if found[-1] is Linear:
            found.append(layer.thin())
        elif found[-1] is residual.Residual:
            found += layer.parts()
            if plain(layer.body) is sequential.Sequential:
                found += signature(layer.body.layers)
    return found


def joined(layers):
    """(the step that begins with the first of up to three layers, how many it stands for)."""
    kinds = [plain(layer) for layer in layers]
    if kinds[1:2] == [ReLU]:
        if kinds == [BatchNorm2d, ReLU, MaxPool2d]:
            return NormReLUPool(*layers), 3
        if kinds[0] in NORMS:
            return NormReLU(*layers[:2]), 2
        if kinds[0] is residual.Residual:
            return ResidualReLU(*layers[:2]), 2
    if kinds[:2] == [Flatten, Linear] and layers[1].thin():
        return FlattenLinear(*layers[:2]), 2
    return layers[0], 1


class Joined(Layer):
    """Several layers as one step."""

    def __init__(self, *layers):
        self.layers, self.first = layers, layers[0]

    def output_shape(self, shape):
        for layer in self.layers:
            shape = layer.checked_shape(shape)
        return shape

    def _wants_dx(self):
        return super()._wants_dx() and self.first._wants_dx()


class NormReLU(Joined):
    """Batch norm, then ReLU."""

    def forward(self, x):
        stats = self.first.statistics(x)
        self.save(x.shape, stats)
        return stats.output(relu=True).reshape(x.shape)

    def backward(self, dy):
        shape, stats = self.saved()
        rows = self.gradient(dy, shape).reshape(stats.x.shape)
        if self.first.wants_sums(stats):
            self.first.finish(stats, stats.sums(rows, relu=True))
        return stats.input_gradient(rows, relu=True).reshape(shape) if self._wants_dx() else None


class NormReLUPool(Joined):
    """BatchNorm2d, then ReLU, then MaxPool2d."""

    def forward(self, x):
        stats, pool = self.first.statistics(x), self.layers[2]
        y, winner, window = pool.places(x.shape)
        stats.output_pooled(x.shape, y, winner, window)
        self.save(x.shape, stats, winner, window)
        return y

    def backward(self, dy):
        shape, stats, winner, window = self.saved()
        dy = self.gradient(dy, winner.shape)
        gradient, wants_dx = None, self._wants_dx()
        if self.first.wants_sums(stats):
            sums, gradient = stats.sums_pooled(shape, dy, winner, window, wants_dx)
            self.first.finish(stats, sums)
        if not wants_dx:
            return None
        if gradient is None:
            gradient = MaxPool2d.gradient_of(dy, shape, winner, window).reshape(stats.x.shape)
        return stats.input_gradient(gradient, relu=True, dx=gradient).reshape(shape)


class FlattenLinear(Joined):
    """Flatten, then a Linear layer with few outputs."""

    def forward(self, x):
        linear = self.layers[1]
        linear.output_shape(self.first.output_shape(x.shape))
        pixels = prod(x.shape[1:-1]) if x.ndim == 4 else 1
        y = linear.product(x.reshape(len(x), linear.in_features), pixels)
        self.save(x.shape, taken(linear))
        return y

    def backward(self, dy):
        shape, kept = self.saved()
        give(self.layers[1], kept)
        if not self._wants_dx():
            return self.layers[1].backward_spared(dy)
        dx = self.layers[1].backward(dy)
        return None if dx is None else dx.reshape(shape)


class ResidualReLU(Joined):
    """Residual, then ReLU."""

    def __init__(self, block, relu):
        super().__init__(block, relu)
        body = block.body
        self.norm = self.inner = None
        if plain(body) is sequential.Sequential and body.layers and plain(body.layers[-1]) in NORMS:
            self.norm, self.inner = body.layers[-1], Steps(body.layers[:-1])

    def forward(self, x):
        body, shortcut = self.first.parts()
        beside, of_shortcut = (x, None) if shortcut is None else (shortcut(x), taken(shortcut))
        if self.norm is None:
            y, stats = arrays.add_relu(body(x), beside), None
            of_body = taken(body)
        else:
            z, of_body = self.inner.forward(x)
            arrays.matched(z, beside)
            stats = self.norm.statistics(z)
            y = stats.output_add(beside.reshape(stats.x.shape)).reshape(z.shape)
        self.save(y, stats, body, of_body, shortcut, of_shortcut)
        return y

    def backward(self, dy):
        y, stats, body, of_body, shortcut, of_shortcut = self.saved()
        dy, input_grad = self.gradient(dy, y.shape), self._wants_dx()
        if self.norm is None:
            dz = arrays.gate(y, dy)
        else:
            rows = stats.x.shape
            sums, dz = stats.sums_add(dy.reshape(rows), y.reshape(rows))
            dz = dz.reshape(y.shape)
        beside = dz
        if shortcut is not None:
            give(shortcut, of_shortcut)
            beside = shortcut.backward(dz) if input_grad else shortcut.backward_spared(dz)
        if self.norm is None:
            give(body, of_body)
            dx = body.backward(dz) if input_grad else body.backward_spared(dz)
            return arrays.add(dx, beside) if input_grad else None
        if self.norm.wants_sums(stats):
            self.norm.finish(stats, sums)
        if not self.inner.steps and not input_grad:
            return None
        dx = stats.input_gradient(dz.reshape(rows)).reshape(y.shape)
        return self.inner.backward(dx, of_body, input_grad, beside if input_grad else None)
