"""The shapes of convolutions that `cynet bench shapes` times: those that nets are full of, and drawn ones."""

import itertools
import random
from dataclasses import dataclass

from cynet import nn

KERNELS, STRIDES, CHANNELS, SIDES, BATCHES = (1, 7), (1, 2), (1, 512), (7, 224), (1, 128)  # of what is drawn
MOST_MACS, MOST_BYTES = 4 * 10**9, 200 * 10**6  # of a drawn shape: a forward pass; its arrays, gradients too


@dataclass(frozen=True)
class ConvShape:
    """A convolution without a bias, padded by (kernel - 1) // 2 pixels, and the square pictures it gets.

    Depth-wise where it has as many groups as channels, and more than one.
    """

    kernel: int
    stride: int
    inputs: int
    outputs: int
    side: int
    batch: int
    groups: int = 1

    def __str__(self):
        kernel = f"{self.kernel}x{self.kernel}" + (f"/{self.stride}" if self.stride > 1 else "")
        ends = f"@{self.side} ({self.batch})"
        if self.groups > 1:
            return f"depth-wise {kernel} {self.inputs} {ends}"
        return f"{kernel} {self.inputs}-{self.outputs} {ends}"

    @property
    def input_shape(self):
        """Of a batch."""
        return self.batch, self.side, self.side, self.inputs

    @property
    def macs(self):
        """Multiply-adds of a forward pass; a pass backward takes twice as many."""
        return self._pixels() * self.outputs * self._weights_of_output()

    @property
    def nbytes(self):
        """Of the input, the output and the weights, each with its gradient."""
        inputs = self.batch * self.side**2 * self.inputs
        weights = self.outputs * self._weights_of_output()
        return 2 * 4 * (inputs + self._pixels() * self.outputs + weights)

    def layer(self):
        """The layer, new."""
        padding = (self.kernel - 1) // 2
        return nn.Conv2d(
            self.inputs, self.outputs, self.kernel, self.stride, padding, groups=self.groups, bias=False
        )

    def _pixels(self):
        """Of all outputs of a batch."""
        around = 2 * ((self.kernel - 1) // 2)
        return self.batch * ((self.side + around - self.kernel) // self.stride + 1) ** 2

    def _weights_of_output(self):
        return self.kernel**2 * self.inputs // self.groups


NAMED = (
    ConvShape(7, 2, 3, 64, 224, 8),
    ConvShape(3, 1, 64, 64, 56, 8),
    ConvShape(3, 1, 256, 256, 14, 8),
    ConvShape(3, 1, 512, 512, 7, 8),
    ConvShape(3, 2, 64, 128, 56, 8),
    ConvShape(1, 1, 32, 192, 56, 8),
    ConvShape(1, 1, 192, 32, 56, 8),
    ConvShape(3, 1, 192, 192, 56, 8, 192),
    ConvShape(3, 2, 144, 144, 56, 8, 144),
    ConvShape(3, 1, 24, 24, 32, 64),
    ConvShape(3, 1, 12, 12, 32, 64),
    ConvShape(3, 1, 50, 50, 16, 64),
    ConvShape(5, 1, 1, 6, 28, 128),
    ConvShape(5, 1, 6, 16, 14, 128),
    ConvShape(3, 1, 1, 32, 28, 128),
)


def drawn(count, seed=0):
    """Shapes that nobody chose: the same for a seed, a smaller count the beginning of a larger one.

    Kernels and strides are equally likely; channels, sides and batches are so on a scale of logarithms. What
    takes more than `MOST_MACS` or `MOST_BYTES` is drawn again.

    Parameters
    ----------
    count : int
    seed : int, optional

    Returns
    -------
    list of ConvShape
    """
    return list(itertools.islice(_endless(random.Random(seed)), count))


def _endless(rng):
    while True:
        shape = ConvShape(
            _even(rng, KERNELS),
            _even(rng, STRIDES),
            *(_spread(rng, ends) for ends in (CHANNELS, CHANNELS, SIDES, BATCHES)),
        )
        if shape.macs <= MOST_MACS and shape.nbytes <= MOST_BYTES:
            yield shape


# Of `random` alone, whose numbers stay the same in every Python.
def _even(rng, ends):
    least, most = ends
    return least + int((most + 1 - least) * rng.random())


def _spread(rng, ends):
    least, most = ends
    return int(least * ((most + 1) / least) ** rng.random())
