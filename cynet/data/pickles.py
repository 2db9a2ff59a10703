"""A pickle reader that builds arrays and nothing else.

A pickle is a program: whoever wrote it chooses which functions run when it is read. The published CIFAR files
need four; any other name is refused before it is imported.
"""

import io
import pickle
import struct

import numpy as np

# The functions under which NumPy has pickled an array since Python 2.
_ARRAY = {
    (f"numpy.{core}.multiarray", name): getattr(np._core.multiarray, name)
    for core in ("core", "_core")
    for name in ("_reconstruct", "scalar")
}
_ALLOWED = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype} | _ARRAY


def _encode(text, encoding="latin1"):
    """`_codecs.encode`, for the byte strings that Python 2's pickles of arrays hold."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError(f"_codecs.encode: wanted text and latin1, got {encoding!r}")
    return text.encode("latin1")


class _Reader(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("_codecs", "encode"):
            return _encode
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"wanted arrays only, got a call of {module}.{name}")
        return _ALLOWED[module, name]


def load(content, where):
    """The dict that a pickle of arrays, lists, numbers and text holds.

    Parameters
    ----------
    content : bytes
    where : str
        What the messages call the file.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        When the pickle is damaged, holds no dict, or names anything but arrays (the name is given).
    """
    try:
        found = _Reader(io.BytesIO(content), encoding="bytes").load()
    except MemoryError:
        raise ValueError(
            f"{where}: wanted a pickle of arrays, got one that asks for too much memory"
        ) from None
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError,
            OverflowError, UnicodeError, ImportError, struct.error) as error:  # fmt: skip
        raise ValueError(f"{where}: wanted a pickle of arrays, got a bad one: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{where}: wanted a pickled dict, got {type(found).__name__}")
    return found
