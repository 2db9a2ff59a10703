"""Pack sources and run folders into one .tar.gz with a manifest: hashes, git revision, versions."""

import contextlib
import sys
from pathlib import Path

from cynet.core.files import whole_file

from .parser import UsageError, reason
from .registry import command

CALLED = {"runs": "RUN", "files": "--files", "base": "--base"}  # what the library calls its arguments, here


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
    output = Path(flags.output)
    if output.is_dir():
        raise UsageError(f"--output: wanted a file, {output} is a folder")
    if output.exists() and not flags.force:
        raise UsageError(f"--output: {output} exists (--force replaces it)")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"--output: no such folder: {output.parent}")
    if flags.base is not None and not flags.files:
        raise UsageError("--base: wanted --files, the files to compare with it")
    with _flags():
        return _pack(flags, output)


@contextlib.contextmanager
def _flags():
    """An error that names an argument names the flag instead."""
    try:
        yield
    except UsageError as error:
        if error.argument not in CALLED:
            raise
        rest = str(error).removeprefix(f"{error.argument}: ")
        raise UsageError.of(CALLED[error.argument], rest) from error


def _pack(flags, output):
    from cynet.runs import bundling

    from .terminal import say

    members = bundling.gather(flags.runs, flags.files, output)
    for path in bundling.unchanged(flags.files or (), flags.base):
        print(f"warning: {path} is unchanged since {flags.base}", file=sys.stderr)
    entries = bundling.measured(members)
    text = bundling.manifest(entries, flags.files, flags.base)
    try:
        with whole_file(output) as file:
            bundling.write_archive(file, text, members, entries)
            size = file.tell()
    except OSError as error:
        raise UsageError(f"--output: cannot write {output}: {reason(error)}") from error
    for note in [note for folder in map(Path, flags.runs) for note in bundling.left_out(folder)]:
        say(f"note: {note}")
    say(f"{output}: {len(entries)} files and {bundling.MANIFEST}, {size:,} bytes")
    return 0
