"""Feed damaged files to every parser of data: an error that names the file, or a data set; nothing else.

Run by hand, with the checkout and its folder tests on PYTHONPATH, for some minutes of each parser:
``python tests/data/fuzz_parsers.py --minutes 10 [--parser NAME] [--seed N]``.

A crash ends the process; the file that caused it lies in the folder that is printed first.
"""

import argparse
import contextlib
import faulthandler
import gzip
import io
import random
import struct
import sys
import tarfile
import tempfile
import time
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import onnx_files
import test_cifar
import torch_files

from cynet import data
from cynet.data.images import pictures
from cynet.data.sets.idx import read_idx
from cynet.data.text import counting
from cynet.interop import load_onnx, load_torch
from cynet.interop.pytorch import storages

SPARE = 1 << 19  # bytes that any parser may take: buffers, messages, the decompressor
PIXELS = np.random.default_rng(0).integers(0, 256, (7, 3, 9, 8), np.uint8)


# -- whole files, and how each kind is read ------------------------------------------------------------------
def cifar(layout, packed):
    """(content, reader, bytes unpacked) of a small CIFAR in one file of a folder, or in an archive."""
    files = test_cifar.files_of(layout)

    def read(path):
        if packed:
            target = path.parent / "archive" / layout.archive
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
        else:
            target = path.parent / layout.folder
            target.mkdir(exist_ok=True)
            for name, content in files.items():
                (target / name).write_bytes(content)
            (target / layout.train[0]).write_bytes(path.read_bytes())
        return (data.CIFAR100 if "100" in layout.folder else data.CIFAR10)(target)

    if not packed:
        return files[layout.train[0]], read, sum(map(len, files.values()))
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{layout.folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue(), read, sum(map(len, files.values()))


def idx(packed):
    content = b"\0\0\x08\4" + struct.pack(">4I", *PIXELS.shape) + PIXELS.tobytes()

    def read(path):
        target = path.with_suffix(".gz") if packed else path
        if packed:
            target.write_bytes(path.read_bytes())
        return read_idx(target)

    return gzip.compress(content) if packed else content, read, len(content)


def numpy_file(packed):
    whole = io.BytesIO()
    if packed:
        np.savez_compressed(whole, images=PIXELS, labels=np.arange(7), classes=list("abcdefg"))
        return whole.getvalue(), data.from_npz, 4 * PIXELS.nbytes
    np.save(whole, PIXELS)
    return whole.getvalue(), lambda path: data.from_npy(path, np.arange(7)), PIXELS.nbytes


def picture(kind):
    from PIL import Image

    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)).save(whole, kind)
    # Pillow's own pixels are not counted; the cap on them is tested by itself.
    return whole.getvalue(), lambda path: pictures.read(path, pictures.Fit(16)), 24 * 20 * 3


def picture_list():
    content = b"a/cat.png\nb/dog.png\n" * 20

    def read(path):
        names = path.with_suffix(".labels")
        names.write_text("cat\ndog\n")
        return data.ImageList(path, names, workers=0)

    return content, read, len(content)


def folder_cache():
    """The key file beside the decoded pictures of a folder: whatever it says, the pictures come out."""
    content = []

    def read(path):
        from PIL import Image

        root = path.parent / "set"
        if not root.exists():
            for name in ("cat", "dog"):
                (root / name).mkdir(parents=True)
                Image.fromarray(PIXELS[0].transpose(1, 2, 0)).save(root / name / "x.png")
            data.ImageFolder(root, 4)
            (key,) = (root / ".cynet").glob("*.json")
            content.append(key.read_bytes())
        (key,) = (root / ".cynet").glob("*.json")
        key.write_bytes(path.read_bytes())
        found = data.ImageFolder(root, 4)
        assert found.fingerprint() == data.ImageFolder(root, 4, cache=False).fingerprint()
        return found

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "x").write_bytes(b"")
        read(Path(folder) / "x")
    return content[0], read, len(content[0])


def text():
    content = "The cat sat — on the mat 😀.\r\n".encode() * 20
    return content, data.text.load, 16 * counting.CODES  # tables of all characters that there are


def pytorch(part, method=zipfile.ZIP_STORED):
    """A checkpoint of PyTorch's: the whole file, or the pickle in it beneath sound checks."""
    shared = torch_files.storage(np.arange(60, dtype=np.float32))
    state = {
        "module.fc.weight": torch_files.parameter(torch_files.view(shared, (6, 10), (10, 1))),
        "module.turned": torch_files.view(shared, (4, 5, 3), (1, 4, 20)),
        "module.one": torch_files.tensor(np.array(7)), "module.half": torch_files.bfloat16(np.ones((3, 50))),
        "module.mask": torch_files.tensor(np.arange(50) > 9),
    }  # fmt: skip
    value = {"epoch": 3, "state_dict": state, "optimizer": {"state": {0: {"step": 7.0}}, "groups": [(1, 2)]}}
    program, found = torch_files.pickled(value)

    def read(path):
        target = path.with_suffix(".pth")
        content = path.read_bytes()
        target.write_bytes(torch_files.packed(content, found) if part == "pickle" else content)
        arrays = load_torch(target)
        return {name: np.sort(array, None) for name, array in arrays.items()}  # each number is there

    whole = torch_files.packed(program, found, method)
    return program if part == "pickle" else whole, read, len(whole) + storages.SPARE // 2


