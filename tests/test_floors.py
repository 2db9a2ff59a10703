"""Imports go only downward, and never in a circle: the house plan of ARCHITECTURE.md."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cynet"
FLOORS = [
    {"core", "_version"},
    {"kernels"},
    {"nn"},
    {"optim", "data", "models", "interop"},
    {"train"},
    {"runs", "distributed"},
    {"report", "study", "bench", "uwnet", "sklearn", "lab"},
    {"cli"},
    {"__main__"},
]
DOORS = {"layers": "nn", "losses": "nn", "schedules": "optim"}  # public names, of a line or two
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}
FLOOR_OF |= {door: FLOOR_OF[room] for door, room in DOORS.items()}
# What names a module above its floor in a text, and why.
NAMED_ABOVE = {
    "train/__init__.py": (
        "cynet.runs.folder cynet.runs.predictor cynet.runs.recorder cynet.runs.session "
        "cynet.runs.settings cynet.runs.tables cynet.runs.weights",
        "public names of cynet.train, which stay where users know them; loaded when somebody asks for one",
    ),
    "runs/page.py": (
        "cynet.report cynet.report.writing",
        "`start(report=True)` writes a page from Python too; without that room a note says so",
    ),
}
SOURCES = sorted(path for kind in ("py", "pyx", "pxd") for path in PACKAGE.rglob(f"*.{kind}"))


def module(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path) for path in SOURCES}


@functools.cache
def named(path):
    """The full names that a file imports, of modules or of what is in them."""
    return [*_named(path)]


def _named(path):
    package = path.relative_to(ROOT).parts[:-1]
    text = path.read_text()
    if path.suffix != ".py":
        text = "\n".join(re.findall(r"^(?:from|c?import) [^(\n]*(?:\([^)]*\))?", text, re.MULTILINE))
        text = re.sub(r"\bcimport\b", "import", text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            base += [node.module] if node.module else []
            yield from (".".join([*base, alias.name]) for alias in node.names)


def imported(path):
    """The modules of the package that a file imports."""
    for name in named(path):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        if name not in ("", "cynet", module(path)):
            yield name


def named_as_text(path):
    """The modules of the package that a file names in texts: tables of names, imports by name."""
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in MODULES - {"cynet"}:
                yield node.value


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def edges():
    """Each module with those that it imports. The front door names what is on every floor, when asked."""
    graph = {name: set() for name in MODULES}
    for path in SOURCES:
        if path.parent != PACKAGE or path.stem != "__init__":
            graph[module(path)].update(imported(path))
    return graph


def circles(graph):
    """The groups whose members all lead to each other (Tarjan's algorithm), each sorted."""
    order, low, path, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        path.append(node)
        for other in graph.get(node, ()):
            if other not in order:
                visit(other)
            if other in path:
                low[node] = min(low[node], low[other])
        if low[node] == order[node]:
            start = path.index(node)
            group = sorted(path[start:])
            del path[start:]
            if len(group) > 1:
                found.append(group)

    for node in graph:
        if node not in order:
            visit(node)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downward(path):
    top = room_of(path)
    if top == "__init__":
        return  # the front door names what is on every floor, and loads it when it is asked for
    for name in imported(path):
        room = name.split(".")[1]
        assert room in FLOOR_OF, f"{path} imports cynet.{room}, which is on no floor"
        above = FLOOR_OF[room] > FLOOR_OF[top]
        assert not above, f"{path} (floor {FLOOR_OF[top]}) imports {name} (floor {FLOOR_OF[room]})"


def test_texts_name_no_module_above_but_those_that_are_known():
    """A table of names, or an import by name, hides what a file leads to from those who read its imports."""
    above = {}
    for path in SOURCES:
        top = room_of(path)
        found = {name for name in named_as_text(path) if top != "__init__"}
        if found := {name for name in found if FLOOR_OF[name.split(".")[1]] > FLOOR_OF[top]}:
            above[path.relative_to(PACKAGE).as_posix()] = found
    assert above == {file: set(names.split()) for file, (names, _) in NAMED_ABOVE.items()}


def test_texts_that_name_modules_are_found():
    assert set(named_as_text(PACKAGE / "nn/__init__.py")) == {"cynet.nn.compile", "cynet.nn.spec"}
    assert "cynet.data.loader" in set(named_as_text(PACKAGE / "data/__init__.py"))


def test_every_room_is_on_a_floor():
    tops = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in SOURCES} - {"__init__"}
    assert tops == set(FLOOR_OF)


def test_no_files_import_each_other_in_a_circle():
    assert circles(edges()) == []


def test_no_neighbours_in_a_folder_import_each_other_in_a_circle():
    """Neighbours: the files and folders that lie in one folder, a folder being all that is in it."""
    for folder in sorted({name.rpartition(".")[0] for name in MODULES} - {""}):
        inside, graph = len(folder) + 1, {}
        for name, others in edges().items():
            if name.startswith(f"{folder}."):
                own = name[inside:].split(".")[0]
                near = {other[inside:].split(".")[0] for other in others if other.startswith(f"{folder}.")}
                graph.setdefault(own, set()).update(near - {own})
        assert circles(graph) == [], folder


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/__init__.py")), ids=lambda p: p.parent.name)
def test_a_room_says_on_which_floor_it_is(path):
    said = re.match(r"Floor (\d): [a-z]", ast.get_docstring(ast.parse(path.read_text())))
    assert said and int(said[1]) == FLOOR_OF[path.parent.name]
