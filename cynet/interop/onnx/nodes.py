"""Of each operation of a program the nodes of ONNX that compute it, opset 17."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cynet.core.types import AnyArray
from cynet.interop.program import windows
from cynet.interop.program.steps import Step

from .written import FIRST, LAST, Writing

Operator = Callable[[Writing, Step], None]
OPERATORS: dict[str, Operator] = {}
SQRT2 = 2**0.5


def operator(*names: str) -> Callable[[Operator], Operator]:
    """The decorator of what writes these operations."""

    def register(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return register


def _sides(step: Step, graph: Writing, padding: Sequence[int]) -> list[int]:
    """Padding as ONNX has it, all befores first; of sequences that along them alone."""
    top, left, bottom, right = padding
    flat = len(graph.shape(step.inputs[0])) == 2
    return [left, right] if flat else [top, left, bottom, right]


def _window(step: Step, graph: Writing, *names: str) -> dict[str, list[int]]:
    """The numbers of a window by ONNX's names; of sequences those along them alone."""
    flat = len(graph.shape(step.inputs[0])) == 2
    titles = {"kernel": "kernel_shape", "stride": "strides", "dilation": "dilations"}
    return {titles[name]: list(step.numbers[name])[1 if flat else 0 :] for name in names}


def _padded(graph: Writing, step: Step, padding: Sequence[int], *value: str) -> str:
    """The input with zeros, or another value, around it, or without its edges where padding is negative."""
    sides = _sides(step, graph, padding)
    axes = len(sides) // 2
    ends = graph.integers(f"{step.name}.pads", [0, 0, *sides[:axes], 0, 0, *sides[axes:]])
    return graph.node("Pad", step, graph.get(step.inputs[0]), ends, *value)


def _bordered(graph: Writing, step: Step) -> str:
    """The input with pixels of its own around it, by their numbers along each axis."""
    found, given = graph.get(step.inputs[0]), windows.images(graph.shape(step.inputs[0]))
    flat = len(graph.shape(step.inputs[0])) == 2
    for axis in (1,) if flat else (0, 1):
        places = windows.bordered(step, axis, given[axis])
        numbers = graph.integers(f"{step.name}.places", places.tolist())
        found = graph.node("Gather", step, found, numbers, axis=2 if flat else 2 + axis)
    return found


@operator("conv")
def _conv(graph: Writing, step: Step) -> None:
    if step.numbers["border"] != "zeros":
        _convolve(graph, step, "Conv", _bordered(graph, step), [0, 0, 0, 0])
        return
    padding = [max(side, 0) for side in step.numbers["padding"]]
    _convolve(graph, step, "Conv", graph.get(step.inputs[0]), padding)


def _convolve(graph: Writing, step: Step, name: str, x: str, padding: Sequence[int], **more: Any) -> None:
    weight = step.arrays["weight"]
    weight = weight[:, :, 0] if len(graph.shape(step.inputs[0])) == 2 else weight
    given = [x, graph.constant(f"{step.name}.weight", weight)]
    given += [graph.constant(f"{step.name}.bias", step.arrays["bias"])] if "bias" in step.arrays else []
    window = _window(step, graph, "kernel", "stride", "dilation")
    pads = _sides(step, graph, padding)
    y = graph.node(name, step, *given, **window, pads=pads, group=step.numbers["groups"], **more)
    graph.made(step.output, y)


@operator("deconv")
def _deconv(graph: Writing, step: Step) -> None:
    numbers, x = step.numbers, graph.get(step.inputs[0])
    if all(more < stride for more, stride in zip(numbers["more"], numbers["stride"], strict=True)):
        _convolve(graph, step, "ConvTranspose", x, numbers["padding"], output_padding=list(numbers["more"]))
        return
    # As much more as runtimes refuse: the whole output, which is cut and padded, then the bias.
    weight, bias = step.arrays["weight"], step.arrays.get("bias")
    window = _window(step, graph, "kernel", "stride", "dilation")
    given = graph.constant(f"{step.name}.weight", weight)
    y = graph.node("ConvTranspose", step, x, given, **window, group=numbers["groups"])
    top, left, bottom, right = numbers["padding"]
    down, across = numbers["more"]
    ends = graph.integers(f"{step.name}.pads", [0, 0, -top, -left, 0, 0, down - bottom, across - right])
    y = graph.node("Pad", step, y, ends)
    if bias is not None:
        y = graph.node("Add", step, y, graph.constant(f"{step.name}.bias", _of_channels(bias, 3, FIRST)))
    graph.made(step.output, y)


