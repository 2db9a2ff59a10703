"""The net of Jordan (2024), "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv 2404.00498.

It is made to be trained in few passes by the recipe `cifar10-fast`, which also sets the filters of its first
layer from the pictures (`--whiten`). What differs from the paper by its letter, and not by its numbers: the
output is no linear layer times 1/9, but one whose weights are a ninth, and which the recipe lets learn by
1/81 of the rate; and the last pooling takes whatever is left of a picture, 3x3 pixels of 32x32.
"""

from cynet.core.types import Shape
from cynet.nn import GELU, BatchNorm2d, Conv2d, GlobalMaxPool2d, Graph, Linear, MaxPool2d, init
from cynet.nn.symbols import Input, Symbol

from .named import named
from .registry import model

WIDTHS = 64, 256, 256
BOUND = 0.5**0.5  # of PyTorch's first weights, as part of those that layers draw
SCALE = 1 / 9  # of the output


def _convolved(x: Symbol, outputs: int, name: str) -> Symbol:
    """3x3 convolution that hands the channels on at first: the first filters are Dirac's."""
    layer = Conv2d(x.shape[-1], outputs, 3, padding=1, bias=False)
    layer.weight.data *= BOUND
    init.dirac(layer.weight.data)
    found: Symbol = named(name, layer)(x)
    return found


def _activated(x: Symbol, name: str) -> Symbol:
    """Batch norm with a shift alone, whose statistics are mostly those of the last batches; GELU."""
    norm = BatchNorm2d(x.shape[-1], eps=1e-12, momentum=0.4, affine="bias")
    found: Symbol = GELU()(named(name, norm)(x))
    return found


@model(order=17, least=(9, 9, 1))
def airbench94(input_shape: Shape, classes: int) -> Graph:
    """2x2 convolution, both signs of all patches; three blocks of 64, 256, 256; maximum; connected."""
    x = given = Input(input_shape)
    x = GELU()(named("whiten", Conv2d(x.shape[-1], 8 * x.shape[-1], 2))(x))
    for block, outputs in enumerate(WIDTHS, 1):
        name = f"layer{block}"
        x = _activated(MaxPool2d(2)(_convolved(x, outputs, f"{name}.conv1")), f"{name}.norm1")
        x = _activated(_convolved(x, outputs, f"{name}.conv2"), f"{name}.norm2")
    x = GlobalMaxPool2d()(x)
    last = Linear(x.shape[-1], classes, bias=False)
    last.weight.data *= BOUND * SCALE
    return Graph(given, named("fc", last)(x))
