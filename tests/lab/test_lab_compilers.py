"""A student's Cython file compiled: of what, with what, and what is said where that fails."""

import sys
import sysconfig
from types import SimpleNamespace

import pytest

from cynet.lab import compiling, folder
from cynet.lab.compiling import CompilingError

DIRECTIVES = {"cdivision=True", "embedsignature=True", "wraparound=False"}


@pytest.fixture
def work(tmp_path):
    return folder.start("sgd", tmp_path / "sgd", "cython")


@pytest.fixture
def asked(monkeypatch):
    """What the compilers are asked for, as (words, folder), in place of them; their files are made."""
    pytest.importorskip("Cython")
    asked = []

    def run(words, place):
        asked.append((words, place))
        target = words[words.index("-o") + 1]
        with open(target, "w") as file:
            file.write(f"{len(asked)}")
        return 0, ""

    monkeypatch.setattr(compiling, "_run", run)
    monkeypatch.setattr(compiling, "_shared", lambda: ["--shared=x"])
    monkeypatch.setenv("CC", "mycc -v")
    return asked


@pytest.mark.parametrize(
    ("way", "directives", "flags"),
    [
        ("checked", {"boundscheck=True", "initializedcheck=True"}, ["-O1"]),
        ("fast", {"boundscheck=False", "initializedcheck=False"}, ["-O3", "-march=native"]),
    ],
)
def test_a_way_of_compiling_has_its_checks_and_its_flags(work, asked, way, directives, flags):
    made = compiling.compiled(work, way)
    (cython, place), (c, _) = asked
    assert cython[:4] == [sys.executable, "-P", "-m", "cython"] and "-3" in cython and place == work.folder
    given = {cython[at + 1] for at, word in enumerate(cython) if word == "-X"}
    assert given == DIRECTIVES | directives and "--shared=x" in cython and "sgd.pyx" in cython
    assert cython[cython.index("--module-name") + 1] == "sgd"
    assert c[:2] == ["mycc", "-v"] and c[2 : 2 + len(flags)] == flags and "-fopenmp" in c
    assert {"-shared", "-fPIC", f"-I{sysconfig.get_path('include')}"} <= set(c)
    assert made.name == "sgd.so" and made.read_text() == "2"
    assert made.parent.parent == work.folder / ".build" and made.parent.name.startswith(f"{way}-")
    assert [path.name for path in made.parent.parent.iterdir()] == [made.parent.name]


def test_it_is_compiled_again_where_anything_that_it_is_made_of_changed(work, asked, monkeypatch, tmp_path):
    first = compiling.compiled(work)
    assert compiling.compiled(work) == first and len(asked) == 2
    places = {first, compiling.compiled(work, "fast")}
    changes = [
        lambda: work.file.write_text(work.file.read_text() + "#"),
        lambda: monkeypatch.setenv("CC", "other"),
        lambda: monkeypatch.setattr(compiling, "_shared", list),
        lambda: monkeypatch.setattr(compiling.platform, "node", lambda: "another"),
        lambda: monkeypatch.setattr(sys, "version", "4"),
        lambda: monkeypatch.setattr(compiling.importlib.metadata, "version", lambda name: "9"),
        lambda: monkeypatch.setitem(compiling.WAYS, "checked", ({}, ["-O1"])),
        lambda: monkeypatch.setitem(compiling.WAYS, "checked", ({}, ["-O2"])),
    ]
    for number, change in enumerate(changes):
        change()
        places.add(compiling.compiled(work))
        assert len(places) == number + 3 and len(asked) == 2 * len(places)
    first.unlink()
    other = folder.Handed(work.exercise, "cython", work.folder, tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    assert compiling.compiled(other).parent.parent == tmp_path / "elsewhere"


def test_what_failed_to_be_compiled_is_not_kept(work, asked, monkeypatch):
    def fails(*given):
        raise CompilingError("no")

    with monkeypatch.context() as patch:
        patch.setattr(compiling, "_linked", fails)
        with pytest.raises(CompilingError):
            compiling.compiled(work)
    assert not list((work.folder / ".build").rglob("*.so"))
    assert compiling.compiled(work).exists()


def test_without_cython_the_extra_is_named(work, monkeypatch):
    monkeypatch.setattr(compiling.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r"^it needs Cython, which is an extra: pip install 'cynet\[lab\]'$"
    ):
        compiling.compiled(work)


CYTHON_SAID = """
Error compiling Cython file:
------------------------------------------------------------
    y = x +
           ^
------------------------------------------------------------

warning: other.pyx:1:1: it is another file
sgd.pyx:3:11: Expected an identifier or literal
sgd.pyx:4:0: and more
"""


def test_what_cython_said_is_told_at_the_line_and_column(work, monkeypatch):
    work.file.write_text("\n\n    y = x +\n")
    assert compiling._cythons(CYTHON_SAID, work) == (
        "line 3: Expected an identifier or literal\n            y = x +\n                   ^"
    )
    assert compiling._cythons("sgd.pyx:9:2: beyond", work) == "line 9: beyond\n        \n          ^"
    assert compiling._cythons("/a/b/sgd.pyx:3:0: x", work).startswith("line 3: x\n")
    assert compiling._cythons("one\ntwo\n\n", work) == "Cython says: two"
    assert compiling._cythons("\n", work) == "Cython says: nothing"
    monkeypatch.setattr(compiling, "_run", lambda words, place: (0, "it wrote nothing"))
    with pytest.raises(CompilingError, match=r"^Cython says: it wrote nothing$"):
        compiling._translated(work, {}, [], work.folder / "sgd.c")


def test_what_the_compiler_said_first_is_told(work, monkeypatch):
    def linked(*outputs):
        left = list(outputs)
        monkeypatch.setattr(compiling, "_run", lambda words, place: (1, left.pop(0)))
        compiling._linked(["cc"], ["-O1"], work.folder / "a.c")

    with pytest.raises(CompilingError, match=r"^the C compiler says: a.c:1: error: one$"):
        linked("warning\n a.c:1: error: one\nerror: two", "error: three", "error: four")
    with pytest.raises(CompilingError, match=r"^the C compiler says: killed$"):
        linked("killed\n", "b", "c")
    with pytest.raises(ImportError, match=r"^it needs Python's headers: install a C compiler \(Debian: apt"):
        linked(*["fatal error: Python.h: No such file or directory"] * 3)


def test_a_compilers_output_and_status_are_its_own_and_it_reads_nothing(tmp_path):
    words = [sys.executable, "-c", "import sys, os; print(os.getcwd(), sys.stdin.read()); "
             "print('bad', file=sys.stderr); sys.exit(3)"]  # fmt: skip
    status, output = compiling._run(words, tmp_path)
    assert status == 3 and output.split() == [str(tmp_path), "bad"]


def test_cythons_own_code_is_taken_only_from_a_build_by_the_same_cython(tmp_path, monkeypatch):
    pytest.importorskip("Cython")
    version = compiling.importlib.metadata.version("Cython").replace(".", "_").encode()
    made = tmp_path / "_shared.so"
    monkeypatch.setattr(
        compiling.importlib, "import_module", lambda name: SimpleNamespace(__file__=str(made))
    )
    for content, flags in ((b"\0_cython_" + version + b"\0", ["--shared=cynet.core._shared"]),
                           (b"_cython_" + version + b"1\0", []), (b"", [])):  # fmt: skip
        made.write_bytes(content)
        assert compiling._shared() == flags
    made.unlink()
    assert compiling._shared() == []
