"""Nets as C compute what cynet does; the sanitizers and the compiler have nothing to say."""

import re
from importlib.resources import files

import c_programs as c
import numpy as np
import pytest

import cynet
from cynet.interop.c import literals
from cynet.interop.c.curves import CURVES
from cynet.interop.c.files import unit_of
from cynet.interop.c.operations import OPERATIONS
from cynet.interop.c.writing import prepared
from cynet.interop.program import steps
from cynet.interop.program.lowering import lower

pytestmark = c.needs_compiler
EIGHT_BITS = "whole_", "levels", "quantize"  # kernels that tests/interop/test_int8.py asks for


@pytest.fixture
def both_kinds_of_constants(monkeypatch):
    """Short constants are numbers, long ones bytes; here long begins early."""
    monkeypatch.setattr(literals, "LONG", 2000)


def test_every_operation(tmp_path, both_kinds_of_constants):
    model, shape = c.of_everything()
    cynet.interop.save_c(model, tmp_path, shape)
    assert literals.BYTES in (tmp_path / "net.c").read_text()
    x = np.random.default_rng(0).standard_normal((3, *shape), np.float32)
    found = c.answers(c.compiled(tmp_path, *c.SANITIZED), "--outputs", c.stored(tmp_path / "x", x))
    c.assert_near(found, c.evaluated(model, x))


def test_texts(tmp_path):
    model, shape = c.of_texts()
    cynet.interop.save_c(model, tmp_path, shape, name="text")
    x = np.random.default_rng(0).integers(0, 5, (3, *shape))
    program = c.compiled(tmp_path, *c.SANITIZED)
    found = c.answers(program, "--outputs", c.stored(tmp_path / "x", x))
    c.assert_near(found, c.evaluated(model, x))
    beyond = c.stored(tmp_path / "beyond", np.where(x == 0, 10**12, x))  # no token's number: as 0
    np.testing.assert_array_equal(c.answers(program, "--outputs", beyond), found)


def test_no_kernel_is_left_out():
    """What the nets above need is all that there is, but for pixels and what counts in eight bits."""
    used = {"pixels"}
    for model, shape in (c.of_everything(), c.of_texts()):
        used |= set(unit_of(prepared(lower(model, shape))).kernels)
    kernels = {path.stem for path in (files("cynet.interop.c") / "kernels").iterdir()}
    kernels = {name for name in kernels if not name.startswith(EIGHT_BITS)}
    curves = {f"curve_{kind}" for kind in CURVES}
    assert used == kernels - {"curve"} | curves - {"curve_relu", "curve_relu6"}


def test_names_of_kernels_end_with_no_number_as_those_of_constants_do():
    for path in (files("cynet.interop.c") / "kernels").iterdir():
        assert re.findall(r"\b[a-z]\w*_\d+\b", path.read_text()) == [], path


def test_every_operation_of_programs_is_in_the_table():
    table = steps.__doc__.split("=\n")[2]
    rows = re.findall(r"^([a-z_]+(?:, [a-z_]+)*) ", table, re.MULTILINE)
    names = {name for row in rows for name in row.split(", ")}
    assert len(names) > 25
    assert names - {"norm"} <= {name for name, _ in OPERATIONS}  # that is folded away
