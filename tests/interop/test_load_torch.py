"""Weights from files that are put together as PyTorch writes them, and from one that it wrote."""

import io
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch_files
from torch_files import Called, Name, Stored, parameter, saved, storage, tensor, view

import cynet
from cynet.interop import load_torch
from cynet.interop.pytorch import storages

ONES = np.ones((2, 3), np.float32)


def loaded(path, value, **options):
    path.write_bytes(value if isinstance(value, bytes) else saved(value, **options))
    return load_torch(path)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "w.pth"


def same(found, wanted):
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)
        assert found[name].flags.writeable and found[name].flags.aligned


def test_a_file_of_pytorchs_own(file):
    found = loaded(file, torch_files.real())
    one, none = np.ones(2, np.float32), np.zeros(2, np.float32)
    same(found, {
        "0.weight": np.array([[0.5, -1], [2, 0.25]], np.float32), "0.bias": np.array([3, -4], np.float32),
        "1.weight": one, "1.bias": none, "1.running_mean": none, "1.running_var": one,
        "1.num_batches_tracked": np.array(0),
    })  # fmt: skip
    assert cynet.interop.load_torch is load_torch and "load_torch" in dir(cynet.interop)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", torch_files.CLASSES)
def test_every_kind_of_number_in_both_orders_of_bytes(file, kind, order, protocol):
    array = np.array([[0, 1, 2], [100, 1, 0]]).astype(order + kind)
    value = {"a": tensor(array), "one": tensor(array[1:, 1:2].reshape(())), "none": tensor(array[:0])}
    found = loaded(file, value, order="little" if order == "<" else "big", protocol=protocol)
    native = array.astype(kind)
    same(found, {"a": native, "one": np.array(native[1, 1]), "none": native[:0]})


@pytest.mark.parametrize("count", [0, 1, 3, storages.CHUNK + 3])
def test_bfloat16_comes_as_float32(file, count):
    values = np.resize(np.float32([1, -3, 0.15625, np.inf, 2.0**-130, -0.0]), count)
    same(loaded(file, {"a": torch_files.bfloat16(values)}), {"a": values})
    if count < 9:
        big = Stored(
            Name("torch", "BFloat16Storage"), (values.view("u4") >> 16).astype(">u2").tobytes(), count
        )
        same(loaded(file, {"a": view(big, (count,), (1,))}, order="big"), {"a": values})
    assert np.isnan(loaded(file, {"a": torch_files.bfloat16(np.float32([np.nan]))})["a"])


@pytest.mark.parametrize("kind", ["uint16", "uint32", "uint64", "int8", "float32"])
def test_storages_of_bytes_are_of_the_tensors_kind(file, kind):
    """The newer kinds of numbers have no class of storages."""
    array = np.arange(6).astype(kind)
    stored = Stored(Name("torch.storage", "UntypedStorage"), array.tobytes() + b"+"[: array.itemsize - 1], 0)
    stored.numbers = len(stored.content)
    dtype = Name("torch", kind)
    made = Called(
        Name("torch._utils", "_rebuild_tensor_v3"), (stored, 1, (2, 2), (2, 1), False, OrderedDict(), dtype)
    )
    same(loaded(file, {"a": made}), {"a": array[1:5].reshape(2, 2)})


def test_bytes_of_a_bool_are_yes_where_they_are_not_0(file):
    stored = Stored(Name("torch", "BoolStorage"), bytes([0, 1, 2, 255]), 4)
    found = loaded(file, {"a": view(stored, (4,), (1,))})["a"]
    assert found.tobytes() == bytes([0, 1, 1, 1])


