"""The choice between the two ways of a linear layer, and that with many outputs, which is a convolution."""

from cynet.kernels.conv import convolution
from cynet.kernels.conv.problem import Problem

from .thin_linear import ThinLinear


def choose(rows, features, outputs, pixels=1):
    """The faster `Products` for x (rows, features); `pixels` as for `ThinLinear`, which it needs above 1."""
    kind = ThinLinear if ThinLinear.suits(features, outputs) else WideLinear
    return kind(rows, features, outputs, pixels)


class WideLinear:
    """The products of a layer with many outputs: one image, as high as there are rows and one pixel wide.

    Its methods are those of `Products`, by those of a convolution, which compares the shapes.
    """

    def __init__(self, rows, features, outputs, pixels=1):
        if pixels != 1:
            raise ValueError(f"pixels: wanted 1 for {outputs} outputs, got {pixels}")
        self.in_shape, self.out_shape = (rows, features), (rows, outputs)
        self.weight_shape = outputs, features
        self.convolution = convolution.choose(Problem.of_rows(rows, features, outputs))

    def forward(self, x, w, bias=None):
        return self.convolution.forward(x[None, :, None], w[:, :, None, None], bias)[0, :, 0]

    def input_gradient(self, dy, w):
        return self.convolution.input_gradient(dy[None, :, None], w[:, :, None, None])[0, :, 0]

    def weight_gradient(self, x, dy, dw):
        self.convolution.weight_gradient(x[None, :, None], dy[None, :, None], dw[:, :, None, None])
