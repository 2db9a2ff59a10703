"""Pack sources and run folders into one .tar.gz with a manifest: hashes, git revision, versions."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from cynet.core.files import open_regular, whole_file
from cynet.core.folder import own_file, own_path

from .parser import UsageError, reason, refusing
from .registry import command

MANIFEST = "manifest.json"
MOST = 1 << 32  # bytes of all that is packed
CHUNK = 1 << 20  # bytes in memory at once
SOURCES = {".py", ".pyx", ".pxd", ".h"}


def add_flags(parser):
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a folder that a run or a study wrote")
    parser.add_argument(
        "--files",
        nargs="+",
        metavar="FILE",
        help="source files, or folders of them (default: the sources of the package)",
    )
    parser.add_argument(
        "--base", metavar="REV", help="warn of each of --files that git says is unchanged since this revision"
    )
    parser.add_argument("--output", default="bundle.tar.gz", metavar="FILE", help="the archive")
    parser.add_argument("--force", action="store_true", help="replace an archive that exists")


@command("pack sources and runs into one archive with a manifest", order=11)
def run(flags):
    """Check everything, warn, pack."""
    from .terminal import say

    output = Path(flags.output)
    if output.is_dir():
        raise UsageError(f"--output: wanted a file, {output} is a folder")
    if output.exists() and not flags.force:
        raise UsageError(f"--output: {output} exists (--force replaces it)")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"--output: no such folder: {output.parent}")
    if flags.base is not None and not flags.files:
        raise UsageError("--base: wanted --files, the files to compare with it")
    members = gather(flags.runs, flags.files, output)
    for path in unchanged(flags.files or (), flags.base):
        print(f"warning: {path} is unchanged since {flags.base}", file=sys.stderr)
    entries = measured(members)
    text = manifest(entries, flags.files, flags.base)
    try:
        with whole_file(output) as file:
            write_archive(file, text, members, entries)
            size = file.tell()
    except OSError as error:
        raise UsageError(f"--output: cannot write {output}: {reason(error)}") from error
    for note in [note for folder in map(Path, flags.runs) for note in left_out(folder)]:
        say(f"note: {note}")
    say(f"{output}: {len(entries)} files and {MANIFEST}, {size:,} bytes")
    return 0


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
            raise UsageError(f"--files: no such file or folder: {file}")
        for path in _files_in(file) if file.is_dir() else [file]:
            _add(members, _name(path), path, output)
    for folder in map(Path, runs):
        if not folder.is_dir():
            raise UsageError(f"RUN: wanted a folder, got {folder}")
        found = _files_in(folder)
        if not found:
            raise UsageError(f"RUN: wanted a folder with files, {folder} has none")
        for path in found:
            with refusing("RUN"):
                own_path(path, folder)
            name = f"runs/{folder.resolve().name}/{path.relative_to(folder).as_posix()}"
            _add(members, name, path, output)
    return members


def _package():
    import cynet

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
    from cynet.runs.folder import NAMES

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
        raise UsageError(f"{path}: wanted a name of its own in the archive, got {name} as for {other}")
    members[name] = path


# -- what git says ----------------------------------------------------------------------------------------
def _git(*arguments, folder=None):
    """The finished process of a git command in a folder (the current one), or None where there is no git."""
    try:
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
    UsageError
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
        raise UsageError(f"--base: wanted a revision of the git repository here, got {base!r}")
    return known.stdout.strip()


def _is_unchanged(file, base):
    difference = _git("diff", "--quiet", base, "--", file)
    if difference.returncode > 1:
        raise UsageError(f"--files: git cannot compare {file}: {difference.stderr.strip().splitlines()[0]}")
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
        What --files named; otherwise the sources are the package's.
    base : str, optional
    """
    import platform

    import numpy

    from cynet._version import __version__

    versions = {"cynet": __version__, "numpy": numpy.__version__, "python": platform.python_version()}
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
    UsageError
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
    """{"sha256", "bytes"} of each file, by name; a UsageError where all are more than `MOST` bytes."""
    entries, room = {}, MOST
    for name, path in members.items():
        with _opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > room:
                raise UsageError(f"RUN: {path}: wanted a file of at most {room:,} bytes, got {size:,}")
            part = _Part(file, path, {"bytes": size})
            while part.read(CHUNK):
                pass
        entries[name] = {"sha256": part.digest.hexdigest(), "bytes": size}
        room -= size
    return entries


def _opened(path):
    with refusing("RUN"):
        return open_regular(path)


class _Part:
    """The first bytes of a file, as many as it had when it was measured: a table may have grown since.

    Once they are read they are those that were measured, or a UsageError is raised.
    """

    def __init__(self, file, path, entry):
        self.file, self.path, self.entry = file, path, entry
        self.digest, self.left = hashlib.sha256(), entry["bytes"]

    def read(self, size):
        with refusing("RUN"):
            data = self.file.read(least := min(size, self.left))
        self.digest.update(data)
        self.left -= len(data)
        wanted = self.entry.get("sha256")
        other = wanted and not self.left and self.digest.hexdigest() != wanted
        if other or len(data) < least:
            raise UsageError(f"RUN: {self.path}: wanted a file that stays as it is, it was changed meanwhile")
        return data
