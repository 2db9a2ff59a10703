"""The ways to resize images from one size to another: each has its tables, and both passes.

`forward(x, y, threads)` fills y (N, out height, out width, C) from x (N, H, W, C), and
`backward(dy, dx, threads)` dx from dy: float32, C-contiguous.
"""

from functools import cached_property

import numpy as np

from cynet.core import workspace

from . import bilinear, places, window_sums


class Nearest:
    """Each output is the pixel nearest to its upper left corner, as PyTorch's "nearest"."""

    def __init__(self, in_hw, out_hw, factors=(None, None)):
        (self.rows, self.row_uses), (self.columns, self.column_uses) = map(
            places.nearest, in_hw, out_hw, factors
        )

    def forward(self, x, y, threads):
        window_sums.window_sums(x, y, self.rows, self.columns, False, threads)

    def backward(self, dy, dx, threads):
        window_sums.window_sums(dy, dx, self.row_uses, self.column_uses, False, threads)


class Areas:
    """Each output is the mean of its share of the image, as in PyTorch's adaptive pooling."""

    def __init__(self, in_hw, out_hw):
        (self.rows, self.row_uses), (self.columns, self.column_uses) = map(places.areas, in_hw, out_hw)

    @cached_property
    def _cells(self):
        """The pixels of each area, which backward alone asks for."""
        height, width = (np.diff(first_and_end, axis=0)[0] for first_and_end in (self.rows, self.columns))
        return (height[:, None] * width)[:, :, None].astype(np.float32)

    def forward(self, x, y, threads):
        window_sums.window_sums(x, y, self.rows, self.columns, True, threads)

    def backward(self, dy, dx, threads):
        shares = np.divide(dy, self._cells, out=workspace.empty(dy.shape))
        window_sums.window_sums(shares, dx, self.row_uses, self.column_uses, False, threads)


class Bilinear:
    """Each output lies between two rows and two columns, as in PyTorch's "bilinear"."""

    def __init__(self, in_hw, out_hw, factors=(None, None), corners=False):
        self.rows, self.down, self.uses = places.bilinear(in_hw[0], out_hw[0], factors[0], corners)
        self.columns, self.right, _ = places.bilinear(in_hw[1], out_hw[1], factors[1], corners)

    def forward(self, x, y, threads):
        bilinear.bilinear(x, y, self.rows, self.down, self.columns, self.right, threads)

    def backward(self, dy, dx, threads):
        bilinear.bilinear_backward(dy, dx, self.rows, self.down, self.columns, self.right, self.uses, threads)
