"""check_gradients: whether a layer's backward is the derivative of its forward, for who writes a layer.

Design: the sum of dy * forward(a + t v), with a random v and a random dy, is a function of the number t. Its
derivative at 0 is the sum of v * (the gradient that backward gives), which is compared with differences of
float32 outputs. What is sound about that:

- Central differences at t = +-h and +-h/2 are extrapolated to h = 0 (Richardson), output by output in double,
  with the steps that float32 really took.
- The error is not guessed but measured: how far the two differences are apart (truncation), how much the
  slopes to both sides differ beyond a smooth function's (a corner, as ReLU's), and how much the outputs
  change when the numbers are moved by their last bit (rounding, divided by h). The h of a ladder at which all
  together are least is taken.
- Outputs at a corner have no derivative: where that are few of them, dy is 0 there.
- dy being random and independent of these errors, their sum is no more than 5 times the root of the sum of
  their squares.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from cynet.core import checks, random
from cynet.core.types import AnyArray, Array, Shape

from .layer import Layer
from .parameter import Parameter

STEPS = tuple(2.0**-k for k in range(3, 11))  # parts of an array's root mean square
SIGMAS = 5
JUMP = 0.02  # of the derivative: what is further off is at a kink
ROUGH = 0.1  # of the derivative: where more is allowed, little is told
EPSILON = float(np.finfo(np.float32).eps)
Target = Parameter | int  # what is moved: a parameter, or the input of this number


@dataclass(frozen=True)
class Checked:
    """One array: its name, shape, and the greatest difference over the directions.

    Attributes
    ----------
    difference, allowed : float
        Between backward and differences, and what rounding and truncation explain; both as parts of the
        derivative's size.
    problem : str
        What is wrong, or "".
    """

    name: str
    shape: Shape
    difference: float
    allowed: float
    problem: str = ""

    @property
    def verdict(self) -> str:
        """The problem, "ok", or "rough" where more than a tenth is allowed: there are corners everywhere."""
        return self.problem or ("rough" if self.allowed > ROUGH else "ok")


@dataclass(frozen=True)
class GradientCheck:
    """What `check_gradients` found; `str` of it is a table.

    Attributes
    ----------
    rows : tuple of Checked
        The input, or each of several ("input 0", ...), but integers; then the parameters by their names.
    """

    rows: tuple[Checked, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not any(row.problem for row in self.rows)

    def __str__(self) -> str:
        cells = [("array", "shape", "difference", "allowed", "")]
        cells += [
            (r.name, str(r.shape), f"{r.difference:.1e}", f"{r.allowed:.1e}", r.verdict) for r in self.rows
        ]
        widths = [max(len(row[i]) for row in cells) for i in range(5)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])

    __repr__ = __str__


def check_gradients(
    layer: Layer, x: Array | tuple[Array, ...], projections: int = 3, seed: int = 0
) -> GradientCheck:
    """Compare a layer's backward with finite differences of its forward.

    In the mode in which it is (training or evaluation). Afterwards its parameters, gradients, buffers and the
    random numbers are what they were.

    Parameters
    ----------
    layer : Layer
        One layer, or a model; each array takes some 20 forward passes a direction. A deep net with ReLUs has
        corners everywhere, at which there is no derivative: of it little can be told but by its parts.
    x : ndarray of float32, or of integers
        An input with values such as it will meet; for a layer that takes several a tuple, or list, of them.
    projections : int, optional
        Random directions in which each array is moved. Each finds a wrong entry unless it is a lucky one.
    seed : int, optional
        Of the directions.

    Returns
    -------
    GradientCheck
        Prints as a table; `.ok` says whether all is right.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind; when forward gives other results for the same input, results
        that are not finite, or changes its input; when backward changes dy.

    Examples
    --------
    >>> found = cynet.check_gradients(Scale(8), x)
    >>> assert found.ok, found
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"layer: wanted a Layer, got {layer!r:.80}")
    several = isinstance(x, (tuple, list)) and len(x) > 1
    names = [f"x[{i}]" for i in range(len(x))] if several else ["x"]
    given = zip(names, x if several else (x,), strict=True)
    xs = [checks.float_array(name, one, taker=layer).copy() for name, one in given]
    projections = checks.integer("projections", projections, 1, 1000)
    key = [checks.integer("seed", seed, 0, 2**63 - 1), random.DIRECTIONS]
    rng = np.random.Generator(np.random.Philox(key=key))
    with _Passes(layer, xs) as passes:
        arrays: list[Any] = [(f"input {i}" if several else "input", one, i) for i, one in enumerate(xs)]
        arrays = [one for one in arrays if one[1].dtype.kind == "f"]  # there is no gradient to integers
        arrays += [(p.name or "parameter", p.data, p) for p in layer.parameters()]
        found = (_checked(passes, name, array, of, projections, rng) for name, array, of in arrays)
        return GradientCheck(tuple(found))


