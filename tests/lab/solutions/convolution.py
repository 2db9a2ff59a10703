"""A convolution, as a student may write it in NumPy: a loop over the taps."""

import numpy as np


def taps(size, stride, out_h, out_w):
    """Each tap with the slices of a padded picture that lie under it."""
    for ky in range(size):
        for kx in range(size):
            rows = slice(ky, ky + (out_h - 1) * stride + 1, stride)
            columns = slice(kx, kx + (out_w - 1) * stride + 1, stride)
            yield ky, kx, rows, columns


def padded(x, size):
    pad = (size - 1) // 2
    after = size - 1
    return np.pad(x, ((0, 0), (0, 0), (pad, after), (pad, after)))


def forward(x, w, b, stride):
    height, width = x.shape[2:]
    out_h, out_w = (height - 1) // stride + 1, (width - 1) // stride + 1
    wide = padded(x, w.shape[2])
    y = np.zeros((len(x), len(w), out_h, out_w), np.float32)
    y += b[:, None, None]
    for ky, kx, rows, columns in taps(w.shape[2], stride, out_h, out_w):
        y += np.einsum("ncyx,fc->nfyx", wide[:, :, rows, columns], w[:, :, ky, kx])
    return y


def weight_gradient(x, d, size, stride):
    wide = padded(x, size)
    dw = np.zeros((d.shape[1], x.shape[1], size, size), np.float32)
    for ky, kx, rows, columns in taps(size, stride, *d.shape[2:]):
        dw[:, :, ky, kx] = np.einsum("ncyx,nfyx->fc", wide[:, :, rows, columns], d)
    return dw


def input_gradient(d, w, height, width, stride):
    size = w.shape[2]
    pad = (size - 1) // 2
    wide = np.zeros((len(d), w.shape[1], height + 2 * size, width + 2 * size), np.float32)
    for ky, kx, rows, columns in taps(size, stride, *d.shape[2:]):
        wide[:, :, rows, columns] += np.einsum("nfyx,fc->ncyx", d, w[:, :, ky, kx])
    return wide[:, :, pad : pad + height, pad : pad + width]
