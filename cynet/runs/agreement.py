"""What a run's config.toml and its checkpoint tell of its settings: the same, or said by name."""

from cynet.core.folder import own_file
from cynet.core.names import printable

from . import checkpoint
from .configuration import CONFIG
from .errors import RefusedError
from .origins import replaced
from .settings import DEFAULTS, FREE, Settings
from .state import checked

SHOWN = 100  # letters of a value
BEGUN = "init_from", "new_head", "whiten"  # what a run began with is done
MACHINE = "threads", "workers"  # which each part of a run settles for itself


def saved(folder):
    """(file name, `Saved`) of a run's newest sound checkpoint, which is only read; or None."""
    for name in (checkpoint.NAME, checkpoint.PREVIOUS):
        try:
            return name, checkpoint.load(own_file(folder.path / name), checked)[1]
        except (ValueError, OSError):
            continue
    return None


def differences(folder, stored):
    """{name: (value in config.toml, value in the checkpoint)} of the settings that are not the same.

    Parameters
    ----------
    folder : RunFolder
    stored : Settings
        Of the checkpoint. A config.toml that cannot be read differs in nothing.
    """
    try:
        values, _ = folder.read_config()
    except (ValueError, OSError):
        return {}
    here, there = Settings(**(DEFAULTS | values)).flat(), stored.flat()
    return {
        name: (here[name], there[name]) for name in here if name not in MACHINE and here[name] != there[name]
    }


def check(folder, stored, given, say, names):
    """Refuse to go on where config.toml and the checkpoint disagree on what the weights depend on.

    Parameters
    ----------
    folder : RunFolder
    stored : Settings
        Of the checkpoint.
    given : dict
        The settings that somebody says: with these it does not matter what the file tells.
    say : callable
        Told, in a line each, of other differences.
    names : Names

    Raises
    ------
    RefusedError
        Naming every such setting, both values, and the ways out.
    """
    known = {*given, *replaced(given, names.origin, names)}
    if known & {"steps", "lr", "schedule"}:
        known.add("lr_steps")
    found = {name: pair for name, pair in differences(folder, stored).items() if name not in known}
    for name in [name for name in found if name in (*FREE, *BEGUN)]:
        here, there = found.pop(name)
        flag = "" if name in BEGUN else f" ({names(name)} changes it)"
        say(f"note: {CONFIG} has {name} {_shown(here)}, its checkpoint {_shown(there)}, which is taken{flag}")
    if found:
        told = ", ".join(f"{name} ({_shown(a)} against {_shown(b)})" for name, (a, b) in found.items())
        flags = " ".join(map(names, found))
        raise RefusedError(
            f"{names('resume')}: {folder.path / CONFIG} and the checkpoint beside it disagree on {told}: "
            f"wanted the same in both, or {flags} to say what holds"
        )


def _shown(value):
    text = printable(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
