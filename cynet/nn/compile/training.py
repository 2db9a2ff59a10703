"""The compiler's target for training: layers that follow each other as one step, in fewer passes over memory.

Design: a step is a layer itself, or stands for several and has a layer's methods:

    NormReLU      batch norm, ReLU   y is written once, and nothing is kept but x: backward makes its mask
                  or ReLU6           from x again, by the same arithmetic
    NormReLUPool  BatchNorm2d,       only the pooled output and its winners are written; backward makes the
                  ReLU, MaxPool2d    pool's gradient while it sums, where dx will be; or, where images are
                                     large, twice, the second time for dx, which lies where x was
    FlattenLinear Flatten, Linear    with at most 32 outputs: not the images change order but the weights
    Vectors       Embedding, GRU or  the products of the vectors, where they are few, not those of all steps
                  LSTM
    SumReLU       a sum, ReLU        sum and ReLU are done in one pass, and where the body is a chain that
                                     ends in batch norm, in the pass that normalises

An array that comes from a layer which makes a new one each time, and that nobody else has, is overwritten
where that spares another: dx lies where dy was, or x. The caller's, and those of a user's layer, never are.

The layers stay what they are: their parameters, modes and states are read at each pass. Outputs and gradients
equal those of the layers one by one bit for bit, but for FlattenLinear, and the gradients of Vectors, which
add in another order: to 1e-6 of the terms added.
"""

from functools import partial
from math import prod
from operator import is_

from cynet.kernels.norm import batchnorm_pool, joined
from cynet.kernels.norm.batchnorm import RELU, RELU6
from cynet.kernels.pointwise import arrays
from cynet.nn.containers.container import Container
from cynet.nn.layer import LEAVES, Layer, plain
from cynet.nn.layers.batch_norm import BatchNorm1d, BatchNorm2d
from cynet.nn.layers.conv1d import Conv1d
from cynet.nn.layers.conv2d import Conv2d
from cynet.nn.layers.global_avg_pool2d import GlobalAvgPool2d
from cynet.nn.layers.linear import Linear
from cynet.nn.layers.max_pool2d import MaxPool2d
from cynet.nn.passes import gone_back

from .rules import chain_of, grouped, sum_of
from .watched import Watched

MAKERS = {  # layers that return a new array each time, and by which methods
    kind: {"forward": kind.forward, "backward": kind.backward}
    for kind in (Conv1d, Conv2d, Linear, MaxPool2d, GlobalAvgPool2d)
}
SPENT = 8 << 20  # bytes from which on a step may write dx over an x that nobody else has


class Steps:
    """The steps of a chain of layers.

    Parameters
    ----------
    layers : list of Layer
    """

    def __init__(self, layers):
        self.layers, self._watched = list(layers), Watched()
        for layer in layers:
            watch(self._watched, layer)
        self.steps = [
            taken[0] if name is None else STEPS[name](*taken) for name, taken in grouped(layers, STEPS)
        ]
        # Whether the step before makes what this one is called with, an array that nobody has to look at.
        self._sure = [False, *map(hands_on, self.steps, self.steps[1:])]
        for before, step in zip(self.steps, self.steps[1:], strict=False):
            if isinstance(step, NormReLUPool) and plain(before) is Conv2d:
                step.maker = before

    def fit(self, layers):
        """Whether these are still the steps of `layers`, which may have been set to anything."""
        try:
            same = len(layers) == len(self.layers) and all(map(is_, layers, self.layers))
            return same and self._watched.holds()
        except (AttributeError, TypeError, ValueError):  # no layers, or none that could run
            return False

    def forward(self, x, *others):
        """The output; what the steps keep is kept by the pass around."""
        for step, sure in zip(self.steps, self._sure, strict=False):
            if sure and x.shape == step._seen:
                try:
                    x = step.forward(x)
                except (MemoryError, RecursionError) as error:
                    step._explain(error, x.shape)
                    raise
            else:
                x, others = step(x, *others), ()  # the first takes all inputs
        return x

    def backward(self, dy, wants_dx, added=None):
        """The gradient to the input, plus `added`, or None unless it is wanted."""
        steps = self.steps if wants_dx else self.steps[self._first_trained() :]
        behind = None
        for step in reversed(steps[1:]):  # nothing else holds its pass: its memory is free after this
            dy = step.backward(dy, makes_gradient(behind)) if type(step) in TOLD else step.backward(dy)
            gone_back(step)
            behind = step
        for first in steps[:1]:
            if not wants_dx:
                dy = first.backward_spared(dy)
            elif added is not None and plain(first) in (Conv1d, Conv2d):
                dy, added = first.backward(dy, added), None  # it adds while it writes
            elif type(first) in TOLD:
                dy = first.backward(dy, makes_gradient(behind))
            else:
                dy = first.backward(dy)
            gone_back(first)
        if not wants_dx:  # maybe nothing was gone back to
            return None
        return dy if added is None else arrays.add(dy, added)

    def _first_trained(self):
        """The number of the first step with something to train."""
        return next((i for i, step in enumerate(self.steps) if step.is_trained()), len(self.steps))


