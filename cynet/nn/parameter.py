"""A trainable array with its gradient."""

from typing import Any

import numpy as np

from cynet.core.checks import FLOAT
from cynet.core.types import Array, Shape


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
    name : str
        The path in the model whose `parameters()` was called last, such as "0.weight".
    """

    def __init__(self, data: Any) -> None:
        self._data = np.array(data, np.float32, order="C")
        self._grad = np.zeros_like(self._data)
        self._shape = self._data.shape  # what others may set in place
        self.version = 0  # counts what is assigned to `data`, or loaded
        self.name = ""

    @property
    def data(self) -> Array:
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._assign(self._data, value, "data")
        self.version += 1

    @property
    def grad(self) -> Array:
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        self._assign(self._grad, value, "grad")

    def _assign(self, target: Any, value: Any, what: str) -> None:
        value = np.asarray(value)
        if value.shape != target.shape:
            raise ValueError(
                f"{self.name or 'parameter'}.{what}: wanted shape {target.shape}, got {value.shape}"
            )
        if value.dtype.kind not in "fiu":
            raise TypeError(
                f"{self.name or 'parameter'}.{what}: wanted real numbers, got dtype {value.dtype}"
            )
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
        return self._data.shape

    @property
    def size(self) -> int:
        return self._data.size

    def zero_grad(self) -> None:
        """Set the gradient to zero."""
        self._grad.fill(0)

    def __repr__(self) -> str:
        return f"Parameter({self.name or 'unnamed'}, shape={self.shape})"


def values(**wanted: Any) -> tuple[Array, ...]:
    """The arrays of a layer's parameters, which may have been set: TypeError or ValueError if amiss.

    Parameters
    ----------
    **wanted : (Parameter or None, tuple of int)
        What stands under each name, and the shape that it must have.
    """
    for name, (parameter, shape) in wanted.items():
        if not isinstance(parameter, Parameter):
            raise TypeError(f"{name}: wanted a parameter of shape {shape}, got {parameter!r:.80}")
        parameter.require(shape, name)
    return tuple(parameter.data for parameter, _ in wanted.values())


def versions(*parameters: Parameter | None) -> tuple[int | None, ...]:
    """The versions of parameters (or None), to keep with a pass."""
    return tuple([None if parameter is None else parameter.version for parameter in parameters])


def refuse_others(layer: Any, since: Any, **kept: Parameter | None) -> None:
    """Raise an error where a layer's parameters are not those of the forward pass any more.

    Parameters
    ----------
    layer : Layer
    since : tuple
        Their `versions` then.
    **kept : Parameter or None
        What the pass was made with.

    Raises
    ------
    ValueError
        Where another one stands under a name, or shape or dtype was set in place.
    RuntimeError
        Where other values were assigned, or loaded: activations and weights would not belong together.
    """
    for then, name in zip(since, kept, strict=True):
        parameter, now = kept[name], getattr(layer, name)
        if now is not parameter:
            wanted = f"a parameter of shape {parameter.shape}, that" if parameter is not None else "None, as"
            raise ValueError(f"{name}: wanted {wanted} of the forward pass, got {now!r:.80}")
        if parameter is not None:
            parameter.require_whole(name)
            if parameter.version != then:
                raise RuntimeError(
                    f"{name}: wanted the values of the forward pass, got others that were assigned or "
                    "loaded since; make that pass again"
                )
