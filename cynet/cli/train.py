"""Train a model, evaluate it on the test set, and keep the run in a folder, from which it can go on.

A setting is taken from its flag, else from the --config file, else from the --recipe.
"""

from . import options, together
from .gathering import Flags, gather, given
from .parser import Failure, UsageError
from .registry import command

REFUSED_BESIDE_RESUME = ("run_dir", "config", "recipe", "new_head", "init_from", "whiten")


def add_flags(parser):
    group = options.add_flags(parser)["running"]
    group.add_argument(
        "--run-dir", type=options.text, metavar="DIR", help="keep the run here (default: runs/MODEL-DATA-N)"
    )
    group.add_argument(
        "--no-report", dest="report", action="store_false", help="write no report.html and plots at the end"
    )
    together.add_flags(group)
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


@command("train a model and keep the run in a folder", order=1)
def run(flags):
    """Check everything, then train."""
    if not flags.distributed:
        if flags.allow_mixed:
            raise UsageError("--allow-mixed: wanted --distributed beside it, got none")
        return _run(flags)
    if flags.lr_find:
        error = UsageError("--lr-find: not allowed with argument --distributed (give one of the two)")
        return together.refuse("cynet train", error)
    return together.with_all("cynet train", flags.rank_timeout, lambda: _run(flags))


def _run(flags):
    if flags.resume is not None:
        if flags.lr_find:
            raise UsageError("--lr-find: not allowed with argument --resume (give one of the two)")
        return _ended(lambda: _resume(flags))
    if flags.allow_change:
        raise UsageError("--allow-change: wanted a run to go on with beside it, got no --resume")
    values, origins = gather(flags)
    from cynet.runs import beginning

    if flags.lr_find:
        from .lr_find import find

        with beginning.session(values, origins, Flags(flags.config), flags.run_dir) as session:
            return find(session, flags.run_dir)
    return _ended(lambda: beginning.begin(values, origins, flags.run_dir, _company(flags)))


def _resume(flags):
    from cynet.runs import going_on

    for name in REFUSED_BESIDE_RESUME:
        if getattr(flags, name) is not None:
            flag = options.flag_of(name)
            raise UsageError(f"{flag}: not allowed with --resume, which takes all of it from the run")
    return going_on.resume(flags.resume, given(flags), flags.allow_change, _company(flags))


def _company(flags):
    """Who is with the run: this terminal."""
    from cynet import runs
    from cynet.runs.life import Company
    from cynet.runs.log import Voice

    from . import terminal

    report = runs.write_report if flags.report else None
    flagged, mixed = Flags(flags.config), flags.allow_mixed
    return Company(Voice(terminal.say), terminal.Terminal, (), report, flagged, allow_mixed=mixed)


def _ended(trained):
    """The exit status of a run, by its `Outcome`."""
    from cynet.runs.outcome import Interrupted

    try:
        outcome = trained()
    except Interrupted as stopped:
        return 128 + stopped.signal
    if outcome.error is not None:
        raise Failure(outcome.error)
    return 128 + outcome.signal if outcome.signal else 0
