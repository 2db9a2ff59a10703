"""What is written at the start of an exercise and read back: holes, a text, a test of one's own."""

import ast
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from test_exercises import NAMES, module_of, solution

from cynet import cli
from cynet.lab import checking, folder, saying
from cynet.lab.exercise import Exercise, Hole, array, number, whole, whole_numbers
from cynet.lab.registry import exercise as registered
from cynet.lab.registry import find

PYTHON = '''"""sgd: write the functions below. exercise.md tells of them; `cynet lab check` tries them."""

import numpy as np


def velocity(w, dw, v, momentum, decay):
    """new_v = momentum * v + dw + decay * w.

    w: float32 array (n,)
    dw: float32 array (n,)
    v: float32 array (n,)
    momentum: a number
    decay: a number
    Returns new_v: float32 array (n,)
    """
    raise NotImplementedError("velocity")  # your code goes here


def step(w, v, rate):
    """new_w = w - rate * v.

    w: float32 array (n,)
    v: float32 array (n,)
    rate: a number
    Returns new_w: float32 array (n,)
    """
    raise NotImplementedError("step")  # your code goes here
'''
CYTHON = '''"""sgd: write the functions below. exercise.md tells of them; `cynet lab check` tries them."""

from cython.parallel cimport prange

from libc.math cimport INFINITY, exp, log, pow, sqrt, tanh


def velocity(
        const float[::1] w not None, const float[::1] dw not None, const float[::1] v not None,
        float momentum, float decay, float[::1] new_v not None
):
    """new_v = momentum * v + dw + decay * w.

    w: float32 array (n,)
    dw: float32 array (n,)
    v: float32 array (n,)
    momentum: a number
    decay: a number
    Writes to new_v: float32 array (n,)
    """
    raise NotImplementedError("velocity")  # your code goes here


def step(
        const float[::1] w not None, const float[::1] v not None, float rate,
        float[::1] new_w not None
):
    """new_w = w - rate * v.

    w: float32 array (n,)
    v: float32 array (n,)
    rate: a number
    Writes to new_w: float32 array (n,)
    """
    raise NotImplementedError("step")  # your code goes here
'''


@pytest.mark.parametrize(("language", "text"), [("python", PYTHON), ("cython", CYTHON)])
def test_the_file_with_holes_has_every_function_with_its_arguments(tmp_path, language, text):
    work = folder.start("sgd", tmp_path / "a", language)
    found = work.file.read_text()
    assert found == text
    assert (work.folder / "lab.toml").read_text() == f'exercise = "sgd"\nlanguage = "{language}"\n'


def test_a_signature_in_cython_has_types_and_is_cut_where_it_is_long():
    takes = array("x", "rows, groups * n"), whole_numbers("labels", "rows"), whole("groups"), number("rate")
    hole = Hole("f", takes, (array("y", "a, b, c"), whole_numbers("winner", "a")), "", None, None)
    assert hole.signature("python") == "def f(x, labels, groups, rate):"
    parts = ["const float[:, ::1] x not None", "const int[::1] labels not None", "Py_ssize_t groups",
             "float rate", "float[:, :, ::1] y not None", "int[::1] winner not None"]  # fmt: skip
    assert hole.signature("cython") == (
        f"def f(\n        {', '.join(parts[:3])},\n        {', '.join(parts[3:])}\n):"
    )
    assert Hole("f", takes[:2], takes[:1], "", None, None).signature("cython") == (
        f"def f({parts[0]}, {parts[1]}, float[:, ::1] x not None):"
    )
    assert [str(each) for each in takes] == [
        "x: float32 array (rows, groups * n)", "labels: int32 array (rows,)", "groups: a whole number",
        "rate: a number",
    ]  # fmt: skip
    for name in NAMES:
        for hole in find(name).holes:
            assert max(map(len, hole.signature("cython").splitlines())) <= 100


def test_long_texts_are_wrapped_and_constants_stand_above_the_holes(tmp_path):
    for name in NAMES:
        for language in ("python", "cython"):
            text = folder.start(name, tmp_path / f"{name} {language}", language).file.read_text()
            assert max(map(len, text.splitlines())) <= 107
            words = " ".join(text.split())
            assert all(" ".join(hole.text.split()) in words for hole in find(name).holes)
            given = find(name).given.get(language, "").strip()
            assert given in text and text.index(given) < text.index(f"def {find(name).holes[0].name}(")
            assert "\n\n\n\n" not in text and text.endswith("here\n")
            assert ("prange" in text.partition("\n\n\n")[0]) == (language == "cython")
    ast.parse((tmp_path / "batchnorm python" / "batchnorm.py").read_text())


