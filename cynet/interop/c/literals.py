"""Numbers, names and arrays as C writes them."""

from __future__ import annotations

import re
import string

import numpy as np

from cynet.core.types import AnyArray

TYPES = {
    "float32": "float", "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t",
    "int64": "int64_t",
}  # fmt: skip
BYTES = "static const union"  # what a constant that is a text of bytes begins with
WORDS = {"nan": "NAN", "inf": "INFINITY", "-inf": "-INFINITY"}
LONG = 2**16  # bytes from which an array is written as the text of its bytes
ROW = 8  # numbers, or
TEXT = 96  # bytes, in a line
PLAIN = set(string.ascii_letters + " !#%&'()*+,-./:;<=>@[]^_`{|}~")  # no digits, which may end an escape


class Template(string.Template):
    """A text in which @{name} stands for what is put in."""

    delimiter = "@"


def number(value: float) -> str:
    """A float32, in as many digits as make it out among all others."""
    text = f"{float(np.float32(value)):.9g}"
    if text in WORDS:
        return WORDS[text]
    return f"{text}f" if set(text) & set(".e") else f"{text}.0f"


def quoted(text: str) -> str:
    """A text as a string of C, in UTF-8."""
    return f'"{_escaped(text.encode())}"'


def remark(text: str) -> str:
    """A text as a part of a comment."""
    return re.sub(r"[^\w .,:;()\[\]+=-]", "?", text, flags=re.ASCII)


def array(name: str, values: AnyArray, kind: str) -> tuple[str, str]:
    """(the definition of a constant, the expression that stands for its first element).

    Parameters
    ----------
    name : str
    values : ndarray
    kind : str
        The type of its elements.
    """
    if values.nbytes >= LONG:
        return _bytes(name, values, kind)
    texts = [number(one) if kind == "float" else str(one) for one in values.reshape(-1).tolist()]
    lines = "".join(f"    {', '.join(texts[i : i + ROW])},\n" for i in range(0, len(texts), ROW))
    return f"static const {kind} {name}[] = {{\n{lines}}};\n", name


def _bytes(name: str, values: AnyArray, kind: str) -> tuple[str, str]:
    """As compilers take minutes for millions of numbers, but seconds for a text."""
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    lines = "".join(f'    "{_escaped(data[i : i + TEXT])}"\n' for i in range(0, len(data), TEXT))
    members = f"char bytes[{len(data) + 1}]; {kind} numbers[{values.size}];"
    return f"{BYTES} {{ {members} }} {name} = {{\n{lines}}};\n", f"{name}.numbers"


def _escaped(data: bytes) -> str:
    return "".join(ESCAPES[byte] for byte in data)


ESCAPES = [chr(byte) if chr(byte) in PLAIN else f"\\{byte:03o}" for byte in range(256)]
