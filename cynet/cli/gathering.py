"""A run's settings from defaults, a recipe, a TOML file and flags, each with the origin of its value."""

from cynet.core.shell import quoted
from cynet.runs import recipes
from cynet.runs.origins import DERIVED, FLAG, Names, gathered, read
from cynet.runs.places import settled

from .options import OPTIONS, flag_of


def given(flags):
    """The settings that were given as flags."""
    return {name: getattr(flags, name) for name in OPTIONS if getattr(flags, name) is not None}


def gather(flags):
    """Defaults, recipe, configuration file and flags, laid over each other.

    Returns
    -------
    values, origins : dict
        Of every setting.

    Raises
    ------
    UsageError
        Naming the source, when it holds what is unknown, of the wrong type, or contradictory.
    """
    sheets = []
    if flags.recipe is not None:
        sheets.append((f"recipe {flags.recipe}", read(recipes.file(flags.recipe, "--recipe"), "--recipe")))
    if flags.config is not None:
        sheets.append((str(flags.config), settled(read(flags.config, "--config", DERIVED), flags.config)))
    sheets.append((FLAG, given(flags)))
    return gathered(sheets, Flags(flags.config))


class Flags(Names):
    """What messages of the command line call settings and arguments; `config` is what --config names."""

    origin = FLAG

    def __call__(self, name):
        return flag_of(name)

    def with_value(self, name, value):
        return f"{flag_of(name)} {value}"

    def allowing(self, settings):
        return " ".join(self.with_value("allow_change", name) for name in settings)

    def resume(self, folder):
        return f"cynet train --resume {quoted(folder)}"
