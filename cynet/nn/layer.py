"""Layer: the one interface that layers, models and a user's own layers share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from cynet.core import checks
from cynet.core.sealed import is_sealed, opened, sealed
from cynet.core.types import AnyArray, Array, Shape, State

from . import kept, passes
from .members import PASSING, members, refuse_circles
from .parameter import Parameter
from .passes import mode

LEAVES = "cynet.nn.layers.", "cynet.nn.compile."  # whose layers hold no others


def answers(known: Any, question: Any) -> bool:
    """Whether what is `known`, (question, answer), answers this question, which may hold anything."""
    try:
        return known is not None and known[0] == question
    except (TypeError, ValueError):  # as arrays, which compare to arrays
        return False


def asked(question: Any) -> tuple[Any, ...]:
    """A question as it is kept with its answer: lists as tuples, which no list equals, so that one that is
    changed in place is looked at anew each time."""
    return tuple(tuple(value) if isinstance(value, list) else value for value in question)


def require_layer(name: str, value: Any) -> None:
    """Raise TypeError where what stands under a name, which may have been set, is no Layer."""
    if not isinstance(value, Layer):
        raise TypeError(f"{name}: wanted a Layer, got {value!r:.80}")


def require_layers(**given: Any) -> None:
    """Raise TypeError where what stands under a name, which may have been set, is no list of layers."""
    for name, value in given.items():
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{name}: wanted a Layer or more in a list, got {value!r:.80}")
        for i, layer in enumerate(value):
            if not isinstance(layer, Layer):
                raise TypeError(f"{name}[{i}]: wanted a Layer, got {layer!r:.80}")


def _named(init: Any) -> Any:
    """A constructor that takes ``name=`` as well, if it has no such argument itself."""
    code = getattr(init, "__code__", None)
    if code is None or "name" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        return init

    @functools.wraps(init)
    def named(self: Any, *args: Any, **options: Any) -> None:
        name = options.pop("name", None)
        init(self, *args, **options)
        if name is not None:
            self.name = name

    return named


def _require_inputs(layer: Layer, given: tuple[Any, ...]) -> None:
    """Raise TypeError where a layer takes another number of inputs."""
    try:
        inspect.signature(layer.forward).bind(*given)
    except TypeError:
        kind = type(layer).__name__
        raise TypeError(f"{kind}: wanted as many inputs as its forward takes, got {len(given)}") from None


def several(shape: Any) -> bool:
    """Whether what is given for a shape are the shapes of several arrays."""
    return bool(shape) and isinstance(shape[0], tuple)


def shapes_of(shape: Any) -> tuple[Shape, ...]:
    """The shapes of what is given for a shape, of one array or several."""
    return shape if several(shape) else (shape,)


def plain(layer: Layer) -> type[Layer] | None:
    """The class of a layer that runs as its class says, or None: methods may be set on the object itself."""
    own = layer.__dict__
    return None if "forward" in own or "backward" in own else type(layer)


class Layer:
    """Base class of layers and models.

    A subclass defines ``forward(x)`` and ``backward(dy)``; where the output's shape differs from the input's
    also ``output_shape(shape)``, which raises ValueError on a shape it cannot take. Parameters and sub-layers
    are found among its attributes, also in lists, tuples and dicts, as "name.0" or "name.key"; arrays named
    in ``buffers`` are saved with them. In ``forward`` it calls ``self.save(...)`` with what backward needs,
    in ``backward`` it gets that by ``self.saved()``, and calls ``backward`` of the layers that it called in
    ``forward``: of one that it called several times in the reverse order, for each follows the last pass that
    is left (`nn/passes.py`). So one layer may stand at several places.

    `backward` follows the last pass; to follow another one, keep `last_pass` after each forward pass and
    call its ``backward``.

    Between a forward pass and its backward the weights must stay as they are. Where they were assigned
    (``weight.data = ...``) or loaded since, backward raises RuntimeError; what is written into the array
    itself (``weight.data[...] = ...``, an optimiser's step) goes unnoticed in training mode, and gives a
    gradient of old activations with new weights.

    A layer, and a user's model, is for one thread at a time. A `Sequential` may be evaluated by any number.

    Attributes
    ----------
    name : str or None
        What a `Graph` calls it in paths. Every constructor takes ``name=``.
    training : bool
        True after `train`, False after `eval`.
    input_grad : bool
        Set to False on a model to spare the gradient to its input; `backward` then may return None.
    takes_integers : bool
        Whether it may be called on integers of any dtype, as an `Embedding`, and containers that begin with
        one; `backward` returns None for them. A user's layer that takes some sets it.
    """

    buffers: tuple[str, ...] = ()
    name: str | None = None
    training = True
    input_grad = True
    takes_integers = False
    _last: passes.Pass | None = None  # its last pass that is not within another one
    _made: set[int] | None = None  # the threads whose passes no backward followed
    _seen: Shape | None = None  # the input shape that was checked last
    _still = False  # whether it stays in evaluation mode: it normalises, and is frozen
    _worked_out: Any = None  # (question, answer): what a layer has worked out for a shape and its attributes
    _boxed = True  # whether layers and parameters may lie in lists, tuples and dicts: not in cynet's own

    def __init_subclass__(cls, opens: bool | None = None, **options: Any) -> None:
        """`opens`: whether its passes own those of the layers within; default: where there may be some."""
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = _named(cls.__init__)  # type: ignore[method-assign]
        cls._boxed = not cls.__module__.startswith("cynet.nn.")
        if not cls.__module__.startswith(LEAVES) if opens is None else opens:
            for name, wrapped in (("forward", passes.opening), ("backward", passes.following)):
                if callable(vars(cls).get(name)):
                    setattr(cls, name, wrapped(vars(cls)[name]))

    def __init__(self) -> None:
        """Of a layer without arguments; there is nothing that a subclass has to call."""

    def __call__(self, x: Any, *others: Any) -> Any:
        """Check `x` (its shape only the first time), then run `forward`.

        Parameters
        ----------
        x : ndarray of float32, or Symbol
            (N, H, W, C) for images, (N, L, C) for sequences, (N, features) for rows.
        *others : ndarray of float32, or Symbol
            Of a layer that takes several; they may also come as one tuple.

        Returns
        -------
        ndarray of float32, or a tuple of them; or Symbol, for a `Graph`
        """
        if others or type(x) is not np.ndarray:
            return self._called(x, *others)
        if not checks.is_plain(x):
            x = checks.float_array(f"{type(self).__name__} input", x, taker=self)
        if x.shape != self._seen:
            return self._called(x)
        try:
            return self.forward(x)
        except (MemoryError, RecursionError) as error:
            self._explain(error, x.shape)
            raise

    def _called(self, *given: Any) -> Any:
        """`__call__` for several inputs, for symbols, or for the first time."""
        given = given[0] if len(given) == 1 and isinstance(given[0], tuple) and given[0] else given
        kind, many = type(self).__name__, len(given) > 1
        if many:
            _require_inputs(self, given)
        symbol = next((x for x in given if hasattr(x, "called_with")), None)  # of a graph that is written
        if symbol is not None:
            return symbol.called_with(self, given)
        names = [f"{kind} input {i}" if many else f"{kind} input" for i in range(len(given))]
        xs = [checks.float_array(name, x, taker=self) for name, x in zip(names, given, strict=True)]
        shapes = tuple(x.shape for x in xs) if many else xs[0].shape
        if many and shapes == self._seen:
            return self.forward(*xs)
        try:
            wanted = self.checked_shape(*(shapes if many else (shapes,)))
            y = self.forward(*xs)
        except (MemoryError, RecursionError) as error:
            self._explain(error, shapes)
            raise
        many = several(wanted)
        checked = [checks.float_array(f"{kind}.forward result", one) for one in (y if many else (y,))]
        got = tuple(one.shape for one in checked) if many else checked[0].shape
        if got != wanted:
            raise ValueError(f"{kind}.forward returned shape {got} where its output_shape says {wanted}")
        self._seen = shapes
        return tuple(checked) if many else checked[0]

    def _explain(self, error: Exception, shape: Any) -> None:
        """Raise what names the layer, where none within is named, or what holds itself."""
        if isinstance(error, RecursionError):
            refuse_circles(self)
        elif not isinstance(error, LayerMemoryError):
            raise LayerMemoryError(f"{self!r}: no memory for an input of shape {shape}: {error}") from None

    def forward(self, x: Any, *others: Any) -> Any:
        """The output for an input that `__call__` has checked; a subclass defines it."""
        raise TypeError(f"{type(self).__name__} defines no forward(x)")

    def backward(self, dy: Any, *others: Any) -> Any:
        """Add to the parameters' gradients and give that to the input, or None where nobody wants it.

        Parameters
        ----------
        dy : ndarray of float32, the shape of the last pass's output
            The gradient of the loss to it.

        Returns
        -------
        ndarray of float32, the shape of that pass's input, or None

        Raises
        ------
        RuntimeError
            Without a forward pass before it, or where the weights were assigned since.
        """
        raise TypeError(f"{type(self).__name__} defines no backward(dy)")

    def backward_spared(self, *dys: Array) -> None:
        """`backward` for the sake of the parameters alone: the gradient to the input is spared this once."""
        before, mode.spared = mode.spared, True
        try:
            self.backward(*dys)
        finally:
            mode.spared = before

    @property
    def last_pass(self) -> passes.Pass | None:
        """The `Pass` of the last call outside of other layers, or None: its ``backward(dy)`` follows it.

        Examples
        --------
        >>> y, first = model(x), model.last_pass
        >>> z, second = model(other), model.last_pass
        >>> first.backward(dy), second.backward(dz)
        """
        return self._last

    def output_shape(self, *shapes: Any) -> Any:
        """The output's shape for an input of a shape (the batch first); here: the same."""
        return shapes[0]

    def checked_shape(self, *shapes: Shape, name: str = "") -> Any:
        """`output_shape`, with errors that name the layer (`name`: what the layer around it calls it)."""
        try:
            found = tuple(self.output_shape(*map(tuple, shapes)))
            return tuple(map(tuple, found)) if several(found) else found
        except LayerShapeError as error:
            raise LayerShapeError(f"{name}.{error.path}" if name else error.path, error.problem) from None
        except ValueError as error:
            raise LayerShapeError(name, f"{self!r}: {error}") from None

    def trace(self, *shapes: Shape, path: str = "") -> Iterator[tuple[str, Layer, Any]]:
        """(path, layer, input shape or shapes) of the layers that compute, in order, for such inputs."""
        yield path, self, shapes if len(shapes) > 1 else shapes[0]

    def macs(self, *shapes: Any) -> int:
        """Multiply-accumulate operations of a forward pass over an input of a shape."""
        return 0

    save, saved = kept.save, kept.saved

    def gradient(self, dy: Array, shape: Shape) -> Array:
        """`dy` checked to be a float32 array of `shape`, for the start of a `backward`."""
        if not checks.is_plain(dy):
            dy = checks.float_array(f"{type(self).__name__}.backward dy", dy)
        if dy.shape != shape:
            raise ValueError(f"{type(self).__name__}.backward: wanted dy of shape {shape}, got {dy.shape}")
        return dy

    # -- the tree of layers ---------------------------------------------------------------------------
    def children(self) -> list[tuple[str, Layer]]:
        """(name, layer) pairs of the direct sub-layers, in the order they were set."""
        if self._boxed:
            return members(self, Layer)
        return [(name, value) for name, value in vars(self).copy().items() if isinstance(value, Layer)]

    def is_trained(self) -> bool:
        """Whether a backward pass may have a parameter, here or below, to find the gradient of.

        As long as no parameter of the process was ever frozen nobody looks, and the answer is True.
        """
        return not Parameter.frozen or any(
            parameter.requires_grad for _, layer in self.walk() for _, parameter in layer._own()
        )

    def _trains(self) -> bool:
        """`training`, which may have been set to anything, as a bool."""
        return checks.truth("training", self.training)

    def _wants_dx(self) -> bool:
        """Whether somebody wants the gradient to the input: the user, who may have set `input_grad` to
        anything, and the layer around (`backward_spared`)."""
        around = mode.around
        if around.spared if around is not None and around.layer is self else mode.spared:
            return False
        wants = self.input_grad
        return wants if wants is True or wants is False else checks.truth("input_grad", wants)

    def walk(self, prefix: str = "", around: tuple[int, ...] = ()) -> Iterator[tuple[str, Layer]]:
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

    def _own(self) -> list[tuple[str, Parameter]]:
        """(name, parameter) of this layer alone."""
        if self._boxed:
            return members(self, Parameter)
        return [(name, value) for name, value in vars(self).copy().items() if isinstance(value, Parameter)]

    def parameters(self) -> list[Parameter]:
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

    def zero_grad(self) -> None:
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

    def train(self, mode: bool = True) -> Self:
        """Training mode (batch statistics, dropout) for this layer and all below; returns self.

        What `cynet.optim.choosing.freeze` froze as a whole stays in evaluation mode.
        """
        mode = checks.flag("mode", mode)
        for _, layer in self.walk():
            layer.training = mode and not layer._still
        return self

    def eval(self) -> Self:
        """Evaluation mode (running statistics, no dropout) for this layer and all below; returns self."""
        return self.train(False)

    def seal(self) -> Self:
        """Make all weights and statistics, here and below, read-only for good; returns self.

        Their values go to memory that nobody can write, so evaluation no longer looks, before each pass,
        whether they are what they were: of a single picture through a large net a fifth of the time. What
        would change them raises ValueError: an optimiser, loading others, a pass of batch norm in training
        mode, or NumPy, where it is written to the arrays themselves. Where a part of a net is sealed and the
        rest is trained, that part is to be frozen, too (``requires_grad = False``).
        Arrays that somebody got before are not the layer's any more. Left as they are: buffers of a user's
        own layers, which may write to them in evaluation, too. A copy by ``copy.deepcopy`` is not sealed.

        Examples
        --------
        >>> model.eval().seal()
        """
        for _, layer in self.walk():
            for _, parameter in layer._own():
                parameter.seal()
            for name in () if layer._boxed else layer.buffers:
                setattr(layer, name, sealed(getattr(layer, name)))
        return self

    # -- state ----------------------------------------------------------------------------------------
    def _state(self) -> dict[str, tuple[AnyArray, bool]]:
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

    def state_dict(self) -> State:
        """Copies of every parameter and buffer by path, under PyTorch's names and in its layouts.

        Returns
        -------
        dict of str to ndarray
            "0.weight" (out, in / groups, height, width) or (out, in), "1.running_mean" (C,), ...
        """
        return {name: array.copy() for name, (array, _) in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
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
        last = {id(own[name][0]): array for name, array in arrays.items()}  # of each that has two names
        for name, array in arrays.items():
            if array.shape != own[name][0].shape:
                problems.append(f"shape of {name}: wanted {own[name][0].shape}, got {array.shape}")
            elif array.dtype.kind not in "fiu":
                problems.append(f"dtype of {name}: wanted real numbers, got {array.dtype}")
            elif not own[name][0].flags.writeable and not np.array_equal(own[name][0], array, equal_nan=True):
                kind = "sealed" if is_sealed(own[name][0]) else "read-only"
                problems.append(f"values of {name}: wanted an array that can be written, got a {kind} one")
            elif not np.array_equal(array, last[id(own[name][0])], equal_nan=True):
                problems.append(f"values of {name}: wanted those of its parameter's other name, got others")
        if problems:
            raise ValueError("state does not fit the model: " + "; ".join(problems))
        for name, array in arrays.items():
            if own[name][0].flags.writeable:  # else it has these values
                own[name][0][...] = array
        for _, layer in self.walk():
            for _, parameter in layer._own():
                parameter.version += 1

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: the layer without what belongs to a pass under way, and not sealed."""
        return {name: opened(value) for name, value in vars(self).copy().items() if name not in PASSING}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


# Those without a constructor of their own have this one.
Layer.__init__ = _named(Layer.__init__)  # type: ignore[method-assign]


class LayerShapeError(ValueError):
    """A shape that a layer cannot take; the message names the layer by its path in the model."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"layer {path}: {problem}" if path else problem)
        self.path, self.problem = path, problem


class LayerMemoryError(MemoryError):
    """What a layer has no memory for; the message names the layer."""
