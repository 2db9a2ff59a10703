"""How fast single convolutions of many shapes are, forward and backward, against the peak and a peer."""

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads

from . import cases, choices, peers, shapes, workload
from .report import GIGA, MILLISECONDS, PERCENT, TIMES, Report
from .speed import compared
from .timing import Contestant, nothing, take_turns

SECONDS = 0.4  # of the rounds of each contestant, of each shape and pass
PASSES = {"forward": 1, "both": 3}  # the products of each: forward, and with the two gradients


def measure(peak, peer=None, count=choices.SHAPES, seed=0, only=(), rounds=None, watch=nothing):
    """Time the named shapes, then the drawn ones.

    Parameters
    ----------
    peak : Peak
    peer : str, optional
        One of `peers.PEERS`.
    count : int, optional
        Of the drawn ones.
    seed : int, optional
    only : sequence of str, optional
        Parts of the shapes' texts; a shape whose text holds none of them is left out.
    rounds : int, optional
        Turns of each contestant; default: those that fit into some tenths of a second.
    watch : callable, optional

    Yields
    ------
    Report

    Raises
    ------
    ValueError
        When the peer is not installed, or does not compute the same; when `only` leaves out all of them.
    """
    wanted = {"shapes": shapes.NAMED, "shapes: drawn": shapes.drawn(count, seed)}
    chosen = {name: [one for one in each if _asked(only, one)] for name, each in wanted.items()}
    total = sum(map(len, chosen.values()))
    if not total:
        raise ValueError(f"only: wanted parts of shapes such as {shapes.NAMED[0]}; got {', '.join(only)}")
    other, done = peers.load(peer) if peer else None, 0
    for name, each in chosen.items():
        rows = []
        for shape in each:
            watch(done, total, str(shape))
            rows.append(_row(shape, peak, other, rounds))
            done += 1
        if rows:
            yield _report(name, rows, peak, peer)


def _asked(only, shape):
    return not only or any(text.lower() in str(shape) for text in only)


def _row(shape, peak, peer, rounds):
    """Both measures of a shape."""
    workspace.pool.clear()  # what it kept for other shapes
    layer, x = shape.layer(), cases.random(shape.input_shape)
    dy, threads = cases.random(layer.output_shape(x.shape)), get_num_threads()
    ours = {"forward": workload.inference(layer, x), "both": workload.passes(shape.layer(), x, dy)}
    theirs, rest = {what: {} for what in PASSES}, peer.rest if peer else nothing
    if peer:
        peer.set_num_threads(threads)
        peer.check_equal(layer, peer.converted(layer), x, False)
        for way in peer.FORMATS:
            theirs["forward"][way] = peer.inference(peer.converted(layer), x, way)
            if peer.trains_in(net := peer.converted(layer), way):
                theirs["both"][way] = peer.passes(net, x, dy, way)
    row = {"shape": str(shape), "threads": threads, "macs": shape.macs}
    for what, products in PASSES.items():
        contestants = [Contestant("cynet", ours[what], rest)]
        contestants += [Contestant(way, step, rest) for way, step in theirs[what].items()]
        found = compared(take_turns(contestants, rounds, SECONDS * len(contestants)))
        found["flop_rate"] = 2 * products * shape.macs / found["seconds"]
        found["of_peak"] = found["flop_rate"] / peak.flops
        row |= {f"{what}_{key}": value for key, value in found.items()}
    return row


def summary(ratios):
    """The least, the median and the geometric mean of ratios, how many there are, and how many below 1."""
    ratios = np.asarray(ratios)
    return {
        "least": float(ratios.min()),
        "median": float(np.median(ratios)),
        "geometric_mean": float(np.exp(np.log(ratios).mean())),
        "below_1": int((ratios < 1).sum()),
        "count": len(ratios),
    }


def _report(name, rows, peak, peer):
    columns, notes, found = [("shape", "shape", None)], [], {}
    for what, title in (("forward", "forward"), ("both", "both")):
        columns += [
            (f"{what}_seconds", f"{title} ms", MILLISECONDS),
            (f"{what}_flop_rate", "GFLOP/s", GIGA),
            (f"{what}_of_peak", "% of peak", PERCENT),
            (f"{what}_peer_seconds", f"{peer} ms", MILLISECONDS),
            (f"{what}_peer_way", "its way", None),
            (f"{what}_ratio", f"{peer} / cynet", TIMES),
        ]
        if peer:
            found[what] = one = summary([row[f"{what}_ratio"] for row in rows])
            worst = min(rows, key=lambda row: row[f"{what}_ratio"])["shape"]
            notes.append(
                f"{title}: {peer} / cynet {one['least']:.2f} at least ({worst}), median {one['median']:.2f}, "
                f"geometric mean {one['geometric_mean']:.2f}; {one['below_1']} of {one['count']} below 1."
            )
    notes += [
        "Kernel/stride channels @side (batch); no bias, (kernel - 1) // 2 pixels of padding. forward: as it "
        "evaluates; both: a forward pass as in training, the gradients to input and weights.",
        f"Medians, {get_num_threads()} threads. Peak: {peak.flops / 1e9:.1f} GFLOP/s; GFLOP/s count the "
        "operations of the plain algorithm, of which Winograd's does a part.",
    ]
    return Report(name, tuple(columns), rows, tuple(notes), {"summary": found} if found else {})
