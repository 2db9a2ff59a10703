"""Soft-max and cross-entropy against the clock."""

from math import exp, log

import numpy as np

from cynet.core.threads import get_num_threads
from cynet.kernels.loss import softmax as kernels

from ..contest import Contest, contest

SIZES = (128, 10), (1024, 100), (4096, 1000)
POWER = 10  # operations that an exponential counts as


def _textbook(values):
    part = max(1, 4096 // values["x"].shape[1])
    x, labels = values["x"][:part].tolist(), values["labels"][:part].tolist()

    def step():
        found = []
        for row, label in zip(x, labels, strict=True):
            greatest = max(row)
            powers = [exp(value - greatest) for value in row]
            total = sum(powers)
            p = [power / total for power in powers]
            loss = log(total) + greatest - row[label]
            p[label] -= 1
            found.append((loss, [value / len(x) for value in p]))
        return found

    return step, len(x) / len(values["x"])


def _numpy(values):
    x, labels = values["x"], values["labels"]
    rows = np.arange(len(x))

    def step():
        greatest = x.max(axis=1, keepdims=True)
        powers = np.exp(x - greatest)
        total = powers.sum(axis=1, keepdims=True)
        loss = np.log(total[:, 0]) + greatest[:, 0] - x[rows, labels]
        powers /= total
        powers[rows, labels] -= 1
        powers /= len(x)
        return loss, powers

    return step


def _cynet(values):
    x, labels = values["x"], values["labels"].astype(np.int64)
    dx, losses, threads = np.empty_like(x), np.empty(len(x)), get_num_threads()

    def step():
        kernels.cross_entropy(x, labels, dx, losses, 0.0, threads)
        return losses, dx

    return step


def _torch(values, torch):
    x = torch.from_numpy(values["x"].copy()).requires_grad_()
    labels = torch.from_numpy(values["labels"].astype(np.int64))
    return lambda: torch.autograd.grad(torch.nn.functional.cross_entropy(x, labels), x)


@contest()
def softmax_loss():
    def elements(sizes):
        return sizes["rows"] * sizes["classes"]

    return (
        Contest(("losses", "gradient"), SIZES, lambda s: (POWER + 4) * elements(s), lambda s: 8 * elements(s),
                _textbook, _numpy, _cynet, _torch),
    )  # fmt: skip
