"""A trained model on the pictures of a data set, those of classes that it does not know apart."""

from dataclasses import dataclass

from cynet.train.predictions import Predictions, predict

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
        Of those of classes that the model knows.
    unknown : dict of str to Predictions
        By class those of the others.
    """

    matched: Matched
    known: Predictions
    unknown: dict


def evaluate(model, facts, matched, batch_size=TEST_BATCH, flip=False, tta=None):
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

    Returns
    -------
    Evaluated
    """

    def predicted(samples):
        with test_loader(samples, facts, batch_size) as batches:
            return predict(model, batches, flip, facts.tta if tta is None else tta)

    known = predicted(matched.known)
    return Evaluated(matched, known, {title: predicted(each) for title, each in matched.unknown.items()})
