"""Multiply: the product of several arrays."""

from cynet.core.types import Array, Shape
from cynet.kernels.pointwise import factors
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(
    examples={
        "Multiply()": ((3, 9, 7, 4), (3, 1, 1, 4)),
    }
)
class Multiply(Layer):
    """y = x0 * x1 * ..., of two arrays or more.

    The first has the output's shape; each other one that, or 1 in place of all axes between the batch and the
    channels: (N, 1, 1, C) beside (N, H, W, C), a factor of each channel, as in squeeze-and-excitation (Hu et
    al. 2017).
    """

    def output_shape(self, *shapes: Shape) -> Shape:
        first = shapes[0]
        if len(shapes) < 2 or not all(shape in (first, narrowed(first)) for shape in shapes[1:]):
            beside = " or ".join(dict.fromkeys(map(str, (first, narrowed(first)))))
            got = ", ".join(map(str, shapes[1:])) or "nothing"
            hint = "" if first not in map(narrowed, shapes[1:]) else " (the largest comes first)"
            raise ValueError(f"wanted {beside} beside {first}, got {got}{hint}")
        return first

    def forward(self, *xs: Array) -> Array:
        self.output_shape(*(x.shape for x in xs))  # refuses what __call__ may not have seen
        y = xs[0]
        for x in xs[1:]:
            y = factors.multiply(y, x)
        self.save(*xs)
        return y

    def backward(self, dy: Array) -> tuple[Array, ...]:
        xs = self.saved()
        dy = self.gradient(dy, xs[0].shape)
        return tuple(self._gradient_of(i, xs, dy) for i in range(len(xs)))

    @staticmethod
    def _gradient_of(i: int, xs: tuple[Array, ...], dy: Array) -> Array:
        """The gradient to input i: dy times the others, summed over the pixels where it has none."""
        summed = xs[i].shape != dy.shape
        for j, other in enumerate(xs):
            if j != i and not (summed and j == 0):
                dy = factors.multiply(dy, other)
        return factors.channel_products(xs[0], dy).reshape(xs[i].shape) if summed else dy


def narrowed(shape: Shape) -> Shape:
    """The shape of a factor for each channel of each sample."""
    return (shape[0], *(1 for _ in shape[1:-1]), shape[-1]) if len(shape) > 1 else shape
