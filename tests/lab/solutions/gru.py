"""A gated recurrent unit, as a student may write it in NumPy."""

import numpy as np


def logistic(a):
    return 1 / (1 + np.exp(-a))


def step(x, h, w_ih, w_hh, b_ih, b_hh):
    hidden = h.shape[1]
    a, s = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
    r = logistic(a[:, :hidden] + s[:, :hidden])
    z = logistic(a[:, hidden : 2 * hidden] + s[:, hidden : 2 * hidden])
    n = np.tanh(a[:, 2 * hidden :] + r * s[:, 2 * hidden :])
    return (1 - z) * n + z * h


def step_gradient(d, x, h, w_ih, w_hh, b_ih, b_hh):
    hidden = h.shape[1]
    a, s = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
    r = logistic(a[:, :hidden] + s[:, :hidden])
    z = logistic(a[:, hidden : 2 * hidden] + s[:, hidden : 2 * hidden])
    n = np.tanh(a[:, 2 * hidden :] + r * s[:, 2 * hidden :])
    da_n = d * (1 - z) * (1 - n * n)
    da_z = d * (h - n) * z * (1 - z)
    da_r = da_n * s[:, 2 * hidden :] * r * (1 - r)
    dx = np.concatenate([da_r, da_z, da_n], axis=1) @ w_ih
    dh = np.concatenate([da_r, da_z, da_n * r], axis=1) @ w_hh + d * z
    return dx, dh


def through_time(xs, h, w_ih, w_hh, b_ih, b_hh):
    hs = []
    for x in xs:
        h = step(x, h, w_ih, w_hh, b_ih, b_hh)
        hs.append(h)
    return np.array(hs)
