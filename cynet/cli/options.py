"""A run's settings from defaults, a recipe, a TOML file and flags, each with the origin of its value.

Design: one table, `OPTIONS`, says for every field of `Settings` how it is written on the command line and
what it may be. A layer is a dict of the values that one source gives; later layers take the place of earlier
ones.
"""

import argparse
import os
from dataclasses import dataclass, fields
from pathlib import Path

from cynet.data import registry
from cynet.train.rundir import read_toml
from cynet.train.settings import ANNEALED, AUTO, CLASS_WEIGHTS, NONE, SCHEDULES, Settings

from .parser import PATHS, UsageError, integer, number, suggestion
from .places import settled

RECIPES = Path(__file__).parent.parent / "recipes"
DEFAULT, FLAG = "default", "flag"
DEFAULTS = {field.name: field.default for field in fields(Settings)}
ORIGIN = "origin"
IGNORED = ("cynet", ORIGIN)  # of a run's config.toml, which is a configuration file too
# What a run settles where nobody said it.
DERIVED = ("steps", "lr", "schedule", "lr_steps", "threads", "workers")


@dataclass(frozen=True)
class Option:
    """How a setting is written.

    Attributes
    ----------
    group : str
        The heading in `--help`.
    kind : callable or bool
        From text to value, or ArgumentTypeError; bool for a flag with a --no- form.
    metavar, help : str
    """

    group: str
    kind: object
    metavar: str | None
    help: str


def text(value):
    """An argparse type: a text that is not empty."""
    if not value:
        raise argparse.ArgumentTypeError("wanted a name, got ''")
    return value


def above(bound):
    """An argparse type: a finite float above a bound."""
    parse = number(bound)

    def strictly(value):
        if parse(value) == bound:
            raise argparse.ArgumentTypeError(f"wanted a number above {bound:g}, got {value!r}")
        return parse(value)

    return strictly


def one_of(*names):
    """An argparse type: one of some names."""

    def parse(value):
        if value not in names:
            hint = suggestion(value, names)
            message = f"wanted one of {', '.join(names)}, got {value!r}" + (f" ({hint})" if hint else "")
            raise argparse.ArgumentTypeError(message)
        return value

    return parse


def milestones(value):
    """An argparse type: '300:.01,420:.001' as {300: 0.01, 420: 0.001}, the steps increasing."""
    found, last = {}, 0
    for part in value.split(","):
        try:
            step, rate = part.split(":")
            step, rate = integer(0)(step), number(0)(rate)
        except (ValueError, argparse.ArgumentTypeError):
            message = f"wanted STEP:RATE,... such as 300:.01,420:.001, got {part!r} in {value!r}"
            raise argparse.ArgumentTypeError(message) from None
        if step <= last:
            raise argparse.ArgumentTypeError(
                f"wanted steps above 0 that increase, got {step} after {last} in {value!r}"
            )
        found[step] = rate
        last = step
    return found


def workers(value):
    """An argparse type: 'auto', or an int from 0 to 64."""
    if value == AUTO:
        return value
    try:
        return integer(0, 64)(value)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error} (or {AUTO})") from None


