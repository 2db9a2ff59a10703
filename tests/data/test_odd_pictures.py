"""Pictures of kinds that few have: twelve bits, inverted greys, premultiplied alpha, printers' colours."""

import io
import struct

import numpy as np
import pytest
from test_shown import samples, saved, shown

from cynet.data.images import pictures, tiffs

image = pytest.importorskip("PIL.Image")


def tiff(width, height, bits, photometric, content, extra=()):
    """The bytes of an uncompressed TIFF file, little-endian; `bits` of each channel, at most two."""
    tags = {256: [width], 257: [height], 258: bits, 259: [1], 262: [photometric], 273: [0], 277: [len(bits)],
            278: [height], 279: [len(content)]} | ({338: extra} if extra else {})  # fmt: skip
    tags[273] = [8 + 2 + 12 * len(tags) + 4]
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    for tag, values in sorted(tags.items()):
        head += struct.pack("<HHI2H", tag, 3, len(values), *values, *[0] * (2 - len(values)))
    return head + bytes(4) + content


def packed(values, bits):
    """Numbers (height, width) of so many bits, row by row on whole bytes."""
    digits = (np.asarray(values)[..., None] >> np.arange(bits)[::-1]) & 1
    return np.packbits(digits.astype(np.uint8).reshape(len(values), -1), axis=1).tobytes()


def test_twelve_bits_give_their_upper_eight(tmp_path):
    values = samples(4096, (5, 8))
    values[0, :3] = 0, 4095, 255
    np.testing.assert_array_equal(shown(tmp_path, tiff(8, 5, [12], 1, packed(values, 12))), values >> 4)


@pytest.mark.parametrize(("photometric", "turned"), [(0, True), (1, False)])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_file_may_say_that_zero_is_white(tmp_path, bits, photometric, turned):
    values = samples(2**bits, (5, 7))
    content = values.astype(f"<u{bits // 8}").tobytes()
    wanted = values >> (bits - 8)
    found = shown(tmp_path, tiff(7, 5, [bits], photometric, content))
    np.testing.assert_array_equal(found, 255 - wanted if turned else wanted)


@pytest.mark.parametrize(("kind", "mode"), [(1, "La"), (2, "LA")])
def test_grey_with_alpha_is_on_white_whether_it_was_multiplied_before_or_not(tmp_path, kind, mode):
    alpha = np.array([[0, 51, 102, 153, 204, 255]])
    value = np.array([[0, 50, 100, 150, 200, 255]])
    stored = value * alpha // 255 if kind == 1 else value
    content = np.stack([stored, alpha], axis=-1).astype(np.uint8).tobytes()
    file = tiff(6, 1, [8, 8], 1, content, [kind])
    assert image.open(io.BytesIO(file)).mode == mode
    found = shown(tmp_path, file)
    assert found.shape == (1, 6)
    np.testing.assert_allclose(found, value * (alpha / 255) + 255 - alpha, atol=3)


def test_a_palette_of_colours_with_alpha_is_on_white(tmp_path):
    colours = [(10, 20, 30, 255), (40, 50, 60, 0), (71, 81, 91, 128), (1, 2, 3, 255)]
    palette = b"".join(bytes([blue, green, red, alpha]) for red, green, blue, alpha in colours)
    file = struct.pack("<BBBHHBHHHHBB", 0, 1, 1, 0, 4, 32, 0, 0, 4, 1, 8, 0x20) + palette + bytes(range(4))
    wanted = [[c * a / 255 + 255 - a for c in rgb] for *rgb, a in colours]
    np.testing.assert_allclose(shown(tmp_path, file), [wanted], atol=1)


