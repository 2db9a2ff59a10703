"""A training from where it stands to its end: watched, kept, stopped, or explained where it breaks."""

import contextlib
import os
import signal
from dataclasses import dataclass, field

from cynet.core.files import reason
from cynet.core.tasks import LANGUAGE
from cynet.data.workers import auto
from cynet.train.loop import Observer
from cynet.train.shards.world import RankFailedError
from cynet.train.signals import Signals, Stopped
from cynet.train.trainer import Diverged

from . import divergence, ending, tensorboard, together
from .aside import CHECKPOINTS
from .errors import FailedError
from .estimate import Estimate
from .facts import TOKENS
from .filenames import LOG
from .hold import GoneError
from .lines import IMAGES, Lines
from .log import Voice
from .net_code import said
from .origins import DEFAULT, Names, described
from .outcome import DIVERGED, FINISHED, STOPPED, Interrupted, Outcome
from .recorder import Keeper, Recorder
from .remarks import introduce
from .trial import in_pass
from .watching import doctor_of


@dataclass(frozen=True)
class Company:
    """Who is with a run: whom it talks to, who watches, who writes its page, and what messages call things.

    Attributes
    ----------
    voice : Voice
    screen : callable
        Makes what shows the training: gets the steps, the batch size, `done`, `say` and `what`, as `Lines`.
    observers : tuple of Observer
    report : callable or None
        See `ending.conclude`.
    names : Names
    stopping : callable or None
        Told at once, with a line, that a signal came; None: standard error. A terminal's own line may be one
        that is being printed.
    allow_mixed : bool
        Whether processes that train together may have other processors than each other.
    """

    voice: Voice = field(default_factory=Voice)
    screen: type = Lines
    observers: tuple = ()
    report: object = None
    names: Names = field(default_factory=Names)
    stopping: object = None
    allow_mixed: bool = False


def train(session, folder, origins, company, best=None, seconds=0.0, news=()):
    """Train a session to its end, in its folder, from where it stands.

    Parameters
    ----------
    session : Session
    folder : RunFolder
        Locked.
    origins : dict
    company : Company
    best, seconds
        See `Recorder`.
    news : sequence of str
        Lines to say at the beginning.

    Returns
    -------
    Outcome

    Raises
    ------
    FailedError
        When it breaks: no memory, no room on the disk, data that cannot be read, a folder that is gone.
    Interrupted
        On the second signal.
    """
    with Signals(company.stopping) as signals:
        agreed = together.Agreed(signals, together.world())
        return _Life(session, folder, origins, company, agreed).live(best, seconds, news)


