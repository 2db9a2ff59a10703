"""Products of whole arrays, one of which may have a single number for each channel of each sample."""

from math import prod

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import scaling


def multiply(x, factor, out=None):
    """x * factor, where `factor` has x's shape, or one number for each channel of each sample."""
    out = workspace.empty(x.shape) if out is None else out
    if x.shape == factor.shape:
        scaling.multiply(x.reshape(-1), factor.reshape(-1), out.reshape(-1), get_num_threads())
    else:
        rows = _pixels(x)
        factor = factor.reshape(len(rows), rows.shape[2])
        scaling.scale_channels(rows, factor, out.reshape(rows.shape), get_num_threads())
    return out


def channel_products(x, dy):
    """(samples, channels): the sums of x * dy over all axes between."""
    rows = _pixels(x)
    out = workspace.empty((len(rows), rows.shape[2]))
    scaling.channel_products(rows, dy.reshape(rows.shape), out, get_num_threads())
    return out


def _pixels(x):
    return x.reshape(x.shape[0], prod(x.shape[1:-1]), x.shape[-1])
