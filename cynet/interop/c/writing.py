"""A net as a file of C99 and its header, with a program that tries it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cynet.core.files import open_regular, user_path, write_atomically
from cynet.core.types import AnyPath, Array, Shape
from cynet.interop.int8.quantizing import quantized, with_levels
from cynet.interop.onnx.writing import checked_pixels, checked_shapes
from cynet.interop.program.folding import folded, with_curves, with_pixels
from cynet.interop.program.lowering import lower
from cynet.interop.program.steps import Program
from cynet.nn.layer import Layer

from . import joining
from .files import texts

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,39}")
TAKEN = "main", "cortex"
GENERAL = "main.c", "Makefile"  # names that files of somebody else may have
MARK, SOON = b"made by cynet", 400  # it stands within so many bytes of each


def save_c(
    model: Layer,
    directory: AnyPath,
    input_shape: Shape | Sequence[Shape],
    *,
    pixels: tuple[Sequence[float], Sequence[float]] | None = None,
    classes: Sequence[str] = (),
    name: str = "net",
    samples: Array | None = None,
) -> None:
    """Write a net as C99, for one sample at a time, as it evaluates.

    `net.c` and `net.h` are the net, of which `net_run(input, output)` is all that has to be called: without
    dependencies but <math.h> and <string.h>, without allocations, in one static arena. Beside them are a
    program that classifies pictures (`main.c`), a `Makefile`, and what a Cortex-M needs to begin
    (`cortex-m.c`, `cortex-m.ld`). Batch norm is folded into the weights before it.

    Parameters
    ----------
    model : Layer
        Of cynet's own layers.
    directory : str or Path
        A folder, which is made where it is not there. The files named here are replaced in it, each as a
        whole, also when somebody has changed them; what else lies there stays. A `main.c` or `Makefile` that
        cynet has not made is refused.
    input_shape : tuple of int, or several
        Of a sample, without the batch: (height, width, channels); of a net of several inputs one for each.
    pixels : (mean, std), optional
        The input is then uint8, pictures of 0 to 255, and the net makes (x / 255 - mean) / std of them.
    classes : sequence of str, optional
        The names of the outputs' classes: `net_classes`, and what `main.c` prints.
    name : str, optional
        What files, functions and macros begin with, so that a program may hold several nets.
    samples : ndarray of float32 (N, *input_shape), optional
        The net is then written in eight bits, its ranges taken from these, as `cynet.interop.int8` describes;
        some hundred of those that it was trained on.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or a layer cannot be exported; those are listed all at once.
    OSError
        When a file cannot be written.

    Examples
    --------
    >>> model = cynet.models.create("uwnet2")
    >>> cynet.interop.save_c(model, "uwnet2", (32, 32, 3), pixels=((0.5,) * 3, (0.25,) * 3))
    """
    shapes = checked_shapes(input_shape)
    program = lower(model, *shapes)
    given = None if pixels is None else checked_pixels(pixels, program)
    if samples is not None:
        program = quantized(model, shapes[0], samples)
        program = program if given is None else with_levels(program, _levels(*given))
    else:
        program = prepared(program) if given is None else with_pixels(prepared(program), *given)
    write(texts(program, checked_classes(classes, program), checked_name(name)), directory)


def _levels(mean: Sequence[float], std: Sequence[float]) -> Array:
    """What bytes enter as, (256, C)."""
    found: Array = ((np.arange(256)[:, None] / 255 - mean) / std).astype(np.float32)
    return found


def prepared(program: Program) -> Program:
    """The program of a net, with its steps joined as far as C can do them at once."""
    program = with_curves(joining.without_single_sums(folded(program)))
    return joining.with_sums(joining.without_flattening(program))


def checked_classes(classes: Sequence[str], program: Program) -> tuple[str, ...]:
    """The names of classes: none, or of each output one.

    Raises
    ------
    TypeError, ValueError
        When they are no names, or the net has not so many outputs.
    """
    if isinstance(classes, str) or not all(isinstance(one, str) for one in classes):
        raise TypeError(f"classes: wanted a list of names, got {classes!r:.80}")
    shapes = [program.shapes[value] for value in program.outputs]
    if len(classes) and shapes != [(len(classes),)]:
        got = " and ".join(map(str, shapes))
        raise ValueError(f"classes: wanted a name for each output, got {len(classes)} for outputs of {got}")
    return tuple(classes)


def checked_name(name: str) -> str:
    """A name that C can take.

    Raises
    ------
    TypeError, ValueError
        When it is none.
    """
    if not isinstance(name, str):
        raise TypeError(f"name: wanted a str, got {name!r:.80}")
    if not NAME.fullmatch(name) or name.lower() in TAKEN:
        rule = "a letter, then letters, digits and _, at most 40 in all"
        raise ValueError(f"name: wanted {rule}, and neither {' nor '.join(TAKEN)}, got {name!r:.80}")
    return name


def write(files: dict[str, str], directory: AnyPath) -> None:
    """Write texts by the names of their files.

    Raises
    ------
    ValueError
        When the folder is that of another program.
    OSError
        When one cannot be written.
    """
    place = Path(user_path(directory))
    if others := [name for name in GENERAL if _of_others(place / name)]:
        raise ValueError(f"{place}: wanted a folder of its own, got one with another {' and '.join(others)}")
    os.makedirs(place, exist_ok=True)
    for name, content in files.items():
        write_atomically(place / name, content.encode())


def _of_others(path: Path) -> bool:
    """Whether there is a file that cynet has not made."""
    if not path.is_file():
        return False
    with open_regular(path) as file:
        return MARK not in file.read(SOON)
