"""Train the first steps of a run again, and compare losses and weights to the last bit."""

import sys

from . import options, trained
from .parser import Failure, UsageError, integer, refusing

STEPS = 100


def add_flags(parser):
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("--steps", type=integer(1), default=STEPS, metavar="N", help="how many, at most")
    parser.add_argument("--data-dir", metavar="DIR", help="the folder with the data set (default: the run's)")
    parser.add_argument("--workers", type=integer(0, 64), metavar="N", help="loader processes")
    trained.add_threads(parser)


def run(flags):
    from cynet.train import RunFolder, compare, environment

    from . import train
    from .terminal import say

    with refusing("RUN"):
        folder = RunFolder.open(flags.run)
    settings = stored(folder, "RUN")
    values = vars(settings) | {"threads": flags.threads}
    for name in ("data_dir", "workers"):
        if getattr(flags, name) is not None:
            values[name] = getattr(flags, name)
    origins = dict.fromkeys(values, options.FLAG)
    train.check(values, origins)
    training, test = train.load(values)
    with train.session_of(type(settings)(**values), training, test, origins) as session:
        past = compare.history(folder, settings, len(training.classes))
        steps = min(flags.steps, past.until(), settings.steps or flags.steps)
        if not past.digests:
            raise UsageError(f"RUN: {folder.path} has no steps to compare with")
        for line in _unlike(folder, session, environment):
            say(f"note: {line}")
        found, losses, digests = compare.replayed(session, past, steps, _bar(steps))
    if found:
        raise Failure(f"{folder.path} cannot be repeated: {found}")
    say(f"{folder.path}: {losses} losses and {digests} digests of the weights are equal, to step {steps}")
    return 0


def stored(folder, argument):
    """The `Settings` in a run folder."""
    from cynet.train.rundir import CONFIG
    from cynet.train.settings import Settings

    return Settings(**options.DEFAULTS | options.read(folder.path / CONFIG, argument))


def _unlike(folder, session, environment):
    before = folder.read_environment()
    now = environment.describe(session.settings, session.batches.dataset.fingerprint())
    lines = [f"not as in the run: {line}" for line in environment.differences(before, now)] if before else []
    parts = [str(part.get("after_step")) for part in before.get("resumed", [])]
    return lines + ([f"the run was resumed after step {', '.join(parts)}"] if parts else [])


def _bar(steps):
    """A function that moves a bar on a terminal."""
    if not sys.stderr.isatty():
        return lambda step: None
    from tqdm import tqdm

    bar = tqdm(total=steps, unit=" steps", leave=False)
    return lambda step: bar.update()
