"""Container: what all layers made of layers share. They publish their structure, and know no compiler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

from cynet.core.types import Array, Shape
from cynet.nn import structure
from cynet.nn.layer import Layer, plain
from cynet.nn.structure import Ends, Parts

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
        """How the output comes from the input: a tuple of `Call`.

        It is asked when layers are joined, not at each pass, so it depends on the layer's attributes alone.
        """
        raise TypeError(f"{type(self).__name__} defines no parts()")

    def ends(self) -> Ends:
        """How many inputs there are, and which values are the outputs: here one, and the last."""
        return 1, (sum(part.count for part in self.parts()),)

    @property
    def takes_integers(self) -> bool:  # type: ignore[override]
        """Whether a layer that takes an input does."""
        inputs, parts = self.ends()[0], self.parts()
        return any(part.layer.takes_integers is True for part in parts if min(part.sources) < inputs)

    def output_shape(self, *shapes: Any) -> Any:
        inputs, outputs = self.ends()
        if len(shapes) != inputs:
            raise ValueError(f"wanted {inputs} inputs, got {len(shapes)}")
        values = [*map(tuple, shapes)]
        for _, _, after in structure.shapes(self.parts(), shapes):
            values += after
        found = tuple(values[output] for output in outputs)
        return found if len(outputs) > 1 else found[0]

    def trace(self, *shapes: Shape, path: str = "") -> Iterator[tuple[str, Layer, Any]]:
        for part, before, _ in structure.shapes(self.parts(), shapes):
            if part.name:
                yield from part.layer.trace(*before, path=f"{path}.{part.name}" if path else part.name)

    def forward(self, *xs: Array) -> Any:
        ys, kept = structure.forward(self.parts(), self.ends(), xs)
        self.save(kept)
        return ys[0] if len(ys) == 1 else tuple(ys)

    def backward(self, *dys: Array) -> Any:
        (kept,) = self.saved()
        return self._gone_back(kept, dys)

    def _gone_back(self, kept: structure.Kept, dys: tuple[Array, ...]) -> Any:
        """The gradient to the input, or those to several; None unless they are wanted."""
        wanted = kept.wanted
        if len(dys) != len(wanted):
            raise TypeError(f"{type(self).__name__}.backward: wanted {len(wanted)} gradients, got {len(dys)}")
        found = [self.gradient(dy, shape) for dy, shape in zip(dys, wanted, strict=True)]
        dxs = structure.backward(kept, found, self._wants_dx())
        return None if dxs is None else dxs[0] if len(dxs) == 1 else tuple(dxs)

    def children(self) -> list[tuple[str, Layer]]:
        """The layers of the parts, by their names there; then those that a user's class has beside them."""
        found = {(part.name, id(part.layer)): (part.name, part.layer) for part in self.parts() if part.name}
        if not self._boxed:
            return list(found.values())
        known = {place for _, place in found}
        beside = [pair for pair in super().children() if id(pair[1]) not in known]
        return [*found.values(), *beside]
