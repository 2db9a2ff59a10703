"""Sums and copies of whole arrays, of any number of dimensions, channels last."""

from math import prod

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import activation, broadcast, elementwise


def matched(a, b):
    """`a`, or ValueError where it has not the shape of `b`: the two are to be added."""
    if a.shape != b.shape:
        raise ValueError(f"wanted equal shapes to add, got {a.shape} and {b.shape}")
    return a


def add(a, b):
    """a + b, two float32 arrays of one shape, in a new array; ValueError where the shapes differ."""
    out = workspace.empty(matched(a, b).shape)
    elementwise.add(a.reshape(-1), b.reshape(-1), out.reshape(-1), get_num_threads())
    return out


def add_relu(a, b):
    """ReLU(a + b), as `add`."""
    out = workspace.empty(matched(a, b).shape)
    elementwise.add_relu(a.reshape(-1), b.reshape(-1), out.reshape(-1), get_num_threads())
    return out


def add_to_channels(y, bias):
    """y, of which each channel has had its entry of `bias` (channels,) added, in place."""
    elementwise.add_to_channels(y.reshape(-1, y.shape[-1]), bias, get_num_threads())
    return y


def gate(y, dy):
    """The gradient of ReLU where it gave y: dy where y is not 0."""
    out = workspace.empty(y.shape)
    activation.relu_backward(y.reshape(-1), dy.reshape(-1), out.reshape(-1), get_num_threads())
    return out


def copy_channels(source, first, target, place, count):
    """Copy channels first .. first + count of `source` to channels place .. place + count of `target`."""
    source, target = source.reshape(-1, source.shape[-1]), target.reshape(-1, target.shape[-1])
    elementwise.copy_channels(source, first, target, place, count, get_num_threads())


def multiply(x, factor, out=None):
    """x * factor, where `factor` has x's shape, or one number for each channel of each sample."""
    out = workspace.empty(x.shape) if out is None else out
    if x.shape == factor.shape:
        broadcast.multiply(x.reshape(-1), factor.reshape(-1), out.reshape(-1), get_num_threads())
    else:
        rows = _pixels(x)
        factor = factor.reshape(len(rows), rows.shape[2])
        broadcast.multiply_channels(rows, factor, out.reshape(rows.shape), get_num_threads())
    return out


def channel_products(x, dy):
    """(samples, channels): the sums of x * dy over all axes between."""
    rows = _pixels(x)
    out = workspace.empty((len(rows), rows.shape[2]))
    broadcast.channel_products(rows, dy.reshape(rows.shape), out, get_num_threads())
    return out


def _pixels(x):
    return x.reshape(x.shape[0], prod(x.shape[1:-1]), x.shape[-1])
