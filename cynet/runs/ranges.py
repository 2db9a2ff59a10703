"""What each setting of a run may be: one table for flags, files of settings, checkpoints and records.

Design: a `Range` makes the value of a text, as a flag gives it. A file gives a plain value; it must be of the
right type first, and is then read as the text that stands for it, so that there is one rule for both. This is
pure data, without NumPy, so that a command's help is there at once.
"""

import contextlib
import json
from dataclasses import dataclass
from math import isfinite

from cynet.core.hints import near
from cynet.core.tasks import EVERY, LOSSES

SCHEDULES = CONSTANT, ANNEALED, COSINE, ONE_CYCLE, TRIANGULAR = (
    "constant", "steps", "cosine", "one-cycle", "triangular"
)  # fmt: skip
AUTO = "auto"
LAYOUTS = ("NCHW", "NHWC", "NHW", "NLC", "NCL", "NF")  # see cynet/data/array_layouts.py
LEVELS = ("character", "word")  # of a text: what a token is
NONE, BALANCED = CLASS_WEIGHTS = ("none", "balanced")
SGD, NESTEROV, ADAM, ADAMW = OPTIMIZERS = ("sgd", "nesterov", "adam", "adamw")
UNDECAYED = ("norm", "bias")  # parameters that may go without weight decay
VIEWS = ("flip", "shift", "diagonal")  # of a picture that is evaluated

PLACES = ("init_from", "data_dir")  # settings that are paths

MOST = 2**31 - 1  # steps, pictures, and what else is counted
MOST_SEED = 2**63 - 1
MOST_SEQUENCE = 1 << 16  # tokens
MOST_SHARDS = 1 << 12
MOST_TEXT = 4096  # letters of a name or a path: more than a system has
MOST_MILESTONES = 100_000  # letters
MOST_BITS = 64  # of a whole number in a file
SHOWN = 80  # letters of a value in a message


@dataclass(frozen=True)
class Range:
    """What a setting may be.

    Attributes
    ----------
    parse : callable
        From a text to the value, or ValueError.
    types : type or tuple of type
        What a file may hold.
    wanted : str
        What an error says of that.
    in_python : str
        The same where the value is one of Python's.
    """

    parse: object
    types: object
    wanted: str
    in_python: str


def text(value):
    """A name or a path: a text that is not empty."""
    if not value:
        raise ValueError("wanted a name, got ''")
    if "\0" in value or len(value) > MOST_TEXT:
        what = "without NUL" if "\0" in value else f"of at most {MOST_TEXT:,} letters"
        raise ValueError(f"wanted a name {what}, got {short(value)}")
    return value


def integer(least, most=MOST):
    """From a text to an int from `least` to `most`."""

    def parse(value):
        try:
            found = int(value)
        except ValueError:
            found = least - 1
        if least <= found <= most:
            return found
        bound = f"of at least {least}" if found < least else f"from {least} to {most}"
        raise ValueError(f"wanted a whole number {bound}, got {short(value)}")

    return parse


def number(least, below=None):
    """From a text to a finite float of at least `least` and, where given, less than `below`."""

    def parse(value):
        try:
            found = float(value)
        except ValueError:
            found = float("nan")
        if isfinite(found) and least <= found and (below is None or found < below):
            return found
        bound = f"of at least {least:g}" + ("" if below is None else f" and below {below:g}")
        raise ValueError(f"wanted a number {bound}, got {short(value)}")

    return parse


def above(bound):
    """From a text to a finite float above a bound."""
    parse = number(bound)

    def strictly(value):
        if parse(value) == bound:
            raise ValueError(f"wanted a number above {bound:g}, got {short(value)}")
        return parse(value)

    return strictly


def one_of(*names):
    """From a text to itself, which is one of some names."""

    def parse(value):
        if value not in names:
            meant = near(value, names)
            hint = f" (did you mean {meant}?)" if meant else ""
            raise ValueError(f"wanted one of {', '.join(names)}, got {short(value)}{hint}")
        return value

    return parse


def milestones(value):
    """'300:.01,420:.001' as {300: 0.01, 420: 0.001}, the steps increasing."""
    if len(value) > MOST_MILESTONES:
        raise ValueError(f"wanted at most {MOST_MILESTONES:,} letters, got {len(value):,}")
    found, last = {}, 0
    for part in value.split(","):
        try:
            step, rate = part.split(":")
            step, rate = integer(0)(step), number(0)(rate)
        except ValueError:
            shown = f"{short(part)} in {short(value)}"
            raise ValueError(f"wanted STEP:RATE,... such as 300:.01,420:.001, got {shown}") from None
        if step <= last:
            shown = f"{step} after {last} in {short(value)}"
            raise ValueError(f"wanted steps above 0 that increase, got {shown}")
        found[step] = rate
        last = step
    return found


