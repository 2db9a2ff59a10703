"""The help of settings' flags with the defaults that recipes give, read in their files."""

import json
import re

from cynet.runs import recipes
from cynet.runs.origins import TAKE_THE_PLACE, read

DEFAULT = re.compile(r" \(default[^()]*\)$")


def tell(parser, usual, other):
    """Put the values of two recipes in place of the defaults that the help of a parser's flags tells.

    Parameters
    ----------
    parser : Parser
        With the flags of the settings.
    usual, other : str
        The recipes: the value of `other` is told beside that of `usual` where it is another.
    """
    first, second = (read(recipes.file(name, "--recipe"), "--recipe") for name in (usual, other))
    both = first.keys() & second.keys()
    gone = {name for given, name in TAKE_THE_PLACE if given in both}
    for action in parser._actions:
        name = action.dest
        if name in both | gone:
            action.help = DEFAULT.sub("", action.help)
        if name in both:
            more = "" if first[name] == second[name] else f"; recipe {other}: {_shown(name, second)}"
            action.help += f" (default: {_shown(name, first)}{more})"


def _shown(name, sheet):
    value = sheet[name]
    if name == "model_option":
        return " ".join(f"{option}={value}" for option, value in json.loads(value).items())
    return str(value)
