"""A student's Cython file, compiled: first with every index checked, later as fast as it goes.

What was compiled is kept in the folder's .build under a digest of the text and of all that it was made with.
Cython's own code for memoryviews, most of what there is to compile, is taken from cynet's build where that
was made by the same Cython: it takes 3 seconds then, and otherwise 8.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from cynet.core.files import reason

from .folder import BUILD

SHARED = "cynet.core._shared"
EXTRA = "it needs Cython, which is an extra: pip install 'cynet[lab]'"
ADVICE = "install a C compiler (Debian: apt install gcc python3-dev), or name one in CC"
PATIENCE = 60  # seconds, of the compilers
DIRECTIVES = {"cdivision": True, "embedsignature": True, "wraparound": False}
WAYS = {  # of compiling: directives, flags
    "checked": ({"boundscheck": True, "initializedcheck": True}, ["-O1"]),
    "fast": (
        {"boundscheck": False, "initializedcheck": False},
        ["-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"],
    ),
}
PLACE = re.compile(r"^(?:warning: )?[^\n:]*?([^/\n:]+\.pyx):(\d+):(\d+): (.+)$", re.MULTILINE)


class CompilingError(ValueError):
    """A file that cannot be compiled; the text says where and why, in the student's file."""


def compiled(work, way="checked"):
    """The extension of a student's Cython file.

    Parameters
    ----------
    work : folder.Handed
    way : {"checked", "fast"}
        "checked": every index is; "fast": none.

    Returns
    -------
    Path

    Raises
    ------
    CompilingError
    ImportError
        Without Cython, or a compiler, naming what to install.
    """
    source = work.source()
    if importlib.util.find_spec("Cython") is None:
        raise ImportError(EXTRA)
    directives, flags = WAYS[way]
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    made_of = [source, way, directives, flags, command, importlib.metadata.version("Cython"), sys.version,
               platform.node()]  # fmt: skip
    shared = _shared()
    made_of.append(shared)
    digest = hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]
    target = (work.build or work.folder / BUILD) / f"{way}-{digest}" / f"{work.file.stem}.so"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent.parent) as scratch:
        c_file = _translated(work, directives, shared, Path(scratch, f"{work.file.stem}.c"))
        made = _linked(command, flags, c_file)
        os.replace(made, target)
    return target


def _shared():
    """Flags that take Cython's own code from cynet's build, or none where another Cython made it."""
    name = f"_cython_{importlib.metadata.version('Cython').replace('.', '_')}".encode()
    with contextlib.suppress(ImportError, OSError, TypeError):
        found = importlib.import_module(SHARED).__file__
        if name + b"\0" in Path(found).read_bytes():
            return [f"--shared={SHARED}"]
    return []


def _translated(work, directives, shared, c_file):
    words = [
        word for name, value in {**DIRECTIVES, **directives}.items() for word in ("-X", f"{name}={value}")
    ]
    status, output = _run([sys.executable, "-P", "-m", "cython", "-3", *words, *shared, "--module-name",
        work.file.stem,
                 work.file.name, "-o", str(c_file)], work.folder)  # fmt: skip
    if status or not c_file.exists():
        raise CompilingError(_cythons(output, work))
    return c_file


def _cythons(output, work):
    """What Cython said, by the line of the student's file."""
    lines = work.source().decode(errors="replace").splitlines()
    for file, line, column, text in PLACE.findall(output):
        if file == work.file.name:
            number = int(line)
            shown = lines[number - 1] if 0 < number <= len(lines) else ""
            return f"line {number}: {text}\n        {shown}\n        {' ' * int(column)}^"
    last = [line for line in output.splitlines() if line.strip()]
    return f"Cython says: {last[-1] if last else 'nothing'}"


def _linked(command, flags, c_file):
    target = c_file.with_suffix(".so")
    words = [
        "-shared",
        "-fPIC",
        "-g0",
        "-w",
        f"-I{sysconfig.get_path('include')}",
        str(c_file),
        "-o",
        str(target),
    ]
    said = ""
    for more in ([*flags, "-fopenmp"], [each for each in flags if "march" not in each], []):
        try:
            status, output = _run([*command, *more, *words], c_file.parent)
        except FileNotFoundError as error:
            raise ImportError(f"it needs a C compiler ({reason(error)}): {ADVICE}") from None
        if status == 0:
            return target
        said = said or next((each for each in output.splitlines() if "error" in each), output[:300])
    if "Python.h" in said:
        raise ImportError(f"it needs Python's headers: {ADVICE}")
    raise CompilingError(f"the C compiler says: {said.strip()}")


def _run(words, folder):
    """(exit status, output) of a compiler; its process group is gone afterwards."""
    process = subprocess.Popen(
        words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise CompilingError(f"the compiler did not end within {PATIENCE} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    return process.returncode, output
