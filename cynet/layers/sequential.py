"""Sequential: layers one after another."""

from cynet.core.layer import Layer, grad_enabled, layer_by_layer, may_sweep

from . import evaluation, fusion, recall


class Sequential(Layer):
    """Layers one after another: the output of each is the input of the next.

    Parameters
    ----------
    *layers : Layer
        Named "0", "1", ... in paths. Indexing, `len` and iteration work as on a list; a slice is a Sequential
        of the same layer objects.

    Notes
    -----
    Layers that follow each other may run as one (`layers/fusion.py`), with the same results; so the backward
    pass belongs to the Sequential whose forward pass it follows. In evaluation mode all of them run as one
    (`layers/evaluation.py`), with and without `no_grad`; a backward pass begins with that forward pass once
    more, layer by layer, for which the input must still be there and the weights as they were.
    """

    def __init__(self, *layers):
        for i, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise TypeError(f"layers[{i}]: wanted a Layer, got {layer!r}")
        self.layers = list(layers)

    def children(self):
        return self.numbered(self.layers)

    def output_shape(self, shape):
        for name, layer in self.children():
            shape = layer.checked_shape(shape, name)
        return shape

    def trace(self, shape, path=""):
        for name, layer in self.children():
            yield from layer.trace(shape, f"{path}.{name}" if path else name)
            shape = layer.output_shape(shape)

    def forward(self, x):
        if not self.training and may_sweep():
            y = recall.forward(self, x) if grad_enabled() else evaluation.run(self, x)
            if y is not None:
                return y
        self._saved = None
        if not grad_enabled():
            return self._steps().forward(x)
        if self.training:
            vars(self).pop("_plans", None)  # training needs the memory
        elif recall.in_parts(self):
            return self._steps().forward(x)
        with layer_by_layer():
            return self._steps().forward(x)

    def backward(self, dy):
        if self._saved is not None:
            recall.again(self, *self.saved())
        return self._steps().backward(dy, self.input_grad)

    def _steps(self):
        """The layers, or several of them as one, in order."""
        plan = self._plan  # once: another thread may set it
        if plan is None or not plan.fit(self.layers):
            self._plan = plan = fusion.Steps(self.layers)
        return plan

    def __len__(self):
        return len(self.layers)

    def __iter__(self):
        return iter(self.layers)

    def __getitem__(self, index):
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __repr__(self):
        return f"Sequential({', '.join(map(repr, self.layers))})"
