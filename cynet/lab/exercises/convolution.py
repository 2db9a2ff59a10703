"""A convolution with the course's padding: forward, and the gradients of the filters and of the input."""

import numpy as np

from ..exercise import Exercise, Hole, Mistake, array, whole
from ..registry import exercise
from ..windows import gather, outputs, scatter

ONE_SIDE = (
    "the padding is missing: the first window begins (size - 1) // 2 before the picture, so subtract that"
)
TAPS = (
    "rows and columns of the taps are exchanged: w[f, c, ky, kx] lies over row ky and column kx of the window"
)
STRIDE = "the stride is not in it: window oy begins at oy * stride - padding"
FLIPPED = (
    "the filters are turned round: tap (0, 0) lies over the window's first pixel (nets correlate, in truth)"
)


def forward(x, w, b, stride, flip=False, **ways):
    w = w[:, :, ::-1, ::-1] if flip else w
    cells = gather(x, w.shape[-1], stride, **ways)
    return np.einsum("ncijyx,fcij->nfyx", cells, w) + b[:, None, None]


def weight_gradient(x, d, size, stride, **ways):
    return np.einsum("ncijyx,nfyx->fcij", gather(x, size, stride, **ways), d)


def input_gradient(d, w, height, width, stride, **ways):
    cells = np.einsum("nfyx,fcij->ncijyx", d, w)
    return scatter(cells, height, width, stride, **ways)


def _turned(w):
    return w[:, :, ::-1, ::-1]


def _last_channel(x, w, b, stride):
    return forward(x[:, -1:], w[:, -1:], b, stride)


FORWARD = (
    Mistake("filters turned", FLIPPED, lambda x, w, b, stride: forward(x, w, b, stride, flip=True)),
    Mistake("no bias", "the bias b[f] is missing", lambda x, w, b, stride: forward(x, w, 0 * b, stride)),
    Mistake("bias too often", "the bias is added at every tap: it is added once to each output",
            lambda x, w, b, stride: forward(x, w, b * w[0].size, stride)),
    Mistake("padding of one side", ONE_SIDE, lambda x, w, b, stride: forward(x, w, b, stride, before=0)),
    Mistake("taps exchanged", TAPS, lambda x, w, b, stride: forward(x, w.swapaxes(2, 3), b, stride)),
    Mistake("stride forgotten", STRIDE, lambda x, w, b, stride: forward(x, w, b, stride, apart=1)),
    Mistake("last channel alone", "only the last channel is in it: the sum goes over all channels",
            _last_channel),
    Mistake("wraps", "a negative index means the other end of an array: what lies outside the picture is 0",
            lambda x, w, b, stride: forward(x, w, b, stride, outside="wrap")),
)  # fmt: skip
WEIGHT_GRADIENT = (
    Mistake("last picture alone", "it assigns where it should add: the sum goes over all pictures of the "
                                  "batch",
            lambda x, d, size, stride: weight_gradient(x[-1:], d[-1:], size, stride)),
    Mistake("averaged", "it is divided by the pictures: the gradient of a sum is a sum (the loss has the "
                        "mean in it)",
            lambda x, d, size, stride: weight_gradient(x, d, size, stride) / len(x)),
    Mistake("filters turned", FLIPPED, lambda x, d, size, stride: _turned(weight_gradient(x, d, size,
        stride))),
    Mistake("padding of one side", ONE_SIDE, lambda x, d, size, stride: weight_gradient(x, d, size, stride,
        before=0)),
    Mistake("taps exchanged", TAPS, lambda x, d, size, stride: weight_gradient(x, d, size, stride).swapaxes(2,
        3)),
    Mistake("stride forgotten", STRIDE, lambda x, d, size, stride: weight_gradient(x, d, size, stride,
        apart=1)),
)  # fmt: skip
ASSIGNS = "it assigns where it should add: a pixel lies under several taps, and gets the sum of all"
INPUT_GRADIENT = (
    Mistake("filters turned", FLIPPED,
            lambda d, w, **given: input_gradient(d, _turned(w), **given)),
    Mistake("padding of one side", ONE_SIDE, lambda **given: input_gradient(**given, before=0)),
    Mistake("taps exchanged", TAPS, lambda d, w, **given: input_gradient(d, w.swapaxes(2, 3), **given)),
    Mistake("stride forgotten", STRIDE, lambda **given: input_gradient(**given, apart=1)),
    Mistake("last filter alone", "only the last filter is in it: the sum goes over all filters",
            lambda d, w, **given: input_gradient(d[:, -1:], w[-1:], **given)),
    Mistake("assigns", ASSIGNS, lambda **given: input_gradient(**given, add="windows")),
    Mistake("assigns", ASSIGNS, lambda **given: input_gradient(**given, add="taps")),
    Mistake("assigns", ASSIGNS,
            lambda d, w, **given: input_gradient(d[:, -1:], w[-1:], **given, add="windows")),
    Mistake("assigns", ASSIGNS, lambda d, w, **given: input_gradient(d[:, -1:], w[-1:], **given, add="taps")),
    Mistake("wraps", "a negative index means the other end of an array: what lies outside the picture is "
                     "left out",
            lambda **given: input_gradient(**given, wrap=True)),
)  # fmt: skip


