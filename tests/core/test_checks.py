"""Checks of what users hand in, at their bounds."""

import numpy as np
import pytest

from cynet.core import checks


@pytest.mark.parametrize(("value", "least", "most"), [
    (0, 0, 5), (5, 0, 5), (np.int8(3), 3, 3), (-2, -2, 0), (2**31 - 1, 0, 2**31 - 1), (np.uint64(7), 1, 9),
])  # fmt: skip
def test_an_integer_in_its_range(value, least, most):
    found = checks.integer("n", value, least, most)
    assert found == value and type(found) is int


@pytest.mark.parametrize(("value", "bounds", "error", "message"), [
    (-1, (0,), ValueError, "n: wanted at least 0, got -1"), (4, (5, 9), ValueError, "at least 5, got 4"),
    (10, (5, 9), ValueError, "n: wanted at most 9, got 10"), (2**31, (0,), ValueError, "at most 2147483647"),
    (True, (0,), TypeError, "n: wanted an int, got True"), (np.True_, (0,), TypeError, "wanted an int"),
    (1.0, (0,), TypeError, "wanted an int, got 1.0"), ("1", (0,), TypeError, "wanted an int"),
    (None, (0,), TypeError, "wanted an int, got None"), (np.zeros(1, int), (0,), TypeError, "wanted an int"),
])  # fmt: skip
def test_no_integer_in_its_range(value, bounds, error, message):
    with pytest.raises(error, match=message):
        checks.integer("n", value, *bounds)


def test_a_number_at_each_kind_of_bound():
    for low in (False, True):
        for high in (False, True):

            def number(value, low=low, high=high):
                return checks.number("x", value, 1, 2, open_low=low, open_high=high)

            assert number(1.5) == 1.5 and number(np.float32(1.5)) == 1.5
            shown = rf"x: wanted a number in {'(' if low else '['}1, 2{')' if high else ']'}, got "
            for value, kept in ((1, not low), (2, not high), (0.999, False), (2.001, False)):
                if kept:
                    found = number(value)
                    assert found == value and type(found) is float
                else:
                    with pytest.raises(ValueError) as caught:
                        number(value)
                    assert str(caught.value) == f"{shown}{float(value)}"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 10**400, -(10**400), np.float32(np.nan)])
def test_a_number_is_finite(value):
    with pytest.raises(ValueError, match=r"x: wanted a number in \[-inf, inf\], got"):
        checks.number("x", value)


@pytest.mark.parametrize("value", [True, np.False_, None, "1", 1j, [1.0], np.zeros(1)])
def test_no_number(value):
    with pytest.raises(TypeError, match="x: wanted a number, got"):
        checks.number("x", value)


def test_flags():
    for value in (True, False, np.True_, np.False_):
        assert checks.flag("f", value) is bool(value)
    for value in (0, 1, None, "", np.zeros(1, bool)):
        with pytest.raises(TypeError, match="f: wanted True or False, got"):
            checks.flag("f", value)


def test_pairs():
    assert checks.pair("k", 3) == (3, 3) and checks.pair("k", [1, 2]) == (1, 2)
    assert checks.pair("k", (0, 5), 0) == (0, 5)
    for value, word in ((0, "k: wanted at least 1, got 0"), ((1, 0), r"k\[1\]: wanted at least 1"),
                        ((0, 1), r"k\[0\]: wanted at least 1"), ((1,), "wanted an int or a pair"),
                        ((1, 2, 3), "wanted an int or a pair")):  # fmt: skip
        with pytest.raises(ValueError, match=word):
            checks.pair("k", value)
    assert checks.short((2, 2)) == 2 and checks.short((2, 3)) == (2, 3) and checks.short("same") == "same"


def test_of_equal_sizes_one_is_shown():
    assert checks.short((2, 2, 2, 2)) == 2 and checks.short((2, 2, 2, 3)) == (2, 2, 2, 3)


KINDS = [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64, ">i8", list]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("classes", [1, 2, 10])
def test_labels_reach_from_0_to_the_last_class(kind, classes):
    def labels(values):
        return checks.labels("y", values if kind is list else np.array(values, kind), len(values), classes)

    found = labels([0, classes - 1, 0])
    assert found.dtype == np.int64 and found.tolist() == [0, classes - 1, 0]
    for place in (0, 1, 2):
        for bad in (classes, classes + 1, 100) + ((-1, -128) if kind not in (np.uint8, np.uint32, np.uint64)
                                                 else ()):  # fmt: skip
            values = [0, 0, 0]
            values[place] = bad
            with pytest.raises(ValueError) as caught:
                labels(values)
            assert str(caught.value) == f"y[{place}]: wanted 0 to {classes - 1}, got {bad}"


def test_labels_that_lie_apart_are_gathered():
    wide = np.arange(8)
    assert checks.labels("y", wide[::2], 4, 7).tolist() == [0, 2, 4, 6]
    with pytest.raises(ValueError, match=r"y\[3\]: wanted 0 to 5, got 6"):
        checks.labels("y", wide[::2], 4, 6)
    assert checks.labels("y", wide, 8, 8) is wide  # no copy where none is needed


