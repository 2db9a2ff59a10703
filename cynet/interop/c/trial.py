"""The text of the program that tries a net."""

from __future__ import annotations

from .ends import End, Whole
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


def trial(whole: Whole) -> str:
    """main.c: it reads samples and prints what the net says."""
    inputs, outputs = whole.inputs, whole.outputs
    arrays = [f"static {end.kind} {end.name}[{whole.macro(end)}];" for end in (*inputs, *outputs)]
    sizes = " + ".join(f"sizeof {end.name}" for end in inputs)
    texts = {
        "record": ", then ".join(end.form for end in inputs),
        "line": "the outputs",
        "buffers": "\n".join([*arrays, f"#define SAMPLE ({sizes})"]),
        "reads": "\n".join(f"    bytes += fread({end.name}, 1, sizeof {end.name}, file);" for end in inputs),
        "prints": "\n".join(_prints(whole, end) for end in outputs),
        "answer": PLAIN,
        "pictures": "",
        "opening": "",
    }
    if whole.ranked and len(outputs) == 1 and len(outputs[0].shape) == 1 and outputs[0].size > 1:
        texts |= {"line": "the best classes", "answer": _answer(whole)}
    if picture := _picture(inputs):
        ending, digit = picture
        texts |= {"record": f"{texts['record']}, or a picture in a .{ending} file", "opening": OPENING}
        texts["pictures"] = filled("pictures.c", whole.common | {"ending": ending, "digit": digit})
    return filled("main.c", whole.common | texts)


def _picture(inputs: list[End]) -> tuple[str, str] | None:
    """(ending, digit) of files of pictures that fit, or None."""
    if len(inputs) > 1 or len(inputs[0].shape) != 3 or inputs[0].kind != "uint8_t":
        return None
    return PICTURES.get(inputs[0].shape[-1])


def _prints(whole: Whole, end: End) -> str:
    return (
        f'    for (int i = 0; i < {whole.macro(end)}; i++)\n        printf("%.9g ", (double){end.name}[i]);'
    )


def _answer(whole: Whole) -> str:
    weight, upper = "real[{}]" if whole.shares else "expf(real[{}] - most)", whole.name.upper()
    scaled = f"(float)(output[i] - {upper}_OUTPUT_ZERO) * {upper}_OUTPUT_SCALE"
    texts = {
        "real": "output[i]" if whole.outputs[0].quantity is None else scaled,
        "weight": weight.format("i"),
        "share": weight.format("best"),
        "format": "%s" if whole.classes else "%d",
        "class": f"{whole.name}_classes[best]" if whole.classes else "best",
    }
    return filled("answer.c", whole.common | texts)
