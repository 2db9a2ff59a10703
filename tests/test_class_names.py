"""No class or structure has the name of another, so that a name in a message or a document is one thing."""

import importlib
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cynet"
CLASS = re.compile(r"^[ \t]*(?:cdef |ctypedef )?(?:class|struct) (\w+)", re.MULTILINE)


def doubles(texts):
    """name -> files, of the classes that several files define, or one twice. `texts`: file -> its text.

    A class in a .pxd is declared there, and defined in the .pyx beside it.
    """
    found = {}
    for file, text in texts.items():
        text = text.replace("cdef class", "") if file.endswith(".pxd") else text
        for name in CLASS.findall(text):
            found.setdefault(name, []).append(file)
    return {name: files for name, files in found.items() if len(files) > 1}


def test_no_class_name_stands_twice():
    sources = [path for kind in ("py", "pyx", "pxd") for path in sorted(PACKAGE.rglob(f"*.{kind}"))]
    found = doubles({path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sources})
    assert len(sources) > 150 and found == {}


PUBLIC = ("cynet", "cynet.data", "cynet.losses", "cynet.layers", "cynet.models", "cynet.optim", "cynet.runs",
          "cynet.schedules", "cynet.sklearn", "cynet.train", "cynet.interop", "cynet.uwnet")  # fmt: skip


def shared(tables):
    """name -> modules, of the public names that are not one thing wherever they stand. `tables`: module ->
    {name: thing}."""
    found = {}
    for module, table in tables.items():
        for name, thing in table.items():
            found.setdefault(name, {})[module] = thing
    several = {name: things for name, things in found.items() if len(set(map(id, things.values()))) > 1}
    classes = [name for name, things in several.items() if any(isinstance(t, type) for t in things.values())]
    return {name: tuple(several[name]) for name in classes}


def test_no_public_name_of_a_class_is_another_one_elsewhere():
    modules = {name: importlib.import_module(name) for name in PUBLIC}
    names = {name: getattr(module, "__all__", dir(module)) for name, module in modules.items()}
    tables = {
        name: {each: getattr(module, each) for each in names[name] if each[0] != "_"}
        for name, module in modules.items()
    }
    assert all(tables.values()) and "DamagedError" in tables["cynet.data"] and shared(tables) == {}


def test_a_public_name_of_two_classes_is_found():
    one, other = type("One", (), {}), type("Other", (), {})
    assert shared({"a": {"X": one, "Y": one}, "b": {"X": other, "Y": one, "z": 3}, "c": {"z": 4}}) == {
        "X": ("a", "b")
    }


def test_damage_of_pictures_and_of_checkpoints_is_of_one_class():
    import cynet
    from cynet.data.images.damaged import DamagedPicturesError

    assert cynet.data.DamagedError is cynet.train.DamagedError
    assert issubclass(DamagedPicturesError, cynet.data.DamagedError) and issubclass(
        cynet.data.DamagedError, ValueError
    )


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("class A:\n    pass\n", "class B(A):\n    pass\n", set()),
        ("class A:\n    pass\n", "cdef class A:\n    pass\n", {"A"}),
        ("class _A(B):\n    pass\n", "def f():\n    class _A:\n        pass\n", {"_A"}),
        ("class A:\n    pass\n", "cdef struct A:\n    int i\n", {"A"}),
        ("cdef struct A:\n    int i\n", "    ctypedef struct A:\n        int i\n", {"A"}),
        ("# class A: a comment\nclass A: ...\n", "x = 'class A'\n", set()),
    ],
)
def test_doubles_are_found(one, other, wanted):
    assert set(doubles({"one.py": one, "other.py": other})) == wanted


def test_a_class_of_cython_is_declared_and_defined():
    assert (
        doubles({"one.pyx": "cdef class A:\n    pass\n", "one.pxd": "cdef class A:\n    cdef int i\n"}) == {}
    )
