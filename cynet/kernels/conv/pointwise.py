"""Convolution by filters of one pixel, whose gradients are made in one walk over the pixels."""

from functools import cached_property

from cynet.core import checks, workspace
from cynet.core.threads import team
from cynet.kernels.common import geometry
from cynet.kernels.pointwise import arrays

from . import pointwise_loops
from .algorithm import registered
from .lowering import Lowering
from .tiled import TiledConvolution, packed_filters

LEAST_BYTES = 2**17  # of x and dy: fewer stay in the first caches from one walk to the next


@registered(rank=90)
class PointwiseConvolution(TiledConvolution):
    """Both gradients together, to the same bytes; all else as the tiled algorithm."""

    example = (3, 32, 32, 8), 12, (1, 1), (1, 1), (0, 0, 0, 0), 1

    @cached_property
    def back(self):
        """The input gradient's pass, in the weight gradient's tiles; an evaluation needs none."""
        p = self.problem
        size = self.weight_pass.rows * p.out_shape[2] * p.out_shape[3]
        return Lowering(p.out_shape, p.in_shape[1:3], p.in_shape[1:], (1, 1), (1, 1), (0, 0), 1, size)

    @staticmethod
    def suits(problem):
        (batch, height, width, channels), outputs = problem.in_shape, problem.out_shape[3]
        return (
            problem.kernel == problem.stride == (1, 1)
            and problem.before == (0, 0)
            and problem.out_shape[1:3] == (height, width)
            and problem.groups == 1
            and problem.border == geometry.ZEROS
            and 4 * batch * height * width * (channels + outputs) >= LEAST_BYTES
        )

    def gradients(self, x, dy, w, dw, wants_dx=True, added=None):
        threads = team(self.work)
        apart = self.splits > 1 or threads > self.chunks  # then there is work for more of them
        if apart or dw is None or not wants_dx:
            return super().gradients(x, dy, w, dw, wants_dx, added)
        checks.shapes(
            "x dy weight.data weight.grad", (x.shape, dy.shape, w.shape, dw.shape),
            (self.in_shape, self.out_shape, self.weight_shape, self.weight_shape),
        )  # fmt: skip
        g, back, dx = self.weight_pass, self.back, workspace.empty(self.in_shape)
        packed, zeros = packed_filters(back, w, True), workspace.zeros((back.bias_floats,))
        partial = workspace.empty((pointwise_loops.partial_floats(g, self.chunks),))
        scratch = workspace.empty((threads * pointwise_loops.scratch_floats(g),))
        pointwise_loops.gradients(
            g, back, x, dy, packed, zeros, dx, dw, partial, scratch, self.chunks, threads
        )
        return dx if added is None else arrays.add(dx, added)
