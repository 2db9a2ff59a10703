"""Layer: the one interface that layers, models and a user's own layers share."""

import contextlib
import threading
from collections.abc import Mapping
from threading import get_ident

import numpy as np

from cynet.core import checks
from cynet.core.turns import refuse_anothers

from . import passes
from .members import PASSING, members, refuse_circles
from .parameter import Parameter


class _Mode(threading.local):
    """What `no_grad` and `layer_by_layer` set, in each thread for itself."""

    grad_enabled = True
    layer_by_layer = False


_mode = _Mode()


@contextlib.contextmanager
def no_grad():
    """Within this context, forward passes of this thread keep nothing for a backward pass.

    Examples
    --------
    >>> with cynet.no_grad():
    ...     logits = model(images)
    """
    before, _mode.grad_enabled = _mode.grad_enabled, False
    try:
        yield
    finally:
        _mode.grad_enabled = before


def grad_enabled():
    """Whether forward passes of this thread keep what backward needs."""
    return _mode.grad_enabled


@contextlib.contextmanager
def layer_by_layer():
    """Within this context, containers of this thread run their layers and keep what each backward needs."""
    before, _mode.layer_by_layer = _mode.layer_by_layer, True
    try:
        yield
    finally:
        _mode.layer_by_layer = before


def may_sweep():
    """Whether a container may compute its output without its layers' own passes."""
    return not (_mode.grad_enabled and _mode.layer_by_layer)


def answers(plan, question):
    """Whether a `plan`, whose first entry is its question, was made for this one, which may hold anything."""
    try:
        return plan is not None and plan[0] == question
    except (TypeError, ValueError):  # as arrays, which compare to arrays
        return False


def asked(question):
    """A question as a plan keeps it: with lists as tuples, which no list equals, so that one that is changed
    in place is looked at anew each time."""
    return tuple(tuple(value) if isinstance(value, list) else value for value in question)


def require_layer(name, value):
    """Raise TypeError where what stands under a name, which may have been set, is no Layer."""
    if not isinstance(value, Layer):
        raise TypeError(f"{name}: wanted a Layer, got {value!r:.80}")


def require_layers(**given):
    """Raise TypeError where what stands under a name, which may have been set, is no list of layers."""
    for name, value in given.items():
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{name}: wanted a Layer or more in a list, got {value!r:.80}")
        for i, layer in enumerate(value):
            if not isinstance(layer, Layer):
                raise TypeError(f"{name}[{i}]: wanted a Layer, got {layer!r:.80}")


def taken(layer):
    """What a forward pass has just left in a layer, for a container to keep until `give` hands it back.

    So a pass belongs to the container that made it: one layer may stand at several places of a model, and in
    several models.
    """
    if not layer._boxed:
        return layer._saved  # cynet's own containers keep what is of their layers
    return layer._saved, layer._noted, [(child, taken(child)) for _, child in layer.children()]


def give(layer, kept):
    """Let a layer's backward follow the pass that `taken` was asked after."""
    if not layer._boxed:
        layer._saved = kept
        return
    layer._saved, layer._noted, inner = kept
    for child, of_child in inner:
        give(child, of_child)


def plain(layer):
    """The class of a layer that runs as its class says, or None: methods may be set on the object itself."""
    own = layer.__dict__
    return None if "forward" in own or "backward" in own else type(layer)


