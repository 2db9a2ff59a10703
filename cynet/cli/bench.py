"""Time kernels, layers and models, alone or side by side with PyTorch; measure memory, imports, and what the
machine can do at most.
"""

import argparse
import contextlib
import sys

from .parser import Failure, integer, number, refusing
from .registry import command

WHAT = {
    "peak": "multiply-adds a second, and bytes a second of memory, of this machine",
    "kernels": "every kernel over the models' shapes and a sweep of sizes, against that peak",
    "train": "steps of training",
    "infer": "passes of inference",
    "memory": "peak memory of processes that train",
    "import": "the time of `import cynet`",
    "loader": "loading batches: images a second, memory, and what training loses by it",
    "profile": "one model's training step, layer by layer, against the machine's roof",
    "table": "train, infer, memory and import against a peer, as GitHub markdown",
    "compare": "two files that --json wrote, case by case: what got faster, and what slower",
}
MODELS = "uwnet1,uwnet2,resnet20,vgg_small"  # as cynet.bench.setting has them
DEFAULTS = {"profile": "uwnet2", "kernels": f"uwnet0,{MODELS}"}  # where not MODELS
PEERS = ("torch",)
REPEATS = {"peak": 30, "memory": 3, "import": 15}  # by default


def add_flags(parser):
    of = parser.commands(WHAT)
    for name in ("kernels", "train", "infer", "memory", "profile", "table"):
        _model_flags(of[name], name)
    of["loader"].add_argument(
        "--batch-size", type=integer(1, 12800), default=128, metavar="N", help="pictures in a batch"
    )
    for name in ("train", "infer", "memory", "import", "loader"):
        of[name].add_argument(
            "--against", choices=PEERS, metavar="PEER", help="take turns with this framework: torch"
        )
    of["table"].add_argument(
        "--against", choices=PEERS, default="torch", metavar="PEER", help="the framework beside cynet"
    )
    of["peak"].add_argument(
        "--array-size",
        type=number(0.001),
        metavar="MIB",
        help="of each array streamed (default: four last-level caches)",
    )
    of["memory"].add_argument("--steps", type=integer(1), default=10, metavar="N", help="of each training")
    of["kernels"].add_argument(
        "--only", type=words, metavar="TEXT,...", help="kernels whose name holds one of these"
    )
    of["kernels"].add_argument(
        "--largest",
        type=number(0),
        metavar="MIB",
        help="no larger arrays in the sweep; 0: no sweep (default: beyond the last-level cache)",
    )
    for name, each in of.items():
        if name != "compare":
            _common_flags(each, name)
    _comparing_flags(of["compare"])


def _comparing_flags(parser):
    parser.add_argument("old", metavar="OLD.json", help="what is compared with")
    parser.add_argument("new", metavar="NEW.json", help="what is compared")
    parser.add_argument(
        "--tolerance",
        type=number(0),
        default=0.97,
        metavar="RATIO",
        help="below it a case is slower: exit status 1",
    )
    parser.add_argument("--markdown", action="store_true", help="print GitHub markdown")


def _model_flags(parser, name):
    parser.add_argument(
        "--model",
        type=words,
        action="extend",
        metavar="NAME,...",
        help=f"the networks; may be given again (default: {DEFAULTS.get(name, MODELS)})",
    )
    if name in ("train", "infer", "memory"):
        size = {"infer": "128,1"}.get(name, "128")
        parser.add_argument(
            "--batch-size", type=integers(1), default=size, metavar="N,...", help="pictures in a batch"
        )
    elif name != "table":
        parser.add_argument(
            "--batch-size", type=integer(1), default=128, metavar="N", help="pictures in a batch"
        )
    parser.add_argument(
        "--no-batch-norm",
        dest="batch_norm",
        action="store_false",
        help="leave batch norm out of the networks",
    )


def _common_flags(parser, name):
    several = name in ("train", "infer")
    if name != "import":
        parser.add_argument(
            "--threads",
            type=integers(1, 1024) if several else integer(1, 1024),
            metavar="N,..." if several else "N",
            help=("of the kernels; several are compared" if several else "of the kernels")
            + " (default: OMP_NUM_THREADS, or all)",
        )
    parser.add_argument(
        "--repeat",
        type=integer(1),
        metavar="N",
        help="repetitions, of which "
        + ("the best counts" if name == "peak" else "the median counts")
        + f" (default: {REPEATS.get(name, 'as many as fit into a few seconds')})",
    )
    parser.add_argument("--json", metavar="FILE", help="write everything measured there, too")
    if name != "table":
        parser.add_argument("--markdown", action="store_true", help="print GitHub markdown")


def words(text):
    """An argparse type: 'a,b' as ['a', 'b']."""
    parts = text.split(",")
    if not all(parts):
        raise argparse.ArgumentTypeError(f"wanted names with commas between them, got {text!r}")
    return parts


def integers(least, most=2**31 - 1):
    """An argparse type: '1,2,4' as (1, 2, 4)."""
    one = integer(least, most)
    return lambda text: tuple(one(part) for part in text.split(","))


