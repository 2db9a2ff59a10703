"""Padding rules and output sizes."""

import itertools

import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from cynet.kernels.common.geometry import checked_padding, output_size, resolve_padding, window_grid


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (2, (2, 2, 2, 2)),
        ((1, 2), (1, 2, 1, 2)),
        ([1, 2, 3, 4], (1, 2, 3, 4)),
        ("same", "same"),
        ("valid", (0, 0, 0, 0)),
    ],
)
def test_checked_padding(value, wanted):
    assert checked_padding(value) == wanted


@pytest.mark.parametrize("value", [-1, (0, -1), (0, 0, 0), (), "full", None, 1.0, True, (1, 2.0), 2**31])
def test_bad_padding(value):
    with pytest.raises((ValueError, TypeError), match="padding"):
        checked_padding(value)


@given(*(st.integers(1, 20) for _ in range(6)))
def test_same_gives_the_courses_output(height, width, kh, kw, sh, sw):
    top, left, bottom, right = resolve_padding("same", (kh, kw), (sh, sw), (height, width))
    assert (top, bottom) == reference.same_padding(height, kh, sh)
    assert (left, right) == reference.same_padding(width, kw, sw)
    _, shape = window_grid((height, width), (kh, kw), (sh, sw), "same")
    assert shape == (-(-height // sh), -(-width // sw))


def test_output_size():
    assert output_size(32, 3, 2, 1, 1) == 16
    assert output_size(1, 3, 1, 1, 1) == 1
    assert output_size(2**40, 3, 1, 0, 0) == 2**40 - 2


def counted(size, kernel, stride, before, after, dilation):
    """How many windows there are with `ceil`: each begins before the end of the pixels, and the last but one
    leaves something of the padded input."""
    reach, windows = dilation * (kernel - 1) + 1, 1
    while (windows - 1) * stride + reach < before + size + after and windows * stride < before + size:
        windows += 1
    return windows


def test_with_ceil_every_window_begins_before_the_padding_that_follows():
    for size, kernel, stride in itertools.product(range(1, 9), range(1, 5), range(1, 6)):
        for before, after, dilation in itertools.product(range(3), range(3), (1, 2)):
            reach, case = dilation * (kernel - 1) + 1, (size, kernel, stride, before, after)
            if reach <= before + size + after and max(before, after) < reach:
                found = output_size(*case, dilation=dilation, ceil=True)
                assert found == counted(*case, dilation), (case, dilation)
    assert output_size(5, 2, 2, 1, 1, ceil=True) == 3 and output_size(6, 2, 2, 1, 1, ceil=True) == 4
    assert window_grid((5, 6), (2, 2), (2, 2), (1, 1, 1, 1), ceil=True)[1] == (3, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 5, 1, 0, 1), r"at most 4 pixels.*\(0 \+ 3 \+ 1\), got a kernel of 5"),
        ((0, 1, 1, 0, 0), "at least 1 pixel, got 0"),
        ((3, 1, 0, 0, 0), "stride >= 1"),
        ((3, 1, -2, 0, 0), "stride -2"),
        ((3, 0, 1, 0, 0), "kernel 0"),
        ((3, 1, 1, -1, 0), "padding -1 before"),
    ],
)
def test_impossible_windows(arguments, message):
    with pytest.raises(ValueError, match=message):
        output_size(*arguments)


@pytest.mark.parametrize("sides", [(2**31 - 1,) * 4, (0, 0, 9, 2**31 - 1), (2**14,) * 4, (2**27, 0, 0, 0)])
@pytest.mark.parametrize("stride", [1, 2**15])
def test_padding_that_no_memory_holds_is_refused(sides, stride):
    with pytest.raises(ValueError, match=r"padding: wanted at most 268435456 cells .* around 4 x 5\)"):
        window_grid((4, 5), (1, 1), (stride, stride), sides)


def test_a_kernel_whose_taps_lie_apart_is_told_by_both():
    with pytest.raises(ValueError) as caught:
        output_size(5, 3, 1, 0, 1, "width", dilation=4)
    limit = "width: wanted a kernel of at most 6 pixels, the padded input (0 + 5 + 1)"
    assert str(caught.value) == f"{limit}, got a kernel of 9, 3 with dilation 4"


def test_a_large_image_may_be_padded():
    assert window_grid((2**16, 2**16), (3, 3), (1, 1), (1, 1, 1, 1))[1] == (2**16, 2**16)
