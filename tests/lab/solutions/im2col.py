"""im2col and col2im, as a student may write them in NumPy."""

import numpy as np


def im2col(image, size, stride):
    channels, height, width = image.shape
    out_h, out_w = (height - 1) // stride + 1, (width - 1) // stride + 1
    pad = (size - 1) // 2
    col = np.zeros((channels, size, size, out_h, out_w), np.float32)
    for ky in range(size):
        for kx in range(size):
            for oy in range(out_h):
                for ox in range(out_w):
                    y, x = oy * stride + ky - pad, ox * stride + kx - pad
                    if 0 <= y < height and 0 <= x < width:
                        col[:, ky, kx, oy, ox] = image[:, y, x]
    return col.reshape(channels * size * size, out_h * out_w)


def col2im(col, channels, height, width, size, stride):
    out_h, out_w = (height - 1) // stride + 1, (width - 1) // stride + 1
    padding = (size - 1) // 2
    cells = col.reshape(channels, size, size, out_h, out_w)
    image = np.zeros((channels, height, width), np.float32)
    for ky in range(size):
        for kx in range(size):
            for oy in range(out_h):
                for ox in range(out_w):
                    y, x = oy * stride + ky - padding, ox * stride + kx - padding
                    if 0 <= y < height and 0 <= x < width:
                        image[:, y, x] += cells[:, ky, kx, oy, ox]
    return image
