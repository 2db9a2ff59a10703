"""The state of a training as a checkpoint tells it: every entry of its type and in its range, or none.

Design: a digest tells that a file is as it was written, not who wrote it. So nothing of a checkpoint is used
before all of it was looked at here.
"""

from dataclasses import dataclass, fields

from cynet.core import checks
from cynet.core.tasks import measures_of
from cynet.data import fingerprint
from cynet.nn import spec
from cynet.train.trainer import Place

from .ranges import RANGES
from .settings import Settings

ENTRIES = ("step", "place", "loader", "random", "schedule", "config", "origin", "best", "seconds")
LOADER = ("seed", "epoch", "batch", "batch_size", "fingerprint")

# The limits of its numbers and texts.
MOST_STEPS = 2**31 - 1
MOST_NUMBER = 2**63 - 1  # seeds, draws, pictures
MOST_LOSS = 1e300  # the sum of finite losses
MOST_SECONDS = 1e12
MOST_AXES = 8  # of an input
MOST_TEXT = 1 << 20  # letters
MOST_MARK = 200  # letters of a fingerprint
SHOWN = 300  # letters of a message


@dataclass(frozen=True)
class Saved:
    """A training's state, checked.

    Attributes
    ----------
    step : int
    place : Place
    loader : dict
        As `DataLoader.state_dict` gives it.
    random : dict
        As `cynet.core.random.get_state` gives it.
    schedule : str
        The repr of its learning rates.
    input_shape : tuple of int
        Of the model, without the batch. Files from before it was noted are of 32 x 32 pictures.
    settings : Settings
    origins : dict of str to str
        Where each setting came from.
    best : dict or None
        See `Recorder`.
    seconds : float
    net : dict or None
        The net as data, as `cynet.nn.to_spec` tells it.
    is_code : bool
        Whether the file says that the net is no data.
    """

    step: int
    place: Place
    loader: dict
    random: dict
    schedule: str
    input_shape: tuple
    settings: Settings
    origins: dict
    best: dict | None
    seconds: float
    net: dict | None = None
    is_code: bool = False

    @classmethod
    def of(cls, state):
        """The `Saved` of what `state.capture` made, in or out of JSON.

        Raises
        ------
        ValueError
            Naming every entry that is missing, or the first that is not what it must be.
        """
        try:
            return cls(**_checked(_table("the state", state, ENTRIES)))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{error!s:.{SHOWN}}") from None


def _checked(state):
    step = checks.integer("step", state["step"], 0, MOST_STEPS)
    return {
        "step": step,
        "place": _place(state["place"], step),
        "loader": _loader(state["loader"]),
        "random": _whole("random", _table("random", state["random"], ("seed", "draws"))),
        "schedule": _text("schedule", state["schedule"]),
        "input_shape": _input_shape(state.get("input_shape", [32, 32, 3])),
        "settings": _settings(state["config"]),
        "origins": _origins(state["origin"]),
        "best": None if state["best"] is None else _best(state["best"], step, state["config"]),
        "seconds": checks.number("seconds", state["seconds"], 0, MOST_SECONDS),
        "net": None if state.get("net") is None else _net(state["net"]),
        "is_code": state.get("is_code") is True,
    }


def _net(value):
    try:
        spec.check(value)
    except ValueError as error:
        raise ValueError(f"net: {error}") from None
    return value


def _table(name, value, entries=()):
    """A dict with these entries, or ValueError."""
    if not isinstance(value, dict):
        raise ValueError(f"{name}: wanted a table, got {value!r:.80}")
    missing = [entry for entry in entries if entry not in value]
    if missing:
        raise ValueError(f"{name} does not fit a run: " + "; ".join(f"missing: {entry}" for entry in missing))
    return value


def _whole(name, table, most=MOST_NUMBER):
    """A dict of ints from 0 on, or ValueError."""
    return {entry: checks.integer(f"{name}.{entry}", value, 0, most) for entry, value in table.items()}


def _text(name, value):
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise ValueError(f"{name}: wanted a text, got {value!r:.80}")
    return value


def _place(value, step):
    names = [field.name for field in fields(Place)]
    table = _table("place", value, names)
    found = _whole("place", {name: table[name] for name in names if name != "loss"})
    loss = checks.number("place.loss", table["loss"], -MOST_LOSS, MOST_LOSS)
    place = Place(loss=loss, **found)
    if max(place.epoch, place.batch, place.evaluated, place.evaluated + place.count) > step:
        raise ValueError(f"place: wanted one of {step} steps, got {place}")
    if not place.count and (place.loss or place.images):
        raise ValueError(f"place: wanted no loss and no pictures of no step, got {place}")
    if max(place.right, place.count) > place.images:
        raise ValueError(f"place: wanted a picture or more for each step, got {place}")
    return place


def _loader(value):
    table = _table("loader", value, LOADER)
    found = _whole("loader", {name: table[name] for name in LOADER if name != "fingerprint"})
    checks.integer("loader.batch_size", found["batch_size"], 1)
    mark = _text("loader.fingerprint", table["fingerprint"])
    if len(mark) > MOST_MARK or not fingerprint.FORM.fullmatch(mark):
        raise ValueError(f"loader.fingerprint: wanted that of a data set, got {mark!r:.80}")
    return found | {"fingerprint": mark}


def _input_shape(value):
    if not isinstance(value, (tuple, list)) or not 0 < len(value) <= MOST_AXES:
        raise ValueError(f"input_shape: wanted a list of 1 to {MOST_AXES} sizes, got {value!r:.80}")
    return tuple(checks.integer(f"input_shape[{i}]", size, 1) for i, size in enumerate(value))


def _settings(value):
    try:
        return Settings.unflat(_table("config", value))
    except ValueError as error:
        raise ValueError(f"config: {error}") from None


def _origins(value):
    known = {name: text for name, text in _table("origin", value).items() if name in RANGES}
    return {name: _text(f"origin.{name}", text) for name, text in known.items()}


def _best(value, step, config):
    measures = measures_of(_settings(config).task)
    name, most = measures.score, 1 if measures.higher else MOST_LOSS
    table = _table("best", value, (name, "step", "epoch"))
    return {
        name: None if table[name] is None else checks.number(f"best.{name}", table[name], 0, most),
        "step": checks.integer("best.step", table["step"], 0, step),
        "epoch": checks.integer("best.epoch", table["epoch"], 0, step + 1),
    }
