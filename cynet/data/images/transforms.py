"""A list of transforms as what fills batches: the user's functions, then the decode kernel."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from cynet.core import compiled as _compiled  # noqa: F401  looks at the processor before decode is loaded
from cynet.core.types import AnyArray, Array, Shape
from cynet.data import floats
from cynet.data.workers import pixels, portable
from cynet.data.workers.worker import IN_KERNEL

from . import decode, draws
from .augment import Brightness, Contrast, Cutout, Normalize, RandomCrop, RandomFlip
from .changing import COLOURS, WARPS, Changes
from .erasing import RandomErasing
from .warps import RandomHorizontalFlip

KINDS = (
    RandomCrop, RandomFlip, Cutout, Brightness, Contrast,
    *dict.fromkeys((*WARPS, *COLOURS)), RandomErasing, Normalize,
)  # fmt: skip
FLIPS = {"random": 1, "alternating": 2}


class Pipeline:
    """What fills a batch; the same wherever it runs.

    Parameters
    ----------
    transforms : sequence
        Transforms of the KINDS, each at most once, and functions (picture, rng) -> picture.
    picture_shape : tuple of int
        (channels, height, width).
    kind : dtype, optional
        uint8, or float32, of which no transform of the KINDS but Normalize can be had.
    seen : tuple of int, optional
        The shape in which functions get a picture; default: (height, width, channels).

    Attributes
    ----------
    augment : dict of int
        As `decode.decode` takes it.
    table : ndarray of float32 (channels, 256)
        The value of each byte.
    moments : tuple of ndarray of float64 (channels,)
        Mean and deviation of floats.
    functions : tuple of (int, callable)
        The user's, with their places in `transforms`.
    changes : Changes
        What is done before the kernel.
    shape : tuple of int
        (channels, height, width) of what comes out.

    Notes
    -----
    They act in this order, wherever they stand in the list: the user's functions, as listed; Resize;
    CenterCrop; RandomResizedCrop; RandomHorizontalFlip; RandomRotation; RandomAffine; what of
    TrivialAugmentWide moves; ColorJitter; RandomGrayscale; the rest of TrivialAugmentWide; brightness;
    contrast; crop; flip; normalise; cutout; RandomErasing. All that moves, down to TrivialAugmentWide, is one
    map, and each pixel is interpolated once.

    A function gets a picture of its own, uint8 (height, width, channels), which it may change, and a
    `numpy.random.Generator` over Philox with the key (seed, epoch) and the counter (0, 0, 0, index + 1),
    which the functions of the list share; it returns uint8 of the same shape. Floats, signals and rows come
    to it as they are, and so they are returned.
    """

    def __init__(
        self, transforms: Iterable[Any], picture_shape: Shape, kind: Any = np.uint8, seen: Shape | None = None
    ) -> None:
        channels, height, width = picture_shape
        self.kind, self.seen = np.dtype(kind), seen or (height, width, channels)
        found: dict[type, Any] = {}
        functions: list[tuple[int, Callable[..., Any]]] = []
        for i, transform in enumerate(transforms):
            kind = type(transform)
            if kind not in KINDS:
                _check_function(i, transform)
                functions.append((i, transform))
            elif kind in found:
                raise ValueError(f"transforms[{i}]: wanted one {kind.__name__}, got a second")
            else:
                found[kind] = transform
        self.functions = tuple(functions)
        if self.kind != np.uint8 or len(self.seen) != 3:
            _refuse_pictures_alone(found, self.kind, self.seen)
        flip_wanted = found.get(RandomHorizontalFlip)
        if flip_wanted and RandomFlip in found:
            raise ValueError("RandomHorizontalFlip: wanted one of it and RandomFlip, got both")
        if flip_wanted and flip_wanted.p == 0.5:  # of which the kernel spares the interpolation
            del found[RandomHorizontalFlip]
            found[RandomFlip] = RandomFlip()
        self.changes, self.erasing = Changes(found, picture_shape), found.get(RandomErasing)
        self.shape = channels, height, width = self.changes.shape
        crop, flip, cutout = found.get(RandomCrop), found.get(RandomFlip), found.get(Cutout)
        self.augment = {
            "padding": crop.padding if crop else 0,
            "reflect": int(crop is not None and crop.mode == "reflect"),
            "flip": FLIPS[flip.mode] if flip else 0,
            "cutout": cutout.size if cutout else 0,
            "brightness": _fixed_point(found.get(Brightness)),
            "contrast": _fixed_point(found.get(Contrast)),
        }
        if crop and self.augment["reflect"] and crop.padding >= min(height, width):
            raise ValueError(
                f"RandomCrop: wanted a padding below {min(height, width)} to reflect pictures of {height} x "
                f"{width}, got {crop.padding}"
            )
        normalize = found.get(Normalize, Normalize([0] * channels, [1] * channels))
        if len(normalize.mean) != channels:
            raise ValueError(f"Normalize: wanted {channels} means, one a channel, got {len(normalize.mean)}")
        erased = getattr(self.erasing, "value", 0.0)
        if isinstance(erased, tuple) and len(erased) != channels:
            raise ValueError(f"RandomErasing: wanted {channels} values, one a channel, got {len(erased)}")
        self.moments = np.array(normalize.mean, np.float64), np.array(normalize.std, np.float64)
        values = np.arange(256) / 255
        table = [(values - m) / s for m, s in zip(normalize.mean, normalize.std, strict=True)]
        self.table = np.array(table, np.float32)

    def check_portable(self) -> None:
        """Refuse functions that worker processes cannot be given."""
        for i, function in self.functions:
            portable.check(f"transforms[{i}]", function)

    def fill(
        self,
        images: AnyArray,
        indices: AnyArray,
        x: Array,
        seed: int,
        epoch: int,
        at: AnyArray,
        threads: int = 1,
    ) -> None:
        """Make the batch of the samples with these indices.

        Parameters
        ----------
        images : ndarray of uint8, or of `kind` (count, channels, height, width)
        indices : ndarray of int64 (n,)
        x : ndarray of float32 (n, height, width, channels)
            What is filled, in the size of `shape`.
        seed, epoch : int
        at : ndarray of int64 (1,)
            While a function runs, the place in `indices` of its sample; else IN_KERNEL.
        threads : int, optional
            Of the kernel.
        """
        pixels.require_whole(images)
        rows = indices
        if self.functions:
            images, rows = self._changed(images, indices, seed, epoch, at), np.arange(len(indices))
        at[0] = IN_KERNEL
        if self.kind != np.uint8:
            flat = images.reshape(*images.shape[:2], -1)
            floats.normalise(flat, rows, *self.moments, x.reshape(len(x), -1, images.shape[1]), threads)
            return
        if self.changes:
            self._change_and_decode(images, rows, indices, x, seed, epoch, threads)
        else:
            decode.decode(images, rows, indices, self.table, x, self.augment, seed, epoch, threads)
        if self.erasing:
            self.erasing.apply(x, draws.keys(seed, epoch, indices))

    def _change_and_decode(
        self,
        images: AnyArray,
        rows: AnyArray,
        indices: AnyArray,
        x: Array,
        seed: int,
        epoch: int,
        threads: int,
    ) -> None:
        """So many pictures at a time that those in between stay in the cache."""
        key = draws.keys(seed, epoch, indices)
        flip = self.augment["flip"]
        if not self.changes.colours and sum(self.augment.values()) == flip:
            odd = draws.flipped(flip, seed, epoch, indices)
            self.changes.decode(images, rows, key, odd, self.table, x, threads)
            return
        drawn = self.changes.drawn(key)
        step = self.changes.together * threads
        room, places = self.changes.room(min(step, len(indices))), np.arange(step)
        for first in range(0, len(indices), step):
            part = slice(first, first + step)
            of_part = tuple(None if each is None else each[part] for each in drawn)
            made = self.changes.apply(images, rows[part], of_part, room, threads)
            at = places[: len(made)]
            decode.decode(made, at, indices[part], self.table, x[part], self.augment, seed, epoch, threads)

    def _changed(self, images: AnyArray, indices: AnyArray, seed: int, epoch: int, at: AnyArray) -> AnyArray:
        """The pictures after the user's functions, planar."""
        out = np.empty((len(indices), *images.shape[1:]), self.kind)
        for place, index in enumerate(indices.tolist()):
            at[0] = place
            rng = np.random.Generator(np.random.Philox(key=[seed, epoch], counter=[0, 0, 0, index + 1]))
            picture = np.array(images[index].transpose(1, 2, 0), order="C").reshape(self.seen)
            for i, function in self.functions:
                picture = function(picture, rng)
                _check_picture(i, picture, self.seen, self.kind)
            out[place] = picture.reshape(*images.shape[2:], images.shape[1]).transpose(2, 0, 1)
        return out


