"""What __init__.py loads when asked, once more for what checks types; see tests/test_type_checking.py."""

from .containers.concat import Concat as Concat
from .containers.residual import Residual as Residual
from .containers.sequential import Sequential as Sequential
from .layers.avg_pool2d import AvgPool2d as AvgPool2d
from .layers.batch_norm import BatchNorm1d as BatchNorm1d
from .layers.batch_norm import BatchNorm2d as BatchNorm2d
from .layers.conv1d import Conv1d as Conv1d
from .layers.conv2d import Conv2d as Conv2d
from .layers.conv_transpose2d import ConvTranspose2d as ConvTranspose2d
from .layers.dropout import Dropout as Dropout
from .layers.flatten import Flatten as Flatten
from .layers.gelu import GELU as GELU
from .layers.global_avg_pool2d import GlobalAvgPool2d as GlobalAvgPool2d
from .layers.leaky_relu import LeakyReLU as LeakyReLU
from .layers.linear import Linear as Linear
from .layers.max_pool2d import MaxPool2d as MaxPool2d
from .layers.relu import ReLU as ReLU
from .layers.sigmoid import Sigmoid as Sigmoid
from .layers.silu import SiLU as SiLU
from .layers.softmax import Softmax as Softmax
from .layers.tanh import Tanh as Tanh
