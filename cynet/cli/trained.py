"""Finding a trained model, and data for it: what evaluate, predict and report have in common."""

import sys

from . import agreement
from .parser import UsageError, integer, reason, refusing
from .places import data_folder

WHERE = "a run folder, or a .safetensors file"


def add_threads(group):
    """The flag --threads."""
    group.add_argument(
        "--threads",
        type=integer(1, 1024),
        metavar="N",
        help="of the kernels (default: OMP_NUM_THREADS, or all)",
    )


def add_weights(group):
    """The flag --weights."""
    from cynet.train.rundir import KEPT

    group.add_argument(
        "--weights",
        dest="which",
        choices=tuple(KEPT),
        help="which of the run's weights: the last, or those of the best accuracy (default: what it came to)",
    )


def set_threads(flags):
    from cynet.core.threads import set_num_threads

    if flags.threads:
        set_num_threads(flags.threads)


def locate(path, argument, which=None):
    """(weights file, data folder of its run or None) of a run folder, or of a file, perhaps in one.

    Parameters
    ----------
    path : str
    argument : str
        What an error calls it.
    which : {"last", "best"}, optional
        Those of a run folder.
    """
    from cynet.train import RunFolder
    from cynet.train.rundir import KEPT
    from cynet.train.weights import file_of

    try:
        with refusing(argument):
            file = file_of(path, which)
    except UsageError as error:
        if isinstance(error.__cause__, ValueError):  # of `which`, beside a file
            raise UsageError(f"--{error.__cause__}") from error
        raise
    try:
        folder = RunFolder.open(file.parent)
    except OSError:  # the weights are enough without it
        return file, None
    ours = file.name in KEPT.values()  # what lies beside others may be of another tool
    config = settings_of(folder, _warn if ours else None)
    return file, data_folder({"data": None, "data_dir": None} | config, folder.read_environment(_warn))


def settings_of(folder, tell=None):
    """The settings of a run by its config.toml, or where that cannot be read by its checkpoint; {}: by none.

    Parameters
    ----------
    folder : RunFolder
    tell : callable, optional
        Told, in a line, why config.toml cannot be read.
    """
    try:
        return folder.read_config()[0]
    except (OSError, ValueError) as error:
        name, saved = agreement.saved(folder) or (None, None)
        if tell is not None:
            other = "without its settings" if saved is None else f"with the settings in {name}"
            tell(f"note: {reason(error)}; going on {other}")
        return {} if saved is None else vars(saved.settings)


def _warn(line):
    print(line, file=sys.stderr)


def data_options(path, name):
    """What `cynet.data.load` took for the data set `name` when the run in a folder was trained on it."""
    from cynet.core.files import user_path
    from cynet.train import RunFolder
    from cynet.train.environment import drawing
    from cynet.train.settings import data_options

    path = user_path(path)
    try:
        folder = RunFolder.open(path if path.is_dir() else path.parent)
    except OSError:
        return {}
    config = settings_of(folder)
    if config.get("data") != name:
        return {}
    return data_options(config) | drawing(folder.read_environment())


def load(path, argument):
    """(model, Facts) of a weights file."""
    from cynet.train import load_weights

    with refusing(argument):
        return load_weights(path)


def headline(path, facts):
    """What the model in a weights file is, in a line."""
    from cynet.core.names import printable

    norm = " with batch norm" if facts.batch_norm else ""
    return f"{path}: {facts.model}{norm}, trained on {printable(facts.data)}"
