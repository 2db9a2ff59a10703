"""The safetensors layout: the usual library agrees, equal content gives equal bytes, damage is found."""

import json

import numpy as np
import pytest

import cynet
from cynet.interop import header, safetensors

TENSORS = {
    "0.weight": np.arange(24, dtype=np.float32).reshape(4, 3, 1, 2) - 7.5,
    "1.running_mean": np.array([1.5, -2.0], np.float32),
    "1.num_batches_tracked": np.array(7, np.int64),
    "empty": np.zeros((0, 3), np.float32),
    "half": np.array([0.5, 2], np.float16),
}


def same(a, b):
    return sorted(a) == sorted(b) and all(
        a[n].dtype == b[n].dtype and a[n].shape == b[n].shape and np.array_equal(a[n], b[n]) for n in a
    )


def raw(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_round_trip(tmp_path):
    safetensors.save(TENSORS, tmp_path / "a", {"note": 'with "quotes"', "ä": "ö"})
    tensors, notes = safetensors.load(tmp_path / "a")
    assert same(tensors, TENSORS)
    assert notes == {"note": 'with "quotes"', "ä": "ö", "cynet": cynet.__version__}
    assert all(array.flags.writeable and array.flags.aligned for array in tensors.values())


def test_a_model_and_back(tmp_path):
    model = cynet.models.create("uwnet2")
    safetensors.save(model, tmp_path / "a")
    other = cynet.models.create("uwnet2")
    other.load_state_dict(safetensors.load(tmp_path / "a")[0])
    assert same(other.state_dict(), model.state_dict())


def test_the_usual_library_reads_it_and_is_read(tmp_path):
    library = pytest.importorskip("safetensors")
    from safetensors import numpy as theirs

    safetensors.save(TENSORS, tmp_path / "a", {"note": "text"})
    assert same(theirs.load_file(tmp_path / "a"), TENSORS)
    with library.safe_open(tmp_path / "a", "np") as file:
        assert file.metadata()["note"] == "text"
    theirs.save_file(TENSORS, tmp_path / "b", {"k": "v"})
    tensors, notes = safetensors.load(tmp_path / "b")
    assert same(tensors, TENSORS)
    assert notes == {"k": "v"}


def test_equal_content_gives_equal_bytes():
    backwards = dict(reversed(list(TENSORS.items())))
    assert safetensors.pack(TENSORS, {"a": "1", "b": "2"}) == safetensors.pack(
        backwards, {"b": "2", "a": "1"}
    )


def test_bfloat16_comes_as_float32():
    header = {"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    tensors, _ = safetensors.unpack(raw(header, bytes([0x80, 0x3F, 0x40, 0xC0])))
    assert tensors["x"].dtype == np.float32
    assert tensors["x"].tolist() == [1, -3]


def test_every_truncation_is_found_and_named(tmp_path):
    whole = safetensors.pack({"w": np.ones(3, np.float32)}, {"model": "uwnet2"})
    for length in range(len(whole)):
        with pytest.raises(ValueError):
            safetensors.unpack(whole[:length])
    (tmp_path / "cut").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=r"cut: wanted 12 bytes of tensors, got 11: the file is cut short"):
        safetensors.load(tmp_path / "cut")
    with pytest.raises(ValueError, match=r"too long"):
        safetensors.unpack(whole + b"x")


def test_every_flipped_bit_is_found():
    whole = safetensors.pack({"w": np.arange(3, dtype=np.float32)}, {"model": "uwnet2"})
    for position in range(len(whole)):
        for bit in range(8):
            broken = bytearray(whole)
            broken[position] ^= 1 << bit
            with pytest.raises(ValueError):
                safetensors.unpack(bytes(broken))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "only 0 bytes"),
        (b"PK\x03\x04 something else entirely", "cut short, or no safetensors file"),
        (bytes([100, 0, 0, 0, 0, 0, 0, 0]) + b"{" * 20, "wanted a header of 100 bytes, 20 follow: cut short"),
        (bytes([21, 0, 0, 0, 0, 0, 0, 0]) + b"{" * 20, "wanted a header of 21 bytes, 20 follow"),
        (bytes([20, 0, 0, 0, 0, 0, 0, 0]) + b"{" * 20, "its header is no JSON"),
        (b"1234567", "only 7 bytes"),
        (raw(b"{"), "its header is no JSON"),
        (raw(b"\xff\xfe"), "its header is no JSON"),
        (raw(b"[" * 100_000), "its header is no JSON"),
        (raw(b"[]"), "wanted a JSON object, got list"),
        (raw(b'{"a": 1, "a": 2}'), "twice"),
        (raw({"__metadata__": {"a": 1}}), "wanted text to text"),
        (raw({"__metadata__": []}), "wanted text to text"),
        (raw({"a": []}), "tensor 'a': wanted dtype, shape and data_offsets"),
        (raw({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}), "tensor 'a': wanted dtype"),
        (raw({"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}), "tensor 'a': wanted dtype"),
        (raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [False, 4]}}), "tensor 'a': wanted dtype"),
        (raw({"a": {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]}}), "tensor 'a': wanted dtype"),
        (raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4.0]}}), "tensor 'a': wanted dtype"),
        (raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]}}), "tensor 'a': wanted dtype"),
        (raw({"a": {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]}}), "tensor 'a': wanted dtype"),
        (
            raw({"a": {"dtype": "F64", "shape": [2, 3], "data_offsets": [0, 24]}}),
            r"^tensor 'a': F64 of shape \[2, 3\] takes 48 bytes, got 24$",
        ),
        (
            raw({"a": {"dtype": "BF16", "shape": [5], "data_offsets": [0, 20]}}),
            r"^tensor 'a': BF16 of shape \[5\] takes 10 bytes, got 20$",
        ),
        (
            raw({"__metadata__": {"cynet": "1.2"}}),
            "^written by cynet '1.2' but without its cynet_sha256: the file is damaged$",
        ),
        (
            raw({"__metadata__": {"cynet_sha256": "0" * 64}}),
            "^the cynet_sha256 of its contents differs from the stored one: the file is damaged$",
        ),
        (raw({"a": {"dtype": "F8", "shape": [1], "data_offsets": [0, 1]}}), "tensor 'a': wanted dtype"),
        (raw({"a": {"dtype": [], "shape": [1], "data_offsets": [0, 4]}}), "tensor 'a': wanted dtype"),
        (raw({"a": {"dtype": "F32", "shape": [2**62, 8], "data_offsets": [0, 4]}}, b"1234"), "takes"),
        (raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"12345678"), "start at byte 0"),
        (raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}), "got 0: the file is cut short"),
    ],
)
def test_what_is_no_such_file_is_refused_in_words(data, problem):
    with pytest.raises(ValueError, match=problem):
        safetensors.unpack(data)


