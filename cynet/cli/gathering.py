"""A run's settings from defaults, a recipe, a TOML file and flags, each with the origin of its value."""

import json

from cynet.core.shell import quoted
from cynet.core.wording import Flagged
from cynet.runs import recipes
from cynet.runs.origins import DERIVED, FLAG, Names, gathered, read
from cynet.runs.places import settled

from .options import OPTIONS, flag_of

OPTION = "model_option"  # of which a part may be given


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
    sheets, recipe, file, flagged = [], {}, {}, given(flags)
    if flags.recipe is not None:
        recipe = read(recipes.file(flags.recipe, "--recipe"), "--recipe")
        sheets.append((f"recipe {flags.recipe}", recipe))
    if flags.config is not None:
        file = settled(read(flags.config, "--config", DERIVED), flags.config)
        sheets.append((str(flags.config), file))
    _share_options(recipe, file, flagged)
    sheets.append((FLAG, flagged))
    return gathered(sheets, Flags(flags.config))


def _share_options(recipe, file, flagged):
    """Lay options of flags over those that a recipe gives its own net; another net has none of the recipe's.

    Parameters
    ----------
    recipe, file, flagged : dict
        The settings of each; `recipe` and `flagged` are changed.
    """
    own, over = recipe.get("model"), file | flagged
    if over.get("model", own) != own:
        recipe.pop(OPTION, None)
    elif OPTION in recipe and OPTION in flagged and OPTION not in file:
        both = json.loads(recipe[OPTION]) | json.loads(flagged[OPTION])
        flagged[OPTION] = json.dumps(both, sort_keys=True)


class Flags(Flagged, Names):
    """What messages of the command line call settings and arguments; `config` is what --config names."""

    origin = FLAG

    def allowing(self, settings):
        return " ".join(self.with_value("allow_change", name) for name in settings)

    def resume(self, folder, rate=None):
        change = {"lr": "RATE", "lr_steps": "STEP:RATE,..."}
        more = f" {flag_of(rate)} {change[rate]} --allow-change {rate.replace('_', '-')}" if rate else ""
        return f"cynet train --resume {quoted(folder)}{more}"

    def begin(self, weights):
        return f"cynet train --init-from {quoted(weights)} --lr RATE"
