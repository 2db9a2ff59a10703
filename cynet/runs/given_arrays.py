"""Samples that are no pictures of bytes, as somebody gives them to a model: arrays, and files of them."""

import os

import numpy as np

from cynet.core.files import reason, user_path
from cynet.core.names import printable
from cynet.data.sets import array_files

from .matching import described

WANTED = "wanted arrays, or .npy or .npz files of them"
ENDINGS = ".npy", ".npz"


def is_file(given):
    """Whether somebody gave a .npy or .npz file, or several."""
    paths = [given] if isinstance(given, (str, os.PathLike)) else given
    if not isinstance(paths, (list, tuple)):
        return False
    return bool(paths) and all(
        isinstance(each, (str, os.PathLike)) and os.fspath(each).endswith(ENDINGS) for each in paths
    )


def sources(given, facts):
    """Each sample of what somebody gave.

    Parameters
    ----------
    given : ndarray, path of a .npy or .npz file, or a sequence of these
        An array is one sample, of `facts.kept_shape`, or several of them; where it is neither, its samples
        may have their channels first.
    facts : Facts

    Yields
    ------
    (name, sample)
        ndarray of `facts.kind` and `facts.kept_shape`, or the error where there is none.
    """
    whole = isinstance(given, (str, os.PathLike, np.ndarray)) or not hasattr(given, "__iter__")
    number = 0
    for each in [given] if whole else given:
        name, array = f"sample {number}", each
        if isinstance(each, (str, os.PathLike)):
            name = printable(each)
            try:
                path = user_path(each)
                array = (array_files.samples_in if path.suffix == ".npz" else array_files.mapped)(path)
            except (OSError, ValueError) as error:
                yield name, ValueError(f"{name}: {WANTED}: {reason(error)}")
                number += 1
                continue
        if not isinstance(array, np.ndarray):
            raise TypeError(f"samples: {WANTED}, got {type(array).__name__} {array!r:.60}")
        samples = _samples(array, facts)
        if samples is None:
            wanted = f"wanted {facts.kind} of {described(facts.kept_shape)}, {facts.kept_shape}, or "
            got = f"several of them, got {array.dtype} {array.shape}"
            yield name, ValueError(f"{name}: {wanted}{got}")
            number += 1
            continue
        several = len(samples) > 1 or array.ndim > len(facts.kept_shape)
        for k, sample in enumerate(samples):
            if isinstance(each, np.ndarray):
                yield f"sample {number + k}", sample
            else:
                yield f"{name}[{k}]" if several else name, sample
        number += len(samples)


def _samples(array, facts):
    """The samples in an array, (count, *kept_shape); None where it holds none of the model's."""
    shape = facts.kept_shape
    if array.dtype != facts.kind:
        return None
    if array.shape == shape:
        return array[None]
    if array.shape[1:] == shape:
        return array
    if shape[-1] == 1 and array.shape in (shape[:-1], (len(array), *shape[:-1])):  # without its only channel
        return array.reshape(-1, *shape)
    first = (shape[-1], *shape[:-1])  # as NCHW and NCL keep them
    if len(shape) > 1 and array.shape in (first, (len(array), *first)):
        return np.moveaxis(array.reshape(-1, *first), 1, -1)
    return None


def planar(sample, facts):
    """A sample as a data set keeps it: (channels, height, width)."""
    if len(facts.kept_shape) == 3:
        return np.ascontiguousarray(sample.transpose(2, 0, 1))
    if len(facts.kept_shape) == 2:
        return np.ascontiguousarray(sample.T)[:, None]
    return np.ascontiguousarray(sample)[:, None, None]
