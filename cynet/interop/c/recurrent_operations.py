"""Entries of the table of operations: those on texts."""

from __future__ import annotations

import numpy as np

from cynet.interop.program.steps import Step

from .operations import operation
from .unit import Unit
from .window_operations import dense_fields

SCRATCH = {"gru": 7, "lstm": 6}  # numbers of a unit that the kernels work in


@operation("embedding", dtypes=("int64",))
def _embedding(unit: Unit, step: Step) -> None:
    unit.need("embedding")
    weight = step.arrays["weight"]
    ends = unit.get(step.inputs[0]), unit.get(step.output)
    unit.call("embedding", *ends, unit.size(step.inputs[0]), *weight.shape, unit.array("weight", weight))


@operation("gru", "lstm")
def _recurrent(unit: Unit, step: Step) -> None:
    unit.need("vectors", "bounds", "dense", "logistic", step.operation)
    length, units = unit.shape(step.output)
    products = []
    for name in ("input", "state"):
        terms = {"weight": step.arrays[name], "bias": step.arrays[f"{name}_bias"]}
        laid = terms["weight"].T[None, None]
        products.append(unit.struct("dense", dense_fields(unit, terms["bias"], laid, (-np.inf, np.inf))))
    scratch = unit.scratch(SCRATCH[step.operation] * units)
    ends = unit.get(step.inputs[0]), unit.get(step.output)
    unit.call(step.operation, *products, *ends, length, units, scratch)
