"""What this machine can do at most: the rate of multiply-adds, and of streams through memory."""

from dataclasses import dataclass

import numpy as np

from cynet.core.threads import get_num_threads

from . import peak_loops as kernels
from .choices import REPEATS
from .environment import last_level_cache
from .report import GIGA, Report
from .timing import nothing, seconds

STEPS = 100_000  # multiply-adds of each sum: some ten milliseconds
CACHES = 4  # a stream's array is so many times as large as the last-level cache


@dataclass(frozen=True)
class Peak:
    """Operations a second (a multiply-add is two), and bytes a second of three streams."""

    flops: float
    copy: float
    triad: float
    read: float
    threads: int
    array_bytes: int

    @property
    def bandwidth(self):
        """The fastest of the streams: the roof of kernels that do nothing but move data."""
        return max(self.copy, self.triad, self.read)

    def roof_seconds(self, flops, nbytes):
        """The least time for so many operations and bytes."""
        return max(flops / self.flops, nbytes / self.bandwidth)


def measure(array_bytes=None, repeat=REPEATS["peak"], steps=STEPS, watch=nothing):
    """Measure with the threads that are set. The best of the repetitions counts: a peak is what can be had.

    Parameters
    ----------
    array_bytes : int, optional
        Of each of the streams' arrays; default: four last-level caches.
    repeat : int
    steps : int
        Multiply-adds of each sum.
    watch : callable, optional
        Gets the number of measurements done and of all.

    Returns
    -------
    Peak
    """
    threads, array_bytes = get_num_threads(), array_bytes or CACHES * last_level_cache()
    a, b, out = arrays = [np.empty(max(1, array_bytes // 4), np.float32) for _ in range(3)]
    for value, array in enumerate(arrays):
        kernels.fill(array, value, threads)
    sums, results = np.empty(kernels.sum_count(a.size), np.float32), np.empty(threads, np.float32)
    runs = (
        ("flops", kernels.chains(results, 1, 0.999, 0.001, threads) * steps,
         lambda: kernels.chains(results, steps, 0.999, 0.001, threads)),
        ("copy", 2 * a.nbytes, lambda: kernels.copy(a, out, threads)),
        ("triad", 3 * a.nbytes, lambda: kernels.triad(a, b, out, threads)),
        ("read", a.nbytes, lambda: kernels.read(a, sums, threads)),
    )  # fmt: skip
    best = dict.fromkeys((name for name, *_ in runs), float("inf"))
    for turn in range(repeat):  # in turns: what else the machine does hinders none of them all the time
        for name, _, run in runs:
            best[name] = min(best[name], seconds(run))
        watch(turn + 1, repeat)
    rates = {name: work / best[name] for name, work, _ in runs}
    return Peak(**rates, threads=threads, array_bytes=a.nbytes)


def report(peak):
    """The `Report` of a Peak."""
    rows = [
        {"measure": "multiply-adds in registers, float32", "rate": peak.flops, "unit": "GFLOP/s"},
        {"measure": "copy, read and written", "rate": peak.copy, "unit": "GB/s"},
        {"measure": "triad a + 3 b, read and written", "rate": peak.triad, "unit": "GB/s"},
        {"measure": "sum, read only", "rate": peak.read, "unit": "GB/s"},
    ]
    notes = (
        f"{peak.threads} threads; the best of several runs. Streams go by plain loads and stores through "
        f"arrays of {peak.array_bytes / 2**20:.0f} MiB each; their bytes are those that the program reads "
        "and writes, without the lines that a cache fetches before a store.",
    )
    columns = (("measure", "", None), ("rate", "rate", GIGA), ("unit", "", None))
    return Report("peak", columns, rows, notes)
