"""Batch norm against the clock."""

import numpy as np

from cynet.kernels.norm import single_steps

from ..contest import Contest, contest
from ..exercises.batchnorm import EPS

SIZES = (16, 8, 64), (64, 16, 256), (128, 32, 1024)


def _elements(sizes):
    return sizes["rows"] * sizes["groups"] * sizes["n"]


def _textbook(values):
    x, m, n = values["x"], values["m"], values["x"].shape[1] // values["groups"]
    part = min(len(x), max(1, 4096 // n))
    x = x[:part, :n].tolist()
    m = float(m[0])

    def step():
        total = 0.0
        for row in x:
            for value in row:
                total += (value - m) * (value - m)
        inverse = 1 / (total / (len(x) * n) + EPS) ** 0.5
        return [[(value - m) * inverse for value in row] for row in x]

    return step, part * n / values["x"].size


def _numpy(values):
    x, m, groups = values["x"], values["m"], values["groups"]

    def step():
        off = x.reshape(len(x), groups, -1) - m[:, None]
        v = (off * off).mean(axis=(0, 2))
        off *= (1 / np.sqrt(v + EPS))[:, None]
        return v, off

    return step


def _pixels(values, name="x"):
    """(rows * n, groups): a column a group, as cynet has it."""
    parts = values[name].reshape(len(values[name]), values["groups"], -1)
    return np.ascontiguousarray(parts.swapaxes(1, 2)).reshape(-1, values["groups"])


def _cynet(values):
    x = _pixels(values)

    def step():
        m, v = single_steps.statistics(x)
        return v, single_steps.normalize(x, m, 1 / np.sqrt(v + EPS), 0.0)

    return step


def _torch(values, torch):
    x = torch.from_numpy(values["x"].reshape(len(values["x"]), values["groups"], -1).copy())
    with torch.no_grad():
        return lambda: torch.nn.functional.batch_norm(x, None, None, training=True, eps=EPS)


def _textbook_back(values):
    n = values["x"].shape[1] // values["groups"]
    part = min(len(values["x"]), max(1, 4096 // n))
    x, d = values["x"][:part, :n].tolist(), values["d"][:part, :n].tolist()
    m, v = float(values["m"][0]), float(values["v"][0])

    def step():
        inverse, dm, dv, count = 1 / (v + EPS) ** 0.5, 0.0, 0.0, len(x) * n
        for row, of_row in zip(x, d, strict=True):
            for value, of_value in zip(row, of_row, strict=True):
                dm -= of_value * inverse
                dv -= 0.5 * of_value * (value - m) * inverse**3
        return [
            [b * inverse + 2 * dv * (a - m) / count + dm / count for a, b in zip(row, of_row, strict=True)]
            for row, of_row in zip(x, d, strict=True)
        ]

    return step, part * n / values["x"].size


def _numpy_back(values):
    groups = values["groups"]
    x, d = (values[name].reshape(len(values["x"]), groups, -1) for name in ("x", "d"))
    m, inverse, count = values["m"][:, None], 1 / np.sqrt(values["v"] + EPS), values["x"].size // groups

    def step():
        off = x - m
        dm = -inverse * d.sum(axis=(0, 2))
        dv = -0.5 * inverse**3 * np.einsum("rgn,rgn->g", d, off)
        off *= (2 * dv / count)[:, None]
        off += d * inverse[:, None]
        off += (dm / count)[:, None]
        return off

    return step


def _cynet_back(values):
    x, d = _pixels(values), _pixels(values, "d")
    m, inverse, count = values["m"].astype(float), 1 / np.sqrt(values["v"].astype(float) + EPS), len(x)

    def step():
        total, product = single_steps.gradient_sums(x, d, m)
        of_x, constant = -(inverse**3) * product / count, -inverse * total / count
        return single_steps.input_gradient(x, d, m, inverse, of_x, constant)

    return step


def _torch_back(values, torch):
    x, d = (
        torch.from_numpy(values[name].reshape(len(values["x"]), values["groups"], -1).copy()) for name in "xd"
    )
    x.requires_grad_()
    y = torch.nn.functional.batch_norm(x, None, None, training=True, eps=EPS)
    return lambda: torch.autograd.grad(y, x, d, retain_graph=True)


@contest()
def batchnorm():
    return (
        Contest(("variance", "normalize"), SIZES, lambda s: 5 * _elements(s), lambda s: 12 * _elements(s),
                _textbook, _numpy, _cynet, _torch),
        Contest(("delta_mean", "delta_variance", "delta_batch_norm"), SIZES, lambda s: 8 * _elements(s),
                lambda s: 20 * _elements(s), _textbook_back, _numpy_back, _cynet_back, _torch_back),
    )  # fmt: skip
