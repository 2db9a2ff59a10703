"""The beginning of a run: settings are checked, a session is made of them, and a folder with room in it."""

import contextlib
import os
from dataclasses import replace

from cynet import models
from cynet._version import __version__
from cynet.core.files import reason
from cynet.data import registry

from . import checkpoint, datasets, environment, first_net, nets, new_folder, remarks, tensorboard, together
from .errors import RefusedError, refusing
from .folder import RunFolder
from .life import train
from .origins import GIVEN, Names
from .places import is_embedded
from .resolving import with_task
from .session import Session
from .settings import Settings
from .state import capture
from .validation import Division


def check(values, origins, names, run_dir=None, kept=False):
    """Refuse what can be refused before any data is read.

    Parameters
    ----------
    values, origins : dict
        Of every setting.
    names : Names
    run_dir : path, optional
        Where the run is to be kept.
    kept : bool, optional
        Whether the run's own files are to tell of its net, whose name need not be known then.

    Raises
    ------
    RefusedError
    """

    def called(setting):
        return names.of(setting, origins[setting])

    if not (kept or nets.is_registered(values["model"]) or nets.is_own(values["model"])):
        with refusing(called("model")):
            models.create(values["model"])
    datasets.known(values["data"], called("data"), words=names)
    if values.get("skip_damaged"):
        datasets.of_pictures(called("skip_damaged"), values["data"])
    _check_place(values["data"], values["data_dir"], called("data_dir"), names)
    if values.get("tensorboard"):
        try:
            tensorboard.writer_class()
        except ImportError as error:
            raise RefusedError(f"{called('tensorboard')}: {error}") from error
    if run_dir is not None:
        with refusing(names("run_dir")):
            new_folder.check(run_dir)


def _check_place(name, place, called, names):
    """Refuse a place where no files of a data set are."""
    if place is None:
        if name in registry.OWN:
            raise RefusedError(f"{called}: wanted the place of the files of {name}, got none")
        return
    if is_embedded(name):
        kind = registry.kind_of(place)
        meant = names.with_text("data", kind) if kind else names.with_value("data", "NAME")
        raise RefusedError(f"{called}: {name} is made by code and reads no files (did you mean {meant}?)")
    if not os.path.exists(place):
        raise RefusedError(f"{called}: no such file or folder: {place}")


def brought(values, origins, names):
    """The `OwnNet` that the settings name, None where it is one of the registry's; its code is run.

    Raises
    ------
    RefusedError
        Where it is none, or a file named it and not who begins the run: code runs where that one says so.
    """
    model = values["model"]
    if nets.is_registered(model) or not nets.is_own(model):
        return None
    if origins["model"] not in GIVEN:
        wanted = f"wanted {names.with_text('model', model)} beside it, for code runs only where it is named"
        raise RefusedError(f"{names.of('model', origins['model'])}: {wanted}, got it from a file alone")
    return refused_net(lambda: nets.named(model, values["seed"]), names.of("model", origins["model"]))


def refused_net(make, called):
    """What `make` gives; a `RefusedError` calls the model's argument by its name."""
    try:
        return make()
    except (ValueError, OSError) as error:
        raise RefusedError(f"{called}: {reason(error).removeprefix('model: ')}") from error


def session_of(settings, training, test, origins, initial=True, names=None, net=None):
    """A `Session` of settings that are not yet resolved; `origins` learns where the steps came from."""
    if settings.epochs:
        origins["steps"] = origins["epochs"]
    try:
        settings = with_task(settings, training)
        samples = len(Division.of(training, settings).kept)
        settings = _warmed_up(settings, samples, origins)
        return Session(settings.resolved(samples), training, test, initial, net)
    except (ValueError, OSError) as error:
        raise _named(error, origins, names or Names()) from error


def _warmed_up(settings, samples, origins):
    """With a recipe's warm-up cut to a tenth of the steps where a shortened run would end within it."""
    steps = replace(settings, warmup=0).resolved(samples).steps
    if settings.warmup < steps or not origins["warmup"].startswith("recipe "):
        return settings
    origins["warmup"] += f" (its {settings.warmup} steps of warm-up cut to a tenth of the run)"
    return replace(settings, warmup=steps // 10)


def _named(error, origins, names):
    """The error of a setting, "lr_steps: wanted ...", with the name of the argument or file it came from."""
    name, colon, rest = reason(error).partition(": ")
    if name in origins:
        return RefusedError(f"{names.of(name, origins[name])}{colon}{rest}")
    if isinstance(error, OSError):
        return RefusedError(f"{names.of('init_from', origins['init_from'])}: {name}{colon}{rest}")
    return RefusedError(str(error))


@contextlib.contextmanager
def session(values, origins, names, run_dir=None, net=None):
    """Within this context, a `Session` of settings that were checked, with its pictures."""
    values = together.with_shards(values, origins)
    check(values, origins, names, run_dir if together.is_first() else None)
    net = net or brought(values, origins, names)
    training, test = datasets.load(values, lambda name: names.of(name, origins[name]))
    initial = together.is_first()  # from whom the others get it
    with session_of(Settings(**values), training, test, origins, initial, names, net) as made:
        yield made


def begin(values, origins, run_dir, company, net=None):
    """Make a run's folder, see that there is room in it, and train.

    Parameters
    ----------
    values, origins : dict
        Of every setting.
    run_dir : path or None
    company : Company
    net : OwnNet, optional
        What takes the place of the model that the settings name.

    Returns
    -------
    Outcome

    Raises
    ------
    RefusedError
        Before anything was trained.
    """
    names = company.names
    with together.told_to_others(), session(values, origins, names, run_dir, net) as made:
        together.agree(made, names, company.allow_mixed)
        if not together.is_first():
            return together.follow(made)
        settings = made.settings
        placed = _placed if run_dir else _unplaced
        with placed(names):
            place = RunFolder(run_dir, f"{nets.short(settings.model)}-{settings.data}")
        with contextlib.closing(place):
            try:
                with placed(names):
                    place.lock()
                    place.reserve(size_of(made, origins))
                    write_config(place, settings, origins)  # first: from now on the run can be resumed
                    place.write_environment(environment.describe(made))
                    net = made.net or nets.registered(settings.model)
                    if net is not None:  # another process may not have it
                        first_net.keep(place.path, net, made.model)
            except RefusedError:
                place.discard()
                raise
            together.hand_state(made)
            return train(made, place, origins, company, news=remarks.of(made, names))


def _placed(names):
    return refusing(names("run_dir"))


@contextlib.contextmanager
def _unplaced(names):
    """As `_placed`, where the run's folder was not told: the argument is what helps."""
    try:
        yield
    except (ValueError, OSError) as error:
        elsewhere = f"{names.with_value('run_dir', 'DIR')} keeps the run elsewhere"
        raise RefusedError(f"{reason(error)} ({elsewhere})") from error


def size_of(session, origins):
    """Bytes that a checkpoint of this session takes."""
    return len(checkpoint.pack(*capture(session, origins)))


def write_config(folder, settings, origins):
    """Write the configuration of a run, with the origin of every value."""
    folder.write_config({"cynet": __version__} | settings.flat(), origins)
