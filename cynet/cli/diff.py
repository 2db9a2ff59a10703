"""Compare runs: their settings, where they were trained, their results, and where two part."""

from .gathering import Flags
from .parser import UsageError
from .registry import command


def add_flags(parser):
    parser.add_argument("one", metavar="RUN", help="a run folder")
    parser.add_argument("other", metavar="RUN", help="another one")
    parser.add_argument("more", nargs="*", metavar="RUN", help="further ones, for a table of all")
    parser.add_argument(
        "--replay",
        action="store_true",
        help="train two runs again, side by side, to the very step and tensor where they part",
    )


@command("runs side by side: their settings, and the first step and tensor at which they part", order=7)
def run(flags):
    """Say everything; 1 where the weights differ."""
    from cynet.runs import comparing, environment

    from .again import opened
    from .terminal import say

    if flags.more:
        if flags.replay:
            raise UsageError(f"--replay: wanted two runs to train again, got {2 + len(flags.more)}")
        return _several([opened(path) for path in (flags.one, flags.other, *flags.more)], say)
    one, other = opened(flags.one), opened(flags.other)
    say(f"{one.folder.path} against {other.folder.path}")
    for line in comparing.settings(one, other):
        say(f"setting {line}")
    for run in (one, other):
        if run.limit:
            say(f"{run.folder.path} was resumed with other settings after step {run.limit}")
    for note in (*comparing.notes(one), *comparing.notes(other)):
        say(f"note: {note}")
    for line in environment.differences(one.environment, other.environment):
        say(f"environment {line}")
    for line in comparing.results(one, other):
        say(line)
    differ = comparing.divergence(one, other, say)
    if differ and flags.replay:
        say(comparing.replayed(one, other, Flags()))
    return int(differ)


def _several(runs, say):
    """Say in a table in what runs differ; 1 where the weights of one are not those of the first."""
    from cynet.runs import comparing

    from .columns import aligned

    rows, part = comparing.table(runs)
    say(aligned([*row, ""] for row in rows))
    for note in dict.fromkeys(note for run in runs for note in comparing.notes(run)):
        say(f"note: {note}")
    return int(part)