@command("time kernels, layers and models, also against PyTorch; memory; the machine's peak", order=10)
def run(flags):
    """Check everything, measure, print; of files only compare, and 1 where something got slower."""
    if flags.what == "compare":
        return _compare(flags)
    check(flags)
    from cynet.bench import document, environment
    from cynet.core import threads

    wanted = getattr(flags, "threads", None)
    if wanted:
        threads.set_num_threads(wanted if isinstance(wanted, int) else max(wanted))
    reports = []
    with contextlib.closing(_Progress()) as progress:
        try:
            for report in _RUNS[flags.what](flags, progress):
                progress.close()
                reports.append(report)
        except (ValueError, MemoryError) as error:
            raise Failure(f"{flags.what}: {str(error) or 'out of memory'}") from error
    facts = environment.describe(getattr(flags, "against", None))
    _print(flags, reports, environment.headline(facts))
    if flags.json is not None:
        document.write(flags.json, flags.what, facts, vars(flags), reports)


def _compare(flags):
    from cynet.bench.compare import compare

    with refusing("compare"):
        found = compare(flags.old, flags.new, flags.tolerance)
    print(found.report.markdown() if flags.markdown else found.report.text())
    return int(bool(found.slower))


def check(flags):
    """Refuse what can be refused before anything is measured."""
    from cynet import models
    from cynet.bench import document, peers

    if "model" in flags:
        flags.model = flags.model or words(DEFAULTS.get(flags.what, MODELS))
        flags.model = list(dict.fromkeys(flags.model))
        for name in flags.model:
            if name not in models.names():
                with refusing("--model"):
                    models.create(name)
    if flags.json is not None:
        with refusing("--json"):
            document.check(flags.json)
    if getattr(flags, "against", None):
        with refusing("--against"):
            peers.load(flags.against)


def _print(flags, reports, headline):
    markdown = flags.what == "table" or flags.markdown
    for report in reports:
        if len(reports) > 1:
            print(f"{'### ' if markdown else ''}{report.command}\n")
        print(report.markdown() if markdown else report.text())
        print()
    print(headline)


def _peak(flags, watch):
    from cynet.bench import peak

    size = int(flags.array_size * 2**20) if flags.array_size else None
    measured = peak.measure(size, flags.repeat or peak.REPEAT, watch=lambda *at: watch(*at, "peak"))
    yield peak.report(measured)


def _kernels(flags, watch):
    from cynet.bench import kernels, peak

    largest = None if flags.largest is None else flags.largest * 2**20
    found = kernels.chosen(flags.model, flags.batch_size, flags.batch_norm, largest)
    roof = peak.measure(watch=lambda *at: watch(*at, "peak"))
    yield kernels.measure(found, roof, flags.only or (), flags.repeat, watch)


def _setup(flags, training, batch_sizes, threads=()):
    from cynet.bench.speed import Setup

    return Setup(
        training, tuple(flags.model), batch_sizes, threads, flags.batch_norm, flags.against, flags.repeat
    )


def _speed(flags, watch):
    from cynet.bench import speed

    yield speed.measure(_setup(flags, flags.what == "train", flags.batch_size, flags.threads or ()), watch)


def _memory(flags, watch):
    from cynet.bench import processes

    setup = _setup(flags, True, flags.batch_size)
    yield processes.memory(setup, flags.repeat or REPEATS["memory"], flags.steps, watch)


def _import(flags, watch):
    from cynet.bench import processes

    yield processes.imports(flags.against, flags.repeat or REPEATS["import"], watch)


def _loader(flags, watch):
    from cynet.bench import loading

    yield loading.speed(flags.batch_size, flags.against, flags.repeat, watch)
    yield loading.cost(flags.batch_size, flags.repeat, watch)
    yield loading.training(flags.batch_size, flags.repeat, watch)


def _profile(flags, watch):
    from cynet.bench import peak, per_layer

    roof = peak.measure(watch=lambda *at: watch(*at, "peak"))
    for name in flags.model:
        yield per_layer.measure(name, roof, flags.batch_size, flags.batch_norm, flags.repeat, watch)


def _table(flags, watch):
    from cynet.bench import processes, speed

    yield speed.measure(_setup(flags, True, (128,)), watch)
    yield speed.measure(_setup(flags, False, (128, 1)), watch)
    yield processes.memory(_setup(flags, True, (128,)), flags.repeat or REPEATS["memory"], watch=watch)
    yield processes.imports(flags.against, flags.repeat or REPEATS["import"], watch)


_RUNS = {
    "peak": _peak,
    "kernels": _kernels,
    "train": _speed,
    "infer": _speed,
    "memory": _memory,
    "import": _import,
    "loader": _loader,
    "profile": _profile,
    "table": _table,
}


class _Progress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self):
        self.bar = None

    def __call__(self, done, total, text):
        if not sys.stderr.isatty():
            return
        if self.bar is None or self.bar.total != total:
            from tqdm import tqdm

            self.close()
            self.bar = tqdm(total=total, leave=False)
        self.bar.set_description(text, refresh=False)
        self.bar.n = done
        self.bar.refresh()

    def close(self):
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
        self.bar = None
