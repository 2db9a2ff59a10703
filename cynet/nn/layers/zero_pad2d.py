"""Zeros around images."""

from typing import Any

from cynet.core import checks, threads, workspace
from cynet.core.types import Array, Shape
from cynet.kernels.resize import padding as kernels
from cynet.kernels.resize.places import checked_size
from cynet.nn import registry
from cynet.nn.layer import Layer

MOST = 2**31 - 1


@registry.layer(
    examples={
        "ZeroPad2d(2)": (2, 4, 5, 4),
        "ZeroPad2d((1, 0, 2, 3))": (3, 9, 7, 11),
        "ZeroPad2d((1, -2, 0, -1))": (2, 5, 5, 4),
    }
)
class ZeroPad2d(Layer):
    """(N, H, W, C) to (N, top + H + bottom, left + W + right, C): zeros around each image.

    Parameters
    ----------
    padding : int or (left, right, top, bottom)
        In PyTorch's order, which is not that of a convolution's or a pool's padding here. A negative number
        takes so many rows or columns away on that side, and must leave one.

    Raises
    ------
    TypeError, ValueError
        When it is none of these.
    """

    def __init__(self, padding: int | tuple[int, int, int, int]) -> None:
        self.padding = padding
        self.padding = self._sides()

    def _sides(self) -> Any:
        """(left, right, top, bottom), checked: they may have been set."""
        padding = self.padding
        if not isinstance(padding, (tuple, list)):
            return (checks.integer("padding", padding, -MOST),) * 4
        if len(padding) != 4:
            raise ValueError(f"padding: wanted an int or (left, right, top, bottom), got {padding!r:.80}")
        return tuple(checks.integer(f"padding[{i}]", side, -MOST) for i, side in enumerate(padding))

    def _place(self, shape: Shape) -> Any:
        """(the output's shape, how far down and to the right the image lies in it)."""
        if len(shape) != 4 or shape[1] < 1 or shape[2] < 1:
            raise ValueError(f"wanted an input (N, H, W, C) with H and W at least 1, got shape {shape}")
        left, right, top, bottom = self._sides()
        for size, before, after in (shape[1], top, bottom), (shape[2], left, right):
            if size + min(before, 0) + min(after, 0) < 1:
                got = f"{before} and {after} for {size} pixels"
                raise ValueError(f"padding: wanted at least 1 pixel to be left of each side, got {got}")
        out_hw = top + shape[1] + bottom, left + shape[2] + right
        checked_size("padding", out_hw, shape[1:3])
        return (shape[0], *out_hw, shape[3]), top, left

    def output_shape(self, shape: Shape) -> Shape:
        found: Shape = self._place(shape)[0]
        return found

    def forward(self, x: Array) -> Array:
        shape, top, left = self._place(x.shape)
        y = workspace.empty(shape)
        kernels.placed(x, y, top, left, threads.get_num_threads())
        self.save(x.shape, shape, top, left)
        return y

    def backward(self, dy: Array) -> Array:
        shape, out_shape, top, left = self.saved()
        dy = self.gradient(dy, out_shape)
        dx = workspace.empty(shape)
        kernels.placed(dy, dx, -top, -left, threads.get_num_threads())
        return dx

    def __repr__(self) -> str:
        return f"ZeroPad2d(padding={checks.short(self.padding)})"
