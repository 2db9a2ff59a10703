"""The trunk: few lines, that import nothing beside them, and train with everything else deleted."""

import ast
import functools
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import environment_of, run_python
from test_floors import MODULES, PACKAGE, SOURCES, module, named

ROOT = Path(__file__).parent.parent
SIZE = runpy.run_path(str(ROOT / "tools/size.py"))
TRUNK = [path for path in SOURCES if SIZE["in_trunk"](path.relative_to(ROOT))]
# They import by name what somebody asks for: the front doors, and the registry what lies in its folders.
DOORS = {
    "cynet/__init__.py", "cynet/core/registry.py", "cynet/models/__init__.py", "cynet/nn/__init__.py",
    "cynet/optim/__init__.py", "cynet/train/__init__.py",
}  # fmt: skip
COMPILER = ("cynet.nn", "cynet.nn.compile.chains")  # taken where it is there
STEPS = """
import sys
import numpy as np
import cynet
from cynet.train.trainer import Trainer
from cynet.train.metrics import evaluate

cynet.seed(5)
cynet.set_num_threads(2)
rng = np.random.default_rng(7)
batches = [
    (rng.standard_normal((32, 32, 32, 3), dtype=np.float32), rng.integers(0, 10, 32)) for _ in range(6)
]
model = cynet.models.create("uwnet2")
optimizer = cynet.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
trainer = Trainer(model, cynet.CrossEntropyLoss(), optimizer, lambda step: 0.1 / (1 + step))
losses = [trainer.step(x, y) for x, y in batches]
found = evaluate(model, batches[:2])
np.savez(sys.argv[1], losses=losses, evaluated=found.loss, **model.state_dict())
print(cynet.__file__, *sorted(name for name in sys.modules if name.startswith("cynet")), sep="\\n")
"""


@functools.cache
def lines_of_python():
    """Of the trunk."""
    return sum(SIZE["lines"](path.relative_to(ROOT)) for path in TRUNK if path.suffix == ".py")


def test_the_ceiling_holds():
    assert 1000 < lines_of_python() <= SIZE["CEILING"] == 3000


def test_the_table_ends_with_the_trunk():
    done = run_python(ROOT / "tools/size.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith(f"trunk: {lines_of_python()} lines of Python, ")
    assert "no blank lines, no comments, no docstrings" in done.stdout


def test_the_table_has_a_row_for_each_room_and_the_sums(monkeypatch, capsys):
    found = {
        "cynet/core/files.py": 20, "cynet/core/checks.py": 1000, "cynet/kernels/common/block.h": 7,
        "cynet/bench/peak_loops.pyx": 30, "cynet/_version.py": 3, "cynet/study/study.py": 50,
        "tests/test_trunk.py": 600, "tools/size.py": 90,
    }  # fmt: skip
    main, asked = SIZE["main"], []
    monkeypatch.setitem(main.__globals__, "sources", lambda *rooms: asked.append(rooms) or map(Path, found))
    monkeypatch.setitem(main.__globals__, "lines", lambda path: found[path.as_posix()])
    main()
    heading, *rows, _, _, _, last = capsys.readouterr().out.splitlines()
    assert asked == [("cynet", "tests", "tools")] and heading.split()[:3] == ["room", "files", "Python"]
    assert [row.split() for row in rows] == [
        ["cynet/core", "2", "1,020", "0", "1,000"], ["cynet/kernels", "1", "0", "7", "7"],
        ["cynet/bench", "1", "0", "30", "0"], ["cynet/*.py", "1", "3", "0", "3"],
        ["cynet/study", "1", "50", "0", "0"], ["tests", "1", "600", "0", "0"], ["tools", "1", "90", "0", "0"],
        ["all", "8", "1,763", "37", "1,010"],
    ]  # fmt: skip
    assert last == "trunk: 1003 lines of Python, 7 of Cython and C"


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("a.py", '"""Doc."""\n\nimport os  # why\n\n# a comment\nx = (\n    1,\n)\n', 4),
        ("b.py", 'def f():\n    """Doc.\n\n    More.\n    """\n    return "a string"\n', 2),
        ("c.py", 'x = """a\nb\nc"""\n', 3),
        ("d.pyx", '"""Doc."""\ncdef extern from *:\n    """\n    int f(void);\n\n    """\n    int f()\n', 5),
        ("e.pyx", 'cdef int f(float* x) noexcept nogil:\n    """Doc."""\n    return <int>x[0]\n', 2),
        ("f.h", "/* a\n   comment */\n#define X 1 /* one */\n\n// another\nint f(void);\n", 2),
    ],
)
def test_lines_are_those_with_code(tmp_path, name, text, wanted):
    (tmp_path / name).write_text(text)
    assert SIZE["lines"](tmp_path / name) == wanted


@pytest.mark.parametrize("path", TRUNK, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_of_the_trunk_imports_another(path):
    """Also not within functions: whatever it names is the trunk's."""
    of_the_trunk = {module(one) for one in TRUNK}
    for name in named(path):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        assert not name or name in of_the_trunk or (module(path), name) == COMPILER


def test_nothing_of_the_trunk_imports_by_a_text_but_its_doors():
    for path in TRUNK:
        if path.suffix == ".py" and path.relative_to(ROOT).as_posix() not in DOORS:
            names = {
                node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)
            }
            assert not names & {"import_module", "__import__"}, path


def test_the_trunk_trains_by_itself(tmp_path):
    """The same losses and weights as the whole package, to rounding: nothing is joined there."""
    alone = tmp_path / "alone"
    for path in sorted(PACKAGE.rglob("*")):
        inside = path.relative_to(ROOT)
        if path.is_file() and "__pycache__" not in inside.parts and SIZE["in_trunk"](inside):
            (alone / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, alone / inside)
    assert not (alone / "cynet/nn/compile").exists() and not (alone / "cynet/data").exists()
    script = tmp_path / "steps.py"
    script.write_text(STEPS)
    of_trunk, of_all = (_trained(script, tmp_path / f"{i}.npz", home) for i, home in enumerate([alone, ROOT]))
    assert "cynet.nn.compile.training" in of_all[1] and "cynet.nn.compile" not in of_trunk[1]
    assert list(of_trunk[0]) == list(of_all[0])
    for name, array in of_trunk[0].items():
        np.testing.assert_allclose(array, of_all[0][name], rtol=1e-4, atol=1e-5, err_msg=name)


def _trained(script, file, home):
    """(the arrays that the script wrote, the modules that it loaded), of the cynet in a folder."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment_of(PYTHONPATH=str(home)),
    )
    assert done.returncode == 0, done.stderr
    place, *modules = done.stdout.splitlines()
    assert Path(place).is_relative_to(home)
    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}, modules
