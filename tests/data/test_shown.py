"""Every mode of picture as a browser shows it: on white, of 8 bits, upright."""

import base64
import io
import json
import re
import shutil
import struct
import subprocess
import tempfile

import numpy as np
import photos
import pytest
from helpers import environment_of_others

from cynet.data.images import pictures

image = pytest.importorskip("PIL.Image")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FACTORS = {1: 255, 2: 85, 4: 17, 8: 1}


def words(*values):
    return struct.pack(f">{len(values)}H", *values)


def samples(most, shape, seed=0):
    return np.random.default_rng(seed).integers(0, most, shape)


def shown(tmp_path, content):
    """(height, width) or (height, width, 3) of what is read from the bytes of a file."""
    path = tmp_path / "picture"
    path.write_bytes(content)
    found = pictures.read(path)
    return found[0] if len(found) == 1 else found.transpose(1, 2, 0)


def saved(pixels, kind, **options):
    stream = io.BytesIO()
    picture = pixels if isinstance(pixels, image.Image) else image.fromarray(pixels)
    picture.save(stream, kind, **options)
    return stream.getvalue()


# -- transparency -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("bits", FACTORS)
def test_the_transparent_value_of_grey_pictures_is_white(tmp_path, bits):
    values = samples(2**bits, (5, 7))
    for clear in {0, 1, 2**bits - 1}:
        wanted = np.where(values == clear, 255, values * FACTORS[bits])
        np.testing.assert_array_equal(shown(tmp_path, photos.png(values, bits, 0, words(clear))), wanted)
        if bits > 1:  # only as many bits of it count as a pixel has
            masked = photos.png(values, bits, 0, words(0xF00 + clear))
            np.testing.assert_array_equal(shown(tmp_path, masked), wanted)


def test_of_sixteen_bits_all_count_for_transparency(tmp_path):
    values = np.array([[0x1234, 0x1235], [0x1334, 0x0034]])
    found = shown(tmp_path, photos.png(values, 16, 0, words(0x1234)))
    np.testing.assert_array_equal(found, [[255, 0x12], [0x13, 0]])
    colours = np.array([[[0x1234, 0x5678, 0x9ABC], [0x1234, 0x5678, 0x9ABD]]])
    found = shown(tmp_path, photos.png(colours, 16, 2, words(0x1234, 0x5678, 0x9ABC)))
    np.testing.assert_array_equal(found, [[[255] * 3, [0x12, 0x56, 0x9A]]])


def test_the_transparent_colour_is_white(tmp_path):
    values = samples(256, (5, 7, 3))
    values[2, 3] = 10, 20, 30
    wanted = values.copy()
    wanted[2, 3] = 255
    np.testing.assert_array_equal(shown(tmp_path, photos.png(values, 8, 2, words(10, 20, 30))), wanted)


@pytest.mark.parametrize("bits", FACTORS)
@pytest.mark.parametrize("clear", [b"\0", b"\xff\0", b"\x80\x40", b""])
def test_palettes_with_transparent_entries(tmp_path, bits, clear):
    values, colours = samples(2**bits, (5, 7)), samples(256, (2**bits, 3))
    content = photos.png(values, bits, 3, clear or None, bytes(colours.reshape(-1).tolist()))
    alpha = np.full(2**bits, 255)
    alpha[: len(clear)] = list(clear)[: 2**bits]
    wanted = 255 + (colours - 255.0) * (alpha / 255)[:, None]
    assert abs(shown(tmp_path, content) - wanted[values]).max() <= 1


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("colour", "channels"), [(4, 2), (6, 4)])
def test_alpha_channels(tmp_path, bits, colour, channels):
    values = samples(2**bits, (5, 7, channels))
    upper = values >> (bits - 8)
    wanted = 255 + (upper[..., :-1] - 255.0) * (upper[..., -1:] / 255)
    found = shown(tmp_path, photos.png(values, bits, colour))
    assert abs(found.reshape(wanted.shape) - wanted).max() <= 1


@pytest.mark.parametrize(("kind", "options"), [
    ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {}), ("TGA", {}), ("ICO", {}), ("PNG", {}),
    ("JPEG2000", {"irreversible": False}), ("DDS", {}),
])  # fmt: skip
def test_alpha_in_other_formats(tmp_path, kind, options):
    side = 16
    pixels = samples(256, (side, side, 4)).astype(np.uint8)
    pixels[..., 3] = np.where(pixels[..., 3] > 128, 255, 0)
    if kind == "ICO":
        options = {"sizes": [(side, side)]}
    wanted = np.where(pixels[..., 3:] == 255, pixels[..., :3], 255)
    np.testing.assert_array_equal(shown(tmp_path, saved(pixels, kind, **options)), wanted)


