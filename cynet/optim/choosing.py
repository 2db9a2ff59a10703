"""Which parameters of a model are trained, and which are pulled towards zero."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from cynet.core import checks
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


def rate_groups(
    groups: Iterable[Mapping[str, Any]], factors: Mapping[str, float], weight_decay: float
) -> list[dict[str, Any]]:
    """Groups of parameters, some of them with a greater or smaller rate, for an optimiser whose own is 1.

    Their weight decay is divided by their factor: what it takes of a parameter in a step stays.

    Parameters
    ----------
    groups : iterable of dict
        As `decay_groups` gives them.
    factors : dict of str to float
        By pattern of paths, as `freeze` takes them: what the rate is multiplied by, above 0. Where several
        match, the last one counts.
    weight_decay : float
        The optimiser's.

    Returns
    -------
    list of dict
        In the order of the parameters, neighbours that are treated alike are a group: "params", "lr", the
        factor, and "weight_decay".

    Raises
    ------
    TypeError, ValueError
        When a factor is none, or a pattern matches nothing.
    """
    factors = {name: checks.number("lr_factor", one, 0, open_low=True) for name, one in factors.items()}
    decays = [(p, group.get("weight_decay", weight_decay)) for group in groups for p in group["params"]]
    of = dict.fromkeys((parameter.name for parameter, _ in decays), 1.0)
    for pattern, factor in factors.items():
        of.update(dict.fromkeys(_matching("lr_factor", pattern, list(of)), factor))
    found: list[dict[str, Any]] = []
    for parameter, decay in decays:
        factor = of[parameter.name]
        own = {"lr": factor, "weight_decay": decay / factor}
        if not found or {name: found[-1][name] for name in own} != own:
            found.append(own | {"params": []})
        found[-1]["params"].append(parameter)
    return found


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
    patterns, parameters = _texts("patterns", patterns), model.parameters()
    names = [parameter.name for parameter in parameters]
    matches = {name for pattern in patterns for name in _matching("freeze", pattern, names)}
    found = [parameter for parameter in parameters if parameter.name in matches]
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


class Freezing:
    """Freezes parameters of a model when a training has come so far.

    Parameters
    ----------
    model : Layer
    after : dict of str to int
        By pattern of paths, as `freeze` takes them: after how many epochs, at least 1.

    Raises
    ------
    TypeError, ValueError
        When a number is none, a pattern matches nothing, or nothing would be left to train.
    """

    def __init__(self, model: Layer, after: Mapping[str, int]) -> None:
        self.model = model
        self.after = {name: checks.integer("freeze_after", epochs, 1) for name, epochs in after.items()}
        left = [parameter.name for parameter in model.parameters() if parameter.requires_grad]
        gone = {name for pattern in self.after for name in _matching("freeze_after", pattern, left)}
        if gone and len(gone) == len(left):
            raise ValueError(
                f"freeze_after: wanted a parameter left to train, got {','.join(self.after)!r} for all "
                f"{len(left)} that are"
            )

    def __call__(self, epochs: int) -> None:
        """Freeze what is due after so many epochs."""
        due = [pattern for pattern, after in self.after.items() if epochs >= after]
        if due:
            self.after = {name: after for name, after in self.after.items() if name not in due}
            freeze(self.model, due)


def _matching(argument: str, pattern: str, names: list[str]) -> list[str]:
    """The names that a pattern matches, or ValueError naming the argument where there is none."""
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        wanted = f"{argument}: wanted a pattern of parameters, got {pattern!r}"
        raise ValueError(f"{wanted}, {_meant(pattern, names)}")
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
