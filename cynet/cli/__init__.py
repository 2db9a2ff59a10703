"""Floor 7: the commands. One file each, with `add_flags(parser)` and, under the decorator that registers it,
`run(flags)`: imported when called, and so is the parser, whose numbers load NumPy: `cynet --help` is quick.
"""

import importlib
import os
import sys

from cynet._version import __version__

from . import registry
from .ending import guarded

COMMANDS = {name: registry.command.facts(name)["text"] for name in registry.command.names()}


def main(arguments=None):
    """Run `cynet COMMAND ...`.

    Parameters
    ----------
    arguments : list of str, optional
        Without the program's name; default: those of this process.

    Returns
    -------
    int
        The exit status: 0 done, 1 failed on the way, 2 refused what was asked, 130 or 143 stopped by Ctrl-C
        or SIGTERM.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    command = arguments[0] if arguments else "--help"
    name = command.replace("-", "_")
    if name in COMMANDS:
        return script(name, arguments[1:], f"cynet {command}")
    return guarded("cynet", lambda: _answer(command))


def _answer(command):
    """What `cynet` says by itself."""
    if command in ("-h", "--help"):
        print(overview())
    elif command == "--version":
        print(f"cynet {__version__}")
    else:
        from .parser import UsageError, suggestion

        hint = suggestion(command, COMMANDS) or f"one of {', '.join(COMMANDS)}"
        raise UsageError(f"no such command: {command} ({hint})")


def overview():
    """The text of `cynet --help`."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        ["usage: cynet COMMAND [flags]", "", *lines, "", "cynet COMMAND --help lists its flags."]
    )


def script(command, arguments=None, program=None):
    """Run one command, as tools/COMMAND.py does; parameters and result as in `main`."""
    program = program or os.path.basename(sys.argv[0])
    words = sys.argv[1:] if arguments is None else arguments
    alone = command != "train" or "--distributed" not in words
    return guarded(program, lambda: _run(command, words, program, alone), alone)


def _run(command, words, program, alone):
    from .parser import Parser, UsageError

    module = importlib.import_module(f"cynet.cli.{command}")
    parser = Parser(program, description=module.__doc__)
    module.add_flags(parser)
    try:
        flags = parser.parse_args(words)
    except UsageError as error:
        if alone:
            raise
        from .together import refuse

        return refuse(program, error)
    return module.run(flags)