@operator("linear")
def _linear(graph: Writing, step: Step) -> None:
    weight, bias = step.arrays["weight"], step.arrays.get("bias")
    if len(graph.shape(step.inputs[0])) == 1:
        given = [graph.get(step.inputs[0]), graph.constant(f"{step.name}.weight", weight)]
        given += [] if bias is None else [graph.constant(f"{step.name}.bias", bias)]
        graph.made(step.output, graph.node("Gemm", step, *given, transB=1))
        return
    x = graph.get(step.inputs[0], LAST)
    y = graph.node("MatMul", step, x, graph.constant(f"{step.name}.weight", np.ascontiguousarray(weight.T)))
    if bias is not None:
        y = graph.node("Add", step, y, graph.constant(f"{step.name}.bias", bias))
    graph.made(step.output, y, LAST)


@operator("norm")
def _norm(graph: Writing, step: Step) -> None:
    arrays = step.arrays
    ones, zeros = np.ones_like(arrays["mean"]), np.zeros_like(arrays["mean"])
    given = [
        graph.constant(f"{step.name}.{title}", arrays.get(name, default))
        for title, name, default in (
            ("weight", "weight", ones), ("bias", "bias", zeros), ("running_mean", "mean", zeros),
            ("running_var", "variance", ones),
        )
    ]  # fmt: skip
    x = graph.get(step.inputs[0])
    y = graph.node("BatchNormalization", step, x, *given, epsilon=float(step.numbers["eps"]))
    graph.made(step.output, y)


def _of_channels(array: AnyArray, axes: int, layout: str) -> AnyArray:
    """A number for each channel, so that it is one beside values of so many axes and the batch."""
    return array.reshape(-1, *[1] * (axes - 1)) if layout == FIRST else array


@operator("scale", "pixels")
def _scale(graph: Writing, step: Step) -> None:
    source = step.inputs[0]
    layout, axes = graph.layout(source), len(graph.shape(source))
    y = graph.get(source, layout)
    if step.operation == "pixels":
        y = graph.node("Cast", step, y, to=1)
    for name, key in (("Mul", "scale"), ("Add", "shift")):
        array = _of_channels(step.arrays[key], axes, layout)
        y = graph.node(name, step, y, graph.constant(f"{step.name}.{key}", array))
    graph.made(step.output, y, layout)


@operator("max_pool")
def _max_pool(graph: Writing, step: Step) -> None:
    window = _window(step, graph, "kernel", "stride", "dilation")
    padding = [max(side, 0) for side in step.numbers["padding"]]
    reach = [d * (k - 1) + 1 for k, d in zip(step.numbers["kernel"], step.numbers["dilation"], strict=True)]
    x = graph.get(step.inputs[0])
    if any(side >= size for side, size in zip(padding, reach * 2, strict=True)):  # which runtimes refuse
        lowest = graph.constant(f"{step.name}.lowest", np.array(-np.inf, np.float32))
        x, padding = _padded(graph, step, padding, lowest), [0, 0, 0, 0]
    y = graph.node("MaxPool", step, x, **window, pads=_sides(step, graph, padding))
    graph.made(step.output, y)