class Layer:
    """Base class of layers and models.

    A subclass defines ``forward(x)`` and ``backward(dy)``; where the output's shape differs from the input's
    also ``output_shape(shape)``, which raises ValueError on a shape it cannot take. Parameters and sub-layers
    are found among its attributes, also in lists, tuples and dicts, as "name.0" or "name.key"; arrays named
    in ``buffers`` are saved with them. In ``forward`` it calls ``self.save(...)`` with what backward needs,
    in ``backward`` it gets that by ``self.saved()``. A layer keeps one pass, the last one; cynet's containers
    keep those of their layers, so that one layer may stand at several places. A user's model does not: its
    backward raises RuntimeError where one of its layers has made another pass since (`nn/passes.py`).

    Between a forward pass and its backward the weights must stay as they are. Where they were assigned
    (``weight.data = ...``) or loaded since, backward raises RuntimeError; what is written into the array
    itself (``weight.data[...] = ...``, an optimiser's step) goes unnoticed in training mode, and gives a
    gradient of old activations with new weights.

    A layer, and a user's model, is for one thread at a time. A `Sequential` may be evaluated by any number.

    Attributes
    ----------
    training : bool
        True after `train`, False after `eval`.
    input_grad : bool
        Set to False on a model to spare the gradient to its input; `backward` then may return None.
    """

    buffers: tuple[str, ...] = ()
    training = True
    input_grad = True
    _saved = None  # what backward needs, and (the thread that made the pass,)
    _noted = None  # of a user's layer: which passes of its children its own is made of
    _made = None  # the threads whose passes no backward followed
    _seen = None  # the input shape that was checked last
    _plan = None  # what a layer has worked out for a shape
    _boxed = True  # whether layers and parameters may lie in lists, tuples and dicts: not in cynet's own

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        cls._boxed = not cls.__module__.startswith("cynet.nn.")
        if all(base._boxed for base in cls.__mro__ if issubclass(base, Layer)):  # no container
            own = vars(cls)
            if callable(own.get("forward")):
                cls.forward = passes.noting(own["forward"], grad_enabled)
            if callable(own.get("backward")):
                cls.backward = passes.following(own["backward"])

    def __call__(self, x):
        """Check `x` (its shape only the first time), then run `forward`.

        Parameters
        ----------
        x : ndarray of float32
            (N, H, W, C) for images, (N, features) for rows.

        Returns
        -------
        ndarray of float32
        """
        x = checks.float_array(f"{type(self).__name__} input", x)
        try:
            if x.shape == self._seen:
                return self.forward(x)
            wanted = self.checked_shape(x.shape)
            y = self.forward(x)
        except LayerMemoryError:
            raise  # the layer within is named
        except MemoryError as error:
            raise LayerMemoryError(f"{self!r}: no memory for an input of shape {x.shape}: {error}") from None
        except RecursionError:
            refuse_circles(self)
            raise
        y = checks.float_array(f"{type(self).__name__}.forward result", y)
        if y.shape != wanted:
            raise ValueError(
                f"{type(self).__name__}.forward returned shape {y.shape} where its output_shape says {wanted}"
            )
        self._seen = x.shape
        return y

    def forward(self, x):
        raise TypeError(f"{type(self).__name__} defines no forward(x)")

    def backward(self, dy):
        raise TypeError(f"{type(self).__name__} defines no backward(dy)")

    def backward_spared(self, dy):
        """`backward` for the sake of the parameters alone: the gradient to the input is spared this once."""
        before, self.input_grad = self.input_grad, False
        try:
            self.backward(dy)
        finally:
            self.input_grad = before

    def output_shape(self, shape):
        """The output's shape for an input of `shape` (the batch first); here: the same."""
        return shape

    def checked_shape(self, shape, name=""):
        """`output_shape`, with errors that name the layer (`name`: what the layer around it calls it)."""
        try:
            return tuple(self.output_shape(tuple(shape)))
        except LayerShapeError as error:
            raise LayerShapeError(f"{name}.{error.path}" if name else error.path, error.problem) from None
        except ValueError as error:
            raise LayerShapeError(name, f"{self!r}: {error}") from None

    def trace(self, shape, path=""):
        """(path, layer, input shape) of the layers that compute, in order, for an input of `shape`."""
        yield path, self, shape

    def macs(self, shape):
        """Multiply-accumulate operations of a forward pass over an input of `shape`."""
        return 0

    def save(self, *values):
        """Keep `values` for `backward`, unless inside `no_grad`."""
        this = get_ident()
        if _mode.grad_enabled:
            made = self._made
            if made is None:
                made = vars(self).setdefault("_made", set())  # another thread may just do it
            made.add(this)
            self._saved = (*values, (this,))  # a new object each time: it tells passes apart
        elif self._saved is not None and self._saved[-1][0] == this:
            self._saved = None  # another thread's pass stays: it may be in the middle of it

    def saved(self):
        """What `save` kept, once: a second backward needs a second forward."""
        kept = self._saved
        if kept is None:
            raise RuntimeError(
                f"{type(self).__name__}.backward: wanted a forward pass before it (outside no_grad), got "
                "none; of a layer that a user's forward calls twice only the last pass is kept"
            )
        (maker,) = kept[-1]
        if maker != get_ident():
            refuse_anothers(type(self).__name__, maker, self._made)
        self._saved = None
        self._made.discard(maker)
        return kept[:-1]

    def gradient(self, dy, shape):
        """`dy` checked to be a float32 array of `shape`, for the start of a `backward`."""
        dy = checks.float_array(f"{type(self).__name__}.backward dy", dy)
        if dy.shape != shape:
            raise ValueError(f"{type(self).__name__}.backward: wanted dy of shape {shape}, got {dy.shape}")
        return dy

    # -- the tree of layers ---------------------------------------------------------------------------
    def children(self):
        """(name, layer) pairs of the direct sub-layers, in the order they were set."""
        if self._boxed:
            return members(self, Layer)
        return [(name, value) for name, value in vars(self).copy().items() if isinstance(value, Layer)]

    def _trains(self):
        """`training`, which may have been set to anything, as a bool."""
        return checks.truth("training", self.training)

    def _wants_dx(self):
        """`input_grad`, which may have been set to anything, as a bool."""
        return checks.truth("input_grad", self.input_grad)

    def numbered(self, **given):
        """The children of a container: its layers, given under their name, by their numbers, then what a
        user's class added."""
        require_layers(**given)
        (layers,) = given.values()
        found = [(str(i), layer) for i, layer in enumerate(layers)]
        if self._boxed:
            known = set(map(id, layers))
            found += [pair for pair in Layer.children(self) if id(pair[1]) not in known]
        return found

    def walk(self, prefix="", around=()):
        """(path, layer) pairs of this layer and all below it; this layer's path is ''.

        A layer that refers to one around it does not hold it: such references are passed over.
        """
        yield prefix, self
        children = self.children()
        if children:
            around = *around, id(self)
        for name, child in children:
            if id(child) not in around:
                yield from child.walk(f"{prefix}.{name}" if prefix else name, around)

    def _own(self):
        """(name, parameter) of this layer alone."""
        if self._boxed:
            return members(self, Parameter)
        return [(name, value) for name, value in vars(self).copy().items() if isinstance(value, Parameter)]

    def parameters(self):
        """The parameters of this layer and all below it, each `.name` set to its path.

        Each once, under the first of its names, also where a layer object, or a parameter, has several.
        """
        found = {}
        for path, layer in self.walk():
            for name, value in layer._own():
                if id(value) not in found:
                    value.name = f"{path}.{name}" if path else name
                    found[id(value)] = value
        return list(found.values())

    def zero_grad(self):
        """Set every parameter's gradient to zero."""
        if self._boxed:
            for _, layer in self.walk():
                for _, parameter in layer._own():
                    parameter.zero_grad()
            return
        plain = type(self).children is Layer.children  # then one walk through the attributes finds them all
        kinds = (Parameter, Layer) if plain else Parameter
        for value in vars(self).values():
            if isinstance(value, kinds):
                value.zero_grad()
        for _, child in () if plain else self.children():
            child.zero_grad()

    def train(self, mode=True):
        """Training mode (batch statistics, dropout) for this layer and all below; returns self."""
        mode = checks.flag("mode", mode)
        for _, layer in self.walk():
            layer.training = mode
        return self

    def eval(self):
        """Evaluation mode (running statistics, no dropout) for this layer and all below; returns self."""
        return self.train(False)

    # -- state ----------------------------------------------------------------------------------------
    def _state(self):
        """Path -> (the live array, whether loading may go without it)."""
        state, count = {}, 0
        for path, layer in self.walk():
            start = f"{path}." if path else ""
            own = layer._own()
            for name, value in own:
                state[start + name] = value.data, False
            for name in layer.buffers:
                state[start + name] = getattr(layer, name), name == "num_batches_tracked"
            count += len(own) + len(layer.buffers)
            if len(state) < count:
                names = [name for name, _ in own]
                where = path or type(self).__name__
                raise ValueError(f"{where}: wanted a name for each array, got two of one among {names}")
        return state

    def state_dict(self):
        """Copies of every parameter and buffer by path, under PyTorch's names and in its layouts.

        Returns
        -------
        dict of str to ndarray
            "0.weight" (out, in / groups, height, width) or (out, in), "1.running_mean" (C,), ...
        """
        return {name: array.copy() for name, (array, _) in self._state().items()}

    def load_state_dict(self, state):
        """Copy `state` into the parameters and buffers, or change nothing.

        Parameters
        ----------
        state : dict of str to array_like
            As `state_dict` returns it. "num_batches_tracked" may be missing.

        Raises
        ------
        ValueError
            Listing every missing, unexpected and differently shaped entry at once.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state: wanted a dict of names to arrays, got {type(state).__name__}")
        own, problems = self._state(), []
        problems += [f"missing: {n}" for n, (_, spare) in own.items() if n not in state and not spare]
        problems += [f"unexpected: {n}" for n in state if n not in own]
        arrays = {n: np.asarray(state[n]) for n in own if n in state}
        for name, array in arrays.items():
            if array.shape != own[name][0].shape:
                problems.append(f"shape of {name}: wanted {own[name][0].shape}, got {array.shape}")
            elif array.dtype.kind not in "fiu":
                problems.append(f"dtype of {name}: wanted real numbers, got {array.dtype}")
        if problems:
            raise ValueError("state does not fit the model: " + "; ".join(problems))
        for name, array in arrays.items():
            own[name][0][...] = array
        for _, layer in self.walk():
            for _, parameter in layer._own():
                parameter.version += 1

    def __getstate__(self):
        """For copies and pickles: the layer without what belongs to a pass under way."""
        return {name: value for name, value in vars(self).copy().items() if name not in PASSING}

    def __repr__(self):
        return f"{type(self).__name__}()"


class LayerShapeError(ValueError):
    """A shape that a layer cannot take; the message names the layer by its path in the model."""

    def __init__(self, path, problem):
        super().__init__(f"layer {path}: {problem}" if path else problem)
        self.path, self.problem = path, problem


class LayerMemoryError(MemoryError):
    """What a layer has no memory for; the message names the layer."""
