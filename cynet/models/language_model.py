"""A net for texts: a vector for each token, recurrent units, and what comes next."""

from cynet.core import checks
from cynet.nn import GRU, LSTM, Embedding, Linear, Sequential
from cynet.nn.layers.recurrent import MOST_LAYERS

from .registry import model

CELLS = {"gru": GRU, "lstm": LSTM}


@model(tokens=True, least=(1,))
def language_model(
    input_shape: tuple[int, ...],
    classes: int,
    embedding: int = 512,
    hidden: int = 512,
    layers: int = 1,
    cell: str = "gru",
    tied: bool = False,
) -> Sequential:
    """Embedding, GRU or LSTM, Linear: logits (N, L, classes) of tokens (N, L).

    Parameters
    ----------
    input_shape : tuple of int
        (sequence length,): any, for the net depends on none.
    classes : int
        How many different tokens there are.
    embedding, hidden, layers : int, optional
        Length of a token's vector; units of a layer; layers of units.
    cell : {"gru", "lstm"}, optional
    tied : bool, optional
        Whether the last layer's weights are the vectors of the tokens (Press and Wolf 2017): then as many
        units as an embedding has numbers.

    Returns
    -------
    Sequential

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.

    Examples
    --------
    >>> text = cynet.data.text.embedded()
    >>> model = language_model((100,), len(text.vocabulary), embedding=64, hidden=128)
    """
    if cell not in CELLS:
        raise ValueError(f"cell: wanted {' or '.join(map(repr, CELLS))}, got {cell!r:.80}")
    checks.integer("embedding", embedding, 1)  # the layers have other names for them
    checks.integer("hidden", hidden, 1)
    checks.integer("layers", layers, 1, MOST_LAYERS)
    vectors = Embedding(classes, embedding)
    decoder = Linear(hidden, classes)
    if checks.flag("tied", tied):
        if embedding != hidden:
            raise ValueError(f"tied: wanted hidden={embedding}, as the embedding, got {hidden}")
        decoder.weight = vectors.weight
    return Sequential(vectors, CELLS[cell](embedding, hidden, layers), decoder)
