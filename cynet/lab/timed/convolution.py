"""A convolution against the clock."""

import numpy as np

from cynet import nn

from ..contest import Contest, channels_last, contest
from ..windows import outputs

SIZES = (4, 3, 8, 16, 16, 3, 1), (16, 8, 16, 16, 16, 3, 1), (32, 16, 32, 32, 32, 3, 1)


def _products(sizes):
    """Multiply-adds of one of the three products."""
    places = outputs(sizes["height"], sizes["stride"]) * outputs(sizes["width"], sizes["stride"])
    return sizes["batch"] * sizes["filters"] * sizes["channels"] * sizes["size"] ** 2 * places


def _bytes(sizes):
    places = outputs(sizes["height"], sizes["stride"]) * outputs(sizes["width"], sizes["stride"])
    x = sizes["batch"] * sizes["channels"] * sizes["height"] * sizes["width"]
    return 4 * (
        x
        + sizes["batch"] * sizes["filters"] * places
        + sizes["filters"] * sizes["channels"] * sizes["size"] ** 2
    )


def _loop(values, back):
    """One filter of one picture over a few rows."""
    x, w, stride = values["x"][0].tolist(), values["w"][0].tolist(), values["stride"]
    height, width, size = values["height"], values["width"], values["size"]
    d = values["d"][0, 0].tolist()
    out_h, out_w = len(d), len(d[0])
    pad, channels, part = (size - 1) // 2, len(x), min(out_h, 4)

    def step():
        y = [[0.0] * out_w for _ in range(part)]
        dw = [[[0.0] * size for _ in range(size)] for _ in range(channels)]
        dx = [[[0.0] * width for _ in range(height)] for _ in range(channels)]
        for oy in range(part):
            for ox in range(out_w):
                total, of_y = 0.0, d[oy][ox]
                for c in range(channels):
                    for ky in range(size):
                        iy = oy * stride + ky - pad
                        for kx in range(size):
                            ix = ox * stride + kx - pad
                            if 0 <= iy < height and 0 <= ix < width:
                                if back:
                                    dw[c][ky][kx] += of_y * x[c][iy][ix]
                                    dx[c][iy][ix] += of_y * w[c][ky][kx]
                                else:
                                    total += w[c][ky][kx] * x[c][iy][ix]
                y[oy][ox] = total
        return (dw, dx) if back else y

    return step, part / (out_h * len(values["x"]) * len(values["w"]))


def _slices(values):
    """Each tap, with the slices of a padded picture under it."""
    size, stride, (out_h, out_w) = values["size"], values["stride"], values["d"].shape[2:]
    for ky in range(size):
        for kx in range(size):
            yield (
                ky,
                kx,
                slice(ky, ky + (out_h - 1) * stride + 1, stride),
                slice(kx, kx + (out_w - 1) * stride + 1, stride),
            )


def _padded(x, size):
    pad = (size - 1) // 2
    return np.pad(x, ((0, 0), (0, 0), (pad, size), (pad, size)))


def _numpy(values):
    x, w, b = values["x"], values["w"], values["b"]

    def step():
        wide = _padded(x, values["size"])
        cells = np.stack([wide[:, :, rows, columns] for _, _, rows, columns in _slices(values)], 2)
        y = w.reshape(len(w), -1) @ cells.reshape(len(x), w[0].size, -1)
        return y + b[:, None]

    return step


def _numpy_back(values):
    x, w, d = values["x"], values["w"], values["d"]
    flat = d.reshape(*d.shape[:2], -1)

    def step():
        wide = _padded(x, values["size"])
        cells = np.stack([wide[:, :, rows, columns] for _, _, rows, columns in _slices(values)], 2)
        dw = np.einsum("nfp,ncp->fc", flat, cells.reshape(len(x), w[0].size, -1), optimize=True)
        of_cells = (w.reshape(len(w), -1).T @ flat).reshape(cells.shape)
        wide[:] = 0
        for tap, (_, _, rows, columns) in enumerate(_slices(values)):
            wide[:, :, rows, columns] += of_cells[:, :, tap]
        return dw, wide

    return step


def _layer(values):
    w = values["w"]
    layer = nn.Conv2d(w.shape[1], len(w), values["size"], stride=values["stride"], padding="same")
    x = channels_last(values["x"])
    return layer.convolution(x.shape), x, w.copy()


def _cynet(values):
    way, x, w = _layer(values)
    b = values["b"].copy()
    return lambda: way.forward(x, w, b)


def _cynet_back(values):
    way, x, w = _layer(values)
    d, dw = channels_last(values["d"]), np.zeros_like(w)

    def step():
        way.weight_gradient(x, d, dw)
        return dw, way.input_gradient(d, w)

    return step


def _torch(values, torch):
    x, w, b = (torch.from_numpy(values[name].copy()) for name in "xwb")
    pad = (values["size"] - 1) // 2
    return lambda: torch.nn.functional.conv2d(x, w, b, stride=values["stride"], padding=pad)


def _torch_back(values, torch):
    x, w = (torch.from_numpy(values[name].copy()).requires_grad_() for name in "xw")
    y = torch.nn.functional.conv2d(x, w, stride=values["stride"], padding=(values["size"] - 1) // 2)
    d = torch.from_numpy(values["d"].copy())
    return lambda: torch.autograd.grad(y, (x, w), d, retain_graph=True)


@contest()
def convolution():
    return (
        Contest(("forward",), SIZES, lambda s: 2 * _products(s), _bytes,
                lambda v: _loop(v, False), _numpy, _cynet, _torch),
        Contest(("weight_gradient", "input_gradient"), SIZES, lambda s: 4 * _products(s),
            lambda s: 2 * _bytes(s),
                lambda v: _loop(v, True), _numpy_back, _cynet_back, _torch_back),
    )  # fmt: skip