OPTIONS = {
    "model": Option("model", text, "NAME", "the network to train"),
    "batch_norm": Option("model", bool, None, "with batch norm in the network"),
    "init_from": Option("model", text, "FILE", "start from a .safetensors file, or a run's last weights"),
    "data": Option("data", text, "NAME", f"the data set: {', '.join(registry.names())}"),
    "data_dir": Option(
        "data", text, "DIR", "the folder with the data set's files; of arrays it is a .npz file"
    ),
    "skip_damaged": Option("data", bool, None, "leave damaged pictures of image_folder and image_list out"),
    "augment": Option("data", bool, None, "crop at random from pictures padded by 4 pixels, and flip them"),
    "validation": Option(
        "data", number(0, 1), "SHARE",
        "hold out this share of each class's training pictures, as .2, and choose the best weights on them; "
        "the test set is looked at once, at the end",
    ),
    "split_seed": Option(
        "data", integer(0, 2**63 - 1), "N",
        "of the choice of pictures that are held out, or are for testing where a folder has no part for it",
    ),
    "batch_size": Option("data", integer(1), "N", "pictures in a step"),
    "balanced": Option("data", bool, None, "draw every class as often as another"),
    "steps": Option("training", integer(1), "N", "steps to train (default: 1500)"),
    "epochs": Option("training", integer(1), "N", "or passes over the training set"),
    "lr": Option("training", number(0), "RATE", "learning rate, the greatest one (default: 0.1)"),
    "schedule": Option(
        "training", one_of(*SCHEDULES), "NAME",
        f"how the rate changes: {', '.join(SCHEDULES)} (default: steps, constant with --lr)",
    ),
    "lr_steps": Option(
        "training", milestones, "STEP:RATE,...",
        "the rate from each of these steps on (default of the schedule steps: a tenth of the rate after 60%% "
        "of the steps, and a hundredth after 84%%)",
    ),
    "warmup": Option("training", integer(0), "STEPS", "steps in which the rate rises to the schedule's"),
    "momentum": Option("training", number(0, 1), "M", "of the optimiser, SGD"),
    "weight_decay": Option("training", number(0), "D", "pull towards zero"),
    "label_smoothing": Option("training", number(0, 1), "S", "share spread over all classes"),
    "class_weights": Option(
        "training", one_of(*CLASS_WEIGHTS), "NAME",
        "balanced: weigh every class as much as another in the loss of training",
    ),
    "clip_norm": Option("training", above(0), "NORM", "scale greater gradients down to this norm"),
    "ema": Option("training", number(0, 1), "D", "keep the average of the weights with this decay, as .999"),
    "mixup": Option("training", number(0), "ALPHA", "train on pictures between two, as .2; 0: never"),
    "patience": Option("training", integer(1), "N", "stop after N epochs without a better accuracy"),
    "seed": Option("training", integer(0, 2**63 - 1), "N", "of weights, order and augmentation"),
    "threads": Option(
        "running", integer(1, 1024), "N", "of the kernels (default: OMP_NUM_THREADS, or all)"
    ),
    "workers": Option("running", workers, "N", "loader processes; auto: what is fastest on this machine"),
    "checkpoint_every": Option("running", integer(1), "N", "steps between checkpoints, and after epochs"),
    "checkpoint_minutes": Option("running", number(0), "M", "the same in minutes; 0: never"),
    "tensorboard": Option("running", bool, None, "write event files for TensorBoard, too"),
}  # fmt: skip


EITHER = ("workers",)  # a number or a text
TEXTS = {"lr_steps", *(name for name, o in OPTIONS.items() if o.metavar in ("NAME", "FILE", "DIR"))}


def flag_of(name):
    """'--batch-size' for 'batch_size'."""
    return "--" + name.replace("_", "-")


def add_flags(parser):
    """A flag for every setting, in groups; one that is not given is None."""
    groups = {}
    for name, option in OPTIONS.items():
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        default = DEFAULTS[name]
        if option.kind is bool:
            kind = {"action": argparse.BooleanOptionalAction}
            shown = "yes" if default else "no"
        else:
            kind, shown = {"type": option.kind, "metavar": option.metavar}, default
        help_text = option.help + ("" if default is None else f" (default: {shown})")
        groups[option.group].add_argument(flag_of(name), default=None, help=help_text, **kind)
    return groups


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
    layers = []
    if flags.recipe is not None:
        layers.append((f"recipe {flags.recipe}", read(recipe(flags.recipe), "--recipe")))
    if flags.config is not None:
        layers.append((str(flags.config), settled(read(flags.config, "--config", DERIVED), flags.config)))
    layers.append((FLAG, given(flags)))
    values, origins = dict(DEFAULTS), dict.fromkeys(DEFAULTS, DEFAULT)
    for origin, layer in layers:
        for name in replaced(layer, origin):
            values[name], origins[name] = DEFAULTS[name], DEFAULT
        values |= layer
        origins |= dict.fromkeys(layer, origin)
    return values, chosen_by_the_run(values, origins)


