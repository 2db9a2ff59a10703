"""The compiled files read alike: a docstring for each function, and for each array whether it is written."""

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cynet"
SOURCES = sorted(PACKAGE.rglob("*.pyx"))
FUNCTION = re.compile(r"^ *(?:def|cpdef(?: \w+)*) (\w+)\(")
ARRAY = re.compile(r"(const )?\w+(?: \w+)?\[[^\]]*:[^\]]*\] \w+( not None)?")
TAG = re.compile(r"# (in|out|inout)\b")


def functions(text):
    """(name, lines of the heading, the line after it) of what Python can call, but no `__cinit__`."""
    lines = text.split("\n")
    for start, line in enumerate(lines):
        found = FUNCTION.match(line)
        if found and not found[1].startswith("__"):
            end, depth = start, 0
            while True:
                code = lines[end].partition("#")[0]
                depth += code.count("(") - code.count(")")
                end += 1
                if not depth:
                    break
            yield found[1], lines[start:end], lines[end]


def problems(text):
    """What a file's functions lack, a text each."""
    found = []
    for name, heading, after in functions(text):
        if not after.lstrip().startswith('"""'):
            found.append(f"{name}: no docstring")
        for line in heading:
            tag = TAG.search(line)
            for const, not_none in ARRAY.findall(line.partition("#")[0]):
                if not tag:
                    found.append(f"{name}: neither in nor out: {line.strip()}")
                elif (tag[1] == "in") != bool(const):
                    found.append(f"{name}: {tag[1]}, but {'' if const else 'not '}const: {line.strip()}")
                if not not_none:
                    found.append(f"{name}: may be None: {line.strip()}")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_functions_and_arrays_are_told_of(path):
    assert problems(path.read_text()) == []


def test_what_is_untold_is_found():
    heading = "def half(\n    {}float[::1] x{},  # {}\n    int threads,\n):\n    {}\n"
    good = heading.format("const ", " not None", "in: (n,)", '"""Doc."""')
    assert problems(good) == [] and len(list(functions(good))) == 1
    for changed, wanted in [
        (heading.format("const ", " not None", "in", "return"), "half: no docstring"),
        (heading.format("const ", " not None", "the input", '"""Doc."""'), "half: neither in nor out"),
        (heading.format("", " not None", "in", '"""Doc."""'), "half: in, but not const"),
        (heading.format("const ", " not None", "out", '"""Doc."""'), "half: out, but const"),
        (heading.format("", "", "out", '"""Doc."""'), "half: may be None"),
        ("def two(const unsigned char[:, ::1] a not None):\n    return\n", "two: no docstring"),
    ]:
        assert problems(changed)[0].startswith(wanted)
    assert sum(len(list(functions(path.read_text()))) for path in SOURCES) > 60
