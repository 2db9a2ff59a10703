"""The slow float64 twins of the kernels with weights: convolution, linear, norms, parametric ReLU, im2col.

Each returns its output and a function from dy to the gradients of all its inputs.
"""

import numpy as np
from reference import scatter, windows


def conv2d(x, w, b, stride, padding, groups=1, dilation=(1, 1)):
    """x (N, H, W, C), w (out, C / groups, kh, kw), b (out,): the sums over the taps of each window.

    The padding is zeros; group g of the filters sees group g of the channels. Backward takes dy, (N, out
    height, out width, out), and gives dx, dw, db.
    """
    kernel, depth, width = w.shape[2:], w.shape[1], w.shape[0] // groups
    cells = windows(x, kernel, stride, padding, 0.0, dilation)
    parts = [
        np.einsum(
            "nyxcij,ocij->nyxo", cells[..., g * depth : (g + 1) * depth, :, :], w[g * width : (g + 1) * width]
        )
        for g in range(groups)
    ]

    def backward(dy):
        dw, dcells = np.zeros_like(w), np.zeros(cells.shape)
        for g in range(groups):
            ins, outs = slice(g * depth, (g + 1) * depth), slice(g * width, (g + 1) * width)
            dw[outs] = np.einsum("nyxcij,nyxo->ocij", cells[..., ins, :, :], dy[..., outs])
            dcells[..., ins, :, :] = np.einsum("nyxo,ocij->nyxcij", dy[..., outs], w[outs])
        return scatter(dcells, x.shape, stride, padding, dilation), dw, dy.sum((0, 1, 2))

    return np.concatenate(parts, 3) + b, backward


def bordered_conv2d(x, w, b, stride, padding, groups=1, dilation=(1, 1), border="zeros"):
    """The same with an image that goes on in the padding: each of its cells is a pixel of the image, or 0."""
    if border == "zeros":
        return conv2d(x, w, b, stride, padding, groups, dilation)
    top, left, bottom, right = padding
    rows = [_pixel(i, x.shape[1], border) for i in range(-top, x.shape[1] + bottom)]
    columns = [_pixel(i, x.shape[2], border) for i in range(-left, x.shape[2] + right)]
    y, of_conv = conv2d(x[:, rows][:, :, columns], w, b, stride, (0, 0, 0, 0), groups, dilation)

    def backward(dy):
        framed, dw, db = of_conv(dy)
        dx = np.zeros(x.shape)
        for r, row in enumerate(rows):
            for c, column in enumerate(columns):
                dx[:, row, column] += framed[:, r, c]
        return dx, dw, db

    return y, backward


def _pixel(i, size, border):
    """Which pixel of an axis lies at place i, which may be beyond: step by step."""
    while not 0 <= i < size:
        if border == "circular":
            i += size if i < 0 else -size
        elif border == "replicate" or size == 1:
            i = 0 if i < 0 else size - 1
        else:
            i = -i if i < 0 else 2 * (size - 1) - i
    return i


def conv_transpose2d(x, w, b, stride, padding, more=(0, 0), groups=1, dilation=(1, 1)):
    """x (N, H, W, C), w (C, out / groups, kh, kw), b (out,): each pixel adds its filters, pixel by pixel.

    Windows lie `stride` apart in the output, `padding` is cut off around it, and `more` (down, right) is
    there besides, before that. Group g of the channels adds to group g of the outputs. Backward takes dy, of
    the output's shape, and gives dx, dw, db.
    """
    depth, width = w.shape[0] // groups, w.shape[1]
    reach = [d * (k - 1) + 1 + m for d, k, m in zip(dilation, w.shape[2:], more, strict=True)]
    whole = [(n - 1) * s + r for n, s, r in zip(x.shape[1:3], stride, reach, strict=True)]
    top, left, bottom, right = padding
    inner = slice(None), slice(top, whole[0] - bottom), slice(left, whole[1] - right)
    pairs = [
        (slice(g * depth, (g + 1) * depth), slice(g * width, (g + 1) * width), place, tap)
        for g in range(groups) for place in np.ndindex(*x.shape[1:3]) for tap in np.ndindex(*w.shape[2:])
    ]  # fmt: skip

    def at(array, place, tap):
        return array[
            :, place[0] * stride[0] + tap[0] * dilation[0], place[1] * stride[1] + tap[1] * dilation[1]
        ]

    full = np.zeros((len(x), *whole, groups * width))
    for ins, outs, place, tap in pairs:
        at(full, place, tap)[:, outs] += x[(slice(None), *place, ins)] @ w[(ins, slice(None), *tap)]

    def backward(dy):
        dfull, dx, dw = np.zeros_like(full), np.zeros(x.shape), np.zeros(w.shape)
        dfull[inner] = dy
        for ins, outs, place, tap in pairs:
            d = at(dfull, place, tap)[:, outs]
            dx[(slice(None), *place, ins)] += d @ w[(ins, slice(None), *tap)].T
            dw[(ins, slice(None), *tap)] += x[(slice(None), *place, ins)].T @ d
        return dx, dw, dy.sum((0, 1, 2))

    return full[inner] + b, backward


