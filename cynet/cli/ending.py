"""The end of a run: what came out, the look at the test set, and the page."""

from cynet.core.files import digest_of

from .parser import Failure, reason


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
    from cynet.train import evaluate, load_weights
    from cynet.train.validation import VALIDATION, write_tested

    folder.follow()
    if session.measure != VALIDATION:
        return None
    try:
        model, _ = load_weights(folder.best)
    except (ValueError, OSError) as error:
        raise Failure(f"the test set was not looked at: {reason(error)}") from error
    evaluation = evaluate(model, watch(session.test_batches))
    write_tested(folder, evaluation, digest_of(folder.best), best, session.trainer.steps)
    return evaluation


def is_tested(session, folder):
    """Whether nothing is left to do at the end of a run."""
    from cynet.train.validation import VALIDATION, read_tested

    return session.measure != VALIDATION or read_tested(folder).get("steps") == session.trainer.steps


def conclude(session, folder, best, test, report):
    """Say what came out; the accuracy on the test set is the last line.

    Parameters
    ----------
    session : Session
    folder : RunFolder
    best : dict
    test : Evaluation
        Of the test set.
    report : bool
        Whether to write the page.
    """
    from cynet.train.rundir import WEIGHTS
    from cynet.train.validation import VALIDATION, read_tested

    from .terminal import accuracies, say

    folder.follow()
    measure = session.measure
    say(f"weights in {folder.weights}, SHA-256 {digest_of(folder.own(WEIGHTS))}")
    text = f"best {measure} accuracy {best['accuracy']:.4f}, after {best['step']} steps: {folder.best}"
    if measure == VALIDATION:
        last = folder.metrics.last().get(f"{measure}_accuracy")
        say(f"{text}; of the last weights {'not known' if last is None else format(last, '.4f')}")
    else:
        say(f"{text} (chosen on the test set itself; --validation SHARE holds out pictures to choose on)")
    if report:
        _report(folder)
    if measure == VALIDATION:
        before = read_tested(folder).get("before")
        looked = f"again (before: after {', '.join(map(str, before))} steps)" if before else "once"
        say(f"the test set, looked at {looked}, with the best weights:")
    say(accuracies(test, session.facts.classes))


def _report(folder):
    """Write the page of a run that ended well; what hinders it is a note."""
    from cynet.train.report import folder as runs
    from cynet.train.rundir import KEPT
    from cynet.train.weights import came_to

    from . import report
    from .terminal import say

    try:
        weights = KEPT[came_to(folder.path)]
        report.write([runs.read(folder.path)], folder.own(report.PAGE), weights=weights)
    except report.PlotsError as error:
        say(f"note: no PNG files beside {folder.path / report.PAGE}: {reason(error)}")
    except (ValueError, OSError) as error:
        say(f"note: no {report.PAGE}: {reason(error)}")
