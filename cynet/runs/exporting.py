"""A trained net on its way out of cynet: what exporters need of it beside its layers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from cynet import data
from cynet.core.files import user_path
from cynet.core.tasks import CLASSIFY, LANGUAGE
from cynet.core.types import AnyArray, AnyPath, Array
from cynet.interop.browser.writing import save_html
from cynet.interop.c.files import texts
from cynet.interop.c.writing import prepared, write
from cynet.interop.int8.quantizing import Quantized, quantized, with_levels
from cynet.interop.onnx.writing import save_onnx
from cynet.interop.program.folding import with_normalization, with_pixels
from cynet.interop.program.lowering import lower
from cynet.interop.program.steps import Program
from cynet.nn.layer import Layer

from . import beside, matching, middle
from .facts import BYTES, TOKENS, Facts
from .session import test_loader

SAMPLES = 500  # that the ranges of eight bits are taken from
SHOWN = 40  # pictures for testing on a page


def to_onnx(
    model: Layer, facts: Facts, path: AnyPath, layout: str = "nchw", fold: bool = False, pixels: bool = False
) -> int:
    """Write a trained net as an ONNX file, with what is known of it in the file's notes.

    Parameters
    ----------
    model : Layer
    facts : Facts
    path : path
    layout, fold
        As for `cynet.interop.save_onnx`.
    pixels : bool, optional
        Whether the file takes bytes, and normalises them.

    Returns
    -------
    int
        The bytes of the file.

    Raises
    ------
    ValueError
        When a layer cannot be exported, or `pixels` is asked of a net that takes none.
    OSError
        When the file cannot be written.
    """
    if pixels and facts.kind != BYTES:
        raise ValueError(f"pixels: wanted a net of pictures of bytes, got one of {facts.kind}")
    notes = {"model": facts.model, "data": facts.data, "task": facts.task}
    if facts.kind != TOKENS:
        notes |= {"mean": json.dumps(facts.mean), "std": json.dumps(facts.std)}
    if facts.vocabulary is not None:
        notes |= {"vocabulary": json.dumps(facts.vocabulary, ensure_ascii=False)}
    given = (facts.mean, facts.std) if pixels else None
    more: Any = {"layout": layout, "fold": fold, "pixels": given, "metadata": notes}
    save_onnx(model, path, facts.picture_shape, classes=_classes(facts), **more)
    return user_path(path).stat().st_size


def _classes(facts: Facts) -> tuple[str, ...]:
    """The names of the net's outputs; of texts its outputs are tokens, which the vocabulary tells of."""
    return () if facts.task == LANGUAGE else facts.classes


def to_c(model: Layer, facts: Facts, directory: AnyPath, eight_bits: Quantized | None = None) -> None:
    """Write a trained net as C, which takes samples as they are, and normalises them.

    Parameters
    ----------
    model : Layer
    facts : Facts
    directory : path
        See `cynet.interop.save_c`.
    eight_bits : Quantized, optional
        The net as `in_eight_bits` gives it, to be written in its place.

    Raises
    ------
    ValueError
        When a layer cannot be exported.
    OSError
        When a file cannot be written.
    """
    program: Program = of_bytes(eight_bits, facts) if eight_bits else _prepared(model, facts)
    if eight_bits and facts.kind != BYTES:
        program = with_normalization(program, facts.mean, facts.std)
    write(texts(program, _classes(facts), ranked=facts.task == CLASSIFY), directory)


def check_pictures(facts: Facts) -> None:
    """Raise ValueError where a net is none of pictures, as a page wants."""
    if facts.kind != BYTES or len(facts.picture_shape) != 3:
        shape = "x".join(map(str, facts.picture_shape))
        raise ValueError(f"wanted a net of pictures of bytes for a page, got one of {facts.kind}, {shape}")


