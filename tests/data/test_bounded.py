"""Streams of a known size: at the bound, one byte below, one beyond, in pieces of every size."""

import io
from pathlib import Path

import numpy as np
import pytest

from cynet.data.sets import bounded
from cynet.data.sets.bounded import CHUNK, Bounded, check_memory, read_exactly
from cynet.data.sets.idx import MNIST, FashionMNIST, read_idx


class Drops(io.BytesIO):
    """A stream that gives fewer bytes than it is asked for, and counts them."""

    def __init__(self, content, most):
        super().__init__(content)
        self.most, self.given = most, 0

    def read(self, size=-1):
        part = super().read(self.most if size < 0 else min(size, self.most))
        self.given += len(part)
        return part


@pytest.mark.parametrize("size", [0, 1, 7, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
@pytest.mark.parametrize("drop", [5000, CHUNK, 10**6])
def test_exactly_so_many_bytes(size, drop):
    content = np.random.default_rng(0).bytes(size + 2 * CHUNK)
    assert read_exactly(Drops(content[:size], drop), size, "x") == content[:size]
    for more in (1, 2, 2 * CHUNK):
        stream = Drops(content[: size + more], drop)
        with pytest.raises(ValueError, match=rf"x: wanted {size} bytes of data, as its header says, got mo"):
            read_exactly(stream, size, "x")
        assert stream.given == size + 1, "one byte beyond tells"
    for less in {1, size} if size else ():
        with pytest.raises(ValueError, match=rf"x: wanted {size} bytes .*, got {size - less}$"):
            read_exactly(Drops(content[: size - less], drop), size, "x")


def test_the_memory_that_is_free_is_enough_to_the_byte(monkeypatch):
    monkeypatch.setattr(bounded, "free_bytes", lambda: 1000)
    check_memory(1000, "x")
    assert len(read_exactly(io.BytesIO(bytes(1000)), 1000, "x")) == 1000
    for call in (lambda: check_memory(1001, "x"), lambda: read_exactly(io.BytesIO(bytes(1001)), 1001, "x")):
        with pytest.raises(ValueError, match="x: its 1,001 bytes do not fit the 1,000 of memory"):
            call()


@pytest.mark.parametrize("most", [0, 1, 1000])
@pytest.mark.parametrize("piece", [-1, 1, 3, 400, 999, 1000, 1001])
def test_a_bounded_stream_ends_or_is_refused(most, piece):
    def read(size):
        stream, parts = Bounded(io.BytesIO(bytes(size)), most, "x"), []
        while part := stream.read(piece):
            parts.append(part)
        return sum(map(len, parts))

    for size in {0, most // 2, most}:
        assert read(size) == size
    for size in (most + 1, most + 1000):
        with pytest.raises(ValueError, match=rf"x: wanted at most {most:,} bytes when unpacked, got more"):
            read(size)


def test_a_home_folder_and_sizes_up_to_the_bound(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a").write_bytes(b"\0\0\x08\1" + (3).to_bytes(4, "big") + b"abc")
    assert read_idx("~/a").tobytes() == b"abc" and read_idx(Path("~/a")).shape == (3,)
    for sizes, kind, good in (
        ((2**31, 2**31, 1), 9, True), ((2**31, 2**31, 2), 9, False), ((2**31, 2**29, 2), 13, False),
        ((2**31, 2**29, 1), 13, True), ((2**31, 2**28, 2), 14, False), ((2**31, 2**28, 1), 14, True),
    ):  # fmt: skip
        head = bytes([0, 0, kind, 3]) + b"".join(n.to_bytes(4, "big") for n in sizes)
        (tmp_path / "a").write_bytes(head)
        wanted = "bytes of data for" if good else r"wanted a filled array of less than 2\*\*63 bytes"
        with pytest.raises(ValueError, match=wanted):
            read_idx(tmp_path / "a")


def test_facts_of_the_published_sets():
    """As their files have them; by these one is told from the other."""
    assert MNIST.first_labels == {
        "train": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4), "test": (7, 2, 1, 0, 4, 1, 4, 9, 5, 9),
    }  # fmt: skip
    assert FashionMNIST.first_labels == {
        "train": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5), "test": (9, 2, 1, 1, 6, 1, 4, 6, 5, 7),
    }  # fmt: skip
