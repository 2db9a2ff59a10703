"""CIFAR-10 and CIFAR-100 from files that the tests write: every layout, and every way a file can be wrong."""

import gzip
import io
import os
import pickle
import tarfile

import numpy as np
import pytest

from cynet.data import CIFAR10, CIFAR100, load
from cynet.data.sets import cifar
from cynet.data.sets.cifar import CIFAR10_CLASSES, CIFAR10_LAYOUTS, CIFAR100_LAYOUTS

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (7, 3072), np.uint8)
FINE = [f"fine{i}" for i in range(100)]


def records(labels, label_bytes=1):
    out = b""
    for label, pixels in zip(labels, PIXELS, strict=True):
        out += (bytes([3, label]) if label_bytes == 2 else bytes([label])) + pixels.tobytes()
    return out


def files_of(layout):
    """name -> content of a small set in this layout; labels 0 to 6 in each file."""
    labels = list(range(7))
    if layout.label_bytes:
        content = records(labels, layout.label_bytes)
        names = "\n".join(FINE if layout in CIFAR100_LAYOUTS else CIFAR10_CLASSES) + "\n\n"
        return dict.fromkeys(layout.train + layout.test, content) | {layout.names: names.encode()}
    batch = pickle.dumps({b"data": PIXELS, layout.label_key: labels}, protocol=2)
    names = [n.encode() for n in (FINE if layout in CIFAR100_LAYOUTS else CIFAR10_CLASSES)]
    meta = pickle.dumps({layout.names_key: names}, protocol=2)
    return dict.fromkeys(layout.train + layout.test, batch) | {layout.names: meta}


def write_folder(root, layout, **changed):
    folder = root / layout.folder
    folder.mkdir()
    for name, content in (files_of(layout) | changed).items():
        (folder / name).write_bytes(content)
    return folder


def write_archive(root, layout, change=None, **changed):
    path = root / layout.archive
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (files_of(layout) | changed).items():
            member = tarfile.TarInfo(f"{layout.folder}/{name}")
            member.size = len(content)
            if change:
                change(member)
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path


ALL = [(CIFAR10, layout) for layout in CIFAR10_LAYOUTS] + [(CIFAR100, layout) for layout in CIFAR100_LAYOUTS]
BINARY, PYTHON = CIFAR10_LAYOUTS


@pytest.mark.parametrize("kind, layout", ALL, ids=lambda x: getattr(x, "folder", None))
@pytest.mark.parametrize("write", [write_folder, write_archive])
def test_every_layout_in_a_folder_and_in_an_archive(tmp_path, kind, layout, write):
    place = write(tmp_path, layout)
    for root in (tmp_path, place, str(place)):
        train, test = kind(root), kind(root, "test")
        assert len(train) == 7 * len(layout.train) and len(test) == 7
        np.testing.assert_array_equal(test.images.reshape(7, -1), PIXELS)
        np.testing.assert_array_equal(test.labels, range(7))
        assert train.classes == (CIFAR10_CLASSES if kind is CIFAR10 else tuple(FINE))


PUBLISHED = {
    "cifar-10-batches-py": ("data_batch_{}", "test_batch", "batches.meta", b"labels", b"label_names"),
    "cifar-100-python": ("train", "test", "meta", b"fine_labels", b"fine_label_names"),
}


@pytest.mark.parametrize(
    ("kind", "folder"), [(CIFAR10, "cifar-10-batches-py"), (CIFAR100, "cifar-100-python")]
)
def test_the_pickles_as_they_are_published_give_the_finer_labels(tmp_path, kind, folder):
    """With all that their authors put into them."""
    train, test, meta, key, names_key = PUBLISHED[folder]
    labels = list(range(7))
    batch = {b"data": PIXELS, b"batch_label": b"one", b"filenames": [b"x.png"] * 7, key: labels}
    names = {names_key: [name.encode() for name in (FINE if kind is CIFAR100 else CIFAR10_CLASSES)]}
    if kind is CIFAR100:
        batch[b"coarse_labels"] = [19 - label for label in labels]
        names[b"coarse_label_names"] = [b"coarse%d" % i for i in range(20)]
    (tmp_path / folder).mkdir()
    for name in (*(train.format(i) for i in range(1, 6)), test):
        (tmp_path / folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    (tmp_path / folder / meta).write_bytes(pickle.dumps(names, protocol=2))
    for split in ("train", "test"):
        found = kind(tmp_path, split)
        assert found.labels.tolist() == labels * (5 if kind is CIFAR10 and split == "train" else 1)
        assert len(found.classes) == kind.count and found.classes[3] in ("cat", "fine3")


def test_load_finds_them_by_name(tmp_path):
    write_folder(tmp_path, BINARY)
    assert len(load("cifar10", tmp_path)) == 35


def test_nothing_there_names_what_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"data_batch_1.bin.*cifar-10-python.tar.gz.*data/README.md"):
        CIFAR10(tmp_path)
    folder = write_folder(tmp_path, BINARY)
    os.remove(folder / "data_batch_3.bin")
    with pytest.raises(FileNotFoundError, match=r"data_batch_3.bin: wanted a file of this layout"):
        CIFAR10(tmp_path)


