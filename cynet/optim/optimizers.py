"""Optimisers. Each holds the parameters, one learning rate, and its own buffers."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cynet.core import checks, threads
from cynet.core.types import Shape, State
from cynet.kernels.optim import optim as kernels
from cynet.nn.parameter import Parameter


class Optimizer:
    """Base of the optimisers.

    Parameters
    ----------
    params : iterable of Parameter
        Each once; at least one.
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
    steps : int
        How many were taken.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or a parameter comes twice.
    """

    def __init__(
        self, params: Iterable[Parameter], lr: float, weight_decay: float, buffers: tuple[str, ...]
    ) -> None:
        self.params = _parameters(params)
        self.lr = lr
        self.weight_decay = checks.number("weight_decay", weight_decay, 0)
        self.steps = 0
        self._names = buffers
        self._buffers = [[np.zeros_like(p.data) for _ in buffers] for p in self.params]
        self._bind()

    def _bind(self) -> None:
        # Parameters never move in memory, so these views stay theirs.
        self._table = kernels.ParameterTable(
            [
                tuple(array.reshape(-1) for array in (p.data, p.grad, *own))
                for p, own in zip(self.params, self._buffers, strict=True)
            ]
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_table"}

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
        self._table.zero_grad()

    def step(self) -> None:
        """Update every parameter from its gradient."""
        raise TypeError(f"{type(self).__name__} defines no step()")

    def _state(self) -> State:
        return {
            f"{index}.{name}": array
            for index, own in enumerate(self._buffers)
            for name, array in zip(self._names, own, strict=True)
        }

    def state_dict(self) -> State:
        """Copies of all that a later `load_state_dict` needs to go on exactly.

        Returns
        -------
        dict of str to ndarray
            "lr" (float64) and "steps" (int64), both of shape (), and each buffer as "index.name" with the
            index of its parameter.
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
        problems = [f"missing: {name}" for name in wanted if name not in state]
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
        self.lr = float(arrays["lr"][()])
        self.steps = steps
        for name, live in own.items():
            live[...] = arrays[name]


def _parameters(params: Any) -> list[Parameter]:
    if isinstance(params, Parameter) or not hasattr(params, "__iter__"):
        raise TypeError(f"params: wanted a list of parameters, got {type(params).__name__}")
    params, seen = list(params), set()
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
    params : iterable of Parameter
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
        params: Iterable[Parameter],
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
        self._table.sgd(self._lr, self.momentum, self.weight_decay, self.nesterov, team)
        self.steps += 1

    def __repr__(self) -> str:
        return (
            f"SGD(parameters={len(self.params)}, lr={self.lr:g}, momentum={self.momentum:g}, "
            f"weight_decay={self.weight_decay:g}, nesterov={self.nesterov})"
        )


class Adam(Optimizer):
    """Adam (Kingma & Ba 2014, algorithm 1), as PyTorch's.

    Parameters
    ----------
    params : iterable of Parameter
    lr : float, optional
    betas : pair of float, optional
        Each at least 0 and less than 1: the decay of the mean gradient and of the mean square.
    eps : float, optional
        At least 0; added to the root of the mean square.
    weight_decay : float, optional
        Times the parameter, added to the gradient.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    decoupled = False

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"betas: wanted a pair of numbers, got {betas!r}")
        self.betas = tuple(
            checks.number(f"betas[{i}]", beta, 0, 1, open_high=True) for i, beta in enumerate(betas)
        )
        self.eps = checks.number("eps", eps, 0)
        super().__init__(params, lr, weight_decay, ("exp_avg", "exp_avg_sq"))

    def step(self) -> None:
        """Update every parameter from its gradient."""
        self.steps += 1
        team = threads.get_num_threads()
        self._table.adam(self._lr, *self.betas, self.eps, self.weight_decay, self.decoupled, self.steps, team)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(parameters={len(self.params)}, lr={self.lr:g}, betas={self.betas}, "
            f"eps={self.eps:g}, weight_decay={self.weight_decay:g})"
        )


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2017, algorithm 2), as PyTorch's.

    The decay shrinks the parameter by lr * weight_decay of itself, beside the step.

    Parameters
    ----------
    params : iterable of Parameter
    lr : float, optional
    betas : pair of float, optional
    eps : float, optional
        As for `Adam`.
    weight_decay : float, optional
        At least 0.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