def hands_on(step, following):
    """Whether a step gives arrays of a kernel to the next, which need no look: both are leaves of cynet."""
    return all(
        type(one).__module__.startswith(LEAVES) and not isinstance(one, Container) and plain(one) is not None
        for one in (step, following)
    )


def makes(layer, method):
    """Whether a layer's method is still cynet's own, and so makes an array that nobody else has."""
    kind = plain(layer)
    return kind in MAKERS and getattr(kind, method) is MAKERS[kind][method]


def makes_gradient(step):
    """Whether nobody else has the array that a step's backward returns; None is no step."""
    if isinstance(step, SumReLU):  # a first convolution adds the shortcut's; else the sum is a new array
        inner = step.inner.steps if step.inner is not None else ()
        return not inner or plain(inner[0]) not in (Conv1d, Conv2d) or makes(inner[0], "backward")
    return isinstance(step, (NormReLU, NormReLUPool)) or (step is not None and makes(step, "backward"))


def watch(watched, layer):
    """Watch what the steps depend on of a layer."""
    inner, names = sum_of(layer), ("backward",)
    if inner is not None:
        watched.add(inner[0], *names)
        for one in chain_of(inner[0]) or ():
            watch(watched, one)
    elif plain(layer) is Linear:
        names += "in_features", "out_features"
    elif plain(layer) is MaxPool2d:
        names += "kernel_size", "dilation"
    watched.add(layer, *names)


class Joined(Layer):
    """Several layers as one step."""

    def __init__(self, *layers):
        self.layers, self.first = layers, layers[0]

    def output_shape(self, shape):
        for layer in self.layers:
            shape = layer.checked_shape(shape)
        return shape

    def is_trained(self):
        return any(layer.is_trained() for layer in self.layers)

    def _wants_dx(self):
        return super()._wants_dx() and self.first._wants_dx()


class NormReLU(Joined):
    """Batch norm, then ReLU or, by `mode`, ReLU6. dx lies where dy was, if `owned`: nobody else has that."""

    def __init__(self, *layers, mode=RELU):
        super().__init__(*layers)
        self.mode = mode

    def forward(self, x):
        stats = self.first.statistics(x)
        self.save(x.shape, stats)
        return stats.output(self.mode).reshape(x.shape)

    def backward(self, dy, owned=False):
        shape, stats = self.saved()
        rows, wants_dx = self.gradient(dy, shape).reshape(stats.x.shape), self._wants_dx()
        if self.first.wants_sums(stats, wants_dx):
            self.first.finish(stats, stats.sums(rows, self.mode))
        if not wants_dx:
            return None
        return stats.input_gradient(rows, self.mode, rows if owned else None).reshape(shape)


