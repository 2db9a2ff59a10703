"""Floor 2: the layers, one to a file."""

from .avg_pool2d import AvgPool2d
from .batch_norm import BatchNorm1d, BatchNorm2d
from .concat import Concat
from .conv2d import Conv2d
from .dropout import Dropout
from .flatten import Flatten
from .gelu import GELU
from .global_avg_pool2d import GlobalAvgPool2d
from .leaky_relu import LeakyReLU
from .linear import Linear
from .max_pool2d import MaxPool2d
from .relu import ReLU
from .residual import Residual
from .sequential import Sequential
from .sigmoid import Sigmoid
from .softmax import Softmax
from .tanh import Tanh

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
    "Sigmoid",
    "Softmax",
    "Tanh",
]
