"""Padding and outputs that no memory holds: refused in a sentence, before anything is allocated."""

import numpy as np
import pytest

import cynet

HUGE = 2**29, 2**31 - 1


def images(channels=4, rows=1):
    return np.ones((rows, 5, 4, channels), np.float32)


@pytest.mark.parametrize("padding", HUGE)
@pytest.mark.parametrize(
    "layer", [(4, 2, 1), (4, 4, 3), (4, 8, 3, 2), (4, 4, 3, 1, 0, 1, 4), (8, 8, 3), (4, 4, 3, 2**16)], ids=str
)
def test_convolutions(layer, padding):
    layer = cynet.Conv2d(*layer)
    assert layer(images(layer.in_channels)).shape[0] == 1
    layer.padding = padding
    with pytest.raises(ValueError, match=r"padding: wanted at most .*around 5 x 4"):
        layer(images(layer.in_channels))


@pytest.mark.parametrize("size", HUGE)
def test_pools(size):
    layer = cynet.AvgPool2d(2)
    layer(images())
    layer.kernel_size = layer.stride = size
    layer.padding = size - 1
    with pytest.raises(ValueError, match=r"padding: wanted at most .*around 5 x 4"):
        layer(images())


def test_filters_that_are_not_there_are_refused_before_the_plan_of_them():
    layer = cynet.Conv2d(4, 4, 3, padding=1)
    layer(images())
    layer.kernel_size, layer.padding = 2**13, 2**12
    with pytest.raises(ValueError, match=r"weight: wanted a parameter of shape \(4, 4, 8192, 8192\)"):
        layer(images())


@pytest.mark.parametrize("around", [lambda layer: layer, cynet.Sequential, cynet.Concat])
def test_no_memory_for_an_output_names_the_layer(around):
    layer = cynet.Conv2d(4, 2**14, 1, padding=2**13 - 8)
    wanted = r"^Conv2d\(4, 16384.*: no memory for an input of shape \(99, 5, 4, 4\)"
    with pytest.raises(MemoryError, match=wanted):
        around(layer)(images(rows=99))
