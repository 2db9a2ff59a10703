"""The code of a net of one's own: read, run as Python runs a script, and what it raises told in a sentence.

Design: what a net becomes must not depend on the command around it, since `--resume` has other flags than
`train`. So a file's code sees no flags in `sys.argv`, draws from Python's and NumPy's random numbers what the
run's seed says, and leaves them, and the working folder, as they were.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import random as python_random
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import cynet.core.random as random
from cynet.core.files import read_regular, user_path

FILE = ".py"
SOURCE = "model.py"  # of a run: the net's code
IMPORTED = "model_imports"  # of a run: the folder of the files beside it that it imports
MOST_SOURCE = 1 << 20  # bytes, of a file
MOST_FILES = 200  # that are imported
SHOWN = 300  # letters of a message

_beside: set[str] = set()  # the modules that files of nets imported from their own folders


def run(name: str, call: Callable[[], Any], places: tuple[Path, ...] = ()) -> Any:
    """What a user's code gives; a ValueError tells what it raises, and in which line.

    Parameters
    ----------
    name : str
        "FILE.py", or with ":NAME".
    call : callable
    places : tuple of Path
        The folders of its imports; none of a function from Python, which has those of its process.
    """
    try:
        with _as_a_script(code_of(name), places) if places else contextlib.nullcontext():
            return call()
    except (Exception, SystemExit) as error:
        raise ValueError(f"model: {name}: {said(name, error)}") from error


def said(name: str, error: BaseException) -> str:
    """'line 3: KeyError: why' of what the code of a net raised; of the file that the name tells of."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == code_of(name)]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    where, kind = f"line {lines[-1]}: " if lines else "", type(error).__name__
    try:
        return f"{where}{kind}: {' '.join(str(error).split())[:SHOWN]}"
    except Exception:  # a user's error may raise anything
        return f"{where}{kind}"


def code_of(name: str) -> str:
    """The file or module of a net's name."""
    return name.rpartition(":")[0] if ":" in name else name


@contextlib.contextmanager
def _as_a_script(file: str, places: tuple[Path, ...]) -> Iterator[None]:
    """A context with the surroundings of `python FILE`, after which those of the process are there again."""
    path, arguments, numbers, drawn = sys.path, sys.argv, python_random.getstate(), np.random.get_state()
    seed = random.get_state()["seed"]
    with contextlib.ExitStack() as after:
        with contextlib.suppress(OSError):  # a working folder that was removed
            after.callback(os.chdir, os.getcwd())
        after.callback(np.random.set_state, drawn)
        after.callback(python_random.setstate, numbers)
        sys.path, sys.argv = [*map(str, places), *path], [file]
        python_random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            sys.argv = arguments
            # What the code appended stays, and its folders come last: it may import more while it is trained.
            more = [one for one in (*sys.path, *map(str, places)) if one not in path]
            sys.path = path
            sys.path += dict.fromkeys(more)


def places_of(file: Path) -> tuple[Path, ...]:
    """The folders where a file's imports are looked for: its own, and of a run's also that of its imports."""
    folder = Path(os.path.realpath(file)).parent
    kept = folder / IMPORTED
    return (folder, kept) if file.name == SOURCE and kept.is_dir() else (folder,)


def from_file(place: str, seed: int = 0) -> tuple[Any, bytes, tuple[Path, ...]]:
    """(the module, the bytes, where its imports are) of a file, which is run."""
    path = Path(os.path.abspath(user_path(place)))
    source, places = read_regular(path, MOST_SOURCE), places_of(path)
    module = types.ModuleType(f"cynet_model_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # as what looks classes up expects
    for name in _beside:  # of an earlier file, or as it was then
        sys.modules.pop(name, None)
    before = set(sys.modules)
    with random.kept():
        random.seed(seed)
        run(place, lambda: exec(compile(source, place, "exec"), vars(module)), places)
    folders = tuple(f"{folder}{os.sep}" for folder in places)
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(folders):
            _beside.add(name)
    return module, source, places


def from_module(place: str) -> tuple[Any, bytes | None]:
    """(the module, its bytes where they are Python) of an importable name."""
    if not all(part.isidentifier() for part in place.split(".")):
        raise ValueError(f"model: wanted a name, FILE.py:NAME or MODULE:NAME, got {place!r:.80}")
    try:
        module = run(place, lambda: importlib.import_module(place))
    except ValueError as error:
        file = Path(*place.split(".")).with_suffix(FILE)
        if isinstance(error.__cause__, ModuleNotFoundError) and file.is_file():
            raise ValueError(f"{error} (did you mean {file}?)") from error
        raise
    own = getattr(module, "__file__", None)
    if own is None or not own.endswith(FILE):
        return module, None
    return module, read_regular(Path(own), MOST_SOURCE)


def imported(source: bytes, places: tuple[Path, ...]) -> dict[str, bytes]:
    """The files in these folders that a file's code imports, and what they import, by their paths there.

    Those that statements name, wherever they stand, are found; not what code looks up by a text.
    """
    found: dict[str, bytes] = {}
    waiting: list[tuple[bytes, tuple[str, ...]]] = [(source, ())]
    while waiting:
        code, package = waiting.pop()
        for parts in _named(code, package):
            for folder, place in _files(parts, places):
                name = place.as_posix()
                if name in found or len(found) == MOST_FILES or _is_another(parts[0], folder):
                    continue
                with contextlib.suppress(OSError, ValueError):
                    found[name] = read_regular(folder / place, MOST_SOURCE)
                    waiting.append((found[name], place.parent.parts))
    return dict(sorted(found.items()))


def _named(code: bytes, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """What code imports, as the parts of a module's name; in a package also beside it."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            level = max(0, len(package) - node.level + 1) if node.level else 0
            base = (*package[:level], *(node.module.split(".") if node.module else ()))
            yield from ((*base, alias.name) for alias in node.names)


def _files(parts: tuple[str, ...], places: tuple[Path, ...]) -> Iterator[tuple[Path, Path]]:
    """(one of the folders, a path in it) of a module's file, and of those of the packages around it."""
    for count in range(1, len(parts) + 1 if parts[:1] != ("cynet",) else 1):
        for place in _either(Path(*parts[:count])):
            yield from [(folder, place) for folder in places if (folder / place).is_file()][:1]


def _either(path: Path) -> tuple[Path, Path]:
    """The two files that a module can be."""
    return path.with_name(f"{path.name}{FILE}"), path / f"__init__{FILE}"


def _is_another(top: str, folder: Path) -> bool:
    """Whether a module of such a name was imported from elsewhere, as one of Python's own is."""
    module = sys.modules.get(top)
    file = getattr(module, "__file__", None)
    if module is None or (file is None and hasattr(module, "__path__")):  # a folder without __init__.py
        return False
    return file is None or os.path.realpath(file) not in map(os.path.realpath, _either(folder / top))
