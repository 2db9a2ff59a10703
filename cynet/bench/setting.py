"""What cynet and its peers have in common: the data and the optimiser. Loads NumPy alone."""

import numpy as np

PICTURE, CLASSES = (32, 32, 3), 10
OPTIMIZER = {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}


def batch(size):
    """(pictures float32 (size, 32, 32, 3), labels int64 (size,)), the same in every process."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((size, *PICTURE), dtype=np.float32), rng.integers(0, CLASSES, size)