def onnx():
    """A net of branches, shapes that are worked out, and a pattern; its numbers may be few."""
    return onnx_files.branches(), lambda path: load_onnx(path, most_values=1 << 16), 1 << 24


PARSERS = {
    "cifar_binary": lambda: cifar(test_cifar.BINARY, False),
    "cifar_pickle": lambda: cifar(test_cifar.PYTHON, False),
    "cifar_tar": lambda: cifar(test_cifar.BINARY, True),
    "idx": lambda: idx(False),
    "idx_gz": lambda: idx(True),
    "npy": lambda: numpy_file(False),
    "npz": lambda: numpy_file(True),
    "png": lambda: picture("PNG"),
    "jpeg": lambda: picture("JPEG"),
    "image_list": picture_list,
    "folder_cache": folder_cache,
    "text": text,
    "onnx": onnx,
    "pytorch": lambda: pytorch("file"),
    "pytorch_packed": lambda: pytorch("file", zipfile.ZIP_DEFLATED),
    "pytorch_pickle": lambda: pytorch("pickle"),
}


PICTURES = "png", "jpeg", "image_list", "folder_cache"


# -- damage -------------------------------------------------------------------------------------------------
EXTREMES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff" * 8, b"\x80\0\0\0")


def damaged(content, rng):
    """The content with one to eight changes."""
    out = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        here = int(len(out) * rng.random() ** rng.choice((1, 1, 4)))  # headers more often
        kind = rng.randrange(6)
        if kind == 0 and out:
            out[min(here, len(out) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            extreme = rng.choice(EXTREMES)
            out[here : here + len(extreme)] = extreme
        elif kind == 2:
            del out[here : here + rng.choice((1, 1, 7, 64, 4096))]
        elif kind == 3:
            out[here:here] = rng.randbytes(rng.choice((1, 4, 64)))
        elif kind == 4:
            there = rng.randrange(len(out) + 1)
            out[here:here] = out[there : there + rng.choice((1, 8, 512))]
        else:
            del out[rng.choice((here, len(out) - 1 - here // 8)) :]
    return bytes(out)


def attempt(read, path, name):
    """("read" or "refused", the bytes that were allocated at most) of one file."""
    tracemalloc.reset_peak()
    before, outcome = tracemalloc.get_traced_memory()[0], "read"
    try:
        read(path)
    except (ValueError, FileNotFoundError) as error:
        outcome = "refused"
        # Of a list, the error may name a picture that a damaged line has.
        assert str(path.parent) in str(error) or name == "image_list", repr(error)
        assert "\n" not in str(error), repr(error)
    return outcome, tracemalloc.get_traced_memory()[1] - before


def fuzz(name, folder, seconds, seed):
    """{"read": files read without an error, "refused": files refused} in so many seconds, 4 at least."""
    content, read, unpacked = PARSERS[name]()
    if name in PICTURES:
        pictures.pillow().init()  # imports the readers of all formats, which a file of none would do
    rng, path = random.Random(f"{name} {seed}"), folder / "fuzzed.bin"
    counts = {"read": 0, "refused": 0}
    path.write_bytes(content)
    with contextlib.suppress(FileNotFoundError):  # the pictures of a list are not there
        read(path)  # imports, and proves that the whole file is one
    end = time.monotonic() + seconds
    tracemalloc.start()
    while time.monotonic() < end or sum(counts.values()) < 4:
        path.write_bytes(damaged(content, rng))
        outcome, taken = attempt(read, path, name)
        counts[outcome] += 1
        most = 2 * max(unpacked, path.stat().st_size) + SPARE
        if taken > most:  # once may be Python's own: tables of names that grow now and then
            taken = attempt(read, path, name)[1]
        assert taken <= most, f"{name}: {taken} bytes were allocated for {path}, wanted at most {most}"
    tracemalloc.stop()
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--parser", choices=PARSERS, action="append")
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")  # Pillow's, of odd files
    for name in flags.parser or PARSERS:
        folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
        print(f"{name}: {folder}", end=" ", flush=True)
        counts = fuzz(name, folder, 60 * flags.minutes, flags.seed)
        print(f"{counts['refused']:,} files refused, {counts['read']:,} read", flush=True)


if __name__ == "__main__":
    sys.exit(main())
