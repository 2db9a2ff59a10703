"""The new pictures that warps and changes of colour make of a batch's, before they become floats."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cynet.core.types import AnyArray, Shape

from . import colour, warp
from .colours import ColorJitter, RandomGrayscale
from .trivial import TrivialAugmentWide
from .warps import (
    CenterCrop,
    Maps,
    RandomAffine,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    Resize,
    identity,
)

WARPS = (
    Resize, CenterCrop, RandomResizedCrop, RandomHorizontalFlip, RandomRotation, RandomAffine,
    TrivialAugmentWide,
)  # fmt: skip
COLOURS = ColorJitter, RandomGrayscale, TrivialAugmentWide
TOGETHER = 1 << 19  # bytes of pictures that are changed before they are decoded: they stay in the cache
PIXEL = 2.0**32  # in what `warp` takes


class Changes:
    """What is done to the bytes of pictures, in the order of WARPS and COLOURS.

    Parameters
    ----------
    found : dict of type to transform
        Of all kinds; None of them may be there.
    picture_shape : tuple of int
        (channels, height, width).

    Attributes
    ----------
    shape : tuple of int
        The same of what comes out.

    Raises
    ------
    ValueError
        When transforms exclude each other, or colours are to be changed that are none.
    """

    def __init__(self, found: Mapping[type, Any], picture_shape: Shape) -> None:
        channels, *source = picture_shape
        self.warps = [found[kind] for kind in WARPS if kind in found]
        self.colours = [found[kind] for kind in COLOURS if kind in found]
        if Resize in found and RandomResizedCrop in found:
            raise ValueError("Resize: wanted one of Resize and RandomResizedCrop, got both")
        if self.colours and channels not in (1, 3):
            name = type(self.colours[0]).__name__
            raise ValueError(f"{name}: wanted pictures of 1 or 3 channels, got {channels}")
        self.source = tuple(source)
        size = self.source
        for each in self.warps:
            size = getattr(each, "size", None) or size
        self.shape = channels, *size

    def __bool__(self) -> bool:
        return bool(self.warps or self.colours)

    @property
    def together(self) -> int:
        """How many pictures are best changed at a time by one thread."""
        return max(1, TOGETHER // int(np.prod(self.shape)))

    def room(self, count: int) -> tuple[AnyArray, AnyArray]:
        """What `apply` takes as `room` for so many pictures."""
        pixels = self.shape[1] * self.shape[2]
        return np.empty((count, *self.shape), np.uint8), np.empty((count, pixels), np.uint8)

    def drawn(self, key: AnyArray) -> tuple[AnyArray | None, ...]:
        """What `apply` takes as `drawn`: an array of each kind, with a row for each sample.

        Parameters
        ----------
        key : ndarray of uint64 (n,)
            Of the samples, as `draws.keys` gives them.
        """
        maps = self._maps(key) if self.warps else None
        if not self.colours:
            return maps, None, None
        both = [each.operations(key) for each in self.colours]
        what, amounts = (np.concatenate(each, axis=1) for each in zip(*both, strict=True))
        return maps, what, amounts

    def apply(
        self,
        images: AnyArray,
        rows: AnyArray,
        drawn: tuple[AnyArray | None, ...],
        room: tuple[AnyArray, ...],
        threads: int = 1,
    ) -> AnyArray:
        """The changed pictures.

        Parameters
        ----------
        images : ndarray of uint8 (count, channels, height, width)
        rows : ndarray of int64 (n,)
            Where each picture lies.
        drawn : tuple of ndarray, None
            Their rows of what `drawn` gives.
        room : tuple of ndarray
            For at least so many pictures; used again.
        threads : int, optional

        Returns
        -------
        ndarray of uint8 (n, *shape)
            Within `room`.
        """
        out, scratch = (each[: len(rows)] for each in room)
        maps, what, amounts = drawn
        if maps is None:
            np.take(images, rows, 0, out=out)
        else:
            warp.warp(images, rows, maps, out, self._scratch(threads), threads)
        if what is not None and amounts is not None:
            colour.colour(out, what, amounts, scratch, threads)
        return out

    def decode(
        self,
        images: AnyArray,
        rows: AnyArray,
        key: AnyArray,
        odd: AnyArray,
        table: AnyArray,
        x: AnyArray,
        threads: int = 1,
    ) -> None:
        """Fill `x`, float32 (n, height, width, channels), of warps alone, mirrored where `odd`, bool (n,);
        `table` as `decode`'s."""
        maps = _mirrored(self._maps(key), odd, self.shape[2])
        warp.warp_and_decode(images, rows, maps, table, x, self._scratch(threads), threads)

    def _scratch(self, threads: int) -> AnyArray:
        channels, _, columns = self.shape
        return np.empty((threads, warp.room(self.source[1], channels, columns)), np.int32)

    def _maps(self, key: AnyArray) -> AnyArray:
        """int64 (n, 6) of all warps together, as `warp` takes it."""
        found, size = identity(len(key)), self.source
        for each in self.warps:
            out = getattr(each, "size", None) or size
            maps: Maps = each.maps(key, size, out)
            found, size = maps.after(found), out
        return np.rint(np.stack(found, axis=1) * PIXEL).astype(np.int64)


def _mirrored(maps: AnyArray, odd: AnyArray, width: int) -> AnyArray:
    """Maps as `warp` takes them whose results are mirrored where `odd`: the same places, from the right."""
    along, start = maps[:, 1::3], maps[:, 2::3]
    start[odd] += (width - 1) * along[odd]
    along[odd] *= -1
    return maps
