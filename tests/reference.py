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


def windows(x, kernel, stride, padding, fill):
    """(N, out height, out width, C, kernel height, kernel width): the cells of each window."""
    top, left, bottom, right = padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    return sliding_window_view(padded, kernel, (1, 2))[:, :: stride[0], :: stride[1]]


def scatter(cells, shape, stride, padding):
    """The transpose of `windows`: adds every cell to the pixel it came from."""
    n, height, width, channels = shape
    top, left, bottom, right = padding
    padded = np.zeros((n, top + height + bottom, left + width + right, channels))
    for oy in range(cells.shape[1]):
        for ox in range(cells.shape[2]):
            for ky in range(cells.shape[4]):
                for kx in range(cells.shape[5]):
                    padded[:, oy * stride[0] + ky, ox * stride[1] + kx] += cells[:, oy, ox, :, ky, kx]
    return padded[:, top : top + height, left : left + width]


def max_pool(x, kernel, stride, padding):
    """Padding is -Inf but never the winner; the first of equals wins, of NaNs, which beat all, the last."""
    cells = windows(x, kernel, stride, padding, -np.inf)
    inside = windows(np.ones_like(x), kernel, stride, padding, 0.0) > 0
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
        return scatter(spread, x.shape, stride, padding)

    return best, backward


def avg_pool(x, kernel, stride, padding):
    cells = windows(x, kernel, stride, padding, 0.0)

    def backward(dy):
        share = dy[..., None, None] / (kernel[0] * kernel[1])
        return scatter(np.broadcast_to(share, cells.shape), x.shape, stride, padding)

    return cells.sum((4, 5)) / (kernel[0] * kernel[1]), backward


def global_avg_pool(x):
    pixels = x.shape[1] * x.shape[2]
    return x.mean((1, 2)), lambda dy: np.broadcast_to(dy[:, None, None] / pixels, x.shape)


def flatten(x):
    n, height, width, channels = x.shape
    y = x.transpose(0, 3, 1, 2).reshape(n, channels * height * width)
    return y, lambda dy: dy.reshape(n, channels, height, width).transpose(0, 2, 3, 1)


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
