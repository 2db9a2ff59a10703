"""Finding a trained model, and data for it: what evaluate, predict and report have in common."""

from pathlib import Path

from .parser import UsageError, integer, refusing

WHERE = "a run folder, or a .safetensors file from one"


def add_threads(group):
    """The flag --threads."""
    group.add_argument(
        "--threads",
        type=integer(1, 1024),
        metavar="N",
        help="of the kernels (default: OMP_NUM_THREADS, or all)",
    )


def set_threads(flags):
    from cynet.core.threads import set_num_threads

    if flags.threads:
        set_num_threads(flags.threads)


def locate(path, argument):
    """(weights file, data folder of the run or None) of a run folder or a file; `argument` is its name."""
    from cynet.train import RunFolder
    from cynet.train.rundir import WEIGHTS, final_weights

    from .resume import data_folder

    path = Path(path)
    if not path.is_dir():
        return path, None
    config, stored = {}, None
    try:
        folder = RunFolder.open(path)
        config, _ = folder.read_config()
        stored = data_folder({"data": None, "data_dir": None} | config, folder.read_environment())
    except (OSError, ValueError):  # the weights are enough without it
        pass
    for name in (final_weights(config), WEIGHTS):  # a run that was stopped early may have no best ones yet
        if (path / name).exists():
            return path / name, stored
    raise UsageError(f"{argument}: {path} has no {WEIGHTS}")


def data_options(path, name):
    """What `cynet.data.load` took for the data set `name` when the run in a folder was trained on it."""
    from cynet.train import RunFolder
    from cynet.train.settings import data_options

    try:
        config, _ = RunFolder.open(path).read_config()
    except (OSError, ValueError):
        return {}
    return data_options(config) if config.get("data") == name else {}


def load(path, argument):
    """(model, Facts) of a weights file."""
    from cynet.train import load_weights

    with refusing(argument):
        return load_weights(path)


def headline(path, facts):
    """What the model in a weights file is, in a line."""
    return f"{path}: {facts.model}{' with batch norm' if facts.batch_norm else ''}, trained on {facts.data}"
