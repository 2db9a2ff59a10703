"""What the course's layers share: checked matrices, the update rule, and where windows lie.

Each has `forward(x)`, `backward(dy)` and `update(rate, momentum, decay)`; those with weights have the
matrices `w`, `b` and their gradients `dw`, `db`, which `backward` adds to. Any of them may be assigned; the
array is copied.

Design: attributes may be set at any time. So each forward pass checks the settings as the constructor did,
derives from them what follows, and keeps with the pass all that its backward pass needs: that looks at no
setting. Shape, dtype and flags of a matrix may be set in place; it is looked at before a kernel gets it.
"""

from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.threads import get_num_threads
from cynet.core.types import Array
from cynet.kernels.common import geometry
from cynet.kernels.conv import convolution
from cynet.kernels.optim import optim

from . import planes

MOST = 2**28  # weights of a layer, columns of a matrix: 1 GiB of floats


def bounded(name: str, count: int) -> int:
    """`count`, or ValueError where it is more than `MOST`."""
    if count > MOST:
        raise ValueError(f"{name}: wanted at most {MOST}, got {count}")
    return count


class Matrix:
    """An attribute that holds a float32 matrix and takes any array of its shape."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        try:
            return vars(layer)[self.name]
        except KeyError:
            raise AttributeError(f"{layer!r} has no {self.name}") from None

    def __set__(self, layer: Any, value: Any) -> None:
        held = vars(layer).get(self.name)
        rows, columns = (None, None) if held is None or held.ndim != 2 else held.shape
        vars(layer)[self.name] = planes.matrix(f"{layer!r}.{self.name}", value, rows, columns).copy()


def whole(layer: Any, why: str, written: bool = False, **shapes: tuple[int, int]) -> list[Array]:
    """A layer's matrices, which may have been set in place.

    Parameters
    ----------
    layer : CourseLayer
    why : str
        Where the wanted shapes come from, for the message.
    written : bool, optional
        Whether they must be writable.
    **shapes : pair of int
        What each has to have under its name.

    Raises
    ------
    ValueError
        Where one has another shape, dtype or memory layout.
    """
    found = [getattr(layer, name) for name in shapes]
    for matrix, (name, shape) in zip(found, shapes.items(), strict=True):
        flags = matrix.flags
        plain = matrix.dtype == checks.FLOAT and flags.c_contiguous and flags.aligned
        if matrix.shape != shape or not plain or (written and not flags.writeable):
            kind = f"{'' if plain else 'contiguous '}{'writable ' if written else ''}float32 matrix"
            got = f"{matrix.dtype} of shape {matrix.shape}{'' if flags.writeable else ', read-only'}"
            size = " x ".join(map(str, shape))
            raise ValueError(f"{layer!r}.{name}: wanted a {kind} of {size} ({why}), got {got}")
    return found


class CourseLayer:
    """What all layers share: an input of `inputs` columns (None: any), and what backward needs of it."""

    inputs: Any = None
    outputs: Any = None
    _kept: tuple[Any, ...] | None = None
    _forward: Any  # a method of x (rows, inputs), which calls _keep
    _backward: Any  # of dy (rows, outputs) and of what _keep was given

    def forward(self, x: Any) -> Array:
        """The output for a batch.

        Parameters
        ----------
        x : array_like (rows, inputs)

        Returns
        -------
        ndarray of float32 (rows, outputs)
        """
        return self.run(planes.matrix(f"{self!r}: x", x).copy())  # what is kept does not change with x

    def run(self, x: Any) -> Array:
        """`forward` of an x that is this layer's to keep, and that nobody writes to."""
        self._settle()
        return self._forward(planes.matrix(f"{self!r}: x", x, columns=self.inputs))

    def backward(self, dy: Any) -> Array:
        """Add the gradients of the weights to `dw` and `db`, and return that of the last input.

        Parameters
        ----------
        dy : array_like (rows, outputs)
            The gradient of the loss to the last output.

        Returns
        -------
        ndarray of float32 (rows, inputs)

        Raises
        ------
        RuntimeError
            Without a forward pass before it.
        """
        return self.backward_of(self.last_pass(), dy)

    def backward_spared(self, dy: Any) -> None:
        """As `backward`, for a first layer: without the input's gradient where that takes work of its own."""
        self.backward_of(self.last_pass(), dy, spared=True)

    def last_pass(self) -> tuple[Any, ...]:
        """What backward needs of the last forward pass, for `backward_of`."""
        if self._kept is None:
            raise RuntimeError(f"{self!r}: backward wanted a forward pass before it, got none")
        return self._kept

    def backward_of(self, made: tuple[Any, ...], dy: Any, spared: bool = False) -> Any:
        """`backward`, or where `spared` `backward_spared`, of the pass that `last_pass` told of."""
        (rows, outputs), *kept = made
        dy = planes.matrix(f"{self!r}: dy", dy, rows, outputs)
        return self._backward_spared(dy, *kept) if spared else self._backward(dy, *kept)

    def _backward_spared(self, dy: Array, *kept: Any) -> None:
        self._backward(dy, *kept)

    def forward_parts(self, parts: list[Array]) -> None:
        """Replace each part of one batch, in a list, by its output: `forward` in the memory of one part."""
        for i, part in enumerate(parts):
            parts[i] = self.run(part)

    def update(self, rate: float, momentum: float, decay: float) -> None:
        """One step of gradient descent: dw += decay * w, w -= rate * dw, dw *= momentum; b without decay.

        Parameters
        ----------
        rate, momentum, decay : float
        """
        rate, momentum = checks.number("rate", rate), checks.number("momentum", momentum)
        decay = checks.number("decay", decay)
        for values, gradient, shrink in self._trained(decay):
            _subtract(gradient, -shrink, values)
            _subtract(values, rate, gradient)
            gradient *= np.float32(momentum)

    def _trained(self, decay: float) -> tuple[tuple[Array, Array, float], ...]:
        return ()

    def _settle(self) -> None:
        """Check the settings, by the constructor's rules, and derive what follows from them."""
        if self.inputs is not None:
            self.inputs = checks.integer("inputs", self.inputs, 1)

    def _keep(self, y: Array, *values: Any) -> Array:
        self._kept = (y.shape, *values)
        return y


