"""Every command of docs/tutorial.md runs, in order, in one folder, and does what the text says."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import SLOWER, environment_of

from cynet import data
from cynet.cli.gathering import gather
from cynet.cli.parser import Parser
from cynet.train import Settings

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.md"
TEXT = TUTORIAL.read_text()
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", TEXT, re.M | re.S)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(folder, {command: what it printed}) after all blocks."""
    pytest.importorskip("PIL")
    pytest.importorskip("matplotlib")
    folder, tools = tmp_path_factory.mktemp("tutorial"), tmp_path_factory.mktemp("bin")
    script = f"#!{sys.executable}\nimport sys\nfrom cynet.cli import main\nsys.exit(main())\n"
    (tools / "cynet").write_text(script)
    (tools / "cynet").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    environment = environment_of(PATH=path, OMP_NUM_THREADS="1")
    said = {}
    for kind, text in BLOCKS:
        commands = text.strip().splitlines() if kind == "sh" else [text]
        for command in commands:
            program = ["sh", "-c", command] if kind == "sh" else [sys.executable, "-c", command]
            finished = subprocess.run(
                program, cwd=folder, env=environment, capture_output=True, text=True, timeout=120 * SLOWER
            )
            assert finished.returncode == 0, (command, finished.stderr)
            said[command] = finished.stdout
    return folder, said


def test_the_commands_that_need_a_network_or_an_hour_are_understood():
    blocks = "".join(re.findall(r"^```text\n(.*?)^```", TEXT, re.M | re.S))
    commands = re.findall(r"^cynet (.+)$", blocks, re.M)
    assert len(commands) == 3
    for name, *words in map(str.split, commands):
        module = importlib.import_module(f"cynet.cli.{name}")
        parser = Parser(name, "")
        module.add_flags(parser)
        flags = parser.parse_args(words)
        if name == "train":
            values, _ = gather(flags)
            assert Settings(**values).resolved(50_000).model == "resnet20"
        else:
            assert flags.name in data.names()


def printed(said, start):
    """What the first command that begins so printed."""
    return next(out for command, out in said.items() if command.startswith(start))


def test_every_command_runs_and_leaves_its_files(done):
    folder, _ = done
    for name in ("samples.png", "rates/lr_find.png", "first/report.html", "first/plots/curves.png",
                 "first/last.safetensors", "picture0.png", "pics.png", "own/best.safetensors"):  # fmt: skip
        assert (folder / name).stat().st_size > 200, name


def test_the_model_learns(done):
    out = printed(done[1], "cynet evaluate first")
    assert float(out.split()[-1]) > 0.7


def test_the_section_on_ones_own_pictures(done):
    said = done[1]
    out = printed(said, "cynet data check image_folder")
    assert "3 classes" in out and "drawn by the split seed 0" in out
    assert float(printed(said, "cynet evaluate own").split()[-1]) > 0.6


def test_the_texts_claims(done):
    said = done[1]
    assert "2,000 of each class" in printed(said, "cynet data check")
    assert "suggestion: --lr" in printed(said, "cynet train --lr-find")
    assert "is finished" in printed(said, "cynet train --resume")
    assert "equal" in printed(said, "cynet verify first")
    assert "augment" in printed(said, "cynet diff first second")
    chosen = printed(said, "cynet train --steps 300 --lr 0.1 --schedule cosine --validation")
    assert "the test set, looked at once, with the best weights:" in chosen
    told = "classes are uneven: 500 pictures of disc, 20 of ring"
    assert told in printed(said, "cynet data check arrays")
    out = printed(said, "cynet train --data arrays")
    assert "classes are uneven: 400 pictures of disc, 16 of ring" in out and "left out" not in out
    assert float(out.split()[-1]) > 0.6
    kinds = re.findall(r"is a (.+)", printed(said, "import numpy"))
    predicted = re.findall(r":\n  (.+?)  +[01]\.\d", printed(said, "cynet predict"))
    assert len(predicted) == len(kinds) == 3
    assert any(a == b for a, b in zip(kinds, predicted, strict=True))
