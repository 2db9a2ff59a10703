"""Every kernel over the shapes of the models and a sweep of sizes, against the machine's peak."""

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import cases
from .environment import last_level_cache
from .report import GIGA, MICROSECONDS, PERCENT, Report
from .timing import nothing, quartiles, repeated

COLUMNS = (
    ("kernel", "kernel", None),
    ("shape", "shape", None),
    ("place", "of", None),
    ("seconds", "µs", MICROSECONDS),
    ("flop_rate", "GFLOP/s", GIGA),
    ("byte_rate", "GB/s", GIGA),
    ("of_peak", "% of peak", PERCENT),
)


def chosen(names, batch_size, batch_norm, largest=None):
    """All cases; the sweep goes up to `largest` bytes an array (default: two last-level caches)."""
    sizes = cases.sweep_sizes(last_level_cache())
    sizes = tuple(size for size in sizes if largest is None or 4 * size <= largest)
    yield from cases.of_models(names, batch_size, batch_norm)
    yield from cases.others(batch_size)
    yield from cases.sweep(sizes)


def measure(found, peak, only=(), repeat=None, watch=nothing):
    """Time cases.

    Parameters
    ----------
    found : iterable of cases.Case
    peak : Peak
    only : tuple of str, optional
        Parts of names of kernels; a case whose name holds none of them is left out.
    repeat : int, optional
        Repetitions; default: those that fit into 0.15 seconds, 5 to 200.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        When `only` leaves out all of them.
    """
    rows, place, names = [], None, set()
    for case in found:
        names.add(case.kernel)
        if only and not any(text.lower() in case.kernel.lower() for text in only):
            continue
        if case.place != place:  # what the pool kept for other shapes
            place = case.place
            workspace.pool.clear()
        rows.append(_row(case, peak, repeated(case.run, case.prepare, repeat)))
        watch(len(rows), None, case.kernel)
    if only and not rows:
        raise ValueError(f"only: wanted parts of {', '.join(sorted(names))}; got {', '.join(only)}")
    return Report("kernels", COLUMNS, rows, _notes(peak))


def _row(case, peak, times):
    seconds = float(np.median(times))
    row = {"kernel": case.kernel, "shape": case.shape, "place": case.place, "seconds": seconds}
    row |= {"seconds_quartiles": quartiles(times), "repeat": len(times)}
    row |= {"flops": case.flops, "bytes": case.bytes, "byte_rate": case.bytes / seconds}
    if case.flops:
        row["flop_rate"] = case.flops / seconds
        row["of_peak"] = row["flop_rate"] / peak.flops
    else:
        row["of_peak"] = row["byte_rate"] / peak.bandwidth
    return row


def _notes(peak):
    return (
        f"Medians, {get_num_threads()} threads. Peak: {peak.flops / 1e9:.1f} GFLOP/s for kernels with "
        f"GFLOP/s, {peak.bandwidth / 1e9:.1f} GB/s of memory for the others.",
        "Bytes are the least that a kernel must move: each input read once, each output written once. Arrays "
        "that stay in a cache go faster than memory, above 100 %. GFLOP/s count the operations of the plain "
        "algorithm; Winograd's does a quarter of the multiplications.",
    )
