"""Train a model, evaluate it on the test set, and keep configuration, metrics and weights in a run folder."""

import contextlib

from .parser import Failure, UsageError, integer, number, refusing

EMBEDDED = "shapes10"  # the data set that needs no files


def add_flags(parser):
    group = parser.add_argument_group("model")
    group.add_argument("--model", default="uwnet2", metavar="NAME", help="the network to train")
    group.add_argument(
        "--no-batch-norm", dest="batch_norm", action="store_false", help="leave batch norm out of the network"
    )
    group = parser.add_argument_group("data")
    group.add_argument("--data", default=EMBEDDED, metavar="NAME", help="the data set")
    group.add_argument("--data-dir", metavar="DIR", help="the folder with the data set's files")
    group.add_argument(
        "--augment",
        action="store_true",
        help="crop at random from pictures padded by 4 pixels, and flip them",
    )
    group.add_argument("--batch-size", type=integer(1), default=128, metavar="N", help="pictures in a step")
    _training_flags(parser)
    group = parser.add_argument_group("running")
    group.add_argument(
        "--threads",
        type=integer(1, 1024),
        metavar="N",
        help="of the kernels (default: OMP_NUM_THREADS, or all)",
    )
    group.add_argument("--workers", type=integer(0, 64), default=1, metavar="N", help="loader processes")
    group.add_argument("--run-dir", metavar="DIR", help="keep the run here (default: runs/MODEL-DATA-N)")


def _training_flags(parser):
    group = parser.add_argument_group("training")
    length = group.add_mutually_exclusive_group()
    length.add_argument("--steps", type=integer(1), metavar="N", help="steps to train (default: 1500)")
    length.add_argument("--epochs", type=integer(1), metavar="N", help="or passes over the training set")
    group.add_argument("--lr", type=number(0), metavar="RATE", help="learning rate (default: 0.1)")
    group.add_argument(
        "--lr-steps",
        type=milestones,
        metavar="STEP:RATE,...",
        help="the rate from each of these steps on (default: none with --lr; without it a tenth of the rate "
        "after 60%% of the steps, and a hundredth after 84%%)",
    )
    group.add_argument(
        "--momentum", type=number(0, 1), default=0.9, metavar="M", help="of the optimiser, SGD"
    )
    group.add_argument("--weight-decay", type=number(0), default=4e-5, metavar="D", help="pull towards zero")
    group.add_argument(
        "--label-smoothing", type=number(0, 1), default=0.0, metavar="S", help="share spread over all classes"
    )
    group.add_argument(
        "--seed",
        type=integer(0, 2**63 - 1),
        default=0,
        metavar="N",
        help="of weights, order and augmentation",
    )


def milestones(text):
    """An argparse type: '300:.01,420:.001' as {300: 0.01, 420: 0.001}, the steps increasing."""
    from argparse import ArgumentTypeError

    found, last = {}, 0
    for part in text.split(","):
        try:
            step, rate = part.split(":")
            step, rate = integer(0)(step), number(0)(rate)
        except (ValueError, ArgumentTypeError):
            message = f"wanted STEP:RATE,... such as 300:.01,420:.001, got {part!r} in {text!r}"
            raise ArgumentTypeError(message) from None
        if step <= last:
            raise ArgumentTypeError(
                f"wanted steps above 0 that increase, got {step} after {last} in {text!r}"
            )
        found[step] = rate
        last = step
    return found


def run(flags):
    """Check everything, then train."""
    check(flags)
    from cynet import data
    from cynet.train.session import Session, Settings

    values = vars(flags).copy()
    run_dir = values.pop("run_dir")
    settings = Settings(**values)
    with refusing("--data" if settings.data_dir is None else "--data-dir"):
        training, test = (data.load(flags.data, flags.data_dir, split) for split in ("train", "test"))
    try:
        session = Session(settings.resolved(len(training.labels)), training, test)
    except ValueError as error:
        # "lr_steps: wanted ..." names a setting; here it is a flag.
        raise UsageError("--" + str(error).replace("_", "-", 1)) from error
    with session:
        return _train(session, run_dir)


def check(flags):
    """Refuse what can be refused before any data is read."""
    import os

    from cynet import models
    from cynet.train import rundir

    if flags.model not in models.names():
        with refusing("--model"):
            models.create(flags.model)
    if flags.data_dir is not None:
        if flags.data == EMBEDDED:
            raise UsageError(
                f"--data-dir: {EMBEDDED} is made by code and reads no files (did you mean --data NAME?)"
            )
        if not os.path.exists(flags.data_dir):
            raise UsageError(f"--data-dir: no such file or folder: {flags.data_dir}")
    if flags.run_dir is not None:
        with refusing("--run-dir"):
            rundir.check(flags.run_dir)


def _train(session, run_dir):
    from cynet._version import __version__
    from cynet.train import Recorder, RunFolder, Signals

    from .terminal import Terminal

    settings = session.settings
    with refusing("--run-dir" if run_dir else "runs"):
        folder = RunFolder(run_dir, f"{settings.model}-{settings.data}")
    folder.write_config({"cynet": __version__} | settings.flat())
    recorder = Recorder(folder, session.model, session.facts)
    with Signals() as signals:
        _introduce(session, folder)
        with contextlib.closing(Terminal(settings.steps, settings.batch_size)) as screen:
            return _finish(session, recorder, screen, signals)


def _introduce(session, folder):
    from cynet.graph import summary

    from .terminal import say

    s, training, test = session.settings, session.batches.dataset, session.test_batches.dataset
    total = summary(session.model, training.picture_shape)
    say(
        f"model {s.model}{' with batch norm' if s.batch_norm else ''}: {total.parameters:,} parameters, "
        f"{total.macs:,} MACs and {total.activation_bytes:,} activation bytes a picture"
    )
    say(
        f"data {s.data}: {len(training.labels):,} training and {len(test.labels):,} test pictures of "
        f"{len(training.classes)} classes"
    )
    say(
        f"{s.steps} steps of {s.batch_size}; {s.threads} threads, {s.workers} loader workers; "
        f"run {folder.path}"
    )


def _finish(session, recorder, screen, signals):
    """Train, and say how it ended; the exit status."""
    from cynet.data import WorkerLostError
    from cynet.train import Diverged, Stopped, loop

    from .terminal import accuracies, say

    weights, trainer = recorder.folder.weights, session.trainer
    observers = (recorder, screen)
    try:
        result = loop.train(
            trainer, session.batches, session.test_batches, session.settings.steps, observers, signals.watch
        )
    except Stopped as stopped:
        recorder.save()
        screen.close()
        say(f"stopped by {stopped} after {trainer.steps} steps; the weights so far are in {weights}")
        return 128 + stopped.signal
    except (WorkerLostError, TimeoutError, MemoryError) as error:
        raise Failure(f"step {trainer.steps + 1}: {error or type(error).__name__}") from error
    except Diverged as error:
        kept = (
            f"{weights} holds those of the last evaluation"
            if weights.exists()
            else "there are no earlier ones"
        )
        raise Failure(
            f"{error}; try a lower --lr (it was {trainer.optimizer.lr:g}). The weights were not kept: {kept}"
        ) from error
    screen.close()
    say(f"weights in {weights}")
    say(accuracies(result.test, session.facts.classes))
    return 0
