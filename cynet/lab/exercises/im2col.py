"""im2col and col2im of one picture, as the assignment has them: channels, height, width; the course's
padding."""

import numpy as np

from ..exercise import Exercise, Hole, Mistake, array, whole
from ..registry import exercise
from ..windows import gather, outputs, scatter

ONE_SIDE = (
    "the padding is missing: the first window begins (size - 1) // 2 before the picture, so subtract that"
)
TAPS = (
    "rows and columns of the taps are exchanged: within a channel the tap's row comes first, then its column"
)
PLACES = (
    "rows and columns of the places are exchanged: the columns of col go through the first row of "
    "places first"
)
STRIDE = "the stride is not in it: window oy begins at oy * stride - padding"


def im2col(image, size, stride, **ways):
    cells = gather(image, size, stride, **ways)
    return cells.reshape(len(image) * size * size, -1)


def _cells(col, channels, height, width, size, stride):
    return col.reshape(channels, size, size, outputs(height, stride), outputs(width, stride))


def col2im(col, channels, height, width, size, stride, **ways):
    return scatter(_cells(col, channels, height, width, size, stride), height, width, stride, **ways)


def _turned(image, size, stride, axes):
    """im2col with its axes (channel, tap's row, tap's column, row, column) in another order."""
    cells = gather(image, size, stride)
    return cells.transpose(axes).reshape(len(image) * size * size, -1)


def _turned_back(col, channels, height, width, size, stride, taps):
    cells = _cells(col, channels, height, width, size, stride)
    if taps:
        cells = cells.swapaxes(1, 2)
    else:
        shape = channels, size, size, outputs(width, stride), outputs(height, stride)
        cells = col.reshape(shape).swapaxes(3, 4)
    return scatter(cells, height, width, stride)


def _averaged(col, channels, height, width, size, stride):
    given = channels, height, width, size, stride
    return col2im(col, *given) / np.maximum(1, col2im(np.ones_like(col), *given))


ASSIGNS = (
    "it assigns where it should add: windows overlap, and a pixel gets the sum of all entries it was "
    "copied to"
)
IM2COL = (
    Mistake("padding of one side", ONE_SIDE,
            lambda image, size, stride: im2col(image, size, stride, before=0)),
    Mistake("padding of an even size", "the padding before the picture is (size - 1) // 2, also for an even "
                                       "size",
            lambda image, size, stride: im2col(image, size, stride, before=size // 2)),
    Mistake("taps exchanged", TAPS,
            lambda image, size, stride: _turned(image, size, stride, (0, 2, 1, 3, 4))),
    Mistake("places exchanged", PLACES,
            lambda image, size, stride: _turned(image, size, stride, (0, 1, 2, 4, 3))),
    Mistake("channels last", "the order of the rows is wrong: channel first, then the tap's row, then its "
                             "column",
            lambda image, size, stride: _turned(image, size, stride, (1, 2, 0, 3, 4))),
    Mistake("stride forgotten", STRIDE,
            lambda image, size, stride: im2col(image, size, stride, apart=1)),
    Mistake("wraps", "a negative index means the other end of an array: what lies outside the picture is 0",
            lambda image, size, stride: im2col(image, size, stride, outside="wrap")),
    Mistake("border repeated", "outside the picture it takes the nearest pixel: what lies there is 0",
            lambda image, size, stride: im2col(image, size, stride, outside="edge")),
)  # fmt: skip
COL2IM = (
    Mistake("assigns", ASSIGNS, lambda **given: col2im(**given, add="taps")),
    Mistake("assigns", ASSIGNS, lambda **given: col2im(**given, add="windows")),
    Mistake("padding of one side", ONE_SIDE, lambda **given: col2im(**given, before=0)),
    Mistake("padding of an even size", "the padding before the picture is (size - 1) // 2, also for an even "
                                       "size",
            lambda **given: col2im(**given, before=given["size"] // 2)),
    Mistake("taps exchanged", TAPS, lambda **given: _turned_back(**given, taps=True)),
    Mistake("places exchanged", PLACES, lambda **given: _turned_back(**given, taps=False)),
    Mistake("stride forgotten", STRIDE, lambda **given: col2im(**given, apart=1)),
    Mistake("averages", "it divides by how often a pixel was copied: col2im is the plain sum, no mean",
        _averaged),
    Mistake("wraps", "a negative index means the other end of an array: entries from outside are left out",
            lambda **given: col2im(**given, wrap=True)),
)  # fmt: skip


def _draw(sizes, rng):
    size, stride = sizes["size"], sizes["stride"]
    image = rng.standard_normal((sizes["channels"], sizes["height"], sizes["width"]))
    col = rng.standard_normal(im2col(image, size, stride).shape)
    return {"image": image, "col": col, **sizes}


IMAGE = array("image", "channels, height, width")
COL = array("col", "channels * size * size, out_h * out_w")
WINDOW = whole("size"), whole("stride")


@exercise("im2col and col2im: windows of a picture as the columns of a matrix, and back", order=1)
def im2col_exercise():
    return Exercise(
        name="im2col",
        named=("channels", "height", "width", "size", "stride"),
        sizes=(
            (1, 1, 2, 1, 1), (1, 2, 2, 2, 1), (1, 2, 3, 2, 1), (1, 2, 2, 3, 1), (1, 2, 3, 3, 1), (2, 1, 2, 1,
                1),
            (1, 3, 3, 2, 2), (2, 3, 4, 3, 1), (2, 4, 3, 3, 2), (1, 5, 4, 4, 2), (3, 5, 7, 3, 2), (2, 6, 5, 4,
                3),
            (2, 7, 9, 5, 2), (3, 8, 8, 3, 1), (4, 9, 13, 3, 2),
        ),
        large=(16, 24, 24, 3, 1),
        draw=_draw,
        holes=(
            Hole("im2col", (IMAGE, *WINDOW), (COL,),
                 "col[(c * size + ky) * size + kx, oy * out_w + ox] = image[c, y, x] with y = oy * stride "
                 "+ ky - padding, x = ox * stride + kx - padding, or 0 where that is outside; padding = "
                 "(size - 1) // 2, out_h = (height - 1) // stride + 1, out_w alike.",
                 im2col, lambda image, size, stride: 1, IM2COL),
            Hole("col2im", (COL, *map(whole, ("channels", "height", "width", "size", "stride"))), (IMAGE,),
                 "The transpose of im2col: every entry of col is added to the pixel that im2col would have "
                 "copied there. A pixel that no window covers is 0.",
                 col2im, lambda col, channels, height, width, size, stride: size * size, COL2IM,
                 lambda col, channels, height, width, size, stride: (
                     lambda at: float((col * im2col(at, size, stride)).sum()), np.zeros((channels, height,
                         width)))),
        ),
    )  # fmt: skip
