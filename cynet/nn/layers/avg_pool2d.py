"""Average pooling."""

from typing import Any

from cynet.core import checks, threads, workspace
from cynet.core.types import Array, Shape
from cynet.kernels.pool import avg_pool
from cynet.nn import registry

from .pool2d import Pool2d

NOTHING = 0, 0, 0, 0  # of the padding is counted


@registry.layer(
    examples={
        "AvgPool2d(2)": (2, 9, 9, 4),
        "AvgPool2d(3, (1, 2), (0, 1, 2, 0))": (3, 9, 7, 11),
        "AvgPool2d(3, 2, 1, ceil_mode=True)": (2, 8, 6, 11),
        "AvgPool2d((3, 2), 2, 1, True, False)": (2, 8, 7, 4),
        "AvgPool2d(2, divisor_override=3)": (2, 4, 6, 4),
    }
)
class AvgPool2d(Pool2d):
    """The mean of each window; padding counts as zeros.

    Parameters
    ----------
    kernel_size : int or (height, width)
    stride : int or (vertical, horizontal), optional
    padding : int, (vertical, horizontal), (top, left, bottom, right) or "same", optional
    ceil_mode : bool, optional
        As for `Pool2d`; cells beyond the padding are never counted.
    count_include_pad : bool, optional
        Whether the divisor counts the padding's cells in a window, or else those of the image alone.
    divisor_override : int, optional
        The divisor of every window, in place of a count.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, ...] | str = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode=ceil_mode)
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override
        self.count_include_pad, divisor = self._counting()
        self.divisor_override = divisor or None

    def _counting(self) -> tuple[bool, int]:
        """(`count_include_pad`, the divisor or 0), checked: they may have been set."""
        divisor = self.divisor_override
        divisor = 0 if divisor is None else checks.integer("divisor_override", divisor, 1)
        return checks.flag("count_include_pad", self.count_include_pad), divisor

    def grid(self, shape: Shape) -> Any:
        """As `Pool2d.grid`; the numbers end with the padding that is counted and the divisor, or 0."""
        counts, divisor = self._counting()
        shape, window, sides = self.padded_grid(shape)
        return shape, (*window, *(sides if counts else NOTHING), divisor)

    def forward(self, x: Array) -> Array:
        shape, window = self.grid(x.shape)
        y = workspace.empty(shape)
        avg_pool.avg_pool(x, y, *window, threads.get_num_threads())
        self.save(x.shape, shape, window)
        return y

    def backward(self, dy: Array) -> Array:
        shape, out_shape, window = self.saved()
        dy = self.gradient(dy, out_shape)
        dx = workspace.empty(shape)
        avg_pool.avg_pool_backward(dy, dx, *window, threads.get_num_threads())
        return dx

    def __repr__(self) -> str:
        counts = "" if self.count_include_pad else ", count_include_pad=False"
        divisor = "" if self.divisor_override is None else f", divisor_override={self.divisor_override}"
        return f"{super().__repr__()[:-1]}{counts}{divisor})"
