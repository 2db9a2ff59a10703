"""Evaluation in one sweep: a model's layers, planned for one shape of input.

Design: within `no_grad`, with every layer in evaluation mode, `Sequential` hands its input to `run`. The
first time, the layers are planned: batch norm is folded into the convolution or linear layer before it, ReLU
and the sum of a residual block are done while the convolution writes, flattening becomes an order of the
linear layer's weights, filters are packed once, outputs share buffers. Every other layer is called as it is.
Results differ from the layers' own by rounding: folding multiplies weights where batch norm multiplies sums.

A plan is never stale. Before each run the layers' attributes are compared with those that were planned, and
the weights and statistics byte by byte with a copy: what changed is planned or packed anew. A layer that is
called as it is (a container, a user's own) has to give the shape that was planned; if it does not, the layers
run without the plan.
"""

import threading
from math import prod

import numpy as np

from cynet.core import checks, convolution, workspace
from cynet.core.layer import PASSING, plain
from cynet.core.threads import get_num_threads, team
from cynet.core.winograd import WinogradConvolution
from cynet.kernels import activation, avg_pool, elementwise, max_pool
from cynet.kernels.snapshot import Snapshot, same_attributes

from . import residual, sequential
from .batch_norm import BatchNorm1d, BatchNorm2d
from .conv2d import Conv2d
from .dropout import Dropout
from .flatten import Flatten
from .global_avg_pool2d import GlobalAvgPool2d
from .linear import Linear
from .max_pool2d import MaxPool2d
from .relu import ReLU

SHAPES = 2  # plans that a model keeps: one for whole batches, one for the last


def run(model, x):
    """model(x) by its plan, or None where it cannot be planned (a layer is in training mode) or is in use.

    Parameters
    ----------
    model : Sequential
    x : ndarray of float32

    Returns
    -------
    ndarray of float32 or None
    """
    plans = vars(model).setdefault("_plans", {})
    plan = plans.get(x.shape)
    if plan is None or not plan.fits():
        if any(layer.training for _, layer in model.walk()):
            return None
        try:
            plan = Plan(model, x.shape)
        except (Unplanned, ValueError):
            return None  # the layers say what is wrong, if anything, and with their names
        for oldest in list(plans)[: max(0, len(plans) - SHAPES + 1)]:
            plans.pop(oldest, None)  # another thread may have done it
        plans[x.shape] = plan
    if not plan.lock.acquire(blocking=False):
        return None  # another thread's pass is in its buffers
    try:
        return plan(x)
    except Unplanned:
        plans.pop(x.shape, None)
        return None
    finally:
        plan.lock.release()


class Unplanned(Exception):
    """The model holds something that cannot be planned, or that was not there when it was."""


