"""Convolutions, and transposed ones."""

from __future__ import annotations

from typing import Any

from cynet.nn.layers.conv1d import Conv1d
from cynet.nn.layers.conv2d import Conv2d
from cynet.nn.layers.conv_transpose2d import ConvTranspose2d

from .. import windows
from ..operation import Operation
from ..values import BATCH, Laid
from .table import operator


@operator("Conv")
def convolution(op: Operation) -> Laid:
    symbol, count = op.net.image(op.laid())
    weight = op.weights(1)
    kernel, stride, dilation, groups = _window(op, weight, count)
    pads = windows.pads(op, symbol.shape[:-1], kernel, stride, dilation)
    outputs, inputs = weight.shape[0], weight.shape[1] * groups
    bias = op.bias(2, outputs)

    def make() -> Any:
        shapes = (kernel, stride, pads, dilation) if count == 2 else (kernel[0], stride[0], pads, dilation[0])
        kind: Any = Conv2d if count == 2 else Conv1d
        return op.with_weights(kind(inputs, outputs, *shapes, groups, bias is not None), weight, bias)

    return _image(op.call(op.shared(make, pads, bias is None), symbol), count)


@operator("ConvTranspose")
def transposed_convolution(op: Operation) -> Laid:
    symbol, count = op.net.image(op.laid())
    weight = op.weights(1)
    kernel, stride, dilation, groups = _window(op, weight, count)
    more = windows.sides(op, "output_padding", count, 0, least=0)
    size = symbol.shape[:-1]
    full = [
        (n - 1) * s + d * (k - 1) + 1 + m
        for n, s, d, k, m in zip(size, stride, dilation, kernel, more, strict=True)
    ]
    cut, more = _cut(op, full, size, stride, more)
    inputs, outputs = weight.shape[0], weight.shape[1] * groups
    bias = op.bias(2, outputs)
    if count == 1:  # as an image of one row
        symbol = op.net.shaped(symbol, (1, *symbol.shape))
        weight = weight[:, :, None]
        kernel, stride, dilation, more = (1, *kernel), (1, *stride), (1, *dilation), (0, *more)
        cut = 0, cut[0], 0, cut[1]

    def make() -> Any:
        kind: Any = ConvTranspose2d
        layer = kind(inputs, outputs, kernel, stride, cut, more, groups, bias is not None, dilation)
        return op.with_weights(layer, weight, bias)

    found = op.call(op.shared(make, cut, more, bias is None), symbol)
    return _image(found if count == 2 else op.net.shaped(found, found.shape[1:]), count)


def _image(symbol: Any, count: int) -> Laid:
    return Laid.of(symbol, BATCH, count, *range(count))


def _window(op: Operation, weight: Any, count: int) -> Any:
    """(kernel, stride, dilation, groups) of a convolution, whose weight has the kernel's sides at its end."""
    if weight.ndim != count + 2 or 0 in weight.shape:
        raise ValueError(f"input 1: wanted weights of {count + 2} sides, got shape {weight.shape}")
    kernel = tuple(weight.shape[2:])
    if tuple(op.integers("kernel_shape", kernel)) != kernel:
        raise ValueError(f"kernel_shape: wanted {kernel}, as the weights have it, got another one")
    stride, dilation = windows.sides(op, "strides", count, 1), windows.sides(op, "dilations", count, 1)
    groups = op.integer("group", 1)
    if not 1 <= groups <= windows.MOST:
        raise ValueError(f"group: wanted 1 to {windows.MOST}, got {groups}")
    return kernel, stride, dilation, groups


def _cut(op: Operation, full: list[int], size: Any, stride: Any, more: Any) -> Any:
    """(what is cut off before and after, the output padding) of a transposed convolution."""
    mode = op.text("auto_pad", windows.NOTSET)
    wanted = op.integers("output_shape", [])[-len(full) :]
    if not wanted and mode in (windows.NOTSET, windows.VALID):
        pads = windows.sides(op, "pads", 2 * len(full), 0, least=0)
        return pads if mode == windows.NOTSET else (0,) * len(pads), more
    op.integers("pads", [])
    wanted = wanted or [n * s for n, s in zip(size, stride, strict=True)]
    if len(wanted) != len(full):
        raise ValueError(f"output_shape: wanted {len(full)} sides, got {len(wanted)}")
    total = [have - want for have, want in zip(full, wanted, strict=True)]
    more = tuple(m + max(0, -n) for m, n in zip(more, total, strict=True))
    # The odd cell is cut off after, but for SAME_LOWER and where no rule is told, as ONNX has it.
    upper = windows.UPPER if mode == windows.UPPER else windows.LOWER
    return windows.split([max(0, n) for n in total], upper), more
