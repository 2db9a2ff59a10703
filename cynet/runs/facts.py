"""What a weights file tells of its model besides the weights: every fact of its type and in its range."""

from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

from cynet import models
from cynet.core import checks
from cynet.data.images.pictures import FITS
from cynet.nn import spec
from cynet.nn.layer import Layer

from .layouts import ModelLayout

DRAWN = "split_seed", "test_share"  # what says how the pictures of a folder were drawn

# The limits of what weights tell, so that no note decides how much memory or time is taken.
MOST_SIZES = 1 << 14, 1 << 14, 256  # height, width and channels
MOST_VALUES = 1 << 24  # of a picture: 64 MiB
MOST_CLASSES = 1 << 15  # an evaluation has as many rows and columns
MOST_NAME = 1_000  # letters, of a class or a data set
MOST_OPTIONS = 4096  # letters
MOST_MEAN = 1e6  # of a channel, whose values are 0 to 1
STD = 1e-12, 1e6


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
        (height, width, channels) of the pictures. Files from before it was noted are of 32 x 32 x 3.
    resize : {"crop", "stretch"}
        How a picture of another size becomes one of these: see `cynet.data.ImageFolder`.
    drawn : tuple
        (split seed, share for testing) where the pictures to test with were drawn from an image_folder that
        has no parts; else empty, and not in the file.
    model_option : str or None
        What the model's function was given besides, as `Settings` has it.
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
    drawn: tuple[float, ...] = ()
    model_option: str | None = None
    net: Any = field(default=None, compare=False, repr=False)

    @property
    def is_named(self) -> bool:
        """Whether the registry has a model of this name."""
        return self.model in models.names()

    def create(self) -> Layer:
        """A new model of this kind."""
        if self.net is not None and not self.is_named:
            built: Layer = spec.from_spec(self.net)
            return built
        _, _, channels = self.picture_shape
        return models.create(self.model, self.batch_norm, len(self.classes), channels)

    def check_model(self, model: Layer) -> None:
        """Raise ValueError where a model does not take these pictures, or gives no output for each class."""
        try:
            found = model.checked_shape((1, *self.picture_shape))
        except ValueError as error:
            wanted = f"wanted one that a {self.model} of these weights takes"
            raise ValueError(f"picture_shape: {wanted}, got {self.picture_shape}: {error}") from None
        if found != (wanted := (1, len(self.classes))):
            raise ValueError(f"model: wanted an output of shape {wanted}, one of each class, got {found}")

    def layout(self) -> ModelLayout:
        """The `ModelLayout` of models of this kind; ValueError where the registry has none."""
        if not self.is_named:
            raise ValueError(f"model: wanted one of {', '.join(models.names())}, got {self.model!r:.80}")
        return _layout(self.model, self.batch_norm)

    def check(self) -> None:
        """Raise ValueError naming the first that has not the type and the range that it must have."""
        _name("model", self.model)
        _flag("batch_norm", self.batch_norm)
        _name("data", self.data)
        _classes(self.classes)
        sizes = _several("picture_shape", self.picture_shape, 3)
        for size, most in zip(sizes, MOST_SIZES, strict=True):
            _within("picture_shape", checks.integer, size, 1, most)
        if prod(sizes) > MOST_VALUES:
            wanted = f"wanted at most {MOST_VALUES:,} values"
            raise ValueError(f"picture_shape: {wanted}, got {prod(sizes):,}, of {sizes}")
        for mean in _several("mean", self.mean, sizes[2]):
            _within("mean", checks.number, mean, -MOST_MEAN, MOST_MEAN)
        for std in _several("std", self.std, sizes[2]):
            _within("std", checks.number, std, *STD)
        if self.resize not in FITS:
            raise ValueError(f"resize: wanted one of {', '.join(FITS)}, got {self.resize!r:.80}")
        if self.model_option is not None:
            _name("model_option", self.model_option, MOST_OPTIONS)
        if self.net is not None:
            try:
                spec.check(self.net)
            except ValueError as error:
                raise ValueError(f"net: {error}") from None
        if self.drawn != () and not is_drawn(self.drawn):
            raise ValueError(f"drawn: wanted a split seed and a share, got {self.drawn!r:.80}")


def _name(note, value, most=MOST_NAME):
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise ValueError(f"{note}: wanted a text of 1 to {most:,} letters, got {value!r:.80}")


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


@lru_cache
def _layout(model, batch_norm):
    """The `ModelLayout` of the parameters and buffers of a model of the registry."""

    def build(classes, channels):
        state = models.create(model, batch_norm, classes, channels)._state()
        return {name: array for name, (array, _) in state.items()}

    return ModelLayout(build)