class _Passes:
    """Passes through a layer that all begin in the same state; a context that puts everything back."""

    def __init__(self, layer: Layer, xs: list[Array]) -> None:
        self.layer, self.xs, self.parameters = layer, xs, layer.parameters()

    def __enter__(self) -> _Passes:
        for parameter in self.parameters:
            parameter.require_open()
        layer, known = self.layer, {id(p.data) for p in self.parameters}  # one may have several names
        self.random, self.input_grad = random.get_state(), layer.input_grad
        self.state, self.grads = layer.state_dict(), [p.grad.copy() for p in self.parameters]
        live = layer._state().items()
        self.buffers = {name: self.state[name] for name, (array, _) in live if id(array) not in known}
        layer.input_grad = True
        return self

    def __exit__(self, *_: object) -> None:
        self.layer.load_state_dict(self.state)
        for parameter, grad in zip(self.parameters, self.grads, strict=True):
            parameter.grad = grad
        random.set_state(self.random)
        self.layer.input_grad = self.input_grad

    def forward(self, xs: list[Array] | None = None) -> AnyArray:
        """The output, float64, for the parameters as they are."""
        random.set_state(self.random)
        if self.buffers:
            for name, (array, _) in self.layer._state().items():
                if name in self.buffers and array.flags.writeable:
                    array[...] = self.buffers[name]
        with _named(f"{type(self.layer).__name__}.forward changes its input"):
            found = self.layer(*map(_frozen, self.xs if xs is None else xs))
        if isinstance(found, tuple):
            raise ValueError(f"layer: wanted one output, got {len(found)} of {type(self.layer).__name__}")
        y = np.array(found, np.float64)
        if not np.isfinite(y).all():
            raise ValueError(
                f"{type(self.layer).__name__}.forward: wanted finite results, got NaN or infinity"
            )
        return y

    def moved(self, target: Target, value: Array, xs: list[Array] | None = None) -> AnyArray:
        """The output where an input or a parameter has another value."""
        if isinstance(target, int):
            xs = list(self.xs if xs is None else xs)
            xs[target] = value
            return self.forward(xs)
        before = target.data.copy()
        target.data[...] = value
        try:
            return self.forward(xs)
        finally:
            target.data[...] = before

    def gradient(self, target: Target, dy: Array) -> tuple[Any, str]:
        """(the gradient with respect to an input or a parameter, what is wrong with it or "")."""
        twice: list[Any] = []
        for parameter in self.parameters:
            parameter.zero_grad()
        for _ in range(2):  # gradients of parameters add up
            self.forward()
            with _named(f"{type(self.layer).__name__}.backward changes dy"):
                dx = self.layer.backward(_frozen(dy))
            twice.append(dx if isinstance(target, int) else target.grad.astype(np.float64))
        if not isinstance(target, int):
            once, both = twice
            added = np.allclose(both, 2 * once, rtol=1e-3, atol=1e-5 * np.abs(once).max(initial=0))
            return once, "" if added else "wrong: backward sets .grad, where it should add to it"
        if len(self.xs) > 1:
            if not isinstance(dx, tuple) or len(dx) != len(self.xs):
                got = f"{len(dx)} gradients" if isinstance(dx, tuple) else type(dx).__name__
                return None, f"wrong: backward returned {got} to {len(self.xs)} inputs"
            dx = dx[target]
        if not isinstance(dx, np.ndarray) or dx.shape != self.xs[target].shape:
            got = f"shape {dx.shape}" if isinstance(dx, np.ndarray) else type(dx).__name__
            return None, f"wrong: backward returned {got}"
        return dx.astype(np.float64), ""


@contextmanager
def _named(problem: str) -> Iterator[None]:
    """Say in words what NumPy calls a read-only destination."""
    try:
        yield
    except ValueError as error:
        if "read-only" in str(error):
            raise ValueError(f"{problem}, which belongs to others: {error}") from error
        raise


