"""Train a model, evaluate it on the test set, and keep the run in a folder, from which it can go on.

A setting is taken from its flag, else from the --config file, else from the --recipe.
"""

import contextlib
import os

from cynet.core.shell import quoted

from . import options
from .parser import Failure, UsageError, reason, refusing
from .places import EMBEDDED


def add_flags(parser):
    group = options.add_flags(parser)["running"]
    group.add_argument(
        "--run-dir", type=options.text, metavar="DIR", help="keep the run here (default: runs/MODEL-DATA-N)"
    )
    group.add_argument(
        "--no-report", dest="report", action="store_false", help="write no report.html and plots at the end"
    )
    group = parser.add_argument_group("configuration")
    group.add_argument("--recipe", metavar="NAME", help="take the settings of a recipe of the package")
    group.add_argument("--config", metavar="FILE", help="take settings from a TOML file, as from config.toml")
    group.add_argument(
        "--lr-find", action="store_true", help="train nothing: draw the loss over learning rates, suggest one"
    )
    group = parser.add_argument_group("going on")
    group.add_argument(
        "--resume", type=options.text, metavar="RUN", help="go on with a run that was stopped, in its folder"
    )
    group.add_argument(
        "--allow-change",
        metavar="NAME",
        action="append",
        default=[],
        help="with --resume: let a flag change this setting, though the weights depend on it",
    )


def run(flags):
    """Check everything, then train."""
    if flags.resume is not None:
        if flags.lr_find:
            raise UsageError("--lr-find: not allowed with argument --resume (give one of the two)")
        from .resume import resume

        return resume(flags)
    if flags.allow_change:
        raise UsageError("--allow-change: wanted a run to go on with beside it, got no --resume")
    values, origins = options.gather(flags)
    check(values, origins, flags.run_dir, flags.config)
    from cynet.train.settings import Settings

    training, test = load(values, lambda name: options.named(name, origins[name], flags.config))
    with session_of(Settings(**values), training, test, origins, config=flags.config) as session:
        if flags.lr_find:
            from .lr_find import find

            return find(session, flags.run_dir)
        return _begin(session, origins, flags.run_dir, flags.report)


def check(values, origins, run_dir=None, config=None):
    """Refuse what can be refused before any data is read."""
    from cynet import models
    from cynet.data import registry
    from cynet.train import rundir

    from .data import known, of_pictures

    def name(setting):
        return options.named(setting, origins[setting], config)

    if values["model"] not in models.names():
        with refusing(name("model")):
            models.create(values["model"])
    known(values["data"], name("data"), "--data ")
    if values.get("skip_damaged"):
        of_pictures(name("skip_damaged"), values["data"])
    if values["data_dir"] is not None:
        if values["data"] == EMBEDDED:
            kind = registry.kind_of(values["data_dir"]) or "NAME"
            raise UsageError(
                f"{name('data_dir')}: {EMBEDDED} is made by code and reads no files "
                f"(did you mean --data {kind}?)"
            )
        if not os.path.exists(values["data_dir"]):
            raise UsageError(f"{name('data_dir')}: no such file or folder: {values['data_dir']}")
    elif values["data"] in registry.OWN:
        raise UsageError(f"{name('data_dir')}: wanted the place of the files of {values['data']}, got none")
    if values.get("tensorboard"):
        from cynet.train import tensorboard

        try:
            tensorboard.writer_class()
        except ImportError as error:
            raise UsageError(f"{name('tensorboard')}: {error}") from error
    if run_dir is not None:
        with refusing("--run-dir"):
            rundir.check(run_dir)


def load(values, named=options.flag_of):
    """The training and the test set of these settings; every command that trains takes them from here.

    `named` gives what a message calls a setting.
    """
    from cynet import data
    from cynet.train.settings import data_options

    name, root, more = values["data"], values["data_dir"], data_options(values)
    with refusing(named("data" if root is None else "data_dir")):
        return [data.load(name, root, split, **more) for split in ("train", "test")]


def session_of(settings, training, test, origins, initial=True, config=None):
    """A `Session` of settings that are not yet resolved; `origins` learns where the steps came from."""
    from cynet.train.session import Session
    from cynet.train.validation import Division

    if settings.epochs:
        origins["steps"] = origins["epochs"]
    try:
        samples = len(Division.of(training, settings).kept)
        settings = _warmed_up(settings, samples, origins)
        return Session(settings.resolved(samples), training, test, initial)
    except (ValueError, OSError) as error:
        raise _named(error, origins, config) from error


