"""Convolution to one to three channels, as of maps and masks: dot products along taps and channels."""

import numpy as np

from . import few_loops
from .algorithm import Algorithm, registered
from .tiled import TiledConvolution

LEAST_COLUMNS = 48  # of a sum,
LEAST_STEPS = 12  # and of those of a row of taps: shorter ones are mostly their ends
LEAST_CHANNELS = 9  # of more than one tap; of fewer, pixels side by side are the faster way


@registered(rank=60)
class FewConvolution(TiledConvolution):
    """Columns side by side in a register, where output channels would leave it empty; gradients as tiled."""

    fuses = frozenset()
    by_channels = frozenset({"input"})
    example = (2, 9, 8, 20), 3, (3, 2), (2, 1), (1, 0, 1, 2), 1

    @staticmethod
    def suits(problem):
        across = problem.kernel[1] if problem.dilation[1] == 1 else 1
        channels = problem.in_shape[3]
        return (
            TiledConvolution.suits(problem)
            and problem.groups == 1
            and problem.out_shape[3] <= few_loops.MOST_OUTPUTS
            and (channels >= LEAST_CHANNELS or problem.kernel == (1, 1))
            and across * channels >= LEAST_STEPS
            and problem.kernel[0] * problem.kernel[1] * channels >= LEAST_COLUMNS
        )

    def pack(self, w):
        return np.ascontiguousarray(w.transpose(0, 2, 3, 1)).reshape(len(w), -1)

    padded, kept = Algorithm.padded, Algorithm.kept

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        few_loops.convolve(self.forward_pass, x, packed, bias, y, scratch, threads)
