"""Floor 3: optimisers, and learning rates over a training."""

from .optimizers import SGD, Adam, AdamW

__all__ = ["SGD", "Adam", "AdamW"]
