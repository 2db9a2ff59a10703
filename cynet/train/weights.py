"""Weights files that know which model they belong to and how its pictures were made ready.

Their notes hold nothing that differs between two equal trainings: no times, paths, thread or worker counts.
"""

import errno
import hashlib
import json
from dataclasses import MISSING, dataclass
from functools import lru_cache

import cynet.core.random as random
from cynet import models
from cynet.core import checks
from cynet.core.files import user_path
from cynet.core.folder import own_file
from cynet.data.pictures import FITS
from cynet.interop import safetensors

from . import checkpoint, configuration
from .layouts import Layout
from .rundir import KEPT

DRAWN = "split_seed", "test_share"  # what says how the pictures of a folder were drawn

# The limits of what weights tell, so that no note decides how much memory or time is taken.
MOST_SIZES = 1 << 14, 1 << 14, 256  # height, width and channels
MOST_CLASSES = 1 << 15  # an evaluation has as many rows and columns
MOST_NAME = 1_000  # letters, of a class or a data set
MOST_MEAN = 1e6  # of a channel, whose values are 0 to 1
STD = 1e-12, 1e6
MOST_NOTE = 1 << 25  # letters


@dataclass(frozen=True)
class Facts:
    """What a weights file tells besides the weights.

    Attributes
    ----------
    model : str
        Its name in the registry of models.
    batch_norm : bool
    data : str
        The name of the data set.
    classes : tuple of str
        The names of the classes.
    mean, std : tuple of float
        A pixel's channel c of 0 to 1 enters the model as (value - mean[c]) / std[c].
    picture_shape : tuple of int
        (height, width, channels) of the pictures. Files from before it was noted are of 32 x 32 x 3.
    resize : {"crop", "stretch"}
        How a picture of another size becomes one of these: see `cynet.data.ImageFolder`.
    drawn : tuple
        (split seed, share for testing) where the pictures to test with were drawn from an image_folder that
        has no parts; else empty, and not in the file.
    """

    model: str
    batch_norm: bool
    data: str
    classes: tuple
    mean: tuple
    std: tuple
    picture_shape: tuple = (32, 32, 3)
    resize: str = "crop"
    drawn: tuple = ()

    def create(self):
        """A new model of this kind."""
        _, _, channels = self.picture_shape
        return models.create(self.model, self.batch_norm, len(self.classes), channels)

    def layout(self):
        """The `Layout` of models of this kind; ValueError where the registry has none."""
        if self.model not in models.names():
            raise ValueError(f"model: wanted one of {', '.join(models.names())}, got {self.model!r:.80}")
        return _layout(self.model, self.batch_norm)

    def are_sound(self):
        """Whether each has the type and the range that it must have."""
        try:
            self.check()
        except ValueError:
            return False
        return True

    def check(self):
        """Raise ValueError naming the first that has not the type and the range that it must have."""
        _name("model", self.model)
        _flag("batch_norm", self.batch_norm)
        _name("data", self.data)
        _classes(self.classes)
        sizes = _several("picture_shape", self.picture_shape, 3)
        for size, most in zip(sizes, MOST_SIZES, strict=True):
            _within("picture_shape", checks.integer, size, 1, most)
        for mean in _several("mean", self.mean, sizes[2]):
            _within("mean", checks.number, mean, -MOST_MEAN, MOST_MEAN)
        for std in _several("std", self.std, sizes[2]):
            _within("std", checks.number, std, *STD)
        if self.resize not in FITS:
            raise ValueError(f"resize: wanted one of {', '.join(FITS)}, got {self.resize!r:.80}")
        if self.drawn != () and not is_drawn(self.drawn):
            raise ValueError(f"drawn: wanted a split seed and a share, got {self.drawn!r:.80}")


def _name(note, value):
    if not isinstance(value, str) or not 0 < len(value) <= MOST_NAME:
        raise ValueError(f"{note}: wanted a text of 1 to {MOST_NAME:,} letters, got {value!r:.80}")


def _flag(note, value):
    if not isinstance(value, bool):
        raise ValueError(f"{note}: wanted true or false, got {value!r:.80}")


