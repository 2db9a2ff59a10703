"""What a weights file tells of its model besides the weights: every fact of its type and in its range."""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

from cynet import models
from cynet.core import checks
from cynet.core.tasks import CLASSIFY, EVERY, LANGUAGE
from cynet.data.images.pictures import FITS
from cynet.data.text.vocabulary import MOST_ENTRIES, Vocabulary
from cynet.models.calls import Builder, takes
from cynet.models.registry import model as registered
from cynet.nn import spec
from cynet.nn.layer import Layer
from cynet.train.views import kinds_of

from .layouts import ModelLayout

DRAWN = "split_seed", "test_share"  # what says how the pictures of a folder were drawn

# The limits of what weights tell, so that no note decides how much memory or time is taken.
MOST_SIZES = {  # height, width and channels; length and channels; features
    3: (1 << 14, 1 << 14, 256), 2: (1 << 22, 1 << 12), 1: (1 << 16,),
}  # fmt: skip
MOST_VALUES = 1 << 24  # of a picture: 64 MiB
MOST_CLASSES = 1 << 15  # an evaluation has as many rows and columns
MOST_NAME = 1_000  # letters, of a class or a data set
MOST_OPTIONS = 4096  # letters
BYTES, FLOATS, TOKENS = "uint8", "float32", "tokens"
KINDS = {  # means and deviations of a channel; tokens have none
    BYTES: (1e6, (1e-12, 1e6)), FLOATS: (1e30, (1e-30, 1e30)), TOKENS: (0, (1, 1)),
}  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What a weights file tells besides the weights.

    Attributes
    ----------
    model : str
        Its name in the registry of models; or the file or module that it comes from, "net.py:model".
    batch_norm : bool
    data : str
        The name of the data set.
    classes : tuple of str
        The names of the classes.
    mean, std : tuple of float
        A pixel's channel c of 0 to 1 enters the model as (value - mean[c]) / std[c].
    picture_shape : tuple of int
        (height, width, channels) of the pictures; (length, channels) of signals, (features,) of rows,
        (sequence length,) of texts. Files from before it was noted are of 32 x 32 x 3.
    kept : tuple of int
        (height, width) of pictures that were cut in training, and of which the middle is evaluated, as
        `middle.cut` says; () where they had the model's size, and then not in the file.
    resize : {"crop", "stretch"}
        How a picture of another size becomes one of these: see `cynet.data.ImageFolder`.
    tta : str
        The views of a picture whose mean counts, such as "flip,shift" (see `cynet.train.predict`); "", and
        then not in the file: none.
    drawn : tuple
        (split seed, share for testing) where the pictures to test with were drawn from an image_folder that
        has no parts; else empty, and not in the file.
    task : str
        What the model was trained for, one of `EVERY`; not in the file where it is "classify". The classes
        are its labels or numbers.
    kind : {"uint8", "float32", "tokens"}
        What its samples are; not in the file where they are bytes. A float x enters the model as
        (x - mean[c]) / std[c], a token, which has no mean and deviation, as it is.
    model_option : str or None
        What the model's function was given besides, as `Settings` has it.
    vocabulary : dict or None
        Of a text: what its tokens stand for, as `Vocabulary.to_dict` tells it; not in the file where there is
        none.
    fold : bool
        Of a text: whether one space was made of every run of white space; not in the file where it was not.
    net : dict or None
        The net as data, as `cynet.nn.to_spec` tells it; None where the file does not.
    """

    model: str
    batch_norm: bool
    data: str
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    picture_shape: tuple[int, ...] = (32, 32, 3)
    resize: str = "crop"
    tta: str = ""
    drawn: tuple[float, ...] = ()
    task: str = CLASSIFY
    kind: str = BYTES
    model_option: str | None = None
    kept: tuple[int, ...] = ()
    vocabulary: Any = None
    fold: bool = False
    net: Any = field(default=None, compare=False, repr=False)

    @property
    def kept_shape(self) -> tuple[int, ...]:
        """What a data set's samples have: `picture_shape`, but in the size that pictures are kept in."""
        return (*self.kept, *self.picture_shape[2:]) if self.kept else self.picture_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """What a model gives for one sample: a number for each class, of a text after each token."""
        classes = (len(self.classes),)
        return (*self.picture_shape, *classes) if self.task == LANGUAGE else classes

    @property
    def is_named(self) -> bool:
        """Whether the registry has a model of this name."""
        return self.model in models.names()

    @property
    def is_normed(self) -> bool:
        """Whether it is one of the registry's nets with batch norm."""
        return self.batch_norm and self.is_named and self.task != LANGUAGE

    def create(self) -> Layer:
        """A new model of this kind."""
        if self.net is not None and not self.is_named:
            built: Layer = spec.from_spec(self.net)
            return built
        try:
            return models.create(self.model, self.picture_shape, len(self.classes), **self.options())
        except TypeError as error:  # of an option; what settings and notes say has no type of its own
            raise ValueError(str(error)) from None

    def options(self) -> dict[str, Any]:
        """Those of the model; ValueError where it has none of these."""
        return options_of(self.model, self.batch_norm, self.model_option)

    def check_model(self, model: Layer) -> None:
        """Raise ValueError where a model does not take these pictures, or gives no output for each class."""
        try:
            found = model.checked_shape((1, *self.picture_shape))
        except ValueError as error:
            raise self._other_shape(error) from None
        if found != (wanted := (1, *self.output_shape)):
            raise ValueError(f"model: wanted an output of shape {wanted}, one of each class, got {found}")

    def _check_kept(self):
        """Refuse a size that no pictures are kept in which these are cut of."""
        sizes = self.picture_shape
        if len(sizes) != 3 or self.kind != BYTES:
            raise ValueError(f"kept: wanted none of what is no picture of bytes, got {self.kept!r:.80}")
        for size, least, most in zip(_several("kept", self.kept, 2), sizes, MOST_SIZES[3], strict=False):
            _within("kept", checks.integer, size, least, most)
        if prod(self.kept_shape) > MOST_VALUES:
            raise ValueError(f"kept: wanted at most {MOST_VALUES:,} values, got {prod(self.kept_shape):,}")

    def layout(self) -> ModelLayout:
        """The `ModelLayout` of models of this kind; ValueError where the registry has none."""
        if not self.is_named:
            raise ValueError(f"model: wanted one of {', '.join(models.names())}, got {self.model!r:.80}")
        try:
            return _layout(self.model, self.batch_norm, self.model_option, self.picture_shape[:-1])
        except ValueError as error:
            raise self._other_shape(error) from None

    def _other_shape(self, error):
        wanted = f"wanted one that a {self.model} of these weights takes"
        return ValueError(f"picture_shape: {wanted}, got {self.picture_shape}: {error}")

    def check(self) -> None:
        """Raise ValueError naming the first that has not the type and the range that it must have."""
        _name("model", self.model)
        _flag("batch_norm", self.batch_norm)
        _name("data", self.data)
        _classes(self.classes, MOST_ENTRIES if self.kind == TOKENS else MOST_CLASSES)
        if not isinstance(self.picture_shape, tuple) or len(self.picture_shape) not in MOST_SIZES:
            raise ValueError(f"picture_shape: wanted 3 numbers, got {self.picture_shape!r:.80}")
        sizes = self.picture_shape
        for size, most in zip(sizes, MOST_SIZES[len(sizes)], strict=True):
            _within("picture_shape", checks.integer, size, 1, most)
        if prod(sizes) > MOST_VALUES:
            wanted = f"wanted at most {MOST_VALUES:,} values"
            raise ValueError(f"picture_shape: {wanted}, got {prod(sizes):,}, of {sizes}")
        if self.kept != ():
            self._check_kept()
        if not isinstance(self.task, str) or self.task not in EVERY:
            raise ValueError(f"task: wanted one of {', '.join(EVERY)}, got {self.task!r:.80}")
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            raise ValueError(f"kind: wanted one of {', '.join(KINDS)}, got {self.kind!r:.80}")
        self._check_text()
        furthest, bounds = KINDS[self.kind]
        channels = 0 if self.kind == TOKENS else sizes[-1]
        for mean in _several("mean", self.mean, channels):
            _within("mean", checks.number, mean, -furthest, furthest)
        for std in _several("std", self.std, channels):
            _within("std", checks.number, std, *bounds)
        if self.resize not in FITS:
            raise ValueError(f"resize: wanted one of {', '.join(FITS)}, got {self.resize!r:.80}")
        _views(self.tta)
        if self.model_option is not None:
            _name("model_option", self.model_option, MOST_OPTIONS)
        if self.net is not None:
            try:
                spec.check(self.net)
            except ValueError as error:
                raise ValueError(f"net: {error}") from None
        if self.drawn != () and not is_drawn(self.drawn):
            raise ValueError(f"drawn: wanted a split seed and a share, got {self.drawn!r:.80}")

    def _check_text(self):
        """Refuse what is half a text's: its task, its tokens, the shape of its sequences, its vocabulary."""
        if (self.task == LANGUAGE) != (self.kind == TOKENS):
            got = f"{self.kind} of {self.task}"
            raise ValueError(f"kind: wanted {TOKENS} of task {LANGUAGE} alone, got {got}")
        if self.kind == TOKENS and len(self.picture_shape) != 1:
            raise ValueError(f"picture_shape: wanted a length of {TOKENS}, got {self.picture_shape}")
        _flag("fold", self.fold)
        if self.fold and self.kind != TOKENS:
            raise ValueError(f"fold: wanted false of {self.kind}, got true")
        if self.vocabulary is None:
            return
        if self.kind != TOKENS:
            raise ValueError(f"vocabulary: wanted none of {self.kind}, got {self.vocabulary!r:.80}")
        if (names := Vocabulary.from_dict(self.vocabulary).names) != self.classes:
            got = f"{names[:3]!r:.80} and so on, {len(names):,} of them"
            raise ValueError(f"vocabulary: wanted the names of the classes, got {got}")


