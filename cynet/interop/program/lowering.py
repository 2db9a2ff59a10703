"""From a net to its program: containers are read by their parts, of each layer a table says its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Shape
from cynet.kernels.resize import places
from cynet.nn.containers.container import by_parts
from cynet.nn.layer import Layer, plain, require_layer
from cynet.nn.parameter import Parameter

from .steps import Program, Step

SHOWN = 10  # layers that one message names


def lower(model: Layer, *shapes: Shape) -> Program:
    """The program of a net for samples of these shapes, as it evaluates.

    Parameters
    ----------
    model : Layer
    *shapes : tuple of int
        Of each input, without the batch.

    Returns
    -------
    Program
        Its arrays are copies.

    Raises
    ------
    TypeError
        When it is no net.
    ValueError
        When a layer is none of cynet's own, which are listed all at once; or a shape does not fit.
    """
    require_layer("model", model)
    work = _Flat()
    inputs = tuple(work.value((1, *shape)) for shape in shapes)
    outputs = work.net(model, inputs, "")
    if work.strangers:
        more = f" and {len(work.strangers) - SHOWN} more" if len(work.strangers) > SHOWN else ""
        shown = ", ".join(work.strangers[:SHOWN])
        raise ValueError(f"model: wanted a net of layers that can be exported, got {shown}{more}")
    kept = _needed(work.steps, outputs)
    integers = frozenset(inputs if getattr(model, "takes_integers", False) is True else ())
    used = {*inputs, *outputs, *(step.output for step in kept)}
    found = {number: shape[1:] for number, shape in enumerate(work.shapes) if number in used}
    return Program(found, inputs, outputs, tuple(kept), integers)


def _needed(steps: list[Step], outputs: tuple[int, ...]) -> list[Step]:
    """The steps whose output somebody takes."""
    wanted, kept = set(outputs), []
    for step in reversed(steps):
        if step.output in wanted:
            kept.append(step)
            wanted.update(step.inputs)
    return kept[::-1]


class _Flat:
    """A program that is being made; shapes are with a batch of one here, as layers want them."""

    def __init__(self) -> None:
        self.shapes: list[Shape] = []
        self.steps: list[Step] = []
        self.strangers: list[str] = []
        self.name = ""

    def value(self, shape: Shape) -> int:
        self.shapes.append(tuple(shape))
        return len(self.shapes) - 1

    def net(self, layer: Layer, inputs: tuple[int, ...], name: str) -> tuple[int, ...]:
        """The values that a layer gives."""
        if by_parts(layer):
            values = list(inputs)
            for part in layer.parts():
                path = ".".join(filter(None, (name, part.name)))
                values += self.net(part.layer, tuple(values[source] for source in part.sources), path)
            return tuple(values[output] for output in layer.ends()[1])
        given = [self.shapes[number] for number in inputs]
        out = layer.checked_shape(*given, name=name or type(layer).__name__)
        kind = plain(layer)
        if kind is None or not kind.__module__.startswith("cynet.nn.") or kind.__name__ not in LOWERINGS:
            self.strangers.append(f"{name or 'itself'}: {layer!r:.80}")
            return (self.value(out),)
        self.name = name or kind.__name__.lower()
        return (LOWERINGS[kind.__name__](self, layer, inputs, tuple(out)),)

    def step(
        self, operation: str, inputs: Sequence[int], out: Shape, arrays: Any = None, **numbers: Any
    ) -> int:
        """A new step; the value that it makes."""
        given = {key: _copy(array) for key, array in (arrays or {}).items() if array is not None}
        made = self.value(out)
        self.steps.append(Step(operation, self.name, tuple(inputs), made, given, numbers))
        return made


def _copy(array: Any) -> AnyArray:
    return np.array(array.data if isinstance(array, Parameter) else array, order="C")


Lowering = Callable[[_Flat, Any, tuple[int, ...], Shape], int]
LOWERINGS: dict[str, Lowering] = {}  # by the names of layers


def lowering(*names: str) -> Callable[[Lowering], Lowering]:
    """The decorator of what makes the steps of these layers."""

    def register(function: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(names, function))
        return function

    return register


@lowering("Dropout", "Dropout2d", "DropPath")
def _handed_on(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    return inputs[0]


@lowering("Conv2d", "Conv1d")
def _conv(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    weight, bias = layer.values()
    problem = layer.problem(work.shapes[inputs[0]])
    weight = weight.reshape(problem.weight_shape)
    window = {"kernel": problem.kernel, "stride": problem.stride, "dilation": problem.dilation}
    padding = _all_sides(problem.in_shape, problem.out_shape, window, problem.before)
    more = {"padding": padding, "groups": problem.groups, "border": problem.border}
    return work.step("conv", inputs, out, {"weight": weight, "bias": bias}, **window, **more)


def _all_sides(given: Shape, out: Shape, window: Any, before: Shape) -> Shape:
    """(top, left, bottom, right) of padding; negative where the last pixels are in no window."""
    sides = zip(
        given[1:3], out[1:3], window["kernel"], window["stride"], window["dilation"], before, strict=True
    )
    after = [(o - 1) * s + d * (k - 1) + 1 - size - b for size, o, k, s, d, b in sides]
    return (*before, *after)


@lowering("ConvTranspose2d")
def _deconv(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    weight, bias = layer.values()
    kernel, stride, padding, dilation = layer._window()
    window = {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": padding}
    more = {"groups": layer.groups, "more": layer.output_padding}
    return work.step("deconv", inputs, out, {"weight": weight, "bias": bias}, **window, **more)


@lowering("Linear")
def _linear(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    return work.step("linear", inputs, out, {"weight": layer.weight, "bias": layer.bias})


@lowering("BatchNorm2d", "BatchNorm1d")
def _norm(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    _, _, mean, variance = layer.values()
    arrays = {"weight": layer.weight, "bias": layer.bias, "mean": mean, "variance": variance}
    return work.step("norm", inputs, out, arrays, eps=layer.eps)


@lowering("MaxPool2d", "MaxPool1d", "AvgPool2d", "AvgPool1d")
def _pool(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    shape = work.shapes[inputs[0]]
    images = shape if len(shape) == 4 else (1, 1, *shape[1:])
    (_, *out_hw, _), numbers, sides = layer.padded_grid(images)
    window = {"kernel": tuple(numbers[:2]), "stride": tuple(numbers[2:4]), "dilation": layer.apart()}
    if hasattr(layer, "count_include_pad"):
        more = {"counted": layer.count_include_pad, "divisor": layer.divisor_override or 0}
        return work.step("avg_pool", inputs, out, **window, padding=tuple(sides), **more)
    padding = _all_sides(images, (1, *out_hw), window, tuple(sides[:2]))
    return work.step("max_pool", inputs, out, **window, padding=padding)


@lowering("AdaptiveAvgPool2d")
def _areas(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    return work.step("areas", inputs, out)


@lowering("GlobalAvgPool2d", "GlobalAvgPool1d")
def _mean(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    return work.step("mean", inputs, out)


@lowering("GlobalMaxPool2d")
def _max(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    return work.step("max", inputs, out)


@lowering("ReLU", "ReLU6", "GELU", "SiLU", "Sigmoid", "Tanh", "Hardsigmoid", "Hardswish")
def _curve(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    return work.step("curve", inputs, out, kind=type(layer).__name__.lower())


@lowering("LeakyReLU")
def _leaky(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    return work.step("curve", inputs, out, kind="leaky_relu", slope=float(layer.negative_slope))


@lowering("ELU")
def _elu(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    return work.step("curve", inputs, out, kind="elu", alpha=float(layer.alpha))


@lowering("Softplus")
def _softplus(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    numbers = {"beta": float(layer.beta), "threshold": float(layer.threshold)}
    return work.step("curve", inputs, out, kind="softplus", **numbers)


@lowering("PReLU")
def _prelu(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    return work.step("curve", inputs, out, {"slope": layer.weight}, kind="prelu")


@lowering("Softmax", "Add", "Multiply", "Concatenate", "Flatten", "Reshape")
def _plain(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    return work.step(type(layer).__name__.lower(), inputs, out)


@lowering("ZeroPad2d")
def _pad(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    left, right, top, bottom = layer._sides()
    return work.step("pad", inputs, out, padding=(top, left, bottom, right))


@lowering("Upsample")
def _upsample(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    (_, *size, _), (_, *to, _) = work.shapes[inputs[0]], out
    factors = layer.scale_factor or (None, None)
    if layer.mode == "nearest":
        rows, columns = (places.nearest(*each)[0][0] for each in zip(size, to, factors, strict=True))
        return work.step("nearest", inputs, out, {"rows": rows, "columns": columns}, factors=factors)
    corners = bool(layer.align_corners)
    found = [places.bilinear(*each, corners) for each in zip(size, to, factors, strict=True)]
    (rows, down, _), (columns, right, _) = found
    arrays = {"rows": rows, "columns": columns, "down": down, "right": right}
    return work.step("bilinear", inputs, out, arrays, corners=corners, factors=factors)


@lowering("ChannelShuffle")
def _shuffle(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    return work.step("shuffle", inputs, out, groups=layer.groups)


@lowering("GroupNorm")
def _group_norm(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    arrays = {"weight": layer.weight, "bias": layer.bias}
    return work.step("group_norm", inputs, out, arrays, groups=layer.num_groups, eps=layer.eps)


@lowering("LayerNorm")
def _layer_norm(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    shape, eps = layer._settings()
    return work.step(
        "layer_norm", inputs, out, {"weight": layer.weight, "bias": layer.bias}, axes=len(shape), eps=eps
    )


@lowering("Embedding")
def _embedding(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    return work.step("embedding", inputs, out, {"weight": layer.weight})


@lowering("GRU", "LSTM")
def _recurrent(work: _Flat, layer: Any, inputs: tuple[int, ...], out: Shape) -> int:
    (value,) = inputs
    for number in range(layer.num_layers):
        names = "input", "state", "input_bias", "state_bias"
        arrays = dict(zip(names, layer.weights(number), strict=True))
        value = work.step(type(layer).__name__.lower(), (value,), out, arrays)
    return value
