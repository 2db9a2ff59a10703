"""`cynet train --resume RUN`: go on with a run where its last checkpoint stands."""

import contextlib
from dataclasses import replace

from cynet.runs.environment import fingerprint, held_out_digest, initial_weights

from . import agreement, options, train
from .parser import UsageError, refusing, suggestion
from .places import data_folder, lasting

DISCARDED, DAMAGED = "best.discarded.safetensors", "best.damaged.safetensors"
SETTLED = ("validation", "split_seed")  # when a run begins: what was trained on can judge nothing later


def resume(flags):
    """Go on in the run's own folder; the exit status."""
    from cynet.train import RunFolder

    for name in ("run_dir", "config", "recipe", "init_from"):
        if getattr(flags, name) is not None:
            flag = options.flag_of(name)
            raise UsageError(f"{flag}: not allowed with --resume, which takes all of it from the run")
    allowed = _allowed(flags.allow_change)
    news = []
    with refusing("--resume"):
        folder = RunFolder.open(flags.resume)
    with contextlib.closing(folder):
        with refusing("--resume"):
            folder.lock()
            news += folder.set_aside()
            found = _latest(folder, news.append)
            stored, origins = _stored(folder, found, options.given(flags), news.append)
            folder.configured(stored.flat())  # its file may be damaged
        return _resume(flags, folder, found, stored, origins, allowed, news)


def _latest(folder, say):
    """`checkpoint.load_latest`, whose error also tells what is left of a run."""
    from cynet.runs import checkpoint
    from cynet.runs.state import checked

    try:
        return checkpoint.load_latest(folder.path, say, checked)
    except checkpoint.DamagedError as error:
        left = f"; the weights are still in {folder.weights} (--init-from)" if folder.weights.exists() else ""
        raise ValueError(f"{error}{left}") from None


def _allowed(names):
    """The settings that may be changed, by the names that were given."""
    for name in (name.replace("-", "_") for name in names):
        if name not in options.OPTIONS:
            hint = suggestion(name, options.OPTIONS) or f"one of {', '.join(options.OPTIONS)}"
            raise UsageError(f"--allow-change: no such setting: {name} ({hint})")
    allowed = {name.replace("-", "_") for name in names}
    if "epochs" in allowed:
        allowed.add("steps")
    if "schedule" in allowed:
        allowed.add("lr_steps")
    return allowed


def _with_derived(allowed, origins):
    """Also what the run derives from the settings that may be changed."""
    derived = allowed & {"steps", "lr"} and origins["lr_steps"] == options.DEFAULT
    return allowed | {"lr_steps"} if derived else allowed


def _stored(folder, found, given, say):
    """(settings, origins) of a run: those in its checkpoint, or else those it was begun with."""
    from cynet.runs.configuration import CONFIG, read_run
    from cynet.runs.settings import Settings

    origins = dict.fromkeys(options.DEFAULTS, options.DEFAULT)
    if found:
        _, saved = found
        agreement.check(folder, saved.settings, given, say)
        return saved.settings, origins | saved.origins
    values = options.read(folder.path / CONFIG, "--resume", parse=read_run)
    return Settings(**values), origins | folder.read_config()[1]


