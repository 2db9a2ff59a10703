"""The exercises in Cython: compiled once for all solutions and all their mistakes, then as a student's
file."""

import importlib.util
import re
import time
import types

import broken
import pytest
from test_exercises import NAMES, solution, tried

from cynet.lab import checking, compiling, folder, saying, trials

pytest.importorskip("Cython")
TRIES = 10
FUNCTION = re.compile(r"^(?:def|cdef \w+) (\w+)\(", re.MULTILINE)


def renamed(source, number):
    """A solution whose functions and constants have a number behind their names, without its imports."""
    for name in {*FUNCTION.findall(source), "EPS", "SLOPE"}:
        source = re.sub(rf"\b{name}\b", f"{name}_{number}", source)
    return re.sub(r"^from .*\n", "", source, flags=re.MULTILINE)


HEAD = """
from cython.parallel cimport prange
from libc.math cimport INFINITY, exp, log, pow, sqrt, tanh
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(exercise, number of a mistake or None) -> a module with those functions; all are compiled at once."""
    texts, wanted = [HEAD], {}
    for name in NAMES:
        for number, (hole, _, old, new) in [(None, (None,) * 4), *enumerate(broken.CYTHON[name])]:
            text = solution(name, "cython")
            text = text if number is None else broken.changed(text, hole, old, new)
            texts.append(renamed(text, len(wanted)))
            wanted[name, number] = len(wanted)
    work = folder.start("sgd", tmp_path_factory.mktemp("lab") / "all", "cython")
    work.file.write_text("\n".join(texts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(compiling.WAYS, "checked", (compiling.WAYS["checked"][0], ["-O0"]))
        path = compiling.compiled(work)
    spec = importlib.util.spec_from_file_location("sgd", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def functions(name, number):
        at = wanted[name, number]
        found = {
            key.removesuffix(f"_{at}"): each for key, each in vars(module).items() if key.endswith(f"_{at}")
        }
        return types.SimpleNamespace(**found)

    return functions


@pytest.mark.parametrize("name", NAMES)
def test_a_solution_in_cython_is_right(built, name):
    findings = tried(name, built(name, None), "cython")
    assert {each.state for each in findings.values()} == {trials.RIGHT}, findings


@pytest.mark.parametrize("name", NAMES)
def test_mistakes_in_cython_are_found_and_told(built, name):
    for number, (hole, key, *_) in enumerate(broken.CYTHON[name]):
        if key != "race":  # which needs threads: below
            finding = tried(name, built(name, number), "cython", [hole])[hole]
            assert finding.state == trials.WRONG and finding.key == key, (hole, key, finding)


def test_threads_in_each_others_way_are_told(tmp_path):
    work = folder.start("batchnorm", tmp_path / "a", "cython")
    work.tests.unlink()
    hole, key, old, new = next(each for each in broken.CYTHON["batchnorm"] if each[1] == "race")
    work.file.write_text(broken.changed(solution("batchnorm", "cython"), hole, old, new))
    for _ in range(TRIES):  # they may happen to keep out of it
        found = {each.name: each for each in checking.check(work).findings}
        assert {each.state for name, each in found.items() if name != hole} == {trials.RIGHT}
        if found[hole].state == trials.WRONG:
            break
    assert found[hole].key == key and "Give each thread elements of its own" in found[hole].hint


BAD = """
from cython.parallel cimport prange
from libc.stdlib cimport malloc


def logistic(const float[::1] x not None, float[::1] y not None):
    cdef Py_ssize_t i
    for i in range(x.shape[0]):
        y[i] = x[i + 1]


def logistic_gradient(const float[::1] y not None, const float[::1] d not None, float[::1] dx not None):
    cdef Py_ssize_t i
    for i in prange(y.shape[0], nogil=True):
        dx[i + 1] = d[i]


def relu(const float[::1] x not None, float[::1] y not None):
    cdef Py_ssize_t i
    for i in prange(x.shape[0], nogil=True):
        while True:
            y[i] = y[i] + 1


def relu_gradient(const float[::1] x not None, const float[::1] d not None, float[::1] dx not None):
    cdef volatile float *p = <volatile float *> malloc(100 * <size_t> 1024 * 1024 * 1024)
    p[5] = x[0]


def leaky_relu(const float[::1] x not None):
    pass
"""


def test_whatever_cython_does_ends_in_a_sentence_within_ten_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "PATIENCE", 1.0)
    work = folder.start("activations", tmp_path / "a", "cython")
    work.file.write_text(BAD)
    work.tests.unlink()
    verdict = checking.check(work)
    told = {each.name: " ".join(each.lines) for each in verdict.findings}
    assert "activations.pyx, line 9: reads or writes beyond an array" in told["logistic"]
    assert "beyond an array" in told["logistic_gradient"]
    assert "did not end within 1 s" in told["relu"]
    assert "crashed (segmentation fault)" in told["relu_gradient"]
    assert "takes" in told["leaky_relu"] and "there is no function" in told["leaky_relu_gradient"]
    built = sorted((work.folder / folder.BUILD).rglob("*.so"))
    assert len(built) == 1
    assert compiling.compiled(work) == built[0]  # kept, and not compiled again


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("    y[0] = x[0] +\n", "line 3: "),
        ("    cdef int i = none_such\n", "line 3: undeclared name not builtin: none_such"),
        ("    from cynet.kernels cimport x\n", "line 3: imports cynet"),
    ],
)
def test_what_cannot_be_compiled_is_told_at_its_line(tmp_path, text, said):
    work = folder.start("activations", tmp_path / "a", "cython")
    work.file.write_text(f"\ndef relu(const float[::1] x not None, float[::1] y not None):\n{text}")
    verdict = checking.check(work)
    assert said in verdict.problem and not verdict.right
    assert "Nothing could be tried" in saying.said(verdict)


def test_without_a_compiler_it_says_what_to_install(tmp_path, monkeypatch):
    work = folder.start("sgd", tmp_path / "a", "cython")
    monkeypatch.setenv("CC", str(tmp_path / "none"))
    with pytest.raises(ImportError, match=r"needs a C compiler .*: install a C compiler"):
        checking.check(work)


def test_a_compiler_that_knows_few_flags_is_asked_for_less(tmp_path, monkeypatch):
    def run(words, place):
        asked.append(words)
        unknown = next((word for word in refused[-1] if word in words), None)
        return (1, f"error: unrecognized option {unknown}") if unknown else (0, "")

    monkeypatch.setattr(compiling, "_run", run)
    asked, refused = [], [[]]
    for unknown, tries in (([], 1), (["-fopenmp"], 2), (["-fopenmp", "-O3"], 3)):
        refused.append(unknown)
        asked.clear()
        assert compiling._linked(["cc"], ["-O3", "-march=native"], tmp_path / "a.c") == tmp_path / "a.so"
        assert len(asked) == tries and ("-march=native" in asked[-1]) == (tries == 1)
    refused.append(["-shared"])
    with pytest.raises(compiling.CompilingError, match="unrecognized option -shared"):
        compiling._linked(["cc"], ["-O3"], tmp_path / "a.c")


def test_an_endless_compiler_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "PATIENCE", 0.2)
    begun = time.monotonic()
    with pytest.raises(compiling.CompilingError, match=r"did not end within 0.2 s"):
        compiling._run(["sleep", "100"], tmp_path)
    assert time.monotonic() - begun < 50