def _frozen(array: AnyArray) -> Array:
    array = np.array(array, array.dtype if array.dtype.kind in "iu" else np.float32, order="C")
    array.flags.writeable = False
    return array


def _checked(
    passes: _Passes,
    name: str,
    array: AnyArray,
    target: Target,
    projections: int,
    rng: Any,
) -> Checked:
    """The `Checked` of one array."""
    found = [_compared(passes, array.copy(), target, rng) for _ in range(projections)]
    difference, allowed, problem = max(found, key=lambda one: (bool(one[2]), one[0] / max(one[1], 1e-300)))
    return Checked(name, array.shape, difference, allowed, problem)


def _compared(passes: _Passes, base: AnyArray, target: Target, rng: Any) -> tuple[float, float, str]:
    """(difference, what is allowed, problem) in one direction."""
    v = (rng.standard_normal(base.shape) * (_mean(base) or 1.0)).astype(np.float32)
    y = passes.moved(target, base)
    if y.size == 0 or base.size == 0:
        return 0.0, 0.0, ""
    if not np.array_equal(y, passes.moved(target, base)):
        raise ValueError(f"{type(passes.layer).__name__}.forward: wanted the same result twice, got two")
    noise = _noise(passes, base, target, y, rng)
    slope, error, jumps, along = _slope(passes, base, target, v, y, noise)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    dy[jumps] = 0
    gradient, problem = passes.gradient(target, dy)
    if problem:
        return np.inf, 0.0, problem
    parts = gradient * along
    difference = abs(np.vdot(dy, slope) - parts.sum())
    allowed = SIGMAS * _norm(dy * error) + 32 * EPSILON * _norm(parts)
    scale = max(_norm(dy * slope), 1e-3 * _norm(dy * y), 1e-300)
    return float(difference / scale), allowed / scale, "" if difference <= allowed else "wrong"


def _noise(passes: _Passes, base: AnyArray, target: Target, y: AnyArray, rng: Any) -> AnyArray:
    """How far rounding moves each output: the array, and the inputs too, by the last bit of their numbers."""
    found = EPSILON * np.abs(y)
    for _ in range(3):
        moved, *xs = (
            array * (1 + EPSILON * rng.uniform(-1, 1, array.shape)).astype(np.float32)
            if array.dtype.kind == "f"
            else array
            for array in (base, *passes.xs)
        )
        found = np.maximum(found, np.abs(passes.moved(target, moved, xs) - y))
    return found


def _slope(passes: _Passes, base: AnyArray, target: Target, v: Array, y: AnyArray, noise: AnyArray) -> Any:
    """(derivative of each output along v, its error, the v that was taken, which outputs jump)."""
    best: Any = None
    before: Any = None
    for h in STEPS:
        up, down = base + np.float32(h) * v, base - np.float32(h) * v
        above, below = passes.moved(target, up), passes.moved(target, down)
        along = (up.astype(np.float64) - down) / (2 * h)
        now = np.array([(above - below) / (2 * h), (above - 2 * y + below) / (2 * h)]), along
        if before is not None:
            found = *_extrapolated(before[0], now[0], noise / h), (4 * along - before[1]) / 3
            best = found if best is None or found[0] < best[0] else best
        before = now
    return best[1:]


def _extrapolated(wide: AnyArray, narrow: AnyArray, rounding: AnyArray) -> Any:
    """(cost, derivative, its error, which outputs jump) of slopes and bends at +-2h and +-h."""
    (slope, bend), apart = narrow, np.abs(narrow[0] - wide[0])
    derivative = (4 * slope - wide[0]) / 3
    corner = np.abs(2 * bend - wide[1])  # of what is smooth the bend is as large as the step
    jumps = np.maximum(apart, corner) > JUMP * (np.abs(derivative) + _mean(derivative)) + 10 * rounding
    if jumps.mean() > 0.5:  # all are near one: none can be left out
        jumps[...] = False
    error = np.sqrt(apart**2 + corner**2 + rounding**2)
    return _norm(error[~jumps]) + JUMP * _norm(derivative) * jumps.mean(), derivative, error, jumps


def _mean(array: AnyArray) -> float:
    """The root of the mean square; 0 of nothing."""
    return _norm(array) / sqrt(max(1, array.size))


def _norm(array: AnyArray) -> float:
    return float(np.sqrt(np.square(array, dtype=np.float64).sum()))