@pytest.mark.parametrize(("values", "count", "error", "message"), [
    ([0.0], 1, TypeError, "y: wanted integers, got dtype float64"), (["a"], 1, TypeError, "wanted integers"),
    ([True], 1, TypeError, "got dtype bool"), ([[0]], 1, ValueError, r"wanted shape \(1,\), got \(1, 1\)"),
    ([0, 0], 3, ValueError, r"wanted shape \(3,\), got \(2,\)"), ([0, 0], 1, ValueError, r"got \(2,\)"),
    (np.zeros(0, int), 0, ValueError, "a batch of 0 has no mean loss"),
])  # fmt: skip
def test_no_labels(values, count, error, message):
    with pytest.raises(error, match=message):
        checks.labels("y", values, count, 5)


def test_a_float_array_is_copied_only_where_it_must_be():
    whole = np.zeros((4, 6), np.float32)
    assert checks.float_array("x", whole, 2) is whole
    for other in (whole.T, whole[:, ::2], np.asfortranarray(whole), whole[::-1]):
        found = checks.float_array("x", other)
        assert found.flags.c_contiguous and found.flags.aligned and np.array_equal(found, other)
    with pytest.raises(ValueError, match=r"x: wanted 3 dimensions, got shape \(4, 6\)"):
        checks.float_array("x", whole, 3)
    for other, word in ((whole.astype(">f4"), "got >f4"), (whole.astype(float), "float64"), ([1.0], "list")):
        with pytest.raises(TypeError, match=word):
            checks.float_array("x", other)


class Undecided:
    """What raises where it is asked for its truth, as many users' objects do."""

    def __init__(self, error):
        self.error = error

    def __bool__(self):
        raise self.error

    def __repr__(self):
        return "U" * 100


@pytest.mark.parametrize(
    "error", [ValueError("of arrays"), RuntimeError("of tensors"), TypeError("of others")]
)
def test_what_is_neither_true_nor_false_is_refused(error):
    with pytest.raises(ValueError) as caught:
        checks.truth("shuffle", Undecided(error))
    assert str(caught.value) == f"shuffle: wanted True or False, got {'U' * 80}"
    with pytest.raises(ValueError, match=r"^x: wanted True or False, got array"):
        checks.truth("x", np.zeros(2))
    for value, wanted in ((1, True), ([], False), (np.zeros(1), False), ("no", True)):
        assert checks.truth("x", value) is wanted


def test_pairs_reach_as_far_as_numbers_do():
    most = 2**31 - 1
    assert checks.pair("k", (most, 1)) == checks.pair("k", [most, 1]) == (most, 1)
    for value, place in (((2**31, 1), 0), ((1, 2**31), 1), ([2**40, 2**40], 0)):
        with pytest.raises(ValueError, match=rf"^k\[{place}\]: wanted at most {most}, got {value[place]}$"):
            checks.pair("k", value)
    for value in ((True, 1), (1, 1.0), ("1", 1)):
        with pytest.raises(TypeError, match=r"^k\[[01]\]: wanted an int, got "):
            checks.pair("k", value)


def off_by_a_byte(count):
    """float32 zeros that begin between two places where such numbers may begin."""
    return np.zeros(4 * count + 1, np.uint8)[1:].view(np.float32)


class Special(np.ndarray):
    """An array of a kind of its own."""


def test_which_arrays_are_as_plain_as_can_be():
    plain = np.zeros((3, 4), np.float32)
    locked = plain.copy()
    locked.flags.writeable = False
    assert checks.is_plain(plain) and checks.is_plain(plain[1:]) and checks.is_plain(plain[0])
    for other in (locked, plain.T, plain[:, ::2], plain.astype(">f4"), plain.astype("f8"),
                  plain.view(Special), off_by_a_byte(3), [1.0], None):  # fmt: skip
        assert not checks.is_plain(other)


def test_numbers_that_begin_between_two_places_are_copied():
    crooked = off_by_a_byte(5)
    crooked[:] = np.arange(5)
    found = checks.float_array("x", crooked, 1)
    assert found is not crooked and found.flags.aligned and found.tolist() == [0, 1, 2, 3, 4]
    labels = np.zeros(8 * 3 + 1, np.uint8)[1:].view(np.int64)
    labels[:] = 2, 0, 1
    assert checks.labels("y", labels, 3, 3).tolist() == [2, 0, 1]
    assert checks.labels("y", labels, 3, 3).flags.aligned


class Taker:
    """A layer of tokens."""

    takes_integers = True


@pytest.mark.parametrize("kind", ["i1", "u1", "i4", "i8", "u8", ">i4"])
def test_who_takes_integers_gets_them_as_they_are(kind):
    tokens = np.arange(6).reshape(2, 3).astype(kind)
    assert checks.float_array("x", tokens, 2, Taker) is tokens
    with pytest.raises(TypeError, match=r"^x: wanted dtype float32"):
        checks.float_array("x", tokens, 2)


@pytest.mark.parametrize(("value", "got"), [
    (np.zeros(2, bool), "bool"), (np.zeros(2), "float64"), (np.array(["a"]), "<U1"), ([1], "list"),
])  # fmt: skip
def test_who_takes_integers_says_so(value, got):
    with pytest.raises(TypeError, match=f"^x: wanted an array of integers, got {got}$"):
        checks.float_array("x", value, taker=Taker)
    taker = type("Other", (), {"takes_integers": "yes"})  # a user's word for something else
    with pytest.raises(TypeError, match="float32"):
        checks.float_array("x", value, taker=taker)
