"""What a file is that is no weights file: said by its first bytes, and nothing of it is believed."""

import os
import socket
import zipfile

import numpy as np
import pytest

from cynet.interop import kinds, safetensors
from cynet.runs import checkpoint
from cynet.train import load_weights


def zipped(*names):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"1")

    return write


def holding(content):
    return lambda path: path.write_bytes(content)


HDF5 = b"\x89HDF\r\n\x1a\n"
FILES = [
    ("t.pt", zipped("archive/data.pkl", "archive/data/0"), "a PyTorch file (zip)"),
    ("t.pth", holding(kinds.TORCH_LEGACY + b"rest"), "a PyTorch file (the old layout, a pickle)"),
    ("s.pt", zipped("net/data.pkl", "net/code/__torch__.py"), "a TorchScript file (zip)"),
    ("x.npz", lambda path: np.savez(path, a=np.ones(3)), "a NumPy archive (.npz)"),
    ("x.npy", lambda path: np.save(path, np.ones(3)), "a NumPy array (.npy)"),
    ("m.onnx", holding(b"\x08\x07\x12\x07pytorch\x1a\x031.9"), "an ONNX file"),
    ("renamed.bin", holding(b"\x08\x07\x12\x07pytorch\x1a\x031.9"), "an ONNX file"),
    ("m.h5", holding(HDF5 + bytes(80)), "an HDF5 file (as Keras and MATLAB write)"),
    ("m.mat", holding(b"MATLAB 7.3".ljust(512) + HDF5), "an HDF5 file (as Keras and MATLAB write)"),
    ("m.keras", zipped("config.json", "model.weights.h5"), "a Keras file (zip)"),
    ("m.tflite", holding(b"\x1c\0\0\0TFL3" + bytes(20)), "a TensorFlow Lite file"),
    ("m.pb", holding(b"\x0a\x30\x0a\x0b" + b"\xff" * 40), "a TensorFlow file (protobuf)"),
    ("p.pkl", holding(b"\x80\x04\x95\x10" + bytes(7) + b"}."), "a pickle"),
    ("z.zip", zipped("a", "b"), "a zip archive"),
    ("cut.pt", holding(b"PK\x03\x04cut"), "a zip archive that is damaged"),
    ("a.png", holding(b"\x89PNG\r\n\x1a\n" + bytes(9)), "a picture (PNG)"),
    ("w.tar.gz", holding(b"\x1f\x8b\x08" + bytes(20)), "a file packed by gzip"),
    ("w.tar", holding(bytes(257) + b"ustar" + bytes(300)), "a tar archive"),
    ("c.toml", holding(b'model = "uwnet2"\n'), "a text (TOML)"),
    ("c.json", holding(b' {"a": 1}'), "a text (JSON)"),
    ("readme", holding("Grüße".encode()), "a text"),
    ("long", holding("ü".encode() * 4000), "a text"),
    *(
        (f"{letter}{before}", holding(b"a" * before + letter.encode() * 4000), "a text")
        for letter in "ü€😀"
        for before in range(4)
    ),
    ("x.safetensors", holding(b"version https://git-lfs.github.com/spec/v1\n"), "a pointer of Git LFS"),
    ("y.safetensors", holding(b"<!DOCTYPE html><html>"), "a web page"),
    ("empty", holding(b""), "an empty file"),
    ("odd", holding(b"\x01\x02\x03\xff" * 9), "a file of no known kind"),
    *(
        (f"onnx{tag[0]}.bin", holding(b"\x08\x07" + tag + b"\x07pytorch" + b"\xff" * 9), "an ONNX file")
        for tag in (b"\x12", b"\x1a", b":", b"B")
    ),
    ("early.bin", holding(b"\x08\x1f\x12\xff"), "an ONNX file"),
    ("late.bin", holding(b"\x08\x20\x12\xff"), "a file of no known kind"),
    ("other.bin", holding(b"\x08\x07\x13\xff"), "a file of no known kind"),
    ("tag.bin", holding(b"\x09\x07\x12\xff"), "a file of no known kind"),
    ("by-name.onnx", holding(b"\x01\xff"), "an ONNX file"),
    ("n.caffemodel", holding(b"\x01\xff"), "a Caffe file (protobuf)"),
    *((f"hdf{place}", holding(b"x" * place + HDF5 + b"\xff"), "an HDF5 file") for place in (512, 1024, 2048)),
    ("beyond", holding(b"\xff" * 4096 + HDF5), "a file of no known kind"),
    *(
        (name, holding(start + b"\xff" * 9), kind)
        for name, start, kind in (
            ("l.gguf", b"GGUF\x03", "a GGUF file (llama.cpp)"),
            ("p.jpg", b"\xff\xd8\xff\xe0", "a picture (JPEG)"),
            ("p.gif", b"GIF89a", "a picture (GIF)"),
            ("i.tif", b"II*\0", "a picture (TIFF)"),
            ("m.tif", b"MM\0*", "a picture (TIFF)"),
            ("w.webp", b"RIFF\xff\xff\xff\xffWEBP", "a picture (WebP)"),
            ("d.pdf", b"%PDF-1.4", "a PDF document"),
            ("b.bz2", b"BZh9", "a file packed by bzip2"),
            ("x.xz", b"\xfd7zXZ\0", "a file packed by xz"),
            ("z.zst", b"\x28\xb5\x2f\xfd", "a file packed by zstd"),
            ("a.7z", b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
            ("s.db", b"SQLite format 3\0", "an SQLite database"),
        )
    ),
    ("elf", holding(b"\x7fELF\xff"), "a program or library"),
    *((f"pickle{n}", holding(bytes([0x80, n]) + b"\xff"), "a pickle") for n in (2, 3, 4, 5)),
    ("pickle6", holding(b"\x80\x06" + b"\xff" * 9), "a file of no known kind"),
    ("c.csv", holding(b"a,b\n"), "a text (CSV)"),
    ("c.YAML", holding(b"a: 1\n"), "a text (YAML)"),
    ("c.py", holding(b"a = 1\n"), "a text (Python)"),
    ("yaml", holding(b"%YAML 1.2\n"), "a text (YAML)"),
    ("bell", holding(b"text with \x07"), "a file of no known kind"),
    ("unit", holding(b"text with \x1f"), "a file of no known kind"),
    ("page", holding(b"\n <HTML><head>"), "a web page"),
    ("marked.json", holding('\ufeff{"a": 1}'.encode()), "a text (JSON)"),
    ("marked", holding("\ufeff<!doctype html>".encode()), "a web page"),
    ("C.CSV", holding(b"a,b\n"), "a text (CSV)"),
    ("M.PB", holding(b"\x0a\x30" + b"\xff" * 9), "a TensorFlow file (protobuf)"),
    ("M.ONNX", holding(b"\x01\xff"), "an ONNX file"),
    ("none.zip", zipped(), "a zip archive"),
    ("mixed.npz", zipped("a.npy", "b.txt"), "a zip archive"),
    ("top.pt", zipped("data.pkl", "code/net.py"), "a TorchScript file (zip)"),
    ("encode.pt", zipped("data.pkl", "encode/net"), "a PyTorch file (zip)"),
    ("space", holding(b"a b\t\f\r\n"), "a text"),
    ("pipe", os.mkfifo, "a pipe"),
    ("folder", os.mkdir, "a folder"),
]


@pytest.mark.parametrize(("name", "make", "kind"), FILES, ids=[name for name, *_ in FILES])
def test_a_file_of_another_kind_is_said_to_be_that(tmp_path, name, make, kind):
    make(tmp_path / name)
    assert kinds.kind_of(tmp_path / name).startswith(kind)
    with pytest.raises(ValueError, match=f"{name}: wanted weights in a safetensors file, got a") as caught:
        safetensors.load(tmp_path / name)
    assert kind in str(caught.value)


def test_devices_and_sockets_are_not_read(tmp_path):
    assert kinds.kind_of("/dev/zero") == "a device"
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(tmp_path / "s"))
        assert kinds.kind_of(tmp_path / "s") == "a socket"


def test_weights_are_of_no_other_kind_also_when_they_are_damaged(tmp_path):
    path = tmp_path / "w"
    data = safetensors.pack({"a": np.arange(6.0)}, {"note": "x"})
    for length in [*range(2, 9), 20, len(data)]:
        path.write_bytes(data[:length])
        assert kinds.kind_of(path) is None
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert kinds.kind_of(path) is None or place == 8  # the { of the header


def test_a_checkpoint_is_none_of_the_weights(tmp_path):
    checkpoint.save(tmp_path / "last.ckpt", {"model.a": np.arange(6.0)}, {"step": 1})
    assert kinds.kind_of(tmp_path / "last.ckpt") == kinds.CHECKPOINT
    assert list(safetensors.load(tmp_path / "last.ckpt")[0]) == ["model.a"]  # its layout is theirs
    with pytest.raises(ValueError, match=r"last\.ckpt is a checkpoint: wanted weights$"):
        load_weights(tmp_path / "last.ckpt")
    (tmp_path / "last.safetensors").touch()
    with pytest.raises(ValueError, match=r"is a checkpoint: wanted weights, as .*last\.safetensors"):
        load_weights(tmp_path / "last.ckpt")