def some_of(*names):
    """From a text to some of these names, each once, comma separated and in this order."""

    def parse(value):
        given = value.split(",")
        for name in given:
            one_of(*names)(name)
        if len(set(given)) < len(given):
            raise ValueError(f"wanted each of {', '.join(names)} at most once, got {short(value)}")
        return ",".join(name for name in names if name in given)

    return parse


def patterns(value):
    """'0.*,*.bias' as it is: patterns of names, none of them empty."""
    if not all(part.strip() == part != "" for part in text(value).split(",")):
        raise ValueError(f"wanted patterns such as 0.*,*.bias without blanks between, got {short(value)}")
    return value


def by_pattern(parse, example):
    """From a text such as '*.bias:64,0.weight:.5', patterns of names and numbers that `parse` reads, to the
    same in one spelling."""

    def parsed(value):
        found = {}
        for part in text(value).split(","):
            pattern, _, number = part.rpartition(":")
            try:
                patterns(pattern)
                known, found[pattern] = pattern in found, parse(number)
            except ValueError:
                known = True
            if known or ":" in pattern:
                shown = f"{short(part)} in {short(value)}"
                raise ValueError(f"wanted PATTERN:NUMBER,... such as {example}, each once, got {shown}")
        return ",".join(f"{pattern}:{number!r}" for pattern, number in found.items())

    return parsed


def numbers_of(value):
    """What a setting that `by_pattern` read says, {pattern: number}."""
    pairs = (part.rpartition(":") for part in (value or "").split(",") if part)
    return {pattern: float(number) for pattern, _, number in pairs}


def epochs(value):
    """A number of passes above 0: an int where it is whole."""
    found = number(0)(value)
    if not 0 < found <= MOST:
        raise ValueError(f"wanted a number above 0 and at most {MOST}, got {short(value)}")
    return int(found) if found == int(found) else found


def lookahead(value):
    """'5:.5' as '5:0.5': a number of steps and a decay; and perhaps the power by which it rises to that."""
    try:
        steps, decay, *power = value.split(":")
        rises = "".join(f":{number(0)(each)!r}" for each in power[:1])
        if len(power) > 1:
            raise ValueError(power)
        return f"{integer(1)(steps)}:{number(0, 1)(decay)!r}{rises}"
    except ValueError:
        wanted = (
            "wanted STEPS:DECAY or STEPS:DECAY:POWER, from 1 step on, a decay from 0 to below 1 and a power "
            "of at least 0, such as 5:.5"
        )
        raise ValueError(f"{wanted}, got {short(value)}") from None


def lr_drop(value):
    """'6:.25' as '6:0.25': a number of epochs and what a rate is multiplied by."""
    try:
        epochs, factor = value.split(":")
        return f"{integer(1)(epochs)}:{number(0)(factor)!r}"
    except ValueError:
        wanted = "wanted EPOCHS:FACTOR, from 1 epoch on and a factor of at least 0, such as 6:.25"
        raise ValueError(f"{wanted}, got {short(value)}") from None


def augmentation(value):
    """'crop:4,rotate:15' as it is, or True where that is what `augment` stands for."""
    from . import augmentations  # here: a command's help is there at once

    if isinstance(value, bool):
        return value
    return augmentations.checked(text(value))


def model_option(value):
    """'KEY=VALUE', the value JSON or else a text, or a whole JSON object, as the text of that object."""
    found = value
    if not value.startswith("{"):
        key, equals, found = value.partition("=")
        if not (equals and key.isidentifier()):
            raise ValueError(f"wanted KEY=VALUE, the key a name of Python's, got {short(value)}")
        found = _spelled(found)
        found = json.dumps({key: found})
    if len(found) > MOST_TEXT:
        raise ValueError(f"wanted at most {MOST_TEXT:,} letters, got {len(found):,}")
    try:
        options = json.loads(found)
        if not all(key.isidentifier() for key in options):
            raise ValueError("keys")
        return json.dumps(options, sort_keys=True, allow_nan=False)
    except (ValueError, RecursionError):
        raise ValueError(f"wanted a JSON object of names and values, got {short(value)}") from None


