"""A trainable array with its gradient."""

from typing import Any

import numpy as np

from cynet.core.checks import FLOAT, flag
from cynet.core.types import Array, Shape

NONE = np.empty(0, np.float32)  # what kernels take in place of an array that is not there


class Parameter:
    """A trainable array and the gradient of the loss with respect to it.

    Parameters
    ----------
    data : array_like
        Initial values; copied to a float32 C-contiguous array. The layout is PyTorch's: (out, in / groups,
        height, width) for convolution, (out, in) for linear layers.

    Attributes
    ----------
    data : ndarray of float32
        The values. Assigning copies into the same memory, so that optimisers and layers keep seeing it.
    grad : ndarray of float32, same shape
        Sum of the gradients of all backward passes since `zero_grad`.
    requires_grad : bool
        Whether it is trained; False freezes it: backward passes leave its gradient alone and are spared what
        nobody else needs, optimisers leave it as it is.
    name : str
        The path in the model whose `parameters()` was called last, such as "0.weight".
    """

    frozen = False  # whether some parameter of this process ever was: else nobody needs to ask

    def __init__(self, data: Any) -> None:
        self._data = np.array(data, np.float32, order="C")
        self._grad = np.zeros_like(self._data)
        self._shape = self._data.shape  # what others may set in place
        self.version = 0  # counts what is assigned to `data`, or loaded
        self._requires_grad = True
        self.name = ""

    @property
    def data(self) -> Array:
        """The values, float32; what is assigned is copied into the same memory."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._assign(self._data, value, "data")
        self.version += 1

    @property
    def grad(self) -> Array:
        """The sum of the gradients since `zero_grad`, float32 of the same shape."""
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        self._assign(self._grad, value, "grad")

    @property
    def requires_grad(self) -> bool:
        """Whether it is trained."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self._requires_grad = flag("requires_grad", value)
        Parameter.frozen = Parameter.frozen or not value

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.requires_grad = self._requires_grad

    def _assign(self, target: Any, value: Any, what: str) -> None:
        value, what = np.asarray(value), f"{self.name or 'parameter'}.{what}"
        if value.shape != target.shape:
            raise ValueError(f"{what}: wanted shape {target.shape}, got {value.shape}")
        if value.dtype.kind not in "fiu":
            raise TypeError(f"{what}: wanted real numbers, got dtype {value.dtype}")
        target[...] = value

    def require(self, shape: Shape, what: str) -> None:
        """Raise ValueError when this parameter, set in place of a layer's own `what`, has another shape."""
        if self._data.shape != shape:
            raise ValueError(f"{what}: wanted a parameter of shape {shape}, got {self._data.shape}")
        if self._data.dtype != FLOAT:
            raise ValueError(f"{what}: wanted a parameter of float32, got {self._data.dtype}")

    def require_whole(self, what: str) -> None:
        """Raise ValueError where shape or dtype of this parameter's arrays was set in place."""
        data, grad, shape = self._data, self._grad, self._shape
        one, other = data.dtype, grad.dtype
        same = (one is FLOAT and other is FLOAT) or one == other == FLOAT  # a copy's dtype is another object
        if not (same and data.shape == shape and grad.shape == shape):
            got = f"{data.dtype} {data.shape} and {grad.dtype} {grad.shape}"
            raise ValueError(f"{what}: wanted float32 data and grad of shape {shape}, got {got}")

    @property
    def shape(self) -> Shape:
        """The shape of both arrays."""
        return self._data.shape

    @property
    def size(self) -> int:
        """The elements of one of them."""
        return self._data.size

    def zero_grad(self) -> None:
        """Set the gradient to zero."""
        self._grad.fill(0)

    def __repr__(self) -> str:
        return f"Parameter({self.name or 'unnamed'}, shape={self.shape})"


def value(name: str, parameter: Any, shape: Shape) -> Array:
    """The array of a layer's parameter, which may have been set.

    Raises
    ------
    TypeError, ValueError
        When it is none, or has another shape, or dtype, than the layer needs.
    """
    if not isinstance(parameter, Parameter):
        raise TypeError(f"{name}: wanted a parameter of shape {shape}, got {parameter!r:.80}")
    data = parameter._data
    if data.shape != shape or data.dtype is not FLOAT:
        parameter.require(shape, name)
    return data


def data_of(parameter: Parameter | None) -> Array:
    """The array of a parameter, or `NONE` where there is none."""
    return NONE if parameter is None else parameter._data


def grad_of(parameter: Parameter | None) -> Array:
    """The gradient that a pass adds to, or `NONE` where there is no parameter, or it is not trained."""
    return parameter._grad if parameter is not None and parameter._requires_grad else NONE


class Held:
    """The weight and the bias that a pass was made with, either of which may be None, as they were then."""

    __slots__ = "bias", "versions", "weight"

    def __init__(self, weight: Parameter | None, bias: Parameter | None) -> None:
        self.weight, self.bias = weight, bias
        self.versions = [None if one is None else one.version for one in (weight, bias)]

    def refuse_others(self, layer: Any) -> None:
        """Raise an error where those of the layer are not these any more.

        Raises
        ------
        ValueError
            Where another one stands under a name, or shape or dtype was set in place.
        RuntimeError
            Where other values were assigned, or loaded: activations and weights would not belong together.
        """
        refuse_another("weight", layer.weight, self.weight, self.versions[0])
        refuse_another("bias", layer.bias, self.bias, self.versions[1])


def refuse_another(name: str, now: Any, then: Parameter | None, version: int | None) -> None:
    if now is not then:
        wanted = "None, as" if then is None else f"a parameter of shape {then.shape}, that"
        raise ValueError(f"{name}: wanted {wanted} of the forward pass, got {now!r:.80}")
    if then is not None:
        then.require_whole(name)
        if then.version != version:
            raise RuntimeError(
                f"{name}: wanted the values of the forward pass, got others that were assigned or loaded "
                "since; make that pass again"
            )
