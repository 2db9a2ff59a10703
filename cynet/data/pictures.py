"""A picture from any file that Pillow reads, made to the size that a model takes. Pillow is an extra."""

import warnings
from dataclasses import dataclass

import numpy as np

from cynet.core import checks

MOST_PIXELS = 2**26  # of a file: 256 MiB as red, green, blue and alpha
ORIENTATION = 0x0112  # the EXIF note of how the camera was held
GREY_16 = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # an "I" is a 16-bit file as older Pillows open it


@dataclass(frozen=True)
class Picture:
    """A picture as `load_picture` makes it.

    Attributes
    ----------
    pixels : ndarray of uint8 (side, side, 3)
    width, height : int
        Of the file, upright.
    preparation : str
        What was done to it, in words.
    """

    pixels: np.ndarray
    width: int
    height: int
    preparation: str


def pillow():
    """Pillow's Image module, or an ImportError that names the extra."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("pictures need Pillow, which is an extra: pip install 'cynet[images]'") from error
    return Image


def load_picture(path, side):
    """Read a picture and make it a square in colour.

    It is turned upright by its EXIF note, made red, green and blue (grey becomes three equal channels, what is
    transparent white, of an animation the first frame is taken), resized by area-aware bicubic interpolation so
    that its shorter side is `side`, and cut to the middle square.

    Parameters
    ----------
    path : str or Path
    side : int

    Returns
    -------
    Picture

    Raises
    ------
    ImportError
        Without Pillow.
    ValueError
        Naming the file, when it is no picture, is damaged, or has more than `MOST_PIXELS` pixels.
    OSError
        When it cannot be read.
    """
    image, side = pillow(), checks.integer("side", side, 1)
    try:
        file = open(path, "rb")  # noqa: SIM115  (apart from what Pillow raises)
    except OSError as error:
        raise type(error)(error.errno, f"cannot read {path}: {error.strerror or error}") from error
    with file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a large picture: the limit here is lower
                with image.open(file) as picture:
                    _check_size(picture)
                    colour, notes = _in_colour(picture, image)
        except Exception as error:  # a damaged file makes a decoder raise nearly anything
            reason = str(error).replace(f" {file!r}", "") or type(error).__name__
            raise ValueError(f"{path}: wanted a picture that Pillow can read: {reason}") from error
    square, more = _square(colour, side, image)
    preparation = ", ".join([*notes, *more]) or "as it is"
    return Picture(np.asarray(square, np.uint8), *colour.size, preparation)


def _check_size(picture):
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise ValueError(f"wanted at most {MOST_PIXELS:,} pixels, got {width:,} x {height:,}")
    if not width * height:
        raise ValueError(f"wanted at least one pixel, got {width} x {height}")


def _in_colour(picture, image):
    """(the picture upright in red, green and blue, what was done to it)."""
    from PIL import ImageOps

    notes, mode = [], picture.mode
    if picture.getexif().get(ORIENTATION, 1) != 1:
        notes.append("turned upright")
    upright = ImageOps.exif_transpose(picture)
    if mode in GREY_16:
        return image.fromarray(_of_16_bits(upright)).convert("RGB"), [*notes, "grey of 16 bits"]
    if mode in ("1", "L", "LA", "La", "F"):
        notes.append("grey")
    if "transparency" in upright.info or mode in ("RGBA", "RGBa", "LA", "La", "PA"):
        layers = upright.convert("RGBA")
        if layers.getextrema()[3][0] < 255:
            notes.append("on white")
        ground = image.new("RGBA", layers.size, (255, 255, 255, 255))
        return image.alpha_composite(ground, layers).convert("RGB"), notes
    return upright.convert("RGB"), notes


def _of_16_bits(picture):
    return (np.clip(np.asarray(picture).astype(np.int64), 0, 2**16 - 1) >> 8).astype(np.uint8)


def _square(picture, side, image):
    """(the middle square of the picture with its shorter side resized to `side`, what was done)."""
    notes, (width, height) = [], picture.size
    shorter = min(width, height)
    if shorter != side:
        width, height = (max(side, round(length * side / shorter)) for length in (width, height))
        # From a long strip the middle is cut first: its other parts would be resized in vain.
        picture = _cut(picture, min(picture.width, 2 * shorter), min(picture.height, 2 * shorter))
        size = [max(side, round(length * side / shorter)) for length in picture.size]
        picture = picture.resize(size, image.Resampling.BICUBIC)
        notes.append(f"shorter side resized to {side}")
    if width != height:
        notes.append(f"the middle {side} x {side} of {width} x {height}")
    return _cut(picture, side, side), notes


def _cut(picture, width, height):
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))
