"""Every command and program of docs/data.md runs, in order, in one folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import SLOWER, environment_of

TEXT = (Path(__file__).parent.parent / "docs" / "data.md").read_text()
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", TEXT, re.M | re.S)


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What each command or program printed."""
    folder, tools = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("bin")
    script = f"#!{sys.executable}\nimport sys\nfrom cynet.cli import main\nsys.exit(main())\n"
    (tools / "cynet").write_text(script)
    (tools / "cynet").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    environment = environment_of(PATH=path, OMP_NUM_THREADS="1")
    found = {}
    for kind, text in BLOCKS:
        for command in text.strip().splitlines() if kind == "sh" else [text]:
            program = ["sh", "-c", command] if kind == "sh" else [sys.executable, "-c", command]
            done = subprocess.run(
                program, cwd=folder, env=environment, capture_output=True, text=True, timeout=120 * SLOWER
            )
            assert done.returncode == 0, (command, done.stderr)
            found[command.partition(" --")[0]] = done.stdout
    return found


def test_each_says_what_its_task_is(said):
    assert "train: 400 pictures of 32 x 32, 3 channels, 3 labels" in said["cynet data check corners.npz"]
    assert re.search(r"test average precision [01]\.\d{4}\n", said["cynet evaluate corners"])
    lines = said["cynet predict corners some.npy"].splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["some.npy[0]:", *sorted(
        ("red", "green", "blue"), key=lambda name: [line.split()[0] for line in lines].index(name)
    )]  # fmt: skip
    assert re.search(r"some.npy\[2\]:\n  value  -?[\d.]+\n$", said["cynet predict count some.npy"])
    assert "R2 0.9" in list(said.values())[-1]
