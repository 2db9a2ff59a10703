"""In evaluation: a depth-wise convolution between two of 1x1, or before one, a band of rows at a time."""

from math import gcd, prod

from . import banded_loops
from .depthwise import DepthwiseConvolution
from .pointwise import PointwiseConvolution
from .tiled import TiledConvolution

LEAST_FLOATS = 2**14  # of an image between the convolutions: fewer stay in the nearest cache by themselves
LEAST_ROWS = 3  # of windows of a part of an image: each widens the rows above and below its own, too
ENOUGH = 4  # images for each thread, of which one may have one more than another
BAND_FLOATS = 2**16  # of a band: with its filters it stays in a 512 KB L2 cache


class Banded:
    """The forward pass of such a block, to the bytes that its layers give one by one.

    Parameters
    ----------
    layers : list of Algorithm
        Those of the two or three convolutions, which `suits` was asked about.
    threads : int
        That a pass may use.
    """

    def __init__(self, layers, threads):
        *wide, deep, narrow = layers
        self.parts = _parts(narrow, threads)
        self.in_shape, self.out_shape = layers[0].in_shape, narrow.out_shape
        self.work = sum(layer.work for layer in layers)
        self.bands = banded_loops.Bands(
            self.in_shape, self.out_shape, deep.in_shape[3], *deep.window, bool(wide), BAND_FLOATS
        )

    @staticmethod
    def is_large(shape):
        """Whether images (N, H, W, C) between the convolutions may be large enough."""
        return len(shape) == 4 and prod(shape[1:]) >= LEAST_FLOATS

    @staticmethod
    def suits(layers, threads):
        """Whether these convolutions, one after another, are such a block, and faster so."""
        *wide, deep, narrow = layers
        return (
            isinstance(deep, DepthwiseConvolution)
            and all(map(_is_of_pixels, (*wide, narrow)))
            and Banded.is_large(deep.in_shape)
            and narrow.out_shape[1] >= LEAST_ROWS * _parts(narrow, threads)
        )

    def scratch_floats(self, threads):
        """The floats of scratch that a pass needs."""
        return threads * self.bands.floats

    def kept(self, filters, relus, y, scratch, threads):
        """A function of x, and of a residual that is added, that writes y.

        Parameters
        ----------
        filters : list of (packed, bias)
            What `pack` and `padded` of each layer returned.
        relus : list of {0, 1, 6}
            Of each: 1: at least 0, 6: and at most 6; of the last one 0 where a residual will be added.
        y, scratch : ndarray of float32
            Written: of `out_shape`, and `scratch_floats(threads)`.
        threads : int
        """
        filters, relus = [None, *filters][-3:], [0, *relus][-3:]
        return banded_loops.BandedPass(self.bands, *filters, relus, y, scratch, self.parts, threads)


def _parts(layer, threads):
    """Into how many parts each image is cut, so that all threads have as many; 1 where images are many."""
    batch = layer.out_shape[0]
    return 1 if batch >= ENOUGH * threads else threads // gcd(batch, threads)


def _is_of_pixels(algorithm):
    """Whether an algorithm makes a pixel of the output from that of the input alone, in register blocks."""
    p = algorithm.problem
    return (
        type(algorithm) in (TiledConvolution, PointwiseConvolution)
        and p.kernel == p.stride == (1, 1)
        and p.in_shape[:3] == p.out_shape[:3]
        and p.groups == 1
    )
