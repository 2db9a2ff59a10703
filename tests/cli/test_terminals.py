"""Terminals, logs and file systems that cannot show a character, or show nothing at all: the run goes on."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tiny
from helpers import environment_of

from cynet.core import names, png
from cynet.report import page, plots
from cynet.runs.configuration import read_toml, toml
from cynet.train import RunFolder

LATIN = os.fsdecode(b"caf\xe9")  # a name that is no UTF-8
ODD = f"{LATIN} ü 😀 $a$"
FEW = ("--batch-size", "8", "--workers", "0", "--steps", "2", "--threads", "1")


SEVERAL = """
import json, sys
from cynet import cli

for words in json.loads(sys.argv[1]):
    status = cli.main(words)
    assert status == 0, (status, words)
"""


def python(*words, cwd=None, **environment):
    """The finished process, its output as bytes."""
    command = [sys.executable, "-W", "error", *words]
    return subprocess.run(
        command, capture_output=True, cwd=cwd, timeout=100, env=environment_of(**environment)
    )


def cynet(*words, **how):
    return python("-m", "cynet", *words, **how)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of pictures with odd names of classes and files."""
    pytest.importorskip("PIL")
    root = tmp_path_factory.mktemp("data") / ODD
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("plain", f"{LATIN} 1", "ü 😀"):
            (root / part / name).mkdir(parents=True)
            for i in range(4):
                file = root / part / name / f"{i} {ODD}.png"
                file.write_bytes(png.encode(rng.integers(0, 256, (32, 32, 3), np.uint8)))
    return root


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_command_goes_on_where_a_name_cannot_be_shown(pictures, tmp_path, encoding):
    run, how = ODD, {"cwd": tmp_path, "PYTHONIOENCODING": encoding}
    data = ("--data", "image_folder", "--data-dir", str(pictures))
    commands = (
        ("train", *data, *FEW, "--run-dir", run),
        ("evaluate", run, "--json", f"{ODD}.json"),
        ("predict", run, str(pictures / "test" / f"{LATIN} 1")),
        ("report", run, "--no-timing"),
        ("verify", run, "--steps", "1"),
        ("diff", run, run),
        ("data", "check", *data[1:]),
        ("data", "show", *data[1:], "--output", f"{ODD}.png"),
        ("bundle", run, "--output", f"{ODD}.tar.gz"),
        ("train", "--resume", run, "--steps", "3", "--allow-change", "steps", "--no-report"),
    )
    done = python("-c", SEVERAL, json.dumps(commands), **how)
    assert done.returncode == 0, done.stderr
    done.stdout.decode(encoding)
    assert b"Traceback" not in done.stderr
    assert "caf\\xe9" in (tmp_path / run / "log.txt").read_text(encoding="utf-8")
    text = (tmp_path / run / "report.html").read_text(encoding="utf-8")
    assert "<title>caf\\xe9 ü 😀 $a$ - cynet report</title>" in text and "caf\\\\xe9" in text
    done = cynet("evaluate", str(tmp_path / run), cwd="/", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr  # config.toml and env.json tell where the data are


def test_an_error_names_what_cannot_be_shown(tmp_path):
    done = cynet("evaluate", ODD, cwd=tmp_path, PYTHONIOENCODING="ascii:strict")
    assert done.returncode == 2
    assert done.stderr == (
        rb"cynet evaluate: error: RUN: cannot read caf\xe9 \xfc \U0001f600 $a$: No such file or directory"
        b"\n"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="bash and /dev/full of Linux")
def test_streams_that_are_closed_or_full(tmp_path):
    def shell(text):
        command = f"{sys.executable} {tiny.__file__} {text}"
        done = subprocess.run(
            ["sh", "-c", command], capture_output=True, text=True, cwd=tmp_path, env=environment_of()
        )
        assert "Traceback" not in done.stderr
        return done.returncode

    assert shell("config >&-") == 0
    assert shell("config >&- 2>&-") == 0
    assert shell("nothing 2>&-") == 2
    assert shell("config >/dev/full") == 1
    assert shell("--help >/dev/full") == 1
    assert shell(f"train --data tiny {' '.join(FEW)} --no-report --run-dir run >&- 2>&-") == 0
    assert "test accuracy" in (tmp_path / "run" / "log.txt").read_text()


# -- files -------------------------------------------------------------------------------------------------
def test_paths_of_any_bytes_come_back_from_a_runs_files(tmp_path):
    folder = RunFolder(tmp_path / ODD)
    config = {"data_dir": ODD, "steps": 3, "lr": 0.5, "schedule": "constant", "tensorboard": False}
    folder.write_config(config, {"data_dir": ODD, "steps": "flag"})
    folder.write_environment({"command": ["cynet", ODD], "folder": ODD})
    found, origins = folder.read_config()
    assert found == config and (origins["data_dir"], origins["steps"]) == (ODD, "flag")
    assert folder.read_environment() == {"command": ["cynet", ODD], "folder": ODD}
    assert toml({"x": LATIN}) == 'x = "caf\\\\udce9"\n'
    (tmp_path / "own.toml").write_text('x = "\\\\udc0 \\\\udd00 é"\n', encoding="utf-8")
    assert read_toml(tmp_path / "own.toml") == {"x": "\\udc0 \\udd00 é"}


def test_files_are_read_in_their_own_encoding(tmp_path):
    """Not in that of the terminal."""
    folder = RunFolder(tmp_path / "run")
    rest = {"steps": 3, "lr": 0.5, "schedule": "constant", "tensorboard": False}
    folder.write_config({"data_dir": "ü"} | rest)
    folder.write_environment({"folder": "ü"})
    program = (
        "from cynet.train import RunFolder; folder = RunFolder.open('run'); "
        "found = folder.read_config()[0] | folder.read_environment(); "
        r"assert found['data_dir'] == found['folder'] == '\xfc', found"
    )
    for settings in ({"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "C.UTF-8"}):
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, env=environment_of(**settings)
        )
        assert done.returncode == 0, done.stderr


def test_the_page_shows_what_is_no_utf_8_escaped():
    text = page.embedded({"name": LATIN, "runs": [{LATIN: "😀"}], "n": 1.5})
    assert json.loads(text) == {"name": "caf\\xe9", "runs": [{"caf\\xe9": "😀"}], "n": 1.5}
    assert "udce9" not in text


def test_a_plot_shows_any_name_of_a_class(tmp_path):
    pytest.importorskip("matplotlib")
    names = [LATIN, "$^$", "a$b_{$", "line\nend", "😀"]
    document = {
        "runs": [{"epochs": {}, "steps": {}}],
        "test": {"confusion": np.eye(5, dtype=int).tolist(), "classes": names},
    }
    (path,) = plots.write(document, tmp_path / "plots")
    assert path.stat().st_size > 1000


def test_the_bar_of_a_training_shows_any_name(tmp_path):
    """tqdm writes to standard error, which is escaped as it is."""
    script = (
        "import sys; sys.stderr.isatty = lambda: True; from cynet.data.progress import ProgressBar\n"
        f"with ProgressBar({LATIN + '😀'!a}, 10_000) as bar: bar.add(6000)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=environment_of(PYTHONIOENCODING="ascii")
    )
    assert done.returncode == 0 and rb"caf\udce9\U0001f600" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_name_is_spelled_alike_wherever_it_is_shown(encoding):
    """Printed as it is, or made printable before."""
    for name in (LATIN, f"{LATIN}\ud800", "a"):
        assert name.encode(encoding, names.SPELLED).decode(encoding) == names.printable(name)
    assert "é\udce9😀".encode("ascii", names.SPELLED) == rb"\xe9\xe9\U0001f600"
