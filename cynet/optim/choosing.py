"""Which parameters of a model are trained, and which are pulled towards zero."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from cynet.core.hints import near
from cynet.nn.layer import Layer
from cynet.nn.parameter import Parameter

NORM, BIAS = "norm", "bias"  # what may go without weight decay
SHOWN = 20  # names that one error lists


def decay_groups(model: Layer, without: Iterable[str]) -> list[dict[str, Any]]:
    """A model's parameters in groups for an optimiser: some of them without weight decay.

    Parameters
    ----------
    model : Layer
    without : iterable of {"norm", "bias"}
        "norm": all parameters of layers whose class, or one that it derives from, has Norm in its name;
        "bias": those that are called bias, of any layer.

    Returns
    -------
    list of dict
        In the order of `model.parameters()`: neighbours that are treated alike are a group.
    """
    without, spared = set(_texts("without", without)), set[int]()
    groups: list[dict[str, Any]] = []
    for _, layer in model.walk():
        normalises = any("Norm" in kind.__name__ for kind in type(layer).__mro__)
        for name, parameter in layer._own():
            last = name.rpartition(".")[2]
            if (NORM in without and normalises) or (BIAS in without and last == "bias"):
                spared.add(id(parameter))
    for parameter in model.parameters():
        group: dict[str, Any] = {"weight_decay": 0.0} if id(parameter) in spared else {}
        if not groups or groups[-1].keys() - {"params"} != group.keys():
            groups.append(group | {"params": []})
        groups[-1]["params"].append(parameter)
    return groups


def freeze(model: Layer, patterns: Iterable[str]) -> list[Parameter]:
    """Let the parameters of a model whose paths match a pattern be trained no more.

    A batch norm whose parameters are all frozen stays in evaluation mode, whatever `train` says: it keeps its
    running statistics, and normalises by them.

    Parameters
    ----------
    model : Layer
    patterns : iterable of str
        As of file names: "0.weight", "3.*" (a * goes through dots), "*.bias".

    Returns
    -------
    list of Parameter
        Those that are frozen.

    Raises
    ------
    ValueError
        When a pattern matches nothing, or all of them together match every parameter; none is frozen then.
    """
    patterns, parameters, found = _texts("patterns", patterns), model.parameters(), []
    names = [parameter.name for parameter in parameters]
    for pattern in patterns:
        matches = [p for p in parameters if fnmatchcase(p.name, pattern)]
        if not matches:
            raise ValueError(
                f"freeze: wanted a pattern of parameters, got {pattern!r}, {_meant(pattern, names)}"
            )
        found += [p for p in matches if p not in found]
    if len(found) == len(parameters):
        raise ValueError(
            f"freeze: wanted a parameter left to train, got {','.join(patterns)!r} for all {len(found)}"
        )
    for parameter in found:
        parameter.requires_grad = False
    for _, layer in model.walk():
        own = [parameter.requires_grad for _, parameter in layer._own()]
        if "running_mean" in layer.buffers and own and not any(own):
            layer._still, layer.training = True, False
    return found


def _texts(name: str, value: Any) -> list[str]:
    """A list of texts, or TypeError naming `name`: one text, whose letters would be taken, is none."""
    if isinstance(value, str) or not np.iterable(value):
        raise TypeError(f"{name}: wanted a list of str, got {value!r:.80}")
    found = list(value)
    for i, one in enumerate(found):
        if not isinstance(one, str):
            raise TypeError(f"{name}[{i}]: wanted a str, got {one!r:.80}")
    return found


def _meant(pattern: str, names: list[str]) -> str:
    """What is said of a pattern that matches none of some names."""
    below = f"{pattern}.*"
    if any(fnmatchcase(name, below) for name in names):
        return f"which matches none (did you mean {below!r}?)"
    meant = near(pattern, names)
    hint = f"did you mean {meant!r}? " if meant else ""
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"which matches none ({hint}there are {', '.join(names[:SHOWN])}{more})"
