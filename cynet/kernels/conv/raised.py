"""Convolution of few channels by many filters, whose input gradient is that of the columns, added up."""

from math import prod

import numpy as np

from cynet.kernels.common import geometry

from . import im2col
from .algorithm import choose, registered
from .problem import Problem
from .tiled import TiledConvolution

CHANNELS = 4  # of an image, at most: the tiled way makes a register's worth of them, eight
LEAST = 16  # filters, and 8 a channel: of fewer, to write the columns takes more than they save
FLOATS = 2**21  # of columns, 8 MB, that are made at once: of several images, or of some rows of one


@registered(rank=40)
class RaisedConvolution(TiledConvolution):
    """dx = col2im(dy @ filters), some images or rows after others; all else as the tiled algorithm.

    Columns hold an entry for each tap and channel, so that a register is full of what is wanted, where images
    have one to four channels.
    """

    by_channels = frozenset({"forward"})
    example = (2, 9, 8, 2), 24, (3, 4), (1, 2), (1, 1, 1, 2), 1

    def __init__(self, problem):
        super().__init__(problem)
        _, height, width, self.outputs = problem.out_shape
        self.columns = prod(problem.kernel) * problem.in_shape[3]
        row = max(1, width * self.columns)
        self.images, self.rows = max(1, FLOATS // (row * max(1, height))), min(height, max(1, FLOATS // row))
        self._products = {}

    @staticmethod
    def suits(problem):
        return (
            problem.in_shape[3] <= CHANNELS
            and problem.out_shape[3] >= max(LEAST, 8 * problem.in_shape[3])
            and problem.groups == 1
            and problem.dilation == (1, 1)
            and problem.border == geometry.ZEROS
            and prod(problem.kernel) > 1
        )

    def _input_gradient(self, dy, w, dx, threads, added):
        kernel, stride, before = self.problem.kernel, self.problem.stride, self.problem.before
        filters = w.transpose(2, 3, 1, 0).reshape(self.columns, self.outputs, 1, 1)
        filters = np.ascontiguousarray(filters)
        dx.fill(0)
        for first in range(0, len(dy), self.images):
            for row in range(0, dy.shape[1], self.rows):  # all where there are several images
                some = dy[first : first + self.images, row : row + self.rows]
                pixels = some.reshape(1, -1, 1, self.outputs)
                columns = self._product(pixels.shape[1]).forward(pixels, filters)
                columns = columns.reshape(*some.shape[:3], self.columns)
                above = before[0] - row * stride[0], before[1]
                im2col.col2im(columns, dx[first : first + len(some)], *kernel, *stride, *above, threads)
                del columns  # its memory is the next ones'

    def _product(self, pixels):
        if pixels not in self._products:
            self._products[pixels] = choose(Problem.of_rows(pixels, self.outputs, self.columns))
        return self._products[pixels]
