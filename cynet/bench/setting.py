"""What cynet and its peers have in common: the data and the optimiser. Loads NumPy alone."""

import numpy as np

PICTURE, SIGNAL, CLASSES = (32, 32, 3), (1024, 3), 10
OPTIMIZER = {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}


def batch(size, shape=PICTURE, classes=CLASSES):
    """(samples float32 (size, *shape), labels int64 (size,)), the same in every process."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((size, *shape), dtype=np.float32), rng.integers(0, classes, size)
