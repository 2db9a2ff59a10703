"""Pictures from files: reading and fitting them, what is no picture, and the processes that decode."""

import contextlib
import io
import os
import socket
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photos import RNG, draw

from cynet.data.images import decoding, pictures

image = pytest.importorskip("PIL.Image")


# -- reading -----------------------------------------------------------------------------------------------
def test_a_picture_keeps_its_size_and_channels(tmp_path):
    colour = draw(tmp_path / "a.png")
    np.testing.assert_array_equal(pictures.read(tmp_path / "a.png"), colour.transpose(2, 0, 1))
    grey = draw(tmp_path / "g.png", mode="L")
    np.testing.assert_array_equal(pictures.read(tmp_path / "g.png"), grey[None])


def test_fit_cuts_the_middle_and_scales(tmp_path):
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 200
    image.fromarray(pixels).save(tmp_path / "a.png")
    cut = pictures.read(tmp_path / "a.png", pictures.Fit(10))
    assert cut.shape == (3, 10, 10) and (cut == 200).all()
    whole = pictures.read(tmp_path / "a.png", pictures.Fit((10, 30), "stretch", channels=1))
    np.testing.assert_array_equal(whole[0], pixels[..., 0])


def test_fit_cuts_the_middle_of_tall_pictures_too():
    pixels = np.zeros((30, 10, 3), np.uint8)
    pixels[10:20] = 200
    np.testing.assert_array_equal(pictures.Fit(10).apply(image.fromarray(pixels)), np.full((10, 10, 3), 200))


def test_what_is_transparent_is_on_white_and_the_camera_is_upright(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[0, 0] = 10, 20, 30, 255
    image.fromarray(pixels).save(tmp_path / "a.png")
    found = pictures.read(tmp_path / "a.png", pictures.Fit(4))
    assert found[:, 0, 0].tolist() == [10, 20, 30] and (found[:, 1:] == 255).all()
    exif = image.Exif()
    exif[0x0112] = 6  # the camera was turned: the first row is the right side
    turned = draw(tmp_path / "b.png", 6, 6, exif=exif)
    np.testing.assert_array_equal(
        pictures.read(tmp_path / "b.png", pictures.Fit(6)), np.rot90(turned, -1).transpose(2, 0, 1)
    )


def test_sixteen_bits_give_their_upper_eight(tmp_path):
    wide = RNG.integers(0, 2**16, (5, 5)).astype(np.uint16)
    image.fromarray(wide).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pictures.read(tmp_path / "a.png")[0], wide >> 8)


@pytest.mark.parametrize("size", [(8, 64), (64, 8), (64, 32), (64, 64)])
@pytest.mark.parametrize("resize", pictures.FITS)
def test_a_large_jpeg_is_decoded_at_three_times_what_is_wanted_or_more(tmp_path, size, resize):
    """Of the longer side: fine stripes, along and across, come out as those of the whole picture do."""
    rows, columns = np.mgrid[:512, :512] // 8 % 2
    pixels = np.stack([rows * 255, columns * 255, rows * 0 + 90], axis=-1).astype(np.uint8)
    image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    fit = pictures.Fit(size, resize)
    whole = np.asarray(fit.apply(image.open(tmp_path / "a.jpg"))).transpose(2, 0, 1).astype(int)
    assert np.abs(pictures.read(tmp_path / "a.jpg", fit) - whole).max() <= 12


@given(*[st.integers(1, 400)] * 4, st.sampled_from(pictures.FITS))
def test_every_size_fits_every_other(width, height, wide, high, resize):
    fit = pictures.Fit((high, wide), resize)
    found = fit.apply(image.new("RGB", (width, height), (10, 20, 30)))
    assert found.size == (wide, high) and found.getpixel((0, 0)) == (10, 20, 30)


