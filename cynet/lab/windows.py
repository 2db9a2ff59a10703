"""The windows of pictures, for twins: gathered and scattered in float64, in the ways that are right and that
are not.

"Same" padding by the course's rule: (size - 1) // 2 before, and as many outputs as pixels over the stride,
rounded up.
"""

import numpy as np


def outputs(length, stride):
    """How many windows there are along a side."""
    return (length - 1) // stride + 1


def places(length, size, stride, before=None, apart=None):
    """(size, outputs): the pixel under each tap of each window, some outside the picture.

    Parameters
    ----------
    before : int, optional
        Of padding; default: the course's.
    apart : int, optional
        How far windows are apart; default: the stride.
    """
    before = (size - 1) // 2 if before is None else before
    return np.arange(size)[:, None] + np.arange(outputs(length, stride)) * (apart or stride) - before


def gather(x, size, stride, before=None, apart=None, outside=0.0):
    """(..., size, size, out_h, out_w): the cells of each window of x (..., height, width).

    Parameters
    ----------
    outside : float or {"wrap", "edge"}, optional
        What lies outside the picture; "wrap": as negative indices have it in Python; "edge": its border.
    """
    height, width = x.shape[-2:]
    iy, ix = places(height, size, stride, before, apart), places(width, size, stride, before, apart)
    cells = x[..., iy.clip(-height, height - 1), :][..., ix.clip(-width, width - 1)]
    if outside == "edge":
        cells = x[..., iy.clip(0, height - 1), :][..., ix.clip(0, width - 1)]
    elif outside == "wrap":
        cells = np.where(_inside(iy, height, -height) & _inside(ix, width, -width, True), cells, 0.0)
    else:
        cells = np.where(_inside(iy, height) & _inside(ix, width, 0, True), cells, outside)
    return np.moveaxis(cells, -2, -3)  # (..., ky, oy, kx, ox) -> (..., ky, kx, oy, ox)


def _inside(places, length, least=0, columns=False):
    inside = (places >= least) & (places < length)
    return inside if columns else inside[:, :, None, None]


def scatter(cells, height, width, stride, before=None, apart=None, add=True, wrap=False):
    """The transpose of `gather`: each cell added to the pixel it came from.

    Parameters
    ----------
    add : bool or {"taps", "windows"}, optional
        "taps", "windows": each is assigned, the last one wins; this is what the outer loops go over.
    wrap : bool, optional
        Whether a negative index means the other end.
    """
    size = cells.shape[-4]
    iy, ix = places(height, size, stride, before, apart), places(width, size, stride, before, apart)
    x = np.zeros((*cells.shape[:-4], height, width))
    taps = [(ky, kx) for ky in range(size) for kx in range(size)]
    windows = [(oy, ox) for oy in range(iy.shape[1]) for ox in range(ix.shape[1])]
    pairs = (
        ((tap, window) for window in windows for tap in taps) if add == "windows"
        else ((tap, window) for tap in taps for window in windows)
    )  # fmt: skip
    for (ky, kx), (oy, ox) in pairs:
        y, column = iy[ky, oy], ix[kx, ox]
        least_y, least_x = (-height, -width) if wrap else (0, 0)
        if least_y <= y < height and least_x <= column < width:
            if add is True:
                x[..., y, column] += cells[..., ky, kx, oy, ox]
            else:
                x[..., y, column] = cells[..., ky, kx, oy, ox]
    return x