def _draw(sizes, rng):
    n, c, f, size, stride = (sizes[name] for name in ("batch", "channels", "filters", "size", "stride"))
    height, width = sizes["height"], sizes["width"]
    return {
        "x": rng.standard_normal((n, c, height, width)), "w": rng.standard_normal((f, c, size, size)),
        "b": rng.standard_normal(f), "stride": stride, "size": size, "height": height, "width": width,
        "d": rng.standard_normal((n, f, outputs(height, stride), outputs(width, stride))),
    }  # fmt: skip


X, W, B = (
    array("x", "batch, channels, height, width"),
    array("w", "filters, channels, size, size"),
    array("b", "filters"),
)
D = array("d", "batch, filters, out_h, out_w")


@exercise("a convolution: forward, and the gradients of its filters and of its input", order=2)
def convolution():
    return Exercise(
        name="convolution",
        named=("batch", "channels", "filters", "height", "width", "size", "stride"),
        sizes=(
            (1, 1, 1, 1, 2, 1, 1), (1, 1, 1, 2, 2, 2, 1), (1, 1, 1, 2, 3, 2, 1), (1, 2, 1, 1, 2, 1, 1),
            (2, 1, 1, 2, 2, 1, 1), (1, 1, 2, 2, 2, 1, 1), (1, 1, 1, 3, 2, 3, 1), (1, 1, 1, 3, 3, 3, 2),
            (2, 2, 3, 4, 3, 3, 1), (2, 3, 2, 5, 4, 3, 2), (1, 2, 2, 6, 5, 4, 3), (2, 2, 2, 7, 6, 5, 2),
            (3, 4, 5, 8, 8, 3, 1),
        ),
        large=(4, 4, 8, 16, 16, 3, 1),
        draw=_draw,
        holes=(
            Hole("forward", (X, W, B, whole("stride")), (array("y", "batch, filters, out_h, out_w"),),
                 "y[i, f, oy, ox] = b[f] + sum over c, ky, kx of w[f, c, ky, kx] * x[i, c, y, x] with y = "
                 "oy * stride + ky - padding, x = ox * stride + kx - padding; what lies outside the "
                 "picture is 0. padding = (size - 1) // 2, out_h = (height - 1) // stride + 1, out_w alike.",
                 forward, lambda x, w, b, stride: w[0].size + 1, FORWARD),
            Hole("weight_gradient", (X, D, whole("size"), whole("stride")), (array("dw", "filters, channels, "
                                                                                         "size, size"),),
                 "dw[f, c, ky, kx] = sum over pictures i and places oy, ox of d[i, f, oy, ox] * x[i, c, y, "
                 "x], the pixel under that tap: dL/dw, where d is dL/dy.",
                 weight_gradient, lambda x, d, size, stride: d.size // d.shape[1], WEIGHT_GRADIENT,
                 lambda x, d, size, stride: (
                     lambda at: float((d * forward(x, at, np.zeros(d.shape[1]), stride)).sum()),
                     np.zeros((d.shape[1], x.shape[1], size, size)))),
            Hole("input_gradient", (D, W, whole("height"), whole("width"), whole("stride")),
                 (array("dx", "batch, channels, height, width"),),
                 "dx[i, c, y, x] = sum over all f, ky, kx, oy, ox whose tap lies over that pixel of d[i, "
                 "f, oy, ox] * w[f, c, ky, kx]: dL/dx.",
                 input_gradient, lambda d, w, height, width, stride: w.size // w.shape[1], INPUT_GRADIENT,
                 lambda d, w, height, width, stride: (
                     lambda at: float((d * forward(at, w, np.zeros(len(w)), stride)).sum()),
                     np.zeros((len(d), w.shape[1], height, width)))),
        ),
    )  # fmt: skip
