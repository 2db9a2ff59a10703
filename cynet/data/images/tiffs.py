"""What a TIFF file holds that Pillow does not read, or reads as something else."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from cynet.core.types import AnyArray

BITS, COMPRESSION, PLACES, SIZES, FORMAT = 258, 259, 273, 279, 339
PLAIN = 1  # of COMPRESSION
KINDS = {1: "u", 2: "i", 3: "f"}  # of FORMAT, as NumPy calls them
STARTS = b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"


def kind_of(tags: Mapping[int, Any]) -> str | None:
    """The dtype of one value by a TIFF file's tags, without byte order, such as "f4"; None where unknown.

    Parameters
    ----------
    tags : mapping of int to tuple
    """
    bits, formats = set(tags.get(BITS, (1,))), set(tags.get(FORMAT, (1,)))
    if len(bits) != 1 or len(formats) != 1:
        return None
    (size,), (form,) = bits, formats
    if form not in KINDS or size not in (8, 16, 32, 64):
        return None
    kind = f"{KINDS[form]}{size // 8}"
    return None if kind == "f1" else kind


def values(content: bytes) -> AnyArray | None:
    """The values in a TIFF file that Pillow does not know, as far as they are not compressed.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    ndarray, or None where it is no TIFF file of floats, integers with a sign or more than 16 bits
        Empty where the values are compressed.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    if not content.startswith(STARTS):
        return None
    try:
        tags = ImageFileDirectory_v2(content[: 16 if content[2:4] in (b"+\0", b"\0+") else 8])
        file = io.BytesIO(content)
        file.seek(tags.next)
        tags.load(file)
        kind = kind_of(tags)
        if kind in (None, "u1", "u2"):
            return None
        dtype = np.dtype(kind).newbyteorder("<" if content.startswith(b"II") else ">")
        if tags.get(COMPRESSION, PLAIN) != PLAIN or PLACES not in tags:
            return np.empty(0, dtype)
        if sum(tags[SIZES]) > len(content):  # strips that lie over each other would take much memory
            return None
        strips = zip(tags[PLACES], tags[SIZES], strict=True)
        raw = b"".join(content[start : start + size] for start, size in strips)
        return np.frombuffer(raw, dtype, len(raw) // dtype.itemsize)
    except Exception:  # a damaged file fails in many ways
        return None
