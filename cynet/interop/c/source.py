"""The texts of the net's own two files."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .ends import Whole
from .literals import BYTES, TYPES, Template, number, quoted, remark
from .unit import text

LIBRARY = re.compile(r"\b(?:mem[a-z]+|(?!sizeof)[a-z0-9]+f)(?=\()")  # functions of C that kernels call
ORDER = """
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the constants are written for processors that keep the lowest byte first"
#endif
"""
LEAST = 16  # bytes of an arena: C has no empty arrays


def filled(name: str, texts: Mapping[str, str]) -> str:
    """A file that stands around a net, with its texts."""
    return Template(text(f"around/{name}")).safe_substitute(texts)


def source(whole: Whole) -> str:
    """The C file."""
    unit = whole.unit
    constants = [*unit.constants]
    if whole.classes:
        lines = "".join(f"    {quoted(one)},\n" for one in whole.classes)
        head = f"const char *const {whole.name}_classes[{len(whole.classes)}]"
        constants.append(f"{head} = {{\n{lines}}};\n")
    texts = {
        "order": ORDER if any(one.startswith(BYTES) for one in constants) else "",
        "place": TYPES[unit.place],
        "kernels": "\n".join(unit.kernels.values()),
        "constants": "\n".join(constants),
        "body": "\n".join(f"    {line}" for line in _body(whole)),
    }
    return filled("net.c", whole.common | texts)


def _body(whole: Whole) -> list[str]:
    """The lines of the function: pointers, calls, outputs."""
    unit, arena = whole.unit, whole.arena
    given = {end.value: end.name for end in whole.inputs}
    copies = [f"memcpy({end.name}, {unit.get(end.value)}, {unit.bytes(end.value)});" for end in whole.outputs]
    lines = ["unsigned char *const bytes = arena;" if arena.extents else "(void)arena;"]
    for value in sorted(unit.used):
        kind = TYPES[unit.program.dtype(value)]
        if value in arena.values:
            lines.append(f"{kind} *const v{value} = (void *)(bytes + {arena.values[value].offset});")
        else:
            lines.append(f"const {kind} *const v{value} = {given[arena.views.get(value, value)]};")
    for name, extent in arena.scratch.items():
        lines.append(
            f"{TYPES[unit.scratches[name].dtype]} *const {name} = (void *)(bytes + {extent.offset});"
        )
    calls = [f"{call} /* {remark(unit.program.steps[step].name)} */" for step, call in unit.calls]
    return [*lines, *calls, *copies]


def header(whole: Whole) -> str:
    """The header."""
    kernels = "\n".join(whole.unit.kernels.values())
    name, upper = whole.name, whole.name.upper()
    texts = {
        "library": ", ".join(sorted({"memcpy", *LIBRARY.findall(kernels)})),
        "layout": "\n".join(_layout(whole)),
        "sizes": "\n".join(_sizes(whole)),
        "classes": f"extern const char *const {name}_classes[{upper}_CLASSES];\n" if whole.classes else "",
    }
    return filled("net.h", whole.common | texts)


def _layout(whole: Whole) -> list[str]:
    lines = []
    for end in whole.inputs:
        told = ", rows of pixels" if len(end.shape) == 3 else ""
        told += ", 0 to 255" if end.kind == "uint8_t" else ""
        lines.append(f" *     {end.form}{told}")
    for end in whole.outputs:
        start = f"{whole.name}_{end.name}".upper()
        told = f", real numbers are {start}_SCALE * (they - {start}_ZERO)"
        lines.append(f" *     {end.form}{'' if end.quantity is None else told}")
    return lines


def _sizes(whole: Whole) -> list[str]:
    upper, (first, *others) = whole.name.upper(), whole.inputs
    lines = [f"#define {upper}_ARENA {max(whole.arena.size, LEAST)} /* bytes */"]
    lines += [f"#define {whole.macro(end)} {end.size}" for end in (*whole.inputs, *whole.outputs)]
    for end in whole.outputs:
        if end.quantity is not None:
            start = "#define " + f"{whole.name}_{end.name}".upper()
            lines.append(f"{start}_SCALE {number(end.quantity.scale)}")
            lines.append(f"{start}_ZERO ({end.quantity.zero})")
    if len(first.shape) == 3 and not others:
        sides = zip(("HEIGHT", "WIDTH", "CHANNELS"), first.shape, strict=True)
        lines += [f"#define {upper}_{side} {size}" for side, size in sides]
    if whole.classes:
        lines.append(f"#define {upper}_CLASSES {len(whole.classes)}")
    return lines
