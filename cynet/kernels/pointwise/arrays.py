"""Sums and copies of whole arrays, of any number of dimensions, channels last."""

from math import prod

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import activation, elementwise

LARGE = 1 << 20  # numbers that are worth waking other threads


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


def copied(x):
    """x in an array of its own: large ones are copied by all threads, into memory that was used before."""
    if x.size < LARGE or x.ndim < 2 or x.dtype != np.float32 or not x.flags.c_contiguous:
        return x.copy()
    y, row = workspace.empty(x.shape), prod(x.shape[max(1, x.ndim - 2) :])
    rows = (a.reshape(-1, row) for a in (x, y))
    elementwise.copy_channels(next(rows), 0, next(rows), 0, row, get_num_threads())
    return y


def copy_channels(source, first, target, place, count):
    """Copy channels first .. first + count of `source` to channels place .. place + count of `target`."""
    source, target = source.reshape(-1, source.shape[-1]), target.reshape(-1, target.shape[-1])
    elementwise.copy_channels(source, first, target, place, count, get_num_threads())
