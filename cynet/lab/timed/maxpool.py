"""Max-pooling against the clock."""

import numpy as np

from cynet.core.threads import get_num_threads
from cynet.kernels.pool import max_pool as kernels

from ..contest import Contest, channels_last, contest
from ..windows import outputs

SIZES = (4, 8, 16, 16, 3, 2), (16, 16, 32, 32, 3, 2), (32, 32, 64, 64, 3, 2)


def _outputs(sizes):
    places = outputs(sizes["height"], sizes["stride"]) * outputs(sizes["width"], sizes["stride"])
    return sizes["batch"] * sizes["channels"] * places


def _inputs(sizes):
    return sizes["batch"] * sizes["channels"] * sizes["height"] * sizes["width"]


def _textbook(values):
    size, stride, height, width = (values[name] for name in ("size", "stride", "height", "width"))
    out_h, out_w = outputs(height, stride), outputs(width, stride)
    x, pad, part = values["x"][0, 0].tolist(), (size - 1) // 2, min(out_h, 8)

    def step():
        found = []
        for oy in range(part):
            for ox in range(out_w):
                best, place = -float("inf"), 0
                for row in range(max(0, oy * stride - pad), min(height, oy * stride - pad + size)):
                    for column in range(max(0, ox * stride - pad), min(width, ox * stride - pad + size)):
                        if x[row][column] > best:
                            best, place = x[row][column], row * width + column
                found.append((best, place))
        return found

    return step, part / (out_h * values["x"].shape[0] * values["x"].shape[1])


def _numpy(values):
    x, size, stride, width = values["x"], values["size"], values["stride"], values["width"]
    out_h, out_w = values["d"].shape[2:]
    pad = (size - 1) // 2

    def step():
        wide = np.pad(x, ((0, 0), (0, 0), (pad, size), (pad, size)), constant_values=-np.inf)
        y, winner = None, np.zeros(values["d"].shape, np.int32)
        rows, columns = np.arange(out_h)[:, None] * stride - pad, np.arange(out_w) * stride - pad
        for ky in range(size):
            for kx in range(size):
                cells = wide[
                    :,
                    :,
                    ky : ky + (out_h - 1) * stride + 1 : stride,
                    kx : kx + (out_w - 1) * stride + 1 : stride,
                ]
                place = (rows + ky) * width + columns + kx
                if y is None:
                    y, winner[:] = cells.copy(), place
                    continue
                better = cells > y
                np.copyto(y, cells, where=better)
                np.copyto(winner, np.broadcast_to(place.astype(np.int32), winner.shape), where=better)
        return y, winner

    return step


def _given(values):
    x, d = channels_last(values["x"]), channels_last(values["d"])
    pad = (values["size"] - 1) // 2
    window = values["size"], values["size"], values["stride"], values["stride"], pad, pad, get_num_threads()
    return x, d, np.empty_like(d), np.empty(d.shape, np.uint8), window


def _cynet(values):
    x, _, y, winner, window = _given(values)

    def step():
        kernels.max_pool(x, y, winner, *window)
        return y

    return step


def _torch(values, torch):
    x = torch.from_numpy(values["x"].copy())
    size, stride = values["size"], values["stride"]
    return lambda: torch.nn.functional.max_pool2d(x, size, stride, (size - 1) // 2, return_indices=True)


def _textbook_back(values):
    d, winner, width = values["d"][0, 0].tolist(), values["winner"][0, 0].tolist(), values["width"]

    def step():
        dx = [[0.0] * width for _ in range(values["height"])]
        for of_row, places in zip(d, winner, strict=True):
            for value, place in zip(of_row, places, strict=True):
                dx[place // width][place % width] += value
        return dx

    return step, 1 / (values["d"].shape[0] * values["d"].shape[1])


def _numpy_back(values):
    d, winner, pixels = values["d"], values["winner"], values["height"] * values["width"]
    first = np.arange(d.shape[0] * d.shape[1]).reshape(*d.shape[:2], 1, 1) * pixels
    places = (winner + first).ravel()

    def step():
        return np.bincount(places, d.ravel(), len(first.ravel()) * pixels).astype(np.float32)

    return step


def _cynet_back(values):
    x, d, y, winner, window = _given(values)
    kernels.max_pool(x, y, winner, *window)
    dx = np.empty_like(x)

    def step():
        kernels.max_pool_backward(d, winner, dx, *window)
        return dx

    return step


def _torch_back(values, torch):
    x, size = torch.from_numpy(values["x"].copy()).requires_grad_(), values["size"]
    y = torch.nn.functional.max_pool2d(x, size, values["stride"], (size - 1) // 2)
    d = torch.from_numpy(values["d"][:, :, : y.shape[2], : y.shape[3]].copy())
    return lambda: torch.autograd.grad(y, x, d, retain_graph=True)


@contest()
def maxpool():
    return (
        Contest(("forward",), SIZES, lambda s: _outputs(s) * s["size"] ** 2,
            lambda s: 4 * _inputs(s) + 8 * _outputs(s),
                _textbook, _numpy, _cynet, _torch),
        Contest(("backward",), SIZES, _outputs, lambda s: 4 * _inputs(s) + 8 * _outputs(s),
                _textbook_back, _numpy_back, _cynet_back, _torch_back),
    )  # fmt: skip
