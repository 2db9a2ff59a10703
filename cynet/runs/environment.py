"""What a run is done with: versions, processor, build, and the state of the source code."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import cynet
from cynet.core import interrupts
from cynet.core.build import config, processor, system
from cynet.core.files import digest_of
from cynet.core.names import printable
from cynet.core.threads import processors

from .facts import DRAWN, is_drawn
from .weights import initial_file

BUILD = ("version", "compiler", "flags", "ISA")  # what the last bits of the weights may depend on
SHOWN = 500  # characters of a value
MOST = 1 << 32  # bytes of the weights that a run began with, which are read to tell which they are


def describe(session):
    """The contents of env.json, a dict, for a `Session`."""
    build, settings = config(), session.settings
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "folder": _here(),
        "host": platform.node(),
        "system": system(),
        "cpu": processor(),
        "processors": processors(),
        "threads": settings.threads,
        "workers": settings.workers,
        "cynet": {name: build[name] for name in (*BUILD, "OpenMP", "checks")},
        "python": platform.python_version(),
        "numpy": np.__version__,
        "git": git(),
        "data": _pictures(session),
        "init_from": settings.init_from and _file(settings.init_from, session.initial),
    } | _net(session)


def _net(session):
    """{"model": where a net of one's own came from}; {} of one of the registry's."""
    net = session.net
    if net is None:
        return {}
    imports = {"imports": net.digests} if net.imports else {}
    return {"model": {"name": net.name, "sha256": net.sha256} | imports}


def _pictures(session):
    """A run's pictures, how those to test and to choose by were told apart, and its classes' weights."""
    training, weights = session.batches.dataset, session.class_weights
    found = {
        "name": session.settings.data,
        "fingerprint": training.fingerprint(),
        "parts": getattr(training, "parts", None) or None,
        "validation": session.division.record(),
        "class_weights": None if weights is None else weights.tolist(),
    }
    return {name: value for name, value in found.items() if value is not None}


def drawing(environment):
    """What `cynet.data.load` takes to draw a run's test pictures again, {} where its folder had parts."""
    drawn = ((environment.get("data") or {}).get("parts") or {}).get("drawn") or {}
    known = [drawn.get(name) for name in DRAWN]
    return dict(zip(DRAWN, known, strict=True)) if is_drawn(known) else {}


def fingerprint(environment):
    """That of a run's pictures, None where it is not known."""
    return (environment.get("data") or {}).get("fingerprint")


def held_out_digest(environment):
    """The digest of the pictures that a run holds out, None where it holds out none."""
    return ((environment.get("data") or {}).get("validation") or {}).get("sha256")


def _here():
    """The folder that this process is in, None where it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return None


def _file(path, taken):
    """Which file of weights it is, whatever becomes of its name, and what was not `Taken` of it."""
    new = {"new": [*taken.new], "unused": [*taken.unused]} if taken and (taken.new or taken.unused) else {}
    try:
        path = initial_file(path)
        return {"path": os.path.abspath(path), "sha256": digest_of(path, MOST)} | new
    except (OSError, ValueError):  # a run that goes on does not need it any more
        return None


def initial_weights(environment):
    """The path of the weights that a run began with, None where it began with none.

    Raises
    ------
    ValueError
        When another file has taken their place, or one of more than `MOST` bytes.
    OSError
        When they are gone.
    """
    begun = environment.get("init_from")
    if not begun:
        return None
    found = digest_of(begun["path"], MOST)
    if found != begun["sha256"]:
        wanted = f"wanted the weights that the run began with, SHA-256 {begun['sha256']}"
        raise ValueError(f"{begun['path']}: {wanted}, got {found}")
    return begun["path"]


def differences(one, other):
    """Lines that tell in which of the things that matter two env.json differ."""
    pairs = [(name, one.get(name), other.get(name)) for name in ("cpu", "numpy", "git")]
    builds = one.get("cynet") or {}, other.get("cynet") or {}
    pairs += [(f"cynet {name}", builds[0].get(name), builds[1].get(name)) for name in BUILD]
    pairs.append(("fingerprint of the data", fingerprint(one), fingerprint(other)))
    pairs.append(("pictures held out, digest", held_out_digest(one), held_out_digest(other)))
    return [f"{name}: {_shown(a)} against {_shown(b)}" for name, a, b in pairs if a != b]


def _shown(value):
    """A value as a line can show it: what stands in a file may hold anything."""
    return f"{printable(value):.{SHOWN}}"


def git():
    """{"commit", "changed"} of the checkout that this cynet lies in, None where it lies in none."""
    folder = Path(cynet.__file__).parent
    if not (folder.parent / ".git").exists():  # an installed one may lie inside somebody else's checkout
        return None
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": bool(changed)}


def _git(folder, *arguments):
    words = ["git", "-C", str(folder), *arguments]
    with interrupts.held():  # an interrupt would leave it behind, running
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=10)
    done.check_returncode()
    return done.stdout.strip()
