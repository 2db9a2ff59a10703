"""workers="auto": how many worker processes are fastest: of a loader, measured once; beside a training."""

import time

from cynet.core.threads import processors

BATCHES = 4, 200  # the fewest and the most that are timed of each number
SECONDS = 0.25  # for each number
GAIN = 1.1  # what another worker must be worth

_shared = [1]


def share(processes):
    """Know from now on that so many processes have this one's processors in common."""
    _shared[0] = processes


def part(count):
    """How many of so many processors are left to this process, at least 1."""
    return max(1, count // _shared[0])


def beside(threads):
    """How many workers a training without functions of the user is fastest with, and a line that says why.

    Nothing is measured: a loader alone is fastest with other numbers. A worker on a processor that is free
    makes the next batch while the kernels work on this one, and one is enough, for a net does far more with a
    picture than a loader. Where the kernels' threads take all processors a worker would take turns with them,
    and these make the batch sooner.

    Parameters
    ----------
    threads : int
        Of the kernels.

    Returns
    -------
    int, str
    """
    there = part(processors())
    workers = int(threads < there)
    counts = f"the kernels have {_counted(threads, 'thread')}, the machine {_counted(there, 'processor')}"
    return workers, f"workers {workers} chosen: {counts}"


def _counted(number, what):
    return f"{number} {what}" + ("s" if number != 1 else "")


def choose(feeds, batch_size):
    """The number of workers to use, and a line that says so.

    With 0, 1, 2 ... workers up to the processors some batches are made, the first of which (the start of the
    processes) is not timed. The fewest workers count of which one more brings less than a tenth.

    Parameters
    ----------
    feeds : callable
        feeds(workers) is a context that gives an endless iterator over batches.
    batch_size : int

    Returns
    -------
    int, str
    """
    rates = []
    for workers in range(part(processors()) + 1):
        with feeds(workers) as batches:
            rates.append(batch_size * _batches_a_second(batches))
        if workers > 1 and rates[-1] < GAIN * rates[-2]:
            break  # more will not be faster either
    best = next(i for i, rate in enumerate(rates) if GAIN * rate >= max(rates))
    found = ", ".join(f"{i}: {rate:,.0f}" for i, rate in enumerate(rates))
    return best, f"workers={best} chosen (images/s with so many workers: {found})"


def _batches_a_second(batches):
    next(batches)
    done, start = 0, time.perf_counter()
    while done < BATCHES[1] and (done < BATCHES[0] or time.perf_counter() - start < SECONDS):
        next(batches)
        done += 1
    return done / (time.perf_counter() - start)
