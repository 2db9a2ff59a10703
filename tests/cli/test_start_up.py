"""What a command loads before it does anything: help is there at once."""

import pytest
from helpers import run_python

from cynet.cli import COMMANDS

PROGRAM = """
import contextlib, io, sys
from cynet.cli import main
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
    main({arguments!r})
assert "usage" in out.getvalue()
print(*sorted(name for name in sys.modules if name.startswith({unwanted!r})))
"""


@pytest.mark.parametrize(("arguments", "unwanted"), [
    (["--help"], ("numpy", "cynet.nn", "cynet.kernels", "cynet.data", "cynet.train")),
    (["train", "--help"],
     ("numpy", "cynet.nn", "cynet.kernels", "cynet.models", "cynet.optim", "cynet.train")),
])  # fmt: skip
def test_help_loads_no_layer(arguments, unwanted):
    done = run_python("-c", PROGRAM.format(arguments=arguments, unwanted=unwanted))
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")


EVERY_HELP = """
import argparse, contextlib, importlib, io, sys
from cynet import cli
from cynet.cli.parser import Parser
for name in cli.COMMANDS:
    module = importlib.import_module(f"cynet.cli.{name}")
    parser = Parser(name, module.__doc__)
    module.add_flags(parser)
    below = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    parsers = [parser, *(each for action in below for each in action.choices.values())]
    assert all(each.format_help() for each in parsers)
    heavy = [each for each in sys.modules if each.startswith(HEAVY)]
    assert not heavy, (name, heavy)
    print(name, len(parsers))
"""


def test_the_help_of_every_command_loads_no_layer_and_no_numpy():
    heavy = ("numpy", "tqdm", "cynet.nn", "cynet.kernels", "cynet.models", "cynet.optim", "cynet.train")
    done = run_python("-c", EVERY_HELP.replace("HEAVY", repr(heavy)))
    assert (done.returncode, done.stderr) == (0, "")
    found = dict(line.split() for line in done.stdout.splitlines())
    assert list(found) == list(COMMANDS)
    assert {name: int(count) for name, count in found.items() if count != "1"} == {
        "data": 4, "language_model": 3, "bench": 14,
    }  # fmt: skip


def test_settings_are_data_that_need_no_numpy():
    program = (
        "import sys; from cynet.runs.settings import Settings; from cynet.runs import origins, ranges; "
        "Settings.unflat(Settings(lr_steps={3: 0.1}).flat()); "
        "heavy = 'numpy', 'cynet.nn', 'cynet.data.dataset', 'cynet.data.loader'; "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = run_python("-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
