"""The loss of sequences that have a label at each step, such as the token that comes next."""

from cynet.core import checks
from cynet.core.types import AnyArray, Array

from .losses import CrossEntropyLoss


class SequenceLoss(CrossEntropyLoss):
    """`CrossEntropyLoss` over all steps of all sequences: the mean of (N, L, classes) against labels (N, L).

    Parameters and errors are those of `CrossEntropyLoss`.

    Examples
    --------
    >>> criterion = cynet.nn.SequenceLoss()
    >>> loss = criterion(model(tokens), following)
    >>> model.backward(criterion.backward())
    """

    def __call__(self, logits: Array, labels: AnyArray) -> float:
        """The loss.

        Parameters
        ----------
        logits : ndarray of float32, (N, L, classes)
        labels : array of integers, (N, L)

        Returns
        -------
        float
        """
        logits = checks.float_array("logits", logits, 3)
        shape = getattr(labels, "shape", None)
        if shape != logits.shape[:2]:
            raise ValueError(
                f"labels: wanted shape {logits.shape[:2]}, one for each step, got {shape or labels!r:.80}"
            )
        self._shape = logits.shape
        return super().__call__(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))

    def backward(self) -> Array:
        return super().backward().reshape(self._shape)
