"""Imports go only downward: the house plan of ARCHITECTURE.md."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cynet"
FLOORS = [
    {"kernels", "_version"},
    {"core"},
    {"layers", "data", "losses", "optim", "schedules", "gradients", "graph", "columns", "config"},
    {"models", "interop"},
    {"train", "uwnet", "bench"},
    {"cli"},
    {"__main__"},
]
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}
SOURCES = sorted(PACKAGE.rglob("*.py")) + sorted(PACKAGE.rglob("*.pyx"))


def imported(path):
    """The parts of cynet that a file imports, by the name of their top folder or module."""
    if path.suffix == ".pyx":
        text = path.read_text().replace(" cimport ", " import ")
        lines = [line for line in text.splitlines() if line.startswith(("from ", "import "))]
    else:
        tree = ast.parse(path.read_text())
        lines = [ast.unparse(n) for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))]
    for line in lines:
        words = line.split()
        if words[0] == "from" and words[1] == "cynet":
            yield from (word.strip(",") for word in words[3:])
        elif words[1].startswith("cynet."):
            yield words[1].split(".")[1]
        elif words[1].startswith(".") and path.parent == PACKAGE:
            yield words[1].lstrip(".") or words[3]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downward(path):
    top = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if top == "__init__":
        return  # the front door names what is on every floor, and loads it when it is asked for
    for name in imported(path):
        assert name in FLOOR_OF, f"{path} imports cynet.{name}, which is on no floor"
        assert FLOOR_OF[name] < FLOOR_OF[top] or name == top or _beside(name, top), (
            f"{path} (floor {FLOOR_OF[top]}) imports cynet.{name} (floor {FLOOR_OF[name]})"
        )


def _beside(name, top):
    """The single-file modules of one floor may use each other and the layers."""
    return FLOOR_OF[name] == FLOOR_OF[top] == 2 and not (PACKAGE / top).is_dir()


def test_every_file_is_on_a_floor():
    tops = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in SOURCES} - {"__init__"}
    assert tops <= set(FLOOR_OF)
