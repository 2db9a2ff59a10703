"""Write a training run as one page of HTML that opens from the disk: curves, confusion matrix, worst
mistakes, filters, times, and how to repeat it.
"""

from pathlib import Path

from cynet.core.folder import own_path, own_target
from cynet.runs.configuration import CONFIG
from cynet.runs.filenames import KEPT, PAGE

from . import trained
from .parser import UsageError, refusing
from .registry import command
from .values import add_threads

SUFFIX = ".safetensors"


def add_flags(parser):
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a run folder; further ones can be compared with it (default: those beside it)",
    )
    parser.add_argument("--output", metavar="FILE", help=f"the page (default: RUN/{PAGE})")
    parser.add_argument("--data-dir", metavar="DIR", help="the folder with the data set (default: the run's)")
    trained.add_weights(parser)
    parser.add_argument(
        "--no-timing", dest="timing", action="store_false", help="do not measure the time of each layer"
    )
    add_threads(parser)


@command("a run as one page: curves, confusion, mistakes, filters, times, configuration", order=5)
def run(flags):
    from cynet import runs as library
    from cynet.report import writing

    from .terminal import say

    weights = _weights(flags.runs[0], flags.which)
    with refusing("RUN"):
        runs = [library.open(path) for path in dict.fromkeys(map(_run_of, flags.runs))]
    runs[0].net = trained.net_of(flags.net, runs[0].path / weights)
    output = Path(flags.output) if flags.output else runs[0].path / PAGE
    with refusing("RUN"):
        if flags.output is None:  # what a link would have written elsewhere
            own_target(output)
        own_path(writing.plots_of(output))
    _check(flags, output)
    trained.set_threads(flags)
    writing.write(runs, output, flags.data_dir, weights, flags.timing, say)
    return 0


def _run_of(path):
    """The run folder that is meant by one, or by a weights file in it."""
    path = Path(path)
    inside = path.suffix == SUFFIX and path.is_file() and (path.parent / CONFIG).exists()
    return path.parent if inside else path


def _weights(path, which):
    """The name of the weights file that is looked at."""
    from cynet.core.files import user_path
    from cynet.runs.weights import came_to

    if _run_of(path) == Path(path):
        return KEPT[which or came_to(user_path(path))]
    if which is not None:
        raise UsageError(f"--weights: wanted a run folder to take the {which} ones from, {path} is a file")
    return Path(path).name


def _check(flags, output):
    from cynet.core.output import check_output

    with refusing("--output"):
        check_output(output)
    if flags.data_dir is not None and not Path(flags.data_dir).exists():
        raise UsageError(f"--data-dir: no such file or folder: {flags.data_dir}")
