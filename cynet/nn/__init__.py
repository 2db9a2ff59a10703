"""Floor 2: layers, containers of them, and the compiler that joins them."""

import importlib.util

from .containers.concat import Concat
from .containers.residual import Residual
from .containers.sequential import Sequential
from .layers.avg_pool2d import AvgPool2d
from .layers.batch_norm import BatchNorm1d, BatchNorm2d
from .layers.conv2d import Conv2d
from .layers.dropout import Dropout
from .layers.flatten import Flatten
from .layers.gelu import GELU
from .layers.global_avg_pool2d import GlobalAvgPool2d
from .layers.leaky_relu import LeakyReLU
from .layers.linear import Linear
from .layers.max_pool2d import MaxPool2d
from .layers.relu import ReLU
from .layers.sigmoid import Sigmoid
from .layers.silu import SiLU
from .layers.softmax import Softmax
from .layers.tanh import Tanh

# The compiler is no part of the trunk (tools/size.py): without its folder layers run one by one. It is looked
# for, and not tried, so that an error within it is never taken for its absence.
if importlib.util.find_spec("cynet.nn.compile") is not None:
    from .compile import chains

    Sequential.compiler = chains

__all__ = [
    "GELU",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Concat",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
]
