"""A gated recurrent unit against the clock: through time."""

from math import exp, tanh

import numpy as np

from cynet import nn
from cynet.nn.passes import no_grad

from ..contest import Contest, contest

SIZES = (8, 8, 16, 16), (16, 32, 32, 64), (32, 32, 64, 128)
WEIGHTS = "w_ih", "w_hh", "b_ih", "b_hh"


def _flops(sizes):
    hidden = sizes["hidden"]
    per_row = 2 * 3 * hidden * (sizes["inputs"] + hidden) + 40 * hidden
    return sizes["steps"] * sizes["batch"] * per_row


def _bytes(sizes):
    hidden = sizes["hidden"]
    moved = sizes["steps"] * sizes["batch"] * (sizes["inputs"] + hidden)
    return 4 * (moved + 3 * hidden * (sizes["inputs"] + hidden))


def _textbook(values):
    """Some units of one row of one step."""
    x, h = values["xs"][0, 0].tolist(), values["h"][0].tolist()
    w_ih, w_hh, b_ih, b_hh = (values[name].tolist() for name in WEIGHTS)
    hidden = len(h)
    part = min(hidden, 8)

    def product(w, row, b, of):
        total = b[row]
        for weight, value in zip(w[row], of, strict=True):
            total += weight * value
        return total

    def step():
        new = []
        for j in range(part):
            r = 1 / (1 + exp(-product(w_ih, j, b_ih, x) - product(w_hh, j, b_hh, h)))
            z = 1 / (1 + exp(-product(w_ih, hidden + j, b_ih, x) - product(w_hh, hidden + j, b_hh, h)))
            n = tanh(product(w_ih, 2 * hidden + j, b_ih, x) + r * product(w_hh, 2 * hidden + j, b_hh, h))
            new.append((1 - z) * n + z * h[j])
        return new

    return step, part / (hidden * len(values["h"]) * len(values["xs"]))


def _numpy(values):
    xs, first = values["xs"], values["h"]
    w_ih, w_hh, b_ih, b_hh = (values[name] for name in WEIGHTS)
    hidden = first.shape[1]

    def step():
        h, hs = first, np.empty((len(xs), *first.shape), np.float32)
        of_x = xs @ w_ih.T + b_ih
        for t, a in enumerate(of_x):
            s = h @ w_hh.T + b_hh
            gates = 1 / (1 + np.exp(-(a[:, : 2 * hidden] + s[:, : 2 * hidden])))
            r, z = gates[:, :hidden], gates[:, hidden:]
            n = np.tanh(a[:, 2 * hidden :] + r * s[:, 2 * hidden :])
            h = hs[t] = (1 - z) * n + z * h
        return hs

    return step


def _cynet(values):
    layer = nn.GRU(values["xs"].shape[2], values["h"].shape[1])
    for name, given in zip(
        ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), WEIGHTS, strict=True
    ):
        getattr(layer, name).data = values[given].copy()
    x, h = np.ascontiguousarray(values["xs"].swapaxes(0, 1)), values["h"][None].copy()

    def step():
        with no_grad():
            return layer(x, h)

    return step


def _torch(values, torch):
    layer = torch.nn.GRU(values["xs"].shape[2], values["h"].shape[1])
    x, h = torch.from_numpy(values["xs"].copy()), torch.from_numpy(values["h"].copy())[None]
    with torch.no_grad():
        for name, given in zip(
            ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), WEIGHTS, strict=True
        ):
            getattr(layer, name).copy_(torch.from_numpy(values[given].copy()))

    def step():
        with torch.no_grad():
            return layer(x, h)

    return step


@contest()
def gru():
    return (Contest(("through_time",), SIZES, _flops, _bytes, _textbook, _numpy, _cynet, _torch),)
