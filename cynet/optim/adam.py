"""Adam and AdamW."""

from typing import Any

import numpy as np

from cynet.core import checks, threads
from cynet.core.types import AnyArray, State

from .optimizers import Optimizer, Params

SKIPPED = "skipped"  # in states


def refuse_skipped(name: str, skipped: AnyArray, steps: Any) -> None:
    """Raise ValueError where parameters were passed over in fewer than 0 steps, or more than were taken."""
    if skipped.dtype.kind not in "iu" or np.any(skipped < 0) or np.any(skipped > steps):
        got = ", ".join(map(str, skipped[:10].tolist()))
        raise ValueError(f"{name}: wanted whole numbers from 0 to {steps}, the steps, got {got:.80}")


class Adam(Optimizer):
    """Adam (Kingma & Ba 2014, algorithm 1), as PyTorch's.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        Groups: see `Optimizer`.
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
    spare = (SKIPPED,)
    _passed: Any = None  # (parameters,): the steps in which each was not trained

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.betas = _checked(betas)
        self.eps = checks.number("eps", eps, 0)
        super().__init__(params, lr, weight_decay, ("exp_avg", "exp_avg_sq"))
        self._passed = np.zeros(len(self.params), np.int64)

    def _skipped(self, index: int) -> int:
        return 0 if self._passed is None else int(self._passed[index])

    def step(self) -> None:
        """Update every parameter from its gradient."""
        betas = _checked(self.betas)  # they may have been set
        self.steps += 1
        team = threads.get_num_threads()
        for table, lr, weight_decay, skipped in self._stepped():
            own = self.steps - skipped  # the means of a parameter are corrected by its own steps
            table.adam(lr, *betas, self.eps, weight_decay, self.decoupled, own, team)
        if not all(self._trained):
            self._passed += np.logical_not(self._trained)

    def _state(self) -> State:
        return super()._state() | {SKIPPED: self._passed}

    def _refuse(self, arrays: State) -> None:
        super()._refuse(arrays)
        refuse_skipped(SKIPPED, arrays.get(SKIPPED, self._passed), arrays["steps"])

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(parameters={len(self.params)}, lr={self.lr:g}, betas={self.betas}, "
            f"eps={self.eps:g}, weight_decay={self.weight_decay:g})"
        )


def _checked(betas: Any) -> tuple[float, float]:
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise ValueError(f"betas: wanted a pair of numbers, got {betas!r:.80}")
    first, second = (checks.number(f"betas[{i}]", one, 0, 1, open_high=True) for i, one in enumerate(betas))
    return first, second


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2017, algorithm 2), as PyTorch's.

    The decay shrinks the parameter by lr * weight_decay of itself, beside the step.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
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
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
