"""A net written as one page of HTML, which asks for nothing else."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from math import prod
from typing import Any

from cynet._version import __version__
from cynet.core.files import write_atomically
from cynet.core.pages.filling import embedded, filled, read, script, shown, style
from cynet.core.tasks import CLASSIFY
from cynet.core.types import AnyArray, AnyPath, Shape
from cynet.interop.onnx.writing import checked_pixels
from cynet.interop.program.folding import folded, with_curves, with_pixels
from cynet.interop.program.lowering import lower
from cynet.interop.program.steps import Program
from cynet.nn.layer import Layer

from . import checking
from .document import document

SCRIPTS = (
    "curves.js", "windows.js", "operations.js", "net.js", "resizing.js", "pictures.js", "answer.js",
    "strip.js", "drawing.js", "looking.js", "page.js",
)  # fmt: skip


def save_html(
    model: Layer,
    path: AnyPath,
    input_shape: Shape,
    *,
    pixels: tuple[Sequence[float], Sequence[float]],
    classes: Sequence[str] = (),
    pictures: tuple[AnyArray, AnyArray | None] | None = None,
    title: str = "A net to try",
    task: str = CLASSIFY,
    resize: str = "crop",
    kept: tuple[int, int] | None = None,
) -> None:
    """Write a net of pictures as one page of HTML that runs it, without a network, in any browser.

    It answers pictures that are dropped, pasted, taken from a file, drawn, or chosen among some for testing:
    the probability of each class, the time that it took, and what the first layer sees. Pictures for testing
    are given to the net as they are. Others are shown upright, put on white where they are transparent, and
    scaled as Pillow scales them for cynet: to a level of 255, but for large JPEG files, of which Pillow
    decodes a part, to some levels.

    Parameters
    ----------
    model : Layer
        Of cynet's own layers, with one input and a number for each class.
    path : str or Path
        Replaced as a whole, or left as it was.
    input_shape : tuple of int
        (height, width, channels) of a picture, grey, of 1 channel, or of 3.
    pixels : (mean, std)
        A number for each channel: a byte x enters the model as (x / 255 - mean) / std.
    classes : sequence of str, optional
        The names of the classes. Default: class 0 and so on.
    pictures : (images, labels), optional
        For testing: uint8 (n, height, width, channels), and the number of each one's class, or None; of
        several labels a table (n, classes) of which it has.
    title : str, optional
        What stands above.
    task : {"classify", "multilabel"}, optional
        Whether a picture has one class, or any number of labels.
    resize : {"crop", "stretch"}, optional
        How a picture of another shape becomes one of these: see `cynet.data.ImageFolder`.
    kept : (int, int), optional
        Height and width that pictures are scaled to first, where the model sees their middle alone.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or a layer or an operation is not to be had in a page; those are
        listed all at once.
    OSError
        When the file cannot be written.

    Examples
    --------
    >>> model = cynet.models.create("resnet20")
    >>> half = (0.5, 0.5, 0.5)
    >>> cynet.interop.save_html(model, "net.html", (32, 32, 3), pixels=(half, half))
    """
    shape = checking.shape(input_shape)
    checking.one_of("task", task, checking.TASKS)
    program = lower(model, shape)
    if len(program.outputs) != 1 or len(program.shapes[program.outputs[0]]) != 1 or program.integers:
        got = ", ".join(str(program.shapes[value]) for value in program.outputs)
        raise ValueError(f"model: wanted one that gives a number for each class of a picture, got {got}")
    program = with_curves(folded(with_pixels(program, *checked_pixels(pixels, program))))
    net, weights = document(program)
    names = checking.classes(classes, program.shapes[program.outputs[0]][0])
    facts = {
        "cynet": __version__,
        "title": checking.text("title", title),
        "task": task,
        "classes": names,
        "shape": shape,
        "parameters": sum(parameter.data.size for parameter in model.parameters()),
        "macs": macs(program),
        "resize": checking.one_of("resize", resize, checking.FITS),
        "kept": checking.kept(kept, shape),
        "pictures": checking.pictures(pictures, shape, len(names), task),
        "net": net,
    }
    write_atomically(path, rendered(facts, weights))


def rendered(facts: dict[str, Any], weights: AnyArray) -> bytes:
    """The page of a document and the numbers of its net."""
    parts = {
        "title": html.escape(shown(facts["title"])),
        "style": style(__package__, "page.css"),
        "data": embedded(facts),
        "weights": base64.b64encode(weights.astype("<f4").tobytes()).decode(),
        "script": script(__package__, *SCRIPTS),
    }
    return filled(read(__package__, "page.html"), parts).encode()


def macs(program: Program) -> int:
    """Multiplications of weights for one picture."""
    count = 0
    for step in program.steps:
        if step.operation in ("conv", "deconv", "linear"):
            weight, out = step.arrays["weight"], program.shapes[step.output]
            given = program.shapes[step.inputs[0]] if step.operation == "deconv" else out
            count += prod(given[:-1]) * weight.size
    return count
