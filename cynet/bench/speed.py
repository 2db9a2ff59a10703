"""The speed of training and of inference, alone or against a peer, for one or several numbers of threads."""

from dataclasses import dataclass

import numpy as np

from cynet.core.threads import get_num_threads, set_num_threads

from . import choices, peers, profiled, setting, workload
from .report import MILLISECONDS, TIMES, Report, scaled, span
from .timing import Contestant, nothing, quartiles, take_turns

SECONDS = 4.0  # of a model's rounds


@dataclass(frozen=True)
class Setup:
    """What is timed.

    Parameters
    ----------
    training : bool
        Steps of training, else passes of inference.
    models : tuple of str
        What `profiled.of` takes.
    batch_sizes, threads : tuple of int
    batch_norm : bool
    peer : str, optional
        One of `peers.PEERS`.
    rounds : int, optional
        Turns of each contestant; default: those that fit into about four seconds.
    model_option : str, optional
        What else the functions of the models are given, a JSON object.
    side : int, optional
        Of the pictures; default: 32, or what a model needs.
    """

    training: bool
    models: tuple = choices.MODELS
    batch_sizes: tuple = (choices.BATCH,)
    threads: tuple = ()
    batch_norm: bool = True
    peer: str | None = None
    rounds: int | None = None
    model_option: str | None = None
    side: int | None = None

    @property
    def command(self):
        return "train" if self.training else "infer"


def measure(setup, watch=nothing):
    """Time the setup's models.

    Parameters
    ----------
    setup : Setup
    watch : callable, optional
        Gets the rounds done and of all, and what is being timed.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        When the peer is not installed, or does not compute the same.
    """
    before, rows = get_num_threads(), []
    peer = peers.load(setup.peer) if setup.peer else None
    try:
        for name in setup.models:
            for size in setup.batch_sizes:
                text = f"{setup.command} {name}, batch {size}"
                rows += _measure(setup, peer, name, size, lambda *at, text=text: watch(*at, text))
    finally:
        set_num_threads(before)
    return report(setup, rows)


def _measure(setup, peer, name, size, watch):
    """The rows of one model and batch size."""
    net = profiled.of(name, setup.batch_norm, setup.model_option, setup.side)
    x, labels = setting.batch(size, net.shape, net.classes)
    model, rest = net.create(), peer.rest if peer else nothing
    steps = {"cynet": (_ours(setup, model, x, labels), set_num_threads)}
    if setup.peer in peers.FIXED:
        model.seal()
    if peer:
        peer.check_equal(model, peer.converted(model), x, setup.training)
        for layout in peer.FORMATS:
            other = peer.converted(model)
            if setup.training and not peer.trains_in(other, layout):
                continue
            step = (
                peer.training_step(other, x, labels, layout)
                if setup.training
                else peer.inference(other, x, layout)
            )
            steps[layout] = step, peer.set_num_threads
    numbers = setup.threads or (get_num_threads(),)
    contestants = [
        Contestant((who, n), step, lambda set_threads=set_threads, n=n: (rest(), set_threads(n)))
        for n in numbers
        for who, (step, set_threads) in steps.items()
    ]
    times = take_turns(contestants, setup.rounds, SECONDS * len(contestants) / 2, watch)
    facts = {"model": name, "batch_norm": setup.batch_norm if net.norm else None, "batch_size": size}
    facts |= {"side": setup.side}
    rows = [facts | {"threads": n} | compared({w: times[w, n] for w in steps}, size) for n in numbers]
    _add_scaling(rows)
    return rows


def _ours(setup, model, x, labels):
    if setup.training:
        return workload.training_step(model, x, labels)
    return workload.inference(model, x)


def compared(times, images=None):
    """cynet's times of a step, and how they stand to the best of the others'.

    Parameters
    ----------
    times : dict of name to ndarray
        "cynet" and any others, the same number of rounds each.
    images : int, optional
        In a step.

    Returns
    -------
    dict
        "ratio" is the median over rounds of the peer's time divided by cynet's in the same round.
    """
    ours = times["cynet"]
    row = {
        "seconds": float(np.median(ours)),
        "seconds_quartiles": quartiles(ours),
        "rounds": len(ours),
    }
    if images:
        row["images_per_second"] = images / row["seconds"]
    medians = {name: float(np.median(t)) for name, t in times.items() if name != "cynet"}
    if medians:
        best = min(medians, key=medians.get)
        ratios = times[best] / ours
        row |= {
            "peer_seconds": medians[best],
            "peer_seconds_quartiles": quartiles(times[best]),
            "peer_way": best,
            "peer_ways": medians,
            "ratio": float(np.median(ratios)),
            "ratio_quartiles": quartiles(ratios),
        }
    return row


def _add_scaling(rows):
    """Of several numbers of threads: the speed-up over the fewest, divided by the threads' factor."""
    first = min(rows, key=lambda row: row["threads"])
    if len(rows) > 1:
        for row in rows:
            for key in ("seconds", "peer_seconds"):
                if key in row:
                    factor = row["threads"] / first["threads"]
                    name = "efficiency" if key == "seconds" else "peer_efficiency"
                    row[name] = first[key] / row[key] / factor


def report(setup, rows):
    """The `Report` of a setup's rows."""
    unit = "step" if setup.training else "pass"
    columns = (
        ("model", "model", None),
        ("side", "side", str),
        ("batch_size", "batch", str),
        ("threads", "threads", str),
        ("seconds", f"cynet ms/{unit}", MILLISECONDS),
        ("images_per_second", "images/s", scaled(1, 0)),
        ("efficiency", "scaling", TIMES),
        ("peer_seconds", f"{setup.peer} ms/{unit}", MILLISECONDS),
        ("peer_way", "its way", None),
        ("peer_efficiency", "its scaling", TIMES),
        ("ratio", f"{setup.peer} / cynet", TIMES),
        ("ratio_quartiles", "quartiles", span),
    )
    known = [row["batch_norm"] for row in rows if row["batch_norm"] is not None]
    notes = [f"Medians; batch norm {'on' if known[0] else 'off'}." if known else "Medians."]
    if setup.peer:
        notes.append(
            f"{setup.peer} and cynet take turns in one process, with the same weights, pictures and threads; "
            f"its way is the fastest of {'; '.join(rows[0]['peer_ways'])}."
        )
    if setup.peer in peers.FIXED:
        notes.append("The weights of both cannot change: cynet's net is sealed (`Layer.seal`).")
    if len(setup.threads) > 1:
        notes.append("scaling: the speed-up over the fewest threads, divided by the factor in threads.")
    return Report(setup.command, columns, rows, tuple(notes))
