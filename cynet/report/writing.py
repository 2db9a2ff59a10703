"""The page and the PNG files of a run written to the disk, with the times of its layers."""

from collections.abc import Callable
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from cynet import runs
from cynet.bench import cases, per_layer
from cynet.core.build import processor
from cynet.core.files import HeldPath, placed, reason, write_atomically
from cynet.core.tasks import LANGUAGE
from cynet.core.threads import get_num_threads
from cynet.nn.layer import shapes_of
from cynet.runs import contents
from cynet.runs.errors import PlotsError
from cynet.runs.filenames import PAGE, WEIGHTS

from . import gather, page, plots
from .repeating import commands

PLOTS = "plots"
NEIGHBOURS = 20  # runs beside the one reported that are put in for comparison
BATCH, REPEAT = 128, 7  # of the timing of layers, in batches that are smaller
LARGEST = 1 << 23  # where a layer's output would have more numbers, as of long signals and large pictures


def write_report(
    run: Path, output: Path, weights: str = WEIGHTS, say: Callable[[str], object] = print
) -> None:
    """Write the page of a run at its end: see `write`.

    Parameters
    ----------
    run, output : Path
        Of the run folder and the page.
    weights : str, optional
    say : callable, optional
    """
    write([runs.open(run)], output, weights=weights, say=say)


def write(runs, output, data_dir=None, weights=WEIGHTS, timing=True, say=print):
    """Write the page and the PNG files of the first of some runs, and say so.

    Parameters
    ----------
    runs : list of Run
        The others are for comparison; default: those beside the first.
    output : Path
    data_dir : str, optional
    weights : str, optional
        The file in the run folder.
    timing : bool, optional
        Whether to measure the time of each layer.
    say : callable, optional
        Told what was written, and what is wrong with the run, in a line each.

    Raises
    ------
    PlotsError
        When the page is written, and the PNG files cannot be.
    OSError
        When the page cannot be.
    """
    first, *others = runs
    others = others or _neighbours(first)
    times = _timed(first) if timing else None
    if data_dir is None and first.plain:
        data_dir = first.data_dir
    document = gather.gather(first, others, data_dir, weights, times, *commands(first))
    data = page.render(document).encode()
    write_atomically(output, data)
    for note in document["notes"]:
        say(f"note: {note}")
    _plot(document, plots_of(output), say)
    say(f"{output}: {len(data) / 1024:,.0f} KiB; open it in a browser")


def plots_of(output):
    """The folder of the PNG files beside a page, looked up where the page is."""
    place = output.parent / (PLOTS if output.name == PAGE else f"{output.stem}-{PLOTS}")
    return HeldPath.of(place, placed(output)[1])


def _neighbours(run):
    """The runs beside a run that can be read."""
    found = []
    for path in contents.beside(run, NEIGHBOURS):
        try:
            found.append(runs.open(path))
        except (ValueError, OSError):  # it was not asked for
            continue
    return found


def _timed(run):
    """`_times`, of a text in batches no larger than the run's own, whose rows its speed depends on."""
    own = run.plain.get("batch_size")
    if run.plain.get("task") == LANGUAGE and type(own) is int and 0 < own < BATCH:
        return partial(_times, most=own)
    return _times


def batch_of(model, picture_shape, most=BATCH):
    """How many samples are timed at a time: two or more, for batch norm, unless `most`, at most, is one."""
    leaves = model.trace((2, *picture_shape))
    largest = max(prod(layer.output_shape(*shapes_of(shape))) for _, layer, shape in leaves)
    return max(min(2, most), min(most, 2 * LARGEST // max(1, largest)))


def _times(model, picture_shape, most=BATCH):
    """What "layers" of the page holds: the median seconds of each layer's passes."""
    shape = batch_of(model, picture_shape, most), *picture_shape
    x = np.zeros(shape, np.int64) if model.takes_integers else cases.random(shape)
    leaves = list(model.train().trace(x.shape))
    medians = np.median(per_layer.times(leaves, x, REPEAT), axis=1)
    rows = [
        {
            "path": path,
            "layer": per_layer.short(layer),
            "output": list(layer.output_shape(*shapes_of(shape)))[1:],
            "forward": float(f"{forward:.4g}"),
            "backward": float(f"{backward:.4g}"),
        }
        for (path, layer, shape), (forward, backward) in zip(leaves, medians, strict=True)
    ]
    model.eval()
    return {
        "batch": len(x),
        "threads": get_num_threads(),
        "processor": processor(),
        "rows": rows,
    }


def _plot(document, folder, say):
    try:
        for path in plots.write(document, folder):
            say(f"{path}")
    except ImportError as error:
        say(f"note: no PNG files in {folder}: {error}")
    except OSError as error:
        raise PlotsError(error.errno, reason(error)) from error
