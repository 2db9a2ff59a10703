"""A trainable array with its gradient."""

import threading
from typing import Any

import numpy as np

from cynet.core.checks import FLOAT
from cynet.core.sealed import is_sealed, opened, sealed
from cynet.core.types import Shape

from .kept import NONE, Held, Valued, data_of, grad_of, refuse_another, value

__all__ = ["NONE", "Held", "Parameter", "data_of", "grad_of", "refuse_another", "value"]
_sealing = threading.Lock()  # no count is lost
FIELDS = "_data", "_grad", "_shape", "version", "_requires_grad", "name"


class Parameter(Valued):
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
    sealings = 0  # how many there were in this process: each gives a parameter another array

    def __init__(self, data: Any) -> None:
        self._data = np.array(data, np.float32, order="C")
        self._grad = np.zeros_like(self._data)
        self._shape = self._data.shape
        self.version = 0  # counts what is assigned to `data`, or loaded
        self._requires_grad = True
        self.name = ""

    def _freeze(self, freeze: bool) -> None:
        self._requires_grad = not freeze
        Parameter.frozen = Parameter.frozen or freeze

    @property
    def is_sealed(self) -> bool:
        """Whether its values can never change, see `Layer.seal`."""
        return is_sealed(self._data)

    def seal(self) -> None:
        """Make the values read-only for good, in memory of their own."""
        with _sealing:
            if not self.is_sealed:
                self._data = sealed(self._data)
                Parameter.sealings += 1

    def require_open(self) -> None:
        """Raise ValueError where its values can never change."""
        if self.is_sealed:
            raise ValueError(
                f"{self.name or 'parameter'}.data: wanted a parameter that can change, got a sealed one "
                "(set its requires_grad to False, or take a copy of its model by copy.deepcopy)"
            )

    def __reduce_ex__(self, protocol: Any) -> Any:
        return super().__reduce_ex__(max(2, protocol))  # older ones know no base that is compiled

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), **{name: opened(getattr(self, name)) for name in FIELDS}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, one in state.items():
            setattr(self, name, one)
        self._freeze(not self._requires_grad)

    def _assign(self, target: Any, value: Any, what: str) -> None:
        value, what = np.asarray(value), f"{self.name or 'parameter'}.{what}"
        if value.shape != target.shape:
            raise ValueError(f"{what}: wanted shape {target.shape}, got {value.shape}")
        if value.dtype.kind not in "fiu":
            raise TypeError(f"{what}: wanted real numbers, got dtype {value.dtype}")
        if target is self._data:
            self.require_open()
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
