"""Average pooling to a size that is given."""

from typing import Any

from cynet.core import checks, threads, workspace
from cynet.core.types import Array, Shape
from cynet.kernels.resize.places import checked_size
from cynet.kernels.resize.resizing import Areas
from cynet.nn import registry
from cynet.nn.layer import Layer, answers


@registry.layer(
    examples={
        "AdaptiveAvgPool2d(1)": (2, 4, 5, 4),
        "AdaptiveAvgPool2d((4, None))": (3, 9, 7, 11),
        "AdaptiveAvgPool2d((3, 8))": (2, 7, 5, 4),
    }
)
class AdaptiveAvgPool2d(Layer):
    """(N, H, W, C) to (N, height, width, C): the means of so many areas of each image.

    Area i of `out` along `size` pixels goes from pixel i * size / out, rounded down, to (i + 1) * size / out,
    rounded up: neighbours share a pixel where they do not divide the image evenly.

    Parameters
    ----------
    output_size : int or (height, width)
        None in a pair: as large as the input.

    Raises
    ------
    TypeError, ValueError
        When it is none of these.
    """

    def __init__(self, output_size: int | tuple[int | None, int | None]) -> None:
        self.output_size = output_size
        self.output_size = self._settings()

    def _settings(self) -> Any:
        """(height, width), each of which may be None, checked: they may have been set."""
        size = self.output_size
        if not isinstance(size, (tuple, list)):
            return checks.pair("output_size", size)
        if len(size) != 2:
            raise ValueError(f"output_size: wanted an int or a pair, got {size!r:.80}")
        return tuple(
            None if side is None else checks.integer(f"output_size[{i}]", side, 1)
            for i, side in enumerate(size)
        )

    def _way(self, shape: Shape) -> Any:
        """(the output's shape, what computes the means) for an input of `shape`."""
        question = shape, self._settings()
        known = self._worked_out  # once: another thread may set it
        if not answers(known, question):
            found = self.output_shape(shape)
            known = self._worked_out = question, (found, Areas(shape[1:3], found[1:3]))
        return known[1]

    def output_shape(self, shape: Shape) -> Shape:
        """Without the tables of the areas: who asks may only want to know."""
        if len(shape) != 4 or shape[1] < 1 or shape[2] < 1:
            raise ValueError(f"wanted an input (N, H, W, C) with H and W at least 1, got shape {shape}")
        size, in_hw = self._settings(), shape[1:3]
        out_hw = [own if side is None else side for side, own in zip(size, in_hw, strict=True)]
        checked_size("output_size", out_hw, in_hw)
        return (shape[0], *out_hw, shape[3])

    def forward(self, x: Array) -> Array:
        shape, way = self._way(x.shape)
        y = workspace.empty(shape)
        way.forward(x, y, threads.get_num_threads())
        self.save(x.shape, shape, way)
        return y

    def backward(self, dy: Array) -> Array:
        shape, out_shape, way = self.saved()
        dy = self.gradient(dy, out_shape)
        dx = workspace.empty(shape)
        way.backward(dy, dx, threads.get_num_threads())
        return dx

    def __repr__(self) -> str:
        return f"AdaptiveAvgPool2d(output_size={self._short()})"

    def _short(self) -> Any:
        size = checks.short(self.output_size)
        return self.output_size if size is None else size
