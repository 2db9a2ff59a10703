"""How the taps of a window are cut into pieces that Winograd's algorithm takes: of 3x3 or 2x2 taps.

A convolution is the sum of those with its pieces, each of which reads its own part of the input: every
stride-th row and column of it, from the piece's first tap on. The gradient to the input is such a sum, too,
for the pixels of each phase of the stride by itself.
"""

from itertools import product

import numpy as np

SIZES = 3, 2  # taps of a piece's side


def forward(problem):
    """(origins, taps) of the forward pass, as `winograd_tiles.Tiles` takes them."""
    return _cut(problem.kernel, [_of_output(problem, axis) for axis in (0, 1)], problem.stride)


def backward(problem, phase):
    """The same of the gradient to the input pixels `phase` + multiples of the stride, (y, x)."""
    return _cut(problem.kernel, [_of_input(problem, axis, phase[axis]) for axis in (0, 1)], (1, 1))


def _of_output(problem, axis):
    """[(first input, taps)] of pixel 0, for taps that read one input of `stride` after another."""
    kernel, stride, before = problem.kernel[axis], problem.stride[axis], problem.before[axis]
    return [(first - before, range(first, kernel, stride)) for first in range(min(kernel, stride))]


def _of_input(problem, axis, phase):
    """The same of input pixel `phase`, over dy: what tap t reaches lies (phase + before - t) / stride on."""
    kernel, stride, before = problem.kernel[axis], problem.stride[axis], problem.before[axis]
    taps = range(kernel)[(phase + before) % stride :: stride][::-1]
    return [((phase + before - taps[0]) // stride, taps)] if taps else []


def _cut(kernel, runs, steps):
    """The pieces of the size that makes the fewest products, of the runs of taps along both axes.

    The inputs of a run lie `steps` apart.
    """

    def pairs_of(size):
        return list(product(*(_pieces(run, step, size) for run, step in zip(runs, steps, strict=True))))

    size = min(SIZES, key=lambda size: (size + 3) ** 2 * len(pairs_of(size)))
    pairs = pairs_of(size)
    origins = [(y, x) for (y, _), (x, _) in pairs]
    taps = [
        [-1 if min(v, h) < 0 else v * kernel[1] + h for v in down for h in across]
        for (_, down), (_, across) in pairs
    ]
    return np.array(origins, np.intp).reshape(-1, 2), np.array(taps, np.intp).reshape(-1, size**2)


def _pieces(run, step, size):
    """[(first input, `size` taps)] along one axis; -1 for taps that are none."""
    return [
        (first + i * step, [*taps[i : i + size], *[-1] * (i + size - len(taps))])
        for first, taps in run
        for i in range(0, len(taps), size)
    ]
