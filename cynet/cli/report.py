"""Write a training run as one page of HTML that opens from the disk: curves, confusion matrix, worst
mistakes, filters, times, and how to repeat it.
"""

from pathlib import Path

from cynet.core.files import HeldPath, placed
from cynet.core.folder import own_path, own_target
from cynet.core.shell import quoted, word
from cynet.train.configuration import CONFIG, ORIGIN
from cynet.train.rundir import KEPT, WEIGHTS

from . import trained
from .parser import PATHS, UsageError, reason, refusing
from .places import data_folder

PAGE, PLOTS = "report.html", "plots"
NEIGHBOURS = 20  # runs beside the one reported that are put in for comparison
BATCH, REPEAT = 128, 7  # of the timing of layers
SUFFIX = ".safetensors"


class PlotsError(OSError):
    """The page is written, the PNG files beside it are not."""


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
    trained.add_threads(parser)


def run(flags):
    from cynet.train.report import folder

    weights = _weights(flags.runs[0], flags.which)
    with refusing("RUN"):
        runs = [folder.read(path) for path in dict.fromkeys(map(_run_of, flags.runs))]
    output = Path(flags.output) if flags.output else runs[0].path / PAGE
    with refusing("RUN"):
        _own(output, flags.output is not None)
    _check(flags, output)
    trained.set_threads(flags)
    write(runs, output, flags.data_dir, weights, flags.timing)
    return 0


def _run_of(path):
    """The run folder that is meant by one, or by a weights file in it."""
    path = Path(path)
    inside = path.suffix == SUFFIX and path.is_file() and (path.parent / CONFIG).exists()
    return path.parent if inside else path


def _weights(path, which):
    """The name of the weights file that is looked at."""
    from cynet.core.files import user_path
    from cynet.train.weights import came_to

    if _run_of(path) == Path(path):
        return KEPT[which or came_to(user_path(path))]
    if which is not None:
        raise UsageError(f"--weights: wanted a run folder to take the {which} ones from, {path} is a file")
    return Path(path).name


def write(runs, output, data_dir=None, weights=WEIGHTS, timing=True):
    """Write the page and the PNG files of the first of some runs, and say so.

    Parameters
    ----------
    runs : list of Run
        The others are for comparison; default: those beside the first.
    output : Path
    data_dir : str, optional
    weights : str, optional
        The file in the run folder.
    timing : bool, optional
        Whether to measure the time of each layer.
    """
    from cynet.train.report import gather, page

    from .terminal import say

    first, *others = runs
    others = others or _neighbours(first)
    times = _times if timing else None
    if data_dir is None and first.settings:
        data_dir = data_folder({"data": None, "data_dir": None} | first.settings, first.environment)
    document = gather.gather(first, others, data_dir, weights, times, *commands(first))
    size = _write(output, page.render(document))
    for note in document["notes"]:
        say(f"note: {note}")
    _plot(document, _plots(output))
    say(f"{output}: {size / 1024:,.0f} KiB; open it in a browser")


def _plots(output):
    """The folder of the PNG files beside a page, looked up where the page is."""
    place = output.parent / (PLOTS if output.name == PAGE else f"{output.stem}-{PLOTS}")
    return HeldPath.of(place, placed(output)[1])


def _own(output, chosen):
    """Refuse what a link would have written elsewhere: the plots, and a page whose place nobody chose."""
    if not chosen:
        own_target(output)
    own_path(_plots(output))


def _check(flags, output):
    from cynet.bench import document

    with refusing("--output"):
        document.check(output)
    if flags.data_dir is not None and not Path(flags.data_dir).exists():
        raise UsageError(f"--data-dir: no such file or folder: {flags.data_dir}")


def _neighbours(run):
    """The runs beside a run that can be read."""
    from cynet.train.report import folder

    found = []
    for path in folder.beside(run, NEIGHBOURS):
        try:
            found.append(folder.read(path))
        except (ValueError, OSError):  # it was not asked for
            continue
    return found


def _times(model, picture_shape):
    """What "layers" of the page holds: the median seconds of each layer's passes."""
    import numpy as np

    from cynet.bench import cases, per_layer
    from cynet.config import processor
    from cynet.core.threads import get_num_threads

    x = cases.random((BATCH, *picture_shape))
    leaves = list(model.train().trace(x.shape))
    medians = np.median(per_layer.times(leaves, x, REPEAT), axis=1)
    rows = [
        {
            "path": path,
            "layer": per_layer.short(layer),
            "output": list(layer.output_shape(shape))[1:],
            "forward": float(f"{forward:.4g}"),
            "backward": float(f"{backward:.4g}"),
        }
        for (path, layer, shape), (forward, backward) in zip(leaves, medians, strict=True)
    ]
    model.eval()
    return {
        "batch": BATCH,
        "threads": get_num_threads(),
        "processor": processor(),
        "rows": rows,
    }


def commands(run):
    """(what repeats a run, whether it takes several commands) as its folder tells."""
    parts = run.environment.get("resumed", [])
    if not any(part.get("changed") for part in parts):
        return command(run.config), False
    lines = [_given(run.environment)]
    for part in parts:
        lines += [f"# stopped after step {part.get('after_step')}, then", _given(part)]
    return "\n".join(lines), True


def _given(environment):
    """The command that a process was started with, as env.json has it."""
    program, *words = map(str, environment.get("command") or ["cynet"])
    return " ".join(map(word, [Path(program).name, *words]))


def command(config):
    """The command that repeats a run with this configuration.

    Parameters
    ----------
    config : dict
        As in config.toml, with the table of origins. What the weights do not depend on is left out, and so
        is what had its default.

    Returns
    -------
    str
    """
    from cynet.train.settings import FREE

    from . import options

    origins = config.get(ORIGIN)
    origins = origins if isinstance(origins, dict) else {}
    words = ["cynet", "train"]
    for name, option in options.OPTIONS.items():
        value = config.get(name)
        by_default = origins.get(name, options.DEFAULT) == options.DEFAULT if origins else (
            value == options.DEFAULTS[name]
        )  # fmt: skip
        if value is None or by_default or (name in FREE and name != "data_dir"):
            continue
        flag = options.flag_of(name)
        if option.metavar is None:
            words.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            words += [flag, quoted(value) if option.metavar in PATHS else word(str(value))]
    return " ".join(words)


def _write(output, text):
    """Write a text; its bytes."""
    from cynet.core.files import write_atomically

    data = text.encode()
    write_atomically(output, data)
    return len(data)


def _plot(document, folder):
    from cynet.train.report import plots

    from .terminal import say

    try:
        for path in plots.write(document, folder):
            say(f"{path}")
    except ImportError as error:
        say(f"note: no PNG files in {folder}: {error}")
    except OSError as error:
        raise PlotsError(error.errno, reason(error)) from error
