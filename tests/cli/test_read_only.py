"""Commands that read a run write nothing into it; a home that cannot be written to hinders none of them."""

import contextlib
import errno
import os
import subprocess
import sys

import numpy as np
import pytest
import tiny
from helpers import environment_of

from cynet import cli
from cynet.core import png

pytestmark = pytest.mark.usefixtures("one_thread")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate")
_protected = []


def _refuse(event, values):
    """As a file system that is mounted to be read alone."""
    if _protected and (event in CHANGES or (event == "open" and values[2] & WRITING)):
        for path in values[:2]:
            named = isinstance(path, (str, bytes))
            if named and any(place.startswith(_protected[0]) for place in _places(os.fsdecode(path))):
                raise OSError(errno.EROFS, "Read-only file system", path)


def _places(path):
    """Where a path may lead: a name alone may be looked up in any folder that is open."""
    yield os.path.abspath(path)
    if not os.path.dirname(path) and os.path.isdir("/proc/self/fd"):
        for descriptor in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                folder = os.readlink(f"/proc/self/fd/{descriptor}")
                if os.path.isdir(folder):
                    yield os.path.join(folder, path)


sys.addaudithook(_refuse)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("mounted")
    flags = "--data", "tiny", "--batch-size", "8", "--workers", "0", "--steps", "6", "--no-report"
    assert cli.main(["train", *flags, "--run-dir", str(place / "run")]) == 0
    return place / "run"


@pytest.fixture
def read_only(run, monkeypatch):
    """The run, as on a file system that is mounted to be read alone."""
    monkeypatch.setattr(sys.modules[__name__], "_protected", [str(run.parent)])
    with pytest.raises(OSError, match="Read-only"):
        (run / "x").touch()
    with pytest.raises(OSError, match="Read-only"):
        (run / "y").mkdir()
    return run


def test_commands_that_read_a_run_write_nothing_into_it(read_only, tmp_path, capsys):
    run = str(read_only)
    for words in (
        ("evaluate", run),
        ("evaluate", run, "--weights", "best", "--json", str(tmp_path / "x.json")),
        ("report", run, "--output", str(tmp_path / "x.html"), "--no-timing"),
        ("verify", run, "--steps", "3"),
        ("diff", run, run),
        ("diff", run, run, "--replay"),
        ("train", "--config", f"{run}/config.toml", "--init-from", run, "--run-dir", str(tmp_path / "new")),
        ("bundle", run, "--output", str(tmp_path / "x.tar.gz")),
    ):
        assert cli.main([*words]) == 0, (words, capsys.readouterr().err)


def test_predict_writes_nothing(read_only, tmp_path):
    pytest.importorskip("PIL")
    (tmp_path / "x.png").write_bytes(png.encode(np.ascontiguousarray(tiny.tiny()[0][0])))
    assert cli.main(["predict", str(read_only), str(tmp_path / "x.png")]) == 0


def test_what_has_to_write_says_that_it_cannot(read_only, capsys):
    for words in (("train", "--resume", str(read_only)), ("report", str(read_only), "--no-timing")):
        assert cli.main([*words]) in (1, 2)
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and ("Read-only" in err or "written" in err or "permission" in err)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that nobody can write to")
@pytest.mark.parametrize("temporary", [True, False])
def test_a_home_that_cannot_be_written_to_gives_no_word(run, tmp_path, temporary):
    pytest.importorskip("matplotlib")
    none = "import tempfile; tempfile.tempdir = '/proc/self'; "
    program = "import sys; import tiny; from cynet.cli import main; sys.exit(main(sys.argv[1:]))"
    words = "report", str(run), "--output", str(tmp_path / "x.html"), "--no-timing"
    here = os.path.dirname(__file__)
    environment = environment_of(HOME="/proc/self", TMPDIR="/nowhere", XDG_CACHE_HOME="", XDG_CONFIG_HOME="")
    environment["PYTHONPATH"] += os.pathsep + os.path.dirname(here)
    environment.pop("MPLCONFIGDIR", None)
    done = subprocess.run(
        [sys.executable, "-c", program if temporary else none + program, *words],
        capture_output=True, text=True, timeout=100, env=environment,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    if temporary:
        assert "x-plots/curves.png" in done.stdout
    else:
        assert "note: no PNG files in " in done.stdout and "MPLCONFIGDIR" in done.stdout
