"""argparse with short errors that suggest what was meant."""

import argparse
import os

from cynet.core.files import reason
from cynet.runs import errors
from cynet.runs.errors import FailedError as Failure
from cynet.runs.errors import RefusedError as UsageError
from cynet.runs.hints import suggestion

__all__ = ["PATHS", "Failure", "Parser", "UsageError", "reason", "refusing", "suggestion"]

# What help calls an argument that is a path: the shell expands a ~ only where a word begins with it.
PATHS = ("DIR", "FILE", "FOLDER", "IMAGE", "MODEL", "RUN")


def refusing(flag):
    """As `cynet.runs.errors.refusing`: one line for the terminal that names the flag, exit status 2."""
    return errors.refusing(flag, "--data-dir")


class Parser(argparse.ArgumentParser):
    """A parser without abbreviations; `--help` shows defaults, errors are one line."""

    def __init__(self, program, description):
        super().__init__(prog=program, description=description, allow_abbrev=False, formatter_class=Help)

    def commands(self, texts, metavar="WHAT"):
        """Parsers of sub-commands, by name; `texts` says what each does. The chosen one is `flags.what`.

        Parameters
        ----------
        texts : dict of str to str
        metavar : str, optional

        Returns
        -------
        dict of str to Parser
        """
        kinds = self.add_subparsers(
            dest="what", metavar=metavar, required=True, title="commands", parser_class=_SubParser
        )
        return {name: kinds.add_parser(name, help=text, description=text) for name, text in texts.items()}

    def parse_known_args(self, args=None, namespace=None):
        for action in self._actions:
            if action.metavar in PATHS and not isinstance(action.type, _Expanded):
                action.type = _Expanded(action.type or str)
        return super().parse_known_args(args, namespace)

    def parse_args(self, arguments=None):
        flags, rest = self.parse_known_args(arguments)
        self.refuse(rest)
        return flags

    def refuse(self, rest):
        """Raise UsageError when arguments are left over."""
        if rest:
            name = rest[0].partition("=")[0]
            if not name.startswith("-"):
                raise UsageError(f"unexpected argument: {name}")
            hint = suggestion(name, self._option_string_actions) or "see --help"
            raise UsageError(f"unknown flag: {name} ({hint})")

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices:
            hint = suggestion(str(value), action.choices)
            wanted = f"wanted one of {', '.join(action.choices)}, got {value!r}"
            raise argparse.ArgumentError(action, wanted + (f" ({hint})" if hint else ""))

    def error(self, message):
        raise UsageError(message.removeprefix("argument "))


class _SubParser(Parser):
    """Refuses what is left over by itself, since it knows the flags that may have been meant."""

    def __init__(self, prog, description):
        super().__init__(prog, description)

    def parse_known_args(self, args=None, namespace=None):
        flags, rest = super().parse_known_args(args, namespace)
        self.refuse(rest)
        return flags, []


class _Expanded:
    """An argparse type that has the home folder in place of a ~ at the beginning of a path."""

    def __init__(self, kind):
        self.kind = kind

    def __call__(self, text):
        return self.kind(os.path.expanduser(text))


class Help(argparse.HelpFormatter):
    """Adds the default to a flag's help where it is a value."""

    def _get_help_string(self, action):
        text = action.help or ""
        plain = action.default is True or action.default in (None, [])  # what True means the text says
        if action.nargs == 0 or plain or not action.option_strings:
            return text
        return f"{text} (default: %(default)s)"
