"""Curves: of each what C computes, and the calls."""

from __future__ import annotations

from collections.abc import Mapping

from cynet.interop.program.steps import Step

from . import literals
from .unit import Unit, kernel

CURVES = {  # of a
    "relu": "a < 0.0f ? 0.0f : a",
    "relu6": "a < 0.0f ? 0.0f : a > 6.0f ? 6.0f : a",
    "leaky_relu": "a > 0.0f ? a : slope * a",
    "elu": "a > 0.0f ? a : alpha * expm1f(a)",
    "gelu": "0.5f * a * erfcf(-0.70710678f * a)",
    "silu": "a / (1.0f + expf(-a))",
    "sigmoid": "1.0f / (1.0f + expf(-a))",
    "tanh": "tanhf(a)",
    "hardsigmoid": "(a < -3.0f ? 0.0f : a > 3.0f ? 6.0f : a + 3.0f) / 6.0f",
    "hardswish": "a * ((a < -3.0f ? 0.0f : a > 3.0f ? 6.0f : a + 3.0f) / 6.0f)",
    "softplus": "beta * a > threshold ? a : (fmaxf(beta * a, 0.0f) + log1pf(expf(-fabsf(beta * a)))) / beta",
}


def curve(unit: Unit, kind: str, x: str, y: str, size: int, numbers: Mapping[str, float]) -> None:
    """A call of a curve."""
    parameters = "".join(f", float {name}" for name in numbers)
    texts = {"kind": f"curve_{kind}", "parameters": parameters, "expression": CURVES[kind]}
    unit.made(f"curve_{kind}", literals.Template(kernel("curve")).substitute(texts))
    unit.call(f"curve_{kind}", x, y, size, *map(float, numbers.values()))


def follow(unit: Unit, step: Step) -> None:
    """The curve after a step, where it is none of those that bounds are."""
    if step.after and step.after["kind"] not in ("relu", "relu6"):
        numbers = {name: value for name, value in step.after.items() if name != "kind"}
        y = unit.get(step.output)
        curve(unit, step.after["kind"], y, y, unit.size(step.output), numbers)
