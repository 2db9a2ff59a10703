"""What kernels, windows, columns and checks say of what they refuse: in full, both facts in their places."""

import numpy as np
import pytest

import cynet
from cynet.core import checks
from cynet.kernels.common import geometry
from cynet.kernels.conv import convolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.linear import linear
from cynet.kernels.pointwise import arrays


def zeros(*shape):
    return np.zeros(shape, np.float32)


class Untold:
    """What nobody can tell to be true or false, at some length."""

    def __bool__(self):
        raise RuntimeError

    def __repr__(self):
        return "x" * 200


WAY = convolution.choose(Problem.of((2, 8, 8, 6), 4, (5, 5), (1, 1), (2, 2, 2, 2)))
SUMS = "wanted equal shapes to add, got "
PASS = "that of the pass, got "
WINDOW = "wanted kernel >= 1, stride >= 1 and padding >= 0, got "
CASES = [
    (lambda: WAY.forward(zeros(2, 8, 6, 8), zeros(*WAY.weight_shape)),
     f"x: wanted shape (2, 8, 8, 6), {PASS}(2, 8, 6, 8)"),
    (lambda: WAY.forward(zeros(2, 8, 8, 6), zeros(6, 4, 5, 5)),
     f"weight.data: wanted shape (4, 6, 5, 5), {PASS}(6, 4, 5, 5)"),
    (lambda: WAY.weight_gradient(zeros(2, 8, 8, 6), zeros(2, 8, 8, 6), zeros(4, 6, 5, 5)),
     f"dy: wanted shape (2, 8, 8, 4), {PASS}(2, 8, 8, 6)"),
    (lambda: WAY.input_gradient(zeros(2, 8, 8, 4), zeros(4, 6, 5, 5), zeros(2, 8, 8, 4)),
     f"{SUMS}(2, 8, 8, 4) and (2, 8, 8, 6)"),
    (lambda: arrays.add(zeros(2, 3), zeros(3, 2)), f"{SUMS}(2, 3) and (3, 2)"),
    (lambda: arrays.add_relu(zeros(6), zeros(3, 2)), f"{SUMS}(6,) and (3, 2)"),
    (lambda: linear.choose(5, 9, 40, 4), "pixels: wanted 1 for 40 outputs, got 4"),
    # -- windows
    (lambda: geometry.output_size(9, 1, 2, 3, -4, "width"),
     f"width: {WINDOW}kernel 1, stride 2, padding 3 before and -4 after"),
    (lambda: geometry.output_size(0, 1, 1, 9, 9), "input: wanted at least 1 pixel, got 0"),
    (lambda: geometry.window_grid((4, 5), (1, 1), (1, 1), (2**14, 2**10, 3, 2**14)),
     "padding: wanted at most 268435456 cells of a padded image, got 16391 x 17413 "
     "(16384, 1024, 3, 16384 around 4 x 5)"),
    (lambda: geometry.checked_padding((1, 2, 3)),
     "padding: wanted (vertical, horizontal) or (top, left, bottom, right), got (1, 2, 3)"),
    (lambda: geometry.checked_padding("full"),
     "padding: wanted an int, a pair, a 4-tuple, \"same\" or \"valid\", got 'full'"),
    (lambda: geometry.checked_padding([0, 0, -1, 0]), "padding[2]: wanted at least 0, got -1"),
    # -- columns
    (lambda: cynet.col2im(zeros(2, 3, 2, 9), (2, 5, 4, 3), 3),
     "columns: wanted shape (2, 3, 2, 27), got (2, 3, 2, 9)"),
    (lambda: cynet.col2im(zeros(2, 3, 2, 9), (2, 5, 4), 3), "shape: wanted (N, H, W, C), got (2, 5, 4)"),
    (lambda: cynet.col2im(zeros(2, 3, 2, 9), 3, 3), "shape: wanted (N, H, W, C), got 3"),
    (lambda: cynet.col2im(zeros(2, 3, 2, 9), (2, 5, -4, 3), 3), "shape[2]: wanted at least 0, got -4"),
    (lambda: cynet.im2col(zeros(2, 3, 2), 3), "x: wanted 4 dimensions, got shape (2, 3, 2)"),
    (lambda: cynet.im2col(zeros(2, 3, 2, 1), 1, (1, 0)), "stride[1]: wanted at least 1, got 0"),
    # -- checks
    (lambda: checks.truth("training", Untold()), "training: wanted True or False, got " + "x" * 80),
    (lambda: checks.number("x", np.int8(-3), 0, 2), "x: wanted a number in [0, 2], got -3.0"),
    (lambda: checks.number("x", -(10**400), 0, open_low=True), "x: wanted a number in (0, inf], got -inf"),
    (lambda: checks.shapes("a b c", ((1,), (2, 3), (4,)), ((1,), (3, 2), (5,))),
     f"b: wanted shape (3, 2), {PASS}(2, 3)"),
    (lambda: checks.labels("labels", np.zeros((2, 1), int), 2, 5), "labels: wanted shape (2,), got (2, 1)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "said"), CASES, ids=[said for _, said in CASES])
def test_what_is_refused_is_told_in_full(call, said):
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert str(caught.value) == said


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), 3.0, np.float32(3), np.float64(3)])
def test_a_number_of_every_kind_is_taken_as_a_float(value):
    found = checks.number("x", value, 3, 3)
    assert found == 3.0 and type(found) is float
    assert cynet.Dropout(type(value)(0)).p == 0 and cynet.LeakyReLU(value).negative_slope == 3.0


def test_the_most_cells_of_a_padded_image():
    """A window may be so large and no larger; beyond it an image may grow fourfold."""
    most = geometry.MOST_CELLS
    assert geometry.window_grid((1, 1), (1, 1), (1, 1), (most - 1, 0, 0, 0))[1] == (most, 1)
    with pytest.raises(ValueError, match=f"wanted at most {most} cells"):
        geometry.window_grid((1, 1), (1, 1), (1, 1), (most, 0, 0, 0))
    large = 2**14, 2**14
    grown = geometry.window_grid(large, (1, 1), (1, 1), (2**13,) * 4)
    assert grown[1] == (2**15, 2**15)
    with pytest.raises(ValueError, match=f"wanted at most {4 * most} cells .*, got 32769 x 32768"):
        geometry.window_grid(large, (1, 1), (1, 1), (2**13 + 1, *(2**13,) * 3))


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_arrays_that_lie_between_the_places_of_their_elements_are_moved(dtype):
    size = np.dtype(dtype).itemsize
    raw = np.zeros(4 * size + 1, np.uint8)
    odd = raw[1:].view(dtype)
    odd[:] = range(4)
    assert not odd.flags.aligned
    found = checks.float_array("x", odd) if dtype is np.float32 else checks.labels("y", odd, 4, 4)
    assert found.flags.aligned and found.tolist() == [0, 1, 2, 3]
