"""What a convolution algorithm is: its three products, what it joins with them, and when it is chosen.

Design: an algorithm is a class beside its loops, in one file that names it with `registered`;
`choose` asks those that are registered, by rank. It defines how filters are laid out (`pack`,
`padded`), its scratch, the forward pass from these (`_apply`) and both gradients. `Products` and this class
compare all shapes and do by a pass of their own what an algorithm does not fuse: every one may be asked for a
ReLU or a sum.
"""

import bisect

import numpy as np

from cynet.core import checks, workspace
from cynet.kernels.pointwise import activation, elementwise

from .products import Products

PARTIALS = 16  # partial sums of a weight gradient, at most about so many
REGISTRY = []  # (rank, class), the first to be asked first


def registered(rank):
    """A decorator: the class is asked whether it suits a problem, after those of smaller rank."""

    def add(kind):
        if any(rank == other for other, _ in REGISTRY):
            raise ValueError(f"rank: wanted one of its own for {kind.__name__}, got {rank}, which is taken")
        bisect.insort(REGISTRY, (rank, kind), key=lambda entry: entry[0])
        return kind

    return add


def choose(problem):
    """The fastest algorithm for a `Problem`, made for it: the first by rank that suits it."""
    return suited(problem)(problem)


def suited(problem, after=-1):
    """The class of the first by rank that suits a `Problem`, of those of a higher rank than `after`."""
    return next(kind for rank, kind in REGISTRY if rank > after and kind.suits(problem))


class Algorithm(Products):
    """One way to convolve, made for one problem.

    x is float32 (N, H, W, C), w (out_channels, C / groups, height, width), bias (out_channels,) and y
    (N, out_h, out_w, out_channels).

    Parameters
    ----------
    problem : Problem
        One that it suits.

    Attributes
    ----------
    title : str
        What tables of timings call it.
    example : tuple
        What `Problem.of` takes, of a problem for which it is chosen: tests draw others like it.
    fuses : frozenset of str
        As for `Products`; "relu" and "residual" by `apply`.
    by_channels : frozenset of str
        The products, "forward" and "input", that it makes by blocks with output channels in their lanes: few
        of them, or a few left over, leave most of a register empty.
    """

    title = "conv"
    by_channels = frozenset()
    example: tuple

    def __init__(self, problem):
        super().__init__(problem.in_shape, problem.out_shape, problem.weight_shape, problem.macs)
        self.problem, self._no_bias = problem, np.zeros(problem.out_shape[3], np.float32)

    @staticmethod
    def suits(problem):
        """Whether it can do it, and is then the fastest of those that are asked from here on."""
        raise NotImplementedError

    def pack(self, w):
        """The filters as `apply` takes them, in an array of its own."""
        raise NotImplementedError

    def padded(self, bias):
        """The bias, or zeros for None, as `apply` takes it."""
        return self._no_bias if bias is None else bias

    def scratch_floats(self, threads):
        """The floats of scratch that `apply` needs."""
        return 0

    def _apply(self, x, packed, bias, y, scratch, threads, relu, residual):
        """`apply`; relu is 0 and residual None unless they are fused."""
        raise NotImplementedError

    def kept(self, packed, bias, y, scratch, threads, relu):
        """`apply` for arrays that stay: a function of x and, where it is fused, of the residual."""
        return lambda x, *residual: self.apply(x, packed, bias, y, scratch, threads, relu, *residual)

    def _forward(self, x, w, bias, y, threads):
        scratch = workspace.empty((self.scratch_floats(threads),))
        self._apply(x, self.pack(w), self.padded(bias), y, scratch, threads, 0, None)

    def apply(self, x, packed, bias, y, scratch, threads, relu=0, residual=None):
        """The forward pass for weights that stay: y = x convolved + bias + residual, bent by `relu`.

        Parameters
        ----------
        x : ndarray of float32
        packed, bias
            What `pack` and `padded` returned.
        y : ndarray of float32
            Written.
        scratch : ndarray of float32, at least (scratch_floats(threads),)
            Written.
        threads : int
        relu : {0, 1, 6}
            1: at least 0, 6: and at most 6, the latter without a residual.
        residual : ndarray of float32 of y's shape, optional
            Another array than y.

        Raises
        ------
        ValueError
            When an array has another shape.
        """
        if x.shape != self.in_shape or y.shape != self.out_shape:
            checks.shapes("x y", (x.shape, y.shape), (self.in_shape, self.out_shape))
        if residual is not None and residual.shape != self.out_shape:
            checks.shapes("residual", (residual.shape,), (self.out_shape,))
        if residual is None or "residual" in self.fuses:
            after = relu and "relu" not in self.fuses
            self._apply(x, packed, bias, y, scratch, threads, 0 if after else relu, residual)
            if after:
                activation.relu(y.reshape(-1), y.reshape(-1), threads)
                if relu == 6:
                    np.minimum(y, 6, out=y)
        else:
            self._apply(x, packed, bias, y, scratch, threads, 0, None)
            add = elementwise.add_relu if relu else elementwise.add
            add(y.reshape(-1), residual.reshape(-1), y.reshape(-1), threads)