def _fixed_point(transform: Brightness | None) -> int:
    """An amount in 1/65536."""
    return round(transform.amount * 65536) if transform else 0


def _refuse_pictures_alone(found: dict[type, Any], kind: Any, shape: Shape) -> None:
    """Refuse transforms of pictures of bytes for what is none."""
    for transform in found:
        if transform is not Normalize:
            what = f"{kind} {shape}"
            raise ValueError(
                f"{transform.__name__}: wanted pictures of bytes, uint8 (height, width, channels), got "
                f"{what} (a function (picture, rng) changes any sample)"
            )


def _check_picture(i: int, picture: Any, shape: Shape, kind: Any) -> None:
    if not (isinstance(picture, np.ndarray) and picture.dtype == kind and picture.shape == shape):
        facts = getattr(picture, "dtype", type(picture).__name__), getattr(picture, "shape", "")
        raise TypeError(f"transforms[{i}]: wanted it to return {kind} {shape}, got {facts[0]} {facts[1]}")


def _check_function(i: int, transform: Any) -> None:
    wanted = f"wanted a {', '.join(k.__name__ for k in KINDS[:-1])}, Normalize or a function (picture, rng)"
    try:
        if isinstance(transform, type):
            raise TypeError
        inspect.signature(transform).bind(None, None)
    except (TypeError, ValueError):
        raise TypeError(f"transforms[{i}]: {wanted}, got {transform!r}") from None
