"""What the dimensions of an array of samples are: pictures, signals or rows, as the loader takes all of them.

Every array is seen as planar pictures (count, channels, height, width): signals are of height 1, rows are one
pixel whose channels are the features. The shape in which a net gets a sample is kept beside.
"""

from __future__ import annotations

import numpy as np

from cynet.core.types import AnyArray, Shape

# By number of dimensions. N: samples, C: channels, H and W: height and width, L: length, F: features.
LAYOUTS = {2: ("NF",), 3: ("NHW", "NLC", "NCL"), 4: ("NCHW", "NHWC")}
ALL = ("NCHW", "NHWC", "NHW", "NLC", "NCL", "NF")
KINDS = np.uint8, np.float32


def checked(layout: str | None) -> str | None:
    """`layout`, if it is one of `ALL` or None."""
    if layout is not None and not (isinstance(layout, str) and layout in ALL):
        raise ValueError(f"layout: wanted one of {', '.join(ALL)}, got {layout!r:.80}")
    return layout


def told(images: AnyArray, layout: str | None, where: str, like: Shape | None = None) -> str:
    """What the dimensions of an array of samples are.

    Parameters
    ----------
    images : ndarray
    layout : str or None
        What somebody says.
    where : str
        What a message calls the array.
    like : tuple of int, optional
        The shape in which a net gets a sample, where it is known.

    Returns
    -------
    str
        One of `ALL`.

    Raises
    ------
    ValueError
        When the array cannot have that layout; without one, where several are possible: of four dimensions
        exactly one of those in question is to be 1 or 3, and three are taken for grey pictures if they are
        uint8.
    """
    possible = LAYOUTS.get(images.ndim)
    if possible is None or 0 in images.shape or images.dtype not in KINDS:
        raise ValueError(
            f"{where}: wanted samples, uint8 or float32 of 2 to 4 dimensions, got {images.dtype} "
            f"{images.shape}"
        )
    if layout is not None:
        if layout not in possible:
            wanted = f"wanted {' or '.join(possible)} for an array of {images.ndim} dimensions"
            raise ValueError(f"layout: {wanted}, got {layout}")
        return layout
    alike = tuple(each for each in possible if sample_shape(images.shape, each) == like)
    if alike:
        possible = alike
    elif images.ndim == 3 and images.dtype == np.uint8:
        return "NHW"
    elif images.ndim == 4:
        likely = [images.shape[i] in (1, 3) for i in (1, 3)]
        if sum(likely) == 1:
            return possible[likely.index(True)]
    if len(possible) > 1:
        words = f"{', '.join(possible[:-1])} or {possible[-1]}"
        raise ValueError(f"layout: wanted {words}, since {images.shape} of {where} does not tell which it is")
    return possible[0]


def sample_shape(shape: Shape, layout: str) -> Shape:
    """The shape in which a net gets a sample, channels last, of an array of a shape and layout."""
    sizes = dict(zip(layout, shape, strict=True))
    if layout == "NF":
        return (sizes["F"],)
    if "L" in sizes:
        return sizes["L"], sizes["C"]
    return sizes["H"], sizes["W"], sizes.get("C", 1)


def planar(images: AnyArray, layout: str) -> AnyArray:
    """An array of a layout as a view (count, channels, height, width)."""
    if layout == "NHWC":
        return images.transpose(0, 3, 1, 2)
    if layout == "NHW":
        return images[:, None]
    if layout == "NLC":
        return images.transpose(0, 2, 1)[:, :, None]
    if layout == "NCL":
        return images[:, :, None]
    return images[:, :, None, None] if layout == "NF" else images