@operator("avg_pool")
def _avg_pool(graph: Writing, step: Step) -> None:
    """By zeros around the image and the sum of each window, divided by what it counts."""
    given, out = (windows.images(graph.shape(value)) for value in (step.inputs[0], step.output))
    kernel, stride, padding = (step.numbers[name] for name in ("kernel", "stride", "padding"))
    ends = [(out[axis] - 1) * stride[axis] + kernel[axis] - given[axis] - padding[axis] for axis in (0, 1)]
    around = [*padding[:2], *(max(end, 0) for end in ends)]
    x = _padded(graph, step, around) if any(around) else graph.get(step.inputs[0])
    y = graph.node("AveragePool", step, x, **_window(step, graph, "kernel", "stride"))
    counts = windows.counts(step, given, out)
    cells = kernel[0] * kernel[1]
    if (counts != cells).any():
        factors = (cells / counts).astype(np.float32)
        factors = factors if len(graph.shape(step.output)) == 3 else factors[0]
        y = graph.node("Mul", step, y, graph.constant(f"{step.name}.counts", factors))
    graph.made(step.output, y)


@operator("areas")
def _areas(graph: Writing, step: Step) -> None:
    given, out = graph.shape(step.inputs[0]), graph.shape(step.output)
    x = graph.get(step.inputs[0])
    if even := windows.pool_of_areas(graph.program, step):
        kernel, stride = map(list, even)
        graph.made(step.output, graph.node("AveragePool", step, x, kernel_shape=kernel, strides=stride))
        return
    rows, columns = (windows.area_means(given[axis], out[axis]) for axis in (0, 1))
    y = graph.node("MatMul", step, graph.constant(f"{step.name}.rows", rows), x)
    y = graph.node("MatMul", step, y, graph.constant(f"{step.name}.columns", np.ascontiguousarray(columns.T)))
    graph.made(step.output, y)


@operator("mean", "max")
def _global(graph: Writing, step: Step) -> None:
    name = "GlobalAveragePool" if step.operation == "mean" else "GlobalMaxPool"
    y = graph.node(name, step, graph.get(step.inputs[0]))
    graph.made(step.output, graph.node("Flatten", step, y))


@operator("curve")
def _curve(graph: Writing, step: Step) -> None:
    source = step.inputs[0]
    layout = graph.layout(source)
    x = graph.get(source, layout)
    graph.made(step.output, _curved(graph, step, x, layout), layout)


def _curved(graph: Writing, step: Step, x: str, layout: str) -> str:
    kind, numbers = step.numbers["kind"], step.numbers

    def number(value: float) -> str:
        return graph.constant(f"{step.name}.{kind}", np.array(value, np.float32))

    if kind in ("relu", "sigmoid", "tanh"):
        return graph.node(kind.capitalize(), step, x)
    if kind == "relu6":
        return graph.node("Clip", step, x, number(0), number(6))
    if kind == "leaky_relu":
        return graph.node("LeakyRelu", step, x, alpha=numbers["slope"])
    if kind == "elu":
        if numbers["alpha"] >= 0:
            return graph.node("Elu", step, x, alpha=numbers["alpha"])
        grown = graph.node("Elu", step, graph.node("Min", step, x, number(0)), alpha=1.0)
        above = graph.node("Relu", step, x)
        return graph.node("Add", step, graph.node("Mul", step, grown, number(numbers["alpha"])), above)
    if kind == "prelu":
        slope = step.arrays["slope"]
        array = _of_channels(slope, len(graph.shape(step.inputs[0])), layout) if slope.size > 1 else slope
        return graph.node("PRelu", step, x, graph.constant(f"{step.name}.weight", array))
    if kind == "silu":
        return graph.node("Mul", step, x, graph.node("Sigmoid", step, x))
    if kind == "hardsigmoid":
        return graph.node("HardSigmoid", step, x, alpha=1 / 6, beta=0.5)
    if kind == "hardswish":
        return graph.node("HardSwish", step, x)
    if kind == "gelu":  # x (1 + erf(x / sqrt(2))) / 2
        half = graph.node("Erf", step, graph.node("Div", step, x, number(SQRT2)))
        whole = graph.node("Mul", step, x, graph.node("Add", step, half, number(1)))
        return graph.node("Mul", step, whole, number(0.5))
    scaled = graph.node("Mul", step, x, number(numbers["beta"]))  # softplus
    soft = graph.node("Div", step, graph.node("Softplus", step, scaled), number(numbers["beta"]))
    above = graph.node("Greater", step, scaled, number(numbers["threshold"]))
    return graph.node("Where", step, above, x, soft)


