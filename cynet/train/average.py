"""The running average of a model's weights, which is what is evaluated and kept in its place."""

import contextlib
from collections.abc import Iterator

import numpy as np

from cynet.core import checks
from cynet.nn.layer import Layer


class Average:
    """An exponential moving average of parameters and buffers.

    After step n (from 1) each array a of the average becomes a + (1 - d) (w - a), where w is the model's and
    d = min(decay, n / (9 + n)): the first steps, which would weigh too much, are forgotten fast.

    Parameters
    ----------
    model : Layer
    decay : float
        0 to 1, such as 0.999: about the last 1 / (1 - decay) steps count.

    Attributes
    ----------
    arrays : dict of str to ndarray
        The average, under the model's names.
    steps : int
        How many went into it.
    """

    def __init__(self, model: Layer, decay: float) -> None:
        self.model = model
        self.decay = checks.number("decay", decay, 0, 1, open_high=True)
        self.arrays, self.steps = model.state_dict(), 0

    def update(self) -> None:
        """Take the model's weights in, after a step."""
        self.steps += 1
        share = np.float32(1 - min(self.decay, self.steps / (9 + self.steps)))
        for name, now in self.model.state_dict().items():
            if now.dtype.kind != "f":  # a count
                self.arrays[name] = now
                continue
            now -= self.arrays[name]
            now *= share
            self.arrays[name] += now

    @contextlib.contextmanager
    def swapped(self) -> Iterator[None]:
        """Within this context the model has the average; afterwards its own weights, to the last bit."""
        own = self.model.state_dict()
        self.model.load_state_dict(self.arrays)
        try:
            yield
        finally:
            self.model.load_state_dict(own)
