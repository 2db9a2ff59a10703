"""Where a run's files are now: what it was told of them was told in the folder that it was begun in."""

import os
from pathlib import Path

EMBEDDED = "shapes10"  # the data set that needs no files


def data_folder(values, environment):
    """The folder of a run's data.

    Parameters
    ----------
    values : dict
        Settings with "data" and "data_dir".
    environment : dict
        Of the run: env.json.

    Returns
    -------
    str or None
        As it was told where it is there, or else where it was when the run was begun, if it is there.
    """
    if values["data"] == EMBEDDED:
        return values["data_dir"]
    return found(values["data_dir"], [environment.get("folder")], "data")


def found(path, folders, default=None):
    """A path where it exists, seen from here or else from one of some folders; otherwise as it is.

    Parameters
    ----------
    path : str or None
    folders : sequence of str or None
    default : str, optional
        What no path means.
    """
    if os.path.exists(path or default or ""):
        return path
    elsewhere = (os.path.join(folder, path or default) for folder in folders if folder and (path or default))
    return next(filter(os.path.exists, elsewhere), path)


def settled(layer, file):
    """The settings of a configuration file with their paths as they are to be seen from here.

    Parameters
    ----------
    layer : dict
        What the file gives.
    file : str
        Its path. Paths in it are those seen from here, from the folder that its run was begun in, or from the
        folder around it.

    Returns
    -------
    dict
    """
    from cynet.train import RunFolder

    folder, layer = Path(file).parent, dict(layer)
    try:
        begun = RunFolder.open(folder).read_environment().get("folder")
    except OSError:  # no run
        begun = None
    folders = [begun, str(folder)]
    if layer.get("data", EMBEDDED) != EMBEDDED:
        place = found(layer.get("data_dir"), folders, "data")
        if place is not None:
            layer["data_dir"] = place
    if layer.get("init_from"):
        layer["init_from"] = found(layer["init_from"], folders)
    return layer
