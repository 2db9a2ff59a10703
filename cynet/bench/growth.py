"""How the time of a picture grows with batch, side and depth, and falls with threads.

Design: the first three are measured. Of threads there are as many as the machine has processors; beyond them
stands a model, fed with what was measured here. A step of b pictures on one thread takes `serial + b work`:
the line through the measured batches. Of the work a part waits for memory, by the roof of each layer; of the
rest a third makes weight gradients. With T threads a step then takes

    serial + joins * join(T) + b work (memory * B(1) / B(T) + compute * F(1) T / F(T) * even(T)),

where B(T) and F(T) are the bandwidth and the multiply-adds a second of T threads, `even(T)` is the share of
the chunks that the busiest thread has, `join(T)` what it takes to wake T threads and to wait for them.
"""

from dataclasses import dataclass
from math import ceil, log2

import numpy as np

from cynet.core import workspace
from cynet.core.processors import processors
from cynet.core.threads import get_num_threads, set_num_threads
from cynet.kernels.conv.algorithm import PARTIALS

from . import choices, peak, peak_loops, per_layer, profiled, setting, workload
from .report import MICROSECONDS, MILLISECONDS, TIMES, Report, scaled
from .timing import Contestant, nothing, repeated, take_turns

BATCHES = 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024
SIDES = 16, 32, 64, 96, 128, 192, 256
SIDE_PIXELS = 2**17  # of a batch in which sides are compared: 128 pictures of 32 pixels
DEPTHS = "resnet20", "resnet32", "resnet44", "resnet56"  # one family
THREADS = 1, 2, 4, 8, 16, 32, 64
SECONDS = 2.0  # of the rounds of each size
FITTED = 16  # pictures, from which on a line goes through the batches


@dataclass(frozen=True)
class Machine:
    """What so many threads do together: multiply-adds and bytes a second, and the seconds of waking them.

    Each is a dict of threads to what was measured; beyond the most that were, processors like these are
    added, `memory` says whether with memory of their own.
    """

    flops: dict
    bandwidth: dict
    join: dict
    memory: bool = True

    def rate(self, threads):
        """Operations a second."""
        return _beyond(self.flops, threads, True)

    def stream(self, threads):
        """Bytes a second."""
        return _beyond(self.bandwidth, threads, self.memory)

    def joined(self, threads):
        """Seconds to wake them, and to wait for all."""
        most = max(self.join)
        if threads <= most:
            return self.join[threads]
        return self.join[most] * log2(threads) / log2(max(2, most))


def _beyond(found, threads, grows):
    most = max(found)
    return found[threads] if threads <= most else found[most] * (threads / most if grows else 1)


@dataclass(frozen=True)
class StepCost:
    """What a step is made of: seconds of one thread.

    Attributes
    ----------
    serial : float
        Of a step, whatever its batch.
    each : float
        Of a picture.
    memory : float
        The part of that which waits for memory.
    joins : int
        How often all threads wait for each other in a step.
    """

    serial: float
    each: float
    memory: float
    joins: int

    def seconds(self, machine, threads, batch):
        """A step's, by the model."""
        compute = machine.rate(1) * threads / machine.rate(threads)
        thirds = 2 * busiest(batch, threads) + busiest(PARTIALS, threads)
        waiting = machine.stream(1) / machine.stream(threads)
        work = (1 - self.memory) * compute * thirds / 3 + self.memory * waiting
        joins = self.joins * machine.joined(threads) if threads > 1 else 0.0
        return self.serial + joins + batch * self.each * work


def busiest(chunks, threads):
    """The share of so many chunks, of one size, that the thread with most of them has."""
    return ceil(chunks / threads) / chunks


def measure(model, batch_norm=True, repeat=None, watch=nothing):
    """Measure, and let the model say what is beyond the machine.

    Parameters
    ----------
    model : str
        A net of the registry that takes pictures of any side.
    batch_norm : bool, optional
    repeat : int, optional
        Turns of each size; default: those that fit into some seconds.
    watch : callable, optional

    Yields
    ------
    Report
        Of batches, sides, depths and threads.
    """
    before = get_num_threads()
    try:
        for title, cases in _cases(model):
            rows = []
            for i, case in enumerate(cases):
                watch(i, len(cases), f"growth: {title}")
                rows.append(_row(*case, batch_norm, repeat))
            yield _report(title, rows)
        yield _threads(model, batch_norm, repeat, watch)
    finally:
        set_num_threads(before)