def _classes(names):
    if not isinstance(names, tuple) or not 1 <= len(names) <= MOST_CLASSES:
        got = f"{len(names):,}" if isinstance(names, tuple) else f"{names!r:.80}"
        raise ValueError(f"classes: wanted a list of 1 to {MOST_CLASSES:,} names, got {got}")
    for number, name in enumerate(names):
        _name(f"classes[{number}]", name)
    if (name := twice(names)) is not None:
        raise ValueError(f"classes: wanted a name of its own for each class, got {name!r:.80} twice")


def _several(note, values, count):
    if not isinstance(values, tuple) or len(values) != count:
        raise ValueError(f"{note}: wanted {count} numbers, got {values!r:.80}")
    return values


def _within(note, check, value, *bounds):
    try:
        check(note, value if type(value) in (int, float) else repr(value), *bounds)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{error!s:.200}") from None


def is_drawn(drawn):
    """Whether it is (split seed, share for testing)."""
    return (
        isinstance(drawn, (tuple, list))
        and len(drawn) == 2
        and type(drawn[0]) is int
        and 0 <= drawn[0] < 2**63
        and type(drawn[1]) is float
        and 0 < drawn[1] < 1
    )


def twice(classes):
    """The first name that several classes have; None where none is."""
    seen = set()
    return next((name for name in classes if name in seen or seen.add(name)), None)


def save_weights(path, model, facts):
    """Write `model` and its `Facts` to a safetensors file, as a whole or not at all.

    Raises
    ------
    ValueError
        When `load_weights` would refuse the facts, or the model is not the one that they tell of; nothing is
        written then.
    OSError
        When the file cannot be written.
    """
    if facts.model not in models.names():
        raise ValueError(
            f"facts: wanted a model that load_weights can build ({', '.join(models.names())}), got "
            f"{facts.model!r}; cynet.interop.safetensors.save keeps the weights of any model"
        )
    try:
        facts.check()
    except ValueError as error:
        wanted = "wanted those of a model, as Settings.facts gives them"
        raise ValueError(f"facts: {wanted}, got {facts!r:.400}: {error}") from None
    wanted = facts.layout().shapes(len(facts.classes), facts.picture_shape[2])
    own = {name: array.shape for name, (array, _) in model._state().items()}
    if own != wanted:
        differ = [name for name in {**wanted, **own} if own.get(name) != wanted.get(name)]
        told = "; ".join(
            f"{name}: {own.get(name, 'none')} for {wanted.get(name, 'none')}" for name in differ[:5]
        )
        raise ValueError(f"facts: wanted those of this model, got {facts!r:.400}; its arrays differ: {told}")
    told = {name: value for name, value in vars(facts).items() if name != "drawn" or value}
    safetensors.save(model, path, {name: json.dumps(value) for name, value in told.items()})


@lru_cache
def _layout(model, batch_norm):
    """The `Layout` of the parameters and buffers of a model of the registry."""

    def build(classes, channels):
        state = models.create(model, batch_norm, classes, channels)._state()
        return {name: array for name, (array, _) in state.items()}

    return Layout(build)


def digests(model):
    """{name: SHA-256 in hexadecimal digits} of a model's parameters and buffers, their shapes included."""
    found = {}
    for name, (array, _) in model._state().items():
        part = hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode())
        part.update(array.data if array.flags.c_contiguous else array.tobytes())
        found[name] = part.hexdigest()
    return found


def tensor_digests(model):
    """The first 8 digits of SHA-256 of each parameter and buffer, in the order of `state_dict`."""
    return tuple(hashlib.sha256(array.tobytes()).hexdigest()[:8] for array in model.state_dict().values())