def test_a_size_that_rounding_once_placed_outside_of_the_picture(tmp_path):
    draw(tmp_path / "a.jpg", 62, 94)
    assert pictures.read(tmp_path / "a.jpg", pictures.Fit((60, 80))).shape == (3, 60, 80)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_a_cut_or_damaged_picture_is_named(tmp_path, kind):
    whole = io.BytesIO()
    image.fromarray(RNG.integers(0, 256, (20, 20, 3), np.uint8)).save(whole, kind)
    whole, path = whole.getvalue(), tmp_path / "a.pic"
    for cut in range(0, len(whole) // 2, 11):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=r"a\.pic: wanted a picture that Pillow can read"):
            pictures.read(path)


@pytest.mark.parametrize(("content", "reason"), [
    (b"", "empty file"), (bytes(500), "it holds nothing but zeros"), (b"no picture", "it is of no kind that"),
    (b"<!DOCTYPE html><p>404", "it is a web page"), (b"\xef\xbb\xbf <svg x", "it is an SVG drawing"),
    (b"%PDF-1.7", "it is a PDF document"), (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    (b"\0\0\0\x18ftypheic\0\0\0\0", "it is HEIC, which the package pillow-heif reads"),
    (b"\xff\x0a" + bytes(20), "it is JPEG XL, which the package pillow-jxl-plugin reads"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is EPS, which is not read"),
])  # fmt: skip
def test_what_is_no_picture_is_told_by_its_first_bytes(tmp_path, content, reason):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(pictures.PictureError, match=rf"a\.jpg: wanted a picture .*: .*{reason}") as caught:
        pictures.read(tmp_path / "a.jpg")
    assert caught.value.damaged


def test_what_is_no_regular_file_is_never_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for ever
    (tmp_path / "folder.png").mkdir()
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        names = {"pipe.png": "a pipe", "folder.png": "a folder", "socket.png": "a socket"}
        for name, what in (names | {"/dev/zero": "a device"}).items():
            with pytest.raises(ValueError, match=f"{name}: .*: it is {what}"):
                pictures.read(name)


def test_the_cap_on_a_files_size_comes_before_reading(tmp_path):
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(pictures.BYTES + 1)  # of holes
    with pytest.raises(ValueError, match=r"huge\.png: .*wanted at most 536870912 bytes, got 536870913"):
        pictures.read(tmp_path / "huge.png")


def test_memory_that_ran_out_is_no_damage(tmp_path, monkeypatch):
    draw(tmp_path / "a.png")

    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr(pictures, "shown", exhausted)
    assert pictures.attempt(tmp_path / "a.png") == (tmp_path / "a.png", "out of memory", False, None)


def test_the_cap_on_pixels_comes_before_decoding(tmp_path, monkeypatch):
    draw(tmp_path / "a.png", 30, 40)
    monkeypatch.setattr(pictures, "PIXELS", 1199)
    with pytest.raises(ValueError, match=r"a\.png: .*wanted at most 1199 pixels, got 40 x 30"):
        pictures.read(tmp_path / "a.png")


def test_a_chunk_that_claims_two_gibibytes_takes_no_memory(tmp_path):
    draw(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    at = content.index(b"IDAT")
    content[at - 4 : at] = (2**31).to_bytes(4, "big")
    content[at + 4 :] = bytes(len(content) - at - 4)
    (tmp_path / "a.png").write_bytes(content)
    tracemalloc.start()
    with contextlib.suppress(ValueError):
        pictures.read(tmp_path / "a.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def test_without_pillow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ImportError, match=r"cynet\[images\]"):
        pictures.pillow()


@pytest.mark.parametrize(("arguments", "problem"), [
    ({"size": 0}, "size"), ({"size": 1 << 20}, "size: wanted at most"),
    ({"size": 4, "resize": "fit"}, "resize: wanted one of crop, stretch"),
    ({"size": 4, "channels": 4}, "channels: wanted 1 or 3"),
])  # fmt: skip
def test_bad_fits_are_named(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        pictures.Fit(**arguments)


# -- workers -----------------------------------------------------------------------------------------------
def test_workers_give_the_same_pictures_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "CHUNK", 2)
    paths = [str(tmp_path / f"{i}.png") for i in range(7)]
    wanted = [draw(tmp_path / f"{i}.png") for i in range(7)]
    for workers in (0, 2):
        found = [p for chunk in decoding.decoded(paths, None, workers) for p in chunk]
        np.testing.assert_array_equal(found, np.array(wanted).transpose(0, 3, 1, 2))


def test_workers_go_on_after_what_is_no_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "CHUNK", 2)
    wanted = draw(tmp_path / "c.png")
    (tmp_path / "a.png").touch()
    paths = [str(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    for workers in (0, 1):
        chunks = decoding.decoded(paths, None, workers, pictures.attempt)
        empty, gone, sound = (found for chunk in chunks for found in chunk)
        assert empty == (paths[0], "empty file", True, None)
        assert gone == (paths[1], "No such file or directory", False, 2)
        np.testing.assert_array_equal(sound, wanted.transpose(2, 0, 1))


def test_a_worker_names_the_file_that_is_no_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "CHUNK", 1)
    draw(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    paths = [str(tmp_path / name) for name in ("a.png", "b.png", "gone.png")]
    with pytest.raises(ValueError, match=r"b\.png: wanted a picture"):
        list(decoding.decoded(paths, None, 2))
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        list(decoding.decoded(paths[::2], None, 1))