@pytest.mark.parametrize("cut", [0, 1, 3072, 3073 * 2 + 5, 3073 * 7 - 1])
def test_a_cut_binary_file_names_its_record(tmp_path, cut):
    folder = write_folder(tmp_path, BINARY, **{"test_batch.bin": records(range(7))[:cut]})
    with pytest.raises(
        ValueError, match=rf"test_batch.bin: wanted whole records of 3073.*got {cut} bytes: record"
    ):
        CIFAR10(folder, "test")


@pytest.mark.parametrize("label", [10, 255])
def test_a_label_out_of_range_names_its_record(tmp_path, label):
    folder = write_folder(tmp_path, BINARY, **{"test_batch.bin": records([0, 1, label, 3, 4, 5, 6])})
    with pytest.raises(ValueError, match=rf"test_batch.bin: record 2: wanted a label of 0 to 9, got {label}"):
        CIFAR10(folder, "test")


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("payload, name", [
    (Call(os.system, "touch hacked"), "posix.system|nt.system"),
    (Call(eval, "1"), "__builtin__.eval"),
    (Call(__import__, "antigravity"), "__builtin__.__import__"),
    (Call(os.getcwd), "posix.getcwd|nt.getcwd"),
    (b"cantigravity\nfly\n.", "antigravity.fly"),
    (b"cnumpy\nload\n.", "numpy.load"),
])  # fmt: skip
def test_a_pickle_that_names_a_function_is_refused_before_it_is_imported(tmp_path, payload, name):
    content = payload if isinstance(payload, bytes) else pickle.dumps({b"data": payload}, protocol=2)
    folder = write_folder(tmp_path, PYTHON, test_batch=content)
    with pytest.raises(ValueError, match=rf"test_batch: .*got ({name})"):
        CIFAR10(folder, "test")
    assert not os.path.exists("hacked")


@pytest.mark.parametrize("batch, problem", [
    ({b"data": PIXELS.astype(np.int16), b"labels": [0] * 7}, r"data: wanted uint8 .*got int16 \(7, 3072\)"),
    ({b"data": PIXELS[:, :-1], b"labels": [0] * 7}, r"data: .*got uint8 \(7, 3071\)"),
    ({b"data": b"abc", b"labels": [0] * 7}, "data: .* got bytes"),
    ({b"labels": [0] * 7}, "data: wanted uint8 .* got NoneType"),
    ({b"data": PIXELS, b"labels": [0] * 6}, "labels: wanted a list of 7 labels, got 6"),
    ({b"data": PIXELS}, "labels: wanted a list of 7 labels, got NoneType"),
    ({b"data": PIXELS, b"labels": [0, 1, 2, 3, 4, 5, 10]}, "record 6: wanted a label of 0 to 9, got 10"),
    ({b"data": PIXELS, b"labels": [0, 1, 2, 3, 4, 5, -1]}, "record 6: wanted a label of 0 to 9, got -1"),
    ({b"data": PIXELS, b"labels": [0, 1, "a", 3, 4, 5, 6]}, "record 2: wanted an int as label, got str"),
    ({b"data": PIXELS, b"labels": [0, 1, 2**70, 3, 4, 5, 6]}, "record 2: wanted an int as label"),
    ([1, 2], "wanted a pickled dict, got list"),
])  # fmt: skip
def test_a_pickle_with_other_contents_is_named(tmp_path, batch, problem):
    folder = write_folder(tmp_path, PYTHON, test_batch=pickle.dumps(batch, protocol=2))
    with pytest.raises(ValueError, match=f"test_batch: {problem}"):
        CIFAR10(folder, "test")


