"""`cynet data`: fetch, check, show."""

import struct
import zlib

import numpy as np
import pytest
import tiny  # noqa: F401  (adds the data set "tiny")

from cynet import cli, data
from cynet.data import inspection
from cynet.data.sets import sources


def said(capsys, *arguments):
    status = cli.main(["data", *map(str, arguments)])
    found = capsys.readouterr()
    return status, found.out, found.err


def decoded(content):
    """The pixels of a PNG in colour without filters."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    at, parts = 8, {}
    while at < len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        parts[kind] = content[at + 8 : at + 8 + size]
        (check,) = struct.unpack(">I", content[at + 8 + size : at + 12 + size])
        assert zlib.crc32(kind + parts[kind]) == check
        at += 12 + size
    width, height = struct.unpack(">II", parts[b"IHDR"][:8])
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, -1)
    return rows[:, 1:].reshape(height, width, 3)


def test_check_counts_and_tells_the_fingerprint(capsys):
    status, out, err = said(capsys, "check", "tiny")
    assert (status, err) == (0, "")
    assert "train: 64 pictures of 32 x 32, 3 channels, 3 classes" in out and "test: 20 pictures" in out
    assert data.load("tiny").fingerprint() in out and "  a         22" in out
    status, out, _ = said(capsys, "check", "shapes10", "--split", "test")
    assert status == 0 and "400 of each class, as published" in out and "train:" not in out


def test_check_finds_wrong_counts_and_damaged_files(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sources.COUNTS, "tiny", {"train": (22, 21, 20), "test": (7, 7, 6)})
    status, out, err = said(capsys, "check", "tiny")
    assert status == 1 and "c         21, wanted 20" in out and "not as published" in err
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"cut")
    status, out, err = said(capsys, "check", "cifar10", "--data-dir", tmp_path)
    assert status == 1 and "cifar-10-binary.tar.gz: wanted 170052171 bytes, got 3" in out
    assert "1 file is not as published: fetch again" in err
    assert not inspection.check(data.ArrayDataset(np.zeros((1, 3, 2, 2), np.uint8), [0], ("a", "b"))).right


def test_show_draws_what_a_loader_gives(capsys, tmp_path):
    path = tmp_path / "x.png"
    flags = "--output", path, "--columns", 4, "--no-augment"
    status, out, err = said(capsys, "show", "tiny", *flags)
    assert (status, err) == (0, "") and "rows from the top: a, b, c" in out
    pixels = decoded(path.read_bytes())
    assert pixels.shape == (2 * (3 * 34 + 2), 2 * (4 * 34 + 2), 3)
    dataset = data.load("tiny")
    small = pixels[::2, ::2]
    originals = {picture.tobytes() for picture in dataset.images.transpose(0, 2, 3, 1)}
    for row in range(3):
        for column in range(4):
            top, left = 2 + 34 * row, 2 + 34 * column
            assert small[top : top + 32, left : left + 32].tobytes() in originals
    first = path.read_bytes()
    said(capsys, "show", "tiny", *flags)
    assert path.read_bytes() == first
    said(capsys, "show", "tiny", *flags[:-1], "--cutout", 8, "--epoch", 1)
    assert path.read_bytes() != first


def test_the_mosaic_of_grey_pictures_and_empty_classes():
    images = np.random.default_rng(0).integers(0, 256, (5, 1, 6, 4), np.uint8)
    dataset = data.ArrayDataset(images, [0, 0, 2, 2, 2], ("a", "b", "c"))
    drawn = inspection.mosaic(dataset, columns=3)
    assert drawn.shape == (2 * 8 + 2, 3 * 6 + 2) and (drawn[2:8, 14:18] == inspection.GROUND).all()


@pytest.mark.parametrize(("arguments", "words"), [
    (["check", "cifra10"], "NAME: wanted one of shapes10, cifar10"),
    (["fetch", "shapes10"], "NAME: wanted a data set that is published (cifar10"),
    (["fetch", "mnist", "--mirror", "ftp://x"], "--mirror: wanted an address with http"),
    (["show", "tiny", "--output", "no/x.png"], "--output: wanted a file in a folder that exists"),
    (["check", "cifar10", "--data-dir", "."], "--data-dir: "),
    (["check", "image_folder"], "--data-dir: "),
    (["sho", "tiny"], "did you mean show?"),
])  # fmt: skip
def test_what_cannot_be_done_is_refused_in_one_line(capsys, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    status, out, err = said(capsys, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1) and words in err


def test_what_is_fetched_is_told(capsys, monkeypatch, tmp_path):
    from cynet.data.sets import download

    path = tmp_path / "x"
    path.write_bytes(bytes(1234))
    monkeypatch.setattr(download, "fetch", lambda name, root, mirror: [path])
    assert said(capsys, "fetch", "mnist") == (0, f"{path}: 1,234 bytes, as published\n", "")

    def offline(*_):
        raise OSError("no network")

    monkeypatch.setattr(download, "fetch", offline)
    assert said(capsys, "fetch", "mnist") == (1, "", "cynet data: error: no network\n")


def test_check_says_what_is_uneven_and_what_to_do(capsys, tmp_path):
    y = np.repeat([0, 1, 2], [30, 5, 1])
    x = np.zeros((36, 4, 4), np.uint8)
    names = {"train_images": x, "train_labels": y, "test_images": x, "test_labels": y}
    np.savez(tmp_path / "x.npz", **names, classes=np.array(["a", "b", "c"]))
    status, out, _ = said(capsys, "check", "arrays", "--data-dir", tmp_path / "x.npz")
    training, test = out.split("test: ")
    assert status == 0
    assert "  classes are uneven: 30 pictures of a, 1 of c; cynet train --balanced" in training
    assert "  a single picture of: c\n" in training and "--class-weights balanced" in training
    assert "  classes are uneven: 30 pictures of a, 1 of c\n" in test
    assert "uneven" not in said(capsys, "check", "tiny")[1]


@pytest.fixture
def wide(tmp_path):
    """A folder of pictures of 12 x 20, the upper half of which is white."""
    image = pytest.importorskip("PIL.Image")
    pixels = np.zeros((12, 20, 3), np.uint8)
    pixels[:6] = 255
    for name in ("a", "b"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for k in range(5):
            image.fromarray(pixels).save(tmp_path / "pets" / name / f"{k}.png")
    return tmp_path / "pets"


def test_the_size_of_pictures_is_height_then_width(capsys, wide, tmp_path):
    of = ["image_folder", "--data-dir", wide, "--image-size", "12x20"]
    status, out, _ = said(capsys, "check", *of)
    assert status == 0 and "train: 8 pictures of 12 x 20, 3 channels, 2 classes" in out
    path = tmp_path / "x.png"
    assert said(capsys, "show", *of, "--no-augment", "--columns", 1, "--output", path)[0] == 0
    found = decoded(path.read_bytes())
    factor = len(found) // (2 * 12 + 3 * inspection.GAP)
    first = found[::factor, ::factor][inspection.GAP :, inspection.GAP :][:12, :20]
    assert first[:6].min() == 255 and first[6:].max() == 0 and (found[:2] == 255).all()
    assert said(capsys, "show", *of, "--augment", "random-resized-crop:6x8", "--output", path)[0] == 0
    height, width, _ = decoded(path.read_bytes()).shape
    assert (height % (2 * 6 + 3 * 2), width % (10 * 8 + 11 * 2)) == (0, 0)


def test_the_layout_and_the_task_of_arrays_are_told_by_flags(capsys, tmp_path):
    signals, labels = np.zeros((6, 9, 2), np.float32), [0, 1] * 3
    signals += np.arange(6)[:, None, None]
    np.savez(tmp_path / "a.npz", x_train=signals, y_train=labels, x_test=signals, y_test=labels)
    status, out, err = said(capsys, "check", tmp_path / "a.npz")
    assert status == 2 and "error: --layout: wanted NHW, NLC or NCL, since" in err
    status, out, err = said(capsys, "check", tmp_path / "a.npz", "--layout", "NLC", "--task", "regress")
    assert (status, err) == (0, "") and "train: 6 signals of 9, 2 channels, float32, 1 number\n" in out


@pytest.mark.parametrize(("flags", "words"), [
    (["--image-size", "4"], "--image-size: wanted pictures in files"),
    (["--layout", "NHWC"], "--layout: wanted arrays, got data set tiny"),
    (["--task", "regress"], "--task: wanted classify, as the labels of tiny are, got regress"),
])  # fmt: skip
def test_flags_on_the_shape_of_other_data_are_refused_by_name(capsys, flags, words):
    for what in ("check", "show"):
        status, _, err = said(capsys, what, "tiny", *flags)
        assert status == 2 and words in err and err.count("\n") == 1


def test_a_row_of_numbers_goes_from_the_least_to_the_greatest(capsys, tmp_path):
    images = np.zeros((20, 4, 4, 1), np.uint8) + np.arange(20, dtype=np.uint8)[:, None, None, None] * 10
    numbers = np.stack([np.arange(20), -np.arange(20)], 1).astype(np.float32)
    samples = data.ArrayDataset(images.transpose(0, 3, 1, 2), numbers, ["up", "down"])
    found = inspection.mosaic(samples, columns=5)[inspection.GAP :: 6, inspection.GAP :: 6]
    np.testing.assert_array_equal(found[:2, :5], [[0, 50, 100, 140, 190], [190, 140, 90, 50, 0]])
    assert inspection.shown(samples) == ["up from 0 to 19", "down from -19 to 0"]


def show_arrays(capsys, folder, samples, *flags):
    """What `cynet data show` says of samples as arrays, and the file that it drew."""
    labels = np.arange(len(samples)) % 2
    np.savez(folder / "a.npz", x_train=samples, y_train=labels, x_test=samples, y_test=labels)
    return *said(capsys, "show", folder / "a.npz", "--output", folder / "x.png", *flags), folder / "x.png"


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_of_other_channels_than_grey_and_colour_the_first_is_drawn(capsys, tmp_path, channels):
    pictures = np.zeros((6, channels, 8, 9), np.uint8)
    status, out, err, path = show_arrays(capsys, tmp_path, pictures, "--layout", "NCHW")
    assert (status, err) == (0, "") and path.read_bytes()[25] == 0  # grey
    assert out.endswith(f"note: of {channels} channels the first is drawn, as grey\n")
    pictures += np.arange(50, 50 + channels, dtype=np.uint8)[:, None, None]
    several = data.ArrayDataset(pictures, [0, 1] * 3)
    assert (inspection.mosaic(several, columns=3)[2:10, 2:11] == 50).all()


def test_pictures_of_floats_are_drawn_from_their_least_to_their_greatest(capsys, tmp_path):
    floats = np.linspace(-3, 5, 6 * 8 * 8 * 3, dtype=np.float32).reshape(6, 8, 8, 3)
    status, out, err, path = show_arrays(capsys, tmp_path, floats)
    assert (status, err) == (0, "") and "note: floats are drawn as they are" in out
    assert (decoded(path.read_bytes()).min(), decoded(path.read_bytes()).max()) == (0, 255)
    status, _, err, _ = show_arrays(capsys, tmp_path, floats, "--augment", "flip")
    assert status == 2 and "--augment: wanted pictures of bytes" in err and err.count("\n") == 1
    for samples, flags in ((floats[..., 0], ["--layout", "NLC"]), (floats[:, 0, 0], [])):
        status, _, err, _ = show_arrays(capsys, tmp_path, samples, *flags)
        assert status == 2 and "wanted pictures to draw, got" in err and err.count("\n") == 1
    samples = data.ArrayDataset(floats.transpose(0, 3, 1, 2), [0, 1] * 3)
    with pytest.raises(ValueError, match="transforms: wanted none of pictures of floats"):
        inspection.mosaic(samples, [data.RandomHorizontalFlip()])


@pytest.mark.parametrize(("augment", "name"), [
    ("mixup", "mixup"), ("flip,cutmix:.5", "cutmix"), ("flip", ""),
])  # fmt: skip
def test_mixing_is_said_not_to_be_drawn(capsys, tmp_path, augment, name):
    status, out, err = said(capsys, "show", "tiny", "--augment", augment, "--output", tmp_path / "x.png")
    note = f"note: {name} mixes pictures of whole batches: it is not drawn\n" if name else ""
    assert (status, err) == (0, "") and "".join(out.splitlines(True)[1:]) == note
