"""Images made larger, or smaller, by interpolation."""

from typing import Any

from cynet.core import checks, threads, workspace
from cynet.core.types import Array, Shape
from cynet.kernels.resize.places import MOST_PIXELS, checked_size
from cynet.kernels.resize.resizing import Bilinear, Nearest
from cynet.nn import registry
from cynet.nn.layer import Layer, answers

MODES = "nearest", "bilinear"


@registry.layer(
    examples={
        "Upsample(scale_factor=2)": (2, 4, 5, 4),
        "Upsample((5, 11))": (3, 9, 7, 11),
        "Upsample(scale_factor=(2, 1.5), mode='bilinear')": (2, 4, 5, 4),
        "Upsample(12, mode='bilinear', align_corners=True)": (3, 9, 7, 11),
    }
)
class Upsample(Layer):
    """(N, H, W, C) to (N, size, C), or to (N, H * scale_factor, W * scale_factor, C), rounded down.

    Parameters
    ----------
    size : int or (height, width), optional
        Of the output.
    scale_factor : float or (vertical, horizontal), optional
        How many times as large the output is; either this or `size` is given.
    mode : {"nearest", "bilinear"}, optional
    align_corners : bool, optional
        For "bilinear" alone: whether the centres of the outermost pixels stay where they are; else, and by
        default, their outer edges.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        scale_factor: float | tuple[float, float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        self.size, self.scale_factor, self.mode, self.align_corners = size, scale_factor, mode, align_corners
        self.size, self.scale_factor, self.mode, self.align_corners = self._settings()

    def _settings(self) -> Any:
        """Its four arguments, checked: they may have been set."""
        size, factor, mode, corners = self.size, self.scale_factor, self.mode, self.align_corners
        if (size is None) == (factor is None):
            got = "neither" if size is None else f"{size!r:.40} and {factor!r:.40}"
            raise ValueError(f"size, scale_factor: wanted one of the two, got {got}")
        if not isinstance(mode, str) or mode not in MODES:
            raise ValueError(f"mode: wanted one of {', '.join(MODES)}, got {mode!r:.80}")
        if mode == "nearest" and corners is not None:
            raise ValueError(f'align_corners: wanted it with mode "bilinear" alone, got {corners!r:.80}')
        corners = None if corners is None else checks.flag("align_corners", corners)
        if size is not None:
            return checks.pair("size", size), None, mode, corners
        return None, _factors(factor), mode, corners

    def _way(self, shape: Shape) -> Any:
        """(the output's shape, what resizes) for an input of `shape`."""
        question = shape, *self._settings()
        known = self._worked_out  # once: another thread may set it
        if not answers(known, question):
            _, factors, mode, corners = question[1:]
            found = self.output_shape(shape)
            known = self._worked_out = question, (found, _resizing(shape, found, factors, mode, corners))
        return known[1]

    def output_shape(self, shape: Shape) -> Shape:
        """Without the tables of what is resized: who asks may only want to know."""
        if len(shape) != 4 or shape[1] < 1 or shape[2] < 1:
            raise ValueError(f"wanted an input (N, H, W, C) with H and W at least 1, got shape {shape}")
        size, factors, *_ = self._settings()
        return (shape[0], *_size(shape[1:3], size, factors), shape[3])

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
        name = "size" if self.scale_factor is None else "scale_factor"
        corners = "" if self.align_corners is None else f", align_corners={self.align_corners}"
        return f"Upsample({name}={checks.short(getattr(self, name))}, mode={self.mode!r}{corners})"


def _factors(value: Any) -> tuple[float, float]:
    if not isinstance(value, (tuple, list)):
        factor = checks.number("scale_factor", value, 0, open_low=True)
        return factor, factor
    if len(value) != 2:
        raise ValueError(f"scale_factor: wanted a number or a pair, got {value!r:.80}")
    vertical, horizontal = (
        checks.number(f"scale_factor[{i}]", one, 0, open_low=True) for i, one in enumerate(value)
    )
    return vertical, horizontal


def _size(in_hw: Shape, size: Any, factors: Any) -> Shape:
    """(height, width) of the output."""
    name = "size"
    if factors is not None:
        most = MOST_PIXELS + 1  # is refused
        size = tuple(int(min(side * factor, most)) for side, factor in zip(in_hw, factors, strict=True))
        name = "scale_factor"
    found: Shape = checked_size(name, size, in_hw)
    return found


def _resizing(shape: Shape, out_shape: Shape, factors: Any, mode: str, corners: bool | None) -> Any:
    """What makes the output of an input."""
    in_hw, size, factors = shape[1:3], out_shape[1:3], factors or (None, None)
    if mode == "nearest":
        return Nearest(in_hw, size, factors)
    return Bilinear(in_hw, size, factors, bool(corners))
