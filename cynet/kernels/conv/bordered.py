"""Convolution of images that go on beyond their edges: mirrored, with the last pixels, or around."""

from dataclasses import replace

import numpy as np

from cynet.core import workspace
from cynet.kernels.common import geometry

from .algorithm import Algorithm, choose, registered

FILLED = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # what NumPy's pad calls them


@registered(rank=5)
class BorderedConvolution(Algorithm):
    """The border is laid around in a copy of the image, which another algorithm convolves.

    Where the padding is larger than the image, this is mirrored, or begins, again and again.
    """

    example = (2, 7, 9, 4), 6, (3, 2), (2, 1), (2, 1, 1, 2), 2, (1, 1), "reflect"

    def __init__(self, problem):
        super().__init__(problem)
        (batch, *in_hw, channels), out_hw = problem.in_shape, problem.out_shape[1:3]
        window = problem.kernel, problem.stride, problem.before, problem.dilation
        sizes = zip(in_hw, out_hw, *window, strict=True)
        self.places = [_places(FILLED[problem.border], *axis) for axis in sizes]
        framed = batch, *map(len, self.places), channels
        self.within = choose(replace(problem, in_shape=framed, before=(0, 0), border=geometry.ZEROS))
        self.fuses, self.work = self.within.fuses - {"added"}, self.within.work

    @staticmethod
    def suits(problem):
        return problem.border != geometry.ZEROS

    def pack(self, w):
        return self.within.pack(w)

    def padded(self, bias):
        return self.within.padded(bias)

    def scratch_floats(self, threads):
        return self.within.scratch_floats(threads)

    def _framed(self, x):
        """x with its border."""
        rows, columns = self.places
        tall = workspace.empty((len(x), len(rows), *x.shape[2:]))
        np.take(x, rows, 1, tall, "clip")  # all lie inside: to clip spares a copy
        return np.take(tall, columns, 2, workspace.empty(self.within.in_shape), "clip")

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        self.within.apply(self._framed(x), packed, bias, y, scratch, threads, relu, residual)

    def _input_gradient(self, dy, w, dx, threads, added):
        rows, columns = self.places
        tall = workspace.empty((len(dx), len(rows), *dx.shape[2:]))
        _add_lines(self.within.input_gradient(dy, w), columns, tall, 2)
        _add_lines(tall, rows, dx, 1)

    def _weight_gradient(self, x, dy, dw, threads):
        self.within.weight_gradient(self._framed(x), dy, dw)


def _places(filled, size, outputs, taps, stride, before, dilation):
    """The pixels along an axis that all windows together go over, one after another."""
    reach = (outputs - 1) * stride + geometry.extent(taps, dilation)
    return np.pad(np.arange(size), (before, max(0, reach - before - size)), filled)[:reach]


def _add_lines(framed, places, out, axis):
    """out = the sums of the lines, along an axis, that were copied from one."""
    lines, sums = np.moveaxis(framed, axis, 0), np.moveaxis(out, axis, 0)
    sums[...] = 0
    for line, place in zip(lines, places, strict=True):
        sums[place] += line
