"""The slow float64 twin of every kernel.

Each twin takes NHWC (or row) float64 arrays and returns its output and a function from dy to dx, so that
finite differences can check them all alike.
"""

from math import erfc, sqrt

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

# -- windows ------------------------------------------------------------------------------------------


def same_padding(size, kernel, stride):
    """(before, after) by the course's rule, found by counting."""
    before, after = (kernel - 1) // 2, 0
    while (before + size + after - kernel) // stride + 1 < -(-size // stride):
        after += 1
    return before, after


def beyond(shape, kernel, stride, padding):
    """`padding`, and after it what windows of PyTorch's ceil_mode reach beyond; found by counting."""
    sides = list(padding)
    for axis in range(2):
        before, size = padding[axis], shape[1 + axis]
        padded = before + size + padding[axis + 2]
        start = 0
        while start + kernel[axis] < padded and start + stride[axis] < before + size:
            start += stride[axis]
        sides[axis + 2] += max(0, start + kernel[axis] - padded)
    return tuple(sides)


def windows(x, kernel, stride, padding, fill, dilation=(1, 1)):
    """(N, out height, out width, C, kernel height, kernel width): the cells of each window."""
    top, left, bottom, right = padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    extents = [apart * (size - 1) + 1 for size, apart in zip(kernel, dilation, strict=True)]
    cells = sliding_window_view(padded, extents, (1, 2))[:, :: stride[0], :: stride[1]]
    return cells[..., :: dilation[0], :: dilation[1]]


def scatter(cells, shape, stride, padding, dilation=(1, 1)):
    """The transpose of `windows`: adds every cell to the pixel it came from."""
    n, height, width, channels = shape
    top, left, bottom, right = padding
    padded = np.zeros((n, top + height + bottom, left + width + right, channels))
    for oy in range(cells.shape[1]):
        for ox in range(cells.shape[2]):
            for ky in range(cells.shape[4]):
                for kx in range(cells.shape[5]):
                    y, x = oy * stride[0] + ky * dilation[0], ox * stride[1] + kx * dilation[1]
                    padded[:, y, x] += cells[:, oy, ox, :, ky, kx]
    return padded[:, top : top + height, left : left + width]


def max_pool(x, kernel, stride, padding, ceil=False, dilation=(1, 1)):
    """Padding is -Inf but never the winner; the first of equals wins, of NaNs, which beat all, the last."""
    extents = [apart * (size - 1) + 1 for size, apart in zip(kernel, dilation, strict=True)]
    padding = beyond(x.shape, extents, stride, padding) if ceil else padding
    cells = windows(x, kernel, stride, padding, -np.inf, dilation)
    inside = windows(np.ones_like(x), kernel, stride, padding, 0.0, dilation) > 0
    flat, valid = (a.reshape(*a.shape[:4], kernel[0] * kernel[1]) for a in (cells, inside))
    best = np.full(flat.shape[:4], -np.inf)
    winner = np.full(flat.shape[:4], -1)
    for cell in range(flat.shape[4]):
        value = flat[..., cell]
        beats = valid[..., cell] & ((winner < 0) | (value > best) | np.isnan(value))
        best, winner = np.where(beats, value, best), np.where(beats, cell, winner)

    def backward(dy):
        won = winner[..., None] == np.arange(flat.shape[4])
        spread = np.where(won, dy[..., None], 0.0).reshape(cells.shape)
        return scatter(spread, x.shape, stride, padding, dilation)

    return best, backward


def avg_pool(x, kernel, stride, padding, ceil=False, count_padding=True, divisor=None):
    """What a window covers beyond the padding, by `ceil`, is never counted."""
    reach = beyond(x.shape, kernel, stride, padding) if ceil else padding
    cells = windows(x, kernel, stride, reach, 0.0)
    inner = padding if count_padding else (0, 0, 0, 0)
    counted = np.ones((1, inner[0] + x.shape[1] + inner[2], inner[1] + x.shape[2] + inner[3], 1))
    around = tuple(far - near for far, near in zip(reach, inner, strict=True))
    counts = windows(counted, kernel, stride, around, 0.0).sum((4, 5)) if divisor is None else divisor

    def backward(dy):
        share = (dy / counts)[..., None, None]
        return scatter(np.broadcast_to(share, cells.shape), x.shape, stride, reach)

    return cells.sum((4, 5)) / counts, backward


