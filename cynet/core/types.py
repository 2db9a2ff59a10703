"""Names for the types of arguments, for readers and checkers."""

import os
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float32]]  # of any shape; the kernels' only type of numbers
AnyArray = np.ndarray[Any, Any]
AnyPath = str | os.PathLike[str]
Shape = tuple[int, ...]
State = dict[str, AnyArray]  # by path, as `state_dict` returns it
Batch = tuple[Array, AnyArray]  # samples and their labels