class Plan:
    """The steps of a model for one shape of input."""

    def __init__(self, model, shape):
        self.threads = get_num_threads()
        self.lock = threading.Lock()
        self._watched, self._lists = ([], [], []), []  # what must stay: attributes, and lists of layers
        self._convolutions, self._spare, self._scratch_floats = [], [], 0
        self._steps, _ = self._sequence(model, _Slot(shape), root=True)
        scratch = workspace.empty((self._scratch_floats,))
        for step in self._convolutions:
            step.scratch = scratch
        weights = [array for step in self._convolutions for array in step.weights()]
        if any(array.dtype != np.float32 or not array.flags.c_contiguous for array in weights):
            raise Unplanned("wanted float32 arrays that lie in one piece")
        self._weights = Snapshot(weights)
        self._fold()

    def __call__(self, x):
        if not self._weights.holds():
            self._weights.take()
            self._fold()
        for step in self._steps:
            x = step(x)
        return x.copy()  # the buffer is written again by the next pass

    def fits(self):
        """Whether the model is still built as it was planned."""
        if self.threads != get_num_threads():
            return False
        if not same_attributes(*self._watched):
            return False
        return all(layers == wanted for layers, wanted in self._lists)

    def _fold(self):
        for step in self._convolutions:
            step.fold()

    def _watch(self, layer):
        attributes = {name: value for name, value in vars(layer).items() if name not in PASSING}
        attributes |= {"training": layer.training, "forward": vars(layer).get("forward")}
        for name, value in attributes.items():
            for found, one in zip(self._watched, (vars(layer), name, value), strict=True):
                found.append(one)

    # -- buffers: each serves again as soon as the last step that reads it is planned -------------------
    def _slot(self, shape):
        """A place for an output."""
        need = prod(shape)
        index = next((i for i, buffer in enumerate(self._spare) if buffer.size >= need), None)
        buffer = workspace.empty((need,)) if index is None else self._spare.pop(index)
        return _Slot(shape, buffer)

    def _release(self, slot):
        if slot.buffer is not None and not slot.pins:
            self._spare.append(slot.buffer)
            self._spare.sort(key=len)

    # -- planning: each takes the input's slot and returns what it planned and the output's slot ----------
    def _flat(self, layer, root=False):
        """The layers of nested Sequentials, one after another."""
        if root or plain(layer) is sequential.Sequential:
            self._watch(layer)
            self._lists.append((layer.layers, list(layer.layers)))
            for inner in layer.layers:
                yield from self._flat(inner)
        else:
            yield layer

    def _sequence(self, model, slot, root=False):
        """The steps of a Sequential, or of any one layer."""
        layers = list(self._flat(model, root))
        steps, planes, i = [], None, 0  # planes: (height, width, channels) of rows whose order is unchanged
        while i < len(layers):
            layer, kind, after = layers[i], plain(layers[i]), layers[i + 1 : i + 2]
            before, taken = slot, 1
            if kind in (Conv2d, Linear):
                taken, norm, relu = self._followers(layers[i : i + 3])
                step, slot = self._convolution(layer, norm, relu, slot, planes)
                planes = None
            elif kind is MaxPool2d:
                step, slot = self._pool(layer, slot)
            elif kind is GlobalAvgPool2d:
                slot = self._slot(layer.output_shape(slot.shape))
                step = _Average(slot.array, team(prod(before.shape)))
            elif kind is residual.Residual:
                taken += (relu := bool(after) and plain(after[0]) is ReLU)
                step, slot = self._residual(layer, relu, slot)
            elif kind is Flatten and len(slot.shape) == 4 and after and plain(after[0]) is Linear:
                planes = slot.shape[1:]
                slot = _Slot((slot.shape[0], prod(planes)), slot.buffer, slot.pins)
                step = _Rows(slot.shape)
                before = None
            elif kind is Dropout:
                step = before = None
            else:  # its output may be its input
                slot, before = _Slot(layer.output_shape(slot.shape)), None
                step = _Called(layer, slot.shape)
            for used in layers[i : i + taken]:
                self._watch(used)
            if step is not None:
                steps.append(step)
            if before is not None:
                self._release(before)
            i += taken
        return steps, slot

    @staticmethod
    def _followers(layers):
        """Of a convolution or linear layer and the two after: (how many belong to it, batch norm, ReLU)."""
        layer, *rest = layers
        kind, width = (
            (BatchNorm2d, layer.out_channels) if type(layer) is Conv2d else (BatchNorm1d, layer.out_features)
        )
        norm = None
        if rest and plain(rest[0]) is kind and rest[0].num_features == width:
            norm, *rest = rest
        relu = bool(rest) and plain(rest[0]) is ReLU
        return 1 + (norm is not None) + relu, norm, relu

    def _convolution(self, layer, norm, relu, slot, planes):
        out, threads = self._slot(layer.output_shape(slot.shape)), team(layer.macs(slot.shape))
        step = _Convolve(layer, norm, relu, slot.shape, out.array, planes, threads)
        self._scratch_floats = max(self._scratch_floats, step.plan.scratch_floats(threads))
        self._convolutions.append(step)
        return step, out

    def _pool(self, layer, slot):
        shape, window = layer.grid(slot.shape)
        out, winner = self._slot(shape), np.empty(shape, np.uint8)
        window = *window, team(prod(shape) * prod(window[:2]))
        return (lambda x: max_pool.max_pool(x, out.array, winner, *window) or out.array), out

    def _residual(self, block, relu, slot):
        slot.pins += 1
        aside, beside = [], slot
        if block.shortcut is not None:
            aside, beside = self._sequence(block.shortcut, slot)
        beside.pins += 1
        body, inner = self._sequence(block.body, slot)
        if inner.shape != beside.shape:
            raise Unplanned
        last = body[-1] if body else None
        if isinstance(last, _Convolve) and not last.relu and isinstance(last.plan, WinogradConvolution):
            last.relu, out = relu, inner
            step = _Sum(aside, body, last, None, relu)
        else:
            out = self._slot(inner.shape)
            step = _Sum(aside, body, None, out.array, relu)
            self._release(inner)
        slot.pins -= 1
        beside.pins -= 1
        if beside is not slot:
            self._release(beside)
        return step, out


