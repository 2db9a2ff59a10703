"""Pickles of plain arrays: each kind of number, order of bytes and of axes comes back; nothing else does."""

import pickle

import numpy as np
import pytest

from cynet.data.sets import pickles

KINDS = ("i1", "u1", "<i2", ">i2", "<u4", ">u4", "<i8", ">i8", "b1", "<f4", ">f4", "<f8", ">f8")


class Called:
    """Pickles as a call, with a state where one is given."""

    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


def dtype(code, order="<"):
    return Called(np.dtype, (code, False, True), (3, order, None, None, None, -1, -1, 0))


def array(code, shape, content, column_major=False, order="<"):
    made = np.empty(0).__reduce__()[0]
    return Called(made, (np.ndarray, (0,), b"b"), (1, shape, dtype(code, order), column_major, content))


def loaded(value, protocol=2):
    return pickles.load(pickle.dumps({b"a": value}, protocol), "file")[b"a"]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_every_kind_of_number_come_back(kind, protocol):
    values = np.arange(6).reshape(2, 3).astype(kind)
    several = (values, np.asfortranarray(values), values.reshape(6)[2:3])
    for each in (*several, *([values[:0]] if protocol > 2 else [])):  # before, no bytes are a call
        found = loaded(each, protocol)
        assert found.dtype == each.dtype and found.shape == each.shape
        np.testing.assert_array_equal(found, each)
    assert loaded(values[1, 2], protocol) == values[1, 2]


@pytest.mark.parametrize("code", ["u1", "|u1", "=u1", "<u1", ">u1"])
def test_a_kind_may_be_written_with_an_order_of_bytes(code):
    assert loaded(array(code, (3,), b"\1\2\3", order="|")).tolist() == [1, 2, 3]


@pytest.mark.parametrize(("order", "wanted"), [("<", [1, 256]), (">", [256, 1]), ("=", [1, 256])])
def test_the_order_of_bytes_is_that_of_the_state(order, wanted):
    assert loaded(array("i2", (2,), b"\1\0\0\1", order=order)).tolist() == wanted


@pytest.mark.parametrize(("value", "problem"), [
    (array("O", (1,), bytes(8)), "wanted a dtype of plain numbers"),
    (array("S3", (1,), b"abc"), "wanted a dtype of plain numbers"),
    (array("u1", (1,), b"a", order="x"), "wanted a byte order in the state of a dtype"),
    (array("u1", (5,), b"abc"), "ValueError: cannot reshape array of size 3 into shape"),
    ({1, 2}, "wanted arrays and plain values alone, got instruction 0x8f"),
    (frozenset([1]), "got instruction 0x91"), (bytearray(3), "got builtins.bytearray"),
    ({1: 2}, "wanted strings as the keys of a dict"),
    (Called(eval, ("1",)), "wanted arrays and plain values alone, got builtins.eval"),
    (Called(np.dtype, ("u1",), {"dtype": 1}), "KeyError: 1"),
    (np.complex64(1), "wanted a dtype of plain numbers"),
])  # fmt: skip
def test_what_is_no_array_of_numbers_is_refused(value, problem):
    with pytest.raises(ValueError, match=r"^file: wanted a pickle of arrays, got a bad one: ") as caught:
        loaded(value, 4)
    assert problem in str(caught.value)


@pytest.mark.parametrize("content", [
    b"c_codecs\nencode\n(X\x01\0\0\0aX\x05\0\0\0utf-8tR.",
    b"c_codecs\nencode\n(X\x01\0\0\0aX\x06\0\0\0latin1tR" + b"c_codecs\nencode\n(X\xff\0\0\0"
    + b"b" * 255 + b"q\0X\x06\0\0\0latin1tR" + b"c_codecs\nencode\n(h\0X\x06\0\0\0latin1tR" * 3 + b".",
])  # fmt: skip
def test_texts_are_encoded_once_and_as_latin1(content):
    with pytest.raises(ValueError, match="wanted each text encoded once, as latin1"):
        pickles.load(content, "file")
    with pytest.raises(ValueError, match="file: wanted a pickled dict, got bytes"):
        pickles.load(b"c_codecs\nencode\n(X\x01\0\0\0aX\x06\0\0\0latin1tR.", "file")


def test_a_state_for_a_plain_value_is_refused():
    """Of a stand-in itself it would be the attributes."""
    with pytest.raises(ValueError, match="wanted a state for what has one, got another's"):
        pickles.load(b"cnumpy\nndarray\n}X\x01\0\0\0aK\x01sb.", "file")


def test_so_many_instructions_are_carried_out_and_no_more(monkeypatch):
    content = pickle.dumps({b"a": [1, 2, 3]}, 2)
    monkeypatch.setattr(pickles, "_MOST_INSTRUCTIONS", 100)
    assert pickles.load(content, "file") == {b"a": [1, 2, 3]}
    with pytest.raises(ValueError, match="wanted at most 100 instructions, got more"):
        pickles.load(pickle.dumps({b"a": list(range(1000))}, 2), "file")


def test_as_many_values_as_the_largest_of_the_published_files_has_are_read():
    """CIFAR-100's for training: three lists of 50,000, of which one is of names."""
    count = 50_000
    batch = {
        b"filenames": [b"picture_s_%06d.png" % i for i in range(count)], b"batch_label": b"training batch 1",
        b"fine_labels": [i % 100 for i in range(count)], b"coarse_labels": [i % 20 for i in range(count)],
        b"data": np.arange(8, dtype=np.uint8),
    }  # fmt: skip
    found = pickles.load(pickle.dumps(batch, 2), "train")
    assert found.keys() == batch.keys() and found[b"fine_labels"] == batch[b"fine_labels"]
    assert found[b"filenames"] == batch[b"filenames"]
