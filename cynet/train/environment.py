"""What a run is done with: versions, processor, build, and the state of the source code."""

import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import cynet
from cynet.config import config, processor
from cynet.core.threads import processors

BUILD = ("version", "compiler", "flags", "ISA")  # what the last bits of the weights may depend on


def describe(settings, fingerprint):
    """The contents of env.json.

    Parameters
    ----------
    settings : Settings
        Resolved.
    fingerprint : str
        Of the training set.

    Returns
    -------
    dict
    """
    build = config()
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "folder": os.getcwd(),
        "host": platform.node(),
        "system": platform.platform(),
        "cpu": processor(),
        "processors": processors(),
        "threads": settings.threads,
        "workers": settings.workers,
        "cynet": {name: build[name] for name in (*BUILD, "OpenMP", "checks")},
        "python": platform.python_version(),
        "numpy": np.__version__,
        "git": git(),
        "data": {"name": settings.data, "fingerprint": fingerprint},
        "init_from": settings.init_from and _file(settings.init_from),
    }


def _file(path):
    """Which file it is, whatever becomes of its name."""
    try:
        return {"path": os.path.abspath(path), "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}
    except OSError:  # a run that goes on does not need it any more
        return None


def initial_weights(environment):
    """The path of the weights that a run began with, None where it began with none.

    Raises
    ------
    ValueError
        When another file has taken their place.
    OSError
        When they are gone.
    """
    begun = environment.get("init_from")
    if not begun:
        return None
    found = hashlib.sha256(Path(begun["path"]).read_bytes()).hexdigest()
    if found != begun["sha256"]:
        wanted = f"wanted the weights that the run began with, SHA-256 {begun['sha256']}"
        raise ValueError(f"{begun['path']}: {wanted}, got {found}")
    return begun["path"]


def differences(one, other):
    """Lines that tell in which of the things that matter two env.json differ."""
    pairs = [(name, one.get(name), other.get(name)) for name in ("cpu", "numpy", "git")]
    builds = one.get("cynet") or {}, other.get("cynet") or {}
    pairs += [(f"cynet {name}", builds[0].get(name), builds[1].get(name)) for name in BUILD]
    prints = [(env.get("data") or {}).get("fingerprint") for env in (one, other)]
    pairs.append(("fingerprint of the data", *prints))
    return [f"{name}: {a} against {b}" for name, a, b in pairs if a != b]


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
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()
