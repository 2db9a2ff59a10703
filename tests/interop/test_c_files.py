"""Which files a net as C has, and what cannot be one."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cynet
from cynet.interop.c import literals
from cynet.interop.c.files import arena_of, unit_of
from cynet.interop.c.writing import prepared
from cynet.interop.program.folding import with_pixels
from cynet.interop.program.lowering import lower
from cynet.interop.program.steps import Program, Step

FILES = {"net.c", "net.h", "main.c", "Makefile", "cortex-m.c", "cortex-m.ld"}


def tiny():
    return cynet.Sequential(cynet.Conv2d(3, 4, 3), cynet.GlobalAvgPool2d(), cynet.Linear(4, 2))


def test_only_own_files_are_replaced(tmp_path):
    (tmp_path / "notes.c").write_text("mine")
    (tmp_path / "net.c").write_text("older")
    cynet.interop.save_c(tiny(), tmp_path, (5, 5, 3))
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "notes.c"}
    assert (tmp_path / "notes.c").read_text() == "mine" and "older" not in (tmp_path / "net.c").read_text()


@pytest.mark.parametrize("name", ["main.c", "Makefile"])
def test_the_folder_of_another_program_is_refused(tmp_path, name):
    cynet.interop.save_c(tiny(), tmp_path, (5, 5, 3))
    with open(tmp_path / name, "a") as changed:
        changed.write("more")
    cynet.interop.save_c(tiny(), tmp_path, (5, 5, 3))  # those of cynet's make are replaced
    assert "more" not in (tmp_path / name).read_text()
    (tmp_path / name).write_text("mine")
    (tmp_path / "net.c").unlink()
    with pytest.raises(ValueError, match=f"wanted a folder of its own, got one with another {name}$"):
        cynet.interop.save_c(tiny(), tmp_path, (5, 5, 3))
    assert (tmp_path / name).read_text() == "mine" and not (tmp_path / "net.c").exists()


def test_a_folder_is_made_and_a_name_is_everywhere(tmp_path):
    cynet.interop.save_c(tiny(), tmp_path / "a" / "b", (5, 5, 3), name="eye", classes=["x", "y"])
    folder = tmp_path / "a" / "b"
    assert {path.name for path in folder.iterdir()} == FILES - {"net.c", "net.h"} | {"eye.c", "eye.h"}
    texts = "".join(path.read_text() for path in folder.iterdir())
    assert "net_" not in texts and "NET_" not in texts and "@{" not in texts and "eye_classes[2]" in texts


def test_the_same_net_gives_the_same_bytes(tmp_path):
    model = tiny()
    for name in "ab":
        cynet.interop.save_c(model, tmp_path / name, (5, 5, 3))
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in FILES)


def test_the_header_tells_sizes_and_what_it_needs(tmp_path):
    model = cynet.Sequential(cynet.Conv2d(1, 4, 3), cynet.GELU(), cynet.Flatten(), cynet.Linear(36, 2))
    cynet.interop.save_c(model, tmp_path, (5, 5, 1), pixels=([0.5], [0.5]))
    header = (tmp_path / "net.h").read_text()
    program = with_pixels(prepared(lower(model, (5, 5, 1))), (0.5,), (0.5,))
    for line in (
        f"#define NET_ARENA {arena_of(unit_of(program)).size} ", "#define NET_OUTPUT_SIZE 2\n",
        "#define NET_INPUT_SIZE 25\n#define NET_OUTPUT", "#define NET_HEIGHT 5\n", "#define NET_CHANNELS 1\n",
        " *     uint8_t input[5][5][1], rows of pixels, 0 to 255\n *     float output[2]\n",
        "of the C library erfcf, memcpy, memset.", "void net_run(const uint8_t *input, float *output);\n",
    ):  # fmt: skip
        assert line in header


def test_sums_are_done_where_a_convolution_writes():
    x = cynet.Input((8, 8, 4))
    y = cynet.Conv2d(4, 4, 3, padding=1)(x)
    z = cynet.Conv2d(4, 4, 3, padding=1)(cynet.Conv2d(4, 4, 3, padding=1)(y))
    unit = unit_of(prepared(lower(cynet.Graph(x, cynet.ReLU()(cynet.Add()(z, y))), (8, 8, 4))))
    first, _, third = unit.program.steps
    assert third.operation == "conv" and third.inputs[1] == first.output and third.after == {"kind": "relu"}
    values = arena_of(unit).values
    assert values[third.output] is values[first.output]  # the sum stands in its place


def test_equal_constants_are_there_once():
    x = cynet.Input((8, 8, 4))
    layer = cynet.Conv2d(4, 4, 3, padding=1)
    once = unit_of(prepared(lower(cynet.Graph(x, layer(x)), (8, 8, 4))))
    twice = unit_of(prepared(lower(cynet.Graph(x, layer(layer(x))), (8, 8, 4))))
    assert len(twice.constants) == len(once.constants) + 1  # the settings of one more step


@given(st.floats(width=32))
def test_numbers_are_read_as_they_were(value):
    text = literals.number(value)
    if np.isfinite(value):
        assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", text) and ("." in text or "e" in text)
        assert np.float32(text[:-1]).tobytes() == np.float32(value).tobytes()
    else:
        assert text == {np.inf: "INFINITY", -np.inf: "-INFINITY"}.get(value, "NAN")


# -- refusals ------------------------------------------------------------------------------------------------
REFUSED = {
    "name: wanted a str, got 3": {"name": 3},
    "name: wanted a letter, then letters.*got '2nd'": {"name": "2nd"},
    "name: wanted a letter.*got 'a-b'": {"name": "a-b"},
    "name: wanted.*and neither main nor cortex, got 'Main'": {"name": "Main"},
    "classes: wanted a list of names, got 'ab'": {"classes": "ab"},
    r"classes: wanted a list of names, got \[1, 2\]": {"classes": [1, 2]},
    r"classes: wanted a name for each output, got 3 for outputs of \(2,\)": {"classes": ["a", "b", "c"]},
    r"pixels: wanted a mean for each of 3 channels, got \[0\]": {"pixels": ([0], [1])},
}


@pytest.mark.parametrize("message", REFUSED)
def test_arguments_that_do_not_fit_are_named(tmp_path, message):
    with pytest.raises((TypeError, ValueError), match=message):
        cynet.interop.save_c(tiny(), tmp_path / "none", (5, 5, 3), **REFUSED[message])
    assert not (tmp_path / "none").exists()


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        cynet.interop.save_c(tiny(), tmp_path / "file", (5, 5, 3))


def test_steps_that_cannot_be_written_are_listed_at_once():
    steps = Step("fold", "a.0", (0,), 1), Step("spin", "a.1", (1,), 2)
    program = Program({0: (3,), 1: (3,), 2: (3,)}, (0,), (2,), steps)
    with pytest.raises(ValueError, match=r"can be written as C, got fold \(a\.0\), spin \(a\.1\)$"):
        unit_of(program)
    many = tuple(Step("fold", f"{i}", (i,), i + 1) for i in range(12))
    program = Program(dict.fromkeys(range(13), (3,)), (0,), (12,), many)
    with pytest.raises(ValueError, match=r"fold \(9\) and 2 more$"):
        unit_of(program)


def test_values_that_an_int_cannot_count_are_refused():
    program = Program({0: (2**16, 2**15, 1)}, (0,), (0,), ())
    with pytest.raises(ValueError, match="values of at most 2147483647 numbers, got one of 2147483648"):
        unit_of(program)