@pytest.mark.parametrize("grey", [False, True])
def test_gif_pictures_with_a_transparent_colour(tmp_path, grey):
    values = samples(4, (6, 8)).astype(np.uint8)
    colours = np.array([[n, n, n] for n in range(4)] if grey else samples(256, (4, 3)))
    picture = image.fromarray(values, "L" if grey else "P")
    if not grey:
        picture.putpalette(colours.reshape(-1).tolist())
    content = saved(picture, "GIF", transparency=1, optimize=False)
    found = shown(tmp_path, content)
    wanted = np.where((values == 1)[..., None], 255, colours[values])
    np.testing.assert_array_equal(np.broadcast_to(found.reshape(6, 8, -1), (6, 8, 3)), wanted)


def test_around_a_small_frame_a_gif_is_transparent(tmp_path):
    picture = image.fromarray(samples(4, (3, 4)).astype(np.uint8), "P")
    picture.putpalette([10, 20, 30, 200, 0, 0, 0, 200, 0, 9, 9, 200])
    content = bytearray(saved(picture, "GIF"))
    content[6:10] = struct.pack("<HH", 8, 6)  # the screen
    at = content.index(b"\x2c", 13 + 3 * 2 ** ((content[10] & 7) + 1))
    content[at + 1 : at + 5] = struct.pack("<HH", 2, 1)
    found = shown(tmp_path, bytes(content))
    wanted = np.full((6, 8, 3), 255)
    wanted[1:4, 2:6] = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(found, wanted)


# -- depth ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000"])
def test_sixteen_bits_give_their_upper_eight_in_every_format(tmp_path, kind):
    wide = samples(2**16, (16, 16)).astype(np.uint16)
    np.testing.assert_array_equal(shown(tmp_path, saved(wide, kind)), wide >> 8)


def test_grey_of_a_smaller_range_is_scaled_where_the_file_tells_it(tmp_path):
    values = samples(4096, (4, 4)).astype(">u2")
    found = shown(tmp_path, b"P5 4 4 4095\n" + values.tobytes())
    assert abs(found - values / 4095 * 255).max() <= 1


@pytest.mark.parametrize(("values", "words"), [
    (np.linspace(0, 1, 16, dtype=np.float32), "floats from 0 to 1, wanted 8 bits a pixel, 0 to 255, or 16"),
    (np.array([0, np.nan, np.inf, 2] * 4, np.float32), r"floats from 0 to 2 \(8 of 16 are NaN or infinite\)"),
    (np.full(16, np.nan, np.float32), r"floats \(16 of 16 are NaN"),
    (np.arange(-3, 13, dtype=np.int32), "integers with a sign or of 32 bits from -3 to 12"),
])  # fmt: skip
def test_pixels_of_no_known_white_are_refused_with_their_range(tmp_path, values, words):
    path = tmp_path / "a.tif"
    image.fromarray(values.reshape(4, 4)).save(path)
    with pytest.raises(pictures.PictureError, match=rf"a\.tif: it holds {words}") as caught:
        pictures.read(path)
    assert not caught.value.damaged


def test_colours_that_pillow_does_not_convert_are_named(tmp_path):
    path = tmp_path / "a.tif"
    image.fromarray(samples(256, (4, 4, 3)).astype(np.uint8)).convert("LAB").save(path)
    with pytest.raises(pictures.PictureError, match="its colours are LAB, wanted grey or RGB"):
        pictures.read(path)


