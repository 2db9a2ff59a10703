"""Every command of docs/models.md runs, in order, beside the file that the page shows."""

import re
import shlex
from pathlib import Path

import pytest

from cynet import cli
from cynet.runs import nets

TEXT = (Path(__file__).parent.parent / "docs" / "models.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.M | re.S)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_commands_of_a_net_of_ones_own_run_in_order(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nets, "HERE", {})
    name, code = re.search(r"^<!-- (\S+) -->\n```python\n(.*?)^```", TEXT, re.M | re.S).groups()
    Path(name).write_text(code)
    said = {}
    for line in COMMANDS:
        nets.HERE.clear()  # as in a process of its own
        assert cli.main(shlex.split(line)[1:]) == 0, (line, capsys.readouterr().err)
        said[line] = capsys.readouterr().out
    assert len(said) == 8 and sum("equal: " in text for text in said.values()) == 2
    assert Path("other/model.py").read_text() == code
