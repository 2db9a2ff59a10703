"""Layers that follow each other, run as one: fewer passes over memory in training.

Design: `Sequential` runs the steps that `Steps` finds in its list of layers. A step is a layer itself, or
stands for several and has a layer's methods:

    NormReLU        batch norm, ReLU            y is written once, and nothing is kept but x
    ResidualReLU    residual block whose body   sum and ReLU are done while the batch norm writes; backward,
                    ends in batch norm, ReLU    the body's first convolution adds what came by the shortcut

The layers stay what they are: their parameters, modes and states are read at each pass. Only these very
classes are joined, a subclass runs as it is. The results equal those of the layers alone bit for bit.
"""

from cynet.core import arrays
from cynet.core.layer import Layer

from . import residual, sequential
from .batch_norm import BatchNorm1d, BatchNorm2d
from .conv2d import Conv2d
from .relu import ReLU

NORMS = BatchNorm1d, BatchNorm2d


class Steps:
    """The steps of a list of layers."""

    def __init__(self, layers):
        self.layers, self.steps, i = list(layers), [], 0
        while i < len(layers):
            layer, after = layers[i], layers[i + 1 : i + 2]
            before_relu = bool(after) and type(after[0]) is ReLU
            if before_relu and type(layer) in NORMS:
                step = NormReLU(layer)
            elif before_relu and ResidualReLU.suits(layer):
                step = ResidualReLU(layer)
            else:
                step, before_relu = layer, False
            self.steps.append(step)
            i += 1 + before_relu
        self._blocks = [step for step in self.steps if isinstance(step, ResidualReLU)]

    def fits(self, layers):
        """Whether these are still the steps of `layers`."""
        return self.layers == layers and all(block.fits() for block in self._blocks)


class NormReLU(Layer):
    """Batch norm, then ReLU."""

    def __init__(self, norm):
        self.norm = norm

    def output_shape(self, shape):
        return self.norm.output_shape(shape)

    def forward(self, x):
        return self.norm.step(x, relu=True)

    def backward(self, dy):
        return self.norm.gradients(dy, self.input_grad and self.norm.input_grad)[0]


class ResidualReLU(Layer):
    """A residual block whose body is a Sequential that ends in batch norm, then ReLU."""

    def __init__(self, block):
        self.block, self.body, self.shortcut = block, block.body, block.shortcut
        self.layers = list(block.body.layers)
        self.norm = self.layers[-1]
        self.inner = Steps(self.layers[:-1])

    @staticmethod
    def suits(layer):
        """Whether `layer` is such a block."""
        return (
            type(layer) is residual.Residual
            and type(layer.body) is sequential.Sequential
            and len(layer.body.layers) > 1
            and type(layer.body.layers[-1]) in NORMS
        )

    def fits(self):
        """Whether the block is still built as it was."""
        block = self.block
        return (
            block.body is self.body
            and block.shortcut is self.shortcut
            and self.body.layers == self.layers
            and self.inner.fits(self.layers[:-1])
        )

    def output_shape(self, shape):
        return self.block.output_shape(shape)

    def forward(self, x):
        beside = self.shortcut(x) if self.shortcut else x
        for step in self.inner.steps:
            x = step(x)
        return self.norm.step(x, relu=True, residual=beside)

    def backward(self, dy):
        dx, beside = self.norm.gradients(dy)
        first, *others = self.inner.steps
        for step in reversed(others):
            dx = step.backward(dx)
        if not self.input_grad:
            first.backward_spared(dx)
            if self.shortcut:
                self.shortcut.backward_spared(beside)
            return None
        beside = self.shortcut.backward(beside) if self.shortcut else beside
        return first.backward(dx, beside) if type(first) is Conv2d else arrays.add(first.backward(dx), beside)
