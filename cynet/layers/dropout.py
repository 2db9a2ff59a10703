"""Dropout."""

from cynet.core import checks, random, threads, workspace
from cynet.core.layer import Layer
from cynet.kernels import dropout


class Dropout(Layer):
    """In training, zero each element with probability p and scale the others by 1 / (1 - p).

    Srivastava et al. 2014. Each training pass takes one key from `cynet.seed`'s counter; the mask is a
    function of the key and the element's number, so it is the same for any number of threads. In evaluation
    the input is passed through.

    Parameters
    ----------
    p : float, optional
        Probability of a zero, 0 to 1.
    """

    def __init__(self, p=0.5):
        self.p = checks.number("p", p, 0, 1)

    def forward(self, x):
        key = random.next_key() if self.training and self.p > 0 else None
        self.save(x.shape, key)
        return x if key is None else self._masked(x, key)

    def backward(self, dy):
        shape, key = self.saved()
        dy = self.gradient(dy, shape)
        return dy if key is None else self._masked(dy, key)

    def _masked(self, x, key):
        y = workspace.empty(x.shape)
        dropout.dropout(x.reshape(-1), y.reshape(-1), self.p, *key, threads.get_num_threads())
        return y

    def __repr__(self):
        return f"Dropout(p={self.p:g})"
