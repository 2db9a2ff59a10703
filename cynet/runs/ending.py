"""The end of a run: what came out, the look at the test set, and the page."""

from cynet.core.files import digest_of, reason
from cynet.core.tasks import LANGUAGE
from cynet.train.views import seen

from . import validation
from .errors import FailedError, PlotsError
from .filenames import KEPT, PAGE, WEIGHTS
from .lines import accuracies
from .origins import Names
from .validation import VALIDATION
from .weights import came_to, load_weights


def tested(session, folder, best, watch=iter):
    """Look at the test set, with the best weights, at the end of a run that chose them on other pictures.

    Parameters
    ----------
    session : Session
    folder : RunFolder
    best : dict
        See `Recorder`.
    watch : callable, optional
        As in `loop.train`.

    Returns
    -------
    Evaluation or None
        None where the run is measured on the test set anyway.
    """
    folder.follow()
    if session.measure != VALIDATION:
        return None
    try:
        model, facts = load_weights(folder.best)
    except (ValueError, OSError) as error:
        raise FailedError(f"the test set was not looked at: {reason(error)}") from error
    evaluation = session.task.evaluate(seen(model, facts.tta), watch(session.test_batches))
    validation.write_tested(folder, evaluation, digest_of(folder.best), best, session.trainer.steps)
    return evaluation


def is_tested(session, folder):
    """Whether nothing is left to do at the end of a run."""
    if session.measure != VALIDATION:
        return True
    return validation.read_tested(folder).get("steps") == session.trainer.steps


def conclude(session, folder, best, test, say, report=None, names=None):
    """Say what came out; the accuracy on the test set is the last line.

    Parameters
    ----------
    session : Session
    folder : RunFolder
    best : dict
    test : Evaluation
        Of the test set.
    say : callable
    report : callable or None, optional
        Writes the page: gets the path of the run, that of the page, `weights`, the name of the file to look
        at, and `say`.
    names : Names, optional
    """
    folder.follow()
    measure = session.measure
    say(f"weights in {folder.weights}, SHA-256 {digest_of(folder.own(WEIGHTS))}")
    score, words = session.task.measures.score, session.task.measures.words
    found = "nan" if best[score] is None else f"{best[score]:.4f}"
    text = f"best {measure} {words} {found}, after {best['step']} steps: {folder.best}"
    if measure == VALIDATION:
        last = folder.metrics.last().get(f"{measure}_{score}")
        say(f"{text}; of the last weights {'not known' if last is None else format(last, '.4f')}")
    else:
        share = (names or Names()).with_value("validation", "SHARE")
        instead = "" if session.task.name == LANGUAGE else f"; {share} holds out pictures to choose on"
        say(f"{text} (chosen on the test set itself{instead})")
    if report is not None:
        _page(folder, report, say)
    if measure == VALIDATION:
        before = validation.read_tested(folder).get("before")
        looked = f"again (before: after {', '.join(map(str, before))} steps)" if before else "once"
        say(f"the test set, looked at {looked}, with the best weights:")
    say(accuracies(test, session.facts.classes))


def _page(folder, report, say):
    """Write the page of a run that ended well; whatever hinders it is a note: the run is trained."""
    try:
        report(folder.path, folder.own(PAGE), weights=KEPT[came_to(folder.path)], say=say)
    except PlotsError as error:
        say(f"note: no PNG files beside {folder.path / PAGE}: {reason(error)}")
    except Exception as error:  # what a caller brings may raise anything
        known = isinstance(error, (ValueError, OSError)) and str(error)
        say(f"note: no {PAGE}: {reason(error) if known else f'{type(error).__name__}: {error}'}")
