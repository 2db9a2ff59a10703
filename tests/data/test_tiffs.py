"""TIFF files of values that no screen shows, made by hand: which kind they are, and what they hold."""

import struct

import numpy as np
import pytest

pytest.importorskip("PIL")

from cynet.data.images import tiffs

BITS, COMPRESSION, PLACES, ROWS, SIZES, FORMAT = 258, 259, 273, 278, 279, 339


def written(values, order="<", strips=1, **changed):
    """The bytes of an uncompressed grey TIFF file of one row."""
    raw = values.astype(values.dtype.newbyteorder(order)).tobytes()
    form = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    tags = {256: values.size, 257: 1, BITS: 8 * values.itemsize, COMPRESSION: 1, 262: 1, FORMAT: form}
    tags |= {int(tag): value for tag, value in changed.items()}
    size = len(raw) // strips
    at = 8 + 2 + 12 * (len(tags) + 2) + 4
    lists = b""
    if strips > 1:
        lists = struct.pack(f"{order}{2 * strips}I", *[at + 8 * strips + i * size for i in range(strips)],
                            *[size] * strips)  # fmt: skip
        places, sizes = at, at + 4 * strips
    else:
        places, sizes = at, len(raw)
    entries = [(tag, 4, 1, value) for tag, value in tags.items()]
    entries += [(PLACES, 4, strips, places), (SIZES, 4, strips, sizes)]
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    head += struct.pack(f"{order}H", len(entries))
    for entry in sorted(entries):
        head += struct.pack(f"{order}HHII", *entry)
    return head + struct.pack(f"{order}I", 0) + lists + raw


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("strips", [1, 2])
@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "u4", "f4", "f8", "i8"])
def test_the_values_are_read_in_their_kind_and_order(kind, strips, order):
    values = np.array([0, 1, 2, 100], kind)
    found = tiffs.values(written(values, order, strips))
    assert found.dtype == np.dtype(kind).newbyteorder(order)
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_what_a_screen_shows_is_left_to_pillow(kind):
    assert tiffs.values(written(np.arange(4, dtype=kind))) is None


def test_what_is_compressed_or_cut_has_no_values():
    values = np.arange(4, dtype="f4")
    packed = tiffs.values(written(values, **{"259": 5}))
    assert packed.size == 0 and packed.dtype == np.float32
    assert tiffs.values(written(values)[:60]) is None
    assert tiffs.values(b"\x89PNG" + written(values)[4:]) is None
    one = written(values)
    assert tiffs.values(one[:-9]).tolist() == [0]  # as many as are whole


def test_strips_that_lie_over_each_other_are_not_read():
    content = bytearray(written(np.arange(64, dtype="f4"), strips=2))
    size = struct.unpack_from("<I", content, len(content) - 256 - 4)[0]
    assert size == 128
    struct.pack_into("<I", content, len(content) - 256 - 4, len(content))
    assert tiffs.values(bytes(content)) is None


@pytest.mark.parametrize(("tags", "kind"), [
    ({}, None), ({BITS: (8,)}, "u1"), ({BITS: (16, 16)}, "u2"), ({BITS: (8, 16)}, None),
    ({BITS: (12,)}, None), ({BITS: (32,), FORMAT: (3,)}, "f4"), ({BITS: (64,), FORMAT: (2,)}, "i8"),
    ({BITS: (8,), FORMAT: (3,)}, None), ({BITS: (16,), FORMAT: (3, 1)}, None),
    ({BITS: (32,), FORMAT: (4,)}, None), ({BITS: (16,), FORMAT: (3,)}, "f2"),
])  # fmt: skip
def test_the_kind_of_a_value_by_its_tags(tags, kind):
    assert tiffs.kind_of(tags) == kind
