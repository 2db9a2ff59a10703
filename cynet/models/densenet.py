"""DenseNet-BC for small pictures: Huang et al. (2017), "Densely connected convolutional networks".

The names are those that torchvision gives to its DenseNets.
"""

from cynet.core.types import Shape
from cynet.nn import AvgPool2d, BatchNorm2d, Concatenate, Conv2d, GlobalAvgPool2d, Graph, Linear, ReLU
from cynet.nn.symbols import Input, Symbol

from .named import named
from .registry import model

GROWTH = 12  # channels that each layer adds
LAYERS = 6  # of a block, of two convolutions each: 3 blocks, 2 transitions, the first and the last make 40


def _convolved(x: Symbol, outputs: int, kernel_size: int, norm: str, conv: str) -> Symbol:
    """Norm, ReLU, convolution."""
    x = ReLU()(named(norm, BatchNorm2d(x.shape[-1]))(x))
    layer = Conv2d(x.shape[-1], outputs, kernel_size, padding=kernel_size // 2, bias=False)
    found: Symbol = named(conv, layer)(x)
    return found


@model(order=11, least=(4, 4, 1))
def densenet_bc_40_12(input_shape: Shape, classes: int) -> Graph:
    """3x3 convolution of 24 filters; three blocks of six layers, each 12 channels more; mean; connected."""
    x = given = Input(input_shape)
    x = named("features.conv0", Conv2d(x.shape[-1], 2 * GROWTH, 3, padding=1, bias=False))(x)
    for block in (1, 2, 3):
        for i in range(1, LAYERS + 1):
            name = f"features.denseblock{block}.denselayer{i}"
            y = _convolved(x, 4 * GROWTH, 1, f"{name}.norm1", f"{name}.conv1")
            x = Concatenate()(x, _convolved(y, GROWTH, 3, f"{name}.norm2", f"{name}.conv2"))
        if block < 3:
            name = f"features.transition{block}"
            x = AvgPool2d(2)(_convolved(x, x.shape[-1] // 2, 1, f"{name}.norm", f"{name}.conv"))
    x = ReLU()(named("features.norm4", BatchNorm2d(x.shape[-1]))(x))
    last = named("classifier", Linear(x.shape[-1], classes))
    return Graph(given, last(GlobalAvgPool2d()(x)))