def file_of(path, which=None):
    """The weights file that somebody means.

    Parameters
    ----------
    path : str or Path
        The file itself, or a run folder.
    which : {"last", "best"}, optional
        Those of a run folder; default: as `came_to` says.

    Returns
    -------
    Path

    Raises
    ------
    OSError
        When the run folder has no such weights, or they are a link that leaves it.
    ValueError
        When `which` is none of these, or stands beside a file.
    """
    if which not in (None, *KEPT):
        raise ValueError(f"weights: wanted one of {', '.join(KEPT)}, got {which!r}")
    path = user_path(path)
    if path.is_dir():
        which = which or came_to(path)
        file = path / KEPT[which]
        if not file.exists():
            others = [name for name, other in KEPT.items() if (path / other).exists()]
            hint = f" (did you mean the {others[0]} ones, {KEPT[others[0]]}?)" if others else ""
            raise FileNotFoundError(errno.ENOENT, f"{path} has no {file.name}{hint}")
        return own_file(file)
    if which is not None and path.exists():
        raise ValueError(f"weights: wanted a run folder to take the {which} ones from, {path} is a file")
    return path


def came_to(folder):
    """Which of its weights a run came to: "last"; "best" where it held pictures out to choose them on."""
    try:
        held_out = configuration.read(folder / configuration.CONFIG).plain.get("validation")
    except (OSError, ValueError):
        held_out = False
    return "best" if held_out and (folder / KEPT["best"]).exists() else "last"


def initial_file(path):
    """The weights file that a training begins from: itself, or the last weights of a run folder."""
    path = user_path(path)
    return file_of(path, "last") if path.is_dir() else path


def read_weights(path):
    """(tensors, notes) of a weights file; errors as for `load_weights`."""
    tensors, notes = safetensors.load(path)
    if checkpoint.HEADER in notes:
        beside = path.with_name(KEPT["last"])
        where = f", as {beside}" if beside.exists() else ""
        raise ValueError(f"{path} is a checkpoint: wanted weights{where}")
    return tensors, notes


def load_weights(path):
    """The model in a file of `save_weights`, in evaluation mode, and its `Facts`.

    Parameters
    ----------
    path : str or Path
        The file, or a run folder, of which those weights are meant that it came to.

    Raises
    ------
    OSError
        When the file cannot be read.
    ValueError
        Naming the file, when it is damaged, has no facts, or does not fit the model it names; every missing,
        unexpected and differently shaped tensor is listed.
    """
    path = file_of(path)
    tensors, notes = read_weights(path)
    facts, keys = noted(path, notes), random.get_state()
    try:
        _check_shapes(facts, tensors)
        model = facts.create()
        model.load_state_dict(tensors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    finally:
        random.set_state(keys)  # a training in this process goes on as without it
    return model.eval(), facts


def _check_shapes(facts, tensors):
    """Refuse tensors that are not of the model that the facts tell of, before it is made."""
    layout = facts.layout()
    shapes = layout.shapes(len(facts.classes), facts.picture_shape[2])
    problems = layout.misfits(tensors, shapes, spare="num_batches_tracked")
    if problems:
        raise ValueError("state does not fit the model: " + "; ".join(problems))


def _missing(notes):
    fields = Facts.__dataclass_fields__.items()
    return [name for name, field in fields if name not in notes and field.default is MISSING]


def noted_or_none(path, notes):
    """As `noted`, but None for weights of somebody else's, whose notes do not tell all of it."""
    return None if _missing(notes) else noted(path, notes)


def noted(path, notes):
    """The `Facts` in the notes of a weights file, or ValueError naming it and the note."""
    missing = _missing(notes)
    if missing:
        raise ValueError(
            f"{path}: wanted a file of weights from cynet's training; it lacks {', '.join(missing)}"
        )
    try:
        known = Facts.__dataclass_fields__.keys() & notes.keys()
        facts = Facts(**{name: _note(name, notes[name]) for name in sorted(known)})
        facts.check()
    except ValueError as error:
        raise ValueError(f"{path}: its notes on the model are no such facts: {error}") from None
    return facts


def _note(name, text):
    """The value in a note: a list as a tuple."""
    if len(text) > MOST_NOTE:
        raise ValueError(f"{name}: wanted at most {MOST_NOTE:,} letters, got {len(text):,}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: wanted JSON, got {text!r:.80}: {error}") from None
    return tuple(value) if isinstance(value, list) else value
