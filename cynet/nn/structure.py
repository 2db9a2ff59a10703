"""How the output of a container comes from its input, as data that whoever needs it reads.

Design: a container answers `parts()` with a tuple of calls. Values are numbered: the inputs come first, of
most containers one, 0; each call makes the next value, or the next few. The last is the output, or what
`ends()` of the container says. A sum, a product, values side by side are layers as others, that take several
values; so shapes, traces, both passes, compilers and exporters walk through calls alone, and a container that
publishes its own works everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cynet.core import workspace
from cynet.core.types import Array, Shape
from cynet.kernels.pointwise import arrays

from . import passes
from .layer import Layer


class _Call(NamedTuple):
    name: str
    layer: Layer
    sources: tuple[int, ...]
    count: int  # type: ignore[assignment]


class Call(_Call):
    """A layer of the container, called on one value or several.

    Parameters
    ----------
    name : str
        What the layer is called in paths; "" for one that is no child of the container, as a sum in a block.
    layer : Layer
    *sources : int
        The values that it takes; without any, the input.
    count : int, optional
        How many values it gives.
    """

    __slots__ = ()

    def __new__(cls, name: str, layer: Layer, *sources: int, count: int = 1) -> Call:
        return super().__new__(cls, name, layer, sources or (0,), count)

    def __reduce__(self) -> Any:
        return _called_again, tuple(self)


def _called_again(name: str, layer: Layer, sources: tuple[int, ...], count: int) -> Call:
    return Call(name, layer, *sources, count=count)


Parts = tuple[Call, ...]
Ends = tuple[int, tuple[int, ...]]  # how many inputs there are; the values that are outputs


def chain(parts: Parts) -> list[Layer] | None:
    """The layers of parts each of which takes the output of the one before it; None where one does not."""
    layers = [part.layer for i, part in enumerate(parts) if part.sources == (i,) and part.count == 1]
    return layers if len(layers) == len(parts) else None


@dataclass(frozen=True)
class Kept:
    """What a container keeps of a pass: its parts and ends then, the shape of each value, and of each input
    whether it is integers, to which there is no gradient."""

    parts: Parts
    ends: Ends
    shapes: list[Shape]
    integers: list[bool]

    @property
    def wanted(self) -> list[Shape]:
        """The shapes of the outputs."""
        return [self.shapes[output] for output in self.ends[1]]


def forward(parts: Parts, ends: Ends, xs: Sequence[Array]) -> tuple[list[Array], Kept]:
    """(outputs, `Kept`) of the parts of a container, its layers called one by one."""
    values, shapes, left = dict(enumerate(xs)), [x.shape for x in xs], users(parts, ends)
    for part in parts:
        y = part.layer(*(values[source] for source in part.sources))
        for source in part.sources:
            left[source] -= 1
            if not left[source]:
                values.pop(source, None)
        for one in (y,) if part.count == 1 else y:
            values[len(shapes)] = one
            shapes.append(one.shape)
    return [values[output] for output in ends[1]], Kept(
        parts, ends, shapes, [x.dtype.kind in "iu" for x in xs]
    )


def users(parts: Parts, ends: Ends) -> list[int]:
    """Of each value how often it is taken, by a part or as an output."""
    found = [0] * (ends[0] + sum(part.count for part in parts))
    for part in parts:
        for source in part.sources:
            found[source] += 1
    for output in ends[1]:
        found[output] += 1
    return found


def backward(kept: Kept, dys: Sequence[Array], wants_dx: bool) -> list[Array | None] | None:
    """The gradients to the inputs of a pass (None to integers), or None unless they are wanted.

    The layers' backward passes come in the reverse order; several gradients to one value are added in the
    order of the parts that they come from. Where nothing below a part is trained it is not gone back to.
    """
    parts, inputs, shapes = kept.parts, kept.ends[0], kept.shapes
    wanted = _wanted(parts, inputs, wants_dx)
    gradients: dict[int, list[Array]] = {}
    for output, dy in reversed(list(zip(kept.ends[1], dys, strict=True))):
        gradients.setdefault(output, []).append(dy)
    end = len(shapes)
    for part in reversed(parts):
        first, end = end - part.count, end - part.count
        given = [gradients.pop(value, None) for value in range(first, first + part.count)]
        if not wanted[first] or not any(given):
            continue
        below = [total(dy) if dy else workspace.zeros(shapes[first + i]) for i, dy in enumerate(given)]
        if not any(wanted[source] for source in part.sources):
            part.layer.backward_spared(*below)
            passes.gone_back(part.layer)
            continue
        found = part.layer.backward(*below)
        passes.gone_back(part.layer)
        for source, dx in zip(part.sources, found if len(part.sources) > 1 else (found,), strict=True):
            if wanted[source] and dx is not None:
                gradients.setdefault(source, []).append(dx)
    if not wants_dx:
        return None
    found = [total(gradients[i]) if i in gradients else workspace.zeros(shapes[i]) for i in range(inputs)]
    return [None if integers else dx for dx, integers in zip(found, kept.integers, strict=True)]


def _wanted(parts: Parts, inputs: int, wants_dx: bool) -> list[bool]:
    """Of each value whether its gradient is wanted: by the user, or for a parameter below it."""
    wanted = [wants_dx] * inputs
    for part in parts:
        wanted += [any(wanted[source] for source in part.sources) or part.layer.is_trained()] * part.count
    return wanted


def total(gradients: list[Array]) -> Array:
    """The sum of gradients, which were found from the last to the first."""
    dx = gradients[-1]
    for other in reversed(gradients[:-1]):
        dx = arrays.add(dx, other)
    return dx


def shapes(parts: Parts, given: Sequence[Shape]) -> Iterator[tuple[Call, list[Shape], list[Shape]]]:
    """(part, the shapes that it takes, those that it makes) of each part, for `given` shapes."""
    found = [tuple(shape) for shape in given]
    for part in parts:
        before = [found[source] for source in part.sources]
        if part.name:
            after = part.layer.checked_shape(*before, name=part.name)
        else:
            after = part.layer.output_shape(*before)  # the container is named
        found += [after] if part.count == 1 else after
        yield part, before, found[-part.count :]
