"""PNG files and data addresses, with the standard library alone."""

import base64
import struct
import zlib

import numpy as np

from .types import AnyArray


def encode(pixels: AnyArray) -> bytes:
    """A PNG file.

    Parameters
    ----------
    pixels : ndarray of uint8 (height, width) or (height, width, 3)
        Grey, or red, green and blue.

    Returns
    -------
    bytes
    """
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
        raise ValueError(f"pixels: wanted uint8 (height, width[, 3]), got {pixels.dtype} {pixels.shape}")
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    raw = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()  # each row opens with "no filter"
    head = struct.pack(">IIBBBBB", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def visible(picture: AnyArray) -> AnyArray:
    """A picture (height, width, channels) as `encode` takes it: of other than three channels the first."""
    return np.ascontiguousarray(picture if picture.shape[2] == 3 else picture[:, :, 0])


def spread(picture: AnyArray, low: float) -> AnyArray:
    """Numbers as bytes: 0 for `low`, 255 for the greatest."""
    reach = max(float(picture.max()) - low, 1e-30)
    return ((picture.astype(np.float64) - low) * (255 / reach)).astype(np.uint8)


def address(pixels: AnyArray) -> str:
    """The PNG as a data: address, for a page that holds its pictures itself."""
    return "data:image/png;base64," + base64.b64encode(encode(pixels)).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
