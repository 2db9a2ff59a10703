"""Where the time of a model's training step goes, layer by layer, and what bounds each layer."""

import time

import numpy as np

from cynet.core.threads import get_num_threads
from cynet.nn.layer import shapes_of

from . import cases, choices, profiled, setting, workload
from .report import GIGA, MEBIBYTES, MICROSECONDS, PERCENT, Report
from .timing import no_collection, nothing, quartiles, repeated

OVERHEAD = 15e-6  # seconds: below such a roof a call costs more than its work
COLUMNS = (
    ("path", "", None),
    ("layer", "layer", None),
    ("output_shape", "output", None),
    ("forward", "forward µs", MICROSECONDS),
    ("forward_flop_rate", "GFLOP/s", GIGA),
    ("forward_bytes", "MiB", MEBIBYTES),
    ("forward_of_roof", "% of roof", PERCENT),
    ("forward_bound", "bound by", None),
    ("backward", "backward µs", MICROSECONDS),
    ("backward_flop_rate", "GFLOP/s", GIGA),
    ("backward_bytes", "MiB", MEBIBYTES),
    ("backward_of_roof", "% of roof", PERCENT),
    ("backward_bound", "bound by", None),
    ("total", "both µs", MICROSECONDS),
)
NOTES = (
    "Medians. Each layer by itself, in the order of the model: steps that the model may join into one are "
    "timed apart.",
    "MiB: the least bytes to move. The roof is the time that the peak of multiply-adds or that of memory "
    f"allows, whichever is longer; overhead: it is less than {OVERHEAD * 1e6:.0f} µs. Data in a cache go "
    "beyond the roof of memory.",
    "The rest: sums of residual branches, loss, zero_grad and optimiser, less what the model saves by "
    "joining layers.",
)


def measure(name, peak, batch_size=choices.BATCH, batch_norm=True, repeat=None, options=None, watch=nothing):
    """Time the layers of a model.

    Parameters
    ----------
    name : str
        See `profiled.of`.
    peak : Peak
    batch_size : int, optional
    batch_norm : bool, optional
    repeat : int, optional
        Passes through the model; default: as many as fit into about three seconds.
    options : str, optional
    watch : callable, optional

    Returns
    -------
    Report
    """
    net = profiled.of(name, batch_norm, options)
    x, labels = setting.batch(batch_size, net.shape, net.classes)
    step = workload.training_step(net.create(), x, labels)
    step()
    whole = repeated(step, repeat=repeat, budget=1.5)
    repeat = repeat or len(whole)
    leaves = list(net.create().train().trace(x.shape))
    seconds = times(leaves, x, repeat, lambda done: watch(done, repeat, f"profile {name}"))
    rows = [
        _row(path, layer, shape, np.median(each, axis=0), peak, first=not i)
        for i, ((path, layer, shape), each) in enumerate(zip(leaves, seconds, strict=True))
    ]
    total = {key: sum(row[key] for row in rows) for key in ("forward", "backward", "total")}
    step_seconds = float(np.median(whole))
    rows.append({"layer": "all layers", **total})
    rows.append({"layer": "the rest", "total": step_seconds - total["total"]})
    rows.append({"layer": "whole training step", "total": step_seconds})
    extra = {
        "model": name,
        "batch_size": batch_size,
        "batch_norm": batch_norm,
        "step_seconds": step_seconds,
        "step_quartiles": quartiles(whole),
        "repeat": repeat,
    }
    title = f"{name}, batch {batch_size}{net.norm}"
    return Report("profile", COLUMNS, rows, (f"{title}, {get_num_threads()} threads.", *NOTES), extra)


def times(leaves, x, repeat, watch=nothing):
    """Time the layers of a model one by one.

    Parameters
    ----------
    leaves : list
        Of the model's `trace` over the shape of `x`.
    x : ndarray of float32
    repeat : int
    watch : callable, optional

    Returns
    -------
    ndarray of float64 (layers, repeat, 2)
        Seconds of the forward and of the backward pass.
    """
    outputs = [tuple(layer.output_shape(*shapes_of(shape))) for _, layer, shape in leaves]
    made = {shape: cases.random(shape) for shape in set(outputs)}  # equal shapes share what is only read
    gradients = [made[shape] for shape in outputs]
    before = [x.shape, *outputs]
    inputs = [
        [x] if not i else [*map(cases.random, shapes_of(shape))] if shape != before[i] else None
        for i, (_, _, shape) in enumerate(leaves)
    ]
    taken = np.empty((len(leaves), repeat, 2))
    with no_collection():
        for turn in range(-1, repeat):  # the first is a warm-up; the next overwrites it
            y, passes = x, []
            for i, (_, layer, shape) in enumerate(leaves):
                # As in the model, a layer's input has just been written; a shortcut's is an earlier one.
                given = [y] if y.shape == shape else inputs[i]
                start = time.perf_counter()
                y = layer(*given)
                taken[i, turn, 0] = time.perf_counter() - start
                passes.append(layer.last_pass or layer)  # a layer may stand at several places
            for i, follow in reversed(list(enumerate(passes))):
                backward = follow.backward if i else follow.backward_spared
                start = time.perf_counter()
                backward(gradients[i])
                taken[i, turn, 1] = time.perf_counter() - start
            watch(turn + 1)
    return taken


def _row(path, layer, shape, seconds, peak, first):
    """One layer's row; the first layer spares the gradient of its input."""
    outputs = layer.output_shape(*shapes_of(shape))
    flops = 2 * int(layer.macs(*shapes_of(shape)))
    row = {"path": path, "layer": short(layer), "input_shape": shape, "output_shape": tuple(outputs)}
    row["total"] = float(sum(seconds))
    passes = (
        ("forward", flops, cases.forward_bytes(layer, shape)),
        ("backward", flops if first else 2 * flops, cases.backward_bytes(layer, shape, not first)),
    )
    for (name, work, nbytes), taken in zip(passes, seconds, strict=True):
        roof = peak.roof_seconds(work, nbytes)
        row |= {name: float(taken), f"{name}_flops": work, f"{name}_bytes": nbytes}
        row |= {f"{name}_of_roof": roof / float(taken), f"{name}_bound": bound(work, nbytes, peak)}
        row[f"{name}_flop_rate"] = work / float(taken) if work else None
    return row


def short(layer):
    """A layer's repr without what is seldom changed."""
    text = repr(layer).partition(", eps=")[0].partition(", bias=")[0]
    return text + ")" * (text.count("(") - text.count(")"))


def bound(flops, nbytes, peak):
    """What bounds so much work: "overhead", "compute" or "memory"."""
    if peak.roof_seconds(flops, nbytes) < OVERHEAD:
        return "overhead"
    return "compute" if flops / peak.flops > nbytes / peak.bandwidth else "memory"
