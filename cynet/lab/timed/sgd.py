"""Gradient descent against the clock."""

import numpy as np

from cynet.core.threads import get_num_threads
from cynet.kernels.optim import optim

from ..contest import Contest, contest

SIZES = (4096,), (262_144,), (4_194_304,)
PART = 4096


def _textbook(values):
    w, dw, v = (values[name][:PART].tolist() for name in ("w", "dw", "v"))
    momentum, decay, rate = values["momentum"], values["decay"], values["rate"]

    def step():
        for i in range(len(w)):
            v[i] = momentum * v[i] + dw[i] + decay * w[i]
            w[i] = w[i] - rate * v[i]
        return v, w

    return step, min(1.0, PART / len(values["w"]))


def _numpy(values):
    w, dw, v = (values[name] for name in ("w", "dw", "v"))
    momentum, decay, rate = (np.float32(values[name]) for name in ("momentum", "decay", "rate"))

    def step():
        new_v = momentum * v + dw + decay * w
        return new_v, w - rate * new_v

    return step


def _cynet(values):
    w, dw, v = (values[name].copy() for name in ("w", "dw", "v"))
    given = (
        1e-9,
        values["momentum"],
        values["decay"],
        False,
        get_num_threads(),
    )  # so small that w stays what it is

    def step():
        optim.sgd_momentum(w, dw, v, *given)
        return v, w

    return step


def _torch(values, torch):
    w = torch.nn.Parameter(torch.from_numpy(values["w"].copy()))
    w.grad = torch.from_numpy(values["dw"].copy())
    return torch.optim.SGD([w], 1e-9, values["momentum"], weight_decay=values["decay"]).step


@contest()
def sgd():
    return (
        Contest(("velocity", "step"), SIZES, lambda s: 6 * s["n"], lambda s: 20 * s["n"],
                _textbook, _numpy, _cynet, _torch),
    )  # fmt: skip
