"""Max-pooling."""

from math import prod
from typing import Any

import numpy as np

from cynet.core import checks, threads, workspace
from cynet.core.types import Array, Shape
from cynet.kernels.pool import large, max_pool
from cynet.nn import registry

from .pool2d import Pool2d


@registry.layer(
    examples={
        "MaxPool2d(3, 2, padding=1)": (2, 9, 9, 4),
        "MaxPool2d(3, 2, 'same')": (3, 9, 7, 11),
        "MaxPool2d((2, 3), padding=(0, 1))": (2, 9, 7, 4),
        "MaxPool2d(3, 2, ceil_mode=True)": (2, 8, 6, 11),
        "MaxPool2d(17, 1, padding=8)": (2, 9, 7, 4),
        "MaxPool2d(3, 1, 1, (2, 3))": (2, 8, 9, 4),
    }
)
class MaxPool2d(Pool2d):
    """The greatest value of each window.

    Padding counts as -Inf, NaN as greater than all; of equal values the first, row by row, gets the gradient.

    Parameters
    ----------
    kernel_size : int or (height, width)
        Up to 255 cells the winners take a byte each; beyond, the time grows with the sides of the window.
    stride : int or (vertical, horizontal), optional
    padding : int, (vertical, horizontal), (top, left, bottom, right) or "same", optional
    dilation : int or (vertical, horizontal), optional
        The distance of a window's cells, in pixels. A window without any in the image gives -Inf.
    ceil_mode : bool, optional
        As for `Pool2d`; by its name alone, since PyTorch has another argument before it.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, int] = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        self.dilation: Any = dilation
        super().__init__(kernel_size, stride, padding, ceil_mode=ceil_mode)
        self.dilation = self.apart()

    def apart(self) -> tuple[int, int]:
        return checks.pair("dilation", self.dilation)  # it may have been set

    def forward(self, x: Array) -> Array:
        y, winner, window = self.places(x.shape)
        if winner.dtype == np.uint8:
            max_pool.max_pool(x, y, winner, *window, threads.get_num_threads())
        else:
            large.forward(x, y, winner, *window)
        self.save(x.shape, winner, window)
        return y

    def small(self) -> bool:
        """Whether its winners are bytes, as the compiler wants them; also where none can be."""
        try:
            return prod(self.window()[0]) <= max_pool.MOST_CELLS and self.apart() == (1, 1)
        except (TypeError, ValueError):
            return True

    def places(self, shape: Shape) -> Any:
        """(y, winner, window): the arrays to fill for an input of `shape`, and the numbers kernels take."""
        shape, window, _, apart = self._settled(shape)
        if window[0] * window[1] <= max_pool.MOST_CELLS and apart == (1, 1):
            return workspace.empty(shape), workspace.empty(shape, np.uint8), window
        return workspace.empty(shape), large.winners(shape), (*window, *apart)

    def backward(self, dy: Array) -> Array:
        shape, winner, window = self.saved()
        return self.gradient_of(self.gradient(dy, winner.shape), shape, winner, window)

    @staticmethod
    def gradient_of(dy: Array, shape: Shape, winner: Any, window: Any) -> Array:
        """The gradient to an input of `shape`, for a pass that wrote `winner` with this window."""
        dx = workspace.empty(shape)
        if winner.dtype == np.uint8:
            max_pool.max_pool_backward(dy, winner, dx, *window, threads.get_num_threads())
        else:
            large.backward(dy, winner, dx)
        return dx

    def __repr__(self) -> str:
        dilation = repr(checks.short(self.dilation))
        return f"{super().__repr__()[:-1]}{'' if dilation == '1' else f', dilation={dilation}'})"