@pytest.mark.parametrize(("mode", "kind", "options"), [
    ("CMYK", "JPEG", {"quality": 100}), ("CMYK", "TIFF", {}), ("CMYK", "JPEG2000", {}), ("YCbCr", "TIFF", {}),
    ("YCbCr", "JPEG", {"quality": 100, "subsampling": 0}), ("RGBX", "TIFF", {}), ("P", "BMP", {}),
    ("P", "PCX", {}), ("1", "PNG", {}), ("1", "TIFF", {}), ("1", "BMP", {}), ("L", "BMP", {}),
    ("L", "JPEG", {"quality": 100}),
])  # fmt: skip
def test_colours_that_others_store_are_red_green_and_blue(tmp_path, mode, kind, options):
    """Grey ones have one channel."""
    plain = image.new("RGB", (16, 16), (200, 30, 90) if mode not in "1L" else (255, 255, 255))
    plain.paste((0, 0, 0), (8, 0, 16, 16))
    file = saved(plain.quantize(4) if mode == "P" else plain.convert(mode), kind, **options)
    found, grey = shown(tmp_path, file), np.asarray(plain.convert("L"))
    np.testing.assert_allclose(found.astype(int), grey if mode in "1L" else np.asarray(plain), atol=3)


def test_large_tiff_files_of_values_are_told_too():
    """Those whose places have 64 bits."""
    values = np.array([1.5, -2.0, 7.25], "<f4")
    tags = {256: 3, 257: 1, 258: 32, 259: 1, 262: 1, 273: 0, 277: 1, 278: 1, 279: 12, 339: 3}
    tags[273] = 16 + 8 + 20 * len(tags) + 8
    head = b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, len(tags))
    for tag, value in sorted(tags.items()):
        head += struct.pack("<HHQQ", tag, 16, 1, value)
    np.testing.assert_array_equal(tiffs.values(head + bytes(8) + values.tobytes()), values)


# -- limits and words ---------------------------------------------------------------------------------------
def test_a_picture_of_the_most_pixels_is_read_and_of_one_row_more_refused(tmp_path, monkeypatch):
    claims = bytearray(saved(np.zeros((1, 1), np.uint8), "BMP"))
    claims[18:26] = struct.pack("<ii", 8192, 8193)
    with pytest.raises(ValueError, match=r"wanted at most 67108864 pixels, got 8192 x 8193$"):
        shown(tmp_path, bytes(claims))
    monkeypatch.setattr(pictures, "PIXELS", 63)
    assert shown(tmp_path, saved(np.zeros((9, 7), np.uint8), "PNG")).shape == (9, 7)
    with pytest.raises(ValueError, match=r"wanted at most 63 pixels, got 8 x 8$"):
        shown(tmp_path, saved(np.zeros((8, 8), np.uint8), "PNG"))


@pytest.mark.parametrize(("error", "reason"), [
    (OSError("broken\n data"), "broken data"), (ValueError("no"), "no"), (KeyError("x"), "KeyError: 'x'"),
    (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"), (MemoryError(), "out of memory"),
])  # fmt: skip
def test_the_reason_names_a_kind_of_error_only_where_its_text_is_none_for_people(
    tmp_path, monkeypatch, error, reason
):
    def failing(_):
        raise error

    (tmp_path / "a.png").write_bytes(saved(np.zeros((2, 2), np.uint8), "PNG"))
    monkeypatch.setattr(pictures, "shown", failing)
    assert pictures.attempt(str(tmp_path / "a.png"))[1] == reason


@pytest.mark.parametrize("resize", pictures.FITS)
@pytest.mark.parametrize("side", [300, 512])
def test_a_large_picture_is_shrunk_to_the_mean_of_what_it_covers(resize, side):
    """Of fine noise: taking every other pixel would leave more of it."""
    noise = samples(256, (side, side, 3)).astype(np.uint8)
    found = np.asarray(pictures.Fit(8, resize).apply(image.fromarray(noise))).astype(int)
    whole = image.fromarray(noise).resize((8, 8), image.Resampling.BILINEAR)
    assert np.abs(found - np.asarray(whole)).max() <= 2 and found.std() < 4
