"""What the course's layers share: checked matrices, and the update rule.

Each has `forward(x)`, `backward(dy)` and `update(rate, momentum, decay)`; those with weights have the
matrices `w`, `b` and their gradients `dw`, `db`, which `backward` adds to. Any of them may be assigned; the
array is copied.
"""

import numpy as np

from cynet.core import checks
from cynet.core.threads import get_num_threads
from cynet.kernels.optim import optim

from . import planes


class Matrix:
    """An attribute that holds a float32 matrix and takes any array of its shape."""

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, layer, owner=None):
        if layer is None:
            return self
        try:
            return vars(layer)[self.name]
        except KeyError:
            raise AttributeError(f"{layer!r} has no {self.name}") from None

    def __set__(self, layer, value):
        held = vars(layer).get(self.name)
        rows, columns = (None, None) if held is None else held.shape
        vars(layer)[self.name] = planes.matrix(f"{layer!r}.{self.name}", value, rows, columns).copy()


class Layer:
    """What all layers share: an input of `inputs` columns (None: any), and what backward needs of it."""

    inputs = None
    outputs = None
    _kept = None

    def forward(self, x):
        """The output for a batch.

        Parameters
        ----------
        x : array_like (rows, inputs)

        Returns
        -------
        ndarray of float32 (rows, outputs)
        """
        return self.run(planes.matrix(f"{self!r}: x", x).copy())  # what is kept does not change with x

    def run(self, x):
        """`forward` of an x that is this layer's to keep, and that nobody writes to."""
        return self._forward(planes.matrix(f"{self!r}: x", x, columns=self.inputs))

    def backward(self, dy):
        """Add the gradients of the weights to `dw` and `db`, and return that of the last input.

        Parameters
        ----------
        dy : array_like (rows, outputs)
            The gradient of the loss to the last output.

        Returns
        -------
        ndarray of float32 (rows, inputs)

        Raises
        ------
        RuntimeError
            Without a forward pass before it.
        """
        return self._backward(self._checked_gradient(dy), *self._kept[1:])

    def backward_spared(self, dy):
        """As `backward`, for a first layer: without the input's gradient where that takes work of its own."""
        self.backward(dy)

    def _checked_gradient(self, dy):
        if self._kept is None:
            raise RuntimeError(f"{self!r}: backward wanted a forward pass before it, got none")
        rows, outputs = self._kept[0]
        return planes.matrix(f"{self!r}: dy", dy, rows, outputs)

    def forward_parts(self, parts):
        """Replace each part of one batch, in a list, by its output: `forward` in the memory of one part."""
        for i, part in enumerate(parts):
            parts[i] = self.run(part)

    def update(self, rate, momentum, decay):
        """One step of gradient descent: dw += decay * w, w -= rate * dw, dw *= momentum; b without decay.

        Parameters
        ----------
        rate, momentum, decay : float
        """
        rate, momentum = checks.number("rate", rate), checks.number("momentum", momentum)
        decay = checks.number("decay", decay)
        for values, gradient, shrink in self._trained(decay):
            _subtract(gradient, -shrink, values)
            _subtract(values, rate, gradient)
            gradient *= np.float32(momentum)

    def _trained(self, decay):
        return ()

    def _keep(self, y, *values):
        self._kept = (y.shape, *values)
        return y


def _subtract(target, factor, source):
    """target -= factor * source."""
    if factor:
        optim.sgd(target.reshape(-1), source.reshape(-1), factor, 0, get_num_threads())


class WeightedLayer(Layer):
    """A layer with weights `w`, biases `b` and their gradients."""

    w, b, dw, db = Matrix(), Matrix(), Matrix(), Matrix()

    def _backward(self, dy, kept):
        return self._input_gradient(self._add_gradients(dy, kept))

    def backward_spared(self, dy):
        self._add_gradients(self._checked_gradient(dy), *self._kept[1:])

    def _start(self, weights, biases):
        self.w, self.b = weights, np.zeros((1, biases))
        self.dw, self.db = np.zeros(weights.shape), np.zeros((1, biases))

    def _trained(self, decay):
        return (self.b, self.db, 0.0), (self.w, self.dw, decay)
