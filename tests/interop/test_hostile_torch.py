"""What a stranger may write into a PyTorch file: refused in a sentence, with nothing run and little taken."""

import builtins
import importlib
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest
import torch_files
from torch_files import Called, Name, Stored, packed, saved, storage, tensor, view

from cynet.interop import load_torch
from cynet.interop.pytorch import state_dicts, tensors

ONES = np.ones((2, 3), np.float32)
NO_MORE = "wanted tensors and plain values alone, as torch.save(model.state_dict(), FILE) writes them, got "
WHOLE = 2**63 - 1
MOST = 128 << 20  # bytes that a pickle may take, whatever it says


def refusal(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        load_torch(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "w.pth"


@pytest.mark.parametrize(("module", "name"), [
    ("os", "system"), ("builtins", "eval"), ("builtins", "bytearray"), ("builtins", "set"),
    ("numpy", "ndarray"), ("numpy.core.multiarray", "scalar"), ("torch", "load"),
    ("torch.nn.modules.linear", "Linear"), ("torch", "eye"), ("torch._utils", "_rebuild_qtensor"),
    ("torch.storage", "_load_from_bytes"), ("__main__", "Net"), ("torch", "QInt8Storage"),
    ("torch", "complex64"), ("collections", "defaultdict"), ("no_such_module", "x"),
    ("torch._utils ", "_rebuild_tensor_v2"), ("", ""), ("a\x1b[2J", "b\u2028"),
])  # fmt: skip
@pytest.mark.parametrize("protocol", [2, 4])
def test_other_names_are_refused_and_not_imported(file, monkeypatch, module, name, protocol):
    imports = builtins.__import__

    def never(module, scope=None, *rest, **others):
        if scope and scope["__name__"].partition(".")[0] == "pathlib":  # from Python 3.12 on
            return imports(module, scope, *rest, **others)
        raise AssertionError("something was imported")

    content = saved({"a": tensor(ONES), "b": Called(Name(module, name), ("touch x",))}, protocol)
    file.write_bytes(saved({"a": tensor(ONES)}))
    load_torch(file)
    monkeypatch.setattr(importlib, "import_module", never)
    monkeypatch.setattr(builtins, "__import__", never)
    file.write_bytes(content)
    try:
        load_torch(file)
    except ValueError as error:
        found = str(error)
    finally:
        monkeypatch.undo()
    shown = f"{module}.{name}".encode("unicode_escape").decode()
    assert found == f"{file}: its data.pkl: wanted a pickle of tensors, got a bad one: {NO_MORE}{shown}"


@pytest.mark.parametrize(("program", "problem"), [
    (b"", "it ends too soon"), (b"N", "it ends too soon"),
    (b"\x80\x06N.", "ValueError: unsupported pickle protocol"), (b"\x8f.", f"{NO_MORE}instruction 0x8f"),
    (b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b".", "0x96"),
    (b"(ios\nsystem\n.", "instruction 0x69"), (b"ccollections\nOrderedDict\n)\x81.", "instruction 0x81"),
    (b"Pa\n.", "instruction 0x50"), (b"\x82\x01.", f"{NO_MORE}extension 1"), (b"\xfe.", "instruction 0xfe"),
    (b"}}K\1K\2sb.", "wanted a state for what has one"),
    (b"ctorch\nFloatStorage\n}K\1K\2sb.", "wanted a state for what has one"),
    (b"ctorch\nSize\n(K\1l\x85R.", "a size: wanted a tuple"),
    (b"ctorch\nSize\n(K\1lR.", "wanted a tuple of arguments"),
    (b"ctorch\nSize\nX\x02\0\0\0abR.", "wanted a tuple of arguments"), (b"}}K\1s.", "as the keys of a dict"),
    (b"})K\1s.", "wanted strings or whole numbers as the keys of a dict"),
    (b"(]K\1d.", "as the keys of a dict"), (b"}(]K\1u.", "as the keys of a dict"),
    (b"ccollections\nOrderedDict\n}\x85R.", "TypeError: "),
    (b"ccollections\nCounter\nK\1\x85R.", "a counter: wanted a dict"),
    (b"K\1Q.", "a storage: wanted (storage, "),
    (b"(X\x07\0\0\0storageK\1K\1K\1K\1tQ.", "a storage: wanted its class, its name, and how much it holds"),
    (b"I" + b"9" * 5000 + b"\n.", "ValueError: Exceeds the limit"),
    (b"Ix" + b"y" * 5000 + b"\n.", "ValueError: "), (b"r\xff\xff\xff\xff.", "IndexError: "),
    (b"h\7.", "Memo value not found at index 7"), (b"t.", "IndexError: "),
    (b"X\xff\xff\xff\x7fab.", "it ends too soon"), (b"X\x01\0\0\0\xff.", "UnicodeDecodeError: "),
    (b"K\1" + b"\x85" * 100_000 + b".", "wanted a dict of names to tensors, got tuple"),
    (b"]" * 100_000 + b"a" * 99_999 + b".", "wanted a dict of names to tensors, got list"),
    (b"}K\1" + b"\x85" * 100_000 + b"K\1s.", "as the keys of a dict"),
    (b"}\x8b\x40\x42\x0f\0" + b"\1" * 1_000_000 + b"Ns.", "a checkpoint with them, got a key of int"),
])  # fmt: skip
def test_programs_that_are_none_of_pytorchs_are_refused(file, program, problem):
    assert problem in refusal(file, packed(program))


def changed(**parts):
    """A file with a tensor of other parts than a sound one."""
    sound = {"stored": storage(ONES), "offset": 0, "size": (2, 3), "stride": (3, 1)} | parts
    return saved(
        {"a": Called(Name("torch._utils", "_rebuild_tensor_v2"), (*sound.values(), False, OrderedDict()))}
    )


INT8, UINT16 = Name("torch", "int8"), Name("torch", "uint16")
BYTES = Stored(Name("torch.storage", "UntypedStorage"), bytes(24), 24)


@pytest.mark.parametrize(("parts", "problem"), [
    ({"offset": 1}, "a tensor of size (2, 3): wanted it within 6 numbers, got one at place 6"),
    ({"size": (2, 4)}, "got one at place 6"), ({"size": (3, 3)}, "got one at place 8"),
    ({"stride": (4, 1)}, "got one at place 6"),
    ({"stride": (WHOLE, 1)}, "got one at place 9,223,372,036,854,775,809"),
    ({"size": (2, 2**40)}, "got one at place"),
    ({"size": (), "stride": (), "offset": 6}, "got one at place 6"),
    *(({"offset": odd}, "sizes, and strides, of 0 or more") for odd in (-1, True, 0.0, None, "0", 2**63)),
    ({"offset": 2**80_000}, "wanted at most 32 sizes, and strides, of 0 or more"),
    ({"size": (-2, 3)}, "of 0 or more"), ({"stride": (-3, 1)}, "of 0 or more"),
    ({"size": (2.0, 3)}, "of 0 or more"),
    ({"size": (1,) * 33, "stride": (1,) * 33}, "wanted at most 32 sizes"),
    ({"size": (2,)}, "wanted as many strides"), ({"size": [2, 3]}, "wanted as many strides as sizes"),
    ({"stride": None}, "wanted as many strides as sizes"),
    ({"size": (0, 2**61)}, "wanted a size that an array can have, got (0, "),
    ({"stored": BYTES}, "wanted a storage of"),
    ({"size": (2**31, 2**31), "stride": (0, 0)}, "wanted a size that an array can have"),
    ({"stored": 5}, "wanted a st"),
])  # fmt: skip
def test_tensors_that_do_not_lie_in_their_storage_are_refused(file, parts, problem):
    tracemalloc.start()
    assert problem in refusal(file, changed(**parts))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_size_of_nothing_is_one_that_an_array_can_have(file):
    file.write_bytes(changed(size=(0, 2**59), stride=(1, 1)))
    assert load_torch(file)["a"].shape == (0, 2**59)


@pytest.mark.parametrize(("name", "arguments", "problem"), [
    ("_utils _rebuild_parameter", (5, True, None), "a parameter: wanted a tensor"),
    ("_utils _rebuild_tensor_v2", (), "TypeError: "),
    ("_tensor _rebuild_from_type_v2", (Name("torch", "Size"), None, ((1,),), None), "attributes: wanted"),
    ("_tensor _rebuild_from_type_v2", (tensor(ONES).function, None, [1], None), "attributes: wanted a ten"),
    ("_utils _rebuild_tensor_v3", (storage(ONES), 0, (1,), (1,), 0, 0, INT8), "storage of bytes"),
    ("_utils _rebuild_tensor_v3", (BYTES, 0, (1,), (1,), 0, 0, 5), "wanted a storage of bytes, and a dtype"),
    ("_utils _rebuild_tensor_v3", (BYTES, 0, (1,), (1,), 0, 0, BYTES.kind), "storage of bytes, and a dtype"),
    ("_utils _rebuild_tensor_v3", (BYTES, 0, (13,), (1,), 0, 0, UINT16), "wanted it within 12 numbers"),
])  # fmt: skip
def test_calls_with_other_arguments_are_refused(file, name, arguments, problem):
    assert problem in refusal(file, saved({"a": Called(Name(*f"torch.{name}".split()), arguments)}))


def test_archives_without_what_the_pickle_tells_of_are_refused(file):
    program, found = torch_files.pickled({"a": tensor(ONES)})
    assert refusal(file, packed(program)) == (
        "archive/data/0: wanted the numbers of a tensor, got no entry of that name"
    )
    assert refusal(file, packed(program, {"0": found["0"][:-1]})) == (
        "archive/data/0: wanted 24 bytes, as its pickle says, got 23"
    )
    assert refusal(file, packed(program, found, order="middle")).startswith(
        "byteorder: wanted little or big, got b'"
    )
    assert refusal(file, packed(program, found, order="littler")) == (
        "archive/byteorder: wanted at most 6 bytes, got 7"
    )
    assert refusal(file, torch_files.zipped({"x": b""}, folder="data.pkl")) == (
        "wanted weights in a PyTorch file (zip), got a zip archive"
    )


def test_one_storage_is_not_read_as_every_kind_of_number(file, monkeypatch):
    numbers = np.zeros(10_000)
    stored = Stored(BYTES.kind, numbers.tobytes(), numbers.nbytes)
    ways = {
        kind: Called(
            Name("torch._utils", "_rebuild_tensor_v3"), (stored, 0, (3,), (1,), 0, 0, Name("torch", kind))
        )
        for kind in ("uint8", "int16", "int32", "int64", "float32")
    }
    file.write_bytes(saved(ways))
    assert load_torch(file).keys() == ways.keys()
    monkeypatch.setattr("cynet.interop.pytorch.storages.SPARE", 0)
    assert "archive/data/0: wanted storages of at most 1" in refusal(file, saved(ways))


def test_a_pickle_has_so_many_instructions_and_no_more(file, monkeypatch):
    count = 40
    monkeypatch.setattr(tensors, "MOST_INSTRUCTIONS", count)
    file.write_bytes(packed(b"N0" * ((count - 2) // 2) + b"}."))
    assert load_torch(file) == {}
    wanted = f"wanted at most {count} instructions, got more"
    assert refusal(file, packed(b"N0" * (count // 2) + b"}.")).endswith(wanted)


def test_a_pickle_has_so_many_bytes_and_no_more(file, monkeypatch):
    content = saved({"a": tensor(ONES)})
    size = len(torch_files.pickled({"a": tensor(ONES)})[0])
    monkeypatch.setattr(state_dicts, "MOST_PICKLE", size)
    file.write_bytes(content)
    load_torch(file)
    monkeypatch.setattr(state_dicts, "MOST_PICKLE", size - 1)
    assert refusal(file, content) == f"archive/data.pkl: wanted at most {size - 1} bytes, got {size}"


@pytest.mark.parametrize("program", [b"]", b"(", b"]\x94", b"}K\0Ns", b"\x8c\x0faaaaaaaaaaa\xf0\x9f\x98\x80"])
def test_instructions_make_so_many_bytes_at_most(program):
    """Of a tenth of those that there may be: a tenth of what all together may take."""
    tracemalloc.start()
    with pytest.raises(ValueError, match="it ends too soon"):
        tensors.read_pickle(program * (tensors.MOST_INSTRUCTIONS // 10 // len(program)), "x")
    assert tracemalloc.get_traced_memory()[1] < MOST // 10
    tracemalloc.stop()


def test_a_view_of_what_is_not_there_names_its_entry(file):
    made = view(storage(ONES), (6,), (1,))
    made.arguments[0].content += b"more"
    assert refusal(file, saved({"a": made})) == "archive/data/0: wanted 24 bytes, as its pickle says, got 28"
