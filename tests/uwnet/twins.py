"""Float64 twins of the course's layers, written from the course's text, pixel by pixel."""

import numpy as np

EPS = 1e-5


def outputs(size, stride):
    return (size - 1) // stride + 1


def cells(height, width, size, stride):
    """(output row and column, tap row and column, pixel row and column) of every cell in the image."""
    before = (size - 1) // 2
    for oy in range(outputs(height, stride)):
        for ox in range(outputs(width, stride)):
            for ky in range(size):
                for kx in range(size):
                    y, x = oy * stride - before + ky, ox * stride - before + kx
                    if 0 <= y < height and 0 <= x < width:
                        yield oy, ox, ky, kx, y, x


def im2col(image, size, stride):
    channels, height, width = image.shape
    out = outputs(height, stride), outputs(width, stride)
    col = np.zeros((channels, size, size, *out))
    for oy, ox, ky, kx, y, x in cells(height, width, size, stride):
        col[:, ky, kx, oy, ox] = image[:, y, x]
    return col.reshape(channels * size * size, out[0] * out[1])


def col2im(width, height, channels, col, size, stride):
    image = np.zeros((channels, height, width))
    col = col.reshape(channels, size, size, outputs(height, stride), outputs(width, stride))
    for oy, ox, ky, kx, y, x in cells(height, width, size, stride):
        image[:, y, x] += col[:, ky, kx, oy, ox]
    return image


def convolution(x, w, b, shape, size, stride, dy=None):
    """y, or (dx, dw, db) of dy; `shape` is (width, height, channels)."""
    width, height, channels = shape
    results = []
    for i, row in enumerate(x):
        col = im2col(row.reshape(channels, height, width), size, stride)
        if dy is None:
            results.append((w @ col + b.reshape(-1, 1)).reshape(-1))
            continue
        d = dy[i].reshape(len(w), -1)
        dx = col2im(width, height, channels, w.T @ d, size, stride)
        results.append((dx.reshape(-1), d @ col.T, d.sum(1)[None]))
    if dy is None:
        return np.array(results)
    return np.array([r[0] for r in results]), sum(r[1] for r in results), sum(r[2] for r in results)


def max_pool(x, shape, size, stride, dy=None):
    """y, or dx of dy."""
    width, height, channels = shape
    images = x.reshape(len(x), channels, height, width)
    best = np.full((*images.shape[:2], outputs(height, stride), outputs(width, stride)), -np.inf)
    winner = np.zeros((*best.shape, 2), int)
    for oy, ox, _, _, py, px in cells(height, width, size, stride):
        value = images[:, :, py, px]
        more = value > best[:, :, oy, ox]
        best[:, :, oy, ox][more] = value[more]
        winner[:, :, oy, ox][more] = py, px
    if dy is None:
        return best.reshape(len(x), -1)
    dx = np.zeros(images.shape)
    gradient = dy.reshape(best.shape)
    for place in np.ndindex(*best.shape):
        dx[(*place[:2], *winner[place])] += gradient[place]
    return dx.reshape(len(x), -1)


def by_group(x, groups):
    return x.reshape(len(x), groups, -1)


def mean(x, groups):
    return by_group(x, groups).mean((0, 2))[None]


def variance(x, m, groups):
    return ((by_group(x, groups) - m.reshape(1, -1, 1)) ** 2).mean((0, 2))[None]


def normalize(x, m, v, groups):
    m, v = m.reshape(1, -1, 1), v.reshape(1, -1, 1)
    return ((by_group(x, groups) - m) / np.sqrt(v + EPS)).reshape(x.shape)


def delta_mean(d, v):
    return (by_group(d, v.size) * -1 / np.sqrt(v + EPS).reshape(1, -1, 1)).sum((0, 2))[None]


def delta_variance(d, x, m, v):
    centred = by_group(x, m.size) - m.reshape(1, -1, 1)
    return (by_group(d, m.size) * centred * -0.5 * (v.reshape(1, -1, 1) + EPS) ** -1.5).sum((0, 2))[None]


def delta_batch_norm(d, dm, dv, m, v, x):
    m, v, dm, dv = (a.reshape(1, -1, 1) for a in (m, v, dm, dv))
    groups = m.size
    count = x.size / groups
    through = by_group(d, groups) / np.sqrt(v + EPS)
    return (through + dv * 2 * (by_group(x, groups) - m) / count + dm / count).reshape(x.shape)


def batch_norm_gradient(x, dy, groups):
    m = mean(x, groups)
    v = variance(x, m, groups)
    return delta_batch_norm(dy, delta_mean(dy, v), delta_variance(dy, x, m, v), m, v, x)


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)
