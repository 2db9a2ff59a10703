"""Sources and run folders in one .tar.gz with a manifest: hashes, git revision, versions."""

import gzip
import hashlib
import io
import json
import os
import platform
import subprocess
import tarfile
from pathlib import Path

import numpy as np

import cynet
from cynet._version import __version__
from cynet.core import interrupts
from cynet.core.files import open_regular, reason
from cynet.core.folder import own_file, own_path

from .errors import RefusedError, refusing
from .folder import NAMES

MANIFEST = "manifest.json"
MOST = 1 << 32  # bytes of all that is packed
CHUNK = 1 << 20  # bytes in memory at once
SOURCES = {".py", ".pyx", ".pxd", ".h"}


# -- what goes in -----------------------------------------------------------------------------------------
def gather(runs, files, output):
    """What to pack, but for `output` itself: dict of name in the archive to Path."""
    members = {}
    if files is None:
        package = _package()
        for path in sorted(package.rglob("*")):
            if path.suffix in SOURCES:
                _add(members, f"{package.name}/{path.relative_to(package).as_posix()}", path, output)
    for file in map(Path, files or ()):
        if not file.exists():
            raise RefusedError.of("files", f"no such file or folder: {file}")
        for path in _files_in(file) if file.is_dir() else [file]:
            _add(members, _name(path), path, output)
    for folder in map(Path, runs):
        if not folder.is_dir():
            raise RefusedError.of("runs", f"wanted a folder, got {folder}")
        found = _files_in(folder)
        if not found:
            raise RefusedError.of("runs", f"wanted a folder with files, {folder} has none")
        for path in found:
            with refusing("runs"):
                own_path(path, folder)
            name = f"runs/{folder.resolve().name}/{path.relative_to(folder).as_posix()}"
            _add(members, name, path, output)
    return members


def _package():
    return Path(cynet.__file__).parent


def _files_in(folder):
    """The files under a folder, sorted; without hidden ones and what Python caches."""
    paths = [(path, path.relative_to(folder).parts) for path in sorted(folder.rglob("*"))]
    return [
        path
        for path, parts in paths
        if path.is_file() and "__pycache__" not in parts and not any(part.startswith(".") for part in parts)
    ]


def left_out(folder):
    """A line for each thing in a run's folder that is not packed, as it is no file; none of hidden ones."""
    for path in sorted(folder.rglob("*")):
        expected = path.parent == folder and path.name in NAMES
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and not path.is_file() and (expected or path.is_symlink() or not path.is_dir()):
            try:
                own_file(path, folder)
            except OSError as error:
                yield f"{reason(error)}: left out"


def _name(path):
    """Relative to the current folder where it lies within, else its bare name."""
    absolute, here = Path(os.path.abspath(path)), Path.cwd()
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else path.name


def _add(members, name, path, output):
    if path.resolve() == output.resolve():
        return
    if name == MANIFEST or (name in members and members[name].resolve() != path.resolve()):
        other = members.get(name, "the manifest")
        raise RefusedError(f"{path}: wanted a name of its own in the archive, got {name} as for {other}")
    members[name] = path


# -- what git says ----------------------------------------------------------------------------------------
def _git(*arguments, folder=None):
    """The finished process of a git command in a folder (the current one), or None where there is no git."""
    try:
        with interrupts.held():  # an interrupt would leave it behind, running
            return subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=folder)
    except FileNotFoundError:
        return None


def unchanged(files, base):
    """Those of the files or folders that are as in a revision; a new one is changed.

    Parameters
    ----------
    files : sequence of str
    base : str or None
        None: nothing is compared.

    Raises
    ------
    RefusedError
        When git does not know the revision, or a file lies outside its repository.
    """
    if base is None:
        return []
    commit = _commit(base)
    return [file for file in files if _is_unchanged(file, commit)]


def _commit(base):
    """The commit that a revision of the repository here names."""
    known = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    if known is None or known.returncode:
        raise RefusedError.of("base", f"wanted a revision of the git repository here, got {base!r}")
    return known.stdout.strip()


