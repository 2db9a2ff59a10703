"""Graphs that are drawn: branches, shared layers, several inputs and outputs."""

import numpy as np

import cynet

WIDTHS = 2, 3, 4, 8


def graph(seed, inputs=None, outputs=None):
    """(a Graph, shapes of its inputs without the batch), the same for a seed."""
    rng = np.random.default_rng(seed)
    cynet.seed(seed)
    inputs = inputs or int(rng.integers(1, 3))
    shape = int(rng.integers(3, 8)), int(rng.integers(3, 8))
    given = [cynet.Input((*shape, int(rng.choice(WIDTHS)))) for _ in range(inputs)]
    values, made = list(given), []  # made: (layer, channels that it takes)
    for symbol in given:  # each is used
        values.append(cynet.Conv2d(symbol.shape[-1], 4, 1)(symbol))
    for _ in range(int(rng.integers(2, 14))):
        x = values[int(rng.integers(max(0, len(values) - 4), len(values)))]
        values.append(_step(rng, x, values, made))
    values.append(cynet.Add()(*_alike(values, values[len(given)])) if inputs > 1 else values[-1])
    count = outputs or int(rng.integers(1, 4))
    ends = [values[-1]]
    if inputs > 1:  # what leads to every input
        ends.append(cynet.Concatenate()(*values[inputs : 2 * inputs]))
    ends += [values[int(rng.integers(len(given), len(values)))] for _ in range(count - 1)]
    if count == 1 and inputs > 1:
        ends = [cynet.Concatenate()(*ends)]
    found = cynet.Graph(given if inputs > 1 else given[0], ends if len(ends) > 1 else ends[0])
    return _varied(found, rng), [symbol.shape for symbol in given]


def _step(rng, x, values, made):
    """One more value, of the height and width of all."""
    channels, kind = x.shape[-1], rng.integers(9)
    if kind == 0:
        layer = cynet.Conv2d(channels, int(rng.choice(WIDTHS)), 3, padding=1, groups=1)
    elif kind == 1:
        layer = cynet.Conv2d(channels, int(rng.choice(WIDTHS)), 1, bias=bool(rng.integers(2)))
    elif kind == 2:
        layer = cynet.BatchNorm2d(channels)
    elif kind == 3:
        layer = cynet.ReLU()
    elif kind == 4:
        layer = cynet.Tanh()
    elif kind == 5 and made:  # shared
        layer, wanted = made[int(rng.integers(len(made)))]
        fitting = [value for value in values if value.shape[-1] == wanted]
        return layer(fitting[int(rng.integers(len(fitting)))])
    elif kind == 6:
        alike = _alike(values, x)
        return (cynet.Add() if rng.integers(3) else cynet.Multiply())(*alike[-int(rng.integers(2, 4)) :], x)
    elif kind == 7:
        return cynet.Concatenate()(x, *values[-int(rng.integers(1, 3)) :])
    else:
        body = [cynet.BatchNorm2d(channels), cynet.ReLU()][: int(rng.integers(3))]
        y = x
        for one in (*body, cynet.Conv2d(channels, channels, 3, padding=1)):
            y = one(y)
        return cynet.ReLU()(cynet.Add()(y, x))
    made.append((layer, channels))
    return layer(x)


def _alike(values, x):
    return [value for value in values if value.shape == x.shape]


def _varied(model, rng):
    """The model with scales, shifts and statistics of which none is 0 or 1."""
    for _, layer in model.walk():
        if isinstance(layer, cynet.BatchNorm2d):
            layer.weight.data += 0.3 * rng.standard_normal(layer.weight.shape)
            layer.bias.data += 0.3 * rng.standard_normal(layer.bias.shape)
            layer.running_mean += 0.2 * rng.standard_normal(layer.running_mean.shape).astype(np.float32)
            layer.running_var += rng.random(layer.running_var.shape, np.float32)
    return model
