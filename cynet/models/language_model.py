"""A net for texts: a vector for each token, recurrent units, and what comes next."""

from cynet.core import checks
from cynet.nn import GRU, LSTM, Embedding, Linear, Sequential

CELLS = {"gru": GRU, "lstm": LSTM}


def language_model(
    vocabulary: int,
    embedding: int = 512,
    hidden: int = 512,
    layers: int = 1,
    cell: str = "gru",
    tied: bool = False,
) -> Sequential:
    """Embedding, GRU or LSTM, Linear: logits (N, L, vocabulary) of tokens (N, L).

    Parameters
    ----------
    vocabulary : int
        How many different tokens there are.
    embedding, hidden, layers : int, optional
        Length of a token's vector; units of a layer; layers of units.
    cell : {"gru", "lstm"}, optional
    tied : bool, optional
        Whether the last layer's weights are the vectors of the tokens (Press and Wolf 2017): then as many units
        as an embedding has numbers.

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
    >>> model = language_model(len(text.vocabulary), 64, 128)
    """
    if cell not in CELLS:
        raise ValueError(f"cell: wanted {' or '.join(map(repr, CELLS))}, got {cell!r:.80}")
    vectors = Embedding(vocabulary, embedding)
    decoder = Linear(hidden, vocabulary)
    if checks.flag("tied", tied):
        if embedding != hidden:
            raise ValueError(f"tied: wanted hidden={embedding}, as the embedding, got {hidden}")
        decoder.weight = vectors.weight
    return Sequential(vectors, CELLS[cell](embedding, hidden, layers), decoder)
