"""Graphs as chains: what can be read as layers one after another, as blocks with a sum, or branches.

Design: one walk over the parts, in their order. A part that alone takes the output of the one before it goes
on with its chain. A sum, or values side by side, of chains that begin at one value and lead nowhere else
becomes a block, `Residual` or `Concat`, which takes that value, and goes on with the chain before it in turn.
So a net that was written down as a graph is joined and planned as the same net of nested containers is; where
something is left that is no chain, chains are its parts. The containers made here hold the graph's own
layers, and are seen by the compiler alone.
"""

from math import inf

from cynet.nn.containers.concat import Concat
from cynet.nn.containers.container import Container
from cynet.nn.containers.residual import Residual
from cynet.nn.containers.sequential import Sequential
from cynet.nn.layer import plain
from cynet.nn.layers.add import Add
from cynet.nn.layers.concatenate import Concatenate
from cynet.nn.structure import Call, users


class Nested(Container, opens=True):
    """What is left of a graph: chains, and layers that take or give several values."""

    def __init__(self, parts, ends):
        self._parts, self._ends = parts, ends

    def parts(self):
        return self._parts

    def ends(self):
        return self._ends

    def follow(self, model):
        """Let the chains have the model's mode: in evaluation they have plans of their own."""
        for part in self._parts:
            if isinstance(part.layer, Sequential):
                vars(part.layer)["training"] = model.training


def layers_of(parts, ends):
    """The layers of a chain that does what the parts of a container do: one `Nested` where that is none."""
    nested, ends = chains(parts, ends)
    if not nested and ends == (1, (0,)):
        return []
    if len(nested) == 1 and ends == (1, (1,)) and nested[0].sources == (0,) and nested[0].count == 1:
        return list(nested[0].layer.layers)
    return [Nested(nested, ends)]


def chains(parts, ends):
    """(parts, ends) where each chain is one `Sequential`."""
    walk = _Walk(parts, ends)
    for part in parts:
        walk.take(part)
    return walk.left()


class _Walk:
    """The parts so far, each by the first of the values that it makes."""

    def __init__(self, parts, ends):
        self.ends, self.users = ends, users(parts, ends)
        self.place = ends[0]  # the number of the next value
        self.calls = {}  # value -> (layers of a chain, or one layer; its sources; how many values it makes)

    def take(self, part):
        layers, sources = [part.layer], part.sources
        make, most = BLOCKS.get(plain(part.layer), (None, 0))
        if 1 < len(sources) <= most and (root := self._root(sources)) is not None:
            layers, sources = [self._block(make, sources, root)], (root,)
        before = self.calls.get(sources[0])
        if part.count == 1 and len(sources) == 1 and self.users[sources[0]] == 1 and _is_chain(before):
            del self.calls[sources[0]]
            before[0].append(layers[0])
            layers, sources, _ = before
        self.calls[self.place] = layers, sources, part.count
        self.place += part.count

    def _root(self, sources):
        """The one value from which chains that lead nowhere else come to all of the sources, or None."""
        roots = set()
        for source in sources:
            call = self.calls.get(source)
            own = _is_chain(call) and self.users[source] == 1
            roots.add(call[1][0] if own else source)
        plainly = sum(source in roots for source in sources)
        return roots.pop() if len(roots) == 1 and plainly < len(sources) else None

    def _block(self, make, sources, root):
        chains = [[] if source == root else self.calls.pop(source)[0] for source in sources]
        self.users[root] -= len(sources) - 1
        return make(*chains)

    def left(self):
        """(parts, ends) of what is left, numbered anew."""
        numbers = {i: i for i in range(self.ends[0])}
        place, parts = self.ends[0], []
        for value, (layers, sources, count) in sorted(self.calls.items()):
            chain = len(sources) == 1 and count == 1
            layer = Sequential(*layers) if chain else layers[0]
            parts.append(Call(str(len(parts)), layer, *(numbers[source] for source in sources), count=count))
            for i in range(count):
                numbers[value + i] = place + i
            place += count
        return tuple(parts), (self.ends[0], tuple(numbers[output] for output in self.ends[1]))


def _is_chain(call):
    return call is not None and len(call[1]) == 1 and call[2] == 1


def _residual(*chains):
    """The block of a sum of two chains, of which one may be empty."""
    body, shortcut = sorted(chains, key=lambda layers: not layers)
    return Residual(Sequential(*body), Sequential(*shortcut) if shortcut else None)


def _concat(*chains):
    return Concat(*(Sequential(*layers) for layers in chains))


BLOCKS = {Add: (_residual, 2), Concatenate: (_concat, inf)}  # and of how many values at most
