"""The texts of the net's own two files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .arena import Arena
from .ends import End
from .literals import TYPES, Template, number, quoted, remark
from .unit import Unit, text

LIBRARY = re.compile(r"\b(?:mem[a-z]+|(?!sizeof)[a-z0-9]+f)(?=\()")
BYTES = "static const union"
ORDER = """
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the constants are written for processors that keep the lowest byte first"
#endif
"""
LEAST = 16  # bytes of an arena: C has no empty arrays


def filled(name: str, texts: dict[str, str]) -> str:
    """A file that stands around a net, with its texts."""
    return Template(text(f"around/{name}")).safe_substitute(texts)


def source(
    unit: Unit,
    arena: Arena,
    inputs: list[End],
    outputs: list[End],
    classes: Sequence[str],
    common: dict[str, str],
) -> str:
    """The C file."""
    constants = "\n".join(unit.constants)
    names = ""
    if classes:
        lines = "".join(f"    {quoted(one)},\n" for one in classes)
        names = f"const char *const {common['name']}_classes[{len(classes)}] = {{\n{lines}}};\n"
    special = {
        "order": ORDER if BYTES in constants else "",
        "place": TYPES[unit.place],
        "kernels": "\n".join(unit.kernels.values()),
        "constants": f"{constants}\n{names}" if names else constants,
        "body": "\n".join(f"    {line}" for line in _body(unit, arena, inputs, outputs)),
    }
    return filled("net.c", {**common, **special})


def _body(unit: Unit, arena: Arena, inputs: list[End], outputs: list[End]) -> list[str]:
    """The lines of the function: pointers, calls, outputs."""
    given = {end.value: end for end in inputs}
    lines, ends = [], {end: unit.get(end.value) for end in outputs}
    for value in sorted(unit.used):
        kind = TYPES[unit.program.dtype(value)]
        if value in arena.values:
            lines.append(f"{kind} *const v{value} = (void *)(bytes + {arena.values[value].offset});")
        else:
            source = given[arena.views.get(value, value)].name
            lines.append(f"const {kind} *const v{value} = {source};")
    for step, room in arena.scratch.items():
        kind = TYPES[unit.scratch[step][1]]
        lines.append(f"{kind} *const s{step} = (void *)(bytes + {room.offset});")
    first = "unsigned char *const bytes = arena;" if arena.rooms else "(void)arena;"
    calls = [f"{call.text} /* {remark(unit.program.steps[call.step].name)} */" for call in unit.calls]
    copies = [f"memcpy({end.name}, {value}, {unit.bytes(end.value)});" for end, value in ends.items()]
    return [first, *lines, *calls, *copies]


def header(
    unit: Unit,
    arena: Arena,
    inputs: list[End],
    outputs: list[End],
    classes: Sequence[str],
    common: dict[str, str],
) -> str:
    """The header."""
    library = sorted(set(LIBRARY.findall("\n".join(unit.kernels.values()))) | {"memcpy"})
    name, upper = common["name"], common["NAME"]
    special = {
        "library": ", ".join(library),
        "layout": "\n".join(_layout(inputs, outputs, upper)),
        "sizes": "\n".join(_sizes(arena, inputs, outputs, classes, upper)),
        "classes": f"extern const char *const {name}_classes[{upper}_CLASSES];\n" if classes else "",
    }
    return filled("net.h", {**common, **special})


def _layout(inputs: list[End], outputs: list[End], upper: str) -> list[str]:
    lines = []
    for end in inputs:
        told = ", of rows of pixels" if len(end.shape) == 3 else ""
        told += ", 0 to 255" if end.kind == "uint8_t" else ""
        lines.append(f" *     {end.form}{told}")
    for end in outputs:
        told = (
            f", real numbers are {upper}_{end.name.upper()}_SCALE * (they - {upper}_{end.name.upper()}_ZERO)"
        )
        lines.append(f" *     {end.form}{'' if end.quantity is None else told}")
    return lines


def _sizes(
    arena: Arena, inputs: list[End], outputs: list[End], classes: Sequence[str], upper: str
) -> list[str]:
    lines = [f"#define {upper}_ARENA {max(arena.size, LEAST)} /* bytes */"]
    lines += [f"#define {upper}_{end.name.upper()}_SIZE {end.size}" for end in (*inputs, *outputs)]
    for end in outputs:
        if end.quantity is not None:  # a real number is scale * (output - zero)
            lines.append(f"#define {upper}_{end.name.upper()}_SCALE {number(end.quantity.scale)}")
            lines.append(f"#define {upper}_{end.name.upper()}_ZERO ({end.quantity.zero})")
    if len(inputs) == 1 and len(inputs[0].shape) == 3:
        sides = zip(("HEIGHT", "WIDTH", "CHANNELS"), inputs[0].shape, strict=True)
        lines += [f"#define {upper}_{side} {size}" for side, size in sides]
    if classes:
        lines.append(f"#define {upper}_CLASSES {len(classes)}")
    return lines
