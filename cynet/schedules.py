"""Learning rates over a training under their public name; their file is optim/schedules.py."""

from cynet.optim.schedules import Constant, Cosine, MultiStep, OneCycle

__all__ = ["Constant", "Cosine", "MultiStep", "OneCycle"]