class _Life:
    """One part of a run, from its beginning or a checkpoint to its end or the next one."""

    def __init__(self, session, folder, origins, company, signals):
        self.session, self.folder, self.origins = session, folder, origins
        self.company, self.signals, self.say = company, signals, company.voice
        self.last = _Last()

    def live(self, best, seconds, news):
        folder, self.folder.tell = self.folder, self.say
        try:
            with self.say.logged(folder.own(LOG)) as folder.log:
                try:
                    self.recorder = Recorder(folder, self.session, best, seconds)
                    self.keeper = Keeper(folder, self.session, self.recorder, self.origins)
                    self._begin(news)
                    return self._watched()
                except KeyboardInterrupt as error:  # the second signal
                    raise self._interrupted() from error
        except FailedError as error:
            if not isinstance(error.__cause__, Diverged):
                raise
            return self._outcome(DIVERGED, error=str(error), advice=self.advice)

    def _begin(self, news):
        settings = self.session.settings
        introduce(self.session, self.folder, self.say)
        if self.origins.get("workers") == DEFAULT and self.session.task.name != LANGUAGE:  # which has none
            self.say(auto.beside(settings.threads)[1])
        for line in (*described(settings, self.origins), *news):
            self.say(line)

    def _watched(self):
        """Train with all who watch; the `Outcome`."""
        session, settings, folder = self.session, self.session.settings, self.folder
        done = session.trainer.steps
        what = TOKENS if session.task.name == LANGUAGE else IMAGES
        self.screen = self.company.screen(
            settings.steps, session.step_count, done=done, say=self.say, what=what
        )
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.closing(self.screen))
            folder.tell = self.screen.say
            observers = [self.recorder, self.keeper, self.screen, Estimate(session, self.screen.say)]
            observers += [doctor_of(session, self.screen.say, self.company.names), self.last]
            if settings.tensorboard:
                board = tensorboard.TensorBoard(folder.path, done, session.task.measures.columns)
                observers.append(stack.enter_context(contextlib.closing(board)))
            ended = self._explained([*observers, *self.company.observers])
            return ended if isinstance(ended, Outcome) else self._finished(ended)

    def _explained(self, observers):
        """As `_trained`; what breaks is told with its step."""
        session, folder, trainer = self.session, self.folder, self.session.trainer
        try:
            return self._trained(observers)
        except MemoryError as error:
            raise FailedError(f"step {trainer.steps + 1}: {str(error) or type(error).__name__}") from error
        except GoneError as error:
            raise FailedError(f"after step {trainer.steps}: {reason(error)}") from error
        except OSError as error:  # of a file that a step, an evaluation or the end is noted in
            try:
                folder.follow()  # for what is said of it
            except GoneError as gone:  # which is why
                raise FailedError(f"after step {trainer.steps}: {reason(gone)}") from error
            except OSError:
                pass
            raise FailedError(f"after step {trainer.steps}: {reason(error)}; {self._again()}") from error
        except Diverged as error:
            self.screen.close()
            self.advice = divergence.explain(session, folder, error, self.say, self.company.names)
            hint = f"try a lower learning rate (it was {trainer.optimizer.lr:g})"
            raise FailedError(f"{error}; {hint}") from error
        except (Exception, SystemExit) as error:
            if session.is_known or not in_pass(error):
                raise
            name = session.net.name if session.net else session.settings.model
            problem = f"{name}: {said(name, error)}"
            raise FailedError(f"after step {trainer.steps}: {problem}; {self._again()}") from error

    def _trained(self, observers):
        """Train to the end: the `Evaluation` of the test set; or save where it is to stop: the `Outcome`."""
        session, folder, recorder = self.session, self.folder, self.recorder

        def watch(items):
            return _guarded(self.signals.watch(items))

        def watch_alone(items):  # what the first process does at its end the others know nothing of
            return _guarded(self.signals.signals.watch(items))

        try:
            result = session.train(observers, watch)
            return ending.tested(session, folder, recorder.best, watch_alone) or result.test
        except (Stopped, _UnreadError, RankFailedError) as stopped:
            return self._stopped(stopped)

    def _finished(self, test):
        """Say how it ended."""
        self.screen.close()
        steps, settings = self.session.trainer.steps, self.session.settings
        if steps < settings.steps:
            self.say(f"stopped after {steps} steps: {settings.patience} epochs brought nothing better")
        ending.conclude(
            self.session, self.folder, self.recorder.best, test, self.say, self.company.report,
            self.company.names,
        )  # fmt: skip
        return self._outcome(FINISHED, test=test)

    def _stopped(self, stopped):
        """Save what there is; the `Outcome` of a training that a signal stopped."""
        keeper, recorder, steps = self.keeper, self.recorder, self.session.trainer.steps
        unread = not isinstance(stopped, Stopped)
        try:
            keeper.save()
            recorder.save()
        except OSError as error:
            if unread:  # what the training ended with is not to be forgotten
                raise type(error)(error.errno, f"{stopped}; then {reason(error)}") from error
            raise
        self.screen.close()
        advice = f"to go on: {self.company.names.resume(self.folder.path)}"
        self.say(f"checkpoint in {keeper.path}; {advice}")
        if unread:
            raise FailedError(f"after step {steps}: {stopped}") from stopped
        self.say(f"stopped by {stopped} after {steps} steps; the weights so far are in {self.folder.weights}")
        return self._outcome(STOPPED, signal=stopped.signal, advice=(advice,))

    def _interrupted(self):
        """Say what is left after a second signal; what is to be raised."""
        with contextlib.suppress(OSError):
            self.folder.follow()
        last = self.folder.checkpoint
        last = f"{last} is the last checkpoint" if last else "there is no checkpoint yet"
        self.say(f"stopped at once; {last}; to go on: {self.company.names.resume(self.folder.path)}")
        return Interrupted(self.signals.pending or signal.SIGINT)

    def _again(self):
        """What a training that broke can go on from, and how."""
        folder, known = self.folder, self.folder.checkpoint
        if known is None and any(os.path.lexists(folder.path / name) for name in CHECKPOINTS):
            return "there is no checkpoint to go on from"
        place = known or "the stored configuration"
        return f"to go on from {place}: {self.company.names.resume(folder.path)}"

    def _outcome(self, status, **more):
        session = self.session
        return Outcome(
            status, self.folder.path, session.trainer.steps, session.settings.steps, session.measure,
            self.recorder.best, self.last.result, **more,
        )  # fmt: skip


class _Last(Observer):
    """Knows the last evaluation."""

    result = None

    def evaluated(self, result):
        self.result = result


class _UnreadError(Exception):
    """The next batch could not be made; the training is as it was after the last step."""


def _guarded(items):
    """The items; what goes wrong while one is made becomes `_UnreadError`."""
    items = iter(items)
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except Stopped:
            raise
        except Exception as error:
            known = isinstance(error, (OSError, ValueError)) and str(error)
            raise _UnreadError(reason(error) if known else f"{type(error).__name__}: {error}") from error
        yield item