def _resume(flags, folder, found, stored, origins, allowed, news):
    from cynet.runs.recorder import out_of_patience
    from cynet.runs.state import restore

    allowed = _with_derived(allowed, origins)
    if not found:
        with refusing("--resume"):
            path = initial_weights(folder.read_environment())
        stored = replace(stored, init_from=path or stored.init_from)
    values, origins = _merged(stored, origins, options.given(flags))
    environment = folder.read_environment()
    if "data_dir" not in options.given(flags):  # which is seen from here
        values["data_dir"] = data_folder(values, environment)
    values["data_dir"] = lasting(values["data_dir"], environment)
    train.check(values, origins)
    training, test = train.load(values)
    with train.session_of(type(stored)(**values), training, test, origins, initial=not found) as session:
        changed = _changes(stored, session.settings, allowed)
        _same_held_out(folder, session, changed, news.append)
        best, seconds, trainer = None, 0.0, session.trainer
        if found:
            with refusing("--resume"):
                restore(session, *found, changed)
            best, seconds = found[1].best, found[1].seconds
            if not trainer.place.count and (
                trainer.steps >= session.settings.steps
                or out_of_patience(session.settings.patience, best, trainer.place.epoch)
            ):
                news += _mended(folder, session, origins)
                return _finished(folder, session, best, flags.report, news)
            best = _kept(folder, best, news.append)
            news.append(f"going on after step {trainer.steps}, in epoch {trainer.place.epoch + 1}")
            news += _jump(stored, session, trainer.steps)
            if "lr" in changed and "lr_steps" not in changed and _by_steps(session):
                news.append("--lr changes nothing from here on: lr_steps say the rates")
        else:
            _same_data(folder, training, changed)
            news.append("there is no checkpoint yet: beginning again")
        news += [f"changed: {name} from {before} to {now}" for name, (before, now) in changed.items()]
        if changed and found and _best_is_gone(folder, best, trainer.place.evaluated):
            folder.best.replace(folder.path / DISCARDED)
            best = None
            news.append(f"the best weights are from steps that are trained anew: kept as {DISCARDED}")
        with refusing("--resume"):
            news += _prepare(folder, session, origins, best, seconds, changed, bool(found))
        return train.train(session, folder, origins, best, seconds, news, flags.report)


def _kept(folder, best, say):
    """What the checkpoint tells of the best weights, None where they are lost: nothing is claimed of them."""
    from cynet.core.names import unused
    from cynet.train import load_weights

    if best is None:
        return None
    step, anew = best["step"], "the best of the evaluations to come is kept, and a patience counts anew"
    if not folder.best.exists():
        say(f"note: the best weights, of step {step}, are not in {folder.best} any more: {anew}")
        return None
    try:
        load_weights(folder.best)
    except ValueError as error:
        aside = unused(folder.path / DAMAGED)
        folder.best.replace(aside)
        problem = f"are damaged: {error}; set aside as {aside.name}"
        say(f"note: the best weights, of step {step}, {problem}; {anew}")
        return None
    return best


def _merged(stored, origins, given):
    """The stored settings with those of the flags in their place, as (values, origins)."""
    anew = set(options.replaced(given, options.FLAG))
    if given.keys() & {"steps", "epochs", "lr"} and origins["lr_steps"] == options.DEFAULT:
        anew.add("lr_steps")
    anew.update(name for name in ("threads", "workers") if origins[name] == options.DEFAULT)  # this machine's
    values = vars(stored) | {name: options.DEFAULTS[name] for name in anew}
    origins = origins | dict.fromkeys(anew, options.DEFAULT)
    values, origins = values | given, origins | dict.fromkeys(given, options.FLAG)
    return values, options.chosen_by_the_run(values, origins)


def _by_steps(session):
    """Whether the rates of `lr_steps` have begun."""
    return any(step <= session.trainer.steps for step in session.settings.lr_steps or ())


def _jump(stored, session, steps):
    """A line where the learning rate is not what it would have been without changed settings."""
    before, now = stored.learning_rates()(steps), session.settings.learning_rates()(steps)
    if stored.schedule == session.settings.schedule and steps >= stored.steps:
        before = stored.learning_rates()(steps - 1)  # it had come to its end
    if not 0.5 * before <= now <= 2 * before:
        yield f"the learning rate goes from {before:.3g} to {now:.3g} here, as the changed settings want it"


