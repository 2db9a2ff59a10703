"""summary: what a model computes, layer by layer, without running it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cynet.core import checks, random
from cynet.core.types import Shape

from .layer import Layer, shapes_of
from .passes import no_grad


@dataclass(frozen=True)
class Row:
    """One layer: its path, repr, output shape (batch first), parameters, MACs and output bytes.

    Parameters that stand at several places are counted in the row of the first.
    """

    path: str
    layer: str
    output_shape: Shape
    parameters: int
    macs: int
    activation_bytes: int


@dataclass(frozen=True)
class Summary:
    """The rows of a model and their sums; `str` of it is a table.

    MACs and bytes are those of a forward pass over the whole batch of the input shape.
    """

    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def macs(self) -> int:
        return sum(row.macs for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        return sum(row.activation_bytes for row in self.rows)

    def __str__(self) -> str:
        cells = [("", "layer", "output shape", "parameters", "MACs", "activation bytes")]
        cells += [
            (
                r.path,
                r.layer,
                str(r.output_shape),
                f"{r.parameters:,}",
                f"{r.macs:,}",
                f"{r.activation_bytes:,}",
            )
            for r in self.rows
        ]
        cells.append(
            ("", "total", "", f"{self.parameters:,}", f"{self.macs:,}", f"{self.activation_bytes:,}")
        )
        widths = [max(len(row[i]) for row in cells) for i in range(6)]
        lines = [
            "  ".join(
                [c.ljust(w) for c, w in zip(row[:3], widths[:3], strict=True)]
                + [c.rjust(w) for c, w in zip(row[3:], widths[3:], strict=True)]
            ).rstrip()
            for row in cells
        ]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    __repr__ = __str__


def summary(model: Layer, input_shape: Shape | Sequence[Shape]) -> Summary:
    """A table of a model's layers: output shape, parameters, MACs and activation bytes.

    Parameters
    ----------
    model : Layer
    input_shape : tuple of int, or a list of them, one for each input
        (N, H, W, C) or (H, W, C) for images, (N, features) or (features,) for rows; without the batch it
        is taken as 1. (N, L, C) for sequences, of models that take no images. Those of several inputs are
        all with the batch, or all without it.

    Returns
    -------
    Summary
        Prints as a table; `.rows`, `.parameters`, `.macs` and `.activation_bytes` hold the numbers.

    Raises
    ------
    TypeError, ValueError
        When the shape is no tuple of positive ints, or does not fit the model (the layer is named).

    Notes
    -----
    A layer of one's own that holds others, with a forward pass of its own and no `macs`, is run once, for the
    layers that it calls are shown with the shapes that it gives them last.

    Examples
    --------
    >>> print(cynet.summary(cynet.models.create("uwnet2"), (32, 32, 3)))
    """
    if not isinstance(model, Layer):
        raise TypeError(f"model: wanted a Layer, got {model!r}")
    if not isinstance(input_shape, (tuple, list)):
        raise TypeError(f"input_shape: wanted a tuple of ints, got {input_shape!r}")
    if input_shape and all(isinstance(each, (tuple, list)) for each in input_shape):
        several: Any = input_shape
        shapes = [_sizes(f"input_shape[{i}]", each) for i, each in enumerate(several)]
        try:
            model.checked_shape(*shapes)
        except ValueError as error:
            shapes = [(1, *each) for each in shapes]
            try:
                model.checked_shape(*shapes)
            except ValueError:
                raise error from None
        return of_shape(model, *shapes)
    return of_shape(model, _with_batch(model, _sizes("input_shape", input_shape)))


def _sizes(name: str, shape: Sequence[Any]) -> Shape:
    return tuple(checks.integer(f"{name}[{i}]", n, 1) for i, n in enumerate(shape))


def of_shape(model: Layer, *shapes: Shape) -> Summary:
    """`summary` for inputs of these shapes with the batch, whatever their axes are."""
    rows: list[Row] = []
    counted: set[int] = set()
    for path, layer, before, shown in _traced(model, *shapes):
        after = layer.checked_shape(*shapes_of(before))
        own = [parameter for parameter in layer.parameters() if id(parameter) not in counted]
        counted.update(map(id, own))
        parameters = sum(parameter.size for parameter in own)
        rows.append(
            Row(
                path,
                repr(layer),
                after,
                parameters,
                int(layer.macs(*shapes_of(before))),
                0 if shown else 4 * sum(map(prod, shapes_of(after))),
            )
        )
    model.parameters()  # gives the names back their paths from the model's root
    return Summary(tuple(rows))


def _traced(layer: Layer, *shapes: Shape, path: str = "") -> Iterator[tuple[str, Layer, Any, bool]]:
    """`Layer.trace`; before a user's layer that holds others come these, and True after it."""
    for place, part, given in layer.trace(*shapes, path=path):
        parts = []
        if part._boxed and type(part).macs is Layer.macs:
            parts = _called(part, shapes_of(given))
        for name, child, seen in parts:
            yield from _traced(child, *shapes_of(seen), path=f"{place}.{name}" if place else name)
        yield place, part, given, bool(parts)


def _called(layer: Layer, shapes: tuple[Shape, ...]) -> list[tuple[str, Layer, Any]]:
    """(name, layer, the shape that it is called with last) of the layers that a layer calls when it is run.

    One whose forward raises shows none.
    """
    children = layer.children()
    if not children:
        return []
    modes = [(one, one.training, one._seen) for _, one in layer.walk()]
    found = []
    try:
        with random.kept(), no_grad():
            for one, *_ in modes:
                one.training, one._seen = False, None
            layer.forward(*(np.zeros(shape, np.float32) for shape in shapes))
            found = [(name, child, child._seen) for name, child in children if child._seen is not None]
    except Exception:  # a user's code; whoever runs the model sees it
        pass
    finally:
        for one, training, seen in modes:
            one.training, one._seen = training, seen
    return found


def _with_batch(model: Layer, shape: Shape) -> Shape:
    """A shape that the model takes, with the batch; ValueError where it takes none."""
    if len(shape) not in (1, 2, 3):
        model.checked_shape(shape)
        return shape
    if len(shape) == 2:  # rows with their batch, or else a signal
        try:
            model.checked_shape(shape)
            return shape
        except ValueError as error:
            try:
                model.checked_shape((1, *shape))
            except ValueError:
                raise error from None
            return 1, *shape
    try:
        model.checked_shape((1, *shape))
    except ValueError as error:
        if len(shape) == 1:
            raise
        try:
            model.checked_shape(shape)
        except ValueError:
            raise error from None
        return shape
    return 1, *shape
