"""The steps of a plan (`inference.py`): what each does with its input, once it is planned."""

from math import prod

from cynet.core import checks
from cynet.core.threads import get_num_threads, team
from cynet.kernels.pointwise import activation, elementwise
from cynet.kernels.pool import avg_pool

from .rules import is_known


class Unplanned(Exception):
    """The model holds something that cannot be planned, or that was not there when it was."""


class Slot:
    """Where an output lies: its shape and buffer (None: not the plan's), and how many still need it."""

    def __init__(self, shape, buffer=None, pins=0):
        self.shape, self.buffer, self.pins = tuple(shape), buffer, pins
        self.array = None if buffer is None else buffer[: prod(shape)].reshape(shape)


class Convolve:
    """A convolution or linear layer with the batch norm, the sum and the ReLU or ReLU6 that follow it."""

    def __init__(self, folded, y):
        self._folded, self.relu, self.y = folded, folded.relu, y
        self._algorithm, self.weights = folded.algorithm, folded.weights
        self.scratch, self.residual, self.threads = None, None, team(self._algorithm.work)
        self._in, self._target = self._algorithm.in_shape, y.reshape(self._algorithm.out_shape)
        self._of_rows = folded.in_shape != self._in  # or of signals: kernels take images

    def scratch_floats(self):
        return self._algorithm.scratch_floats(self.threads)

    def adds(self, relu):
        """Whether it can add a residual, and bend the sum, while it writes."""
        return not self.relu and "residual" in self._algorithm.fuses

    def fold(self, copies):
        """Take weights, as `Folded.laid` does."""
        packed, bias = self._folded.laid(copies)
        self._run = self._algorithm.kept(packed, bias, self._target, self.scratch, self.threads, self.relu)

    def __call__(self, x):
        if self._of_rows:
            x = x.reshape(self._in)
        if self.residual is None:
            self._run(x)
        else:
            self._run(x, self.residual.reshape(self._target.shape))
        return self.y


class InBands:
    """A depth-wise convolution between two of 1x1, or before one, each with what follows it; and a sum."""

    def __init__(self, block, parts, y):
        self._block, self._parts, self.relu, self.y = block, parts, parts[-1].relu, y
        self.scratch, self.residual, self.threads = None, None, team(block.work)
        self._target = y.reshape(block.out_shape)

    def scratch_floats(self):
        return self._block.scratch_floats(self.threads)

    def adds(self, relu):
        """Whether it can add a residual while it writes."""
        return not self.relu and not relu

    def weights(self):
        return [array for part in self._parts for array in part.weights()]

    def fold(self, copies):
        """Take weights, as `Folded.laid` does."""
        filters, relus = [part.laid(copies) for part in self._parts], [part.relu for part in self._parts]
        self._run = self._block.kept(filters, relus, self._target, self.scratch, self.threads)

    def __call__(self, x):
        residual = None if self.residual is None else self.residual.reshape(self._target.shape)
        self._run(x.reshape(self._block.in_shape), residual)
        return self.y


class Called:
    """A layer that is called as it is."""

    def __init__(self, layer, shape):
        self.layer, self.ours = layer, is_known(layer)
        self.several = bool(shape) and isinstance(shape[0], tuple)
        self.shapes = list(shape) if self.several else [shape]

    def __call__(self, *xs):
        if self.ours:
            y = self.layer(*xs)
        else:  # it may keep what is a buffer here, and hand out anything
            name, y = f"{type(self.layer).__name__}.forward result", self.layer(*(x.copy() for x in xs))
            y = (
                tuple(checks.float_array(name, one) for one in y)
                if self.several
                else checks.float_array(name, y)
            )
        if [one.shape for one in (y if self.several else [y])] != self.shapes:
            raise Unplanned  # something within it is not what it was
        return y


class Rows:
    """(N, H, W, C) as rows; the linear layer after it has its weights in that order."""

    def __init__(self, shape):
        self.shape = shape

    def __call__(self, x):
        return x.reshape(self.shape)


class GlobalMean:
    """Global average pooling."""

    def __init__(self, y, threads):
        self.y, self.threads = y, threads

    def __call__(self, x):
        n, height, width, channels = x.shape
        avg_pool.global_avg_pool(x.reshape(n, height * width, channels), self.y, self.threads)
        return self.y


class Curve:
    """An activation that is one kernel; `y` may lie where its input does."""

    def __init__(self, kernel, y):
        self.kernel, self.y = kernel, y

    def __call__(self, x):
        self.kernel(x.reshape(-1), self.y.reshape(-1), get_num_threads())
        return self.y


class Sum:
    """A residual block: `last` is the convolution of the body that adds the shortcut, if there is one."""

    def __init__(self, aside, body, last, y, relu):
        self.aside, self.body, self.last, self.y, self.relu = aside, body, last, y, relu

    def __call__(self, x):
        beside = x
        for step in self.aside:
            beside = step(beside)
        if self.last is not None:
            self.last.residual = beside
        for step in self.body:
            x = step(x)
        if self.last is None:
            threads = get_num_threads()
            elementwise.add(x.reshape(-1), beside.reshape(-1), self.y.reshape(-1), threads)
            x = self.y
            if self.relu:
                activation.relu(x.reshape(-1), x.reshape(-1), threads)
        return x
