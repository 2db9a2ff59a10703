"""Floor 2: the layers, one to a file."""

from .avg_pool2d import AvgPool2d
from .dropout import Dropout
from .flatten import Flatten
from .gelu import GELU
from .global_avg_pool2d import GlobalAvgPool2d
from .leaky_relu import LeakyReLU
from .max_pool2d import MaxPool2d
from .relu import ReLU
from .sigmoid import Sigmoid
from .softmax import Softmax
from .tanh import Tanh

__all__ = [
    "GELU",
    "AvgPool2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "LeakyReLU",
    "MaxPool2d",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
]
