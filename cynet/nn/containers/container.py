"""Container: what all layers made of layers share. They publish their structure, and know no compiler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from cynet.core.types import Array, Shape
from cynet.nn import structure
from cynet.nn.layer import Layer, plain
from cynet.nn.structure import Parts


def by_parts(layer: Layer) -> TypeGuard[Container]:
    """Whether the output of a layer is what its parts make: neither it nor a user's class has a `forward`."""
    if not isinstance(layer, Container) or plain(layer) is None:
        return False
    home = next(kind for kind in type(layer).__mro__ if "forward" in vars(kind))
    return home.__module__.startswith(f"{__package__}.")


class Container(Layer):
    """A layer made of layers: a subclass defines ``parts()``, and has shapes and both passes by it.

    See `cynet.nn.structure`.
    """

    def parts(self) -> Parts:
        """How the output comes from the input: a tuple of `Call`, `Add` and `Join`."""
        raise TypeError(f"{type(self).__name__} defines no parts()")

    def chain(self) -> list[Layer] | None:
        """The layers, where each takes the output of the one before it and nothing else; or else None."""
        return None

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

    def _numbered(self, layers: list[Layer]) -> list[tuple[str, Layer]]:
        """Layers by their numbers, then those that a user's class has beside them."""
        found = [(str(i), layer) for i, layer in enumerate(layers)]
        if self._boxed:
            known = set(map(id, layers))
            found += [pair for pair in super().children() if id(pair[1]) not in known]
        return found
