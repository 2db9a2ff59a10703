"""The fingerprint of a data set, made of parts so that two of them tell what differs.

It reads `50000x3x32x32.1d6a2f0c.93f2c1ab.5b0e6d0f9a7c4e21`: count and picture shape, then the first digits of
SHA-256 of the classes, the labels and the pixels.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Shape

FORM = re.compile(r"(\d+)x(\d+x\d+x\d+)\.([0-9a-f]{8})\.([0-9a-f]{8})\.([0-9a-f]{16})")
PARTS = "count", "picture shape (channels x height x width)", "classes", "labels", "pixels"


def of(images: AnyArray, labels: AnyArray, classes: Sequence[str], shape: Shape | None = None) -> str:
    """The fingerprint of `images` (count, channels, height, width), `labels` and their names.

    `shape` is that of a sample where it is none of a picture: it, floats, and labels that are no classes are
    told by what stands before the values that are digested.
    """
    kind = "" if images.dtype == np.uint8 else images.dtype.str
    digest = hashlib.sha256(f"{kind}{shape or ''}".encode())
    digest.update(images.data)
    return of_digest(images.shape, labels, classes, digest)


def of_digest(shape: Shape, labels: AnyArray, classes: Sequence[str], pixels: Any) -> str:
    """The same from the shape of the pictures and the SHA-256 that was given their pixels in order."""
    names = hashlib.sha256("\0".join(classes).encode(errors="surrogatepass")).hexdigest()
    if labels.dtype.kind == "f":
        text = f"{labels.shape}".encode() + labels.astype("<f4").tobytes()
    else:
        text = labels.astype("<i8").tobytes()
    order = hashlib.sha256(text).hexdigest()
    return f"{'x'.join(map(str, shape))}.{names[:8]}.{order[:8]}.{pixels.hexdigest()[:16]}"


def changes(before: str, now: str, parts: Sequence[str] = PARTS) -> str:
    """What differs between two fingerprints, in words; `parts` are those for its five parts.

    Labels and pixels are a matter of course where the count differs, and are left out then.
    """
    found: list[Any] = [FORM.fullmatch(text) if isinstance(text, str) else None for text in (before, now)]
    if None in found:
        return f"fingerprint ({before} then, {now} now)"
    words = [
        f"{name} ({then} then, {today} now)" if name in parts[:2] else name
        for name, then, today in zip(parts, *(match.groups() for match in found), strict=True)
        if then != today
    ]
    if words and words[0].startswith(parts[0]):
        words = [word for word in words if word not in parts[3:]]
    return ", ".join(dict.fromkeys(words))
