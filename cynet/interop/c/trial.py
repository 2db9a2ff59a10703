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
PLAIN = "    print_outputs();"


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
        "prints": "\n".join(_prints(whole, end, f"{end.name}[i]") for end in outputs),
        "answer": _numbers(whole),
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


def _prints(whole: Whole, end: End, number: str) -> str:
    return f'    for (int i = 0; i < {whole.macro(end)}; i++)\n        printf("%.9g ", (double){number});'


def _real(whole: Whole, end: End) -> str:
    """What an element of an output stands for."""
    if end.quantity is None:
        return f"{end.name}[i]"
    start = f"{whole.name}_{end.name}".upper()
    return f"(float)({end.name}[i] - {start}_ZERO) * {start}_SCALE"


def _numbers(whole: Whole) -> str:
    """What is printed of outputs that are no classes."""
    body = PLAIN
    if any(end.quantity is not None for end in whole.outputs):
        lines = [_prints(whole, end, f"({_real(whole, end)})") for end in whole.outputs]
        body = "\n".join([*lines, '    printf("\\n");'])
    return f"static void print_answer(void)\n{{\n{body}\n}}\n"


def _answer(whole: Whole) -> str:
    weight = "real[{}]" if whole.shares else "expf(real[{}] - most)"
    texts = {
        "real": _real(whole, whole.outputs[0]),
        "weight": weight.format("i"),
        "share": weight.format("best"),
        "format": "%s" if whole.classes else "%d",
        "class": f"{whole.name}_classes[best]" if whole.classes else "best",
    }
    return filled("answer.c", whole.common | texts)