def _spelled(value):
    """What a text is in JSON, or a number as .5, which JSON spells 0.5; else the text."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(value)
    with contextlib.suppress(ValueError):
        if (
            "_" not in value
            and value.strip("+-")[:1] in (".", *"0123456789")
            and isfinite(found := float(value))
        ):
            return found
    return value


def workers(value):
    """'auto', or an int from 0 to 64."""
    if value == AUTO:
        return value
    try:
        return integer(0, 64)(value)
    except ValueError as error:
        raise ValueError(f"{error} (or {AUTO})") from None


def size(value):
    """'48x64', a height and a width, or '64' for both, as '64x64'."""
    parts = value.split("x")
    try:
        sides = [integer(1, 1 << 14)(part) for part in parts]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2):
        raise ValueError(f"wanted HEIGHTxWIDTH such as 48x64, or a number for both, got {short(value)}")
    return f"{sides[0]}x{sides[-1]}"


def short(value):
    """A value as messages show it."""
    if isinstance(value, int) and value.bit_length() > MOST_BITS:  # Python refuses to spell the longest ones
        return f"a whole number of {value.bit_length():,} bits"
    try:
        shown = " ".join(repr(value).splitlines())
    except Exception:  # a user's object may raise anything
        shown = f"a {type(value).__name__}"
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}... ({len(shown):,} letters)"


def _text(parse, example="", in_python="a str"):
    return Range(parse, str, f"text in quotes{example}", in_python)


def _number(parse):
    return Range(parse, (int, float), "a number", "a number")


FLAG = Range(bool, bool, "true or false", "True or False")
RANGES = {
    "model": _text(text, in_python="a name (cynet.models.register gives a model of your own one)"),
    "model_option": _text(model_option, """ such as '{"width": 8}'""", "a dict, or the JSON text of one"),
    "batch_norm": FLAG,
    "init_from": _text(text, in_python="the path of weights"),
    "new_head": FLAG,
    "freeze": _text(patterns, ' such as "0.*,*.bias"', "a str such as '0.*,*.bias', or a list"),
    "freeze_after": _text(
        by_pattern(integer(1), "0.bias:3"), ' such as "0.bias:3"', "a dict such as {'0.bias': 3}"
    ),
    "whiten": FLAG,
    "data": _text(text, in_python="a name (cynet.data.register gives a data set of your own one)"),
    "data_dir": _text(text, in_python="a path"),
    "skip_damaged": FLAG,
    "image_size": _text(size, ' such as "48x64"', "a str such as '48x64'"),
    "layout": _text(one_of(*LAYOUTS)),
    "sequence_length": _number(integer(1, MOST_SEQUENCE)),
    "level": _text(one_of(*LEVELS)),
    "fold": FLAG,
    "random_starts": FLAG,
    "task": _text(one_of(*EVERY)),
    "loss": _text(one_of(*LOSSES)),
    "augment": Range(
        augmentation, (bool, str), "true, false or names", "True, False, a str 'crop:4,flip' or a list"
    ),
    "validation": _number(number(0, 1)),
    "split_seed": _number(integer(0, MOST_SEED)),
    "batch_size": _number(integer(1)),
    "accumulate": _number(integer(1)),
    "shards": _number(integer(1, MOST_SHARDS)),
    "sync_batch_norm": FLAG,
    "balanced": FLAG,
    "steps": _number(integer(1)),
    "epochs": _number(epochs),
    "evaluate_every": _number(integer(1)),
    "lr": _number(number(0)),
    "schedule": _text(one_of(*SCHEDULES)),
    "lr_steps": _text(milestones, ' such as "300:.01,420:.001"', "a dict such as {300: .01, 420: .001}"),
    "lr_factor": _text(
        by_pattern(above(0), "*.bias:64"), ' such as "*.bias:64"', "a dict such as {'*.bias': 64}"
    ),
    "lr_drop": _text(lr_drop, ' such as "6:.25"', "a str such as '6:.25'"),
    "warmup": _number(integer(0)),
    "optimizer": _text(one_of(*OPTIMIZERS)),
    "momentum": _number(number(0, 1)),
    "weight_decay": _number(number(0)),
    "no_decay": _text(some_of(*UNDECAYED), ' such as "norm,bias"', "a str such as 'norm,bias', or a list"),
    "label_smoothing": _number(number(0, 1)),
    "class_weights": _text(one_of(*CLASS_WEIGHTS)),
    "clip_norm": _number(above(0)),
    "ema": _number(number(0, 1)),
    "lookahead": _text(lookahead, ' such as "5:.5"', "a str such as '5:.5'"),
    "mixup": _number(number(0)),
    "tta": _text(some_of(*VIEWS), ' such as "flip,shift"', "a str such as 'flip,shift', or a list"),
    "patience": _number(integer(1)),
    "seed": _number(integer(0, MOST_SEED)),
    "threads": _number(integer(1, 1024)),
    "workers": Range(workers, (int, float, str), "a number", f"a number or {AUTO!r}"),
    "checkpoint_every": _number(integer(1)),
    "checkpoint_minutes": _number(number(0)),
    "tensorboard": FLAG,
}


def is_plain(name, value):
    """Whether a value is of a type that a setting has in a file; how large it is is not asked."""
    types = RANGES[name].types
    taken = types if isinstance(types, tuple) else (types,)
    return isinstance(value, types) and (bool in taken or not isinstance(value, bool))


def checked(name, value):
    """A setting as `Settings` takes it.

    Parameters
    ----------
    name : str
        Of a setting.
    value : object
        What a file gives: `Settings.flat` says what it is to be.

    Raises
    ------
    ValueError
        Naming the setting, what it got and what was wanted.
    """
    allowed = RANGES[name]
    if not is_plain(name, value) or (isinstance(value, int) and value.bit_length() > MOST_BITS):
        raise ValueError(f"{name}: wanted {allowed.wanted}, got {short(value)}")
    if isinstance(value, bool):
        return value
    try:
        return allowed.parse(value if isinstance(value, str) else repr(value))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
