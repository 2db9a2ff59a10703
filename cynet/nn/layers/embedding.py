"""Embedding: a vector for each number of a vocabulary."""

import numpy as np

from cynet.core import checks, random, workspace
from cynet.core.threads import get_num_threads
from cynet.core.types import AnyArray, Array, Shape
from cynet.kernels.recurrent import embedding as kernels
from cynet.nn import init, registry
from cynet.nn.layer import Layer
from cynet.nn.parameter import Parameter, refuse_another, value


def _normal(shape: Shape) -> Array:
    """float32, normal with mean 0 and deviation 1, from the next key."""
    generator = np.random.Generator(np.random.Philox(key=[*random.next_key()]))
    return generator.standard_normal(shape, dtype=np.float32)


@registry.layer(examples={"Embedding(7, 4)": (3, 5), "Embedding(3, 70)": (6,)})
class Embedding(Layer):
    """y = weight[x]: a vector for each number.

    Parameters
    ----------
    num_embeddings : int
        The numbers are 0 to num_embeddings - 1.
    embedding_dim : int
        The length of a vector.

    Attributes
    ----------
    weight : Parameter (num_embeddings, embedding_dim)
        Normal with mean 0 and deviation 1 at first.

    Notes
    -----
    x is an array of integers, of any dtype, (N, L) or (N,); y is float32 (N, L, embedding_dim) or
    (N, embedding_dim). There is no gradient to integers: `backward` returns None.

    Raises
    ------
    TypeError, ValueError
        From the constructor, when an argument is none of these; from a call, for what are no integers, or for
        one that is out of range, which is named.
    """

    takes_integers = True

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.num_embeddings, self.embedding_dim = shape = self._settings()
        self.weight = Parameter(_normal(init.room(*shape)))

    def _settings(self) -> tuple[int, int]:
        """(numbers, length of a vector), checked: they may have been set."""
        numbers = checks.integer("num_embeddings", self.num_embeddings, 1)
        return numbers, checks.integer("embedding_dim", self.embedding_dim, 1)

    def output_shape(self, shape: Shape) -> Shape:
        _, width = self._settings()
        if len(shape) not in (1, 2):
            raise ValueError(f"wanted (N, L) or (N,), got {shape}")
        return *shape, width

    def forward(self, x: AnyArray) -> Array:
        numbers = self.numbers(x)
        shape = self._settings()
        weight = value("weight", self.weight, shape)
        y = workspace.empty(self.output_shape(x.shape))
        kernels.rows(numbers, weight, y.reshape(-1, shape[1]), get_num_threads())
        self.save(numbers, y.shape, self.weight, self.weight.version)
        return y

    def numbers(self, x: AnyArray) -> AnyArray:
        """x as int64, one after another; checked."""
        if not isinstance(x, np.ndarray) or x.dtype.kind not in "iu":
            got = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
            raise TypeError(f"Embedding input: wanted an array of integers, got {got}")
        flat, most = np.require(x, np.int64, ["C", "A"]).reshape(-1), self._settings()[0]
        # As unsigned numbers the negative ones are large: one pass tells whether any is out of range.
        if flat.size and flat.view(np.uint64).max() >= most:
            place = int(np.flatnonzero((flat < 0) | (flat >= most))[0])
            index = ", ".join(map(str, np.unravel_index(place, x.shape)))
            raise ValueError(f"Embedding input[{index}]: wanted 0 to {most - 1}, got {x.reshape(-1)[place]}")
        return flat.copy() if np.may_share_memory(flat, x) else flat  # kept, while the caller may change x

    def backward(self, dy: Array) -> None:
        numbers, shape, weight, version = self.saved()
        refuse_another("weight", self.weight, weight, version)
        dy = self.gradient(dy, shape)
        if weight.requires_grad:
            kernels.add_rows(numbers, dy.reshape(-1, shape[-1]), weight.grad, get_num_threads())

    def __repr__(self) -> str:
        return f"Embedding({self.num_embeddings}, {self.embedding_dim})"
