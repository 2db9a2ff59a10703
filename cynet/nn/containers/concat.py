"""Concat: branches side by side."""

from cynet.core import workspace
from cynet.kernels.pointwise import arrays
from cynet.nn import registry
from cynet.nn.layer import Layer, give, require_layers, taken


@registry.layer(examples={"Concat(Conv2d(4, 2, 1), Tanh())": (3, 9, 8, 4)})
class Concat(Layer):
    """The outputs of several branches over the same input, joined along the channels (the last axis).

    Parameters
    ----------
    *branches : Layer
        At least one; named "0", "1", ... in paths. `Sequential()` passes its input on.
    """

    def __init__(self, *branches):
        self.branches = list(branches)
        self._require()

    def _require(self):
        """Raise TypeError or ValueError where `branches`, which may have been set, are no layers."""
        require_layers(branches=self.branches)
        if not self.branches:
            raise ValueError(f"branches: wanted at least one Layer, got {self.branches!r}")

    def children(self):
        return self.numbered(branches=self.branches)

    def output_shape(self, shape):
        self._require()
        shapes = [branch.checked_shape(shape, name) for name, branch in self.children()]
        if len({s[:-1] for s in shapes}) > 1:
            raise ValueError(f"wanted branches of equal shape but for the channels, got {shapes}")
        return (*shapes[0][:-1], sum(s[-1] for s in shapes))

    def trace(self, shape, path=""):
        for name, branch in self.children():
            yield from branch.trace(shape, f"{path}.{name}" if path else name)

    def forward(self, x):
        self._require()
        parts, kept = [], []
        for branch in self.branches:
            parts.append(branch(x))
            kept.append((branch, taken(branch)))
        if len({part.shape[:-1] for part in parts}) > 1:
            raise ValueError(
                f"wanted branches of equal shape but for the channels, got {[part.shape for part in parts]}"
            )
        widths = [part.shape[-1] for part in parts]
        y = workspace.empty((*parts[0].shape[:-1], sum(widths)))
        start = 0
        for part, width in zip(parts, widths, strict=True):
            arrays.copy_channels(part, 0, y, start, width)
            start += width
        self.save(kept, widths, y.shape)
        return y

    def backward(self, dy):
        kept, widths, shape = self.saved()
        dy = self.gradient(dy, shape)
        start, dx = 0, None
        for (branch, of_branch), width in zip(kept, widths, strict=True):
            give(branch, of_branch)
            part = workspace.empty((*shape[:-1], width))
            arrays.copy_channels(dy, start, part, 0, width)
            start += width
            if self._wants_dx():
                gradient = branch.backward(part)
                dx = gradient if dx is None else arrays.add(dx, gradient)
            else:
                branch.backward_spared(part)
        return dx

    def __repr__(self):
        return f"Concat({', '.join(map(repr, self.branches))})"
