"""Pictures and data sets. Reading and writing pictures takes Pillow, the extra `images`."""

from pathlib import Path
from typing import Any

import numpy as np

from cynet.core import checks, random
from cynet.core.files import user_path
from cynet.core.types import Array
from cynet.data.images import pictures
from cynet.data.images.image_list import check_shape, class_of, read_lines

from . import planes

QUALITY = 80  # of JPEG files


class Data:
    """A data set: row i of `y` says what row i of `x` is.

    Parameters
    ----------
    x : array_like (rows, columns)
    y : array_like (rows, classes)
        One-hot rows.

    Raises
    ------
    TypeError, ValueError
        When they hold no real numbers, or have not equally many rows.
    """

    def __init__(self, x: Any, y: Any) -> None:
        self.x = planes.matrix("x", x)
        self.y = planes.matrix("y", y, rows=len(self.x))

    def __repr__(self) -> str:
        return f"Data of {len(self.x)} rows, {self.x.shape[1]} columns, {self.y.shape[1]} classes"


def checked_data(data: Any) -> Data:
    """`data` as a Data with at least one row: any object with matrices `x` and `y` will do."""
    if not (hasattr(data, "x") and hasattr(data, "y")):
        raise TypeError(f"data: wanted an object with matrices x and y, got {type(data).__name__}")
    data = Data(data.x, data.y)
    if len(data.x) == 0:
        raise ValueError(f"data: wanted at least 1 row, got x of shape {data.x.shape}")
    return data


def checked_path(name: str, path: Any) -> Path:
    """`path` as a Path that names something, or TypeError / ValueError naming `name`."""
    if not isinstance(path, (str, Path)):
        raise TypeError(f"{name}: wanted a str or Path, got {type(path).__name__}")
    if "\0" in str(path) or not Path(path).name:
        raise ValueError(f"{name}: wanted the path of a file, got {str(path)!r}")
    return user_path(path)


def random_batch(data: Data, n: int) -> Data:
    """`n` rows of `data`, drawn with replacement by cynet's seeded counter.

    Parameters
    ----------
    data : Data
        Of at least one row.
    n : int
        At least 1.

    Returns
    -------
    Data
        Of n rows.

    Raises
    ------
    TypeError, ValueError
        When the data have no row, or n is none of these.
    """
    data, n = checked_data(data), checks.integer("n", n, 1)
    number, draw = random.next_key()
    generator = np.random.Generator(np.random.Philox(key=[number, draw]))
    chosen = generator.integers(0, len(data.x), n)
    return Data(data.x[chosen], data.y[chosen])


def load_image_classification_data(images: str | Path, labels: str | Path) -> Data:
    """A data set of pictures of one size.

    Parameters
    ----------
    images : str or Path
        A text file, a picture's path in each line.
    labels : str or Path
        A text file, a class's name in each line. A picture's class is the name contained in its path; where
        several are, the one contained in its file's name, and of "man" and "woman" the longer.

    Returns
    -------
    Data
        x holds the pixels / 255 in channel, row, column order.

    Raises
    ------
    ValueError
        Naming a list that is empty, or a picture of another shape than the first or of no clear class.
    """
    paths, names = (
        read_lines(checked_path(name, path)) for name, path in (("images", images), ("labels", labels))
    )
    y = np.zeros((len(paths), len(names)), np.float32)
    x = None
    for i, path in enumerate(paths):
        y[i, class_of(path, names)] = 1
        picture = load_image(path)
        if x is None:
            shape = picture.shape
            x = np.empty((len(paths), picture.size), np.float32)
        check_shape(path, picture.shape, shape)
        x[i] = picture.reshape(-1)
    return Data(x, y)


# -- pictures -------------------------------------------------------------------------------------------


def load_image(path: str | Path) -> Array:
    """A picture's pixels / 255.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    ndarray of float32 (channels, height, width)
        One channel of a grey picture, otherwise red, green and blue.

    Raises
    ------
    ImportError
        Without Pillow.
    ValueError
        When it is no picture, or has more than 2**26 pixels.
    OSError
        When it cannot be read.
    """
    return pictures.read(checked_path("path", path)).astype(np.float32) / np.float32(255)


def checked_image(name: str, image: Any) -> Array:
    """`image` as a float32 array (channels, height, width)."""
    array = planes.real(name, image)
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"{name}: wanted an image (channels, height, width), got shape {array.shape}")
    return np.require(array, np.float32, ("C", "A"))


def save_image(image: Any, path: str | Path) -> None:
    """Write an image (channels, height, width) of values 0 to 1 as a JPEG file.

    Parameters
    ----------
    image : array_like (channels, height, width)
        Of one or three channels. Values beyond 0 to 1 are clipped.
    path : str or Path
        ".jpg" is appended unless it ends so.

    Raises
    ------
    ImportError
        Without Pillow.
    TypeError, ValueError
        When the image holds no real numbers, or has another shape.
    OSError
        When the file cannot be written.
    """
    _save(image, path, ".jpg", quality=QUALITY)


def save_png(image: Any, path: str | Path) -> None:
    """Write an image (channels, height, width) of values 0 to 1 as a PNG file.

    Parameters
    ----------
    image : array_like (channels, height, width)
    path : str or Path
        As for `save_image`; ".png" is appended unless it ends so.

    Raises
    ------
    ImportError, TypeError, ValueError, OSError
        As of `save_image`.
    """
    _save(image, path, ".png")


def _save(image: Any, path: Any, suffix: str, **options: int) -> None:
    array = checked_image("image", image)
    if len(array) not in (1, 3):
        raise ValueError(f"image: wanted 1 or 3 channels, got shape {array.shape}")
    pixels = np.rint(np.nan_to_num(np.clip(array, 0, 1)) * 255).astype(np.uint8).transpose(1, 2, 0)
    path = checked_path("path", path)
    path = path if path.name.endswith(suffix) else path.with_name(path.name + suffix)
    picture = pictures.pillow().fromarray(pixels[..., 0] if len(array) == 1 else np.ascontiguousarray(pixels))
    picture.save(path, **options)
