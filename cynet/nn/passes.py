"""Which passes of its layers a user's model is made of: backward follows these, or says that they are gone.

Layers keep one pass, the last one. cynet's containers hand a layer's pass back to it before its backward; in
the backward of a user's model a layer that stands in another model as well may hold that one's pass. So a
user's forward notes the pass of each layer right under it, and backward compares.
"""

import functools

NOTHING = None, None


def _mark(layer):
    """What tells the pass that a layer holds from others: two objects, each None where there is none."""
    saved = layer._saved
    return None if saved is None else saved[-1], layer._noted


def _same(one, other):
    return one[0] is other[0] and one[1] is other[1]


def noting(forward, grad_enabled):
    """A user's `forward` that notes, where gradients are wanted, what passes it made of its layers."""

    @functools.wraps(forward)
    def noted(self, *args, **options):
        if not grad_enabled():
            return forward(self, *args, **options)
        self._noted = None
        before = {id(layer): _mark(layer) for _, layer in self.children()}
        y = forward(self, *args, **options)
        marks = ((name, layer, _mark(layer)) for name, layer in self.children())
        found = [
            (name, layer, mark)
            for name, layer, mark in marks
            if mark != NOTHING and not _same(mark, before.get(id(layer), NOTHING))
        ]
        self._noted = found or None
        return y

    return noted


def following(backward):
    """A user's `backward` that follows the passes that its forward noted, or raises RuntimeError."""

    @functools.wraps(backward)
    def followed(self, *args, **options):
        noted, self._noted = self._noted, None  # once: it may call itself, or the class above
        for name, layer, mark in noted or ():
            now = _mark(layer)
            if not _same(now, mark) and now != NOTHING and "forward" not in vars(self):
                raise RuntimeError(
                    f"{type(self).__name__}.backward: wanted the pass of {name} that its own forward made, "
                    "got one made since, by another model or by itself; make the forward pass again"
                )
        return backward(self, *args, **options)

    return followed