class NormReLUPool(Joined):
    """BatchNorm2d, then ReLU, then MaxPool2d.

    Attributes
    ----------
    maker : Conv2d or None
        What comes before it and makes its input.
    """

    maker = None

    def forward(self, x):
        stats, pool = self.first.statistics(x), self.layers[2]
        y, winner, window = pool.places(x.shape)
        batchnorm_pool.output_pooled(stats, x.shape, y, winner, window)
        spent = self.maker is not None and x.nbytes >= SPENT and makes(self.maker, "forward")
        self.save(x.shape, stats, winner, window, spent)
        return y

    def backward(self, dy):
        shape, stats, winner, window, spent = self.saved()
        dy = self.gradient(dy, winner.shape)
        wants_dx, gradient = self._wants_dx(), None
        if self.first.wants_sums(stats, wants_dx):
            keep = wants_dx and not spent
            sums, gradient = batchnorm_pool.sums_pooled(stats, shape, dy, winner, window, keep)
            self.first.finish(stats, sums)
        if not wants_dx:
            return None
        if gradient is not None:
            return stats.input_gradient(gradient, RELU, dx=gradient).reshape(shape)
        dx = stats.x if spent else None
        return batchnorm_pool.input_gradient_pooled(stats, shape, dy, winner, window, dx).reshape(shape)


class FlattenLinear(Joined):
    """Flatten, then a Linear layer with few outputs."""

    def forward(self, x):
        linear, shape = self.layers[1], x.shape
        pixels = prod(shape[1:-1])  # 1 of rows
        if len(shape) < 2 or pixels * shape[-1] != linear.in_features:
            linear.output_shape(self.first.output_shape(shape))  # refuses it
        y = linear.product(x.reshape(shape[0], linear.in_features), pixels)
        self.save(shape)
        return y

    def backward(self, dy):
        (shape,) = self.saved()
        if not self._wants_dx():
            return self.layers[1].backward_spared(dy)
        dx = self.layers[1].backward(dy)
        return None if dx is None else dx.reshape(shape)


class Vectors(Joined):
    """Embedding, then GRU or LSTM."""

    takes_integers = True

    def forward(self, x):
        return self.layers[1].after(self.first, x)

    def backward(self, dy):
        return self.layers[1].backward(dy)


class SumReLU(Joined, opens=True):
    """What two layers make of one input, or one and the input, added; then ReLU. `owned` as for NormReLU."""

    def __init__(self, block, relu):
        super().__init__(block, relu)
        self.body, self.shortcut = sum_of(block)
        body = chain_of(self.body)
        self.norm = self.inner = None
        if body and plain(body[-1]) in (BatchNorm1d, BatchNorm2d):
            self.norm, self.inner = body[-1], Steps(body[:-1])

    def forward(self, x):
        z = self.body(x) if self.norm is None else self.inner.forward(x)
        beside = x if self.shortcut is None else self.shortcut(x)
        if self.norm is None:
            y, stats = arrays.add_relu(z, beside), None
        else:
            arrays.matched(z, beside)
            stats = self.norm.statistics(z)
            y = joined.output_add(stats, beside.reshape(stats.x.shape)).reshape(z.shape)
        self.save(y, stats)
        return y

    def backward(self, dy, owned=False):
        y, stats = self.saved()
        dy, wants_dx = self.gradient(dy, y.shape), self._wants_dx()
        if stats is None:
            dz = arrays.gate(y, dy)
        else:
            rows = stats.x.shape
            dy = dy.reshape(rows)
            sums, dz = joined.sums_add(stats, dy, y.reshape(rows), dy if owned else None)
            dz = dz.reshape(y.shape)
        beside = dz
        if self.shortcut is not None:
            beside = self.shortcut.backward(dz) if wants_dx else self.shortcut.backward_spared(dz)
        if stats is None:
            dx = self.body.backward(dz) if wants_dx else self.body.backward_spared(dz)
            return arrays.add(dx, beside) if wants_dx else None
        wants_dz = bool(self.inner.steps) or wants_dx
        if self.norm.wants_sums(stats, wants_dz):
            self.norm.finish(stats, sums)
        if not wants_dz:
            return None
        dx = stats.input_gradient(dz.reshape(rows)).reshape(y.shape)
        return self.inner.backward(dx, wants_dx, beside if wants_dx else None)


TOLD = NormReLU, SumReLU  # whose `backward` is told whether nobody else has dy
STEPS = {
    "norm, ReLU, pool": NormReLUPool,
    "norm, ReLU": NormReLU,
    "norm, ReLU6": partial(NormReLU, mode=RELU6),
    "sum, ReLU": SumReLU,
    "flatten, thin linear": FlattenLinear,
    "embedding, recurrent": Vectors,
}
