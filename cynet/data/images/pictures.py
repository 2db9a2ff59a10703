"""Pictures from files as planes of bytes. Reading them takes Pillow, the extra `images`."""

import io
import os
from typing import Any, NamedTuple

import numpy as np

from cynet.core import checks
from cynet.core.names import printable
from cynet.core.types import AnyArray, AnyPath, Shape

from . import kinds
from .shown import PixelsError, refuse_values, shown

PIXELS = 2**26  # of the largest picture that is decoded
BYTES = 2**29  # of the largest file: eight for each of these pixels
FITS = ("crop", "stretch")


def pillow() -> Any:
    """Pillow's module of images, or ImportError naming the extra."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("pictures need Pillow, which is an extra: pip install 'cynet[images]'") from error
    return Image


def pillow_error() -> Any:
    """What Pillow raises for a file of no known kind."""
    from PIL import UnidentifiedImageError

    return UnidentifiedImageError


class PictureError(ValueError):
    """A file that is no picture.

    Attributes
    ----------
    path, reason : str
    damaged : bool
        Whether that is the file's own fault, so that leaving it out is an answer. Memory that ran out, and
        sound pixels that do not say which value is white, are no damage.
    """

    def __init__(self, path: AnyPath, reason: str, damaged: bool = True) -> None:
        super().__init__(path, reason, damaged)
        self.path, self.reason, self.damaged = path, reason, damaged

    def __str__(self) -> str:
        wanted = "wanted a picture that Pillow can read: " if self.damaged else ""
        return f"{printable(self.path)}: {wanted}{self.reason}"


class PictureProblem(NamedTuple):
    """What `attempt` gives in place of a picture; see `PictureError`."""

    path: str
    reason: str
    damaged: bool
    number: int | None = None  # of the system's error, where it could not be read


class Fit:
    """What every picture of a data set becomes.

    Parameters
    ----------
    size : int or (int, int)
        Height and width.
    resize : {"crop", "stretch"}
        Cut the largest middle part of the wanted proportions out and scale that, or scale the whole.
    channels : {3, 1}
        Red, green and blue, or grey.
    """

    def __init__(self, size: int | tuple[int, int], resize: str = "crop", channels: int = 3) -> None:
        self.size = checks.pair("size", size)
        if max(self.size) > 1 << 14:
            raise ValueError(f"size: wanted at most {1 << 14}, got {size}")
        if resize not in FITS:
            raise ValueError(f"resize: wanted one of {', '.join(FITS)}, got {resize!r}")
        if channels not in (1, 3):
            raise ValueError(f"channels: wanted 1 or 3, got {channels!r}")
        self.resize, self.channels = resize, channels

    @property
    def shape(self) -> Shape:
        """(channels, height, width)"""
        return self.channels, *self.size

    def apply(self, picture: Any) -> Any:
        """A Pillow picture in L or RGB, with this size and these channels."""
        picture = picture.convert("L" if self.channels == 1 else "RGB")
        height, width = self.size
        box = (0, 0, *picture.size)
        if self.resize == "crop":
            scale = min(picture.width / width, picture.height / height)
            wide, high = min(scale * width, picture.width), min(scale * height, picture.height)
            x, y = (picture.width - wide) / 2, (picture.height - high) / 2
            box = (x, y, min(x + wide, picture.width), min(y + high, picture.height))
        return picture.resize((width, height), pillow().Resampling.BILINEAR, box=box, reducing_gap=3.0)


def read(path: AnyPath, fit: Fit | None = None) -> AnyArray:
    """The pixels of a picture as a browser shows it: upright, and on white where it is transparent.

    Parameters
    ----------
    path : path
    fit : Fit, optional
        Default: the size that it has, and one channel for a grey picture, else red, green and blue.

    Returns
    -------
    ndarray of uint8 (channels, height, width)
        Pictures of 16 bits give their upper 8; of several in one file it is the first.

    Raises
    ------
    ImportError
        Without Pillow.
    PictureError
        A ValueError, when it is no picture, no regular file, has more than 2**26 pixels or 2**29 bytes
        (nothing is decoded then), or floats or 32-bit integers as pixels.
    OSError
        When it cannot be read.
    """
    image = pillow()
    content = _content(path)
    try:
        with _opened(image, content) as picture:
            pixels = _pixels(picture, fit)
    except Exception as error:  # a damaged file fails in as many ways as there are formats
        reason = _reason(image, error, content)
        raise PictureError(path, reason, not isinstance(error, (PixelsError, MemoryError))) from error
    planar = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(planar)


def attempt(path: str, fit: Fit | None = None) -> AnyArray | PictureProblem:
    """What `read` returns, or the `PictureProblem` that it raised."""
    try:
        return read(path, fit)
    except PictureError as error:
        return PictureProblem(path, error.reason, error.damaged)
    except OSError as error:
        return PictureProblem(path, error.strerror or str(error), False, error.errno)


def _content(path: AnyPath) -> bytes:
    """The bytes of a picture's file; what is no file that may be one is not opened."""
    status = os.stat(path)
    what = kinds.special(status.st_mode)
    if what:
        raise PictureError(path, f"it is {what}")
    if status.st_size > BYTES:
        raise PictureError(path, f"wanted at most {BYTES} bytes, got {status.st_size}")
    if not status.st_size:
        raise PictureError(path, "empty file")
    # Into memory: a file that is asked for as many bytes as a damaged header claims makes room for all.
    with open(path, "rb") as file:
        return file.read()


def _opened(image: Any, content: bytes) -> Any:
    try:
        return image.open(io.BytesIO(content))
    except pillow_error():
        refuse_values(content)
        if not kinds.of_plug_in(content):
            raise
        kinds.use_plug_ins()
        return image.open(io.BytesIO(content))


def _reason(image: Any, error: Exception, content: bytes) -> str:
    if isinstance(error, image.DecompressionBombError):
        return f"it claims more than the {PIXELS} pixels that are decoded"
    if isinstance(error, pillow_error()):
        return kinds.guess(content)
    if isinstance(error, MemoryError):
        return "out of memory"
    kind = "" if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: "
    return " ".join(f"{kind}{error}".split())


def _pixels(picture: Any, fit: Fit | None) -> AnyArray:
    """uint8 (height, width) or (height, width, 3) of an open picture."""
    width, height = picture.size
    if width * height > PIXELS:
        raise ValueError(f"wanted at most {PIXELS} pixels, got {width} x {height}")
    if picture.format in kinds.UNREAD:  # for EPS Pillow would run Ghostscript
        raise ValueError(f"it is {picture.format}, which is not read")
    if fit:  # a JPEG is decoded at a fraction of its size where that is still three times what is wanted
        side = 3 * max(fit.size)  # it may lie on its side
        picture.draft(None, (side, side))
    flat = shown(picture)
    return np.asarray(fit.apply(flat) if fit else flat)