def to_html(model: Layer, facts: Facts, path: AnyPath, test: Any = None) -> int:
    """Write a trained net of pictures as a page that runs it.

    Parameters
    ----------
    model : Layer
    facts : Facts
    path : path
    test : ArrayDataset, optional
        As `samples` gives it: pictures that the page shows.

    Returns
    -------
    int
        The bytes of the page.

    Raises
    ------
    ValueError
        When the net is none of pictures, or has layers that no page has.
    OSError
        When the page cannot be written.
    """
    check_pictures(facts)
    kept = middle.scaled(facts) if facts.kept else None
    shown = None
    if test is not None and kept in (None, tuple(facts.kept)):  # what is scaled has no bytes of its own
        few = chosen(test, SHOWN)
        shown = _bytes(few, facts), few.labels
    of = {"pixels": (facts.mean, facts.std), "classes": facts.classes, "pictures": shown, "task": facts.task}
    more: Any = of | {"title": facts.model, "resize": facts.resize, "kept": kept}
    save_html(model, path, facts.picture_shape, **more)
    return user_path(path).stat().st_size


def _bytes(few: Any, facts: Facts) -> AnyArray:
    """The bytes (n, H, W, C) that a net sees of pictures."""
    with data.DataLoader(few, len(few), shuffle=False, workers=0, transforms=middle.cut(facts)) as batches:
        found: AnyArray = np.round(next(iter(batches))[0] * 255).astype(np.uint8)
    return found


def _prepared(model: Layer, facts: Facts) -> Program:
    program = prepared(lower(model, facts.picture_shape))
    if facts.kind == TOKENS:
        return program
    of = with_pixels if facts.kind == BYTES else with_normalization
    return of(program, facts.mean, facts.std)


def levels(facts: Facts) -> Array:
    """What a net of pictures is given for each byte.

    Returns
    -------
    ndarray of float32 (256, C)
    """
    channels = len(facts.mean)
    every = np.repeat(np.arange(256, dtype=np.uint8), channels).reshape(256, channels, 1, 1)
    pixels = data.ArrayDataset(every, np.zeros(256, np.int64), ("any",))
    normalize = data.Normalize(facts.mean, facts.std)
    with data.DataLoader(pixels, 256, shuffle=False, workers=0, transforms=[normalize]) as batches:
        found: Array = next(iter(batches))[0].reshape(256, channels)
    return found


def samples(
    facts: Facts, source: AnyPath, root: Any = None, name: str | None = None, split: str = "train"
) -> Any:
    """The samples of the data set that a net was trained on, or of another one, as it takes them.

    Parameters
    ----------
    facts : Facts
    source : path
        Of the run folder or the weights file, beside which lies how the samples were read.
    root : path, optional
        The folder with the data; default: the data set's own.
    name : str, optional
        The data set; default: the one trained on.
    split : {"train", "test"}, optional

    Returns
    -------
    ArrayDataset

    Raises
    ------
    OSError, ValueError
        When they cannot be read, or are none for this net.
    """
    name = name or facts.data
    return matching.load(facts, name, root, split, **beside.data_options(source, name)).known


def chosen(whole: Any, count: int) -> Any:
    """So many of a data set's samples, evenly among them."""
    places = np.unique(np.linspace(0, len(whole) - 1, min(count, len(whole))).round().astype(np.int64))
    return whole.with_samples(whole.images[places], whole.labels[places])


def in_eight_bits(model: Layer, facts: Facts, training: Any, count: int = SAMPLES) -> Quantized:
    """A trained net in eight bits, of what a loader gives.

    Parameters
    ----------
    model : Layer
    facts : Facts
    training : ArrayDataset
        As `samples` gives it; the ranges are taken from `count` of them, evenly among all.
    count : int, optional

    Returns
    -------
    Quantized

    Raises
    ------
    ValueError
        When the net has what cannot be done in eight bits.
    """
    if facts.task == LANGUAGE:
        raise ValueError("wanted a net of pictures, signals or rows for eight bits, got one of texts")
    few = chosen(training, count)
    with test_loader(few, facts, len(few)) as batches:
        seen = next(iter(batches))[0]
    return quantized(model, facts.picture_shape, seen)


def of_bytes(program: Quantized, facts: Facts) -> Quantized:
    """The same of the pictures' bytes, where the net is one of pictures; the same whole numbers come out."""
    return with_levels(program, levels(facts)) if facts.kind == BYTES else program
