"""Container: what all layers made of layers share. They publish their structure, and know no compiler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from cynet.core.types import Array, Shape
from cynet.nn import structure
from cynet.nn.layer import Layer, plain
from cynet.nn.structure import Parts

PASSES = "__call__", "forward", "backward", "backward_spared"


def by_parts(layer: Layer) -> TypeGuard[Container]:
    """Whether a layer does what its parts say: neither it nor a user's class has passes of its own."""
    if not isinstance(layer, Container) or plain(layer) is None:
        return False
    kind = type(layer)
    ours = next(one for one in kind.__mro__ if one.__module__.startswith("cynet.nn."))
    return kind is ours or all(getattr(kind, name) is getattr(ours, name) for name in PASSES)


class Container(Layer):
    """A layer made of layers: a subclass defines ``parts()``, and has shapes and both passes by it.

    See `cynet.nn.structure`.
    """

    def parts(self) -> Parts:
        """How the output comes from the input: a tuple of `Call`, `Add` and `Join`.

        It is asked when layers are joined, not at each pass, so it depends on the layer's attributes alone.
        """
        raise TypeError(f"{type(self).__name__} defines no parts()")

    def output_shape(self, shape: Shape) -> Shape:
        after = tuple(shape)
        for _, _, after in structure.shapes(self.parts(), shape):  # noqa: B007  the last one
            pass
        return after

    def trace(self, shape: Shape, path: str = "") -> Iterator[tuple[str, Layer, Shape]]:
        for part, (before, *_), _ in structure.shapes(self.parts(), shape):
            if isinstance(part, structure.Call):
                yield from part.layer.trace(before, f"{path}.{part.name}" if path else part.name)

    def forward(self, x: Array) -> Array:
        y, kept = structure.forward(self.parts(), x)
        self.save(kept)
        return y

    def backward(self, dy: Array) -> Array | None:
        (kept,) = self.saved()
        return structure.backward(kept, self.gradient(dy, kept.shapes[-1]), self._wants_dx())

    def children(self) -> list[tuple[str, Layer]]:
        """The layers of the parts, by their names there; then those that a user's class has beside them."""
        found = {
            (part.name, id(part.layer)): (part.name, part.layer)
            for part in self.parts()
            if isinstance(part, structure.Call)
        }
        if not self._boxed:
            return list(found.values())
        known = {place for _, place in found}
        beside = [pair for pair in super().children() if id(pair[1]) not in known]
        return [*found.values(), *beside]