def _is_unchanged(file, base):
    difference = _git("diff", "--quiet", base, "--", file)
    if difference.returncode > 1:
        why = difference.stderr.strip().splitlines()[0]
        raise RefusedError.of("files", f"git cannot compare {file}: {why}")
    ignored = ["--exclude-standard"] if Path(file).is_dir() else []
    untracked = _git("ls-files", "--others", *ignored, "--", file)
    return difference.returncode == 0 and not untracked.stdout


def _revision(files):
    """{"revision", "modified"} of the repository that the sources lie in, or None.

    Modified: one of the sources is not as in the revision, or not in it.
    """
    folder = None if files else _package()
    head = _git("rev-parse", "--verify", "--quiet", "HEAD", folder=folder)
    if head is None or head.returncode:
        return None
    status = _git("status", "--porcelain", "--", *(files or ["."]), folder=folder)
    if status.returncode:  # a file outside the repository
        status = _git("status", "--porcelain", "--untracked-files=no")
    return {"revision": head.stdout.strip(), "modified": bool(status.stdout)}


# -- the archive ------------------------------------------------------------------------------------------
def manifest(entries, files=None, base=None):
    """The manifest as bytes of JSON.

    Parameters
    ----------
    entries : dict of str to dict
        As `measured` gives them.
    files : sequence of str, optional
        The sources; default: the package's.
    base : str, optional
    """
    versions = {"cynet": __version__, "numpy": np.__version__, "python": platform.python_version()}
    compared = None if base is None else {"name": base, "revision": _commit(base)}
    entries = dict(sorted(entries.items()))
    found = {"git": _revision(files), "base": compared, "versions": versions, "files": entries}
    return (json.dumps(found, indent=2) + "\n").encode()


def write_archive(file, text, members, entries):
    """Write a .tar.gz; equal contents give equal bytes.

    Parameters
    ----------
    file : file of bytes
    text : bytes
        The manifest.
    members : dict of str to Path
    entries : dict of str to dict
        As `measured` gave them.

    Raises
    ------
    RefusedError
        When a file is not as it was measured.
    """
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted([MANIFEST, *members]):
            entry = tarfile.TarInfo(name)  # owner 0, no names, time 0, mode 0644
            if name == MANIFEST:
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text))
            else:
                entry.size = entries[name]["bytes"]
                with _opened(members[name]) as source:
                    tar.addfile(entry, _Part(source, members[name], entries[name]))


def measured(members):
    """{"sha256", "bytes"} of each file, by name; a RefusedError where all are more than `MOST` bytes."""
    entries, room = {}, MOST
    for name, path in members.items():
        with _opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > room:
                wanted = f"wanted a file of at most {room:,} bytes"
                raise RefusedError.of("runs", f"{path}: {wanted}, got {size:,}")
            part = _Part(file, path, {"bytes": size})
            while part.read(CHUNK):
                pass
        entries[name] = {"sha256": part.digest.hexdigest(), "bytes": size}
        room -= size
    return entries


def _opened(path):
    with refusing("runs"):
        return open_regular(path)


class _Part:
    """The first bytes of a file, as many as it had when it was measured: a table may have grown since.

    Once they are read they are those that were measured, or a RefusedError is raised.
    """

    def __init__(self, file, path, entry):
        self.file, self.path, self.entry = file, path, entry
        self.digest, self.left = hashlib.sha256(), entry["bytes"]

    def read(self, size):
        with refusing("runs"):
            data = self.file.read(least := min(size, self.left))
        self.digest.update(data)
        self.left -= len(data)
        wanted = self.entry.get("sha256")
        other = wanted and not self.left and self.digest.hexdigest() != wanted
        if other or len(data) < least:
            wanted = "wanted a file that stays as it is, it was changed meanwhile"
            raise RefusedError.of("runs", f"{self.path}: {wanted}")
        return data
