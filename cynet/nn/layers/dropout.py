"""Dropout."""

from cynet.core import checks, random, threads, workspace
from cynet.core.types import Array
from cynet.kernels.pointwise import dropout
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(examples={"Dropout(0.3)": (3, 9, 7, 11)})
class Dropout(Layer):
    """In training, zero each element with probability p and scale the others by 1 / (1 - p).

    Srivastava et al. 2014. Each training pass takes one key from `cynet.seed`'s counter; the mask is a
    function of the key and the element's number, so it is the same for any number of threads. In evaluation
    the input is passed through.

    Parameters
    ----------
    p : float, optional
        Probability of a zero, 0 to 1.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    hands_on = True  # its input, in evaluation: plans leave it out

    def __init__(self, p: float = 0.5) -> None:
        self.p = checks.number("p", p, 0, 1)

    def forward(self, x: Array) -> Array:
        p = checks.number("p", self.p, 0, 1)  # it may have been set
        key = random.next_key() if self._trains() and p > 0 else None
        self.save(x.shape, p, key)
        return x if key is None else _masked(x, p, key)

    def backward(self, dy: Array) -> Array:
        shape, p, key = self.saved()
        dy = self.gradient(dy, shape)
        return dy if key is None else _masked(dy, p, key)

    def __repr__(self) -> str:
        return f"Dropout(p={self.p:g})"


def _masked(x: Array, p: float, key: tuple[int, int]) -> Array:
    y = workspace.empty(x.shape)
    dropout.dropout(x.reshape(-1), y.reshape(-1), p, *key, threads.get_num_threads())
    return y
