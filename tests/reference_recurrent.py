"""The twins of recurrent layers: step by step, unit by unit as the equations say, in float64.

Each takes x (batch, length, inputs), the parameters of one layer in PyTorch's order, and the state before the
first step, and returns y, the last state, and a function from dy to (dx, the parameters' gradients).
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru(x, weight_ih, weight_hh, bias_ih, bias_hh, h):
    steps, ys = [], []
    for t in range(x.shape[1]):
        of_x, of_h = x[:, t] @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
        (xr, xz, xn), (hr, hz, hn) = np.split(of_x, 3, 1), np.split(of_h, 3, 1)
        r, z = sigmoid(xr + hr), sigmoid(xz + hz)
        n = np.tanh(xn + r * hn)
        steps.append((h, r, z, n, hn))
        h = (1 - z) * n + z * h
        ys.append(h)

    def of_step(t, dh, _):
        h, r, z, n, hn = steps[t]
        dn = dh * (1 - z) * (1 - n**2)
        dz, dr = dh * (h - n) * z * (1 - z), dn * hn * r * (1 - r)
        of_x, of_h = np.concatenate([dr, dz, dn], 1), np.concatenate([dr, dz, dn * r], 1)
        return of_x, of_h, dh * z, None

    back = backward(x, weight_ih, weight_hh, [step[0] for step in steps], of_step)
    return stacked(ys, h), (h,), back


def lstm(x, weight_ih, weight_hh, bias_ih, bias_hh, h, c):
    steps, ys = [], []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh, 4, 1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        before, c = c, f * c + i * g
        steps.append((h, before, i, f, g, o, c))
        h = o * np.tanh(c)
        ys.append(h)

    def of_step(t, dh, dc):
        _, before, i, f, g, o, c = steps[t]
        curve = np.tanh(c)
        dc = (0 if dc is None else dc) + dh * o * (1 - curve**2)
        parts = dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g**2), dh * curve * o * (1 - o)
        sums = np.concatenate(parts, 1)
        return sums, sums, 0, dc * f

    back = backward(x, weight_ih, weight_hh, [step[0] for step in steps], of_step)
    return stacked(ys, h), (h, c), back


def stacked(ys, h):
    return np.stack(ys, 1) if ys else np.zeros((len(h), 0, h.shape[1]))


def backward(x, weight_ih, weight_hh, states, of_step):
    """The way back through time; `of_step` tells the gradients to both sums, and what else goes on."""

    def gradients(dy):
        dx = np.zeros_like(x)
        dwi, dwh = np.zeros_like(weight_ih), np.zeros_like(weight_hh)
        dbi, dbh = np.zeros(len(weight_ih)), np.zeros(len(weight_hh))
        carried, cell = 0, None
        for t in reversed(range(len(states))):
            of_x, of_h, direct, cell = of_step(t, dy[:, t] + carried, cell)
            dx[:, t], carried = of_x @ weight_ih, of_h @ weight_hh + direct
            dwi, dwh = dwi + of_x.T @ x[:, t], dwh + of_h.T @ states[t]
            dbi, dbh = dbi + of_x.sum(0), dbh + of_h.sum(0)
        return dx, (dwi, dwh, dbi, dbh)

    return gradients


def layers(kind, layer, x, state=None):
    """(y, all last states, function from dy to gradients by name) of a GRU or LSTM, by its twin `kind`."""
    names = "weight_ih", "weight_hh", "bias_ih", "bias_hh"
    backs, lasts = [], []
    for k in range(layer.num_layers):
        weights = [getattr(layer, f"{name}_l{k}").data.astype(float) for name in names]
        zeros = (np.zeros((len(x), layer.hidden_size)),) * len(layer.states)
        x, last, back = kind(x, *weights, *(zeros if state is None else [one[k] for one in state]))
        lasts.append(last)
        backs.append(back)

    def gradients(dy):
        found = {}
        for k in reversed(range(layer.num_layers)):
            dy, own = backs[k](dy)
            found |= {f"{name}_l{k}": one for name, one in zip(names, own, strict=True)}
        return {"input": dy} | found

    return x, [np.stack(one) for one in zip(*lasts, strict=True)], gradients
