"""Which compiled files a process loads, of a wheel that holds them for several processors.

Design: in such a wheel (tools/wheel.py makes it) each compiled file lies once for each level of x86-64, in a
folder of that level, and where it would lie otherwise there is a stub of two lines that calls `load`. So
whoever imports it, also Cython's `cimport`, a pickle or a worker, finds it under its name. A build from
source has neither stubs nor such folders, and nothing here is called.
"""

from __future__ import annotations

import functools
import os
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType

VARIABLE = "CYNET_ISA"
PACKAGE = os.path.dirname(os.path.dirname(__file__))
FOLDER = "_levels"  # of the package: a folder for each level within
ASKED = "cynet.core.compiled"  # before any other compiled file is loaded
CONFIG = "cynet.core._config"  # is compiled for the plainest processor in every level


@functools.cache
def levels() -> tuple[str, ...]:
    """The levels that there are, the least first: ("v2", "v3", "v4"); () in a build from source."""
    place = os.path.join(PACKAGE, FOLDER)
    return tuple(sorted(os.listdir(place))) if os.path.isdir(place) else ()


def level() -> str:
    """The level of this process: what CYNET_ISA says, or else the highest that this processor can run.

    Where it can run none it is the least: `cynet.core.compiled` then tells what is missing.

    Raises
    ------
    ValueError
        When CYNET_ISA names none, or one that this processor cannot run.
    """
    import_module(ASKED)  # CONFIG's stub settles it: one thread at a time, by the import's lock
    return _settled()


def load(name: str) -> None:
    """Put the compiled module of this process's level in the place of the stub that calls this."""
    if not levels():
        raise ImportError(f"{name}: no folder {FOLDER} in {PACKAGE}")
    sys.modules[name] = _loaded(name, _settled() if name == CONFIG else level())


@functools.cache
def _settled() -> str:
    possible = [each for each in levels() if not _lacking(each)]
    wanted = os.environ.get(VARIABLE, "").strip()
    if not wanted:
        return possible[-1] if possible else levels()[0]
    if wanted not in levels():
        raise ValueError(f"{VARIABLE}: wanted one of {', '.join(levels())}, got {wanted!r:.40}")
    if lacking := _lacking(wanted):
        able = f"a level that this processor can run, {' or '.join(possible) or 'which is none'}"
        raise ValueError(f"{VARIABLE}: wanted {able}, got {wanted}, which needs {', '.join(lacking)}")
    return wanted


def _lacking(of: str) -> list[str]:
    """The features that a level needs and this processor has not."""
    config = _loaded(CONFIG, of)
    return sorted(set(config.build_info()["isa"]) - config.cpu_features())


@functools.cache
def _loaded(name: str, of: str) -> ModuleType:
    """A compiled module of a level, once it is executed: nobody gets it before, as from `sys.modules`."""
    place = os.path.join(PACKAGE, FOLDER, of, *name.split(".")[1:]) + EXTENSION_SUFFIXES[0]
    loader = ExtensionFileLoader(name, place)
    module = module_from_spec(spec_from_loader(name, loader))  # type: ignore[arg-type]  # there is a loader
    loader.exec_module(module)
    return module
