"""What losses.py loads when asked, once more for what checks types; see tests/test_type_checking.py."""

from cynet.nn.elementwise_losses import BCEWithLogitsLoss as BCEWithLogitsLoss
from cynet.nn.elementwise_losses import HuberLoss as HuberLoss
from cynet.nn.elementwise_losses import L1Loss as L1Loss
from cynet.nn.losses import CrossEntropyLoss as CrossEntropyLoss
from cynet.nn.squared_loss import MSELoss as MSELoss
