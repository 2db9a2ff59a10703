"""What a browser shows of a picture: 8 bits a channel, upright, and on white where it is transparent.

Design: Pillow's own conversions lose what this is about. They take the transparent colour of a grey picture
for an ordinary one, cut 32 bits off at 255, and forget how the camera was held. So every mode is brought to L
or RGB here first, and turned last. It works on pictures that lie in memory.
"""

import io
from typing import Any

import numpy as np

from cynet.core.types import AnyArray

from . import tiffs

ORIENTATION = 0x0112  # EXIF's
BITS, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0  # TIFF's
SIXTEEN = ("PNG", "PPM")  # where mode I holds 16 bits, as PNG does before Pillow 11
ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
GREY = ("1", "L", "LA", "La")
COLOUR = ("P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
FEW_BITS = {"1": (1, 255), "L;2": (3, 85), "L;4": (15, 17)}  # of grey PNG files: greatest value, factor
WHITE = 255
TURNS = (
    "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"
)  # fmt: skip


class PixelsError(ValueError):
    """Pixels that do not say what a screen is to show."""


def shown(picture: Any) -> Any:
    """A picture that Pillow has opened and not yet decoded, in mode L where it is grey, else RGB.

    Parameters
    ----------
    picture : PIL.Image.Image

    Returns
    -------
    PIL.Image.Image
        Upright as EXIF's orientation says. Of 16 bits the upper 8 are left.

    Raises
    ------
    PixelsError
        For floats and integers of 32 bits, naming their range, and for colours that Pillow does not convert.
    """
    from PIL import Image

    _keep_upper(picture)
    raw, frame = _raw_mode(picture), _frame(picture)
    lower = _lower_bytes(picture) if raw == "RGB;16B" and "transparency" in picture.info else None
    picture.load()
    tags = getattr(picture, "tag_v2", None) or {}
    if tags and tiffs.kind_of(tags) == "i1":  # Pillow takes no notice of the sign
        raise PixelsError(_range(np.asarray(picture).view(np.int8)))
    flat = _of_wide(picture, raw) if picture.mode[0] in "IF" else _of_bytes(picture, raw, lower)
    if frame not in (None, (0, 0, *flat.size)):  # around it a GIF is transparent
        whole = Image.new(flat.mode, flat.size, "white")
        whole.paste(flat.crop(frame), frame)
        flat = whole
    turn = _turn(picture)
    return flat if turn is None else flat.transpose(turn)


def refuse_values(content: bytes) -> None:
    """Raise PixelsError for a TIFF file's bytes whose values Pillow does not read and no screen shows."""
    values = tiffs.values(content)
    if values is not None:
        raise PixelsError(_range(values))


def _keep_upper(picture: Any) -> None:
    """Let Pillow take the upper bytes of a colour PPM file of 16 bits, which it would round."""
    tiles = getattr(picture, "tile", None)
    if picture.format == "PPM" and tiles and tiles[0][0] == "ppm" and tiles[0][3] == ("RGB", 65535):
        picture.tile = [("raw", *tiles[0][1:3], "RGB;16B")]


def _frame(picture: Any) -> tuple[int, ...] | None:
    """The place of the first picture in an open GIF."""
    return tuple(picture.tile[0][1]) if picture.format == "GIF" and picture.tile else None


def _raw_mode(picture: Any) -> str:
    """How the pixels lie in an open file, in Pillow's words; '' where it does not tell."""
    arguments = picture.tile[0][3] if getattr(picture, "tile", None) else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _of_bytes(picture: Any, raw: str, lower: AnyArray | None) -> Any:
    from PIL import Image

    mode, clear = picture.mode, picture.info.get("transparency")
    if mode in ("1", "L") and isinstance(clear, int):
        most, factor = FEW_BITS.get(raw, (WHITE, 1))
        values = np.array(picture.convert("L"))
        values[values == (clear & most) * factor] = WHITE
        return Image.fromarray(values)
    if mode == "RGB" and isinstance(clear, tuple):
        values = np.array(picture)
        values[_is_clear(values, lower, clear)] = WHITE
        return Image.fromarray(values)
    palette = getattr(picture.palette, "mode", "") if mode == "P" else ""
    if mode in ALPHA or (mode == "P" and (clear is not None or palette.endswith("A"))):
        white = Image.new("RGBA", picture.size, (WHITE,) * 4)
        picture = picture.convert("LA") if mode == "La" else picture
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    elif mode not in GREY + COLOUR:
        raise PixelsError(f"its colours are {mode}, wanted grey or RGB")
    return picture.convert("L" if mode in GREY or raw.startswith("LA") else "RGB")  # LA;16B is read as RGBA


def _is_clear(values: AnyArray, lower: AnyArray | None, clear: tuple[int, ...]) -> AnyArray:
    """Where a picture in RGB has its transparent colour; of 16 bits the lower bytes count, too."""
    if lower is None:
        return (values == [value & WHITE for value in clear]).all(axis=2)
    upper = (values == [value >> 8 for value in clear]).all(axis=2)
    return upper & (lower == [value & WHITE for value in clear]).all(axis=2)


def _lower_bytes(picture: Any) -> AnyArray:
    """The lower bytes of a PNG file of 3 x 16 bits, of which Pillow reads the upper ones."""
    from PIL import Image

    with Image.open(io.BytesIO(picture.fp.getvalue())) as again:
        again.tile = [(*tile[:3], "RGB;16L") for tile in again.tile]
        return np.array(again)


def _of_wide(picture: Any, raw: str) -> Any:
    """Mode L of a picture of more than 8 bits a pixel."""
    from PIL import Image

    values, tags = np.asarray(picture), getattr(picture, "tag_v2", None) or {}
    if picture.mode == "F" or (picture.mode == "I" and picture.format not in SIXTEEN):
        unsigned = values.dtype == np.int32 and tiffs.kind_of(tags) == "u4"
        raise PixelsError(_range(values.view(np.uint32) if unsigned else values))
    shift = 4 if raw == "I;12" or tags.get(BITS) == (12,) else 8
    upper = (values.astype(np.int32) >> shift).clip(0, WHITE).astype(np.uint8)
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        upper = WHITE - upper
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        upper[values == clear] = WHITE
    return Image.fromarray(upper)


def _range(values: AnyArray) -> str:
    """What is wrong with values of no known white, in words."""
    kind = "floats" if values.dtype.kind == "f" else "integers with a sign or of 32 bits"
    kind = kind.replace("32", "64") if values.dtype.itemsize == 8 else kind
    finite, form = values[np.isfinite(values)], "g" if values.dtype.kind == "f" else "d"
    text = f"{kind} from {finite.min():{form}} to {finite.max():{form}}" if finite.size else kind
    if finite.size < values.size:
        text += f" ({values.size - finite.size} of {values.size} are NaN or infinite)"
    return f"it holds {text}, wanted 8 bits a pixel, 0 to 255, or 16, 0 to 65535: convert it"


def _turn(picture: Any) -> Any:
    """Pillow's transposition that sets a loaded picture upright; None where it is, or nobody can tell."""
    from PIL import Image

    try:
        orientation = _orientation(picture)
    except Exception:  # a damaged note spoils no picture
        return None
    return Image.Transpose[TURNS[orientation - 2]] if orientation in range(2, 9) else None


def _orientation(picture: Any) -> Any:
    """EXIF's number for how the camera was held; XMP's does not count, as it does not in browsers."""
    from PIL import Image

    if hasattr(picture, "tag_v2"):  # Pillow turned the TIFF file while it was decoded
        return None
    notes = Image.Exif()
    notes.load(picture.info.get("exif", b""))
    return notes.get(ORIENTATION)
