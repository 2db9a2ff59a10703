"""LSTM: long short-term memory.

Hochreiter and Schmidhuber (1997), "Long short-term memory".
"""

from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import Array
from cynet.kernels.recurrent.recurrence import LSTMPass
from cynet.nn import registry

from .recurrent import Recurrent


@registry.layer(
    examples={
        "LSTM(4, 6)": (3, 5, 4),
        "LSTM(3, 5, num_layers=2)": (2, 4, 3),
        "LSTM(10, 40)": (2, 3, 10),
    }
)
class LSTM(Recurrent):
    """Long short-term memory over sequences, in one layer or several above each other.

    Of each step's input x, and the state h and the cell c' before it, with PyTorch's gates in its order
    i, f, g, o:

    i, f, o = sigmoid(W_i x + b_i + W_h h + b_h) and g = tanh(...), each of its own weights;
    c = f * c' + i * g; y = o * tanh(c), which is the state after it.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of the input; units, the features of the output.
    num_layers : int, optional
        Each layer takes the output of the one below it.

    Attributes
    ----------
    weight_ih_l0 : Parameter (4 hidden_size, input_size)
        Of layer 0; of those above (4 hidden_size, hidden_size).
    weight_hh_l0 : Parameter (4 hidden_size, hidden_size)
    bias_ih_l0, bias_hh_l0 : Parameter (4 hidden_size,)

    Notes
    -----
    x is float32 (N, L, input_size), y (N, L, hidden_size). ``y = lstm(x)`` begins with zeros.
    ``y, (h, c) = lstm(x, (h, c))`` begins with a state and cells, each float32 (num_layers, N, hidden_size),
    or with None for zeros, and gives the last ones, too: plain arrays to hand on, at which gradients are cut.

    Raises
    ------
    TypeError, ValueError
        From the constructor, when an argument is none of these; from a call, for another x or state.
    """

    kind = LSTMPass
    states = "h", "c"

    def _parts(self, state: Any) -> list[Array]:
        if not isinstance(state, (tuple, list)) or len(state) != 2:
            raise TypeError(f"LSTM state: wanted a pair of arrays (h, c) or None, got {state!r:.80}")
        return [checks.float_array(f"LSTM state {name}", one) for name, one in zip("hc", state, strict=True)]

    def _joined(self, last: list[tuple[Array, ...]]) -> Any:
        h, c = zip(*last, strict=True)
        return np.stack(h), np.stack(c)
