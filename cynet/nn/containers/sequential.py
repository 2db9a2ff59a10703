"""Sequential: layers one after another."""

from cynet.core.turns import Turn
from cynet.nn import registry
from cynet.nn.compile import inference, recall, training
from cynet.nn.layer import Layer, grad_enabled, layer_by_layer, may_sweep, require_layers


@registry.layer(examples={"Sequential(Conv2d(4, 8, 3), BatchNorm2d(8), ReLU(), MaxPool2d(2))": (3, 9, 8, 4)})
class Sequential(Layer):
    """Layers one after another: the output of each is the input of the next.

    Parameters
    ----------
    *layers : Layer
        Named "0", "1", ... in paths. Indexing, `len` and iteration work as on a list; a slice is a Sequential
        of the same layer objects.

    Notes
    -----
    Layers that follow each other may run as one (`nn/compile/training.py`), with the same results; so the
    backward pass belongs to the Sequential whose forward pass it follows. In evaluation mode all of them run
    as one (`nn/compile/inference.py`), with and without `no_grad`; a backward pass begins with that forward
    pass once more, layer by layer, for which the input must still be there and the weights as they were.

    Any number of threads may evaluate one model at once. Training passes, and backward, are for one at a
    time: a second thread gets a RuntimeError, as does one whose pass another thread's has replaced.
    """

    def __init__(self, *layers):
        require_layers(layers=layers)
        self.layers = list(layers)

    def children(self):
        return self.numbered(layers=self.layers)

    def output_shape(self, shape):
        require_layers(layers=self.layers)
        for name, layer in self.children():
            shape = layer.checked_shape(shape, name)
        return shape

    def trace(self, shape, path=""):
        for name, layer in self.children():
            yield from layer.trace(shape, f"{path}.{name}" if path else name)
            shape = layer.output_shape(shape)

    def forward(self, x):
        if not self._trains() and may_sweep():
            y = recall.forward(self, x) if grad_enabled() else inference.run(self, x)
            if y is not None:
                return y
        if not self._trains():
            return self._layers(x)
        with self._alone():
            if grad_enabled():
                vars(self).pop("_plans", None)  # training needs the memory
            return self._layers(x)

    def _layers(self, x):
        """The output by the layers' own passes."""
        if not grad_enabled() or recall.in_parts(self):
            return self._kept(x)
        with layer_by_layer():
            return self._kept(x)

    def _kept(self, x):
        steps = self._steps()
        y, kept = steps.forward(x)
        self.save(steps, kept)
        return y

    def backward(self, dy):
        with self._alone():
            steps, kept = self.saved()
            if isinstance(steps, recall.Sweep):
                steps, kept = recall.again(self, steps)
            return steps.backward(dy, kept, self._wants_dx())

    def _alone(self):
        """A context for passes that write what threads would share: statistics and gradients."""
        return vars(self).setdefault("_turn", Turn()).alone(type(self).__name__)

    def _steps(self):
        """The layers, or several of them as one, in order."""
        plan = self._plan  # once: another thread may set it
        if plan is None or not plan.fit(self.layers):
            require_layers(layers=self.layers)
            self._plan = plan = training.Steps(self.layers)
        return plan

    def __len__(self):
        return len(self.layers)

    def __iter__(self):
        return iter(self.layers)

    def __getitem__(self, index):
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __repr__(self):
        return f"Sequential({', '.join(map(repr, self.layers))})"
