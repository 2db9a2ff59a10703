"""The tree in which the gradients of shards are added: a function of their number alone.

Design: a node holds the sum of shards first, first + 1, ... of which there are 2**k, first being a multiple
of that; it is left + right. Where the number of shards is no power of two, the few nodes that are left are
added from the last to the first. A process that goes through its shards in order keeps the nodes that have no
sibling yet, like the digits of a binary counter, so at most one of each size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cynet.core.types import Array


class Subtotal(NamedTuple):
    """The sum of the gradients of some shards.

    Attributes
    ----------
    first, size : int
        Of which shards.
    array : ndarray of float32
    """

    first: int
    size: int
    array: Array


def joined(nodes: Iterable[Subtotal]) -> list[Subtotal]:
    """The nodes of the tree that some nodes, in the order of their shards, come to.

    A sum is made in the array of its left one.
    """
    found: list[Subtotal] = []
    for node in nodes:
        while found and _are_siblings(found[-1], node):
            left = found.pop()
            left.array[...] += node.array
            node = Subtotal(left.first, 2 * left.size, left.array)
        found.append(node)
    return found


def _are_siblings(left: Subtotal, right: Subtotal) -> bool:
    whole = 2 * left.size
    return left.size == right.size and not left.first % whole and left.first + left.size == right.first


def total(nodes: list[Subtotal]) -> Array:
    """The sum of what all shards came to by `joined`, in the array of one of them."""
    array = nodes[-1].array
    for node in reversed(nodes[:-1]):
        node.array[...] += array
        array = node.array
    return array


def covering(shards: range) -> list[tuple[int, int]]:
    """(first, count) of the nodes that the shards of a range come to by themselves."""
    found, first = [], shards.start
    while first < shards.stop:
        count = 1
        while not first % (2 * count) and first + 2 * count <= shards.stop:
            count *= 2
        found.append((first, count))
        first += count
    return found
