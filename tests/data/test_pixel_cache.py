"""The kept pixels of a folder: when they serve, how they are written, and what is said meanwhile."""

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from photos import pets

from cynet import data
from cynet.data import progress
from cynet.data.images import decoding, kinds, pixel_cache

pytest.importorskip("PIL")


@pytest.fixture
def folder(tmp_path):
    return pets(tmp_path / "set")


def test_a_cache_of_whole_pictures_serves_another_decoder_too(folder, monkeypatch):
    first = data.ImageFolder(folder, 8)
    monkeypatch.setattr(kinds, "decoder", lambda: "pillow 99")
    monkeypatch.setattr(pixel_cache, "decoded", None)
    assert data.ImageFolder(folder, 8).fingerprint() == first.fingerprint()


def test_where_no_file_can_be_mapped_the_kept_pixels_are_read(folder, monkeypatch):
    plain, load = data.ImageFolder(folder, 8, cache=False), np.load

    def unmapped(path, mmap_mode=None, **options):
        if mmap_mode:
            raise OSError(errno.ENODEV, "No such device")
        return load(path, **options)

    monkeypatch.setattr(np, "load", unmapped)
    for _ in range(2):
        found = data.ImageFolder(folder, 8)
        assert found.notes[1:] == plain.notes[1:] and not isinstance(found.images, np.memmap)
        np.testing.assert_array_equal(found.images, plain.images)
        monkeypatch.setattr(pixel_cache, "decoded", None)


def test_the_pixels_are_on_the_disk_before_their_name_and_that_before_their_key(folder, monkeypatch):
    done, sync, move = [], os.fsync, os.replace

    def synced(number):
        done.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file")
        sync(number)

    def moved(place, goal, **options):
        done.append(Path(goal).suffix)
        move(place, goal, **options)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", moved)
    data.ImageFolder(folder, 8)
    assert done == ["file", ".npy", "folder", "file", ".json", "folder"]


def test_what_is_decoded_is_told_by_quarters(folder, monkeypatch, capsys):
    monkeypatch.setattr(progress, "FEW", 3)
    monkeypatch.setattr(decoding, "CHUNK", 3)
    data.ImageFolder(folder, 8)
    assert capsys.readouterr().err.splitlines() == [
        "pictures: 25 % of 9", "pictures: 50 % of 9", "pictures: 100 % of 9"
    ]  # fmt: skip


def test_an_error_of_the_system_is_told_without_its_number_or_path(folder, monkeypatch):
    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system", "/some/place")

    monkeypatch.setattr(pixel_cache.shutil, "disk_usage", refused)
    kept = folder / ".cynet"
    assert data.ImageFolder(folder, 8).notes[-1] == (
        f"{folder}: the decoded pictures are in memory, and made anew at each start: {kept}: "
        "Read-only file system"
    )
    monkeypatch.setattr(pixel_cache.shutil, "disk_usage", lambda _: (_ for _ in ()).throw(OSError("odd")))
    assert data.ImageFolder(folder, 8).notes[-1].endswith(f"{kept}: odd")
