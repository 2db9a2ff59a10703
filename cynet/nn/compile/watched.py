"""What steps were made for: whether a net is still built so."""

from cynet.nn.containers.container import Container, by_parts
from cynet.nn.layers.add import Add
from cynet.nn.layers.concatenate import Concatenate
from cynet.nn.layers.multiply import Multiply
from cynet.nn.members import PASSING

from .rules import is_ours
from .snapshot import same_attributes, same_items, same_types

MODES = "training", "input_grad"
MERGING = Add, Concatenate, Multiply  # which compute by nothing but their inputs


class Watched:
    """Layers as they were: their classes, some of their attributes, and what containers are made of.

    Design: it is asked before each pass, so it compares by identity, in few calls. What the parts of cynet's
    own containers come from lies in their attributes, and in lists there; a user's is asked for its parts.
    """

    def __init__(self):
        self._layers, self._kinds, self._lists, self._copies = [], [], [], []
        self._owners, self._names, self._values, self._parts = [], [], [], []

    def add(self, layer, *names):
        """Watch a layer, also whether its `forward` was set on it, and its attributes of some names."""
        own = vars(layer).copy()
        if isinstance(layer, Container):
            if is_ours(layer):
                names += tuple(name for name in own if name not in (*PASSING, *MODES))
            elif by_parts(layer):
                self._parts.append((layer, layer.parts()))
        self._layers.append(layer)
        self._kinds.append(type(layer))
        for name in dict.fromkeys(("forward", *names)):
            value = own.get(name)
            self._owners.append(vars(layer))
            self._names.append(name)
            self._values.append(value)
            if isinstance(value, list):
                self._lists.append(value)
                self._copies.append(list(value))

    def add_wholly(self, layer):
        """Watch all attributes of a layer that is cynet's own; of another one its mode."""
        names = [name for name in vars(layer).copy() if name not in PASSING] if is_ours(layer) else ()
        self.add(layer, "training", *names)

    def holds(self):
        """Whether all is as it was."""
        return (
            same_attributes(self._owners, self._names, self._values)
            and same_types(self._layers, self._kinds)
            and same_items(self._lists, self._copies)
            and (not self._parts or all(_same(layer.parts(), then) for layer, then in self._parts))
        )


def _same(parts, then):
    """Whether parts are what they were. Those that are no children, as a sum, may be made anew each time."""
    return len(parts) == len(then) and all(
        now == before
        or (
            now.name == "" == before.name
            and type(now.layer) is type(before.layer)
            and type(now.layer) in MERGING
            and now[2:] == before[2:]
        )
        for now, before in zip(parts, then, strict=True)
    )
