"""What a file is, by its first bytes: so that an error can say what somebody gave in place of weights."""

from __future__ import annotations

import os
import stat

from cynet.core.files import open_regular

from .zips import TooManyEntriesError, ZipDirectory

TYPE_CHECKING = False  # what checks types takes it for True; nobody else needs the import
if TYPE_CHECKING:
    from cynet.core.types import AnyPath

START_OF_CHECKPOINT = b'{"__metadata__":{"cynet_checkpoint":"'  # after the length of its header
CHECKPOINT = "a checkpoint of cynet"
PYTORCH = "a PyTorch file (zip)"
PYTORCH_LEGACY = "a PyTorch file (the old layout, a pickle)"
TORCHSCRIPT = "a TorchScript file (zip)"
ONNX, UNKNOWN = "an ONNX file", "a file of no known kind"
OF_PYTORCH = PYTORCH, PYTORCH_LEGACY, TORCHSCRIPT
ZIP, DAMAGED_ZIP = "a zip archive", "a zip archive that is damaged"
IRREGULAR = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
SOON = 4096  # bytes that tell the kind
HDF5_PLACES = (0, 512, 1024, 2048)  # where the format may begin
TORCH_LEGACY = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
MAGICS = (
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (TORCH_LEGACY, PYTORCH_LEGACY),
    (b"GGUF", "a GGUF file (llama.cpp)"),
    (b"\x89PNG\r\n\x1a\n", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"II*\0", "a picture (TIFF)"),
    (b"MM\0*", "a picture (TIFF)"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a file packed by gzip"),
    (b"BZh", "a file packed by bzip2"),
    (b"\xfd7zXZ\0", "a file packed by xz"),
    (b"\x28\xb5\x2f\xfd", "a file packed by zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "a program or library"),
)
TEXTS = (
    ("version https://git-lfs", "a pointer of Git LFS: the file itself was not fetched (git lfs pull)"),
    ("<!doctype html", "a web page: what was downloaded is a page about the file"),
    ("<html", "a web page: what was downloaded is a page about the file"),
    ("%yaml", "a text (YAML)"),
    ("{", "a text (JSON)"),
)
BY_SUFFIX = {
    ".toml": "a text (TOML)", ".csv": "a text (CSV)", ".yaml": "a text (YAML)", ".py": "a text (Python)",
}  # fmt: skip
PROTOBUFS = {".pb": "a TensorFlow file (protobuf)", ".caffemodel": "a Caffe file (protobuf)"}


def kind_of(path: AnyPath) -> str | None:
    """What is at `path`, in words; None for a file in the layout of safetensors, or that begins so.

    What is no regular file is not opened: some could be read for ever.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    str or None

    Raises
    ------
    OSError
        When it cannot be read.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        return IRREGULAR.get(stat.S_IFMT(mode), "a device")
    with open(path, "rb") as file:
        start = file.read(SOON)
        places = [start[:8]]
        for place in HDF5_PLACES[1:]:
            file.seek(place)
            places.append(file.read(8))
    if start[8:].startswith(START_OF_CHECKPOINT):
        return CHECKPOINT
    if b"\0" in start[:8] and start[8:9] in (b"{", b""):  # the length of a header, less than 2**56
        return None
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if not start:
        return "an empty file"
    if start.startswith(b"PK"):
        return _zip_kind(path)
    if b"\x89HDF\r\n\x1a\n" in places:
        return "an HDF5 file (as Keras and MATLAB write)"
    found = _by_magic(start) or _text_kind(start, suffix) or _protobuf_kind(start, suffix)
    return found or UNKNOWN


def _by_magic(start: bytes) -> str | None:
    for magic, kind in MAGICS:
        if start.startswith(magic):
            return kind
    if start[257:262] == b"ustar":
        return "a tar archive"
    if start[4:8] == b"TFL3":
        return "a TensorFlow Lite file"
    if start[8:12] == b"WEBP":
        return "a picture (WebP)"
    if start[:2] in PICKLES:
        return "a pickle"
    return None


def _zip_kind(path: AnyPath) -> str:
    """What a zip archive holds, by the names in it; nothing is unpacked."""
    try:
        with open_regular(path) as file:
            names = [*ZipDirectory(file).entries]
    except TooManyEntriesError:
        return ZIP
    except (OSError, ValueError):
        return DAMAGED_ZIP
    last = {name.rpartition("/")[2] for name in names}
    if "data.pkl" in last:
        script = any("/code/" in f"/{name}" for name in names)
        return TORCHSCRIPT if script else PYTORCH
    if "model.weights.h5" in last:
        return "a Keras file (zip)"
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy archive (.npz)"
    return ZIP


def _text_kind(start: bytes, suffix: str) -> str | None:
    for cut in range(4):  # a letter of several bytes may be cut at the end
        try:
            text = start[: len(start) - cut].decode()
            break
        except UnicodeDecodeError:
            continue
    else:
        return None
    if any(ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text):
        return None
    low = text.lstrip("\ufeff \t\r\n").lower()
    told = (kind for head, kind in TEXTS if low.startswith(head))
    return BY_SUFFIX.get(suffix) or next(told, "a text")


def _protobuf_kind(start: bytes, suffix: str) -> str | None:
    """ONNX opens with the version of its format, a small number, and with who wrote it."""
    if suffix in PROTOBUFS:
        return PROTOBUFS[suffix]
    begins = start[:1] == b"\x08" and start[1:2] < b"\x20" and start[2:3] in (b"\x12", b"\x1a", b":", b"B")
    return ONNX if suffix == ".onnx" or begins else None
