"""Going on with a run where its last checkpoint stands: with its settings, or with some that are changed."""

import contextlib
import json
from dataclasses import dataclass, replace

from cynet.core.names import unused

from . import (
    agreement,
    changes,
    checkpoint,
    configuration,
    datasets,
    ending,
    environment,
    first_net,
    nets,
    own_code,
    together,
)
from .beginning import check, refused_net, session_of, size_of, write_config
from .environment import initial_weights
from .errors import RefusedError, refusing
from .filenames import LOG
from .folder import RunFolder
from .life import Company, train
from .nets import OwnNet
from .origins import DEFAULT, read
from .outcome import FINISHED, Outcome
from .places import data_folder, lasting
from .recorder import out_of_patience
from .settings import DEFAULTS, Settings
from .state import capture, checked, restore
from .weights import load_weights

DISCARDED, DAMAGED = "best.discarded.safetensors", "best.damaged.safetensors"


def resume(path, given, allow_change, company, net=None):
    """Go on in a run's own folder.

    Parameters
    ----------
    path : path
    given : dict
        The settings that are to be others than they were.
    allow_change : sequence of str
        Those of them that the weights may depend on.
    company : Company
    net : OwnNet, optional
        Its net, where that is brought again from Python.

    Returns
    -------
    Outcome
    """
    with together.told_to_others():
        if together.is_first():
            return _resume(path, given, allow_change, company, net)
        return _beside(given, company, net)


def _beside(given, company, net):
    """Go on beside the first process, with its settings, and data from where this one has them."""
    settings, origins, spec = json.loads(together.hand_out(b""))
    names, stored = company.names, Settings.unflat(settings)
    values = vars(stored) | ({"data_dir": given["data_dir"]} if "data_dir" in given else {})
    if net is None and spec is not None:
        net = nets.of_spec(stored.model, spec)
    elif net is None and nets.is_own(stored.model):
        net = refused_net(lambda: nets.named(stored.model, stored.seed), names("model"))
    training, test = datasets.load(values, names)
    with session_of(Settings(**values), training, test, origins, False, names, net) as session:
        together.agree(session, names, company.allow_mixed)
        return together.follow(session)


def _resume(path, given, allow_change, company, net):
    names, news = company.names, []
    allowed = changes.allowed(allow_change, names)
    with refusing(names("resume")):
        folder = RunFolder.open(path)
    with contextlib.closing(folder):
        with refusing(names("resume")):
            folder.lock()
            news += folder.set_aside()
            found = _latest(folder, news.append, names)
            stored, origins = _stored(folder, found, given, news.append, names)
            folder.configured(stored.flat())  # its file may be damaged
        allowed = changes.with_derived(allowed, origins)
        net, given = _net(folder, found, stored, given, allowed, names, net)
        return _Going(folder, found, stored, given, allowed, company, news, net).on(origins)


def _net(folder, found, stored, given, allowed, names, net):
    """(the `OwnNet` that a run goes on with or None for one of the registry's, what is given besides).

    It is the one that is named again, which must be that of the run by its digest, or else the one that the
    checkpoint, or where there is none the first weights, tell of as data: no code of the folder is run.
    """
    model = given.get("model", stored.model)
    if net is None and ("model" not in given or not nets.is_own(model)):
        if nets.is_registered(stored.model) or model != stored.model:
            return None, given
        spec = found and found[1].net
        kept = nets.of_spec(model, spec) if spec else None
        if not found:
            with refusing(names("resume")):
                kept = first_net.first(folder.path, model)
        if kept is None:
            other = "" if nets.is_own(model) else f" (a file also wants {names.allowing(['model'])})"
            raise RefusedError(f"{names('resume')}: {nets.wanted(model, names)}{other}")
        return kept, given
    net = net or refused_net(lambda: nets.named(model, stored.seed), names("model"))
    if "model" in allowed or not nets.is_own(stored.model):
        return net, given | {"model": net.name}
    if other := own_code.difference(folder.path, folder.read_environment(), net):
        takes = f"{names.allowing(['model'])} takes other code that fits"
        raise RefusedError(f"{names('model')}: {other[0]} ({other[1]}; {takes})")
    return net, {name: value for name, value in given.items() if name != "model"}


def _latest(folder, say, names):
    """`checkpoint.load_latest`, whose error also tells what is left of a run."""
    try:
        return checkpoint.load_latest(folder.path, say, checked)
    except checkpoint.DamagedError as error:
        left = f"; the weights are still in {folder.weights} ({names('init_from')})"
        raise ValueError(f"{error}{left if folder.weights.exists() else ''}") from None


def _stored(folder, found, given, say, names):
    """(settings, origins) of a run: those in its checkpoint, or else those it was begun with."""
    origins = dict.fromkeys(DEFAULTS, DEFAULT)
    if found:
        _, saved = found
        agreement.check(folder, saved.settings, given, say, names)
        return saved.settings, origins | saved.origins
    values = read(folder.path / configuration.CONFIG, names("resume"), parse=configuration.read_run)
    return Settings(**values), origins | folder.read_config()[1]