@pytest.mark.parametrize("content", [
    b"\x80\x02r\xff\xff\xff\xff.",  # a memo index of four thousand million
    b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",  # a deep tuple
    b"\x80\x02}" + b"(" * 1000 + b"t" * 1000 + b"K\x00s.",  # ... as a key
    b"\x80\x02cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R.",  # a dtype of objects
    b"\x80\x02}(K\x01K\x02u0.",  # an item taken off an empty stack
    b"\x80\x02]q\x00(h\x00" + b"h\x00" * 1000 + b"e.",  # a list in itself
])  # fmt: skip
def test_a_hostile_pickle_costs_no_memory_and_no_crash(tmp_path, content):
    folder = write_folder(tmp_path, PYTHON, test_batch=content)
    with pytest.raises(ValueError, match="test_batch: "):
        CIFAR10(folder, "test")


def test_every_truncation_of_a_pickle_is_found(tmp_path):
    whole = files_of(PYTHON)["test_batch"]
    folder = write_folder(tmp_path, PYTHON)
    for cut in [*range(200), *range(200, len(whole), 997), len(whole) - 1]:
        (folder / "test_batch").write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="test_batch: "):
            CIFAR10(folder, "test")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_members_that_are_no_files_are_refused(tmp_path, kind):
    def change(member):
        member.type, member.linkname, member.size = kind, "/etc/passwd", 0

    write_archive(tmp_path, BINARY, change)
    with pytest.raises(ValueError, match="wanted a regular file"):
        CIFAR10(tmp_path, "test")


def test_members_by_other_paths_are_not_read(tmp_path):
    def change(member):
        member.name = "../" + member.name

    write_archive(tmp_path, BINARY, change)
    with pytest.raises(FileNotFoundError, match=r"cifar-10-batches-bin/test_batch.bin: .*found none"):
        CIFAR10(tmp_path, "test")
    assert os.listdir(tmp_path) == [BINARY.archive]


def test_a_member_of_absurd_size_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / BINARY.archive
    member = tarfile.TarInfo(f"{BINARY.folder}/{BINARY.names}")
    member.size = 2**40
    path.write_bytes(gzip.compress(member.tobuf()))
    with pytest.raises(ValueError, match=r"wanted at most \d+ bytes, got 1099511627776"):
        CIFAR10(tmp_path, "test")


def test_a_cut_archive_is_named(tmp_path):
    path = write_archive(tmp_path, BINARY)
    whole = path.read_bytes()
    for cut in (0, 1, 10, 100, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=r"cifar-10-binary.tar.gz"):
            CIFAR10(path)


def test_wrong_class_names_are_named(tmp_path):
    folder = write_folder(tmp_path, BINARY, **{BINARY.names: b"cat\ndog\n"})
    with pytest.raises(ValueError, match=r"batches.meta.txt: wanted 10 class names, got 2"):
        CIFAR10(folder)


@pytest.mark.parametrize("layout", [BINARY, PYTHON])
def test_class_names_that_are_equal_or_no_text(tmp_path, layout):
    def content(names):
        if layout is BINARY:
            return b"\n".join(names)
        return pickle.dumps({layout.names_key: names}, protocol=2)

    names = [each.encode() for each in CIFAR10_CLASSES]
    folder = write_folder(tmp_path, layout, **{layout.names: content([b"dog", *names[1:]])})
    with pytest.raises(ValueError, match=r"batches.meta.*: wanted a name of its own .*, got 'dog'"):
        CIFAR10(folder)
    (folder / layout.names).write_bytes(content([b"\xff\x1b", *names[1:]]))
    assert CIFAR10(folder).classes[0] == "\ufffd\\x1b"


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_what_an_archive_tells_of_a_member_is_bounded_before_it_is_read(tmp_path, kind):
    member = tarfile.TarInfo("long")
    member.type, member.size = kind, 3 << 30
    (tmp_path / BINARY.archive).write_bytes(gzip.compress(member.tobuf() + bytes(1 << 20)))
    with pytest.raises(ValueError, match=r"wanted at most 65536 bytes about a member, got 3221225472"):
        CIFAR10(tmp_path, "test")


def test_an_archive_that_unpacks_to_more_than_a_data_set_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "LARGEST", 1 << 20)
    member = tarfile.TarInfo("other")
    member.size = 1 << 21
    (tmp_path / BINARY.archive).write_bytes(gzip.compress(member.tobuf() + bytes(1 << 21)))
    with pytest.raises(ValueError, match=r"wanted at most 1,048,576 bytes when unpacked, got more"):
        CIFAR10(tmp_path, "test")


def test_a_file_larger_than_any_data_set_is_refused_before_it_is_read(tmp_path):
    folder = write_folder(tmp_path, BINARY)
    os.truncate(folder / "test_batch.bin", 100 << 30)
    with pytest.raises(ValueError, match=r"test_batch.bin: wanted a file of at most \d+,\d+,\d+ bytes"):
        CIFAR10(folder, "test")
