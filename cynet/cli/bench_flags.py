"""The flags of `cynet bench`, of which every measurement has its own."""

from argparse import ArgumentTypeError

from cynet.bench import choices
from cynet.bench.peers import PEERS, able
from cynet.runs.ranges import model_option

from .options import Merged
from .values import add_threads, flag, integer, integers, number

BROUGHT = ", FILE.py[:NAME] as for `cynet train`, run folders or weights files"
OF_ANY = "profile", "infer"  # measure these too, not only nets of the registry


def add(of):
    """Add their flags to the parsers of the measurements, by name."""
    for name in ("kernels", "train", "infer", "memory", "profile", "growth", "distributed", "table"):
        _add_models(of[name], name)
    of["loader"].add_argument(
        "--batch-size",
        type=integer(1, choices.EPOCH),
        default=choices.BATCH,
        metavar="N",
        help="pictures in a batch",
    )
    for name in ("train", "infer", "shapes", "memory", "import", "loader", "language-model"):
        of[name].add_argument(
            "--against", choices=tuple(PEERS), metavar="PEER",
            help=f"take turns with this framework: {', '.join(able(name))}",
        )  # fmt: skip
    of["table"].add_argument(
        "--against", choices=tuple(PEERS), default="torch", metavar="PEER", help="the framework beside cynet"
    )
    of["peak"].add_argument(
        "--array-size",
        type=number(0.001),
        metavar="MIB",
        help="of each array streamed (default: four last-level caches)",
    )
    of["memory"].add_argument(
        "--steps", type=integer(1), default=choices.STEPS, metavar="N", help="of each training"
    )
    for name, what in (("kernels", "kernels whose name"), ("shapes", "shapes whose text")):
        of[name].add_argument("--only", type=words, metavar="TEXT,...", help=f"{what} holds one of these")
    of["shapes"].add_argument(
        "--count", type=integer(0), default=choices.SHAPES, metavar="N", help="shapes that are drawn"
    )
    for name, what in (("growth", "four figures"), ("distributed", "what the model says")):
        of[name].add_argument("--plot", metavar="FILE.png", help=f"draw {what}, too (needs matplotlib)")
    of["shapes"].add_argument("--seed", type=integer(0), default=0, metavar="N", help="they are drawn by")
    of["kernels"].add_argument(
        "--largest",
        type=number(0),
        metavar="MIB",
        help="no larger arrays in the sweep; 0: no sweep (default: beyond the last-level cache)",
    )
    _add_ranks(of["distributed"])
    for name, parser in of.items():
        if name != "compare":
            _add_common(parser, name)
    _add_comparing(of["compare"])


def _add_models(parser, name):
    parser.add_argument(
        "--model",
        type=words,
        action="extend",
        metavar="NAME,...",
        help=f"the networks{BROUGHT * (name in OF_ANY)}; may be given again (default: "
        f"{','.join(choices.models(name))})",
    )
    if name in OF_ANY:
        parser.add_argument(
            "--model-option", action=Merged, type=flag(model_option), metavar="KEY=VALUE",
            help="an argument of the functions that build them; can be given several times",
        )  # fmt: skip
    if name in ("train", "infer"):
        parser.add_argument(
            "--side", type=integer(1), metavar="N",
            help="pixels of the pictures' sides (default: 32, or what a network needs)",
        )  # fmt: skip
    if name in ("train", "infer", "memory"):
        several, shown = integers(1), ",".join(map(str, choices.batches(name)))
        parser.add_argument(
            "--batch-size", type=several, default=shown, metavar="N,...", help="pictures in a batch"
        )
    elif name not in ("growth", "table"):
        parser.add_argument(
            "--batch-size",
            type=integer(1),
            default=choices.BATCH_OF_RANKS if name == "distributed" else choices.BATCH,
            metavar="N",
            help="pictures in a batch",
        )
    if name == "distributed":  # which knows the nets as they are
        return
    parser.add_argument(
        "--no-batch-norm",
        dest="batch_norm",
        action="store_false",
        help="leave batch norm out of the networks",
    )


def _add_ranks(parser):
    shown = ",".join(map(str, choices.RANKS))
    parser.add_argument("--ranks", type=integers(1), default=shown, metavar="N,...", help="processes")
    parser.add_argument(
        "--shards", type=integer(1), default=choices.SHARDS, metavar="N", help="parts of a step's batch"
    )
    for name, unit, default in (("latency", "MS", choices.LATENCY), ("bandwidth", "GBIT", choices.BANDWIDTH)):
        parser.add_argument(
            f"--{name}", type=number(0.0001), default=default, metavar=unit,
            help="between machines, for the model of many of them",
        )  # fmt: skip
    parser.add_argument(
        "--launcher",
        metavar="TEXT",
        help='what starts them, {} being their number (default: "mpiexec -n {}")',
    )


def _add_common(parser, name):
    if name not in ("import", "growth"):
        add_threads(parser, several=name in ("train", "infer"))
    parser.add_argument(
        "--repeat",
        type=integer(1),
        metavar="N",
        help="repetitions, of which "
        + ("the best counts" if name == "peak" else "the median counts")
        + f" (default: {choices.REPEATS.get(name, 'as many as fit into a few seconds')})",
    )
    parser.add_argument("--json", metavar="FILE", help="write everything measured there, too")
    if name != "table":
        parser.add_argument("--markdown", action="store_true", help="print GitHub markdown")


def _add_comparing(parser):
    parser.add_argument("old", metavar="OLD.json", help="what is compared with")
    parser.add_argument("new", metavar="NEW.json", help="what is compared")
    parser.add_argument(
        "--tolerance",
        type=number(0),
        default=choices.TOLERANCE,
        metavar="RATIO",
        help="below it a case is slower: exit status 1",
    )
    parser.add_argument("--markdown", action="store_true", help="print GitHub markdown")


def words(text):
    """An argparse type: 'a,b' as ['a', 'b']."""
    parts = text.split(",")
    if not all(parts):
        raise ArgumentTypeError(f"wanted names with commas between them, got {text!r}")
    return parts
