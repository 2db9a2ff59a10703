"""Runs side by side: in which settings, results and bytes they differ, and where they part."""

from . import replay
from .errors import FailedError
from .settings import FREE


def notes(run):
    """What of a run's tables could not be read."""
    return (*run.folder.metrics.take()[1], *run.history.notes)


def table(runs):
    """Rows of texts, a heading first: what differs among runs, and where each parts from the first.

    Parameters
    ----------
    runs : sequence of Run

    Returns
    -------
    rows : list of list of str
    part : bool
        Whether one has other bytes than the first, or nothing tells that it has not.
    """
    flat = [run.settings.flat() for run in runs]
    differ = [name for name in flat[0] if len({str(values[name]) for values in flat}) > 1]
    rows = [[name, *(_cell(values[name]) for values in flat)] for name in differ]
    measured = [run.results for run in runs]
    for name in dict.fromkeys(name for found in measured for name in found):
        rows.append([name, *(found.get(name, "-") for found in measured)])
    parted = [parting(runs[0].history, run.history) for run in runs[1:]]
    rows.append(["parts from the first", "-", *(text or "equal" for text in parted)])
    heading = ["run", *(run.folder.path.absolute().name for run in runs)]
    return [heading, *rows], any(parted)


def _cell(value):
    return "-" if value is None else str(value)


def parting(one, other):
    """Where the second of two histories leaves the first, None where nothing says that it does."""
    loss, (_, tensors) = replay.first_loss(one, other), replay.first_tensors(one, other)
    steps = [difference.step for difference in (loss, *tensors[:1]) if difference is not None]
    if steps:
        return f"at step {min(steps)}" if min(steps) else "before step 1"
    known = one.losses.keys() & other.losses.keys() and one.digests.keys() & other.digests.keys()
    return None if known else "not known"


def settings(one, other):
    """A line for each setting that is not the same, with its origins."""
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
    """Say where the histories of two runs part; whether they do. FailedError where nothing tells it."""
    histories = one.history, other.history
    loss, (equal, tensors) = replay.first_loss(*histories), replay.first_tensors(*histories)
    common = len(histories[0].losses.keys() & histories[1].losses.keys())
    if loss is None and not tensors:
        if not common or equal is None:
            what = "losses of the same steps" if not common else "digests of the same steps"
            what = f"they have no {what} (steps.csv, digests.csv)"
            raise FailedError(f"nothing says that they are equal: {what}")
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


def replayed(one, other, names=None):
    """Train two runs again until they part; what was found, in words. `names` is as of `Run.replay`."""
    lengths = (run.settings.steps for run in (one, other))
    steps = min(one.repeatable, other.repeatable, *filter(None, lengths))  # whatever steps a table names
    with one.replay(names, threads=None) as here, other.replay(names, threads=None) as there:
        found = replay.first_difference(here, there, steps)
    if found is None:
        return (
            f"trained again, both are equal for {steps} steps: the runs part by their machines or builds, or "
            "by settings that were changed on the way"
        )
    return f"trained again, they part {found}"
