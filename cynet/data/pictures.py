"""Pictures from files as planes of bytes. Reading them takes Pillow, the extra `images`."""

import io

import numpy as np

from cynet.core import checks

PIXELS = 2**26  # of the largest picture that is decoded
FITS = ("crop", "stretch")
GREY = ("1", "L", "LA", "La")


def pillow():
    """Pillow's module of images, or ImportError naming the extra."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("pictures need Pillow, which is an extra: pip install 'cynet[images]'") from error
    return Image


def pillow_error():
    """What Pillow raises for a file of no known kind."""
    from PIL import UnidentifiedImageError

    return UnidentifiedImageError


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

    def __init__(self, size, resize="crop", channels=3):
        self.size = checks.pair("size", size)
        if max(self.size) > 1 << 14:
            raise ValueError(f"size: wanted at most {1 << 14}, got {size}")
        if resize not in FITS:
            raise ValueError(f"resize: wanted one of {', '.join(FITS)}, got {resize!r}")
        if channels not in (1, 3):
            raise ValueError(f"channels: wanted 1 or 3, got {channels!r}")
        self.resize, self.channels = resize, channels

    @property
    def shape(self):
        """(channels, height, width)"""
        return self.channels, *self.size

    def apply(self, picture):
        """A Pillow picture of this size and these channels: upright, and on white where it is transparent."""
        picture = _on_white(_upright(picture)).convert("L" if self.channels == 1 else "RGB")
        height, width = self.size
        box = (0, 0, *picture.size)
        if self.resize == "crop":
            scale = min(picture.width / width, picture.height / height)
            x, y = (picture.width - scale * width) / 2, (picture.height - scale * height) / 2
            box = (x, y, min(x + scale * width, picture.width), min(y + scale * height, picture.height))
        return picture.resize((width, height), pillow().Resampling.BILINEAR, box=box, reducing_gap=3.0)


def read(path, fit=None):
    """The pixels of a picture.

    Parameters
    ----------
    path : path
    fit : Fit, optional
        Default: the size that it has, and one channel for a grey picture, else red, green and blue.

    Returns
    -------
    ndarray of uint8 (channels, height, width)
        Pictures of 16 bits give their upper 8.

    Raises
    ------
    ImportError
        Without Pillow.
    ValueError
        When it is no picture, or has more than 2**26 pixels (nothing is decoded then).
    OSError
        When it cannot be read.
    """
    image = pillow()
    with open(path, "rb") as file:
        # From memory: a file that is asked for as many bytes as a damaged header claims makes room for all.
        content = io.BytesIO(file.read())
    try:
        with image.open(content) as picture:
            pixels = _pixels(picture, fit)
    except Exception as error:  # a damaged file fails in as many ways as there are formats
        kind = "" if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: "
        text = " ".join(f"{kind}{error}".split())
        if isinstance(error, image.DecompressionBombError):
            text = f"it claims more than the {PIXELS} pixels that are decoded"
        elif isinstance(error, pillow_error()):
            text = "it is of no kind that is known"
        raise ValueError(f"{path}: wanted a picture that Pillow can read: {text}") from error
    planar = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(planar)


def _upright(picture):
    """Turned as its EXIF note says that the camera was held."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(picture)


def _on_white(picture):
    if picture.mode not in ("RGBA", "RGBa", "LA", "La", "PA"):
        return picture
    picture = picture.convert("RGBA")
    return pillow().alpha_composite(pillow().new("RGBA", picture.size, (255, 255, 255, 255)), picture)


def _pixels(picture, fit):
    """uint8 (height, width) or (height, width, 3) of an open picture."""
    width, height = picture.size
    if width * height > PIXELS:
        raise ValueError(f"wanted at most {PIXELS} pixels, got {width} x {height}")
    if picture.format == "EPS":  # Pillow would run Ghostscript on it
        raise ValueError("wanted no PostScript program")
    if fit:  # a JPEG is decoded at a fraction of its size where that is still three times what is wanted
        picture.draft(None, (3 * fit.size[1], 3 * fit.size[0]))
    grey = picture.mode in GREY or picture.mode.startswith(("I", "F"))
    if picture.mode.startswith("I"):  # 16 bits a pixel
        high = (np.asarray(picture).astype(np.int32) >> 8).clip(0, 255)
        picture = pillow().fromarray(high.astype(np.uint8))
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")  # Pillow warns of the direct way
    return np.asarray(fit.apply(picture) if fit else picture.convert("L" if grey else "RGB"))
