"""The text of the program that tries a net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .ends import End
from .source import filled

PICTURES = {1: ("pgm", "5"), 3: ("ppm", "6")}  # by channels: the ending, and the digit of Netpbm's files
OPENING = """    if (!fits(file, name)) {
        fclose(file);
        return 0;
    }
"""
PLAIN = """static void print_answer(void)
{
    print_outputs();
}
"""


def trial(
    inputs: list[End],
    outputs: list[End],
    classes: Sequence[str],
    shares: bool,
    common: Mapping[str, str],
    ranked: bool = True,
) -> str:
    """main.c: it reads samples and prints what the net says.

    Parameters
    ----------
    inputs, outputs : list of End
    classes : sequence of str
    shares : bool
        Whether the outputs are probabilities already.
    common : mapping of str to str
        The texts that all files have.
    ranked : bool, optional
        Whether the outputs are classes.
    """
    ends, upper = [*inputs, *outputs], common["NAME"]
    arrays = [f"static {end.kind} {end.name}[{upper}_{end.name.upper()}_SIZE];" for end in ends]
    sizes = " + ".join(f"sizeof {end.name}" for end in inputs)
    texts = {
        **common,
        "record": ", then ".join(end.form for end in inputs),
        "line": "the outputs",
        "buffers": "\n".join([*arrays, f"#define SAMPLE ({sizes})"]),
        "reads": "\n".join(f"    bytes += fread({end.name}, 1, sizeof {end.name}, file);" for end in inputs),
        "prints": "\n".join(_prints(end, upper) for end in outputs),
        "answer": PLAIN,
        "pictures": "",
        "opening": "",
    }
    if ranked and len(outputs) == 1 and len(outputs[0].shape) == 1 and outputs[0].size > 1:
        texts |= {"line": "the best classes", "answer": _answer(outputs[0], classes, shares, common)}
    if picture := _picture(inputs):
        ending, digit = picture
        texts |= {"record": f"{texts['record']}, or a picture in a .{ending} file", "opening": OPENING}
        texts["pictures"] = filled("pictures.c", {**common, "ending": ending, "digit": digit})
    return filled("main.c", texts)


def _picture(inputs: list[End]) -> tuple[str, str] | None:
    """(ending, digit) of files of pictures that fit, or None."""
    if len(inputs) > 1 or len(inputs[0].shape) != 3 or inputs[0].kind != "uint8_t":
        return None
    return PICTURES.get(inputs[0].shape[-1])


def _prints(end: End, upper: str) -> str:
    size = f"{upper}_{end.name.upper()}_SIZE"
    return f'    for (int i = 0; i < {size}; i++)\n        printf("%.9g ", (double){end.name}[i]);'


def _answer(output: End, classes: Sequence[str], shares: bool, common: Mapping[str, str]) -> str:
    weight, upper = "real[{}]" if shares else "expf(real[{}] - most)", common["NAME"]
    scaled = f"(float)(output[i] - {upper}_OUTPUT_ZERO) * {upper}_OUTPUT_SCALE"
    texts = {
        "real": "output[i]" if output.quantity is None else scaled,
        "weight": weight.format("i"),
        "share": weight.format("best"),
        "format": "%s" if classes else "%d",
        "class": f"{common['name']}_classes[best]" if classes else "best",
    }
    return filled("answer.c", {**common, **texts})
