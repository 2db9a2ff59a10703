"""How fast a net learns from a text and writes one, and what memory it takes, beside a peer."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from cynet import models
from cynet.core.threads import get_num_threads, set_num_threads
from cynet.nn.sequence_loss import SequenceLoss
from cynet.optim.adam import Adam
from cynet.train.carrying import recurrent
from cynet.train.generation import stepper

from . import peers, setting
from .processes import peaks
from .report import MEBIBYTES, MILLISECONDS, TIMES, Report, scaled, span
from .speed import compared
from .timing import Contestant, nothing, take_turns

SECONDS = 20.0  # of the rounds of one size
WRITTEN = 200  # tokens that are written in a turn
STEPS, PROCESSES = 3, 3  # of a training whose memory is measured, and how many of these
TOLERANCE = 1e-3
WHOLE = scaled(1, 0)


@dataclass(frozen=True)
class Size:
    """A net with so many units, as long an embedding, and its batches."""

    hidden: int
    batch: int
    length: int

    @property
    def job(self):
        """What a process or a row is told of it."""
        return {"hidden": self.hidden, "batch_size": self.batch, "length": self.length}


SIZES = Size(512, 256, 100), Size(256, 64, 100), Size(128, 64, 64)


def create(hidden):
    """An Embedding, a GRU and a Linear of so many units, over the characters of a text."""
    return models.create("language_model", (1,), setting.CHARACTERS, embedding=hidden, hidden=hidden)


def training_step(model, x, y):
    """A function that takes one step as the trainer does: the state is carried, the gradient cut."""
    model.train()
    for layer in recurrent(model).values():
        layer.carry = True
    criterion, optimizer = SequenceLoss(), Adam(model.parameters(), **setting.TEXT_OPTIMIZER)

    def step():
        criterion(model(x), y)
        optimizer.zero_grad()
        model.backward(criterion.backward())
        optimizer.step()

    return step


def writing(model):
    """A function that writes a number of tokens, the likeliest each time, and returns them."""
    step = stepper(model)

    def write(count):
        found, tokens, state = [], np.zeros(1, np.int64), None
        for _ in range(count):
            logits, state = step(tokens, state)
            tokens = logits.argmax(axis=1)
            found.append(int(tokens[0]))
        return found

    return write


def measure(peer=None, threads=None, repeat=None, sizes=SIZES, watch=nothing):
    """Time training and writing, and measure the memory of the largest net's training.

    Parameters
    ----------
    peer : str, optional
        One of `peers.PEERS`.
    threads : int, optional
    repeat : int, optional
        Turns of each; default: those that fit into a time, at least five.
    sizes : sequence of Size, optional
    watch : callable, optional
        Gets what is done, what there is to do, and what it is.

    Yields
    ------
    Report

    Raises
    ------
    ValueError
        When the peer is not installed, or does not compute the same.
    """
    before = get_num_threads()
    threads = threads or before
    theirs = peers.load(peer, "texts") if peer else None
    set_num_threads(threads)
    try:
        rows = [_trained(theirs, size, threads, repeat, watch) for size in sizes]
        yield _speed_report("language-model", peer, rows, "step", _TRAINED)
        hidden = dict.fromkeys(size.hidden for size in sizes)
        rows = [_written(theirs, units, threads, repeat, watch) for units in hidden]
        yield _speed_report("language-model: writing", peer, rows, "token", _WRITTEN)
        yield _memory(peer, sizes[0], threads, repeat or PROCESSES, watch)
    finally:
        set_num_threads(before)


def _trained(peer, size, threads, repeat, watch):
    """The row of one size's training."""
    x, y = setting.text(size.batch, size.length)
    model = create(size.hidden)
    steps = {"cynet": _contestant("cynet", set_num_threads, threads, training_step(model, x, y))}
    if peer:
        net = _same(peer, model, x)
        steps["eager"] = _contestant("eager", peer.set_num_threads, threads, peer.training_step(net, x, y))
    text = f"language-model: {size.hidden} units, batch {size.batch}"
    times = take_turns([*steps.values()], repeat, SECONDS, lambda *at: watch(*at, text))
    row = size.job | {"threads": threads} | compared(times)
    return row | {"tokens_per_second": size.batch * size.length / row["seconds"]}


def _written(peer, hidden, threads, repeat, watch):
    """The row of one net that writes."""
    model = create(hidden)
    steps = {"cynet": _contestant("cynet", set_num_threads, threads, partial(writing(model), WRITTEN))}
    if peer:
        net = _same(peer, model, setting.text(1, 20)[0])
        step = partial(peer.writing(net), WRITTEN)
        steps["eager"] = _contestant("eager", peer.set_num_threads, threads, step)
    text = f"language-model: writing, {hidden} units"
    times = take_turns([*steps.values()], repeat, SECONDS / 4, lambda *at: watch(*at, text))
    times = {name: found / WRITTEN for name, found in times.items()}
    row = {"hidden": hidden, "threads": threads} | compared(times)
    return row | {"tokens_per_second": 1 / row["seconds"]}


def _contestant(name, set_threads, threads, step):
    return Contestant(name, step, partial(set_threads, threads))


def _same(peer, model, x):
    """The peer's net with the model's weights.

    Raises
    ------
    ValueError
        When it does not give the same logits.
    """
    net = peer.language_model(model.state_dict())
    ours, theirs = model(x), peer.logits(net, x)
    error = float(np.abs(ours - theirs).max())
    if not error <= TOLERANCE * max(1.0, float(np.abs(theirs).max())):
        raise ValueError(f"wanted the same logits from cynet and its peer, got a difference of {error:.3g}")
    return net


_TRAINED = (
    "A step: embedding, GRU and linear layer over 65 characters forward and backward, the state carried, "
    "Adam; random tokens; medians."
)
_WRITTEN = f"One sequence, the likeliest character each time, {WRITTEN} in a turn; medians."


def _speed_report(command, peer, rows, unit, note):
    columns = (
        ("hidden", "units", str),
        ("batch_size", "batch", str),
        ("length", "length", str),
        ("threads", "threads", str),
        ("seconds", f"cynet ms/{unit}", MILLISECONDS),
        ("tokens_per_second", "tokens/s", WHOLE),
        ("peer_seconds", f"{peer} ms/{unit}", MILLISECONDS),
        ("ratio", f"{peer} / cynet", TIMES),
        ("ratio_quartiles", "quartiles", span),
    )
    notes = [note]
    if peer:
        notes.append(
            f"{peer} and cynet take turns in one process, with the same weights, tokens and threads."
        )
    return Report(command, columns, rows, tuple(notes))


def _memory(peer, size, threads, repeat, watch):
    job = size.job | {"threads": threads, "steps": STEPS}
    jobs = {"cynet": job} | ({"eager": job | {"peer": peer}} if peer else {})
    row = job | peaks(jobs, repeat, watch, "language-model: memory")
    columns = (
        ("hidden", "units", str),
        ("batch_size", "batch", str),
        ("length", "length", str),
        ("peak_bytes", "cynet peak MiB", MEBIBYTES),
        ("own_bytes", "less imports", MEBIBYTES),
        ("peer_peak_bytes", f"{peer} peak MiB", MEBIBYTES),
        ("peer_own_bytes", "less imports", MEBIBYTES),
        ("ratio", f"{peer} / cynet", TIMES),
        ("own_ratio", "less imports", TIMES),
    )
    notes = (
        f"Peak resident memory of a fresh process that trains {STEPS} steps; medians.",
        "less imports: the peak minus what was resident when all modules were imported.",
    )
    return Report("language-model: memory", columns, [row], notes)
