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
IMAGES, FLOATS = 8, 2**20  # whose columns are made at once: so many images, or more where these are small


@registered(rank=40)
class RaisedConvolution(TiledConvolution):
    """dx = col2im(dy @ filters), some images after others; all else as the tiled algorithm.

    Columns hold an entry for each tap and channel, so that a register is full of what is wanted, where images
    have one to four channels.
    """

    example = (2, 9, 8, 2), 24, (3, 4), (1, 2), (1, 1, 1, 2), 1

    def __init__(self, problem):
        super().__init__(problem)
        _, *out_hw, self.outputs = problem.out_shape
        self.pixels, self.columns = prod(out_hw), prod(problem.kernel) * problem.in_shape[3]
        self.images = max(IMAGES, FLOATS // max(1, self.pixels * self.columns))
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
            some = dy[first : first + self.images]
            columns = self._product(len(some)).forward(some.reshape(1, -1, 1, self.outputs), filters)
            columns = columns.reshape(*some.shape[:3], self.columns)
            im2col.col2im(columns, dx[first : first + len(some)], *kernel, *stride, *before, threads)

    def _product(self, images):
        if images not in self._products:
            problem = Problem.of_rows(images * self.pixels, self.outputs, self.columns)
            self._products[images] = choose(problem)
        return self._products[images]
