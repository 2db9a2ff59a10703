"""Concatenate: several arrays side by side."""

from typing import Any

from cynet.core import workspace
from cynet.core.types import Array, Shape
from cynet.kernels.pointwise import arrays
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(examples={"Concatenate()": ((2, 5, 4, 3), (2, 5, 4, 2))})
class Concatenate(Layer):
    """Arrays of equal shapes but for the channels, side by side along these, the last axis.

    Parameters
    ----------
    axis : int, optional
        -1: there is no other.

    Raises
    ------
    ValueError
        When it is another.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis
        self._check_axis()

    def _check_axis(self) -> None:
        axis: Any = self.axis
        if type(axis) is not int or axis != -1:
            raise ValueError(
                f"axis: wanted -1, that of the channels, the last of cynet's arrays, got {axis!r:.80}"
            )

    def output_shape(self, *shapes: Shape) -> Shape:
        self._check_axis()  # it may have been set
        if len(shapes[0]) < 2 or len({shape[:-1] for shape in shapes}) > 1:
            raise ValueError(f"wanted branches of equal shape but for the channels, got {list(shapes)}")
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def forward(self, *xs: Array) -> Array:
        shapes = tuple(x.shape for x in xs)
        y, start = workspace.empty(self.output_shape(*shapes)), 0
        for x in xs:
            arrays.copy_channels(x, 0, y, start, x.shape[-1])
            start += x.shape[-1]
        self.save(shapes, y.shape)
        return y

    def backward(self, dy: Array) -> tuple[Array, ...] | Array:
        shapes, shape = self.saved()
        dy, found, start = self.gradient(dy, shape), [], 0
        for own in shapes:
            found.append(workspace.empty(own))
            arrays.copy_channels(dy, start, found[-1], 0, own[-1])
            start += own[-1]
        return tuple(found) if len(found) > 1 else found[0]
