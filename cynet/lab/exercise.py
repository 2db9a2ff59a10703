"""What an exercise is made of: holes, what they take and give, their twins and the mistakes that people
make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FLOAT, INT = "float", "int"  # elements of arrays
WHOLE, NUMBER = "whole", "number"  # what is no array
LIMIT = 1e-5  # of an error, times the square root of the length of the sum
LANGUAGES = {"python": ".py", "cython": ".pyx"}
SEED = 21
TIPS = (
    "`x.sum(axis=1)` sums along an axis, `x.sum(axis=(0, 2))` along several at once.",
    "`v[:, None]` puts an axis in, so that a number for each row meets all of its columns (broadcasting).",
)


@dataclass(frozen=True)
class Value:
    """An argument of a hole, or a result.

    Attributes
    ----------
    name : str
    shape : str
        In words, "rows, groups * n"; "" of what is no array.
    kind : {"float", "int", "whole", "number"}
        Of its elements, or of itself.
    """

    name: str
    shape: str = ""
    kind: str = FLOAT

    @property
    def dimensions(self):
        return self.shape.count(",") + 1 if self.shape else 0

    @property
    def dtype(self):
        return np.dtype(np.int32 if self.kind == INT else np.float32)

    def __str__(self):
        if not self.shape:
            return f"{self.name}: {'a whole number' if self.kind == WHOLE else 'a number'}"
        comma = "," if self.dimensions == 1 else ""
        return f"{self.name}: {'int32' if self.kind == INT else 'float32'} array ({self.shape}{comma})"


def array(name, shape):
    """A float32 array among a hole's values."""
    return Value(name, shape)


def whole_numbers(name, shape):
    """An int32 array among a hole's values."""
    return Value(name, shape, INT)


def whole(name):
    """A whole number among a hole's arguments."""
    return Value(name, kind=WHOLE)


def number(name):
    """A number among a hole's arguments."""
    return Value(name, kind=NUMBER)


@dataclass(frozen=True)
class Mistake:
    """A mistake that people make in one hole.

    Attributes
    ----------
    key : str
        A word or two for it, the exercise's own.
    hint : str
        What to tell who made it.
    wrong : callable
        A twin that makes it: a function of the hole's arguments, by name. What a student's function gives
        equals this where it is the same mistake.
    """

    key: str
    hint: str
    wrong: Callable[..., Any]


@dataclass(frozen=True)
class Hole:
    """A function that is to be written.

    Attributes
    ----------
    name : str
    takes, gives : tuple of Value
        In Cython what it gives are further arguments, arrays to write to.
    text : str
        What it computes: the formula.
    twin : callable
        The same in float64, a function of the arguments by name; one array, or a tuple.
    terms : callable
        Of the same arguments: the length of the longest sum.
    mistakes : tuple of Mistake
    slope : callable or None
        Of a gradient: from the arguments a (function of an array to a number, the array at which this gives
        its gradient, as finite differences see it).
    scale : callable or None
        How large what is added up to each element is, where this is more than the result; of the same
        arguments.
    """

    name: str
    takes: tuple[Value, ...]
    gives: tuple[Value, ...]
    text: str
    twin: Callable[..., Any]
    terms: Callable[..., int]
    mistakes: tuple[Mistake, ...] = ()
    slope: Callable[..., Any] | None = None
    scale: Callable[..., Any] | None = None

    def arguments(self, values):
        """The arguments, in order, of a case's values by name."""
        return [values[each.name] for each in self.takes]

    def computed(self, function, values):
        """What a twin gives for a case: a tuple of float64 (or int64) arrays."""
        found = function(**{each.name: _wide(values[each.name]) for each in self.takes})
        found = found if isinstance(found, tuple) else (found,)
        return tuple(np.asarray(each) for each in found)

    def allowed(self, values, wanted):
        """The error that is allowed of each element of each result."""
        given = {each.name: _wide(values[each.name]) for each in self.takes}
        limit = LIMIT * max(1, self.terms(**given)) ** 0.5
        largest = (np.abs(each).max(initial=0, where=np.isfinite(each)) for each in wanted)
        scales = (self.scale(**given),) if self.scale else largest
        return [limit * np.maximum(1, scale) for scale in scales]

    def signature(self, language):
        """The line that begins the function in a student's file."""
        if language == "python":
            return f"def {self.name}({', '.join(each.name for each in self.takes)}):"
        typed = [_typed(each) for each in self.takes] + [_typed(each, given=True) for each in self.gives]
        line = f"def {self.name}({', '.join(typed)}):"
        if len(line) <= 100:
            return line
        rows, row = [], ""
        for each in typed:
            if row and len(row) + len(each) > 90:
                rows, row = [*rows, row], ""
            row += f"{each}, "
        lines = "".join(f"        {each.rstrip()}\n" for each in [*rows, row.rstrip(", ")])
        return f"def {self.name}(\n{lines}):"


