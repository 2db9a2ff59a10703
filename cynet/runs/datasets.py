"""The pictures of a run by the names that somebody gave, and what was probably meant where there are none."""

from cynet import data
from cynet.core.wording import FLAGS
from cynet.data import registry

from .errors import RefusedError, refusing
from .settings import data_options


def known(name, argument, before=None, words=FLAGS):
    """Refuse a name that is none of a data set; of a file or folder, say what was meant.

    Parameters
    ----------
    name, argument : str
    before : str, optional
        What stands before a data set's name where it is given; default: the setting `data`.
    words : Wording, optional
    """
    kind = None if name in registry.names() else registry.kind_of(name)
    if kind:
        first = words.with_text("data", kind) if before is None else f"{before}{kind}"
        meant = f"{first} {words.with_text('data_dir', name)}"
        wanted = f"wanted one of {', '.join(registry.names())}"
        raise RefusedError(f"{argument}: {wanted}, got {name!r} (did you mean {meant}?)")
    with refusing(argument):
        registry.checked_name(name)


def of_pictures(argument, name):
    """Refuse an argument that is about pictures in files where the data set is none of those."""
    if name not in registry.PICTURES:
        wanted = f"wanted pictures in files ({', '.join(registry.PICTURES)})"
        raise RefusedError(f"{argument}: {wanted}, got {name}")


def load(values, called):
    """The training and the test set of these settings, a dict.

    Parameters
    ----------
    values : dict
    called : callable
        From a setting to what a message calls it.

    Raises
    ------
    RefusedError
    """
    name, root, more = values["data"], values["data_dir"], data_options(values)
    try:
        with refusing(called("data" if root is None else "data_dir"), called("data_dir")):
            return [data.load(name, root, split, **more) for split in ("train", "test")]
    except RefusedError as error:  # of a setting that the pictures do not fit
        setting, _, text = str(error.__cause__).partition(": ")
        setting = {"size": "image_size"}.get(setting, setting)
        if setting in ("task", "layout", "image_size", "sequence_length", "level", "fold") and text:
            raise RefusedError(f"{called(setting)}: {text}") from error
        raise
