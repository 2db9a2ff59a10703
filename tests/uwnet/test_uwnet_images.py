"""Pictures, lists of pictures, and a script in the course's style."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cynet import uwnet
from cynet.data.images import pictures
from cynet.data.sets import shapes10

ROOT = Path(__file__).parents[2]

SCRIPT = """
from uwnet import *

def conv_net():
    l = [   make_convolutional_layer(32, 32, 3, 8, 3, 2),
            make_batchnorm_layer(8),
            make_activation_layer(RELU),
            make_maxpool_layer(16, 16, 8, 3, 2),
            make_convolutional_layer(8, 8, 8, 16, 3, 1),
            make_activation_layer(RELU),
            make_maxpool_layer(8, 8, 16, 3, 2),
            make_connected_layer(256, 3),
            make_activation_layer(SOFTMAX)]
    return make_net(l)

train = load_image_classification_data("list.train", "list.labels")
test  = load_image_classification_data("list.train", "list.labels")

batch = 8
iters = 12
rate = .01
momentum = .9
decay = .005

m = conv_net()
train_image_classifier(m, train, batch, iters, rate, momentum, decay)
print("training accuracy: %f", accuracy_net(m, train))
print("test accuracy:     %f", accuracy_net(m, test))
save_weights(m, "net.weights")
load_weights(m, "net.weights")
"""


def write_pictures(folder, count=12):
    image = pytest.importorskip("PIL.Image")
    (folder / "train").mkdir()
    pictures = shapes10._pictures(np.random.Philox(key=[10, 1]), np.arange(count) % 3)
    names = ("disc", "square", "ring")
    paths = [f"train/{i}_{names[i % 3]}.png" for i in range(count)]
    for path, picture in zip(paths, pictures, strict=True):
        image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).save(folder / path)
    (folder / "list.train").write_text("\n".join(paths) + "\n")
    (folder / "list.labels").write_text("\n".join(names) + "\n")
    return pictures


def test_a_script_of_the_course_runs(tmp_path):
    write_pictures(tmp_path)
    (tmp_path / "uwnet.py").write_text("from cynet.uwnet import *\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 12 and "000011: Loss: " in done.stderr
    assert "test accuracy:     %f" in done.stdout
    floats = 8 + 27 * 8 + 16 + 72 * 16 + 3 + 256 * 3
    assert (tmp_path / "net.weights").stat().st_size == 4 * floats


def test_a_list_of_pictures(tmp_path, monkeypatch):
    pictures = write_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    data = uwnet.load_image_classification_data("list.train", Path("list.labels"))
    np.testing.assert_array_equal(data.x, pictures.reshape(12, -1).astype(np.float32) / np.float32(255))
    assert np.array_equal(data.y, np.eye(3)[np.arange(12) % 3])


def test_the_file_name_decides_where_folders_hold_class_names_too(tmp_path, monkeypatch):
    write_pictures(tmp_path)
    (tmp_path / "disc").mkdir()
    (tmp_path / "train" / "1_square.png").rename(tmp_path / "disc" / "1_square.png")
    (tmp_path / "list.train").write_text("disc/1_square.png\r\n\n")
    monkeypatch.chdir(tmp_path)
    assert uwnet.load_image_classification_data("list.train", "list.labels").y.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize(
    "paths, labels, error",
    [
        ("", "disc", "list.train: wanted at least one line, got none"),
        ("train/0_disc.png", "\n\n", "list.labels: wanted at least one line, got none"),
        ("train/0_disc.png", "cat\ndog", "train/0_disc.png: wanted one class name in the path, got none of"),
        ("train/0_disc.png", "disc\n0", r"0_disc.png: wanted one class .* got \['disc', '0'\]"),
        ("train/0_disc.png\nsmall_disc.png", "disc", r"small_disc.png: wanted .*3, 32, 32.* got \(3, 2, 5\)"),
        ("broken_disc.png", "disc", "broken_disc.png: wanted a picture that Pillow can read"),
        ("half_disc.png", "disc", "half_disc.png: wanted a picture that Pillow can read"),
    ],
)  # fmt: skip
def test_lists_that_are_refused(tmp_path, monkeypatch, paths, labels, error):
    write_pictures(tmp_path, 1)
    monkeypatch.chdir(tmp_path)
    uwnet.save_png(np.zeros((3, 2, 5)), "small_disc")
    Path("broken_disc.png").write_bytes(b"no picture")
    whole = Path("train/0_disc.png").read_bytes()
    Path("half_disc.png").write_bytes(whole[: len(whole) // 2])
    Path("list.train").write_text(paths)
    Path("list.labels").write_text(labels)
    with pytest.raises(ValueError, match=error):
        uwnet.load_image_classification_data("list.train", "list.labels")


def test_a_missing_picture(tmp_path):
    pytest.importorskip("PIL")
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        uwnet.load_image(tmp_path / "none.png")


def test_a_picture_too_large_is_not_decoded(tmp_path, monkeypatch):
    write_pictures(tmp_path, 1)
    monkeypatch.setattr(pictures, "PIXELS", 1000)
    with pytest.raises(ValueError, match=r"0_disc.png.*wanted at most 1000 pixels, got 32 x 32"):
        uwnet.load_image(tmp_path / "train" / "0_disc.png")


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_go_to_files_and_back(tmp_path, channels):
    pytest.importorskip("PIL")
    image = np.random.default_rng(0).integers(0, 256, (channels, 5, 7)) / 255
    uwnet.save_png(image, tmp_path / "a")
    uwnet.save_png(image, str(tmp_path / "b.png"))
    for name in ("a.png", "b.png"):
        back = uwnet.load_image(tmp_path / name)
        assert back.dtype == np.float32 and back.shape == image.shape
        np.testing.assert_allclose(back, image, atol=1e-6)
    uwnet.save_image(np.full((channels, 8, 8), 0.5), str(tmp_path / "c"))
    np.testing.assert_allclose(uwnet.load_image(tmp_path / "c.jpg"), 0.5, atol=0.02)


def test_values_beyond_0_to_1_are_clipped(tmp_path):
    pytest.importorskip("PIL")
    uwnet.save_png(np.array([[[-1.0, 2.0, np.nan]]]), tmp_path / "a")
    assert uwnet.load_image(tmp_path / "a.png").tolist() == [[[0, 1, 0]]]


@pytest.mark.parametrize(
    "mode, channels", [("1", 1), ("L", 1), ("LA", 1), ("I;16", 1), ("P", 3), ("RGBA", 3)]
)
def test_pictures_of_other_modes(tmp_path, mode, channels):
    image = pytest.importorskip("PIL.Image")
    white = image.new(
        mode, (4, 2), {"LA": (255, 255), "RGBA": (255,) * 4, "I;16": 65535, "P": 0, "1": 1}.get(mode, 255)
    )
    if mode == "P":
        white.putpalette([255, 255, 255])
    white.save(tmp_path / "a.png")
    assert np.array_equal(uwnet.load_image(tmp_path / "a.png"), np.ones((channels, 2, 4)))


def test_without_pillow_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install 'cynet\[images\]'"):
        uwnet.load_image("a.png")
    with pytest.raises(ImportError, match=r"pip install 'cynet\[images\]'"):
        uwnet.save_png(np.zeros((1, 1, 1)), "a.png")


def test_of_class_names_within_each_other_the_longer_is_meant(tmp_path, monkeypatch):
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    for name in ("1_woman", "2_man"):
        uwnet.save_png(np.zeros((3, 2, 2)), name)
    (tmp_path / "list").write_text("1_woman.png\n2_man.png\n")
    (tmp_path / "labels").write_text("man\nwoman\n")
    assert uwnet.load_image_classification_data("list", "labels").y.tolist() == [[0, 1], [1, 0]]