def global_avg_pool(x):
    pixels = x.shape[1] * x.shape[2]
    return x.mean((1, 2)), lambda dy: np.broadcast_to(dy[:, None, None] / pixels, x.shape)


def flatten(x):
    first = np.moveaxis(x, -1, 1)
    return first.reshape(len(x), -1), lambda dy: np.moveaxis(dy.reshape(first.shape), 1, -1)


# -- other sizes --------------------------------------------------------------------------------------


def by_matrices(x, down, right):
    """y[i, j] = the sum over pixels of down[i, h] right[j, w] x[h, w], and its gradient."""
    y = np.einsum("ih,jw,nhwc->nijc", down, right, x)
    return y, lambda dy: np.einsum("ih,jw,nijc->nhwc", down, right, dy)


def adaptive_avg_pool(x, out):
    return by_matrices(x, *(means(size, wanted) for size, wanted in zip(x.shape[1:3], out, strict=True)))


def means(size, out):
    """(out, size): the shares of the pixels in each of `out` areas, pixels that are cut counting in both."""
    matrix = np.zeros((out, size))
    for i in range(out):
        inside = [p for p in range(size) if (p + 1) * out > i * size and p * out < (i + 1) * size]
        matrix[i, inside] = 1 / len(inside)
    return matrix


def upsample(x, out, factors, mode, corners):
    function = nearest if mode == "nearest" else between
    return by_matrices(x, *(function(*one, corners) for one in zip(x.shape[1:3], out, factors, strict=True)))


def nearest(size, out, factor, corners):
    matrix = np.zeros((out, size))
    step = np.float32(size / out if factor is None or out in (size, 2 * size) else 1 / factor)
    for i in range(out):
        matrix[i, min(size - 1, int(np.float32(i) * step))] = 1
    return matrix


def between(size, out, factor, corners):
    """The shares of two neighbouring pixels in each output."""
    matrix = np.zeros((out, size))
    for i in range(out):
        if corners:
            place = i * (size - 1) / (out - 1) if out > 1 else 0.0
        else:
            place = (i + 0.5) * (size / out if factor is None or out == size else 1 / factor) - 0.5
        place = min(max(place, 0.0), size - 1.0)
        first = int(place)
        matrix[i, first] += 1 - (place - first)
        matrix[i, min(first + 1, size - 1)] += place - first
    return matrix


def zero_pad(x, left, right, top, bottom):
    """Of negative numbers so many pixels are taken away."""
    n, height, width, channels = x.shape
    y = np.zeros((n, top + height + bottom, left + width + right, channels))
    rows = [(r, r + top) for r in range(height) if 0 <= r + top < y.shape[1]]
    columns = [(c, c + left) for c in range(width) if 0 <= c + left < y.shape[2]]
    (ys, to_y), (xs, to_x) = (np.array(pairs).T for pairs in (rows, columns))
    y[:, to_y[:, None], to_x] = x[:, ys[:, None], xs]

    def backward(dy):
        dx = np.zeros(x.shape)
        dx[:, ys[:, None], xs] = dy[:, to_y[:, None], to_x]
        return dx

    return y, backward


def channel_shuffle(x, groups):
    order = np.arange(x.shape[-1]).reshape(groups, -1).T.reshape(-1)
    return x[..., order], lambda dy: dy[..., np.argsort(order)]


# -- activations --------------------------------------------------------------------------------------


def relu(x):
    gate = (x > 0) | np.isnan(x)
    return np.where(gate, x, 0.0), lambda dy: np.where(gate, dy, 0.0)


def leaky_relu(x, slope=0.01):
    return np.where(x > 0, x, slope * x), lambda dy: np.where(x > 0, dy, slope * dy)


def sigmoid(x):
    with np.errstate(over="ignore"):
        y = 1 / (1 + np.exp(-x))
    return y, lambda dy: dy * y * (1 - y)


def silu(x):
    s, _ = sigmoid(x)
    return x * s, lambda dy: dy * s * (1 + x * (1 - s))


def relu6(x):
    return np.clip(x, 0, 6), lambda dy: np.where((x > 0) & (x < 6), dy, 0.0)


def hardsigmoid(x):
    return np.clip(x + 3, 0, 6) / 6, lambda dy: np.where((x > -3) & (x < 3), dy / 6, 0.0)


def hardswish(x):
    def backward(dy):
        return np.where(x <= -3, 0.0, np.where(x < 3, dy * (x / 3 + 0.5), dy))

    return x * hardsigmoid(x)[0], backward