def spans(*pairs):
    """A file of tensors "0", "1", ... of float32 that begin and end at these bytes, and 40 bytes of data."""
    header = {
        str(i): {"dtype": "F32", "shape": [(stop - start) // 4], "data_offsets": [start, stop]}
        for i, (start, stop) in enumerate(pairs)
    }
    return raw(header, np.arange(10, dtype="<f4").tobytes())


@pytest.mark.parametrize("pairs", [
    ((0, 40),), ((0, 8), (8, 40)), ((8, 40), (0, 8)), ((20, 40), (0, 4), (4, 20)),
    ((0, 0), (0, 40), (40, 40)), ((0, 20), (20, 20), (20, 40)), ((0, 40), (0, 0)),
    ((0, 40), (40, 40), (0, 0)), ((0, 20), (20, 40), (20, 20), (0, 0), (20, 20)),
])  # fmt: skip
def test_tensors_that_lie_side_by_side_in_any_order(pairs):
    tensors, _ = safetensors.unpack(spans(*pairs))
    for i, (start, stop) in enumerate(pairs):
        assert tensors[str(i)].tolist() == list(range(start // 4, stop // 4))


@pytest.mark.parametrize(("pairs", "place"), [
    (((0, 8), (4, 40)), 8), (((0, 8), (0, 40)), 8), (((0, 40), (8, 12)), 40), (((0, 8), (12, 40)), 8),
    (((4, 40),), 0), (((0, 20), (0, 20), (20, 40)), 20), (((0, 8), (8, 16), (12, 40)), 16),
    (((0, 16), (4, 8), (16, 40)), 16), (((20, 40), (0, 16)), 16), (((0, 40), (0, 40)), 40),
    (((0, 20), (16, 16), (20, 40)), 20), (((0, 8), (4, 12), (12, 40)), 8),
])  # fmt: skip
def test_tensors_that_overlap_or_leave_a_gap_are_refused(pairs, place):
    with pytest.raises(ValueError, match=rf"tensor '\d': wanted it to start at byte {place} of the"):
        safetensors.unpack(spans(*pairs))


@pytest.mark.parametrize("size", [36, 44])
def test_the_data_end_with_the_last_tensor(size):
    with pytest.raises(ValueError, match=rf"wanted {size} bytes of tensors, got 40: the file is (cut|too)"):
        safetensors.unpack(spans((0, size)))


@pytest.mark.parametrize(
    ("tensors", "notes", "error"),
    [
        ({"a": np.zeros(2, complex)}, None, TypeError),
        ({"a": np.array(["x"])}, None, TypeError),
        ({"__metadata__": np.zeros(2)}, None, ValueError),
        ({}, {"a": 1}, TypeError),
        ({}, {"cynet": "x"}, ValueError),
        ({}, {"cynet_sha256": "x"}, ValueError),
        ({}, {1: "x"}, TypeError),
        ({1: np.zeros(2)}, None, ValueError),
    ],
)
def test_what_cannot_be_written_is_refused(tensors, notes, error):
    with pytest.raises(error):
        safetensors.pack(tensors, notes)


def test_what_cannot_be_written_is_told_in_full():
    for call, said in (
        (lambda: safetensors.pack({"a": np.zeros(2, complex)}),
         "tensor 'a': wanted a dtype of F64, F32, F16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL, "
         "got complex128"),
        (lambda: safetensors.pack({}, {"a": 1}), "metadata: wanted str to str, got 'a': 1"),
        (lambda: safetensors.pack({}, {"cynet_sha256": "x"}),
         "metadata: 'cynet_sha256' is written by save itself; wanted another name"),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError)) as caught:
            call()
        assert str(caught.value) == said


@pytest.mark.parametrize("mark", [",", ":", "[", "{"])
def test_a_header_holds_so_many_marks_and_no_more(mark, monkeypatch):
    notes = {"note": mark * 50}
    text = json.dumps({"__metadata__": notes}, separators=(",", ":")).encode()
    marks = sum(text.count(each) for each in b",:[{")
    monkeypatch.setattr(header, "MOST_MARKS", marks)
    assert safetensors.unpack(raw(text))[1] == notes
    monkeypatch.setattr(header, "MOST_MARKS", marks - 1)
    with pytest.raises(ValueError) as caught:
        safetensors.unpack(raw(text))
    wanted = f"wanted at most {marks - 1} commas, colons and brackets, got {marks}"
    assert str(caught.value) == f"its header: {wanted}"


def test_a_header_may_be_as_long_as_the_format_allows(monkeypatch):
    text = raw(b"{}" + b" " * 30)
    monkeypatch.setattr(header, "MOST_HEADER", 32)
    assert safetensors.unpack(text) == ({}, {})
    monkeypatch.setattr(header, "MOST_HEADER", 31)
    with pytest.raises(ValueError, match=r"^wanted a header of 32 bytes, 32 follow: cut short, or no safe"):
        safetensors.unpack(text)


def test_memory_is_asked_for_twice_the_file_before_it_is_read(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(safetensors, "check_memory", lambda size, what: asked.append((size, what)))
    safetensors.save({"a": np.arange(6.0)}, tmp_path / "w")
    safetensors.load(tmp_path / "w")
    assert asked == [(2 * (tmp_path / "w").stat().st_size, "the tensors")]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        safetensors.load(tmp_path / "nowhere")
    assert str(caught.value) == f"[Errno 2] cannot read {tmp_path / 'nowhere'}: No such file or directory"
    assert caught.value.errno == 2


@pytest.mark.parametrize("name", ["a" * n for n in range(1, 9)])
def test_tensors_begin_at_a_multiple_of_eight_and_the_widest_first(name):
    data = safetensors.pack({name: np.arange(3, dtype=np.int16), "z": np.arange(2.0)})
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0 and json.loads(data[8 : 8 + length])["z"]["data_offsets"] == [0, 16]
    assert data[8 + length :] == np.arange(2.0).tobytes() + np.arange(3, dtype=np.int16).tobytes()


@pytest.mark.parametrize(("shape", "sound"), [
    ([0, 2**60], True), ([0, 2**61], False), ([2**31, 0, 2**31], False), ([0] * 32, True), ([0] * 33, False),
])  # fmt: skip
def test_a_shape_with_a_side_of_nothing_is_one_that_an_array_can_have(shape, sound):
    data = raw({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}})
    if sound:
        assert safetensors.unpack(data)[0]["a"].shape == tuple(shape)
    else:
        with pytest.raises(ValueError, match="tensor 'a': wanted"):
            safetensors.unpack(data)


@pytest.mark.parametrize("kind", sorted(str(dtype) for dtype in safetensors.NAMES))
def test_arrays_of_any_byte_order_and_layout_are_kept_with_their_values(kind, tmp_path):
    """What is read is little-endian, in one piece, and equal."""
    plain = np.arange(24).reshape(2, 3, 4).astype(kind)
    given = {
        "swapped": plain.astype(plain.dtype.newbyteorder(">")), "fortran": np.asfortranarray(plain),
        "backwards": plain[::-1, :, ::2], "scalar": plain[1, 2, 3], "none": plain[:0],
    }  # fmt: skip
    safetensors.save(given, tmp_path / "x")
    found, _ = safetensors.load(tmp_path / "x")
    for name, array in given.items():
        assert found[name].dtype == plain.dtype and found[name].dtype.isnative
        np.testing.assert_array_equal(found[name], array)