@operator("softmax")
def _softmax(graph: Writing, step: Step) -> None:
    source = step.inputs[0]
    layout = graph.layout(source)
    y = graph.node("Softmax", step, graph.get(source, layout), axis=1 if layout == FIRST else -1)
    graph.made(step.output, y, layout)


@operator("add", "multiply")
def _sum(graph: Writing, step: Step) -> None:
    layout = graph.layout(step.inputs[0])
    y = graph.get(step.inputs[0], layout)
    for source in step.inputs[1:]:
        y = graph.node("Add" if step.operation == "add" else "Mul", step, y, graph.get(source, layout))
    graph.made(step.output, graph.node("Identity", step, y) if len(step.inputs) == 1 else y, layout)


@operator("concatenate")
def _concatenate(graph: Writing, step: Step) -> None:
    layout = graph.layout(step.inputs[0])
    given = [graph.get(source, layout) for source in step.inputs]
    graph.made(step.output, graph.node("Concat", step, *given, axis=1 if layout == FIRST else -1), layout)


@operator("flatten")
def _flatten(graph: Writing, step: Step) -> None:
    graph.made(step.output, graph.node("Flatten", step, graph.get(step.inputs[0])))


@operator("reshape")
def _reshape(graph: Writing, step: Step) -> None:
    shape = graph.integers(f"{step.name}.shape", [0, *graph.shape(step.output)])
    y = graph.node("Reshape", step, graph.get(step.inputs[0], LAST), shape)
    graph.made(step.output, y, LAST)


@operator("pad")
def _pad(graph: Writing, step: Step) -> None:
    if any(step.numbers["padding"]):
        graph.made(step.output, _padded(graph, step, step.numbers["padding"]))
    else:
        graph.made(step.output, graph.node("Identity", step, graph.get(step.inputs[0])))


@operator("nearest")
def _nearest(graph: Writing, step: Step) -> None:
    """By the numbers of the pixels, which are PyTorch's to the last of them."""
    y = graph.get(step.inputs[0])
    for axis, name in ((2, "rows"), (3, "columns")):
        places = graph.integers(f"{step.name}.{name}", step.arrays[name].tolist())
        y = graph.node("Gather", step, y, places, axis=axis)
    graph.made(step.output, y)


@operator("bilinear")
def _bilinear(graph: Writing, step: Step) -> None:
    """By a product for each axis: of each output the shares of two pixels."""
    given = graph.shape(step.inputs[0])
    rows = _shares(step.arrays["rows"], step.arrays["down"], given[0])
    columns = _shares(step.arrays["columns"], step.arrays["right"], given[1])
    y = graph.node("MatMul", step, graph.constant(f"{step.name}.rows", rows), graph.get(step.inputs[0]))
    y = graph.node("MatMul", step, y, graph.constant(f"{step.name}.columns", np.ascontiguousarray(columns.T)))
    graph.made(step.output, y)


def _shares(pixels: AnyArray, share: AnyArray, size: int) -> AnyArray:
    found = np.zeros((len(share), size), np.float32)
    np.add.at(found, (np.arange(len(share)), pixels[0]), 1 - share)
    np.add.at(found, (np.arange(len(share)), pixels[1]), share)
    return found