# -- the camera -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", photos.UPRIGHT)
@pytest.mark.parametrize("kind", ["rgb", "grey", "palette", "sixteen", "webp", "tiff", "tiff16", "jpeg"])
def test_the_camera_is_upright_in_every_mode_and_format(tmp_path, number, kind):
    note, turn = photos.turned_note(number), photos.UPRIGHT[number]
    colour, grey, wide = samples(256, (5, 7, 3)), samples(256, (5, 7)), samples(2**16, (5, 7))
    palette = bytes(samples(256, 768, 1).tolist())
    table = np.frombuffer(palette, np.uint8).reshape(256, 3)
    small = colour.astype(np.uint8)
    exif = b"Exif\0\0" + note
    tags = {"exif": exif}
    even = np.repeat(np.repeat(samples(256, (3, 2)), 16, 0), 16, 1).astype(np.uint8)
    content, wanted = {
        "rgb": lambda: (photos.png(colour, 8, 2, exif=note), colour),
        "grey": lambda: (photos.png(grey, 8, 0, words(int(grey[0, 0])), exif=note), _white(grey, grey[0, 0])),
        "palette": lambda: (photos.png(grey, 8, 3, palette=palette, exif=note), table[grey]),
        "sixteen": lambda: (photos.png(wide, 16, 0, exif=note), wide >> 8),
        "webp": lambda: (saved(small, "WEBP", lossless=True, **tags), colour),
        "tiff": lambda: (saved(small, "TIFF", tiffinfo={0x0112: number}), colour),
        "tiff16": lambda: (saved(wide.astype(np.uint16), "TIFF", tiffinfo={0x0112: number}), wide >> 8),
        "jpeg": lambda: (saved(even, "JPEG", quality=100, **tags), even),
    }[kind]()
    np.testing.assert_array_equal(shown(tmp_path, content), turn(wanted))


def _white(values, clear):
    return np.where(values == clear, 255, values)


def test_a_damaged_or_foreign_note_turns_nothing(tmp_path):
    colour = samples(256, (5, 7, 3))
    for note in (b"II*\0", b"\xff" * 40, photos.turned_note(9), photos.turned_note(0)):
        np.testing.assert_array_equal(shown(tmp_path, photos.png(colour, 8, 2, exif=note)), colour)
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    content = saved(colour.astype(np.uint8), "WEBP", lossless=True, xmp=xmp)
    np.testing.assert_array_equal(shown(tmp_path, content), colour)


def test_a_turned_picture_is_fitted_upright(tmp_path):
    tall = np.zeros((40, 20, 3), np.uint8)
    tall[:10] = 255
    path = tmp_path / "a.jpg"
    image.fromarray(np.rot90(tall, 1)).save(path, exif=b"Exif\0\0" + photos.turned_note(6), quality=100)
    found = pictures.read(path, pictures.Fit((8, 4)))
    assert found.shape == (3, 8, 4) and (found[:, :2] > 200).all() and (found[:, 3:] < 5).all()


