"""Train a net with and without batch norm over learning rates and seeds, then anneal both; write tables, two
figures and a summary into a folder.
"""

import contextlib
import sys
import time

from cynet.runs.places import EMBEDDED

from . import options
from .parser import Failure, UsageError, integer, number, refusing
from .registry import command

STEPS, SEEDS = 300, 3


def add_flags(parser):
    parser.add_argument("--model", default="uwnet2", metavar="NAME", help="the network to study")
    parser.add_argument("--data", default=EMBEDDED, metavar="NAME", help="the data set")
    parser.add_argument("--data-dir", metavar="DIR", help="the folder with the data set's files")
    parser.add_argument(
        "--steps", type=integer(1), default=STEPS, metavar="N", help="of a run, and of a round"
    )
    parser.add_argument(
        "--seeds", type=integer(1, 1000), default=SEEDS, metavar="N", help="runs of each kind"
    )
    parser.add_argument("--batch-size", type=integer(2), default=128, metavar="N", help="pictures in a step")
    parser.add_argument(
        "--rates",
        type=rates,
        metavar="RATE,...",
        help="learning rates of the runs (default: .001,.003,.01,.03,.1,.3,1)",
    )
    parser.add_argument(
        "--rounds",
        type=rounds,
        metavar="RATE,...",
        help="learning rates of the annealing, each less than the one before (default: .1,.03,.01,.003,.001)",
    )
    parser.add_argument(
        "--threads",
        type=integer(1, 1024),
        metavar="N",
        help="of the kernels (default: OMP_NUM_THREADS, or all)",
    )
    parser.add_argument("--run-dir", metavar="DIR", help="write here (default: runs/batchnorm-study-DATA-N)")


def rates(text):
    """An argparse type: '.01,.1' as (0.01, 0.1), all above 0 and different."""
    from argparse import ArgumentTypeError

    try:
        found = tuple(number(0)(part) for part in text.split(","))
    except ArgumentTypeError:
        found = ()
    if not found or 0 in found or len(set(found)) < len(found):
        raise ArgumentTypeError(f"wanted RATE,... such as .01,.1, all different and above 0, got {text!r}")
    return found


def rounds(text):
    """An argparse type: rates, each less than the one before."""
    from argparse import ArgumentTypeError

    found = rates(text)
    if list(found) != sorted(found, reverse=True):
        raise ArgumentTypeError(f"wanted each rate less than the one before, got {text!r}")
    return found


@command("a net with and without batch norm over learning rates: tables, figures, summary", order=9)
def run(flags):
    """Check everything, then train."""
    from cynet.runs.beginning import check

    check(vars(flags), dict.fromkeys(vars(flags), options.FLAG), options.Flags(), flags.run_dir)
    from cynet.core.drawing import figure_class

    with refusing("figures"):
        try:
            figure_class()
        except ImportError as error:
            raise ValueError(error) from None
    from cynet import data
    from cynet.runs.session import Settings
    from cynet.study.study import RATES, ROUNDS, Experiment
    from cynet.train import RunFolder, batching

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
    with refusing("--data" if flags.data_dir is None else "--data-dir"):
        training, test = (data.load(flags.data, flags.data_dir, split) for split in ("train", "test"))
    if flags.batch_size > len(training):
        raise UsageError(f"--batch-size: {batching.refusal(len(training), flags.batch_size, 'pictures')}")
    with refusing("--run-dir" if flags.run_dir else "runs"):
        folder = RunFolder(flags.run_dir, f"batchnorm-study-{flags.data}").path
    return _study(experiment, training, test, folder)


def _study(experiment, training, test, folder):
    """Train and write; the exit status."""
    from cynet.study import study_report
    from cynet.study.study import study
    from cynet.train import Signals, Stopped

    from .terminal import say

    start, runs, status = time.monotonic(), [], 0
    with Signals() as signals, contextlib.closing(_Screen(experiment)) as screen:
        say(f"{experiment.runs} runs of {experiment.settings.steps} steps; folder {folder}")
        try:
            for done in study(experiment, training, test, signals.watch):
                runs.append(done)
                screen.finished(done, len(runs))
        except Stopped as stopped:
            status = 128 + stopped.signal
            screen.close()
            say(f"stopped by {stopped} after {len(runs)} of {experiment.runs} runs; writing these")
        except (ValueError, MemoryError) as error:
            raise Failure(f"run {len(runs) + 1}: {str(error) or type(error).__name__}") from error
    seconds = time.monotonic() - start
    study_report.write(folder, experiment, runs, len(training.classes), seconds, complete=not status)
    say(f"{'stopped' if status else 'done'} after {seconds:.0f} s: {folder / study_report.SUMMARY}")
    return status


class _Screen:
    """A bar of runs on a terminal, a line a run elsewhere."""

    def __init__(self, experiment):
        self.experiment, self.bar = experiment, None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=experiment.runs, unit=" runs", leave=False)

    def finished(self, run, number):
        end = "diverged" if run.diverged else f"loss {run.loss:.4f}  accuracy {run.accuracy:.4f}"
        net = "batch norm" if run.batch_norm else "plain     "
        text = f"{run.phase:<6}  {net}  lr {run.lr:<5g}  seed {run.seed}  {end}"
        if self.bar is None:
            print(f"{number}/{self.experiment.runs}  {text}", flush=True)
        else:
            self.bar.set_postfix_str(" ".join(text.split()), refresh=False)
            self.bar.update()

    def close(self):
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
