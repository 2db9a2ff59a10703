"""A trained model on the pictures of a data set, those of classes that it does not know apart."""

from dataclasses import dataclass

from cynet.core.tasks import CLASSIFY, LANGUAGE
from cynet.train.predictions import Predictions, predict
from cynet.train.tasks import task_of

from .matching import Matched
from .session import TEST_BATCH, test_loader


@dataclass(frozen=True)
class Evaluated:
    """What a model says of a data set.

    Attributes
    ----------
    matched : Matched
        The pictures.
    known : Predictions
        Of those of classes that the model knows; of other tasks a LabelEvaluation or NumberEvaluation.
    unknown : dict of str to Predictions
        By class those of the others.
    """

    matched: Matched
    known: Predictions
    unknown: dict


def evaluate(model, facts, matched, batch_size=TEST_BATCH, flip=False, tta=None, loss=None):
    """Let a model predict all pictures of a data set.

    Parameters
    ----------
    model : Layer
    facts : Facts
        Its own, as `load_weights` gives them.
    matched : Matched
        See `matching.load`.
    batch_size : int, optional
    flip : bool, optional
    tta : str, optional
        See `predict`; default: as the weights were judged in their training.
    loss : str, optional
        Of numbers: what the model was trained with.

    Returns
    -------
    Evaluated
    """

    def predicted(samples):
        with test_loader(samples, facts, batch_size) as batches:
            if facts.task == CLASSIFY:
                return predict(model, batches, flip, facts.tta if tta is None else tta)
            if facts.task == LANGUAGE:
                return task_of(facts.task).evaluate(model, batches)
            return task_of(facts.task, loss).evaluate(model, batches, flip)

    known = predicted(matched.known)
    return Evaluated(matched, known, {title: predicted(each) for title, each in matched.unknown.items()})