def chosen_by_the_run(values, origins):
    """The origins, where what is left to the run is no one else's choice."""
    return origins | ({"workers": DEFAULT} if values["workers"] == AUTO else {})


def replaced(layer, origin):
    """The settings that a layer takes back from those below it; UsageError where it contradicts itself."""
    if "steps" in layer and "epochs" in layer:
        epochs, steps = named("epochs", origin), named("steps", origin)
        raise UsageError(f"{epochs}: not allowed with argument {steps} (give one of the two)")
    schedule = layer.get("schedule", ANNEALED)
    if "lr_steps" in layer and schedule != ANNEALED:
        raise UsageError(f"{named('lr_steps', origin)}: wanted the schedule {ANNEALED}, got {schedule}")
    weighted = layer.get("class_weights", NONE) != NONE
    if layer.get("balanced") and weighted:
        balanced, weights = named("balanced", origin), named("class_weights", origin)
        raise UsageError(f"{balanced}: not allowed with argument {weights} (give one of the two)")
    for one, other in (("steps", "epochs"), ("epochs", "steps"), ("lr_steps", "schedule")):
        if one in layer:
            yield other
    if layer.get("balanced"):
        yield "class_weights"
    if weighted:
        yield "balanced"
    if schedule != ANNEALED:
        yield "lr_steps"


def named(name, origin):
    """What a message calls a setting: its flag, or the file that gave it and its name there."""
    return flag_of(name) if origin in (FLAG, DEFAULT) else f"{origin}: {name}"


def recipe(name):
    """The file of a recipe inside the package."""
    known = sorted(path.stem for path in RECIPES.glob("*.toml"))
    if name not in known:
        hint = suggestion(name, known)
        wanted = f"--recipe: wanted one of {', '.join(known)}, got {name!r}"
        raise UsageError(wanted + (f" ({hint})" if hint else ""))
    return RECIPES / f"{name}.toml"


def read(path, flag, derived=()):
    """The settings in a TOML file; `flag` is the one that named it.

    Those of `derived` that the run which wrote the file settled by itself are left out, to be settled anew.
    """
    try:
        found = read_toml(path)
    except OSError as error:
        raise UsageError(f"{flag}: cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise UsageError(f"{flag}: {path}: {error}") from None
    origins = found.get(ORIGIN)
    left_out = {*IGNORED, *(n for n in derived if isinstance(origins, dict) and origins.get(n) == DEFAULT)}
    return {name: _value(path, name, value) for name, value in found.items() if name not in left_out}


def _value(path, name, value):
    if name not in OPTIONS:
        hint = suggestion(name.replace("-", "_"), OPTIONS) or f"one of {', '.join(OPTIONS)}"
        if isinstance(value, dict):
            hint = "settings stand at the top of the file, in no table"
        raise UsageError(f"{path}: unknown key: {name} ({hint})")
    kind = OPTIONS[name].kind
    wanted = bool if kind is bool else str if name in TEXTS else (int, float)
    if name in EITHER:
        wanted = (int, float, str)
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        what = {bool: "true or false", str: "text in quotes"}.get(wanted, "a number")
        what += ' such as "300:.01,420:.001"' if name == "lr_steps" else ""
        raise UsageError(f"{path}: {name}: wanted {what}, got {value!r}")
    if kind is bool:
        return value
    try:
        if OPTIONS[name].metavar in PATHS:
            value = os.path.expanduser(value)
        return kind(value if isinstance(value, str) else repr(value))
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{path}: {name}: {error}") from None


def described(settings, origins):
    """A line for each origin: the values that came from there."""
    lines = {}
    for name, value in settings.flat().items():
        if value is not None:
            lines.setdefault(origins.get(name, DEFAULT), []).append(f"{name} {value}")
    order = sorted(lines, key=lambda origin: (origin == DEFAULT, origin != FLAG))
    return [f"by {origin}: {', '.join(lines[origin])}" for origin in order]
