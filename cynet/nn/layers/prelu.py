"""Parametric ReLU."""

import numpy as np

from cynet.core import checks
from cynet.core.types import Array, Shape
from cynet.kernels.pointwise.slopes import PReLUPass
from cynet.nn import registry
from cynet.nn.init import room
from cynet.nn.layer import Layer
from cynet.nn.parameter import Held, Parameter, value


@registry.layer(
    examples={"PReLU()": (3, 9, 7, 11), "PReLU(4, init=-0.3)": (3, 5, 6, 4), "PReLU(5, 0.1)": (7, 5)}
)
class PReLU(Layer):
    """y = x where x > 0, else weight * x, with a slope for each channel, or one for all (He et al. 2015).

    Parameters
    ----------
    num_parameters : int, optional
        1, or the channels: the size of the input's last axis.
    init : float, optional
        The slopes at the beginning.

    Attributes
    ----------
    weight : Parameter (num_parameters,)

    Notes
    -----
    Input and output: float32 of any shape, (N, H, W, C) or (N, features). An optimiser's weight decay draws
    the slopes to 0.

    Raises
    ------
    TypeError, ValueError
        From the constructor, when an argument is none of these; from a call, for other channels.
    """

    bias = None  # it has none

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        self.num_parameters, self.init = num_parameters, checks.number("init", init)
        self.weight = Parameter(np.full(room(self._slopes()), init))

    def _slopes(self) -> int:
        """How many, checked: the attribute may have been set."""
        return checks.integer("num_parameters", self.num_parameters, 1)

    def output_shape(self, shape: Shape) -> Shape:
        slopes = self._slopes()
        if slopes > 1 and shape[-1:] != (slopes,):
            raise ValueError(f"wanted (N, ..., {slopes}), got {shape}")
        return shape

    def forward(self, x: Array) -> Array:
        self.output_shape(x.shape)  # refuses what __call__ may not have seen
        found = PReLUPass(x, value("weight", self.weight, (self._slopes(),)))
        self.save(x.shape, found, Held(self.weight, None))
        return found.output()

    def backward(self, dy: Array) -> Array | None:
        shape, found, held = self.saved()
        held.refuse_others(self)
        dy = self.gradient(dy, shape)
        if held.weight.requires_grad:
            found.add_slope_gradient(dy, held.weight.grad)
        return found.input_gradient(dy) if self._wants_dx() else None

    def __repr__(self) -> str:
        return f"PReLU({self.num_parameters}, init={self.init:g})"
