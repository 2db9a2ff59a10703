"""What a page may be asked to hold: each argument of its kind and within its limits."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.tasks import CLASSIFY, MULTILABEL
from cynet.core.types import Shape

TASKS = CLASSIFY, MULTILABEL
FITS = "crop", "stretch"  # as cynet.data has them
MOST_SIDE = 1 << 12  # of a picture
MOST_PICTURES = 1000
MOST_BYTES = 1 << 24  # of them all


def shape(given: Any) -> Shape:
    """(height, width, channels) of the pictures."""
    if not isinstance(given, (tuple, list)) or len(given) != 3 or given[2] not in (1, 3):
        wanted = "wanted (height, width, channels) of pictures of 1 or 3 channels"
        raise ValueError(f"input_shape: {wanted}, got {given!r:.80}")
    sides = (checks.integer(f"input_shape[{i}]", side, 1, MOST_SIDE) for i, side in enumerate(given[:2]))
    return (*sides, int(given[2]))


def kept(given: Any, sizes: Shape) -> list[int]:
    """Height and width that pictures are scaled to first."""
    if given is None:
        return list(sizes[:2])
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise TypeError(f"kept: wanted (height, width), got {given!r:.80}")
    return [checks.integer(f"kept[{i}]", side, sizes[i], MOST_SIDE) for i, side in enumerate(given)]


def classes(given: Any, count: int) -> list[str]:
    """A name for each class."""
    if isinstance(given, str) or not hasattr(given, "__len__"):
        raise TypeError(f"classes: wanted a sequence of names, got {given!r:.80}")
    names = [text(f"classes[{i}]", name) for i, name in enumerate(given)]
    if len(names) not in (0, count):
        raise ValueError(f"classes: wanted {count} names, one for each number of the net's, got {len(names)}")
    return names or [f"class {i}" for i in range(count)]


def pictures(given: Any, sizes: Shape, count: int, task: str) -> dict[str, Any]:
    """ "count" of the pictures for testing, their "bytes" in base64, and their "labels" or None."""
    if given is None:
        return {"count": 0, "bytes": "", "labels": None}
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise TypeError(f"pictures: wanted (images, labels), got {type(given).__name__}")
    images = given[0]
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != sizes:
        got = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise ValueError(f"pictures: wanted images of uint8 {('n', *sizes)}, got {got}")
    if len(images) > MOST_PICTURES or images.nbytes > MOST_BYTES:
        most = f"wanted at most {MOST_PICTURES} images of {MOST_BYTES >> 20} MiB in all"
        raise ValueError(f"pictures: {most}, got {len(images)} of {images.nbytes / (1 << 20):.0f} MiB")
    return {
        "count": len(images),
        "bytes": base64.b64encode(images.tobytes()).decode(),
        "labels": _labels(given[1], len(images), count, task) if len(images) else None,
    }


def _labels(given: Any, images: int, count: int, task: str) -> list[Any] | None:
    if given is None:
        return None
    if task == CLASSIFY:
        return list(checks.labels("pictures", given, images, count).tolist())
    table = np.asarray(given)
    if table.shape != (images, count) or table.dtype.kind not in "bui":
        raise ValueError(
            f"pictures: wanted labels of bool {(images, count)}, got {table.dtype} {table.shape}"
        )
    return list((table != 0).astype(int).tolist())


def text(name: str, value: Any) -> str:
    """A text that was given by a name."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: wanted a text, got {value!r:.80}")
    return value


def one_of(name: str, value: Any, known: Sequence[str]) -> str:
    """One of some texts."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: wanted one of {', '.join(known)}, got {value!r:.80}")
    return value
