"""What `cynet bench` measures, each by its name: from what is wanted to one `Report` after the other."""

from dataclasses import dataclass, replace

from cynet.core import threads

from . import (
    choices,
    cutting,
    distributed,
    growth,
    kernels,
    loading,
    peak,
    peers,
    per_layer,
    processes,
    profiled,
    scaling,
    shape_speed,
    speed,
    texts,
)
from .timing import nothing

MIB = 2**20


@dataclass(frozen=True)
class Wanted:
    """What is to be measured; what a measurement does not know it leaves alone.

    Attributes
    ----------
    what : str
        A name of `RUNS`.
    model : sequence of str
        "profile" and "infer" take what `profiled.of` does.
    batch_size : int or tuple of int
        "train", "infer" and "memory" take several.
    batch_norm : bool
    against : str or None
        One of `peers.PEERS`.
    threads : int, tuple of int or None
        Of the kernels; "train" and "infer" compare several. None: as they are set.
    repeat : int or None
        None: `choices.REPEATS`, or as many as fit into a few seconds.
    array_size, largest : float or None
        MiB of the arrays of "peak", and of the largest of the sweep of "kernels".
    only : sequence of str or None
        Parts of the names of kernels, or of shapes.
    count, seed : int
        Shapes that are drawn, and by what.
    steps : int
        Of a training whose memory is measured.
    model_option : str or None
        Of "profile" and "infer": what else the functions of its models are given, a JSON object.
    ranks : tuple of int
        Of "distributed", which also takes:
    shards : int
    launcher : str or None
        The words that start ranks, with {} for their number.
    latency, bandwidth : float
        Milliseconds and Gbit/s between machines, for the model.
    side : int or None
        Of the pictures of "train" and "infer"; None: 32, or what a model needs.
    """

    what: str
    model: tuple = choices.MODELS
    batch_size: int | tuple = choices.BATCH
    batch_norm: bool = True
    against: str | None = None
    threads: int | tuple | None = None
    repeat: int | None = None
    array_size: float | None = None
    largest: float | None = None
    only: tuple | None = None
    count: int = choices.SHAPES
    seed: int = 0
    steps: int = choices.STEPS
    model_option: str | None = None
    ranks: tuple = choices.RANKS
    shards: int = choices.SHARDS
    launcher: str | None = None
    latency: float = choices.LATENCY
    bandwidth: float = choices.BANDWIDTH
    side: int | None = None

    @property
    def repeats(self):
        """Repetitions where they are not as many as fit into a time."""
        return self.repeat or choices.REPEATS[self.what]

    def setup(self, training, batch_sizes, counts=()):
        return speed.Setup(
            training, tuple(self.model), batch_sizes, counts, self.batch_norm, self.against, self.repeat,
            self.model_option, self.side,
        )  # fmt: skip


def reports(wanted, watch=nothing):
    """Set the threads, and measure.

    Parameters
    ----------
    wanted : Wanted
    watch : callable, optional
        Gets what is done, what there is to do (or None), and what it is.

    Yields
    ------
    Report

    Raises
    ------
    ValueError, MemoryError, ChildProcessError
        When something cannot be measured.
    """
    if wanted.against:
        peers.check_able(wanted.against, wanted.what)
    if wanted.threads:
        threads.set_num_threads(wanted.threads if isinstance(wanted.threads, int) else max(wanted.threads))
    yield from RUNS[wanted.what](wanted, watch)


def _roof(watch):
    return peak.measure(watch=lambda *at: watch(*at, "peak"))


def _peak(wanted, watch):
    size = int(wanted.array_size * MIB) if wanted.array_size else None
    yield peak.report(peak.measure(size, wanted.repeats, watch=lambda *at: watch(*at, "peak")))


def _kernels(wanted, watch):
    largest = None if wanted.largest is None else wanted.largest * MIB
    found = kernels.chosen(wanted.model, wanted.batch_size, wanted.batch_norm, largest)
    yield kernels.measure(found, _roof(watch), wanted.only or (), wanted.repeat, watch)


def _train(wanted, watch):
    yield speed.measure(wanted.setup(True, wanted.batch_size, wanted.threads or ()), watch)


def _infer(wanted, watch):
    yield speed.measure(wanted.setup(False, wanted.batch_size, wanted.threads or ()), watch)


def _shapes(wanted, watch):
    yield from shape_speed.measure(
        _roof(watch), wanted.against, wanted.count, wanted.seed, wanted.only or (), wanted.repeat, watch
    )


def _memory(wanted, watch):
    setup = wanted.setup(True, wanted.batch_size)
    yield processes.memory(setup, wanted.repeats, wanted.steps, watch)


def _import(wanted, watch):
    yield processes.imports(wanted.against, wanted.repeats, watch)


def _loader(wanted, watch):
    yield loading.speed(wanted.batch_size, wanted.against, wanted.repeat, watch)
    yield cutting.speed(wanted.against, wanted.repeat, watch)
    yield loading.cost(wanted.batch_size, wanted.repeat, watch)
    yield loading.training(wanted.batch_size, wanted.repeat, watch)


def _profile(wanted, watch):
    for name in wanted.model:  # what cannot be made is told before the peak is looked for
        profiled.of(name, wanted.batch_norm, wanted.model_option).create()
    roof = _roof(watch)
    for name in wanted.model:
        yield per_layer.measure(
            name, roof, wanted.batch_size, wanted.batch_norm, wanted.repeat, wanted.model_option, watch
        )


def _growth(wanted, watch):
    for name in wanted.model:
        yield from growth.measure(name, wanted.batch_norm, wanted.repeat, watch)


def _language_model(wanted, watch):
    yield from texts.measure(wanted.against, wanted.threads, wanted.repeat, watch=watch)


def _distributed(wanted, watch):
    threads = wanted.threads if isinstance(wanted.threads, int) else 1
    yield from distributed.measure(
        distributed.RankedSetup(
            tuple(wanted.ranks), tuple(wanted.model), wanted.batch_size, wanted.shards, wanted.launcher,
            threads, wanted.repeat or distributed.ROUNDS,
            scaling.Link(wanted.latency / 1e3, wanted.bandwidth * 1e9 / 8),
        ),
        watch,
    )  # fmt: skip


def _table(wanted, watch):
    for what, run in (("train", _train), ("infer", _infer), ("memory", _memory), ("import", _import)):
        yield from run(replace(wanted, what=what, batch_size=choices.batches(what), threads=None), watch)


RUNS = {
    "peak": _peak,
    "kernels": _kernels,
    "train": _train,
    "infer": _infer,
    "shapes": _shapes,
    "memory": _memory,
    "import": _import,
    "loader": _loader,
    "profile": _profile,
    "growth": _growth,
    "language-model": _language_model,
    "distributed": _distributed,
    "table": _table,
}