class _Slot:
    """Where an output lies: its shape and buffer (None: not the plan's), and how many still need it."""

    def __init__(self, shape, buffer=None, pins=0):
        self.shape, self.buffer, self.pins = tuple(shape), buffer, pins
        self.array = None if buffer is None else buffer[: prod(shape)].reshape(shape)


class _Convolve:
    """A convolution or linear layer with the batch norm, the residual sum and the ReLU that follow it."""

    def __init__(self, layer, norm, relu, shape, y, planes, threads):
        self.layer, self.norm, self.relu, self.y, self.threads = layer, norm, relu, y, threads
        self.planes, self.scratch, self.residual = planes, None, None
        if type(layer) is Conv2d:
            self.plan = layer.convolution(shape)
            self._in = self._out = None
        else:
            self._in, self._out = (1, shape[0], 1, shape[1]), (1, shape[0], 1, layer.out_features)
            self.plan = convolution.Convolution(self._in, (shape[0], 1), layer.out_features, (1, 1))
        self._target = y if self._out is None else y.reshape(self._out)

    def weights(self):
        """The arrays that `fold` reads."""
        found = [array for array in self.layer.values() if array is not None]
        return found if self.norm is None else [*found, *self.norm.values()]

    def fold(self):
        """Put the batch norm into the weights, and lay them out for the kernel."""
        (w, bias), norm = self.layer.values(), self.norm
        if norm is not None:
            weight, shift, mean, variance = norm.values()
            scale = 1 / np.sqrt(variance.astype(np.float64) + norm.eps)
            if norm.weight is None:
                shift = 0.0
            else:
                scale *= weight
            w = (w * scale.reshape(-1, *[1] * (w.ndim - 1))).astype(np.float32)
            before = 0.0 if bias is None else bias
            bias = ((before - mean.astype(np.float64)) * scale + shift).astype(np.float32)
        if self.planes is not None:
            height, width, channels = self.planes
            w = w.reshape(len(w), channels, height * width).transpose(0, 2, 1).reshape(len(w), -1)
        if self._in is not None:
            w = np.ascontiguousarray(w)[:, :, None, None]
        self._filters, self._bias = self.plan.pack(w), self.plan.padded(bias)

    def __call__(self, x):
        x = x if self._in is None else x.reshape(self._in)
        extra = () if self.residual is None else (self.residual,)
        self.plan.apply(
            x, self._filters, self._bias, self._target, self.scratch, self.threads, self.relu, *extra
        )
        return self.y


class _Called:
    """A layer that is called as it is."""

    def __init__(self, layer, shape):
        self.layer, self.shape = layer, shape
        known = (type(one).__module__.startswith("cynet.layers.") and plain(one) for _, one in layer.walk())
        self.ours = all(known)

    def __call__(self, x):
        if self.ours:
            y = self.layer(x)
        else:  # it may keep what is a buffer here, and hand out anything
            y = checks.float_array(f"{type(self.layer).__name__}.forward result", self.layer(x.copy()))
        if y.shape != self.shape:
            raise Unplanned  # something within it is not what it was
        return y


class _Rows:
    """(N, H, W, C) as rows; the linear layer after it has its weights in that order."""

    def __init__(self, shape):
        self.shape = shape

    def __call__(self, x):
        return x.reshape(self.shape)


class _Average:
    """Global average pooling."""

    def __init__(self, y, threads):
        self.y, self.threads = y, threads

    def __call__(self, x):
        n, height, width, channels = x.shape
        avg_pool.global_avg_pool(x.reshape(n, height * width, channels), self.y, self.threads)
        return self.y


class _Sum:
    """A residual block: `last` is the convolution of the body that adds the shortcut, if there is one."""

    def __init__(self, aside, body, last, y, relu):
        self.aside, self.body, self.last, self.y, self.relu = aside, body, last, y, relu

    def __call__(self, x):
        beside = x
        for step in self.aside:
            beside = step(beside)
        if self.last is not None:
            self.last.residual = beside
        for step in self.body:
            x = step(x)
        if self.last is None:
            threads = get_num_threads()
            elementwise.add(x.reshape(-1), beside.reshape(-1), self.y.reshape(-1), threads)
            x = self.y
            if self.relu:
                activation.relu(x.reshape(-1), x.reshape(-1), threads)
        return x
