"""Cells around a value."""

from __future__ import annotations

from cynet.nn.layers.zero_pad2d import ZeroPad2d

from ..cropping import padded
from ..operation import Operation
from ..values import BATCH, Laid, axis_of
from .table import operator

MOST = 1 << 20


@operator("Pad")
def pad(op: Operation) -> Laid:
    laid, mode = op.laid(), op.text("mode", "constant")
    if op.opset < 11:
        pads, value = op.integers("pads"), op.number("value", 0.0)
    else:
        pads = op.whole_numbers(1)
        value = op.scalar(2) if op.has(2) and mode == "constant" else 0.0
    axes = op.whole_numbers(3) if op.has(3) else list(range(laid.rank))
    if len(pads) != 2 * len(axes) or any(abs(n) > MOST for n in pads):
        raise ValueError(
            f"wanted two numbers of at most {MOST} for each of {len(axes)} axes, got {pads!r:.80}"
        )
    sides = {axis_of(axis, laid.rank): (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    zeros = mode == "constant" and not value
    if zeros and laid.rank == 4 and not any(any(sides.get(i, ())) for i in (0, 1)):  # both sides at once
        symbol, _ = op.net.image(laid, 2)
        (top, bottom), (left, right) = (sides.get(i, (0, 0)) for i in (2, 3))
        if top == bottom == left == right == 0:
            return laid
        return Laid.of(op.call(ZeroPad2d((left, right, top, bottom)), symbol), BATCH, 2, 0, 1)
    for axis, (before, after) in sides.items():
        laid = padded(op.net, laid, axis, before, after, mode, value)
    return laid
