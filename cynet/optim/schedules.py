"""Learning rates as functions of the step, counted from 0: `optimizer.lr = schedule(step)`.

Nothing is stored from step to step, so that a resumed run needs no state here. Warm-up, in all of them: the
rate of step i < warmup is multiplied by (i + 1) / warmup (Goyal et al. 2017, section 2.2).
"""

from math import cos, pi

from cynet.core import checks

STEPS = 2**63 - 1


def _between(first: float, last: float, part: float) -> float:
    """From `first` at part = 0 to `last` at part = 1 along half a cosine."""
    return last + (first - last) * (1 + cos(pi * part)) / 2


class Schedule:
    """Base of the schedules; a subclass defines ``rate(step)``.

    Parameters
    ----------
    warmup : int, optional
        The number of warm-up steps.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these; from a call, when the step is none.
    """

    def __init__(self, warmup: int = 0) -> None:
        self.warmup = checks.integer("warmup", warmup, 0, STEPS)

    def __call__(self, step: int) -> float:
        """The learning rate of step number `step`, a float."""
        step = checks.integer("step", step, 0, STEPS)
        rate = self.rate(step)
        return rate * (step + 1) / self.warmup if step < self.warmup else rate

    def rate(self, step: int) -> float:
        """The rate of a step, without warm-up."""
        raise TypeError(f"{type(self).__name__} defines no rate(step)")

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__}({arguments})"


class Constant(Schedule):
    """One rate.

    Parameters
    ----------
    lr : float
        At least 0.
    warmup : int, optional

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, lr: float, warmup: int = 0) -> None:
        self.lr = checks.number("lr", lr, 0)
        super().__init__(warmup)

    def rate(self, step: int) -> float:
        return self.lr


class MultiStep(Schedule):
    """A rate that changes at given steps.

    Parameters
    ----------
    lr : float
        The rate from step 0.
    milestones : dict of int to float
        The rate from each of these steps on.
    warmup : int, optional

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, lr: float, milestones: dict[int, float], warmup: int = 0) -> None:
        self.lr = checks.number("lr", lr, 0)
        if not isinstance(milestones, dict):
            raise TypeError(f"milestones: wanted a dict of step to rate, got {milestones!r}")
        self.milestones = {
            checks.integer("milestones step", step, 0, STEPS): checks.number(f"milestones[{step}]", rate, 0)
            for step, rate in milestones.items()
        }
        super().__init__(warmup)

    def rate(self, step: int) -> float:
        last = max((start for start in self.milestones if start <= step), default=None)
        return self.lr if last is None else self.milestones[last]


class Cosine(Schedule):
    """Half a cosine from `lr`, after the warm-up, to `final` at step `steps` (Loshchilov & Hutter 2016).

    Without warm-up the same as PyTorch's CosineAnnealingLR with T_max = steps; after `steps` it stays.

    Parameters
    ----------
    lr : float
        The greatest rate.
    steps : int
        More than `warmup`.
    warmup : int, optional
    final : float, optional

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or the warm-up is not shorter than the steps.
    """

    def __init__(self, lr: float, steps: int, warmup: int = 0, final: float = 0.0) -> None:
        self.lr = checks.number("lr", lr, 0)
        self.steps = checks.integer("steps", steps, 1, STEPS)
        self.final = checks.number("final", final, 0)
        super().__init__(warmup)
        if self.warmup >= self.steps:
            raise ValueError(f"warmup: wanted less than the {self.steps} steps, got {self.warmup}")

    def rate(self, step: int) -> float:
        done = max(step - self.warmup, 0) / (self.steps - self.warmup)
        return _between(self.lr, self.final, min(done, 1.0))


class OneCycle(Schedule):
    """Up from max_lr / div_factor to max_lr, then down to a small rate, both along half a cosine.

    Smith & Topin 2017; the same as PyTorch's OneCycleLR(max_lr, total_steps=steps). Its first part is a
    warm-up already; `warmup` adds the other one on top. After the last step the rate stays.

    Parameters
    ----------
    max_lr : float
    steps : int
        Of the whole cycle.
    pct_start : float, optional
        The part of the steps that goes up, 0 to 1.
    div_factor : float, optional
        At least 1: max_lr / div_factor is the first rate.
    final_div_factor : float, optional
        At least 1: the first rate / final_div_factor is the last one.
    warmup : int, optional

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(
        self,
        max_lr: float,
        steps: int,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        warmup: int = 0,
    ) -> None:
        self.max_lr = checks.number("max_lr", max_lr, 0)
        self.steps = checks.integer("steps", steps, 1, STEPS)
        self.pct_start = checks.number("pct_start", pct_start, 0, 1)
        self.div_factor = checks.number("div_factor", div_factor, 1)
        self.final_div_factor = checks.number("final_div_factor", final_div_factor, 1)
        super().__init__(warmup)

    def rate(self, step: int) -> float:
        first = self.max_lr / self.div_factor
        top, last = self.pct_start * self.steps - 1, self.steps - 1
        if step < top:
            return _between(first, self.max_lr, step / top)
        part = (step - top) / (last - top) if last > top else 1.0
        return _between(self.max_lr, first / self.final_div_factor, min(part, 1.0))


class Triangular(Schedule):
    """Up along a line to `lr`, then down along another one, both a share of it at their ends.

    The schedule of Jordan (2024), "94% on CIFAR-10 in 3.29 seconds on a single GPU". After step `steps` the
    rate stays.

    Parameters
    ----------
    lr : float
        The greatest rate.
    steps : int
        Of the whole triangle.
    pct_start : float, optional
        The part of the steps that goes up, 0 to 1.
    start_factor, end_factor : float, optional
        0 to 1: the rates of step 0 and of step `steps` are lr * start_factor and lr * end_factor.
    warmup : int, optional
        Its first part is one already; this adds another one on top.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(
        self,
        lr: float,
        steps: int,
        pct_start: float = 0.23,
        start_factor: float = 0.2,
        end_factor: float = 0.07,
        warmup: int = 0,
    ) -> None:
        self.lr = checks.number("lr", lr, 0)
        self.steps = checks.integer("steps", steps, 1, STEPS)
        self.pct_start = checks.number("pct_start", pct_start, 0, 1)
        self.start_factor = checks.number("start_factor", start_factor, 0, 1)
        self.end_factor = checks.number("end_factor", end_factor, 0, 1)
        super().__init__(warmup)

    def rate(self, step: int) -> float:
        top = int(self.pct_start * self.steps)
        if step < top:
            return self.lr * (self.start_factor + (1 - self.start_factor) * step / top)
        part = min((step - top) / (self.steps - top), 1.0) if top < self.steps else 1.0
        return self.lr * (1 + (self.end_factor - 1) * part)
