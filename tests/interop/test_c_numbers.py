"""Nets as C compute what cynet does; the sanitizers and the compiler have nothing to say."""

import re
from importlib.resources import files

import c_programs as c
import numpy as np
import pytest
from test_int8 import layers

import cynet
from cynet.interop.c import literals, writing
from cynet.interop.c.curves import CURVES
from cynet.interop.c.files import texts, unit_of
from cynet.interop.c.operations import OPERATIONS
from cynet.interop.c.writing import prepared
from cynet.interop.int8 import observing
from cynet.interop.int8.quantizing import quantized
from cynet.interop.int8.running import run
from cynet.interop.program import steps
from cynet.interop.program.lowering import lower

pytestmark = c.needs_compiler
EIGHT_BITS = "whole_", "levels", "quantize"  # kernels


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


def test_every_operation_in_eight_bits_to_the_bit(tmp_path, monkeypatch):
    cynet.seed(9)
    x = cynet.Input((6, 5, 4))
    gate = cynet.Reshape((1, 1, 4))(cynet.Sigmoid()(cynet.GlobalAvgPool2d()(x)))
    ends = [cynet.Multiply()(x, gate), *(layer(x) for _, layer in layers())]
    ends = [cynet.Flatten()(end) if len(end.shape) > 1 else end for end in ends]
    model = c.varied(cynet.Graph(x, cynet.Concatenate()(*ends)))
    samples = np.random.default_rng(0).standard_normal((40, *x.shape), np.float32)
    monkeypatch.setattr(
        observing, "SHARES", np.ones(1)
    )  # which ranges are best does not matter, and takes long
    program = quantized(model, x.shape, samples)
    writing.write(texts(program), tmp_path)
    found = c.answers(c.compiled(tmp_path, *c.SANITIZED), "--outputs", c.stored(tmp_path / "x", samples[:5]))
    np.testing.assert_array_equal(found, run(program, samples[:5]))
    kernels = {path.stem for path in (files("cynet.interop.c") / "kernels").iterdir()}
    wanted = {name for name in kernels if name.startswith(EIGHT_BITS)} - {"levels"}  # of bytes
    assert wanted <= set(unit_of(program).kernels)


def test_names_of_kernels_end_with_no_number_as_those_of_constants_do():
    for path in (files("cynet.interop.c") / "kernels").iterdir():
        assert re.findall(r"\b[a-z]\w*_\d+\b", path.read_text()) == [], path


def test_every_operation_of_programs_is_in_the_table():
    table = steps.__doc__.split("=\n")[2]
    rows = re.findall(r"^([a-z_]+(?:, [a-z_]+)*) ", table, re.MULTILINE)
    names = {name for row in rows for name in row.split(", ")}
    assert len(names) > 25
    assert names - {"norm"} <= {name for name, _ in OPERATIONS}  # that is folded away
