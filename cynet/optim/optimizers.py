"""Optimisers. Each holds the parameters, in groups, one learning rate, and its own buffers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from cynet.core import checks, threads
from cynet.core.types import Array, Shape, State
from cynet.kernels.optim import optim as kernels
from cynet.nn.parameter import Parameter

Params = Iterable[Parameter] | Iterable[Mapping[str, Any]]
RATIOS = "lr_ratios"  # in states, where a group has a rate of its own
OWN = "params", "lr", "weight_decay"  # what a group may say


class Optimizer:
    """Base of the optimisers.

    A parameter whose `requires_grad` is False is passed over: neither it nor its buffers change.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        Each parameter once; at least one. In groups, as in PyTorch: dicts with "params", and where wanted
        "lr" and "weight_decay" in place of those of all. A group's own rate is kept as its ratio to `lr`, so
        that it follows when `lr` is set, by a schedule or by hand.
    lr : float
        At least 0.
    weight_decay : float
        At least 0.
    buffers : tuple of str
        The names of the arrays, zeros at first, that are kept for each parameter.

    Attributes
    ----------
    lr : float
        May be set before any step.
    params : list of Parameter
        Of all groups, in order.
    groups : list of dict
        Each {"params": a list, "ratio": of its rate to `lr`, "weight_decay": its own, or None}.
    steps : int
        How many were taken.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or a parameter comes twice.
    """

    spare: tuple[str, ...] = ()  # what a state may lack: it is 0 then

    def __init__(self, params: Params, lr: float, weight_decay: float, buffers: tuple[str, ...]) -> None:
        self.lr = lr
        self.weight_decay = checks.number("weight_decay", weight_decay, 0)
        self.groups, own_rates = _groups(params, self.lr)
        self.params = _each_once([p for group in self.groups for p in group["params"]])
        self._ratios = np.array([group["ratio"] for group in self.groups]) if own_rates else None
        self.steps = 0
        self._names = buffers
        self._buffers = [[np.zeros_like(p.data) for _ in buffers] for p in self.params]
        self._bind()

    def _bind(self) -> None:
        """Put the parameters that are trained into tables, one of all that are stepped alike."""
        self._require_open()
        self._trained, self._sealings = [p.requires_grad for p in self.params], Parameter.sealings
        rows: dict[tuple[Any, ...], list[tuple[Array, ...]]] = {}
        of = [group for group in self.groups for _ in group["params"]]
        for index, group in enumerate(of):
            if self._trained[index]:
                alike = group["ratio"], group["weight_decay"], self._skipped(index)
                rows.setdefault(alike, []).append(self._arrays(index))
        # Parameters never move in memory but to be sealed, so these views stay theirs.
        self._tables = [(alike, kernels.ParameterTable(table)) for alike, table in rows.items()]

    def _require_open(self) -> None:
        """Raise ValueError where a parameter that is to be trained can never change."""
        for parameter in self.params:
            if parameter.requires_grad:
                parameter.require_open()

    def _arrays(self, index: int) -> tuple[Array, ...]:
        parameter = self.params[index]
        return tuple(a.reshape(-1) for a in (parameter.data, parameter.grad, *self._buffers[index]))

    def _skipped(self, index: int) -> int:
        """The steps that a parameter was passed over in, where they count."""
        return 0

    def _stepped(self) -> Iterator[tuple[Any, float, float, int]]:
        """(table, learning rate, weight decay, steps passed over) of the parameters that are trained."""
        trained = [p.requires_grad for p in self.params]
        if trained != self._trained or self._sealings != Parameter.sealings:
            self._bind()
        for (ratio, decay, skipped), table in self._tables:
            yield table, self._lr * ratio, self.weight_decay if decay is None else decay, skipped

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_tables"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._bind()  # to the copies

    @property
    def lr(self) -> float:
        """The learning rate; ValueError where it is set to less than 0."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = checks.number("lr", value, 0)

    def zero_grad(self) -> None:
        """Set every parameter's gradient to zero."""
        for _, table in self._tables:
            table.zero_grad()
        for parameter, trained in zip(self.params, self._trained, strict=True):
            if not trained:
                parameter.zero_grad()

    def step(self) -> None:
        """Update every parameter from its gradient."""
        raise TypeError(f"{type(self).__name__} defines no step()")

    def _state(self) -> State:
        """The live arrays by name."""
        state = {
            f"{index}.{name}": array
            for index, own in enumerate(self._buffers)
            for name, array in zip(self._names, own, strict=True)
        }
        return state if self._ratios is None else state | {RATIOS: self._ratios}

    def state_dict(self) -> State:
        """Copies of all that a later `load_state_dict` needs to go on exactly.

        Returns
        -------
        dict of str to ndarray
            "lr" (float64) and "steps" (int64), both of shape (), and each buffer as "index.name" with the
            index of its parameter; where a group has a rate of its own also "lr_ratios", one of each group.
        """
        state = {"lr": np.array(self.lr), "steps": np.array(self.steps, np.int64)}
        return state | {name: array.copy() for name, array in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned, or change nothing.

        Raises
        ------
        ValueError
            Listing every missing, unexpected and differently shaped entry at once.
        """
        own = self._state()
        wanted: dict[str, Shape] = {"lr": (), "steps": ()} | {
            name: array.shape for name, array in own.items()
        }
        problems = [f"missing: {name}" for name in wanted if name not in state and name not in self.spare]
        problems += [f"unexpected: {name}" for name in state if name not in wanted]
        arrays = {name: np.asarray(state[name]) for name in wanted if name in state}
        for name, array in arrays.items():
            if array.shape != wanted[name]:
                problems.append(f"shape of {name}: wanted {wanted[name]}, got {array.shape}")
            elif array.dtype.kind not in "fiu":
                problems.append(f"dtype of {name}: wanted real numbers, got {array.dtype}")
        if problems:
            raise ValueError("state does not fit the optimiser: " + "; ".join(problems))
        steps = checks.integer("steps", arrays["steps"][()], 0, 2**63 - 1)
        self._refuse(arrays)
        self._require_open()
        self.lr = float(arrays["lr"][()])
        self.steps = steps
        for name, live in own.items():
            live[...] = arrays.get(name, 0)
        for group, ratio in zip(self.groups, arrays.get(RATIOS, ()), strict=False):
            group["ratio"] = float(ratio)
        self._bind()

    def _refuse(self, arrays: State) -> None:
        """Raise an error where an array of a state, which fits by name and shape, holds what it cannot."""
        for ratio in arrays.get(RATIOS, ()):
            checks.number(RATIOS, ratio, 0)


def _groups(params: Any, lr: float) -> tuple[list[dict[str, Any]], bool]:
    """(the groups, whether one of them has a rate of its own) of what an optimiser was given."""
    params = _listed("params", params)
    if not any(isinstance(each, Mapping) for each in params):
        return [{"params": params, "ratio": 1.0, "weight_decay": None}], False
    return [_group(f"params[{i}]", each, lr) for i, each in enumerate(params)], any("lr" in g for g in params)


def _listed(name: str, params: Any) -> list[Any]:
    if isinstance(params, (Parameter, Mapping, str)) or not np.iterable(params):
        raise TypeError(f"{name}: wanted a list of parameters, got {type(params).__name__}")
    return list(params)


def _group(name: str, given: Any, lr: float) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise TypeError(f"{name}: wanted a dict with params, as another one is, got {type(given).__name__}")
    if "params" not in given or not given.keys() <= set(OWN):
        raise ValueError(f"{name}: wanted params and perhaps {' and '.join(OWN[1:])}, got {[*given]!r:.80}")
    own = {key: checks.number(f"{name}[{key!r}]", given[key], 0) for key in OWN[1:] if key in given}
    if own.get("lr") and not lr:
        raise ValueError(f"{name}['lr']: wanted none beside a rate lr of 0, to which it has no ratio")
    ratio = own["lr"] / lr if own.get("lr") else float("lr" not in own)
    params = _listed(f"{name}['params']", given["params"])
    return {"params": params, "ratio": ratio, "weight_decay": own.get("weight_decay")}


def _each_once(params: list[Any]) -> list[Parameter]:
    seen: set[int] = set()
    if not params:
        raise ValueError("params: wanted at least one parameter, got none")
    for index, parameter in enumerate(params):
        if not isinstance(parameter, Parameter):
            raise TypeError(f"params[{index}]: wanted a Parameter, got {type(parameter).__name__}")
        if id(parameter) in seen:
            raise ValueError(f"params[{index}]: wanted each parameter once, got {parameter!r} again")
        seen.add(id(parameter))
    return params


class SGD(Optimizer):
    """Stochastic gradient descent, as PyTorch's.

    d = grad + weight_decay * data; v = momentum * v + d; data -= lr * v, or with Nesterov's momentum
    (Sutskever et al. 2013) data -= lr * (d + momentum * v).

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        Groups: see `Optimizer`.
    lr : float
    momentum, weight_decay : float, optional
        At least 0.
    nesterov : bool, optional
        Needs a momentum.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or `nesterov` comes without a momentum.
    """

    def __init__(
        self,
        params: Params,
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        self.momentum = checks.number("momentum", momentum, 0)
        self.nesterov = checks.flag("nesterov", nesterov)
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov: wanted a momentum above 0 with it, got momentum 0")
        super().__init__(params, lr, weight_decay, ("momentum_buffer",) if self.momentum else ())

    def step(self) -> None:
        """Update every parameter from its gradient."""
        if self.momentum and not self._names:
            raise ValueError(f"momentum: wanted 0, as at first, got {self.momentum}")
        team = threads.get_num_threads()
        for table, lr, weight_decay, _ in self._stepped():
            table.sgd(lr, self.momentum, weight_decay, self.nesterov, team)
        self.steps += 1

    def __repr__(self) -> str:
        return (
            f"SGD(parameters={len(self.params)}, lr={self.lr:g}, momentum={self.momentum:g}, "
            f"weight_decay={self.weight_decay:g}, nesterov={self.nesterov})"
        )
