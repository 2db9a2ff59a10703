"""What of a run that goes on may be changed, and what follows from it."""

from cynet.core.tasks import measures_of

from .environment import fingerprint, held_out_digest
from .errors import RefusedError
from .hints import suggestion
from .origins import DEFAULT, chosen_by_the_run, replaced
from .settings import DEFAULTS
from .state import frozen_changes, misfits

SETTLED = ("validation", "split_seed")  # when a run begins: what was trained on can judge nothing later
OF_TRAINER = ("optimizer", "momentum", "ema", "lookahead", "lr_factor")  # has tensors in a checkpoint, too
OF_MODEL = ("model", "model_option", "batch_norm", "data", "task", "image_size", "layout", "augment")


def allowed(given, names):
    """The settings that may be changed, by the names that were given."""
    for name in (name.replace("-", "_") for name in given):
        if name not in DEFAULTS:
            hint = suggestion(name, DEFAULTS, names) or f"one of {', '.join(DEFAULTS)}"
            raise RefusedError(f"{names('allow_change')}: no such setting: {name} ({hint})")
    found = {name.replace("-", "_") for name in given}
    if "epochs" in found:
        found.add("steps")
    if {"schedule", "lr_drop"} & found:
        found.add("lr_steps")
    return found


def with_derived(allowed, origins):
    """Also what the run derives from the settings that may be changed."""
    derived = allowed & {"steps", "lr"} and origins["lr_steps"] == DEFAULT
    if derived and drops(origins):
        return allowed | {"lr_steps", "schedule"}
    return allowed | {"lr_steps"} if derived else allowed


def drops(origins):
    """Whether a schedule follows from `lr_drop`: it is constant where the run ends before the first drop."""
    return origins.get("lr_drop", DEFAULT) != DEFAULT and origins["schedule"] == DEFAULT


def merged(stored, origins, given, names):
    """The stored settings with others in their place, as (values, origins)."""
    anew = set(replaced(given, names.origin, names))
    if given.keys() & {"steps", "epochs", "lr"} and origins["lr_steps"] == DEFAULT:
        anew.update({"lr_steps", "schedule"} if drops(origins) else {"lr_steps"})
    anew.update(name for name in ("threads", "workers") if origins[name] == DEFAULT)  # this machine's
    values = vars(stored) | {name: DEFAULTS[name] for name in anew}
    origins = origins | dict.fromkeys(anew, DEFAULT)
    values, origins = values | given, origins | dict.fromkeys(given, names.origin)
    return values, chosen_by_the_run(values, origins)


def by_steps(session):
    """Whether the rates of `lr_steps` have begun."""
    return any(step <= session.trainer.steps for step in session.settings.lr_steps or ())


def jump(stored, session, steps):
    """A line where the learning rate is not what it would have been without changed settings."""
    before, now = stored.learning_rates()(steps), session.settings.learning_rates()(steps)
    if stored.schedule == session.settings.schedule and steps >= stored.steps:
        before = stored.learning_rates()(steps - 1)  # it had come to its end
    if not 0.5 * before <= now <= 2 * before:
        yield f"the learning rate goes from {before:.3g} to {now:.3g} here, as the changed settings want it"


def of(stored, session, found, run, allowed, names):
    """{name: (before, now)} of the settings that decide about the weights and are not as they were.

    Parameters
    ----------
    stored : Settings
    session : Session
        As it is to go on.
    found : (tensors, Saved) or None
        The checkpoint.
    run : path
    allowed : set of str
    names : Names

    Raises
    ------
    RefusedError
        When one of them cannot be changed, or is not allowed to be.
    """
    changed = {name: (before, now) for name, before, now in frozen_changes(stored.flat(), session.settings)}
    for name in SETTLED:
        if name in changed:
            before, now = changed[name]
            raise RefusedError(
                f"{names(name)}: wanted {before}, as the run began, got {now}: a picture that was "
                f"trained on cannot be held out later ({names('run_dir')} begins another run)"
            )
    if changed and found:
        _same_tensors(changed, misfits(session, *found), run, names)
    refused = [name for name in changed if name not in allowed]
    if refused:
        wanted = f"wanted {names.allowing(refused)} beside it"
        raise RefusedError(f"{names('resume')}: the weights depend on {_texts(changed, refused)}: {wanted}")
    return changed


def _same_tensors(changed, problems, run, names):
    """Refuse settings whose model or optimiser has other tensors than the checkpoint: no allowance helps."""
    if not problems:
        return
    culprits = [name for name in changed if name in OF_TRAINER + OF_MODEL] or list(changed)
    advice = f"{names('run_dir')} begins another run"
    if not set(culprits) - set(OF_TRAINER):
        advice = f"{names.with_text('init_from', str(run))} begins another run from its weights"
    more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
    text = f"the checkpoint does not fit {_texts(changed, culprits)}: {problems[0]}{more}"
    raise RefusedError(f"{names('resume')}: {text}: wanted it as it was ({advice})")


def _texts(changed, found):
    return ", ".join("{} (was {}, got {})".format(name, *changed[name]) for name in found)


def same_data(folder, training, changed, names):
    """Refuse a data set that is not the one that a run was begun with."""
    before, run = fingerprint(folder.read_environment()), names("resume")
    if before not in (None, training.fingerprint()) and "data" not in changed:
        raise RefusedError(
            f"{run}: wanted the data set with fingerprint {before}, got {training.fingerprint()}: "
            "the data are not those that the run began with"
        )


def same_held_out(folder, session, changed, say, names):
    """Refuse to go on where other pictures would be held out; with changed data they are drawn anew."""
    before, run = held_out_digest(folder.read_environment()), names("resume")
    now = (session.division.record() or {}).get("sha256")
    if before in (None, now):
        return
    if "data" not in changed:
        raise RefusedError(
            f"{run}: wanted the pictures held out that the run began with, digest {before}, got {now}: "
            "the labels or the way of drawing are not the same"
        )
    say("note: the pictures held out are drawn anew from the changed data: some may have been trained on")


def best_is_gone(folder, best, evaluated):
    """Whether the best weights are from after the last evaluation that the checkpoint knows."""
    measures = measures_of(folder.task)
    names = ("step", f"{folder.measure}_{measures.score}")
    later = [row for row in folder.metrics.rows(names) if row["step"] > evaluated]
    better = (best is None or measures.better(row[names[1]], best[measures.score]) for row in later)
    return folder.best.exists() and any(better)