def test_tensors_that_share_a_storage_share_memory_as_in_pytorch(file):
    numbers = np.arange(24, dtype=np.float32)
    shared = storage(numbers)
    whole = numbers.reshape(2, 3, 4)
    found = loaded(file, {
        "whole": view(shared, (2, 3, 4), (12, 4, 1)), "turned": view(shared, (4, 3, 2), (1, 4, 12)),
        "steps": view(shared, (2, 2), (12, 2), 5), "again": view(shared, (5, 1, 3), (0, 7, 1), 21),
        "one": view(shared, (), (), 23), "side": view(shared, (1, 2), (2**62, 1)), "alone": tensor(numbers),
    })  # fmt: skip
    same(found, {
        "whole": whole, "turned": whole.T, "steps": whole[:, 1, 1::2],
        "again": np.tile(whole[1, 2, 1:], (5, 1, 1)), "one": np.array(whole[1, 2, 3]),
        "side": whole[:1, 0, :2], "alone": numbers,
    })  # fmt: skip
    found["whole"][1, 2, 3] = -1
    assert found["turned"][3, 2, 1] == found["again"][4, 0, 2] == found["one"] == -1 != found["alone"][23]


def test_tensors_may_be_told_in_any_of_pytorchs_ways(file):
    inner, plain = tensor(ONES), OrderedDict()
    old = Called(Name("torch._utils", "_rebuild_tensor"), (storage(ONES), 0, (2, 3), (3, 1)))
    ways = {
        "parameter": parameter(inner),
        "noted": Called(
            Name("torch._utils", "_rebuild_parameter_with_state"), (inner, True, plain, {"a": 1})
        ),
        "attribute": Called(
            Name("torch._tensor", "_rebuild_from_type_v2"),
            (inner.function, Name("torch", "Tensor"), inner.arguments, {"a": 1}),
        ),
        "old": old,
    }
    same(loaded(file, ways), dict.fromkeys(ways, ONES))


def state(prefix=""):
    found = OrderedDict(
        [(f"{prefix}fc.weight", tensor(ONES)), (f"{prefix}fc.bias", parameter(tensor(ONES[0])))]
    )
    found._metadata = OrderedDict([("", {"version": 1})])
    return found


NAMES = ["fc.weight", "fc.bias"]
OTHER = {
    "size": Called(Name("torch", "Size"), ((1, 2),)), "on": Called(Name("torch", "device"), ("cpu",)),
    "kind": Name("torch", "float16"), "steps": Counter({90: 1}),
}  # fmt: skip
PLAIN = {"epoch": 3, "best": 0.5, "name": "x", "none": None, "sizes": [(1, 2), {"a": True}], 3: b"bytes"}


@pytest.mark.parametrize("value", [
    state(), {**state()}, state("module."), state("_orig_mod."), state("module._orig_mod."),
    {"state_dict": state(), "best": tensor(ONES), **PLAIN}, {"model_state_dict": state("module."), **PLAIN},
    {"model": state(), "ema": state(), **PLAIN}, {"net": state("module."), **PLAIN},
    {"model": {"a": 1}, "state_dict": state(), "b": state()}, {**state(), **PLAIN},
    {"state_dict": {**state(), "extra": None}},
    {"net": state(), "optimizer": {"state": {0: {"step": tensor(ONES[0, 0]), "exp_avg": tensor(ONES)}}}},
    {"net": state(), **OTHER},
])  # fmt: skip
def test_a_state_dict_is_found_by_itself_or_in_a_checkpoint(file, value):
    found = loaded(file, value)
    same(found, dict(zip(NAMES, (ONES, ONES[0]), strict=True)))


def test_a_beginning_that_not_all_names_have_stays(file):
    assert [*loaded(file, {"module.a": tensor(ONES), "b": tensor(ONES)})] == ["module.a", "b"]
    assert loaded(file, {}) == {} == loaded(file, OrderedDict())


