"""Max-pooling with the course's padding: forward, with the winners, and backward."""

import numpy as np

from ..exercise import Exercise, Hole, Mistake, array, whole, whole_numbers
from ..registry import exercise
from ..windows import gather, places

ONE_SIDE = (
    "the padding is missing: the first window begins (size - 1) // 2 before the picture, so subtract that"
)


def forward(x, size, stride, last=False, **ways):
    """The greatest of each window and where it lies; of equals the first wins."""
    height, width = x.shape[-2:]
    cells = gather(x, size, stride, outside=-np.inf, **ways)
    flat = cells.reshape(*x.shape[:2], size * size, *cells.shape[-2:])
    tap = size * size - 1 - flat[:, :, ::-1].argmax(2) if last else flat.argmax(2)
    iy, ix = places(height, size, stride, **ways), places(width, size, stride, **ways)
    rows = iy[tap // size, np.arange(iy.shape[1])[:, None]]
    columns = ix[tap % size, np.arange(ix.shape[1])]
    return flat.max(2), rows * width + columns


def _cells_of(x, size, stride):
    """The cells of each window side by side, padding as -Inf."""
    cells = gather(x, size, stride, outside=-np.inf)
    return cells.reshape(*x.shape[:2], size * size, *cells.shape[-2:])


def _tap(x, size, stride):
    return _cells_of(x, size, stride).argmax(2)


def _mean(x, size, stride):
    cells = _cells_of(x, size, stride)
    return np.where(np.isfinite(cells), cells, 0).sum(2) / np.isfinite(cells).sum(2), None


def _turned(x, size, stride):
    y, winner = forward(x, size, stride)
    height, width = x.shape[-2:]
    return y, winner % width * height + winner // width


def backward(d, winner, height, width, assign=False):
    dx = np.zeros((*d.shape[:2], height * width))
    for place in np.ndindex(d.shape):
        target = (*place[:2], winner[place])
        dx[target] = d[place] if assign else dx[target] + d[place]
    return dx.reshape(*d.shape[:2], height, width)


def _exchanged(d, winner, height, width):
    turned = winner % height * width + winner // height
    return backward(d, np.minimum(turned, height * width - 1), height, width)


def _shared(d, winner, height, width):
    return backward(d, winner, height, width) / np.maximum(
        1, backward(np.ones_like(d), winner, height, width)
    )


FORWARD = (
    Mistake("starts at 0", "the search begins at 0: where all of a window is negative it finds 0. Begin at "
                           "-infinity",
            lambda x, size, stride: (np.maximum(forward(x, size, stride)[0], 0), None)),
    Mistake("padding counts", "padding counts as 0: cells outside the picture are never the winner",
            lambda x, size, stride: (gather(x, size, stride).max((2, 3)), None)),
    Mistake("padding of one side", ONE_SIDE, lambda x, size, stride: forward(x, size, stride, before=0)),
    Mistake("last of equals", "of equal values the last one wins: the first one is wanted, so compare with "
                              ">, not >=",
            lambda x, size, stride: forward(x, size, stride, last=True)),
    Mistake("winner in the window", "winner is the place within the window: wanted that in the picture, row "
                                    "* width + column",
            lambda x, size, stride: (forward(x, size, stride)[0], _tap(x, size, stride))),
    Mistake("winner exchanged", "rows and columns of the winner are exchanged: wanted row * width + "
                                "column", _turned),
    Mistake("mean", "it is the mean of each window: wanted the greatest", _mean),
    Mistake("stride forgotten", "the stride is not in it: window oy begins at oy * stride - padding",
            lambda x, size, stride: forward(x, size, stride, apart=1)),
)  # fmt: skip
BACKWARD = (
    Mistake("assigns", "it assigns where it should add: a pixel that wins several windows gets the sum of "
                       "their d",
            lambda **given: backward(**given, assign=True)),
    Mistake("exchanged", "rows and columns are exchanged: the winner's row is winner // width, its column "
                         "winner % width",
            _exchanged),
    Mistake("shared", "it divides by how many windows a pixel wins: it gets the sum", _shared),
    Mistake("ones", "the gradient d is not in it: a winner gets its window's d",
            lambda d, **given: backward(np.ones_like(d), **given)),
    Mistake("sign", "the sign is wrong", lambda **given: -backward(**given)),
)  # fmt: skip


def _draw(sizes, rng):
    n, c, size, stride = (sizes[name] for name in ("batch", "channels", "size", "stride"))
    shape = n, c, sizes["height"], sizes["width"]
    x = np.round(2 * rng.standard_normal(shape) - 2) / 2  # some are equal, most negative
    y, winner = forward(x, size, stride)
    return {"x": x, "d": rng.standard_normal(y.shape), "winner": winner, **sizes}


Y = "batch, channels, out_h, out_w"


@exercise("max-pooling: forward, with the winners, and backward", order=3)
def maxpool():
    return Exercise(
        name="maxpool",
        named=("batch", "channels", "height", "width", "size", "stride"),
        sizes=(
            (1, 1, 1, 2, 1, 1), (1, 1, 2, 2, 2, 1), (1, 1, 2, 3, 2, 1), (1, 1, 2, 2, 3, 1), (1, 1, 2, 3, 3,
                1),
            (1, 2, 2, 2, 2, 2), (2, 1, 3, 2, 3, 2), (2, 2, 4, 3, 3, 2), (1, 2, 5, 4, 3, 1), (2, 3, 6, 5, 4,
                3),
            (2, 2, 7, 9, 5, 2), (3, 4, 8, 8, 3, 2),
        ),
        large=(8, 8, 16, 16, 3, 2),
        draw=_draw,
        holes=(
            Hole("forward", (array("x", "batch, channels, height, width"), whole("size"), whole("stride")),
                 (array("y", Y), whole_numbers("winner", Y)),
                 "y[i, c, oy, ox] = the greatest x of the window that begins at row oy * stride - padding "
                 "and column ox * stride - padding; cells outside the picture never win. winner = row * "
                 "width + column of that pixel in its picture; of equals the first wins. padding = (size - "
                 "1) // 2, out_h = (height - 1) // stride + 1, out_w alike.",
                 forward, lambda x, size, stride: 1, FORWARD),
            Hole("backward", (array("d", Y), whole_numbers("winner", Y), whole("height"), whole("width")),
                 (array("dx", "batch, channels, height, width"),),
                 "Each d is added to the pixel that won its window; all others get 0: dL/dx, where d is "
                 "dL/dy.",
                 backward, lambda d, winner, height, width: 9, BACKWARD,
                 lambda d, winner, height, width: (
                     lambda at: float((d * np.take_along_axis(
                         at.reshape(*at.shape[:2], -1), winner.reshape(*d.shape[:2], -1),
                             2).reshape(d.shape)).sum()),
                     np.zeros((*d.shape[:2], height, width)))),
        ),
    )  # fmt: skip
