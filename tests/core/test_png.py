"""PNG files, byte for byte by the standard's own words."""

import base64
import struct
import zlib

import numpy as np
import pytest

from cynet.core import png


def chunks(data):
    """[(kind, content), ...] of a PNG file, whose check sums are right."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        (check,) = struct.unpack(">I", data[at + 8 + size : at + 12 + size])
        assert check == zlib.crc32(kind + content)
        found.append((kind, content))
        at += 12 + size
    return found


@pytest.mark.parametrize(("shape", "colour"), [((2, 3), 0), ((2, 3, 3), 2), ((1, 1), 0), ((3, 1, 3), 2)])
def test_a_file_is_its_head_its_rows_and_its_end(shape, colour):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    (first, head), (second, rows), last = chunks(png.encode(pixels))
    assert (first, second, last) == (b"IHDR", b"IDAT", (b"IEND", b""))
    assert struct.unpack(">IIBBBBB", head) == (shape[1], shape[0], 8, colour, 0, 0, 0)
    assert zlib.decompress(rows) == b"".join(b"\0" + row.tobytes() for row in pixels)
    for other in (np.asfortranarray(pixels), np.repeat(pixels, 2, 1)[:, ::2], pixels[::-1][::-1]):
        assert png.encode(other) == png.encode(pixels)


@pytest.mark.parametrize("pixels", [
    np.zeros((2, 2)), np.zeros(4, np.uint8), np.zeros((2, 2, 1), np.uint8), np.zeros((2, 2, 4), np.uint8),
    np.zeros((1, 2, 2, 3), np.uint8), np.zeros((2, 2), np.int8),
])  # fmt: skip
def test_what_is_no_picture_is_refused(pixels):
    with pytest.raises(ValueError, match=r"pixels: wanted uint8 \(height, width\[, 3\]\), got "):
        png.encode(pixels)


def test_an_address_holds_the_file():
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    start, _, data = png.address(pixels).partition(",")
    assert start == "data:image/png;base64" and base64.b64decode(data) == png.encode(pixels)


def test_of_other_than_three_channels_the_first_is_visible():
    for channels in (1, 2, 3, 4, 5):
        picture = np.arange(6 * channels, dtype=np.uint8).reshape(2, 3, channels)
        wanted = picture if channels == 3 else picture[..., 0]
        np.testing.assert_array_equal(png.visible(picture), wanted)
        assert png.encode(png.visible(picture))


def test_numbers_are_spread_to_bytes_however_far_they_reach():
    far = np.finfo(np.float32).max
    for numbers in ([-1.0, 0, 1], [-far, 0, far]):
        picture = np.float32(numbers).reshape(1, 3, 1)
        assert png.spread(picture, float(picture.min())).ravel().tolist() == [0, 127, 255]
    assert (png.spread(np.full((1, 2, 1), 7, np.float32), 7.0) == 0).all()


def test_a_picture_of_one_colour_takes_few_bytes():
    for shape in ((300, 300), (300, 300, 3)):
        assert len(png.encode(np.full(shape, 7, np.uint8))) < 1000
