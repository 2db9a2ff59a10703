"""Lookahead: slow weights that follow those of another optimiser (Zhang et al. 2019)."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.sealed import is_sealed
from cynet.core.types import Array, State
from cynet.nn.layer import Layer

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
    decay : float or callable, optional
        At least 0 and less than 1; 0 changes nothing. Or a function that gives it by the steps that were
        taken, from 1, such as a `Rising`.
    model : Layer, optional
        Whose running statistics go the way of the weights, too.
    last : int, optional
        After so many steps the weights are the slow ones, whether a step towards them is due or not.

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

    def __init__(
        self,
        optimizer: Optimizer,
        period: int = 5,
        decay: float | Callable[[int], float] = 0.5,
        model: Layer | None = None,
        last: int | None = None,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer: wanted an optimiser, got {optimizer!r:.80}")
        self.optimizer = optimizer
        self.period = checks.integer("period", period, 1)
        self.decay = decay if callable(decay) else checks.number("decay", decay, 0, 1, open_high=True)
        if not (model is None or isinstance(model, Layer)):
            raise TypeError(f"model: wanted a Layer, got {model!r:.80}")
        self.model, self.last = model, None if last is None else checks.integer("last", last, 1)
        self.params, self.groups, self.steps = optimizer.params, optimizer.groups, optimizer.steps
        self.slow = [array.copy() for array, _ in self._fast()]

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)  # no tables are its own

    def _fast(self) -> list[tuple[Array, bool]]:
        """(array, whether it is trained) of all that slow weights are kept of."""
        found = [(parameter.data, parameter.requires_grad) for parameter in self.optimizer.params]
        if self.model is None:
            return found
        arrays = (getattr(layer, name) for _, layer in self.model.walk() for name in layer.buffers)
        return found + [(array, not is_sealed(array)) for array in arrays if array.dtype.kind == "f"]

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
        if self.steps % self.period and self.steps != self.last:
            return
        share = np.float32(0 if self.steps % self.period else 1 - self._decay())
        for (fast, trained), slow in zip(self._fast(), self.slow, strict=True):
            if trained:
                slow += share * (fast - slow)
                fast[...] = slow

    def _decay(self) -> float:
        if not callable(self.decay):
            return self.decay
        return checks.number(f"decay({self.steps})", self.decay(self.steps), 0, 1)

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
        decay = repr(self.decay) if callable(self.decay) else f"{self.decay:g}"
        return f"Lookahead({self.optimizer!r}, period={self.period}, decay={decay})"


class Rising:
    """most * (step / steps) ** power: a decay that lets the first weights go, and averages the last ones.

    Jordan (2024), "94% on CIFAR-10 in 3.29 seconds on a single GPU", has 0.95**5 and the power 3.

    Parameters
    ----------
    most : float
        At least 0 and less than 1.
    steps : int
        Of the training; afterwards the decay stays.
    power : float
        At least 0.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, most: float, steps: int, power: float) -> None:
        self.most = checks.number("most", most, 0, 1, open_high=True)
        self.steps = checks.integer("steps", steps, 1)
        self.power = checks.number("power", power, 0)

    def __call__(self, step: int) -> float:
        """The decay after so many steps."""
        return float(self.most * min(step / self.steps, 1.0) ** self.power)

    def __repr__(self) -> str:
        return f"Rising({self.most:g}, {self.steps}, {self.power:g})"
