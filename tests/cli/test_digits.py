"""Small real pictures and a net in a file, as a user has them: scikit-learn's handwritten digits."""

import struct

import numpy as np
import pytest

from cynet import cli
from cynet.interop import safetensors
from cynet.runs import nets

datasets = pytest.importorskip("sklearn.datasets")
pytestmark = pytest.mark.usefixtures("one_thread")
LAST = 359  # pictures to test with, of other writers than the first ones
FLAGS = (
    "--model", "digits.py", "--model-option", "width=16", "--epochs", 10, "--batch-size", 64, "--workers", 0,
    "--augment", "affine:10:.1/.1", "--schedule", "one-cycle", "--no-report",
)  # fmt: skip
NET = """
import cynet

def model(input_shape, classes, width=32):
    height, length, channels = input_shape
    return cynet.Sequential(
        cynet.Conv2d(channels, width, 3, padding=1), cynet.BatchNorm2d(width), cynet.ReLU(),
        cynet.Conv2d(width, width, 3, padding=1), cynet.BatchNorm2d(width), cynet.ReLU(), cynet.MaxPool2d(2),
        cynet.Conv2d(width, 2 * width, 3, padding=1), cynet.BatchNorm2d(2 * width), cynet.ReLU(),
        cynet.Flatten(), cynet.Dropout(0.5),
        cynet.Linear(height // 2 * (length // 2) * 2 * width, classes),
    )
"""


def write_idx(path, array):
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder of one's own with digits.py, digits.npz, some.npy, and the same pictures as idx files."""
    digits = datasets.load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target
    parts = {"train": np.s_[:-LAST], "test": np.s_[-LAST:]}
    arrays = {f"{part}_images": images[these] for part, these in parts.items()}
    np.savez(tmp_path / "digits.npz", **arrays, **{f"{part}_labels": labels[s] for part, s in parts.items()})
    np.save(tmp_path / "some.npy", images[-LAST:][:3, ..., None])
    (tmp_path / "idx").mkdir()
    for part, these in parts.items():
        name = tmp_path / "idx" / {"train": "train", "test": "t10k"}[part]
        write_idx(name.with_name(f"{name.name}-images-idx3-ubyte"), images[these])
        write_idx(name.with_name(f"{name.name}-labels-idx1-ubyte"), labels[these])
    (tmp_path / "digits.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nets, "HERE", {})
    return labels[-LAST:][:3]


def test_handwritten_digits_are_learned_and_all_commands_know_them(files, capsys):
    def said(*arguments):
        nets.HERE.clear()
        assert cli.main(list(map(str, arguments))) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    text = said("train", *FLAGS, "--data", "digits.npz", "--run-dir", "run")
    assert float(text.split()[-1]) > 0.97 and "1,438 training and 359 test pictures of 10 classes" in text
    assert said("evaluate", "run").split()[-1] == text.split()[-1]
    assert "equal: 20 losses" in said("verify", "run")
    lines = said("predict", "run", "some.npy", "--top", 1).splitlines()
    assert [int(line.split()[0]) for line in lines if not line.startswith(("some", "run"))] == files.tolist()
    said("train", *FLAGS, "--data", "mnist", "--data-dir", "idx", "--run-dir", "idx-run")
    alike = [safetensors.load(f"{run}/last.safetensors")[0] for run in ("run", "idx-run")]
    assert all((alike[0][name] == alike[1][name]).all() for name in alike[0])
    more = said("train", "--resume", "run", "--epochs", 11, "--allow-change", "epochs", "--no-report")
    assert float(more.split()[-1]) > 0.97
    assert "report.html" in said("report", "run", "--no-timing")
