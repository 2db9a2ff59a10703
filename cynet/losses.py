"""The losses under their public name; their file is nn/losses.py."""

from cynet.nn.losses import CrossEntropyLoss, MSELoss

__all__ = ["CrossEntropyLoss", "MSELoss"]
