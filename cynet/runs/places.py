"""Where a run's files are now: what it was told of them was told in the folder that it was begun in."""

import os
from pathlib import Path

EMBEDDED = "shapes10"  # the data set that needs no files


def data_folder(values, environment):
    """The folder of a run's data.

    Parameters
    ----------
    values : dict
        Settings of the run with "data" and "data_dir".
    environment : dict
        Of the run: env.json.

    Returns
    -------
    str or None
        Where it was when the run was begun, if it is there, or else as it was told.
    """
    if values["data"] == EMBEDDED:
        return values["data_dir"]
    return found(values["data_dir"], begun_in(environment), "data")


def begun_in(environment):
    """[the folder that a run was begun in], where its relative paths are told; [] where not known."""
    folder = environment.get("folder")
    return [folder] if isinstance(folder, str) else []


def lasting(path, environment):
    """A path seen from here as a run can store it, whose paths are told in the folder it was begun in."""
    if path is None or is_here(*begun_in(environment)):
        return path
    return os.path.abspath(path)


def is_here(folder=os.curdir):
    """Whether a folder is the current one."""
    return os.path.realpath(folder) == os.path.realpath(os.curdir)


def found(path, first, default=None, last=()):
    """A path where it exists: in one of some folders, else seen from here, else in others; else as it is.

    What was told in another folder is not what has the same name in this one.

    Parameters
    ----------
    path : str or None
    first, last : sequence of str
        Folders to look in before and after the current one.
    default : str, optional
        What no path means.
    """
    name = path or default
    if not name:
        return path
    for folder in first:
        if not is_here(folder) and os.path.exists(place := os.path.join(folder, name)):
            return place
    if os.path.exists(name):
        return path
    elsewhere = (os.path.join(folder, name) for folder in last)
    return next(filter(os.path.exists, elsewhere), path)


def settled(sheet, file):
    """The settings of a configuration file with their paths as they are to be seen from here.

    Parameters
    ----------
    sheet : dict
        What the file gives.
    file : str
        Its path. Paths in it are those seen from the folder that its run was begun in, from here, or from the
        folder around it.

    Returns
    -------
    dict
    """
    from .folder import RunFolder  # not at the top: a command's flags are there at once without it

    folder, sheet = Path(file).parent, dict(sheet)
    try:
        begun = begun_in(RunFolder.open(folder).read_environment())
    except OSError:  # no run
        begun = []
    around = [str(folder)]
    if sheet.get("data", EMBEDDED) != EMBEDDED:
        place = found(sheet.get("data_dir"), begun, "data", around)
        if place is not None:
            sheet["data_dir"] = place
    if sheet.get("init_from"):
        sheet["init_from"] = found(sheet["init_from"], begun, last=around)
    return sheet
