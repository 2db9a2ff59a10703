"""Lookahead: slow weights that follow those of another optimiser (Zhang et al. 2019)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import State

from .optimizers import Optimizer

SLOW = "slow."  # in states


class Lookahead(Optimizer):
    """Another optimiser, and after every so many of its steps a step of slow weights towards its own.

    slow = decay * slow + (1 - decay) * weights, and the weights go on from there: 1 - decay is the alpha of
    Zhang et al. (2019, "Lookahead optimizer: k steps forward, 1 step back"), and `period` their k. The slow
    weights begin as the weights are when this is made; the other optimiser's own arrays stay as they are, as
    in the paper. Parameters whose `requires_grad` is False are passed over.

    Parameters
    ----------
    optimizer : Optimizer
    period : int, optional
        At least 1.
    decay : float, optional
        At least 0 and less than 1; 0 changes nothing.

    Attributes
    ----------
    optimizer : Optimizer
    params, groups, lr, steps
        Those of the other optimiser.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.

    Examples
    --------
    >>> optimizer = cynet.Lookahead(cynet.SGD(model.parameters(), 0.1, momentum=0.9), 5, 0.5)
    """

    def __init__(self, optimizer: Optimizer, period: int = 5, decay: float = 0.5) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer: wanted an optimiser, got {optimizer!r:.80}")
        self.optimizer = optimizer
        self.period = checks.integer("period", period, 1)
        self.decay = checks.number("decay", decay, 0, 1, open_high=True)
        self.params, self.groups, self.steps = optimizer.params, optimizer.groups, optimizer.steps
        self.slow = [parameter.data.copy() for parameter in optimizer.params]

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)  # no tables are its own

    @property
    def lr(self) -> float:
        """The learning rate of the other optimiser; may be set."""
        return self.optimizer.lr

    @lr.setter
    def lr(self, value: float) -> None:
        self.optimizer.lr = value

    def zero_grad(self) -> None:
        """Set every parameter's gradient to zero."""
        self.optimizer.zero_grad()

    def step(self) -> None:
        """A step of the other optimiser, and where one is due of the slow weights."""
        self.optimizer.step()
        self.steps = self.optimizer.steps
        if self.steps % self.period:
            return
        share = np.float32(1 - self.decay)
        for parameter, slow in zip(self.optimizer.params, self.slow, strict=True):
            if parameter.requires_grad:
                slow += share * (parameter.data - slow)
                parameter.data[...] = slow

    def state_dict(self) -> State:
        """That of the other optimiser, and copies of the slow weights as "slow.index"."""
        own = {f"{SLOW}{index}": slow.copy() for index, slow in enumerate(self.slow)}
        return self.optimizer.state_dict() | own

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned, or change nothing.

        Raises
        ------
        ValueError
            Listing every missing and differently shaped array of slow weights, or as the other optimiser.
        """
        problems, arrays = [], []
        for index, slow in enumerate(self.slow):
            name = f"{SLOW}{index}"
            array = np.asarray(state[name]) if name in state else None
            if array is None:
                problems.append(f"missing: {name}")
            elif array.shape != slow.shape or array.dtype.kind not in "fiu":
                problems.append(f"shape of {name}: wanted {slow.shape} of numbers, got {array.shape}")
            arrays.append(array)
        if problems:
            raise ValueError("state does not fit the optimiser: " + "; ".join(problems))
        own = {f"{SLOW}{index}" for index in range(len(self.slow))}
        self.optimizer.load_state_dict({name: state[name] for name in state if name not in own})
        self.steps = self.optimizer.steps
        for slow, array in zip(self.slow, arrays, strict=True):
            slow[...] = array

    def __repr__(self) -> str:
        return f"Lookahead({self.optimizer!r}, period={self.period}, decay={self.decay:g})"
