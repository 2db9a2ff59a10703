"""Train a net with and without batch norm over learning rates and seeds, then anneal both; write tables, two
figures and a summary into a folder.
"""

import sys

from cynet.runs.origins import FLAG
from cynet.runs.places import EMBEDDED
from cynet.runs.settings import DEFAULTS
from cynet.study.choices import RATES, ROUNDS, SEEDS, STEPS, rates, rounds, spelled

from . import options
from .gathering import Flags
from .parser import UsageError, refusing
from .registry import command
from .values import add_threads, flag, integer


def add_flags(parser):
    parser.add_argument("--model", default=DEFAULTS["model"], metavar="NAME", help="the network to study")
    parser.add_argument("--data", default=EMBEDDED, metavar="NAME", help="the data set")
    parser.add_argument("--data-dir", metavar="DIR", help="the folder with the data set's files")
    parser.add_argument(
        "--steps", type=integer(1), default=STEPS, metavar="N", help="of a run, and of a round"
    )
    parser.add_argument(
        "--seeds", type=integer(1, 1000), default=SEEDS, metavar="N", help="runs of each kind"
    )
    parser.add_argument(
        "--batch-size",
        type=integer(2),
        default=DEFAULTS["batch_size"],
        metavar="N",
        help="pictures in a step",
    )
    parser.add_argument(
        "--rates",
        type=flag(rates),
        metavar="RATE,...",
        help=f"learning rates of the runs (default: {spelled(RATES)})",
    )
    parser.add_argument(
        "--rounds",
        type=flag(rounds),
        metavar="RATE,...",
        help=f"learning rates of the annealing, each less than the one before (default: {spelled(ROUNDS)})",
    )
    add_threads(parser)
    parser.add_argument("--run-dir", metavar="DIR", help="write here (default: runs/batchnorm-study-DATA-N)")


@command("a net with and without batch norm over learning rates: tables, figures, summary", order=9)
def run(flags):
    """Check everything, then train."""
    from cynet.core.drawing import figure_class
    from cynet.models import names
    from cynet.runs.beginning import check
    from cynet.runs.nets import is_own
    from cynet.study import life
    from cynet.study.study import Experiment
    from cynet.train import RunFolder, Settings

    from .terminal import say

    if is_own(flags.model):
        wanted = f"wanted one of {', '.join(names())}, with and without batch norm"
        raise UsageError(f"--model: {wanted}, got {flags.model!r:.80}")
    check(vars(flags), dict.fromkeys(vars(flags), FLAG), Flags(), flags.run_dir)
    with refusing("figures"):
        figure_class()
    settings = Settings(
        model=flags.model,
        data=flags.data,
        data_dir=flags.data_dir,
        batch_size=flags.batch_size,
        steps=flags.steps,
        threads=flags.threads,
        workers=0,
    )
    experiment = Experiment(settings, flags.rates or RATES, flags.rounds or ROUNDS, flags.seeds)
    training, test = life.pictures(settings, options.flag_of)
    with refusing("--run-dir" if flags.run_dir else "runs"):
        folder = RunFolder(flags.run_dir, f"batchnorm-study-{flags.data}").path
    stopped = life.conduct(experiment, training, test, folder, _Screen(experiment.runs), say)
    return 128 + stopped if stopped else 0


class _Screen:
    """A bar of runs on a terminal, a line a run elsewhere."""

    def __init__(self, runs):
        self.runs, self.bar = runs, None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=runs, unit=" runs", leave=False)

    def finished(self, run, number):
        end = "diverged" if run.diverged else f"loss {run.loss:.4f}  accuracy {run.accuracy:.4f}"
        net = "batch norm" if run.batch_norm else "plain     "
        text = f"{run.phase:<6}  {net}  lr {run.lr:<5g}  seed {run.seed}  {end}"
        if self.bar is None:
            print(f"{number}/{self.runs}  {text}", flush=True)
        else:
            self.bar.set_postfix_str(" ".join(text.split()), refresh=False)
            self.bar.update()

    def close(self):
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
