"""GRU: gated recurrent units.

Cho et al. (2014), "Learning phrase representations using RNN encoder-decoder".
"""

from cynet.kernels.recurrent.recurrence import GRUPass
from cynet.nn import registry

from .recurrent import Recurrent


@registry.layer(
    examples={
        "GRU(4, 6)": (3, 5, 4),
        "GRU(3, 5, num_layers=2)": (2, 4, 3),
        "GRU(10, 40)": (2, 3, 10),
    }
)
class GRU(Recurrent):
    """Gated recurrent units over sequences, in one layer or several above each other.

    Of each step's input x and the state h before it, with PyTorch's gates in its order r, z, n:

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr), z = sigmoid(W_iz x + b_iz + W_hz h + b_hz),
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn)), y = (1 - z) * n + z * h, which is the state after it.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of the input; units, the features of the output.
    num_layers : int, optional
        Each layer takes the output of the one below it.

    Attributes
    ----------
    weight_ih_l0 : Parameter (3 hidden_size, input_size)
        Of layer 0; of those above (3 hidden_size, hidden_size).
    weight_hh_l0 : Parameter (3 hidden_size, hidden_size)
    bias_ih_l0, bias_hh_l0 : Parameter (3 hidden_size,)

    Notes
    -----
    x is float32 (N, L, input_size), y (N, L, hidden_size). ``y = gru(x)`` begins with a state of
    zeros. ``y, h = gru(x, h)`` begins with h, float32 (num_layers, N, hidden_size) or None for zeros, and
    gives the last state, too: a plain array to hand on, at which gradients are cut.

    Raises
    ------
    TypeError, ValueError
        From the constructor, when an argument is none of these; from a call, for another x or h.

    Examples
    --------
    >>> h = None
    >>> for x in pieces_of_a_long_sequence:
    ...     y, h = gru(x, h)
    """

    kind = GRUPass
