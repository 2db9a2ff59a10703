"""Damaged PyTorch files: the arrays that were written, or a sentence that names the file."""

import tracemalloc
import zipfile

import numpy as np
import pytest
import torch_files
from damages import bounded, damaged_bytes
from hypothesis import HealthCheck, given, settings
from torch_files import bfloat16, parameter, storage, tensor, view

from cynet.interop import load_torch

SHARED = np.arange(24, dtype=np.float32)
STORED = storage(SHARED)
VALUE = {
    "epoch": 3, "lr": [0.1, 0.01],
    "state_dict": {
        "module.fc.weight": view(STORED, (4, 6), (6, 1)), "module.turned": view(STORED, (3, 2), (1, 4), 5),
        "module.half": parameter(tensor(SHARED[:5].astype(np.float16))), "module.small": bfloat16([1.5, -2]),
        "module.count": tensor(np.array(7)), "module.mask": tensor(SHARED > 9),
    },
}  # fmt: skip
PICKLE, STORAGES = torch_files.pickled(VALUE)
FILES = [
    torch_files.packed(PICKLE, STORAGES, method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
]
MOST = 2 * len(FILES[0]) + (1 << 20)  # bytes
quick = settings(
    max_examples=70, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A function of bytes that gives the arrays in them, or None where they are refused in a sentence."""
    path = tmp_path_factory.mktemp("damaged") / "w.pth"

    def reading(content):
        path.write_bytes(content)
        tracemalloc.start()
        try:
            with bounded():
                found = {name: array.copy() for name, array in load_torch(path).items()}
        except ValueError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
            found = None
        finally:
            taken = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert taken < MOST
        return found

    return reading


def test_a_sound_file_is_read(read):
    for file in FILES:
        found = read(file)
        assert [*found] == ["fc.weight", "turned", "half", "small", "count", "mask"]
        assert found["turned"].tolist() == [[5, 9], [6, 10], [7, 11]] and found["mask"].sum() == 14


@pytest.mark.parametrize("file", FILES, ids=["stored", "packed"])
def test_a_damaged_file_gives_the_arrays_that_were_written_or_none(read, file):
    whole, outcomes = read(file), set()

    @quick
    @given(damaged_bytes(file))
    def check(content):
        found = read(content)
        outcomes.add(found is None)
        assert found is None or [*found] == [*whole]
        for name, array in (found or {}).items():
            assert array.dtype == whole[name].dtype
            np.testing.assert_array_equal(array, whole[name])

    check()
    assert outcomes == {True, False}


def test_a_damaged_pickle_gives_arrays_or_a_sentence(read):
    """Beneath sound checks, as a stranger would write it."""
    outcomes = set()

    @quick
    @given(damaged_bytes(PICKLE))
    def check(program):
        found = read(torch_files.packed(program, STORAGES))
        outcomes.add(found is None)
        assert all(type(name) is str for name in found or {})

    check()
    assert outcomes == {True, False}
