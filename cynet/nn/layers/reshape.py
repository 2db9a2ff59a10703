"""Arrays of another shape over the same numbers."""

from math import prod
from typing import Any

from cynet.core import checks
from cynet.core.types import Array, Shape
from cynet.nn import registry
from cynet.nn.layer import Layer

MOST_AXES = 31  # after the batch: more NumPy has not


@registry.layer(examples={"Reshape((-1, 11))": (3, 9, 7, 11), "Reshape((3, -1, 4))": (2, 60)})
class Reshape(Layer):
    """(N, ...) to (N, *shape): the numbers of each sample in the order in which they lie.

    That is the order of cynet's arrays, height, width, channels, and not PyTorch's (C, H, W), in which
    `Flatten` writes: this undoes no `Flatten` of images.

    Parameters
    ----------
    shape : tuple of int
        The axes after the batch; one of them may be -1: as many as are left.

    Raises
    ------
    TypeError, ValueError
        When it is no such tuple.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.shape = self._sizes()

    def _sizes(self) -> Any:
        """The sizes, checked: they may have been set."""
        shape = self.shape
        if not isinstance(shape, (tuple, list)):
            raise TypeError(f"shape: wanted a tuple of int, got {shape!r:.80}")
        if not 1 <= len(shape) <= MOST_AXES:
            raise ValueError(f"shape: wanted 1 to {MOST_AXES} sizes, got {len(shape)}")
        sizes = tuple(checks.integer(f"shape[{i}]", one, -1) for i, one in enumerate(shape))
        if 0 in sizes or sizes.count(-1) > 1:
            raise ValueError(f"shape: wanted sizes of at least 1, and -1 at most once, got {shape!r:.80}")
        return sizes

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 1:
            raise ValueError("wanted an input with a batch dimension, got one of shape ()")
        sizes, count = self._sizes(), prod(shape[1:])
        known = prod(size for size in sizes if size != -1)
        if count % known or (-1 not in sizes and count != known):
            wanted = f"a multiple of {known}" if -1 in sizes else known
            raise ValueError(f"shape: wanted {wanted} numbers a sample for {sizes}, got shape {shape}")
        return shape[0], *(count // known if size == -1 else size for size in sizes)

    def forward(self, x: Array) -> Array:
        shape = self.output_shape(x.shape)
        self.save(x.shape, shape)
        return x.reshape(shape)

    def backward(self, dy: Array) -> Array:
        shape, out_shape = self.saved()
        return self.gradient(dy, out_shape).reshape(shape)

    def __repr__(self) -> str:
        return f"Reshape(shape={self.shape})"
