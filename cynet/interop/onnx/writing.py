"""A net as an ONNX file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from cynet._version import __version__
from cynet.core import checks
from cynet.core.files import write_atomically
from cynet.core.types import AnyPath, Shape
from cynet.interop.program.folding import folded, with_pixels
from cynet.interop.program.lowering import lower
from cynet.interop.program.steps import Program
from cynet.nn.layer import Layer

from . import encoding
from .nodes import OPERATORS
from .written import FIRST, LAST, Writing

OPSET = 17
LAYOUTS = {"nchw": FIRST, "nhwc": LAST}
CLASSES = "classes"  # the note with the names of classes, as JSON


def save_onnx(
    model: Layer,
    path: AnyPath,
    input_shape: Shape | Sequence[Shape],
    *,
    layout: str = "nchw",
    fold: bool = False,
    pixels: tuple[Sequence[float], Sequence[float]] | None = None,
    classes: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a net as an ONNX file, opset 17, for batches of any size, as it evaluates.

    Parameters
    ----------
    model : Layer
        Of cynet's own layers.
    path : str or Path
        Replaced as a whole, or left as it was.
    input_shape : tuple of int, or several
        Of a sample, without the batch, as cynet has it: (height, width, channels); of a net of several inputs
        one for each.
    layout : {"nchw", "nhwc"}, optional
        Whether inputs and outputs have their channels before their pixels, as others mostly want them, or
        after, as cynet has them; (N, features) are the same in both.
    fold : bool, optional
        Whether batch norm is folded into the weights before it.
    pixels : (mean, std), optional
        The input is then uint8, pictures of 0 to 255, and the file makes (x / 255 - mean) / std of them.
    classes : sequence of str, optional
        The names of the outputs' classes, for the file's metadata, as a JSON list under "classes".
    metadata : mapping of str to str, optional
        Further notes.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or a layer cannot be exported; those are listed all at once.
    OSError
        When the file cannot be written.

    Examples
    --------
    >>> model = cynet.models.create("resnet20")
    >>> cynet.interop.save_onnx(model, "resnet20.onnx", (32, 32, 3), fold=True)
    """
    program = lower(model, *checked_shapes(input_shape))
    if checks.flag("fold", fold):
        program = folded(program)
    if pixels is not None:
        program = with_pixels(program, *checked_pixels(pixels, program))
    write_atomically(path, written(program, layout, _notes(classes, metadata, program)))


def _notes(classes: Sequence[str], metadata: Mapping[str, str] | None, program: Program) -> dict[str, str]:
    """The file's notes."""
    if isinstance(classes, str):
        raise TypeError(f"classes: wanted a list of names, got {classes!r:.80}")
    shapes = [program.shapes[value] for value in program.outputs]
    if len(classes) and len(classes) not in [shape[-1] for shape in shapes]:
        got = " and ".join(map(str, shapes))
        raise ValueError(f"classes: wanted a name for each output, got {len(classes)} for outputs of {got}")
    notes = dict(metadata or {})
    for name, note in notes.items():
        if not isinstance(name, str) or not isinstance(note, str):
            raise TypeError(f"metadata: wanted texts by names, got {name!r:.40}: {note!r:.40}")
    if len(classes):
        notes = {CLASSES: json.dumps(list(map(str, classes)), ensure_ascii=False)} | notes
    return notes


def checked_shapes(input_shape: Shape | Sequence[Shape]) -> list[Shape]:
    """The shapes of the inputs.

    Raises
    ------
    TypeError, ValueError
        When they are none.
    """
    if not isinstance(input_shape, (tuple, list)) or not input_shape:
        raise TypeError(f"input_shape: wanted a tuple of sizes, got {input_shape!r:.80}")
    several = isinstance(input_shape[0], (tuple, list))
    shapes = []
    for i, shape in enumerate(input_shape if several else [input_shape]):
        name = f"input_shape[{i}]" if several else "input_shape"
        if not isinstance(shape, (tuple, list)) or not 1 <= len(shape) <= 3:
            raise TypeError(f"{name}: wanted a tuple of one to three sizes, got {shape!r:.80}")
        shapes.append(tuple(checks.integer(f"{name}[{j}]", size, 1) for j, size in enumerate(shape)))
    return shapes


def checked_pixels(
    pixels: tuple[Sequence[float], Sequence[float]], program: Program
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(mean, std), a number for each channel of the net's one input.

    Raises
    ------
    TypeError, ValueError
        When they are none, or the net takes no pictures.
    """
    if not isinstance(pixels, (tuple, list)) or len(pixels) != 2:
        raise TypeError(f"pixels: wanted (mean, std), got {pixels!r:.80}")
    if len(program.inputs) != 1 or program.integers:
        raise ValueError("pixels: wanted a net with one input, of numbers, got another")
    channels = program.shapes[program.inputs[0]][-1]
    found = []
    for name, numbers in (("mean", pixels[0]), ("std", pixels[1])):
        if not hasattr(numbers, "__len__") or len(numbers) != channels:
            raise ValueError(f"pixels: wanted a {name} for each of {channels} channels, got {numbers!r:.80}")
        found.append(tuple(checks.number(f"pixels {name}[{i}]", one) for i, one in enumerate(numbers)))
    if min(found[1]) <= 0:
        raise ValueError(f"pixels: wanted deviations above 0, got {min(found[1])}")
    return found[0], found[1]


def written(program: Program, layout: str = "nchw", notes: Mapping[str, str] | None = None) -> bytes:
    """The bytes of the file of a program; the arguments as for `save_onnx`."""
    if layout not in LAYOUTS:
        raise ValueError(f"layout: wanted nchw or nhwc, got {layout!r:.80}")
    graph, outer = Writing(program), LAYOUTS[layout]
    inputs, outputs = [], []
    for i, value in enumerate(program.inputs):
        name = graph.fresh("input" if len(program.inputs) == 1 else f"input_{i}")
        graph.made(value, name, outer)
        inputs.append(encoding.described(name, program.dtype(value), _sides(graph, value, outer)))
    for step in program.steps:
        OPERATORS[step.operation](graph, step)
    for i, value in enumerate(program.outputs):
        name = graph.fresh("output" if len(program.outputs) == 1 else f"output_{i}")
        graph.node("Identity", name, graph.get(value, outer), outputs=[name])
        outputs.append(encoding.described(name, np.float32, _sides(graph, value, outer)))
    producer = "cynet", __version__
    return encoding.model("net", graph.nodes, graph.tensors, inputs, outputs, OPSET, producer, notes or {})


def _sides(graph: Writing, value: int, layout: str) -> list[int | str]:
    *sides, channels = graph.shape(value)
    return ["batch", channels, *sides] if layout == FIRST else ["batch", *sides, channels]