@dataclass(frozen=True)
class DrawnCase:
    """What the holes are tried with once.

    Attributes
    ----------
    sizes : mapping of str to int
        By which it is told: "rows 2, groups 1, n 3".
    values : dict
        Every argument of every hole by its name; arrays are read-only.
    """

    sizes: Mapping[str, int]
    values: Mapping[str, Any]

    @property
    def telling(self):
        """Whether the sizes differ all, so that an axis is known by its length."""
        sizes = set(self.sizes.values())
        return len(self.sizes) == 1 or (len(sizes) == len(self.sizes) and 1 not in sizes)

    def __str__(self):
        return ", ".join(f"{name} {size}" for name, size in self.sizes.items())


@dataclass(frozen=True)
class Exercise:
    """An exercise.

    Attributes
    ----------
    name : str
    holes : tuple of Hole
    sizes : sequence of tuple of int
        Those that the holes are tried with, small ones first.
    named : tuple of str
        What the numbers of a size are called.
    draw : callable
        Of (sizes by name, a NumPy generator): the arguments of all holes by name.
    large : tuple of int
        A size at which a race of threads shows.
    given : dict of str to str
        By language, what stands above the holes.
    tips : sequence of str
        What of NumPy helps.
    """

    name: str
    holes: tuple[Hole, ...]
    named: tuple[str, ...]
    sizes: Sequence[tuple[int, ...]]
    draw: Callable[..., dict[str, Any]]
    large: tuple[int, ...]
    given: Mapping[str, str] = field(default_factory=dict)
    tips: Sequence[str] = TIPS

    @property
    def stem(self):
        """The name of the student's file, without its ending."""
        return self.name.replace("-", "_")

    def hole(self, name):
        return next(each for each in self.holes if each.name == name)

    def case(self, numbers, seed=0):
        """A `DrawnCase` of such sizes; drawn by them and the seed, always the same."""
        sizes = dict(zip(self.named, numbers, strict=True))
        values = self.draw(sizes, np.random.default_rng([SEED, seed, *numbers]))
        return DrawnCase(sizes, {name: _frozen(value) for name, value in values.items()})

    def cases(self):
        """Those that a check tries, small ones first."""
        for numbers in self.sizes:
            yield self.case(numbers)


def _wide(value):
    if not isinstance(value, np.ndarray):
        return value
    return value.astype(np.int64 if value.dtype.kind == "i" else np.float64)


def _frozen(value):
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value, np.int32 if value.dtype.kind == "i" else np.float32)
        value.flags.writeable = False
    return value


def _typed(value, given=False):
    if not value.shape:
        return f"{'Py_ssize_t' if value.kind == WHOLE else 'float'} {value.name}"
    element = "int" if value.kind == INT else "float"
    places = ", ".join([":"] * (value.dimensions - 1) + ["::1"])
    return f"{'' if given else 'const '}{element}[{places}] {value.name} not None"
