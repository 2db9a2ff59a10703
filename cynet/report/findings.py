"""What a run's weights and its test set tell, as plain values for the page."""

import math

import numpy as np

import cynet.core.random as random
from cynet.core import png
from cynet.nn import Conv2d, Flatten, Linear
from cynet.runs.initial import load_initial
from cynet.train.predictions import confused, precision

MISTAKES = 24  # pictures
PAIRS = 10  # of classes taken for each other
FILTERS = 64
TOP = 3  # classes of a mistake


def tested(found, classes):
    """The numbers of an evaluation.

    Parameters
    ----------
    found : Predictions
    classes : sequence of str

    Returns
    -------
    dict
    """
    result, bins = found.evaluation, found.calibration()
    return {
        "classes": list(classes),
        "accuracy": result.accuracy,
        "loss": number(result.loss),
        "samples": result.samples.tolist(),
        "confusion": result.confusion.tolist(),
        "recall": numbers(result.class_accuracy),
        "precision": numbers(precision(result)),
        "confused": confused(result, PAIRS),
        "unsure": int((~found.sure).sum()),
        "calibration": {
            "error": number(bins.error),
            "edges": numbers(bins.edges),
            "counts": bins.counts.tolist(),
            "confidence": numbers(bins.confidence),
            "accuracy": numbers(bins.accuracy),
        },
    }


def mistakes(found, dataset, count=MISTAKES):
    """The wrong predictions that the model was surest of.

    Parameters
    ----------
    found : Predictions
    dataset : ArrayDataset
        Which the predictions are of.
    count : int, optional

    Returns
    -------
    list of dict
        Each {"index", "picture" (a data: address or None), "label", "top" ([class, probability], ...)}.
    """
    return [
        {
            "index": int(index),
            "picture": shown(dataset[index][0]),
            "label": int(found.labels[index]),
            "top": [[k, number(p)] for k, p in found.top(index, TOP)],
        }
        for index in found.worst(count)
    ]


def before(config, facts):
    """The model as the run began with it, made again from the seed or read from the file it began from.

    Parameters
    ----------
    config : dict
        Of the run.
    facts : Facts

    Returns
    -------
    Layer

    Raises
    ------
    ValueError, OSError
        When it cannot be known.
    """
    if type(config.get("seed")) is not int:
        raise ValueError("the configuration has no seed to make the first weights from again")
    if config.get("whiten"):
        raise ValueError("the first filters were set from the pictures that the run was trained on")
    with random.kept():
        random.seed(config["seed"])  # as Session does, so that the same keys are drawn
        model = facts.create()
    if start := config.get("init_from"):
        load_initial(model, start, facts, config.get("new_head") is True)
    return model


def filters(model, picture_shape, first=None):
    """The filters of the first layer with weights, as pictures.

    Parameters
    ----------
    model : Layer
    picture_shape : tuple of int
        (height, width, channels) of what the model takes.
    first : Layer, optional
        The model before training.

    Returns
    -------
    dict or None
        {"layer", "count", "scale", "after", "before"}: lists of data: addresses, "before" of none without
        `first`; grey is 0, and the brightest and darkest are +- `scale`. None where there is no such layer.
    """
    found = _filters(model, picture_shape) if len(picture_shape) == 3 else None
    if found is None:
        return None
    name, weights = found
    start = None if first is None else _filters(first, picture_shape)
    old = start[1] if start is not None and start[1].shape == weights.shape else None
    everything = np.abs(weights if old is None else np.concatenate([weights, old]))
    scale = float(np.quantile(everything[np.isfinite(everything)], 0.999)) if everything.size else 0.0
    return {
        "layer": name,
        "count": len(weights),
        "shape": list(weights.shape[1:]),
        "scale": number(scale),
        "after": _pictures(weights, scale),
        "before": None if old is None else _pictures(old, scale),
        "change": None if old is None else [number(value) for value in _change(weights, old)],
    }


def norms(model):
    """Running statistics and parameters of every batch norm.

    Returns
    -------
    list of dict
        Each {"path", "channels", "mean", "deviation", "gamma", "beta"}, these four as [least, lower quartile,
        median, upper quartile, greatest] over the channels, or None where the layer has none.
    """
    return [
        {
            "path": path,
            "channels": layer.num_features,
            "mean": _spread(layer.running_mean),
            "deviation": _spread(np.sqrt(layer.running_var)),
            "gamma": None if layer.weight is None else _spread(layer.weight.data),
            "beta": None if layer.bias is None else _spread(layer.bias.data),
        }
        for path, layer in model.walk()
        if "running_mean" in layer.buffers
    ]


DARK = 32  # of 255


def number(value):
    """A float of five digits; None for what is no finite number."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def numbers(values):
    """A list of `number`."""
    return [number(value) for value in values]


def shown(sample):
    """The data: address of a picture; None of what is none.

    Floats are shown from the least to the greatest, and bytes that an eye would see as black, such as digits
    whose ink is 16, from 0 to the greatest.
    """
    if sample.ndim != 3:
        return None
    if sample.dtype != np.uint8 or 0 < sample.max() < DARK:
        sample = png.spread(sample, float(sample.min() if sample.dtype != np.uint8 else 0))
    return png.address(png.visible(sample))


def _filters(model, picture_shape):
    """(path, float32 (filters, channels, height, width)) of the first layer with weights, or None."""
    flat = False
    for path, layer in model.walk():
        flat = flat or isinstance(layer, Flatten)
        if isinstance(layer, Conv2d):
            return path, layer.weight.data
        if isinstance(layer, Linear):
            if not flat or len(picture_shape) != 3:
                return None
            height, width, channels = picture_shape
            if layer.weight.data.shape[1] == height * width * channels:
                return path, layer.weight.data.reshape(-1, channels, height, width)
            return None
    return None


def _pictures(weights, scale):
    """Data: addresses of the first `FILTERS` filters."""
    weights = weights[:FILTERS].transpose(0, 2, 3, 1)
    if weights.shape[3] != 3:
        weights = weights.mean(axis=3, keepdims=True).repeat(3, axis=3)
    levels = np.nan_to_num(weights / (scale or 1.0), nan=0.0, posinf=1.0, neginf=-1.0)
    pixels = np.rint(127.5 + 127.5 * np.clip(levels, -1, 1)).astype(np.uint8)
    return [png.address(each) for each in pixels]


def _change(new, old):
    """How far each filter has moved, as a part of its length before."""
    moved, length = (np.linalg.norm(each.reshape(len(each), -1), axis=1) for each in (new - old, old))
    return (moved / np.where(length, length, np.nan))[:FILTERS]


def _spread(values):
    values = values[np.isfinite(values)]
    return numbers(np.quantile(values, (0, 0.25, 0.5, 0.75, 1))) if len(values) else None