def elu(x, alpha=1.0):
    below = alpha * np.expm1(np.minimum(x, 0))
    return np.where(x > 0, x, below), lambda dy: np.where(x <= 0, dy * (below + alpha), dy)


def softplus(x, beta=1.0, threshold=20.0):
    line = beta * x > threshold
    curve = np.logaddexp(0, beta * x) / beta
    return np.where(line, x, curve), lambda dy: np.where(line, dy, dy * sigmoid(beta * x)[0])


def tanh(x):
    y = np.tanh(x)
    return y, lambda dy: dy * (1 - y * y)


def normal_cdf(x):
    # The complement keeps the digits of the lower tail.
    return np.vectorize(lambda t: erfc(-t / sqrt(2)) / 2, otypes=[float])(x)


def gelu(x):
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    return x * normal_cdf(x), lambda dy: dy * (normal_cdf(x) + x * density)


def normalised_exp(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax(x):
    y = normalised_exp(x)
    return y, lambda dy: y * (dy - (dy * y).sum(-1, keepdims=True))


# -- losses: the value, and a function without argument that returns the gradient -----------------------


def cross_entropy(logits, labels, smoothing=0.0, weight=None):
    n, classes = logits.shape
    target = np.full((n, classes), smoothing / classes)
    target[np.arange(n), labels] += 1 - smoothing
    if weight is not None:
        target *= weight
        n = weight[labels].sum()
    shifted = logits - logits.max(1, keepdims=True)
    # 0 * Inf is 0 here: a class that no target asks for costs nothing.
    terms = np.where(target > 0, target * (shifted - np.log(np.exp(shifted).sum(1, keepdims=True))), 0.0)
    return -terms.sum() / n, lambda: (normalised_exp(logits) * target.sum(1, keepdims=True) - target) / n


def squared_error(y, target):
    return np.mean((y - target) ** 2), lambda: 2 * (y - target) / y.size


def absolute_error(y, target):
    return np.mean(np.abs(y - target)), lambda: np.sign(y - target) / y.size


def huber_error(y, target, delta):
    d = y - target
    inner = np.abs(d) <= delta
    losses = np.where(inner, d * d / 2, delta * (np.abs(d) - delta / 2))
    return np.mean(losses), lambda: np.where(inner, d, delta * np.sign(d)) / y.size


def logistic_error(x, target, weight=1.0, pos_weight=1.0):
    positive, negative = np.logaddexp(0, -x), np.logaddexp(0, x)  # -log of the sigmoid, and of 1 minus it
    losses = weight * (pos_weight * target * positive + (1 - target) * negative)
    sigmoid = np.exp(-positive)
    gradient = weight * ((1 - target) * sigmoid - pos_weight * target * (1 - sigmoid))
    return np.mean(losses), lambda: gradient / x.size


# -- optimiser steps: they return the new parameter and buffers ----------------------------------------


def sgd(p, g, v, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    d = g + weight_decay * p
    v = momentum * v + d
    return p - lr * (d + momentum * v if nesterov else v), v


def adam(p, g, m, v, lr, betas, eps, weight_decay, decoupled, t):
    if decoupled:
        p = p * (1 - lr * weight_decay)
    else:
        g = g + weight_decay * p
    m = betas[0] * m + (1 - betas[0]) * g
    v = betas[1] * v + (1 - betas[1]) * g * g
    mean, square = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return p - lr * mean / (np.sqrt(square) + eps), m, v


def add(*xs):
    """The sum of several arrays; backward gives dy to each."""
    return sum(xs[1:], xs[0]), lambda dy: (dy,) * len(xs)


def concatenate(*xs):
    """Arrays side by side along the last axis."""
    ends = np.cumsum([x.shape[-1] for x in xs])[:-1]
    return np.concatenate(xs, axis=-1), lambda dy: tuple(np.split(dy, ends, axis=-1))


def multiply(*xs):
    """The product of several arrays, of which all but the first may be 1 in the middle axes."""

    def backward(dy):
        found = []
        for i, x in enumerate(xs):
            gradient = dy * np.prod(
                [np.broadcast_to(o, dy.shape) for j, o in enumerate(xs) if j != i], axis=0
            )
            axes = tuple(a for a in range(dy.ndim) if x.shape[a] != dy.shape[a])
            found.append(gradient.sum(axis=axes, keepdims=True) if axes else gradient)
        return tuple(found)

    y = xs[0]
    for x in xs[1:]:
        y = y * x
    return y, backward
