"""What several test files share."""

import numpy as np


def frozen(array):
    """A read-only float32 copy: kernels must take such inputs."""
    array = np.array(array, np.float32, order="C")
    array.flags.writeable = False
    return array