# -- a real browser ---------------------------------------------------------------------------------------
def zoo():
    """{name: (content, MIME type)} of pictures in every mode that PNG, GIF, WebP and JPEG have."""
    found = {}
    for bits in (1, 2, 4, 8, 16):
        values = samples(2**bits, (5, 7))
        found[f"grey{bits}"] = photos.png(values, bits, 0)
        found[f"grey{bits} clear"] = photos.png(values, bits, 0, words(int(values[0, 0])))
        if bits < 16:
            colours = bytes(samples(256, 3 * 2**bits).tolist())
            found[f"palette{bits}"] = photos.png(values, bits, 3, b"\x80\0", colours)
    for bits in (8, 16):
        colour = samples(2**bits, (5, 7, 3))
        found[f"rgb{bits}"] = photos.png(colour, bits, 2, words(*colour[0, 0].tolist()))
        found[f"la{bits}"] = photos.png(samples(2**bits, (5, 7, 2)), bits, 4)
        found[f"rgba{bits}"] = photos.png(samples(2**bits, (5, 7, 4)), bits, 6)
    even = np.repeat(np.repeat(samples(256, (3, 4, 3)), 16, 0), 16, 1).astype(np.uint8)
    for number in photos.UPRIGHT:
        note = photos.turned_note(number)
        found[f"turned{number}"] = photos.png(samples(256, (5, 7, 3)), 8, 2, exif=note)
        found[f"turned{number} palette"] = photos.png(samples(4, (5, 7)), 2, 3, None, bytes(range(12)), note)
        found[f"turned{number} sixteen"] = photos.png(samples(2**16, (5, 7)), 16, 0, exif=note)
        options = {"exif": b"Exif\0\0" + note, "quality": 95, "subsampling": 0}
        found[f"turned{number}.jpeg"] = saved(even, "JPEG", **options)
    found["cmyk.jpeg"] = saved(image.fromarray(even).convert("CMYK"), "JPEG", quality=100)
    alpha = samples(256, (6, 8, 4)).astype(np.uint8)
    found["rgba.webp"] = saved(alpha, "WEBP", lossless=True, exact=True)
    picture = image.fromarray(samples(4, (6, 8)).astype(np.uint8), "P")
    picture.putpalette(list(range(0, 240, 20)))
    found["clear.gif"] = saved(picture, "GIF", transparency=1)
    found["grey.gif"] = saved(alpha[..., 0], "GIF", transparency=int(alpha[0, 0, 0]), optimize=False)
    return {name: (content, f"image/{name.partition('.')[2] or 'png'}") for name, content in found.items()}


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_real_browser_shows_the_same(tmp_path):
    drawn = zoo()
    tags = "".join(
        f'<img data-name="{name}" src="data:{kind};base64,{base64.b64encode(content).decode()}">'
        for name, (content, kind) in drawn.items()
    )
    script = """
    window.onload = () => {
      const found = {};
      for (const picture of document.images) {
        const canvas = document.createElement("canvas"), place = canvas.getContext("2d");
        canvas.width = picture.naturalWidth;
        canvas.height = picture.naturalHeight;
        place.fillStyle = "#fff";
        place.fillRect(0, 0, canvas.width, canvas.height);
        place.drawImage(picture, 0, 0);
        const pixels = place.getImageData(0, 0, canvas.width, canvas.height).data;
        found[picture.dataset.name] = [canvas.height, canvas.width, Array.from(pixels)];
      }
      document.getElementById("found").textContent = JSON.stringify(found);
    };"""
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><pre id=found></pre>{tags}<script>{script}</script>")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        done = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--force-color-profile=srgb",
             f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
            capture_output=True, text=True, timeout=100, env=environment_of_others(),
        )  # fmt: skip
    found = json.loads(re.search(r"<pre id=.found.>(.*?)</pre>", done.stdout, re.DOTALL)[1])
    assert found.keys() == drawn.keys()
    for name, (height, width, values) in found.items():
        theirs = np.array(values).reshape(height, width, 4)[..., :3]
        ours = shown(tmp_path, drawn[name][0]).reshape(height, width, -1).astype(int)
        assert abs(ours - theirs).max() <= 1, name


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize(("dtype", "kind", "words"), [
    ("i1", 2, "integers with a sign or of 32 bits from -5 to 6,"),
    ("<i2", 2, "integers with a sign or of 32 bits from -5 to 6,"),
    ("<u4", 1, "integers with a sign or of 32 bits from 6 to 4294967295,"),
    ("<u8", 1, "integers with a sign or of 64 bits from 6 to 4294967295,"),
    ("<f2", 3, "floats from -5 to 6,"),
    ("<f4", 3, "floats from -5 to 6,"),
    ("<f8", 3, "floats from -5 to 6,"),
])  # fmt: skip
def test_tiff_files_of_what_no_screen_shows_are_told_with_their_range(tmp_path, dtype, kind, words, channels):
    values = np.full((2, 3, *channels), 6)
    values[0, 0] = 2**32 - 1 if kind == 1 else -5
    path = tmp_path / "a.tif"
    path.write_bytes(photos.tiff(values.astype(dtype), kind))
    with pytest.raises(pictures.PictureError, match=rf"a\.tif: it holds {words}") as caught:
        pictures.read(path)
    assert not caught.value.damaged


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # so Pillow says of a file that is cut
def test_tiff_files_of_bytes_and_damaged_ones_are_as_before(tmp_path):
    path, values = tmp_path / "a.tif", np.arange(12, dtype="u1").reshape(3, 4)
    path.write_bytes(photos.tiff(values, 1))
    assert (pictures.read(path)[0] == values).all()
    for end in (6, 20, 90):
        path.write_bytes(photos.tiff(values.astype("<f2"), 3)[:end])
        with pytest.raises(pictures.PictureError) as caught:
            pictures.read(path)
        assert caught.value.damaged


@pytest.mark.parametrize("kind", ["P5", "P6"])
def test_sixteen_bits_of_a_portable_pixmap_give_their_upper_eight(tmp_path, kind):
    path = tmp_path / "a.ppm"
    values = words(0x12FF, 0x80, 0xFFFF)
    path.write_bytes(f"{kind} {3 if kind == 'P5' else 1} 1 65535\n".encode() + values)
    assert pictures.read(path).reshape(-1).tolist() == [0x12, 0, 0xFF]