def test_the_text_has_the_formulas_the_language_and_the_commands(tmp_path):
    python = (folder.start("sgd", tmp_path / "a", "python").folder / "exercise.md").read_text()
    cython = (folder.start("sgd", tmp_path / "b", "cython").folder / "exercise.md").read_text()
    functions = "def velocity(w, dw, v, momentum, decay):\n    new_v = momentum * v + dw + decay * w."
    functions += "\n\ndef step(w, v, rate):\n    new_w = w - rate * v.\n```\n\n## In Python\n"
    assert f"\n\n## The functions\n\nIn `sgd.py`:\n\n```python\n{functions}" in python
    assert (
        "\n- `x.sum(axis=1)` sums along an axis, `x.sum(axis=(0, 2))` along several at once.\n- `v[:, None]`"
        in (python)
    )
    assert "In `sgd.pyx`:\n\n```cython\ndef velocity(" in cython and "## In Cython" in cython
    assert "`cynet lab check` compiles sgd.pyx, first" in cython and "FILE" not in cython
    for text in (python, cython):
        assert text.startswith("# ") and "![" in text
        assert re.findall(r"^cynet lab (\w+) \.", text, re.MULTILINE) == ["check", "time", "train", "report"]
    assert (tmp_path / "a" / "exercise.svg").read_text().startswith("<svg")


def test_an_empty_folder_is_taken_and_parents_are_made(tmp_path):
    (tmp_path / "a").mkdir()
    folder.start("sgd", tmp_path / "a", "python")
    assert folder.start("sgd", tmp_path / "b" / "c", "python").file.exists()


def outputs_of(name, module):
    """The functions of a solution as those in Cython are called: with outputs to write to."""

    def writing(hole):
        def called(*given):
            count = len(hole.takes)
            found = getattr(module, hole.name)(*given[:count])
            found = found if isinstance(found, tuple) else (found,)
            for one, target in zip(found, given[count:], strict=True):
                assert target.dtype == np.asarray(one).dtype or target.dtype == np.float32
                target[...] = one

        return called

    return types.SimpleNamespace(**{hole.name: writing(hole) for hole in find(name).holes})  # fmt: skip


@pytest.mark.parametrize("language", ["python", "cython"])
@pytest.mark.parametrize("name", NAMES)
def test_the_first_test_passes_with_a_solution_and_not_with_another_result(
    tmp_path, monkeypatch, name, language
):
    work = folder.start(name, tmp_path / "a", language)
    exercise, module = find(name), module_of(solution(name))
    hole = exercise.holes[0]

    def wrong(*given):
        found = getattr(module, hole.name)(*given)
        return tuple(each + 0.01 for each in found) if isinstance(found, tuple) else found + 0.01

    for right in (True, False):
        each = types.SimpleNamespace(**vars(module)) if right else types.SimpleNamespace(**{hole.name: wrong})
        if language == "cython":
            others = {one.name: getattr(module, one.name) for one in exercise.holes}
            each = outputs_of(name, types.SimpleNamespace(**{**others, **vars(each)}))
        monkeypatch.setitem(sys.modules, exercise.stem, each)
        tests = {}
        exec(compile(work.tests.read_text(), "my_tests.py", "exec"), tests)
        test = tests[f"test_{hole.name}_of_a_small_example"]
        if right:
            test()
        else:
            with pytest.raises(AssertionError):
                test()
    text = work.tests.read_text()
    case = exercise.case(exercise.sizes[2])
    first = next(each for each in hole.takes if each.shape)
    assert (
        f"    {first.name} = np.array({np.round(case.values[first.name].astype(float), 2).tolist()}," in text
    )


def test_a_folder_is_known_by_its_whole_path_from_wherever_it_is_opened(tmp_path, monkeypatch):
    folder.start("softmax-loss", tmp_path / "a", "cython")
    monkeypatch.chdir(tmp_path)
    for place in ("a", "a/softmax_loss.pyx", Path("a") / "lab.toml"):
        work = folder.open_folder(place)
        assert (work.folder, work.language, work.exercise.name) == (tmp_path / "a", "cython", "softmax-loss")
    assert work.file == tmp_path / "a" / "softmax_loss.pyx" and work.tests.name == "my_tests.py"
    monkeypatch.chdir(tmp_path / "a")
    assert folder.open_folder(".").folder == tmp_path / "a"


def test_a_students_file_may_have_a_mebibyte(tmp_path):
    work = folder.start("sgd", tmp_path / "a", "python")
    work.file.write_bytes(b"#" * 2**20)
    assert len(work.source()) == 2**20 and folder.foreign(work) is None
    work.file.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(ValueError, match="wanted a file of at most 1,048,576 bytes"):
        work.source()


def test_the_digest_is_of_the_file_as_it_is(tmp_path):
    import hashlib

    work = folder.start("sgd", tmp_path / "a", "python")
    work.file.write_bytes(b"one")
    assert work.digest() == hashlib.sha256(b"one").hexdigest()