@dataclass
class _Going:
    """A run that goes on, from the checkpoint that was found, or anew where there is none.

    Attributes
    ----------
    folder : RunFolder
        Locked.
    found : (tensors, Saved) or None
    stored : Settings
        As they were.
    given : dict
        What is to be another from here on.
    allowed : set of str
    company : Company
    news : list of str
        Lines to say when it goes on.
    """

    folder: RunFolder
    found: tuple | None
    stored: Settings
    given: dict
    allowed: set
    company: Company
    news: list
    net: OwnNet | None = None

    def on(self, origins):
        """Go on; the `Outcome`."""
        folder, names = self.folder, self.company.names
        known = folder.read_environment()
        if not self.found:
            with refusing(names("resume")):
                path = initial_weights(known)
            self.stored = replace(self.stored, init_from=path or self.stored.init_from)
        values, origins = changes.merged(self.stored, origins, self.given, names)
        if "data_dir" not in self.given:  # which is seen from here
            values["data_dir"] = data_folder(values, known)
        values["data_dir"] = lasting(values["data_dir"], known)
        check(values, origins, names, kept=self.net is not None)
        settings = Settings(**values)
        together.hand_settings(settings, origins, self.found and self.found[1].net)
        training, test = datasets.load(values, names)
        made = session_of(settings, training, test, origins, not self.found, names, self.net)
        with made as session:
            together.agree(session, names, self.company.allow_mixed)
            changed = changes.of(self.stored, session, self.found, folder.path, self.allowed, names)
            changes.same_held_out(folder, session, changed, self.news.append, names)
            best, seconds = None, 0.0
            if self.found:
                best, seconds, ended = self._restored(session, changed)
                if ended:
                    together.dismiss()
                    self.news += _mended(folder, session, origins)
                    return self._finished(session, best)
                best = self._found(session, changed, best)
            else:
                changes.same_data(folder, training, changed, names)
                self.news.append("there is no checkpoint yet: beginning again")
                self.news += [str(session.initial)] if session.initial else []
            return self._trained(session, origins, changed, best, seconds)

    def _restored(self, session, changed):
        """(best, seconds, whether nothing is left to train) as the checkpoint has it."""
        with refusing(self.company.names("resume")):
            restore(session, *self.found, changed)
        trainer, settings, saved = session.trainer, session.settings, self.found[1]
        ended = not trainer.place.count and (
            trainer.steps >= settings.steps
            or out_of_patience(settings.patience, saved.best, trainer.place.epoch)
        )
        return saved.best, saved.seconds, ended

    def _found(self, session, changed, best):
        """What is left of the best weights; where the run goes on is noted."""
        trainer, news = session.trainer, self.news
        best = _kept(self.folder, best, news.append)
        news.append(f"going on after step {trainer.steps}, in epoch {trainer.place.epoch + 1}")
        news += changes.jump(self.stored, session, trainer.steps)
        if "lr" in changed and "lr_steps" not in changed and changes.by_steps(session):
            news.append(f"{self.company.names('lr')} changes nothing from here on: lr_steps say the rates")
        return best

    def _trained(self, session, origins, changed, best, seconds):
        """Train on; the `Outcome`."""
        folder, news = self.folder, self.news
        news += [f"changed: {name} from {before} to {now}" for name, (before, now) in changed.items()]
        evaluated = session.trainer.place.evaluated
        if changed and self.found and changes.best_is_gone(folder, best, evaluated):
            folder.best.replace(folder.path / DISCARDED)
            best = None
            news.append(f"the best weights are from steps that are trained anew: kept as {DISCARDED}")
        with refusing(self.company.names("resume")):
            news += _prepare(folder, session, origins, best, seconds, changed, bool(self.found))
        together.hand_state(session)
        return train(session, folder, origins, self.company, best, seconds, news)

    def _finished(self, session, best):
        """Say that nothing is left to train; look at the test set where that is left to do."""
        folder, say, settings = self.folder, self.company.voice, session.settings
        steps, test, names = session.trainer.steps, None, self.company.names
        for line in self.news:
            say(line)
        if not ending.is_tested(session, folder):  # it was stopped just before
            with say.logged(folder.own(LOG)) as folder.log:
                test = ending.tested(session, folder, best)
                ending.conclude(session, folder, best, test, say, self.company.report, names)
            return _outcome(folder, session, best, test)
        say(f"{folder.path} is finished: {steps} of {settings.steps} steps")
        change, was = "steps", ""
        if steps < settings.steps:
            change, was = "patience", f" (it was {settings.patience})"
        wanted = f"{names.allowing([change])} {names.with_value(change, 'N')}"
        advice = f"to train for longer: {wanted}{was}"
        say(f"{advice}; weights in {folder.weights}")
        return _outcome(folder, session, best, test, (advice,))


def _outcome(folder, session, best, test, advice=()):
    steps = session.trainer.steps
    return Outcome(
        FINISHED, folder.path, steps, session.settings.steps, session.measure, best, test=test, advice=advice
    )


def _kept(folder, best, say):
    """What the checkpoint tells of the best weights, None where they are lost: nothing is claimed of them."""
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


def _prepare(folder, session, origins, best, seconds, changed, found):
    """Take back the rows that come again, and note this part of the run; lines to say."""
    trainer = session.trainer
    folder.reserve(size_of(session, origins))
    begun = trainer.steps > 0
    kept = folder.rewind(trainer.steps if begun else -1, trainer.place.evaluated if begun else -1)
    if changed and found:  # from now on the checkpoint says so too
        checkpoint.save(folder.own(checkpoint.NAME), *capture(session, origins, best, seconds))
    mended = _mended(folder, session, origins)
    write_config(folder, session.settings, origins)
    before = folder.read_environment()
    now = environment.describe(session)
    other = environment.differences(before, now) if before else []
    parts = [*before.pop("resumed", []), now | {"after_step": trainer.steps, "changed": changed}]
    folder.write_environment((before or now) | {"resumed": parts})
    return kept + mended + [f"note: the last bits may differ from here on: {line}" for line in other]


def _mended(folder, session, origins):
    """Set a damaged configuration aside and write it anew; lines to say."""
    damaged = configuration.set_aside(folder.path / configuration.CONFIG)
    if not damaged:
        return []
    write_config(folder, session.settings, origins)
    return [f"note: {damaged}; written anew from the checkpoint"]
