"""What cynet and its peers have in common: the data and the optimiser. Loads NumPy alone."""

import numpy as np

PICTURE, SIGNAL, CLASSES = (32, 32, 3), (1024, 3), 10
OPTIMIZER = {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}
CHARACTERS = 65  # different ones of a text
TEXT_OPTIMIZER = {"lr": 0.002, "weight_decay": 5e-4}  # of Adam


def batch(size, shape=PICTURE, classes=CLASSES):
    """(samples float32 (size, *shape), labels int64 (size,)), the same in every process."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((size, *shape), dtype=np.float32), rng.integers(0, classes, size)


def text(rows, length):
    """(tokens, those that follow them), int64 (rows, length), random but the same in every process."""
    tokens = np.random.default_rng(0).integers(0, CHARACTERS, (rows, length + 1))
    return np.ascontiguousarray(tokens[:, :-1]), np.ascontiguousarray(tokens[:, 1:])