def test_a_file_that_is_missing_is_told_with_others_of_its_kind(tmp_path):
    work = folder.start("sgd", tmp_path / "a", "python")
    work.file.unlink()
    with pytest.raises(folder.FolderError) as error:
        work.source()
    assert str(error.value) == f"{work.file}: wanted the file with the functions, got none"
    for name in ("b.py", "a.py", "c.pyx"):
        (work.folder / name).touch()
    with pytest.raises(folder.FolderError, match=r"got none; there is a.py, b.py: was it renamed\?$"):
        work.source()


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("import numpy\n", None), ("from . import cynet\nfrom .cynet import x\n", None),
        ("import cynetic", None),
        ("import numpy as cynet\n", None), ("x = 'import cynet'\n", None), ("\nimport os, cynet.nn\n", 2),
        ("from cynet import nn", 1), ("def f():\n  from cynet.nn import x\n", 2), ("import cynet as c", 1),
        ("import cynet\nx = (\n", None),
    ],
)  # fmt: skip
def test_where_python_imports_cynet(source, line):
    assert folder._foreign_line(source, True) == line


def test_the_list_and_the_start_tell_what_there_is_and_what_comes_next(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lab", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    width = max(map(len, NAMES))
    assert lines == [
        *(f"{name:<{width}}  {registered.facts(name)['text']}" for name in NAMES), "",
        "cynet lab start EXERCISE DIR [--language cython] begins one.",
    ]  # fmt: skip
    assert NAMES[:3] == ("im2col", "convolution", "maxpool") and "gradient descent" in lines[6]
    assert cli.main(["lab", "start", "sgd", "my work", "--language", "cython"]) == 0
    assert capsys.readouterr().out == (
        "my work: read exercise.md, write into sgd.pyx, then cynet lab check 'my work'\n"
    )
    assert cli.main(["lab", "start", "sgd", "other"]) == 0 and Path("other", "sgd.py").exists()


# -- exercises ----------------------------------------------------------------------------------------------
def small(draw, named=("a", "b"), **more):
    return Exercise("one-two", (), named, ((1, 2),), draw, (3, 4), **more)


def test_a_case_is_drawn_by_its_sizes_and_its_seed_and_cannot_be_written_to():
    def draw(sizes, rng):
        return {"x": rng.standard_normal((sizes["a"], sizes["b"])), "n": np.arange(3), "k": sizes["b"]}

    exercise = small(draw)
    first, again, other, larger = (
        exercise.case(*given) for given in (((2, 3),), ((2, 3),), ((2, 3), 1), ((3, 2),))
    )
    np.testing.assert_array_equal(first.values["x"], again.values["x"])
    assert not np.array_equal(first.values["x"], other.values["x"])
    assert not np.array_equal(first.values["x"].ravel(), larger.values["x"].ravel())
    assert (first.values["x"].dtype, first.values["n"].dtype, first.values["k"]) == (np.float32, np.int32, 3)
    assert not first.values["x"].flags.writeable and first.values["x"].flags.c_contiguous
    assert str(first) == "a 2, b 3" and first.sizes == {"a": 2, "b": 3} and exercise.stem == "one_two"
    assert [each.sizes for each in exercise.cases()] == [{"a": 1, "b": 2}]


@pytest.mark.parametrize(
    ("sizes", "telling"),
    [((2, 3), True), ((2, 2), False), ((1, 2), False), ((5,), True), ((1,), True)],
)
def test_a_case_tells_axes_apart_where_its_sizes_differ(sizes, telling):
    assert small(lambda sizes, rng: {}, ("a", "b")[: len(sizes)]).case(sizes).telling == telling


def test_what_is_allowed_grows_with_the_root_of_the_sum_and_with_what_is_wanted():
    def hole(terms, scale=None):
        return Hole("f", (array("x", "n"),), (array("y", "n"),), "", None, lambda x: terms, scale=scale)

    values = {"x": np.ones(3, np.float32)}
    assert hole(4).allowed(values, [np.array([0.5, -0.25])])[0] == pytest.approx(2e-5)
    assert hole(9).allowed(values, [np.array([2.0, -8.0, np.inf])])[0] == pytest.approx(24e-5)
    assert hole(0).allowed(values, [np.array([1.0])])[0] == pytest.approx(1e-5)
    found = hole(1, lambda x: np.array([0.1, 7.0])).allowed(values, [np.array([1.0, 1.0])])
    assert found[0] == pytest.approx([1e-5, 7e-5])


def test_a_twin_computes_in_float64():
    hole = Hole("f", (array("x", "n"), whole_numbers("i", "n"), whole("k")), (), "", None, None)
    seen = []
    values = {"x": np.ones(2, np.float32), "i": np.ones(2, np.int32), "k": 3}
    found = hole.computed(lambda **given: seen.append(given) or given["x"] / 3, values)
    assert (seen[0]["x"].dtype, seen[0]["i"].dtype, seen[0]["k"]) == (np.float64, np.int64, 3)
    assert found[0].dtype == np.float64 and found[0][0] == 1 / 3 and hole.arguments(values)[2] == 3


def test_a_check_that_is_cut_short_by_a_missing_file_is_refused_in_one_line(tmp_path, capsys):
    work = folder.start("sgd", tmp_path / "a", "python")
    work.file.unlink()
    assert cli.main(["lab", "check", str(work.folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    verdict = checking.Verdict(work, [])
    verdict.problem = "sgd.py, line 3: imports cynet"
    assert saying.said(verdict).splitlines()[2] == "  sgd.py, line 3: imports cynet"
