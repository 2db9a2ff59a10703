"""Linear: a fully connected layer."""

from math import prod
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import Array, Shape
from cynet.kernels.linear import linear as kernels
from cynet.kernels.linear.thin_linear import ThinLinear
from cynet.kernels.norm.normalization import add_channel_sums
from cynet.nn import init, registry
from cynet.nn.layer import Layer, answers, asked
from cynet.nn.parameter import Held, Parameter, value


@registry.layer(
    examples={
        "Linear(4, 8)": (6, 4),
        "Linear(4, 70)": (6, 4),
        "Linear(10, 3, bias=False)": (5, 10),
        "Linear(4, 40, bias=True)": (2, 3, 4),
    }
)
class Linear(Layer):
    """y = x W^T + b; with more than a few outputs a 1x1 convolution over images of one pixel.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool

    Attributes
    ----------
    weight : Parameter (out_features, in_features)
    bias : Parameter (out_features,) or None

    Notes
    -----
    x is float32 (N, in_features), y (N, out_features); or (N, L, in_features), and (N, L, out_features).

    Raises
    ------
    TypeError, ValueError
        From the constructor, when an argument is none of these; from a call, for rows of other features.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.in_features, self.out_features = in_features, out_features
        self.in_features, self.out_features = inputs, outputs = self._settings()
        self.weight = Parameter(init.weights((outputs, inputs)))
        self.bias = Parameter(np.zeros(init.room(outputs))) if checks.flag("bias", bias) else None

    def _settings(self) -> tuple[int, int]:
        """(features in, features out), checked: they may have been set."""
        inputs = checks.integer("in_features", self.in_features, 1)
        return inputs, checks.integer("out_features", self.out_features, 1)

    def output_shape(self, shape: Shape) -> Shape:
        inputs, outputs = self._settings()
        if len(shape) not in (2, 3) or shape[-1] != inputs:
            outer = "N, L" if len(shape) == 3 else "N"
            raise ValueError(f"wanted ({outer}, {inputs}), got {shape}")
        return *shape[:-1], outputs

    def macs(self, shape: Shape) -> int:
        inputs, outputs = self._settings()
        return prod(shape[:-1]) * inputs * outputs

    def thin(self) -> bool:
        """Whether `ThinLinear` computes it."""
        return ThinLinear.suits(*self._settings())

    def forward(self, x: Array) -> Array:
        shape = self.output_shape(x.shape)  # refuses what __call__ may not have seen
        if x.ndim == 2:
            return self.product(x, 1)
        return self.product(x.reshape(-1, x.shape[-1]), 1, shape[:-1]).reshape(shape)

    def product(self, rows: Array, pixels: int, outer: Shape | None = None) -> Array:
        """The output for `rows`; `pixels` as for `ThinLinear`, which it needs above 1.

        `outer`: the axes that the gradient of the output has before its last one; default: those of `rows`.
        """
        products = self.products(len(rows), pixels)
        found = self.values()  # checked first
        self.save(rows, rows.shape, outer or rows.shape[:1], products, Held(self.weight, self.bias))
        return products.forward(rows, *found)

    def values(self) -> tuple[Array | None, ...]:
        """The arrays of weight and bias (or None), which may have been set to others: an error if amiss."""
        shape = self.out_features, self.in_features
        weight = value("weight", self.weight, shape)
        return weight, None if self.bias is None else value("bias", self.bias, shape[:1])

    def products(self, rows: int, pixels: int = 1) -> Any:
        """The `kernels.conv.products.Products` for a batch of so many rows."""
        question = rows, self.in_features, self.out_features, pixels
        chosen = self._worked_out  # once: another thread may set it
        if not answers(chosen, question):
            sizes = self._settings()  # plain ints: NumPy's small ones would overflow in products
            self._worked_out = chosen = asked(question), kernels.choose(rows, *sizes, pixels)
        return chosen[1]

    def backward(self, dy: Array) -> Array | None:
        rows, shape, outer, products, held = self.saved()
        held.refuse_others(self)
        checks.shapes("x", (rows.shape,), (shape,))
        outputs = held.weight.shape[0]
        dy = self.gradient(dy, (*outer, outputs)).reshape(shape[0], outputs)
        if held.weight.requires_grad:
            products.weight_gradient(rows, dy, held.weight.grad)
        if held.bias is not None and held.bias.requires_grad:
            add_channel_sums(dy, held.bias.grad)
        if not self._wants_dx():
            return None
        dx = products.input_gradient(dy, held.weight.data)
        return dx if len(outer) == 1 else dx.reshape(*outer, shape[1])

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features}, bias={self.bias is not None})"
