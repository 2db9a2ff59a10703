"""The names of the kinds of numbers in safetensors files, as the format has them."""

import json

import numpy as np
import pytest

from cynet.interop import safetensors

NAMES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16",
    "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMES)
def test_each_kind_is_written_under_its_name_little_endian_and_comes_back(kind):
    array = np.array([[0, 1], [1, 100]]).astype(kind)
    data = safetensors.pack({"x": array})
    length = int.from_bytes(data[:8], "little")
    assert json.loads(data[8 : 8 + length])["x"]["dtype"] == NAMES[kind]
    assert data[8 + length :] == array.astype(array.dtype.newbyteorder("<")).tobytes()
    found = safetensors.unpack(data)[0]["x"]
    assert found.dtype == array.dtype and (found == array).all()


def test_there_are_no_others():
    assert {str(dtype): name for dtype, name in safetensors.NAMES.items()} == NAMES


def test_a_file_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    safetensors.save({"x": np.ones(2)}, "~/w")
    assert (tmp_path / "w").is_file() and safetensors.load("~/w")[0]["x"].tolist() == [1, 1]
    assert safetensors.read("~/w") == (tmp_path / "w").read_bytes()
