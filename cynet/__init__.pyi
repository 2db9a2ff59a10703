"""What __init__.py loads when asked, once more for what checks types; see tests/test_type_checking.py."""

from . import data as data
from . import distributed as distributed
from . import interop as interop
from . import layers as layers
from . import losses as losses
from . import models as models
from . import nn as nn
from . import optim as optim
from . import runs as runs
from . import schedules as schedules
from . import sklearn as sklearn
from . import train as train
from . import uwnet as uwnet
from .core.build import show_config as show_config
from .core.random import seed as seed
from .core.threads import get_num_threads as get_num_threads
from .core.threads import set_num_threads as set_num_threads
from .kernels.conv.columns import col2im as col2im
from .kernels.conv.columns import im2col as im2col
from .nn import *  # noqa: F403
from .nn.elementwise_losses import BCEWithLogitsLoss as BCEWithLogitsLoss
from .nn.elementwise_losses import HuberLoss as HuberLoss
from .nn.elementwise_losses import L1Loss as L1Loss
from .nn.gradients import check_gradients as check_gradients
from .nn.layer import Layer as Layer
from .nn.losses import CrossEntropyLoss as CrossEntropyLoss
from .nn.parameter import Parameter as Parameter
from .nn.passes import no_grad as no_grad
from .nn.spec import from_spec as from_spec
from .nn.spec import to_spec as to_spec
from .nn.squared_loss import MSELoss as MSELoss
from .nn.summary import summary as summary
from .nn.symbols import Input as Input
from .optim import SGD as SGD
from .optim import Adam as Adam
from .optim import AdamW as AdamW
from .optim import Lookahead as Lookahead
from .runs.predictor import Predictor as Predictor
from .runs.weights import load as load

__version__: str