def _name(note, value, most=MOST_NAME):
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise ValueError(f"{note}: wanted a text of 1 to {most:,} letters, got {value!r:.80}")


def _views(value):
    if not isinstance(value, str) or ",".join(kinds_of(value[:MOST_NAME])) != value:
        raise ValueError(f"tta: wanted views such as flip,shift, got {value!r:.80}")


def _flag(note, value):
    if not isinstance(value, bool):
        raise ValueError(f"{note}: wanted true or false, got {value!r:.80}")


def _classes(names, most):
    if not isinstance(names, tuple) or not 1 <= len(names) <= most:
        got = f"{len(names):,}" if isinstance(names, tuple) else f"{names!r:.80}"
        raise ValueError(f"classes: wanted a list of 1 to {most:,} names, got {got}")
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


def norm_option(model, batch_norm):
    """The options that say whether a model of the registry has batch norm.

    Raises
    ------
    ValueError
        Where it is to have none, and has no such option.
    """
    if "batch_norm" in models.options(model):
        return {"batch_norm": batch_norm}
    if not (batch_norm or takes(registered[model], "batch_norm")):
        raise ValueError(f"batch_norm: wanted True for {model}, which has no such option, got False")
    return {} if batch_norm else {"batch_norm": False}


def options_of(model, batch_norm, model_option):
    """All options of a model of the registry, by those settings that decide about them.

    Parameters
    ----------
    model : str
    batch_norm : bool
    model_option : str or None
        The JSON text of a table.

    Raises
    ------
    ValueError
        Naming the setting, where it has no such option.
    """
    try:
        given = json.loads(model_option) if model_option else {}
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ValueError(f"model_option: wanted a JSON object, got {model_option!r:.80}")
    if "batch_norm" in given:
        raise ValueError(f"model_option: wanted batch_norm as a setting of its own, got {model_option:.80}")
    build = registered[registered.checked(model, "model")]
    try:
        Builder(model, build, {}).check_options(given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"model_option: {error}") from None
    return norm_option(model, batch_norm) | given


@lru_cache
def _layout(model, batch_norm, model_option, sides):
    """The `ModelLayout` of the parameters and buffers of a model of the registry; `sides`: of its input."""
    options = options_of(model, batch_norm, model_option)

    def build(classes, channels):
        state = models.create(model, (*sides, channels), classes, **options)._state()
        return {name: array for name, (array, _) in state.items()}

    return ModelLayout(build)
