"""Train the first steps of a run again, and compare every loss and every tensor with what it kept."""

from . import trained
from .gathering import Flags
from .parser import Failure, UsageError, reason, refusing
from .registry import command
from .values import add_threads, integer


def add_flags(parser):
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("--steps", type=integer(1), default=20, metavar="K", help="how many steps")
    parser.add_argument("--data-dir", metavar="DIR", help="the folder with the data set's files now")
    trained.add_model(parser)
    add_threads(parser, "; the bytes do not depend on it")


@command("train a run's first steps again and compare every byte", order=6)
def run(flags):
    from cynet.runs import nets, replay

    from .again import opened
    from .terminal import say

    stored = opened(flags.run)
    with refusing("--model"):
        stored.net = nets.of(flags.net)
    steps = min(flags.steps, stored.repeatable)
    if not steps:
        why = "".join(f" ({note})" for note in stored.history.notes[:1])
        raise UsageError(f"RUN: wanted a run of at least one step, {flags.run} has none to train again{why}")
    for note in stored.history.notes:
        say(f"note: {note}")
    gaps = stored.history.gaps(steps)
    if not any(step <= steps for step in stored.history.digests):
        raise Failure(f"nothing to compare: {stored.folder.digests.path} holds no digests of these steps")
    if gaps:
        say(f"note: {stored.folder.digests.path} lacks the digests of step {', '.join(map(str, gaps))}")
    damaged = _files(stored, say)
    changes = {"threads": flags.threads}
    if flags.data_dir is not None:
        changes["data_dir"] = flags.data_dir
    with stored.replay(Flags(), **changes) as again:
        found = replay.verify(again, stored.history, steps)
        environment = _environment(stored, again.session)
    return _told(stored, steps, found, environment, say) or int(damaged)


def _files(stored, say):
    """Read every file that has digests of its own; whether one is damaged."""
    problems = stored.soundness()
    for name, problem in problems.items():
        say(f"{name}: sound" if problem is None else f"damaged: {reason(problem)}")
    return any(problems.values())


def _environment(stored, session):
    """In what this machine and build differ from those of the run."""
    from cynet.runs import environment

    now = environment.describe(session)
    return environment.differences(stored.environment, now) if stored.environment else []


def _told(stored, steps, found, environment, say):
    """Say what was found; the exit status."""
    if stored.limit:
        say(f"settings were changed after step {stored.limit}: only the steps up to it can be trained again")
    if not found:
        kept = [step for step in stored.history.digests if step <= steps]
        say(f"equal: {steps} losses, and every tensor after step {', '.join(map(str, sorted(kept)))}")
        return 0
    losses = [difference for difference in found if difference.what == "loss"]
    tensors = [difference for difference in found if difference.what != "loss"]
    for difference in losses + tensors[:1]:
        say(f"differs {difference} (kept, now)")
    if len(tensors) > 1:
        say(f"and {len(tensors) - 1} more tensors after step {tensors[0].step}")
    for line in environment:
        say(f"perhaps because of {line} (then, now)")
    return 1