def linear(x, w, b):
    """x (N, in), w (out, in), b (out,)."""
    return x @ w.T + b, lambda dy: (dy @ w, dy.T @ x, dy.sum(0))


def batch_norm(x, gamma, beta, eps=1e-5, running=None):
    """x (rows, channels); `running` (mean, variance) makes it the evaluation mode."""
    mean, variance = (x.mean(0), x.var(0)) if running is None else running
    inverse = 1 / np.sqrt(variance + eps)
    hat = (x - mean) * inverse

    def backward(dy):
        dhat = dy * gamma
        if running is None:
            dx = inverse * (dhat - dhat.mean(0) - hat * (dhat * hat).mean(0))
        else:
            dx = inverse * dhat
        return dx, (dy * hat).sum(0), dy.sum(0)

    return hat * gamma + beta, backward


def group_norm(x, groups, gamma, beta, eps=1e-5):
    """x (N, ..., channels)."""
    n, channels = len(x), x.shape[-1]
    pixels = x.reshape(n, -1, groups, channels // groups)
    inverse = 1 / np.sqrt(pixels.var((1, 3), keepdims=True) + eps)
    hat = ((pixels - pixels.mean((1, 3), keepdims=True)) * inverse).reshape(x.shape)

    def backward(dy):
        dhat, h = ((a.reshape(pixels.shape)) for a in (dy * gamma, hat))
        means = dhat.mean((1, 3), keepdims=True), (dhat * h).mean((1, 3), keepdims=True)
        outer = tuple(range(x.ndim - 1))
        dx = (inverse * (dhat - means[0] - h * means[1])).reshape(x.shape)
        return dx, (dy * hat).sum(outer), dy.sum(outer)

    return hat * gamma + beta, backward


def layer_norm(x, axes, gamma, beta, eps=1e-5):
    """x, whose last `axes` axes are normalised together."""
    last, outer = tuple(range(-axes, 0)), tuple(range(x.ndim - axes))
    inverse = 1 / np.sqrt(x.var(last, keepdims=True) + eps)
    hat = (x - x.mean(last, keepdims=True)) * inverse

    def backward(dy):
        dhat = dy * gamma
        means = dhat.mean(last, keepdims=True), (dhat * hat).mean(last, keepdims=True)
        return inverse * (dhat - means[0] - hat * means[1]), (dy * hat).sum(outer), dy.sum(outer)

    return hat * gamma + beta, backward


def prelu(x, slope):
    """x (..., channels), slope (1,) or (channels,)."""

    def backward(dy):
        terms = np.where(x > 0, 0.0, x * dy)
        each = terms.sum(tuple(range(x.ndim - 1)))
        return np.where(x > 0, dy, slope * dy), each if len(slope) > 1 else each.sum(keepdims=True)

    return np.where(x > 0, x, slope * x), backward


def im2col(x, kernel, stride, padding):
    """(N, out_h, out_w, kh * kw * C), the channel running fastest."""
    cells = windows(x, kernel, stride, padding, 0.0).transpose(0, 1, 2, 4, 5, 3)
    return cells.reshape(*cells.shape[:3], kernel[0] * kernel[1] * x.shape[3])