def _warmed_up(settings, samples, origins):
    """With a recipe's warm-up cut to a tenth of the steps where a shortened run would end within it."""
    from dataclasses import replace

    steps = replace(settings, warmup=0).resolved(samples).steps
    if settings.warmup < steps or not origins["warmup"].startswith("recipe "):
        return settings
    origins["warmup"] += f" (its {settings.warmup} steps of warm-up cut to a tenth of the run)"
    return replace(settings, warmup=steps // 10)


def _named(error, origins, config):
    """The error of a setting, "lr_steps: wanted ...", with the name of the flag or the file it came from."""
    name, colon, rest = reason(error).partition(": ")
    if name in origins:
        return UsageError(f"{options.named(name, origins[name], config)}{colon}{rest}")
    if isinstance(error, OSError):
        return UsageError(f"{options.named('init_from', origins['init_from'], config)}: {name}{colon}{rest}")
    return UsageError(str(error))


def _begin(session, origins, run_dir, report):
    """Make the folder, see that there is room in it, and train."""
    from cynet.train import RunFolder, environment

    from . import remarks

    settings = session.settings
    placed = refusing if run_dir else _unplaced
    flag = "--run-dir"
    with placed(flag):
        folder = RunFolder(run_dir, f"{settings.model}-{settings.data}")
    with contextlib.closing(folder):
        try:
            with placed(flag):
                folder.lock()
                folder.reserve(size_of(session, origins))
                write_config(folder, settings, origins)  # first: from now on the run can be resumed
                folder.write_environment(environment.describe(session))
        except UsageError:
            folder.discard()
            raise
        return train(session, folder, origins, news=remarks.of(session), report=report)


@contextlib.contextmanager
def _unplaced(flag):
    """As `refusing`, where the run's folder was not told: the flag is what helps."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise UsageError(f"{reason(error)} ({flag} DIR keeps the run elsewhere)") from error


def size_of(session, origins):
    """Bytes that a checkpoint of this session takes."""
    from cynet.train import checkpoint
    from cynet.train.state import capture

    return len(checkpoint.pack(*capture(session, origins)))


def write_config(folder, settings, origins):
    """Write the configuration of a run, with the origin of every value."""
    from cynet._version import __version__

    folder.write_config({"cynet": __version__} | settings.flat(), origins)


def train(session, folder, origins, best=None, seconds=0.0, news=(), report=False):
    """Train a session to its end, in its folder, from where it stands; the exit status.

    Parameters
    ----------
    session : Session
    folder : RunFolder
        Locked.
    origins : dict
    best, seconds
        See `Recorder`.
    news : sequence of str
        Lines to say at the beginning.
    report : bool, optional
        Whether to write report.html at the end.
    """
    import signal

    from cynet.data import auto
    from cynet.train import Keeper, Recorder, Signals
    from cynet.train.diagnosis import Doctor
    from cynet.train.rundir import LOG

    from .estimate import Estimate
    from .terminal import Terminal, logged, say

    settings, folder.tell = session.settings, say
    with Signals() as signals, logged(folder.own(LOG)) as folder.log:
        try:
            recorder = Recorder(folder, session, best, seconds)
            keeper = Keeper(folder, session, recorder, origins)
            _introduce(session, folder)
            if origins.get("workers") == options.DEFAULT:
                say(auto.beside(settings.threads)[1])
            for line in (*options.described(settings, origins), *news):
                say(line)
            screen = Terminal(settings.steps, settings.batch_size, done=session.trainer.steps)
            with contextlib.ExitStack() as stack:
                stack.enter_context(contextlib.closing(screen))
                folder.tell = screen.say
                observers = [recorder, keeper, screen, Estimate(session, screen.say)]
                observers.append(Doctor(session, screen.say))
                if settings.tensorboard:
                    from cynet.train.tensorboard import TensorBoard

                    board = TensorBoard(folder.path, session.trainer.steps)
                    observers.append(stack.enter_context(contextlib.closing(board)))
                return _finish(session, observers, signals, report)
        except KeyboardInterrupt:  # the second signal
            with contextlib.suppress(OSError):
                folder.follow()
            last = folder.checkpoint
            last = f"{last} is the last checkpoint" if last else "there is no checkpoint yet"
            say(f"stopped at once; {last}; to go on: cynet train --resume {quoted(folder.path)}")
            return 128 + (signals.pending or signal.SIGINT)


def _introduce(session, folder):
    from cynet.graph import summary
    from cynet.train.validation import VALIDATION

    from .terminal import say

    s, training, test = session.settings, session.batches.dataset, session.test_batches.dataset
    total = summary(session.model, training.picture_shape)
    say(total)
    say(
        f"model {s.model}{' with batch norm' if s.batch_norm else ''}: {total.parameters:,} parameters, "
        f"{total.macs:,} MACs and {total.activation_bytes:,} activation bytes a picture"
    )
    parts = f"{len(session.division.kept):,} training"
    if session.measure == VALIDATION:
        parts += f", {len(session.division.held_out):,} {VALIDATION}"
    say(
        f"data {s.data}: {parts} and {len(test.labels):,} test pictures of {len(training.classes)} classes"
    )
    for note in dict.fromkeys((*getattr(training, "notes", ()), *getattr(test, "notes", ()))):
        say(f"note: {note}")
    say(
        f"{s.steps} steps of {s.batch_size}; {s.threads} threads, {s.workers} loader workers; "
        f"run {folder.path}"
    )


def _finish(session, observers, signals, report):
    """Train, and say how it ended; the exit status."""
    from cynet.train import Diverged
    from cynet.train.hold import GoneError

    from . import divergence, ending
    from .terminal import say

    recorder, _, screen, *_ = observers
    folder, trainer = recorder.folder, session.trainer
    try:
        test, status = _trained(session, observers, signals)
    except MemoryError as error:
        raise Failure(f"step {trainer.steps + 1}: {str(error) or type(error).__name__}") from error
    except GoneError as error:
        raise Failure(f"after step {trainer.steps}: {reason(error)}") from error
    except OSError as error:  # of a file that a step, an evaluation or the end is noted in
        try:
            folder.follow()  # for what is said of it
        except GoneError as gone:  # which is why
            raise Failure(f"after step {trainer.steps}: {reason(gone)}") from error
        except OSError:
            pass
        raise Failure(f"after step {trainer.steps}: {reason(error)}; {_again(folder)}") from error
    except Diverged as error:
        screen.close()
        divergence.explain(session, folder, error)
        raise Failure(f"{error}; try a lower learning rate (it was {trainer.optimizer.lr:g})") from error
    if status:
        return status
    screen.close()
    if trainer.steps < session.settings.steps:
        say(f"stopped after {trainer.steps} steps: {session.settings.patience} epochs brought nothing better")
    ending.conclude(session, folder, recorder.best, test, report)
    return 0


def _trained(session, observers, signals):
    """Train, or save where it is to stop: (`Evaluation` of the test set, 0), or (None, the exit status)."""
    from cynet.train import Stopped

    from . import ending

    recorder, *_ = observers

    def watch(items):
        return _guarded(signals.watch(items))

    try:
        result = session.train(observers, watch)
        return ending.tested(session, recorder.folder, recorder.best, watch) or result.test, 0
    except (Stopped, _Unread) as stopped:
        return None, _stopped(stopped, observers)


def _stopped(stopped, observers):
    """Save what there is; the exit status of a training that a signal stopped."""
    from .terminal import say

    recorder, keeper, screen, *_ = observers
    folder, steps = recorder.folder, recorder.trainer.steps
    unread = isinstance(stopped, _Unread)
    try:
        keeper.save()
        recorder.save()
    except OSError as error:
        if unread:  # what the training ended with is not to be forgotten
            raise type(error)(error.errno, f"{stopped}; then {reason(error)}") from error
        raise
    screen.close()
    say(f"checkpoint in {keeper.path}; to go on: cynet train --resume {quoted(folder.path)}")
    if unread:
        raise Failure(f"after step {steps}: {stopped}") from stopped
    say(f"stopped by {stopped} after {steps} steps; the weights so far are in {folder.weights}")
    return 128 + stopped.signal


def _again(folder):
    """What a training that broke can go on from, and how."""
    from cynet.train.rundir import CHECKPOINTS

    known = folder.checkpoint
    if known is None and any(os.path.lexists(folder.path / name) for name in CHECKPOINTS):
        return "there is no checkpoint to go on from"
    return f"to go on from {known or 'the stored configuration'}: cynet train --resume {quoted(folder.path)}"


class _Unread(Exception):
    """The next batch could not be made; the training is as it was after the last step."""


def _guarded(items):
    """The items; what goes wrong while one is made becomes `_Unread`."""
    from cynet.train import Stopped

    items = iter(items)
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except Stopped:
            raise
        except Exception as error:
            known = isinstance(error, (OSError, ValueError)) and str(error)
            raise _Unread(reason(error) if known else f"{type(error).__name__}: {error}") from error
        yield item