@pytest.mark.parametrize(("value", "problem"), [
    (tensor(ONES), "wanted a dict of names to tensors, got a tensor"),
    ([tensor(ONES)], "wanted a dict of names to tensors, got list"),
    (storage(ONES), "wanted a dict of names to tensors, got a storage"),
    ({"a": 1, "\n": 2, 5: 6}, r"wanted names of tensors, .* with them, got a, \\n, a key of int"),
    ({0: tensor(ONES)}, "wanted names of tensors, or a checkpoint with them, got a key of int"),
    ({"a": state(), "b": state()}, "wanted one dict .*, or one called state_dict or model_.*, got a, b"),
])  # fmt: skip
def test_what_is_no_state_dict_is_said_to_be_what_it_is(file, value, problem):
    with pytest.raises(ValueError, match=rf"w\.pth: {problem}$"):
        loaded(file, value)


def test_packed_files_are_read_and_bombs_are_not(file):
    values = np.arange(1000, dtype=np.float32)
    same(loaded(file, {"a": tensor(values)}, method=zipfile.ZIP_DEFLATED), {"a": values})
    content = saved({"a": tensor(np.zeros(storages.SPARE, np.float32))}, method=zipfile.ZIP_DEFLATED)
    most = 2 * len(content) + storages.SPARE
    with pytest.raises(ValueError) as caught:
        loaded(file, content)
    wanted = f"archive/data/0: wanted storages of at most {most:,} bytes together, got more"
    assert str(caught.value) == f"{file}: {wanted}"


def test_numbers_that_are_repeated_take_no_more_than_a_file_may(file):
    one = storage(np.float32([7]))
    assert loaded(file, {"a": view(one, (500, 500), (0, 0))})["a"].strides == (0, 0)
    with pytest.raises(ValueError, match=r"got one of size \(1000, 1000\) that repeats its numbers"):
        loaded(file, {"a": view(one, (1000, 1000), (0, 0))})


def test_memory_is_asked_for_before_it_is_taken(file, monkeypatch):
    asked = []
    monkeypatch.setattr(storages, "check_memory", lambda size, what: asked.append((size, what)))
    loaded(file, {"a": tensor(ONES), "b": torch_files.bfloat16(ONES)})
    assert asked == [(24, "the tensors"), (24, "the tensors")]


def test_only_what_is_wanted_is_read(file):
    """A checkpoint's other tensors may lie in storages that are not there."""
    gone = Stored(Name("torch", "FloatStorage"), b"", 6)
    value = {"model": state(), "optimizer": [view(gone, (2,), (1,))]}
    assert [*loaded(file, value)] == NAMES
    with pytest.raises(ValueError, match=r"archive/data/0: wanted 24 bytes, as its pickle says, got 0$"):
        loaded(file, {"a": view(gone, (2,), (1,))})


def test_other_files_are_called_by_their_kind(tmp_path, file):
    file.write_bytes(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")
    with pytest.raises(ValueError) as caught:
        load_torch(file)
    hint = "(in PyTorch, torch.save(torch.load(FILE), NEW) writes one)"
    got = "a PyTorch file (the old layout, a pickle)"
    assert str(caught.value) == f"{file}: wanted weights in a PyTorch file (zip), got {got} {hint}"
    file.write_bytes(torch_files.zipped({"data.pkl": b"", "code/__torch__.py": b""}))
    with pytest.raises(
        ValueError, match=r"got a TorchScript file \(zip\) \(in PyTorch, torch\.save\(torch\.jit\."
    ):
        load_torch(file)
    cynet.interop.safetensors.save({"a": ONES}, file)
    with pytest.raises(ValueError, match=r"got a safetensors file$"):
        load_torch(file)
    file.write_bytes(torch_files.real()[:2000])
    with pytest.raises(
        ValueError, match=r"w\.pth: wanted the directory of a zip archive at its end: damaged, or cut"
    ):
        load_torch(file)
    with pytest.raises(ValueError, match=r"got a folder$"):
        load_torch(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"cannot read .*none\.pth: No such file"):
        load_torch(tmp_path / "none.pth")
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a", b"")
    file.write_bytes(whole.getvalue())
    with pytest.raises(ValueError, match=r"got a zip archive$"):
        load_torch(file)
