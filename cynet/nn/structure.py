"""How the output of a container comes from its input, as data that whoever needs it reads.

Design: a container answers `parts()` with a tuple of operations. Values are numbered: 0 is the input, and
each operation makes the next one; the last is the output. An operation knows the shape, the value and the
gradients of what it makes, so that shapes, traces, both passes, compilers and exporters walk through the
parts alike, and a container that publishes its own works everywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cynet.core import workspace
from cynet.core.types import Array, Shape
from cynet.kernels.pointwise import arrays

from .layer import Layer


class Call(NamedTuple):
    """A layer of the container, called on one value."""

    name: str
    layer: Layer
    source: int = 0

    @property
    def sources(self) -> tuple[int, ...]:
        return (self.source,)


class Add(NamedTuple):
    """The sum of two values of equal shapes."""

    sources: tuple[int, int]

    def shape(self, one: Shape, other: Shape) -> Shape:
        if one != other:
            raise ValueError(f"wanted equal shapes to add, got {one} from body and {other} beside it")
        return one

    @staticmethod
    def forward(one: Array, other: Array) -> Array:
        return arrays.add(one, other)

    @staticmethod
    def backward(dy: Array, shapes: Sequence[Shape]) -> Sequence[Array]:
        return dy, dy


class Join(NamedTuple):
    """Values of equal shapes but for the channels, side by side along these."""

    sources: tuple[int, ...]

    def shape(self, *shapes: Shape) -> Shape:
        if len({shape[:-1] for shape in shapes}) > 1:
            raise ValueError(f"wanted branches of equal shape but for the channels, got {list(shapes)}")
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def forward(self, *values: Array) -> Array:
        y, start = workspace.empty(self.shape(*(value.shape for value in values))), 0
        for value in values:
            arrays.copy_channels(value, 0, y, start, value.shape[-1])
            start += value.shape[-1]
        return y

    @staticmethod
    def backward(dy: Array, shapes: Sequence[Shape]) -> Sequence[Array]:
        found, start = [], 0
        for shape in shapes:
            found.append(workspace.empty(shape))
            arrays.copy_channels(dy, start, found[-1], 0, shape[-1])
            start += shape[-1]
        return found


Part = Call | Add | Join
Parts = tuple[Part, ...]


def chain(parts: Parts) -> list[Layer] | None:
    """The layers of parts each of which takes the output of the one before it; None where one does not."""
    layers = [part.layer for i, part in enumerate(parts) if isinstance(part, Call) and part.source == i]
    return layers if len(layers) == len(parts) else None


@dataclass(frozen=True)
class Kept:
    """What a container keeps of a pass: its parts then, and the shape of each value."""

    parts: Parts
    shapes: list[Shape]


def forward(parts: Parts, x: Array) -> tuple[Array, Kept]:
    """(output, `Kept`) of the parts of a container, its layers called one by one."""
    last = {source: i for i, part in enumerate(parts) for source in part.sources}  # who needs a value last
    values, shapes = {0: x}, [x.shape]
    for i, part in enumerate(parts):
        found = [values[source] for source in part.sources]
        y = part.layer(*found) if isinstance(part, Call) else part.forward(*found)
        for source in part.sources:
            if last[source] == i:
                values.pop(source, None)
        values[i + 1] = x = y
        shapes.append(y.shape)
    return x, Kept(parts, shapes)


def backward(kept: Kept, dy: Array, wants_dx: bool) -> Array | None:
    """The gradient to the input of a pass, or None unless it is wanted.

    The layers' backward passes come in the reverse order; several gradients to one value are added in the
    order of the parts that they come from.
    """
    parts, shapes = kept.parts, kept.shapes
    gradients: dict[int, list[Array]] = {len(parts): [dy]}
    for i in reversed(range(len(parts))):
        part, dy = parts[i], total(gradients.pop(i + 1))
        found: Sequence[Any]
        if not isinstance(part, Call):
            found = part.backward(dy, [shapes[source] for source in part.sources])
        elif part.source or wants_dx:
            found = [part.layer.backward(dy)]
        else:
            part.layer.backward_spared(dy)
            continue
        for source, dx in zip(part.sources, found, strict=True):
            if source or wants_dx:
                gradients.setdefault(source, []).append(dx)
    return total(gradients[0]) if wants_dx else None


def total(gradients: list[Array]) -> Array:
    """The sum of gradients, which were found from the last to the first."""
    dx = gradients[-1]
    for other in reversed(gradients[:-1]):
        dx = arrays.add(dx, other)
    return dx


def shapes(parts: Parts, shape: Shape) -> Iterator[tuple[Part, list[Shape], Shape]]:
    """(part, the shapes of its sources, that of what it makes) of each part, for an input of `shape`."""
    found = [tuple(shape)]
    for part in parts:
        given = [found[source] for source in part.sources]
        if isinstance(part, Call):
            found.append(part.layer.checked_shape(given[0], part.name))
        else:
            found.append(tuple(part.shape(*given)))
        yield part, given, found[-1]
