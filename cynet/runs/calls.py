"""A run from Python: `start` and `resume` do what `cynet train` does, and return an `Outcome`.

They need no guard of `__main__` where no transform of a script goes to a loader's workers, and so work in a
notebook.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cynet.core.files import user_path
from cynet.core.types import AnyPath
from cynet.train.loop import Observer

from . import beginning, going_on, nets
from .agreement import BEGUN
from .errors import RefusedError
from .hints import suggestion
from .in_python import taken
from .life import Company
from .lines import Lines
from .log import Voice
from .origins import PYTHON, Names, gathered
from .outcome import Outcome
from .page import write_report
from .ranges import PLACES, RANGES, short
from .settings import DEFAULTS, Settings

WATCHES = "stepped", "evaluated", "enough"  # what an `Observer` is asked


def start(
    settings: Settings,
    run_dir: AnyPath | None = None,
    *,
    report: bool | Callable[..., None] = True,
    say: Callable[[str], object] | None = print,
    observers: Sequence[Observer] = (),
    model: Any = None,
) -> Outcome:
    """Train a new run and keep it in a folder, as `cynet train` does.

    Ctrl-C (SIGINT) or SIGTERM stops it after the step under way, with a checkpoint from which `resume` goes
    on; once more stops it at once. Both only in the main thread, where signals arrive.

    Parameters
    ----------
    settings : Settings
        Not resolved: what is left open is settled here.
    run_dir : path, optional
        Keep the run in exactly this folder, new or empty; default: runs/MODEL-DATA-N.
    report : bool or callable, optional
        Whether to write report.html and plots at the end; or what writes them, see `ending.conclude`. Where
        cynet.report is not installed, a note says that there is no page.
    say : callable or None, optional
        Gets each line that is said, a str; log.txt has them too.
    observers : sequence of Observer, optional
        Told of every step and evaluation after the run's own.
    model : callable or Layer, optional
        A net of one's own in place of that which the settings name: a function (input_shape, classes,
        **options) that returns a Layer, or the Layer, which is trained itself.

    Returns
    -------
    Outcome

    Raises
    ------
    RefusedError
        A ValueError: settings or pictures that do not fit, a folder that cannot be made. Nothing was trained.
    FailedError
        A RuntimeError: it broke on the way; what was kept until then is whole.
    TypeError
        When an argument is of another type: before anything is read or made.
    KeyboardInterrupt
        On the second Ctrl-C.

    Examples
    --------
    >>> outcome = cynet.runs.start(cynet.train.Settings(steps=300, validation=0.2), "mine")
    >>> outcome.status, outcome.test.accuracy
    ('finished', 0.84)
    """
    if not isinstance(settings, Settings):
        raise TypeError(f"settings: wanted Settings, got {type(settings).__name__}")
    company = _company(report, say, observers)
    given = {name: value for name, value in vars(settings).items() if not _is_default(name, value)}
    net = nets.of(model, _checked("seed", settings.seed))
    if net is not None:
        if "model" in given:
            raise RefusedError(
                f"model: wanted it once, got {net.name} beside {settings.model} of the settings"
            )
        given["model"] = net.name
    values, origins = merged(given)
    place = None if run_dir is None else path_of("run_dir", run_dir)
    return beginning.begin(values, origins, place, company, net)


def resume(
    folder: AnyPath,
    *,
    allow_change: Sequence[str] = (),
    report: bool | Callable[..., None] = True,
    say: Callable[[str], object] | None = print,
    observers: Sequence[Observer] = (),
    model: Any = None,
    **settings: Any,
) -> Outcome:
    """Go on with a run where its last checkpoint stands, to the bytes of one that was never stopped.

    Parameters
    ----------
    folder : path
        The run's folder.
    allow_change : sequence of str, optional
        The settings that may be changed although the weights depend on them.
    report, say, observers
        As for `start`.
    model : str, callable or Layer, optional
        The net that the run began with, by the place of its function or as it is: wanted where it has layers
        that cynet does not know. Its code must be as it was. Of a Layer there is no code to compare.
    **settings
        Those that are to be others from here on: `data_dir`, `threads`, `workers` and what concerns
        checkpoints, or what `allow_change` names.

    Returns
    -------
    Outcome

    Raises
    ------
    RefusedError, FailedError, TypeError, KeyboardInterrupt
        As for `start`. A run that another process trains is refused, and one whose files do not fit each
        other.

    Examples
    --------
    >>> outcome = cynet.runs.resume("mine", steps=600, allow_change=["steps"])
    """
    for name in BEGUN:
        if name in settings:
            raise RefusedError(f"{name}: wanted no weights to begin from, for the run has its own")
    names = [allow_change] if isinstance(allow_change, str) else _listed("allow_change", allow_change, "str")
    for place, name in enumerate(names):
        if not isinstance(name, str):
            raise TypeError(f"allow_change[{place}]: wanted a str, got {short(name)}")
    company = _company(report, say, observers)
    net = None
    if isinstance(model, str):
        settings["model"] = model
    else:
        net = nets.of(model)
    return going_on.resume(path_of("folder", folder), given_in_python(settings), names, company, net)


def path_of(name, value):
    """A path as `user_path` gives it, whose errors name the argument."""
    try:
        return user_path(value)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else RefusedError
        raise kind(f"{name}: {str(error).removeprefix('path: ')}") from None


def _company(report, say, observers):
    """The `Company` of a run from Python; a TypeError names the argument that is none."""
    if not (report is None or isinstance(report, bool) or callable(report)):
        raise TypeError(f"report: wanted True, False or what writes the page, got {short(report)}")
    if not (say is None or callable(say)):
        raise TypeError(f"say: wanted a callable or None, got {short(say)}")
    observers = tuple(_listed("observers", observers, "Observer"))
    for place, each in enumerate(observers):
        if isinstance(each, type) or not all(callable(getattr(each, name, None)) for name in WATCHES):
            raise TypeError(f"observers[{place}]: wanted an Observer, got {short(each)}")
    if report is True:
        report = write_report
    voice = Voice(say)
    return Company(voice, Lines, observers, report or None, Names(), stopping=voice)


def _listed(name, values, of):
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name}: wanted a sequence of {of}, got {short(values)}")
    return list(values)


def _is_default(name, value):
    """Whether a setting was left as it is by default; one of another type was not."""
    if name == "lr_steps" and isinstance(value, dict):
        return not value
    known = DEFAULTS[name]
    kinds = (int, float) if isinstance(known, float) else type(known)
    return isinstance(value, kinds) and isinstance(value, bool) == isinstance(known, bool) and value == known


def merged(given):
    """(values, origins) of every setting, of those that a caller gives."""
    return gathered([(PYTHON, given_in_python(given))], Names())


def given_in_python(settings):
    """Settings as Python gives them, each of its type and in its range, or a `RefusedError` naming one."""
    found = {}
    for name, value in settings.items():
        if name not in RANGES:
            hint = suggestion(name, RANGES, Names()) or f"one of {', '.join(RANGES)}"
            raise RefusedError(f"{name}: no such setting ({hint})")
        found[name] = _checked(name, value)
    return found


def _checked(name, value):
    value = taken(name, value)
    return os.path.expanduser(value) if name in PLACES else value
