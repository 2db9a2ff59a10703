"""The first filters of a net, set from the patches of the pictures that it is to be trained on."""

import numpy as np

from cynet.data import patches
from cynet.nn import init
from cynet.nn.layers.conv2d import Conv2d

from .facts import BYTES

PICTURES = 5000  # whose patches are looked at, spread over all


def whiten(model, training, kept, facts):
    """Set the filters of a model's first layer, as `cynet.nn.init.whitening` says.

    Parameters
    ----------
    model : Layer
    training : dataset
    kept : ndarray of int
        Which of its pictures are trained on.
    facts : Facts
        By whose mean and deviation they are normalised.

    Raises
    ------
    ValueError
        When the first layer with weights is no `Conv2d` of one group, it has another number of filters, or
        the samples are no pictures of bytes.
    """
    if facts.kind != BYTES or len(facts.picture_shape) != 3:
        raise ValueError(f"whiten: wanted pictures of bytes, uint8, got {training!r} of {facts.kind}")
    first = next((layer for _, layer in model.walk() if layer._own()), None)
    if not isinstance(first, Conv2d) or first.groups > 1:
        raise ValueError(f"whiten: wanted a first layer with weights that is a Conv2d, got {first!r:.80}")
    few = kept[np.linspace(0, len(kept) - 1, min(PICTURES, len(kept))).astype(np.int64)]
    try:
        found = patches.moments(training.images, few, first.kernel_size, facts.mean, facts.std)
        init.whitening(first.weight.data, found)
    except ValueError as error:
        raise ValueError(f"whiten: {error}") from None