def _changes(stored, settings, allowed):
    """{name: (before, now)} of the settings that decide about the weights and are not as they were."""
    from cynet.runs.state import frozen_changes

    changed = {name: (before, now) for name, before, now in frozen_changes(stored.flat(), settings)}
    for name in SETTLED:
        if name in changed:
            before, now = changed[name]
            raise UsageError(
                f"{options.flag_of(name)}: wanted {before}, as the run began, got {now}: a picture that was "
                "trained on cannot be held out later (--run-dir begins another run)"
            )
    refused = [name for name in changed if name not in allowed]
    if refused:
        texts = ", ".join("{} (was {}, got {})".format(name, *changed[name]) for name in refused)
        flags = " ".join(f"--allow-change {name}" for name in refused)
        raise UsageError(f"--resume: the weights depend on {texts}: wanted {flags} beside it")
    return changed


def _same_data(folder, training, changed):
    """Refuse a data set that is not the one that a run was begun with."""
    before = fingerprint(folder.read_environment())
    if before not in (None, training.fingerprint()) and "data" not in changed:
        raise UsageError(
            f"--resume: wanted the data set with fingerprint {before}, got {training.fingerprint()}: "
            "the data are not those that the run began with"
        )


def _same_held_out(folder, session, changed, say):
    """Refuse to go on where other pictures would be held out; with changed data they are drawn anew."""
    before = held_out_digest(folder.read_environment())
    now = (session.division.record() or {}).get("sha256")
    if before in (None, now):
        return
    if "data" not in changed:
        raise UsageError(
            f"--resume: wanted the pictures held out that the run began with, digest {before}, got {now}: "
            "the labels or the way of drawing are not the same"
        )
    say("note: the pictures held out are drawn anew from the changed data: some may have been trained on")


def _best_is_gone(folder, best, evaluated):
    """Whether the best weights are from after the last evaluation that the checkpoint knows."""
    least = best["accuracy"] if best else -1
    names = ("step", f"{folder.measure}_accuracy")
    later = [row for row in folder.metrics.rows(names) if row["step"] > evaluated]
    return folder.best.exists() and any(row[names[1]] > least for row in later)


def _prepare(folder, session, origins, best, seconds, changed, found):
    """Take back the rows that come again, and note this part of the run; lines to say."""
    from cynet.runs import checkpoint, environment
    from cynet.runs.state import capture

    trainer = session.trainer
    folder.reserve(train.size_of(session, origins))
    begun = trainer.steps > 0
    kept = folder.rewind(trainer.steps if begun else -1, trainer.place.evaluated if begun else -1)
    if changed and found:  # from now on the checkpoint says so too
        checkpoint.save(folder.own(checkpoint.NAME), *capture(session, origins, best, seconds))
    mended = _mended(folder, session, origins)
    train.write_config(folder, session.settings, origins)
    before = folder.read_environment()
    now = environment.describe(session)
    other = environment.differences(before, now) if before else []
    parts = [*before.pop("resumed", []), now | {"after_step": trainer.steps, "changed": changed}]
    folder.write_environment((before or now) | {"resumed": parts})
    return kept + mended + [f"note: the last bits may differ from here on: {line}" for line in other]


def _mended(folder, session, origins):
    """Set a damaged configuration aside and write it anew; lines to say."""
    from cynet.runs import configuration

    damaged = configuration.set_aside(folder.path / configuration.CONFIG)
    if not damaged:
        return []
    train.write_config(folder, session.settings, origins)
    return [f"note: {damaged}; written anew from the checkpoint"]


def _finished(folder, session, best, report, news):
    from cynet.runs.folder import LOG

    from . import ending
    from .terminal import logged, say

    for line in news:
        say(line)
    if not ending.is_tested(session, folder):  # it was stopped just before
        with logged(folder.path / LOG) as folder.log:
            test = ending.tested(session, folder, best)
            ending.conclude(session, folder, best, test, report)
        return 0
    say(f"{folder.path} is finished: {session.trainer.steps} of {session.settings.steps} steps")
    settings = session.settings
    change = "steps --steps N"
    if session.trainer.steps < settings.steps:
        change = f"patience --patience N (it was {settings.patience})"
    say(f"to train for longer: --allow-change {change}; weights in {folder.weights}")
    return 0
