"""What every registered command keeps: help, refusals in a line with status 2, a word in the documents."""

import argparse
import importlib
import re
from pathlib import Path

import pytest
from helpers import run_python

from cynet import cli
from cynet.cli.parser import Parser, UsageError, _Expanded
from cynet.cli.registry import command as registered

ROOT = Path(__file__).resolve().parents[2]


def parser_of(name):
    module = importlib.import_module(f"cynet.cli.{name}")
    parser = Parser(name, module.__doc__)
    module.add_flags(parser)
    return parser


def parsers():
    """(words of the command, its parser), of sub-commands too."""
    for name in registered.names():
        parser = parser_of(name)
        below = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
        found = {f"{name} {what}": each for action in below for what, each in action.choices.items()}
        yield from (found or {name: parser}).items()


PARSERS = dict(parsers())
EVERY = pytest.mark.parametrize("words", PARSERS)
TYPED = [
    pytest.param(words, action, id=f"{words} {action.option_strings[-1]}")
    for words, parser in PARSERS.items()
    for action in parser._actions
    if action.option_strings and (action.type is not None or action.choices) and action.nargs != 0
]


def said(capsys, arguments):
    try:
        status = cli.main(arguments)
    except SystemExit as error:
        status = error.code
    out, err = capsys.readouterr()
    return status, out, err


def needed(parser):
    """Arguments that must be given."""
    flags = [
        [action.option_strings[0], "x"]
        for action in parser._actions
        if action.required and action.option_strings
    ]
    places = [a for a in parser._actions if not a.option_strings and a.nargs in (None, "+")]
    return ["x" for _ in places] + [word for flag in flags for word in flag]


def test_the_table_is_what_the_files_say():
    assert list(cli.COMMANDS) == list(registered.names())
    for name in cli.COMMANDS:
        module = importlib.import_module(f"cynet.cli.{name}")
        assert registered[name] is module.run and callable(module.add_flags) and module.__doc__
        assert registered.facts(name)["text"] == cli.COMMANDS[name]
    others = {path.stem for path in (ROOT / "cynet/cli").glob("*.py")} - set(cli.COMMANDS)
    for name in others - {"__init__"}:
        assert not hasattr(importlib.import_module(f"cynet.cli.{name}"), "run"), f"{name} has no decorator"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_what_cynet_says_by_itself_loads_no_numpy_and_no_command(arguments):
    code = (
        "import sys\n"
        "from cynet import cli\n"
        f"assert cli.main({arguments}) == 0\n"
        "loaded = [m for m in sys.modules if m.split('.')[0] in ('numpy', 'argparse')]\n"
        "own = {'cynet.cli.registry', 'cynet.cli.ending'}\n"
        "loaded += [m for m in sys.modules if m.startswith('cynet.cli.') and m not in own]\n"
        "assert not loaded, loaded\n"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr


@EVERY
def test_help_tells_of_every_flag(capsys, words):
    status, out, err = said(capsys, [*words.split(), "--help"])
    assert (status, err) == (0, "") and out.startswith(f"usage: cynet {words} ")
    for action in PARSERS[words]._actions:
        names = action.option_strings or [action.metavar or action.dest]
        assert all(name in out for name in names)
        assert action.help, f"{words}: {names} has no help"
    lines = out.splitlines()
    assert max(map(len, lines)) <= 110 and not any(line.endswith(" ") for line in lines)


@EVERY
def test_an_unknown_flag_is_refused_in_one_line(capsys, words):
    status, out, err = said(capsys, [*words.split(), *needed(PARSERS[words]), "--none-such"])
    assert (status, out) == (2, "")
    assert err == f"cynet {words.split()[0]}: error: unknown flag: --none-such (see --help)\n"


@pytest.mark.parametrize(("words", "action"), TYPED)
def test_a_value_is_taken_or_refused_in_one_line_that_names_the_flag(words, action):
    """By the parser alone: what is taken would be begun."""
    flag, plain = action.option_strings[-1], action.type is str or isinstance(action.type, _Expanded)
    for value in ("", "\x00", "none such"):
        try:
            PARSERS[words].parse_args([*needed(PARSERS[words]), f"{flag}={value}"])
        except UsageError as error:
            assert str(error).startswith(f"{flag}") and "wanted" in str(error) and "\n" not in str(error)
        else:
            assert value or plain or action.dest == "only", f"{words} {flag} takes an empty value"


@pytest.mark.parametrize("words", [words for words, parser in PARSERS.items() if needed(parser)])
def test_what_is_needed_is_asked_for(capsys, words):
    status, out, err = said(capsys, words.split())
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "the following arguments are required" in err


@pytest.mark.parametrize("name", registered.names())
def test_a_slip_of_the_finger_is_told(capsys, name):
    status, out, err = said(capsys, [f"{name[0]}{name}"])
    assert (status, out) == (2, "")
    assert err == f"cynet: error: no such command: {name[0]}{name} (did you mean {name}?)\n"


@pytest.mark.parametrize("name", registered.names())
def test_it_is_told_of(name):
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "data/README.md", *ROOT.glob("docs/*.md")]
    told = re.compile(rf"\bcynet {name.replace('_', '[_-]')}\b|\btools/{name}\.py")
    assert any(told.search(path.read_text()) for path in paths), f"no document names cynet {name}"
