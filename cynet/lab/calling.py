"""One call of a student's function, and whether what it gives is what was asked for: shapes, kinds."""

import numpy as np


class WrongResultError(Exception):
    """What a function gave is no array of the wanted shape; the text says what it is, after "it".

    Parameters
    ----------
    text : str
    of_shape : bool, optional
        Whether it is the shape alone.
    """

    def __init__(self, text, of_shape=False):
        super().__init__(text)
        self.of_shape = of_shape


def called(hole, function, values, language, shapes, fill=0.0):
    """The results of a call, as a list of arrays.

    Parameters
    ----------
    hole : Hole
    function : callable
        The student's.
    values : dict
        A case's values by name.
    language : {"python", "cython"}
        What is written in Cython gets its results as arrays to write to.
    shapes : sequence of tuple of int
        Of the results.
    fill : float, optional
        What is in those arrays before.

    Raises
    ------
    WrongResultError
    """
    arguments = hole.arguments(values)
    if language == "cython":
        outputs = [np.full(shape, fill, each.dtype) for each, shape in zip(hole.gives, shapes, strict=True)]
        function(*arguments, *outputs)
        return outputs
    found = function(*arguments)
    if len(hole.gives) > 1:
        names = ", ".join(each.name for each in hole.gives)
        if not isinstance(found, tuple) or len(found) != len(hole.gives):
            raise WrongResultError(f"returns {_kind(found)}: wanted {len(hole.gives)} arrays, return {names}")
    else:
        found = (found,)
    return [_checked(each, one, shape) for each, one, shape in zip(hole.gives, found, shapes, strict=True)]


def _checked(value, found, shape):
    wanted = f"wanted {value.name}, an array of shape {_told(shape)} ({value.shape})"
    if found is None:
        raise WrongResultError(f"returns None: {wanted} (is the return missing?)")
    if not isinstance(found, np.ndarray):
        raise WrongResultError(f"returns {_kind(found)}: {wanted}")
    if found.dtype.kind not in "fiub":
        raise WrongResultError(f"returns an array of {found.dtype}: wanted {value.name} of {value.dtype}")
    if found.shape != shape:
        text = f"returns an array of shape {_told(found.shape)}: {wanted}{_compared(found.shape, shape)}"
        raise WrongResultError(text, of_shape=True)
    return found.astype(np.float64 if found.dtype.kind == "f" else np.int64)


def _compared(found, wanted):
    """What a shape is, beside the wanted one; "" where that says nothing."""
    if np.prod(found, dtype=int) == np.prod(wanted, dtype=int):
        return ", as many numbers in another shape"
    if _within(wanted, found):
        more = len(found) - len(wanted)
        return ": one axis is not summed" if more == 1 else f": {more} axes are not summed"
    return ": an axis too many is summed" if _within(found, wanted) else ""


def _within(short, long):
    """Whether a shape is another one without some of its axes."""
    left = iter(long)
    return len(short) < len(long) and all(any(size == each for each in left) for size in short)


def _kind(found):
    if isinstance(found, (tuple, list)):
        return f"a {type(found).__name__} of {len(found)}"
    return "None" if found is None else f"a {type(found).__name__}"


def _told(shape):
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
