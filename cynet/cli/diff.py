"""Compare runs: their settings, where they were trained, their results, and where two part."""

from . import options
from .parser import Failure, UsageError


def add_flags(parser):
    parser.add_argument("one", metavar="RUN", help="a run folder")
    parser.add_argument("other", metavar="RUN", help="another one")
    parser.add_argument("more", nargs="*", metavar="RUN", help="further ones, for a table of all")
    parser.add_argument(
        "--replay",
        action="store_true",
        help="train two runs again, side by side, to the very step and tensor where they part",
    )


def run(flags):
    """Say everything; 1 where the weights differ."""
    from cynet.runs import environment

    from .again import opened
    from .terminal import say

    if flags.more:
        if flags.replay:
            raise UsageError(f"--replay: wanted two runs to train again, got {2 + len(flags.more)}")
        return _several([opened(path) for path in (flags.one, flags.other, *flags.more)], say)
    one, other = opened(flags.one), opened(flags.other)
    say(f"{one.folder.path} against {other.folder.path}")
    for line in settings(one, other):
        say(f"setting {line}")
    for run in (one, other):
        if run.limit:
            say(f"{run.folder.path} was resumed with other settings after step {run.limit}")
    for note in (*_notes(one), *_notes(other)):
        say(f"note: {note}")
    for line in environment.differences(one.environment, other.environment):
        say(f"environment {line}")
    for line in results(one, other):
        say(line)
    differ = divergence(one, other, say)
    if differ and flags.replay:
        say(replayed(one, other))
    return int(differ)


def _several(runs, say):
    """Say in a table in what runs differ; 1 where the weights of one are not those of the first."""
    from .tables import aligned

    flat = [run.settings.flat() for run in runs]
    rows = [[name, *(_cell(values[name]) for values in flat)] for name in flat[0] if _differ(name, flat)]
    measured = [run.results for run in runs]
    for name in dict.fromkeys(name for found in measured for name in found):
        rows.append([name, *(found.get(name, "-") for found in measured)])
    parted = [None, *(_parting(runs[0].history, run.history) for run in runs[1:])]
    rows.append(["parts from the first", "-", *(text or "equal" for text in parted[1:])])
    heading = ["run", *(run.folder.path.absolute().name for run in runs)]
    say(aligned([*row, ""] for row in [heading, *rows]))
    for note in dict.fromkeys(note for run in runs for note in _notes(run)):
        say(f"note: {note}")
    return int(any(parted))


def _notes(run):
    """What of a run's tables could not be read."""
    return (*run.folder.metrics.take()[1], *run.history.notes)


def _differ(name, flat):
    return len({str(values[name]) for values in flat}) > 1


def _cell(value):
    return "-" if value is None else str(value)


def _parting(one, other):
    """Where the second of two histories leaves the first, None where nothing says that it does."""
    from cynet.runs import replay

    loss, (_, tensors) = replay.first_loss(one, other), replay.first_tensors(one, other)
    steps = [difference.step for difference in (loss, *tensors[:1]) if difference is not None]
    if steps:
        return f"at step {min(steps)}" if min(steps) else "before step 1"
    known = one.losses.keys() & other.losses.keys() and one.digests.keys() & other.digests.keys()
    return None if known else "not known"


def settings(one, other):
    """A line for each setting that is not the same, with its origins."""
    from cynet.runs.settings import FREE

    flat = one.settings.flat(), other.settings.flat()
    for name in flat[0]:
        values = [values[name] for values in flat]
        if values[0] != values[1]:
            texts = [
                f"{value} ({run.origins.get(name)})" for value, run in zip(values, (one, other), strict=True)
            ]
            free = ", on which the weights do not depend" if name in FREE else ""
            yield f"{name}: {texts[0]} against {texts[1]}{free}"


def results(one, other):
    """A line for each measure of the last evaluation of both."""
    here, there = one.results, other.results
    if here and there:
        for name in dict.fromkeys([*here, *there]):
            if here.get(name) != there.get(name):
                yield f"result {name}: {here.get(name, 'none')} against {there.get(name, 'none')}"


def lengths_of(histories):
    """The last step of each."""
    return [max(history.losses, default=0) for history in histories]


def divergence(one, other, say):
    """Say where two histories part; whether they do."""
    from cynet.runs import replay

    histories = one.history, other.history
    loss, (equal, tensors) = replay.first_loss(*histories), replay.first_tensors(*histories)
    common = len(histories[0].losses.keys() & histories[1].losses.keys())
    if loss is None and not tensors:
        if not common or equal is None:
            what = "losses of the same steps" if not common else "digests of the same steps"
            raise Failure(f"nothing says that they are equal: they have no {what} (steps.csv, digests.csv)")
        for run in (one, other):
            if gaps := run.history.gaps(min(lengths_of(histories))):
                where = run.folder.digests.path
                say(f"note: {where} lacks the digests of step {', '.join(map(str, gaps))}")
        lengths = lengths_of(histories)
        longer = "" if lengths[0] == lengths[1] else f"; they have {lengths[0]} and {lengths[1]} steps"
        say(f"equal: the losses of {common} steps, and all tensors up to step {equal}{longer}")
        return False
    if loss is not None:
        say(f"the losses part {loss}")
    if equal is not None:
        say(f"all tensors are equal after step {equal}")
    if tensors:
        names = ", ".join(difference.what for difference in tensors[:4])
        more = f" and {len(tensors) - 4} more" if len(tensors) > 4 else ""
        when = f"after step {tensors[0].step}" if tensors[0].step else "before the first step"
        say(f"tensors that differ {when}: {names}{more}")
    return True


def replayed(one, other):
    """Train both again until they part; what was found, in words."""
    from cynet.runs import replay

    names, lengths = options.Flags(), (run.settings.steps for run in (one, other))
    steps = min(one.repeatable, other.repeatable, *filter(None, lengths))  # whatever steps a table names
    with one.replay(names, threads=None) as here, other.replay(names, threads=None) as there:
        found = replay.first_difference(here, there, steps)
    if found is None:
        return (
            f"trained again, both are equal for {steps} steps: the runs part by their machines or builds, or "
            "by settings that were changed on the way"
        )
    return f"trained again, they part {found}"