def _subtract(target: Array, factor: float, source: Array) -> None:
    """target -= factor * source."""
    if factor:
        optim.sgd(target.reshape(-1), source.reshape(-1), factor, 0, get_num_threads())


class WeightedLayer(CourseLayer):
    """A layer with weights `w`, biases `b` and their gradients."""

    w, b, dw, db = Matrix(), Matrix(), Matrix(), Matrix()
    _algorithm: tuple[Any, Any] = None, None
    _matrices: Any  # a method: w and b, as `whole` gives them
    _add_gradients: Any  # the first half of _backward: what the other half gets first
    _input_gradient: Any

    def _backward(self, dy: Array, *kept: Any) -> Array:
        return self._input_gradient(self._add_gradients(dy, *kept), *kept)

    def _backward_spared(self, dy: Array, *kept: Any) -> None:
        self._add_gradients(dy, *kept)

    def _start(self, weights: Array, biases: int) -> None:
        self.w, self.b = weights, np.zeros((1, biases))
        self.dw, self.db = np.zeros(weights.shape), np.zeros((1, biases))

    def _chosen(self, problem: Any) -> Any:
        """The algorithm for a `Problem`, chosen anew only for another one than the last time."""
        chosen = self._algorithm  # once: another thread may set it
        if chosen[0] != problem:
            self._algorithm = chosen = problem, convolution.choose(problem)
        return chosen[1]

    def weights(self) -> list[Array]:
        """(w, b), or TypeError / ValueError where they are not as the settings want them."""
        self._settle()
        return self._matrices()

    def _gradients(self, shape: tuple[int, int], biases: int) -> list[Array]:
        """dw and db, for a pass whose weights had that shape."""
        return whole(self, "as in the pass", True, dw=shape, db=(1, biases))

    def _trained(self, decay: float) -> tuple[tuple[Array, Array, float], ...]:
        w, b = whole(self, "as the layer has", True, w=self.w.shape, b=self.b.shape)
        dw, db = whole(self, "as w and b", True, dw=w.shape, db=b.shape)
        return (b, db, 0.0), (w, dw, decay)


class WindowLayer(CourseLayer):
    """What convolution and max-pooling share: window i starts at i * stride - (size - 1) // 2."""

    kind: str

    def _set(self, w: int, h: int, c: int, size: int, stride: int) -> None:
        self.width, self.height, self.channels, self.size, self.stride = w, h, c, size, stride

    def _settle(self) -> None:
        self.width = checks.integer("w (width)", self.width, 1)
        self.height = checks.integer("h (height)", self.height, 1)
        self.channels = checks.integer("c (channels)", self.channels, 1)
        self.size = checks.integer("size", self.size, 1)
        self.stride = checks.integer("stride", self.stride, 1)
        self.inputs = bounded("w * h * c", self.width * self.height * self.channels)
        hw, size, stride = (self.height, self.width), (self.size,) * 2, (self.stride,) * 2
        try:
            (top, left, _, _), self.out_hw = geometry.window_grid(hw, size, stride, geometry.SAME)
        except ValueError as error:
            raise ValueError(f"size: {error}") from None
        self.before = top, left

    def _images(self, x: Array) -> Array:
        """Planar rows as (N, H, W, C)."""
        shape = len(x), self.height, self.width, self.channels
        return planes.to_channels(x, self.channels).reshape(shape)

    def __repr__(self) -> str:
        return (
            f"{self.kind} layer {self.width} x {self.height} x {self.channels} (w x h x c), "
            f"size {self.size}, stride {self.stride}"
        )