@operator("shuffle")
def _shuffle(graph: Writing, step: Step) -> None:
    shape, groups = graph.shape(step.inputs[0]), step.numbers["groups"]
    *sides, channels = shape
    apart = graph.integers(f"{step.name}.groups", [0, groups, channels // groups, *sides])
    y = graph.node("Reshape", step, graph.get(step.inputs[0]), apart)
    y = graph.node("Transpose", step, y, perm=[0, 2, 1, *range(3, 3 + len(sides))])
    y = graph.node("Reshape", step, y, graph.integers(f"{step.name}.shape", [0, channels, *sides]))
    graph.made(step.output, y)


@operator("group_norm")
def _group_norm(graph: Writing, step: Step) -> None:
    """Each group as one channel of an InstanceNormalization, then the scale and shift of channels."""
    *sides, channels = graph.shape(step.inputs[0])
    groups = step.numbers["groups"]
    ones, zeros = np.ones(groups, np.float32), np.zeros(groups, np.float32)
    y = graph.get(step.inputs[0])
    y = graph.node("Reshape", step, y, graph.integers(f"{step.name}.groups", [0, groups, -1]))
    terms = graph.constant(f"{step.name}.ones", ones), graph.constant(f"{step.name}.zeros", zeros)
    y = graph.node("InstanceNormalization", step, y, *terms, epsilon=float(step.numbers["eps"]))
    y = graph.node("Reshape", step, y, graph.integers(f"{step.name}.shape", [0, channels, *sides]))
    for name, key in (("Mul", "weight"), ("Add", "bias")):
        if key in step.arrays:
            array = _of_channels(step.arrays[key], len(sides) + 1, FIRST)
            y = graph.node(name, step, y, graph.constant(f"{step.name}.{key}", array))
    graph.made(step.output, y)


@operator("layer_norm")
def _layer_norm(graph: Writing, step: Step) -> None:
    axes = step.numbers["axes"]
    shape = graph.shape(step.inputs[0])[-axes:]
    given = [graph.constant(f"{step.name}.weight", step.arrays.get("weight", np.ones(shape, np.float32)))]
    if "bias" in step.arrays:
        given.append(graph.constant(f"{step.name}.bias", step.arrays["bias"]))
    numbers = {"axis": -axes, "epsilon": float(step.numbers["eps"])}
    y = graph.node("LayerNormalization", step, graph.get(step.inputs[0], LAST), *given, **numbers)
    graph.made(step.output, y, LAST)


@operator("embedding")
def _embedding(graph: Writing, step: Step) -> None:
    weight = graph.constant(f"{step.name}.weight", step.arrays["weight"])
    graph.made(step.output, graph.node("Gather", step, weight, graph.get(step.inputs[0])), LAST)


GATES = {"gru": ("GRU", [1, 0, 2]), "lstm": ("LSTM", [0, 3, 1, 2])}  # ONNX's order, of PyTorch's gates


@operator("gru", "lstm")
def _recurrent(graph: Writing, step: Step) -> None:
    """ONNX has (L, N, features), and an axis of directions."""
    name, order = GATES[step.operation]
    arrays = {key: _gates(array, order) for key, array in step.arrays.items()}
    hidden = arrays["state"].shape[-1]
    bias = np.concatenate([arrays["input_bias"], arrays["state_bias"]])
    given = [
        graph.node("Transpose", step, graph.get(step.inputs[0], LAST), perm=[1, 0, 2]),
        graph.constant(f"{step.name}.weight_ih", arrays["input"][None]),
        graph.constant(f"{step.name}.weight_hh", arrays["state"][None]),
        graph.constant(f"{step.name}.bias", bias[None]),
    ]
    more = {"linear_before_reset": 1} if name == "GRU" else {}
    y = graph.node(name, step, *given, hidden_size=hidden, **more)  # (L, 1, N, hidden)
    y = graph.node("Squeeze", step, y, graph.integers(f"{step.name}.axis", [1]))
    graph.made(step.output, graph.node("Transpose", step, y, perm=[1, 0, 2]), LAST)


def _gates(array: AnyArray, order: Sequence[int]) -> AnyArray:
    gates = array.reshape(len(order), -1, *array.shape[1:])
    return np.ascontiguousarray(gates[list(order)]).reshape(array.shape)
