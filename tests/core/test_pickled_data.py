"""Pickles as data: which instructions are carried out, what is said of the others, and no more than shown."""

import pickle
import pickletools
import struct

import pytest

from cynet.core.unpickling import DataUnpickler, unpickled


class Numbers(DataUnpickler):
    """Reads what has whole numbers as keys, too."""

    keys = (str, int)


def read(data, most=1000, kind=DataUnpickler):
    return unpickled(kind(data, most), "a.pkl", "plain values")


def refusal(data, most=1000, kind=DataUnpickler):
    with pytest.raises(ValueError) as caught:
        read(data, most, kind)
    start = "a.pkl: wanted a pickle of plain values, got a bad one: "
    assert str(caught.value).startswith(start) and caught.value.__cause__ is None
    return str(caught.value).removeprefix(start)


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_of_every_protocol_are_read(protocol):
    wanted = {"a": [1, -2.5, None, True, "é猫", (1, (2,)), 2**70], b"b": {}} | (
        {} if protocol < 3 else {"c": b"\xff"}
    )
    assert read(pickle.dumps(wanted, protocol)) == wanted
    assert read(pickle.dumps({"x": b"\0\xff" * 50}, protocol)) == {"x": b"\0\xff" * 50}


@pytest.mark.parametrize("code", b"\x8f\x91\x90\x96\x97\x98ioP\x81\x92")
def test_instructions_of_no_files_kind_are_not_carried_out(code):
    """Sets, bytes that can be changed, buffers from elsewhere, classes that are called or made, and names."""
    assert refusal(b"\x80\x05" + bytes([code]) + b"N.") == (
        f"wanted plain values alone, got instruction {code:#04x}"
    )


@pytest.mark.parametrize(
    "data", [b"cos\nsystem\n.", b"\x8c\x02os\x8c\x06system\x93.", b"c_codecs\ndecode\n."]
)
def test_what_is_named_is_not_imported(data):
    name = "_codecs.decode" if b"codecs" in data else "os.system"
    assert refusal(data) == f"wanted plain values alone, got {name}"


@pytest.mark.parametrize("code", [b"\x82\x07", b"\x83\x07\x00", b"\x84\x07\x00\x00\x00"])
def test_names_in_tables_of_this_process_are_refused(code):
    assert refusal(code + b".") == "wanted plain values alone, got extension 7"


def test_of_a_long_name_two_hundred_letters_are_shown_and_none_that_steers():
    name = "\x1b" + "n" * 5000
    assert refusal(b"cm\n" + name.encode() + b"\n.") == (
        "wanted plain values alone, got m.\\x1b" + "n" * (200 - 3)
    )
    told = refusal(pickle.dumps({"x": 1}, 2).replace(b"}", b"X" + struct.pack("<I", 2) + b"\xff\n", 1))
    assert told.startswith("UnicodeDecodeError: ") and told.isprintable() and len(told) <= 400


@pytest.mark.parametrize("data", [b"", b"}", b"X\x05\0\0\0ab", b"(K\1"])
def test_one_that_ends_too_soon_is_told_so(data):
    assert refusal(data) == "it ends too soon"


def test_each_instruction_counts():
    data = pickle.dumps([None] * 10, 0)
    count = len(list(pickletools.genops(data)))
    assert read(data, count) == [None] * 10
    assert refusal(data, count - 1) == f"wanted at most {count - 1} instructions, got more"
    assert refusal(data, 1).startswith("wanted at most 1 instructions")
    assert "at most 1,000 instructions" in refusal(b"N0" * 501 + b"N.", 1000)


@pytest.mark.parametrize(("value", "kind", "said"), [
    ({1: 2}, DataUnpickler, "wanted strings as the keys of a dict"),
    ({(): 2}, Numbers, "wanted strings or whole numbers as the keys of a dict"),
    ({"a": 1, 2: 3}, DataUnpickler, "wanted strings as the keys of a dict"),
    ({None: 1}, Numbers, "wanted strings or whole numbers as the keys of a dict"),
])  # fmt: skip
@pytest.mark.parametrize("protocol", [0, 2])
def test_keys_are_of_few_kinds(value, kind, said, protocol):
    assert refusal(pickle.dumps(value, protocol), kind=kind) == said


@pytest.mark.parametrize("protocol", [0, 2])
def test_values_may_be_of_any_kind(protocol):
    assert read(pickle.dumps({"a": (1,), "b": {"c": None}}, protocol)) == {"a": (1,), "b": {"c": None}}
    assert read(pickle.dumps({1: "a", "b": 2}, protocol), kind=Numbers) == {1: "a", "b": 2}
    assert read(b"(X\1\0\0\0aK\1X\1\0\0\0bK\2d.") == {"a": 1, "b": 2}
    for data in (b"(K\1K\2d.", b"}(X\1\0\0\0aK\1K\1K\2u.", b"}K\1K\2s."):
        assert refusal(data) == "wanted strings as the keys of a dict"


def test_a_text_is_encoded_as_often_as_the_file_is_long():
    text = b"c_codecs\nencode\nX\x0a\0\0\0" + b"t" * 10
    once = text + b"X\6\0\0\0latin1\x86R."
    assert read(once) == b"t" * 10
    said = "wanted each text encoded once, as latin1"
    assert refusal(text + b"X\5\0\0\0utf-8\x86R.") == said
    again = (
        b"c_codecs\nencode\nq\0X\x64\0\0\0"
        + b"t" * 100
        + b"q\1X\6\0\0\0latin1\x86q\2R0"
        + b"h\0h\2R0" * 9
        + b"N."
    )
    assert refusal(again) == said


def test_arguments_are_a_tuple_and_a_state_is_for_what_has_one():
    assert refusal(b"c_codecs\nencode\n]R.") == "wanted a tuple of arguments"
    assert refusal(b"]}b.") == "wanted a state for what has one, got another's"
