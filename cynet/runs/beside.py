"""What the run tells in whose folder weights lie: where its pictures are, and how they were read."""

from cynet.core.files import reason, user_path

from . import settings
from .environment import drawing
from .filenames import KEPT
from .places import data_folder
from .records import ENVIRONMENT
from .run import Run


def data_of(file):
    """(the folder of the run's data or None, what is to be said of the run) beside a file of weights.

    Parameters
    ----------
    file : Path

    Returns
    -------
    folder : str or None
    notes : list of str
        A line for each of its files that is there and cannot be read.
    """
    run, notes = Run(file.parent), []
    try:
        known, unread, name = run.known
    except OSError:  # the weights are enough without it
        return None, notes
    if unread is not None and file.name in KEPT.values():  # what lies beside others may be of another tool
        other = "without its settings" if name is None else f"with the settings in {name}"
        notes.append(f"{reason(unread)}; going on {other}")
    folder = data_folder({"data": None, "data_dir": None} | known, run.environment)
    lost = run.problems.get("environment")
    if lost is not None and not isinstance(lost, FileNotFoundError):
        notes.append(f"going on without {ENVIRONMENT}: {reason(lost)}")
    return folder, notes


def loss_of(path):
    """The loss of numbers that the run in a folder, or around a file, was trained with; None if not known."""
    path = user_path(path)
    try:
        known, *_ = Run(path if path.is_dir() else path.parent).known
    except OSError:
        return None
    return known.get("loss")


def data_options(path, name):
    """What `cynet.data.load` took for the data set `name` when the run in a folder was trained on it.

    Parameters
    ----------
    path : path
        Of the folder, or of a file in it.
    name : str

    Returns
    -------
    dict
        Empty where it is not known, or was trained on another.
    """
    path = user_path(path)
    run = Run(path if path.is_dir() else path.parent)
    try:
        known, *_ = run.known
    except OSError:
        return {}
    if known.get("data") != name:
        return {}
    return settings.data_options(known) | drawing(run.environment)
