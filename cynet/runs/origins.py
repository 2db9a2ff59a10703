"""Where each setting of a run came from, and what messages call it."""

import os

from cynet.core.names import printable
from cynet.core.wording import Wording
from cynet.data import registry

from . import configuration
from .errors import RefusedError
from .hints import suggestion
from .ranges import ANNEALED, AUTO, NONE, PLACES, RANGES
from .settings import DEFAULTS

DEFAULT, FLAG, PYTHON = "default", "flag", "python"
GIVEN = DEFAULT, FLAG, PYTHON  # all but the names of files and recipes
# What a run settles where nobody said it.
DERIVED = ("steps", "lr", "schedule", "lr_steps", "threads", "workers")


TAKE_THE_PLACE = (  # of another setting, one of the two at a time
    ("steps", "epochs"), ("epochs", "steps"), ("lr_steps", "schedule"), ("lr_drop", "schedule"),
    ("lr_steps", "lr_drop"), ("lr_drop", "lr_steps"),
)  # fmt: skip


class Names(Wording):
    """What messages call settings and arguments: here as Python does; the command line has its own.

    Parameters
    ----------
    config : str, optional
        The file of settings that was named now; a run that goes on may have had one before.
    """

    origin = PYTHON  # of a setting that is given so

    def __init__(self, config=None):
        self.config = config

    def __call__(self, name):
        """How an argument is written: a setting, `run_dir`, or `resume`, the run to go on with."""
        return "folder" if name == "resume" else name

    def of(self, setting, origin):
        """What a setting of this origin is called: as it is written, or by the file that gave it."""
        if origin in GIVEN:
            return self(setting)
        now = self.config is not None and origin == str(self.config)
        return f"{self('config') + ': ' if now else ''}{origin}: {setting}"

    def allowing(self, settings):
        """How one allows that some settings change."""
        return self.with_value("allow_change", list(settings))

    def resume(self, folder, rate=None):
        """How one goes on with a run; `rate` is the setting, lr or lr_steps, that makes it another rate's."""
        change = {"lr": "RATE", "lr_steps": "{STEP: RATE}"}
        more = f", {self.with_value(rate, change[rate])}, {self.allowing([rate])}" if rate else ""
        return f"cynet.runs.resume({str(folder)!r}{more})"

    def begin(self, weights):
        """How one begins a run from the weights in a file, with a learning rate."""
        return f"cynet.runs.start with {self.with_text('init_from', str(weights))} and lr=RATE"


def chosen_by_the_run(values, origins):
    """The origins, where what is left to the run is no one else's choice."""
    return origins | ({"workers": DEFAULT} if values["workers"] == AUTO else {})


def replaced(sheet, origin, names):
    """The settings that a sheet takes back from those below it.

    Parameters
    ----------
    sheet : dict
        The values that one origin gives.
    origin : str
    names : Names

    Yields
    ------
    str

    Raises
    ------
    RefusedError
        Where it contradicts itself.
    """

    def clash(name, other):
        other = names(other) if origin in GIVEN else other
        text = f"{names.of(name, origin)}: not allowed with argument {other} (give one of the two)"
        return RefusedError(text)

    if "steps" in sheet and "epochs" in sheet:
        raise clash("epochs", "steps")
    schedule = sheet.get("schedule", ANNEALED)
    if "lr_steps" in sheet and schedule != ANNEALED:
        raise RefusedError(f"{names.of('lr_steps', origin)}: wanted the schedule {ANNEALED}, got {schedule}")
    if "lr_drop" in sheet and "lr_steps" in sheet:
        raise clash("lr_drop", "lr_steps")
    if "lr_drop" in sheet and schedule != ANNEALED:
        raise RefusedError(f"{names.of('lr_drop', origin)}: wanted the schedule {ANNEALED}, got {schedule}")
    weighted = sheet.get("class_weights", NONE) != NONE
    if sheet.get("balanced") and weighted:
        raise clash("balanced", "class_weights")
    for one, other in TAKE_THE_PLACE:
        if one in sheet:
            yield other
    if sheet.get("balanced"):
        yield "class_weights"
    if weighted:
        yield "balanced"
    if schedule != ANNEALED:
        yield from ("lr_steps", "lr_drop")


def gathered(sheets, names):
    """Settings by default, and sheets of settings laid over them, each over those before it.

    Parameters
    ----------
    sheets : sequence of (str, dict)
        The origin of some settings, and these by name.
    names : Names

    Returns
    -------
    values, origins : dict
        Of every setting.

    Raises
    ------
    RefusedError
        Where a sheet contradicts itself.
    """
    values, origins = dict(DEFAULTS), dict.fromkeys(DEFAULTS, DEFAULT)
    for origin, sheet in sheets:
        for name in replaced(sheet, origin, names):
            values[name], origins[name] = DEFAULTS[name], DEFAULT
        values |= sheet
        origins |= dict.fromkeys(sheet, origin)
    name, place = registry.placed(values["data"], values["data_dir"])
    if name != values["data"]:
        values |= {"data": name, "data_dir": place}
        origins["data_dir"] = origins["data"]
    return values, chosen_by_the_run(values, origins)


def read(path, argument, derived=(), parse=configuration.read):
    """As `settings_in`; a `RefusedError` names the argument that named the file."""
    try:
        return settings_in(path, derived, parse)
    except ValueError as error:
        raise RefusedError(f"{argument}: {error}") from None


def settings_in(path, derived=(), parse=configuration.read):
    """The settings in a TOML file, a dict.

    Parameters
    ----------
    path : path
    derived : sequence of str, optional
        Those of them that the run which wrote the file settled by itself are left out, to be settled anew.
    parse : callable, optional
        Its reader.

    Raises
    ------
    ValueError
        When it cannot be read, or holds what is no setting.
    """
    try:
        found = parse(path)
    except OSError as error:
        text = (error.strerror or str(error)).removeprefix(f"{path}: ")
        raise ValueError(f"cannot read {path}: {text}") from None
    for name, value in found.unknown.items():
        what = f"unknown key: {printable(name)} ({_meant(name, value)})"
        raise ValueError(f"{printable(path)}: {what}")
    left_out = {name for name in derived if found.origins.get(name) == DEFAULT}
    values = {name: value for name, value in found.values.items() if name not in left_out}
    return values | {name: os.path.expanduser(values[name]) for name in PLACES if name in values}


def _meant(name, value):
    """A hint to the setting that a key in a file was probably meant for."""
    if isinstance(value, dict):
        return "settings stand at the top of the file, in no table"
    return suggestion(name.replace("-", "_"), RANGES) or f"one of {', '.join(DEFAULTS)}"


def described(settings, origins):
    """A line for each origin: the values that came from there."""
    lines = {}
    for name, value in settings.flat().items():
        if value is not None:
            lines.setdefault(printable(origins.get(name, DEFAULT)), []).append(printable(f"{name} {value}"))
    order = sorted(lines, key=lambda origin: (origin == DEFAULT, origin not in GIVEN))
    return [f"by {origin}: {', '.join(lines[origin])}" for origin in order]