def _cases(model):
    """(what grows, its (model, side, batch)) of what is measured alone."""
    side = setting.PICTURE[0]
    yield "batch", [(model, side, batch) for batch in BATCHES]
    yield "side", [(model, each, max(1, SIDE_PIXELS // each**2)) for each in SIDES]
    yield "depth", [(name, side, choices.BATCH) for name in DEPTHS]


def _steps(model, side, batch, batch_norm):
    """Functions that take a step of training, and a pass of inference."""
    workspace.pool.clear()  # what it kept for other sizes
    net = profiled.of(model, batch_norm, side=side)
    x, labels = setting.batch(batch, net.shape, net.classes)
    return workload.training_step(net.create(), x, labels), workload.inference(net.create(), x)


def _row(model, side, batch, batch_norm, repeat):
    train, infer = _steps(model, side, batch, batch_norm)
    times = take_turns([Contestant("train", train), Contestant("infer", infer)], repeat, SECONDS)
    row = {"model": model, "side": side, "batch_size": batch, "threads": get_num_threads()}
    for what, each in times.items():
        row[what] = float(np.median(each))
        row[f"{what}_picture"], row[f"{what}_pixel"] = row[what] / batch, row[what] / batch / side**2
    return row


def _report(title, rows):
    columns = (
        ("model", "model", None),
        ("side", "side", str),
        ("batch_size", "batch", str),
        ("train", "training ms/step", MILLISECONDS),
        ("train_picture", "µs/picture", MICROSECONDS),
        ("train_pixel", "ns/pixel", scaled(1e9, 1)),
        ("infer", "inference ms/pass", MILLISECONDS),
        ("infer_picture", "µs/picture", MICROSECONDS),
        ("infer_pixel", "ns/pixel", scaled(1e9, 1)),
    )
    return Report(f"growth: {title}", columns, rows, (f"Medians, {rows[0]['threads']} threads.",))


def _threads(model, batch_norm, repeat, watch):
    """Steps of the usual batch, measured as far as there are processors, and by the model."""
    side, batch, most = setting.PICTURE[0], choices.BATCH, processors()
    counts = [n for n in THREADS if n <= most]
    step, _ = _steps(model, side, batch, batch_norm)
    found = take_turns(
        [Contestant(n, step, lambda n=n: set_num_threads(n)) for n in counts], repeat, SECONDS * len(counts)
    )
    measured = {n: float(np.median(each)) for n, each in found.items()}
    watch(1, 3, "growth: the machine")
    machine = _machine(counts)
    watch(2, 3, "growth: one thread")
    work = _work(model, side, batch_norm, machine)
    apart = Machine(machine.flops, machine.bandwidth, machine.join, False)
    rows = [
        {
            "threads": n,
            "seconds": measured.get(n),
            "model": work.seconds(machine, n, batch),
            "model_one_memory": work.seconds(apart, n, batch),
        }
        for n in THREADS
    ]
    for row in rows:
        row["speed_up"] = rows[0]["model"] / row["model"]
        row["one_memory_speed_up"] = rows[0]["model_one_memory"] / row["model_one_memory"]
        row["off"] = row["model"] / row["seconds"] if row["seconds"] else None
    columns = (
        ("threads", "threads", str),
        ("seconds", "measured ms", MILLISECONDS),
        ("model", "model ms", MILLISECONDS),
        ("off", "model / measured", TIMES),
        ("speed_up", "speed-up", TIMES),
        ("model_one_memory", "with this memory ms", MILLISECONDS),
        ("one_memory_speed_up", "speed-up", TIMES),
    )
    facts = {"serial": work.serial, "picture": work.each, "memory": work.memory, "joins": work.joins}
    each = machine.joined(counts[-1]) * 1e6
    joins = f"{work.joins} joins a step of {each:.1f} µs each with {counts[-1]} threads"
    notes = (
        f"{model}, a training step of {batch}. Of one thread: {work.serial * 1e3:.2f} ms a step whatever its "
        f"batch, {work.each * 1e6:.0f} µs a picture, {work.memory:.0%} of it waiting for memory; {joins}.",
        "Assumed beyond the measured: processors like these, joins that take as the logarithm of threads; "
        f"work is cut by pictures, weight gradients into {PARTIALS} parts. With this memory: more "
        "processors, no more bandwidth.",
    )
    return Report("growth: threads", columns, rows, notes, {"work": facts})


def _machine(counts):
    """What was measured of so many threads."""
    flops, bandwidth, join = {}, {}, {}
    for n in counts:
        set_num_threads(n)
        best = peak.measure()
        flops[n], bandwidth[n] = best.flops, best.bandwidth
        results = np.empty(n, np.float32)
        join[n] = float(
            np.median(repeated(lambda n=n, out=results: peak_loops.chains(out, 1, 0.999, 0.001, n)))
        )
    return Machine(flops, bandwidth, join)


def _work(model, side, batch_norm, machine):
    """What a step on one thread is made of: a line over batches, and the layers' roofs."""
    set_num_threads(1)
    batches = [b for b in BATCHES if FITTED <= b <= choices.BATCH]
    times = []
    for b in batches:
        step, _ = _steps(model, side, b, batch_norm)
        times.append(float(np.median(repeated(step, budget=SECONDS))))
    each, serial = np.polyfit(batches, times, 1, w=1 / np.array(times))
    roof = peak.Peak(machine.rate(1), machine.stream(1), 0, 0, 1, 0)
    profile = per_layer.measure(model, roof, batch_norm=batch_norm, repeat=3)
    rows = [row for row in profile.rows if "forward_bound" in row]
    waits = sum(
        row[what] for row in rows for what in ("forward", "backward") if row[f"{what}_bound"] == "memory"
    )
    whole = sum(row["total"] for row in rows)
    return StepCost(max(0.0, float(serial)), float(each), float(waits / whole), 3 * len(rows))
