"""Evaluation in one sweep: a model's layers, planned for one shape of input.

Design: with every layer in evaluation mode `Sequential` hands its input to `run`. The first time, the layers
are planned: batch norm is folded into the convolution or linear layer before it, ReLU and the sum of a
residual block are done while the convolution writes, other activations write over their input, flattening
becomes an order of the linear layer's weights, filters are packed once, outputs share buffers. Containers are
taken apart by their parts, also users'; every other layer is called as it is. Results differ from the layers'
own by rounding: folding multiplies weights where batch norm multiplies sums.

A plan is never stale. Before each run the layers' attributes are compared with those that were planned, and
the weights and statistics with a copy, byte by byte or, where they are megabytes, by sums of their bytes:
what changed is planned or packed anew, and packed from that copy. So an evaluation while another thread loads
weights may mix old and new ones, array by array or within one, but those after it never do: what it packed is
compared with what is there. Arrays that are sealed (`core/sealed.py`) cannot change, and are not compared. A
layer that is called as it is (such as a user's own) has to give the shape that was planned; if it does not,
the layers run without the plan.

A plan has one set of buffers, so a pass takes it off its shelf and puts it back when it is done. Threads that
are in a model at once each find a plan there or make one, and nobody waits or computes in another way: all
get the bytes that one thread gets. A plan belongs to no thread, so none is left behind by one that ended, nor
by a fork: what another thread was in then is not on the shelf.

Outside `no_grad` a plan keeps nothing for backward but its input: `recall.py` makes the pass again, layer by
layer, when backward is called.
"""

from functools import partial
from math import prod

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads, team
from cynet.kernels.conv.banded import Banded
from cynet.kernels.norm.batchnorm import PLAIN, RELU, RELU6
from cynet.kernels.pointwise import arrays
from cynet.kernels.pool import max_pool
from cynet.nn.parameter import Parameter

from . import graphs
from .folded import Folded
from .inference_steps import Called, Convolve, Curve, GlobalMean, InBands, Rows, Slot, Sum, Unplanned
from .nesting import layers_of
from .rules import chain_of, grouped, is_known, sum_of
from .snapshot import Snapshot
from .watched import Watched

SHAPES = 2  # shapes whose plans a model keeps: that of whole batches, and that of the last
PLANS = 8  # of one shape that it keeps, as many as threads were in it at once
CELL = 8  # multiply-adds that a look at a cell of a pool takes as long as


def run(model, x):
    """model(x) by a plan, or None where it cannot be planned (a layer is in training mode).

    To be called within `no_grad`, by any number of threads at once. A model keeps the plans of two shapes,
    and of each as many as threads were in it at the same time, up to 8. Each holds the weights twice (packed
    for the kernels, and as they were then, which those that are sealed still are) and the largest two or
    three outputs of its layers.

    Parameters
    ----------
    model : Sequential
    x : ndarray of float32

    Returns
    -------
    ndarray of float32 or None
    """
    found = swept(model, x)
    return None if found is None else found[0]


def swept(model, x, exact=False):
    """(model(x), the plan that gave it, which version of its weights), or None.

    `exact`: only by a plan whose passes can be made again.
    """
    plan, found = _taken(model, x.shape), None
    if plan is None:
        return None
    if plan.exact or not exact:
        try:
            found = plan(x), plan, plan.version
        except Unplanned:
            vars(model).get("_plans", {}).pop(x.shape, None)
            return None
    _put_back(model, x.shape, plan)  # not one whose pass was broken off: it may be packed by half
    return found


def _taken(model, shape):
    """A plan of a model for one shape of input that no other pass is in, made if there is none, or None."""
    shelf = vars(model).get("_plans", {}).get(shape)
    while shelf:
        try:
            plan = shelf.pop()
        except IndexError:  # another thread took the last
            break
        if plan.fits():
            return plan
    model.parts()  # refuses what is no layer
    if any(layer._trains() for _, layer in model.walk()):
        return None
    try:
        return Plan(model, shape)
    except (Unplanned, ValueError):
        return None  # the layers say what is wrong, if anything, and with their names


def _put_back(model, shape, plan):
    """Let the next pass have a plan."""
    shelves = vars(model).setdefault("_plans", {})
    shelf = shelves.get(shape)
    if shelf is None:
        for oldest in list(shelves)[: max(0, len(shelves) - SHAPES + 1)]:
            shelves.pop(oldest, None)  # another thread may have done it
        shelf = shelves.setdefault(shape, [])
    if len(shelf) < PLANS:
        shelf.append(plan)


class Plan:
    """The steps of a model for one shape of input.

    Attributes
    ----------
    exact : bool
        Whether a pass can be made again and is then the same: every layer is one of cynet's own, which draw
        nothing and change nothing in evaluation mode, and `holds` can tell whether something changed.
    version : int
        Counts the weights it has met.
    """

    def __init__(self, model, shape):
        self.threads, self.version, self._sealings = get_num_threads(), 0, Parameter.sealings
        self._watched = Watched()
        self._watched.add(model, "layers")  # also a user's, which may have other attributes
        self._convolutions, self._called, self._spare, self._scratch_floats = [], [], [], 0
        self._steps, _ = self.sequence(model, Slot(shape), root=True)
        scratch = workspace.empty((self._scratch_floats,))
        for step in self._convolutions:
            step.scratch = scratch
        weights = [array for step in self._convolutions for array in step.weights()]
        if not _comparable(weights):
            raise Unplanned("wanted float32 arrays that lie in one piece")
        self._weights = Snapshot(weights)
        beside = [array for layer in self._called for array, _ in layer._state().values() if array.ndim]
        self.exact = all(map(is_known, self._called)) and _comparable(beside)
        self._beside = Snapshot(beside if self.exact else [])
        self._fold()

    def __call__(self, x):
        if not self._weights.holds(get_num_threads()):
            self.version += 1  # first: another thread may ask whether a version holds
            self._weights.take()
            self._fold()
        if not self._beside.holds():
            self.version += 1
            self._beside.take()
        for step in self._steps:
            x = step(x)
        return arrays.copied(x)  # the buffer is written again by the next pass

    def fits(self):
        """Whether the model is still built as it was planned, of these very arrays, for so many threads."""
        return (
            self.threads == get_num_threads()
            and self._sealings == Parameter.sealings
            and self._watched.holds()
        )

    def holds(self, version):
        """Whether the model and its weights are what they were when a pass by this version began."""
        return (
            self.version == version
            and self._watched.holds()
            and self._weights.holds(get_num_threads())
            and self._beside.holds()
            and self.version == version  # still: another thread's pass may have taken new ones meanwhile
        )

    def _fold(self):
        copies = iter(self._weights.copies)
        for step in self._convolutions:
            step.fold(copies)

    # -- buffers: each serves again as soon as the last step that reads it is planned -------------------
    def slot(self, shape):
        """A place for an output."""
        need = prod(shape)
        index = next((i for i, buffer in enumerate(self._spare) if buffer.size >= need), None)
        buffer = workspace.empty((need,)) if index is None else self._spare.pop(index)
        return Slot(shape, buffer)

    def release(self, slot):
        if slot.buffer is not None and not slot.pins:
            self._spare.append(slot.buffer)
            self._spare.sort(key=len)

    # -- planning: each takes layers and the input's slot; it returns (step or None, the output's slot,
    #    whether the input was read into a buffer of the output's own, so that it may be let go) ------------
    def _flat(self, layer, root=False):
        """The layers of nested chains, one after another."""
        inner = layers_of(layer.parts(), layer.ends()) if root else chain_of(layer)
        if inner is None:
            yield layer
            return
        self._watched.add_wholly(layer)
        for one in inner:
            yield from self._flat(one)

    def sequence(self, model, slot, root=False):
        """The steps of a chain, or of any one layer."""
        steps, self._planes, groups = [], None, list(grouped(list(self._flat(model, root)), STEPS))
        while groups:
            before, (name, layers), block = slot, groups[0], self._block(groups, slot.shape)
            count = len(block) or 1
            if block:
                step, slot, read = self._in_bands(block)
            else:
                step, slot, read = STEPS[name](self, layers, slot) if name else self.call(layers[0], slot)
            for used in (layer for _, group in groups[:count] for layer in group):
                self._watched.add_wholly(used)
            groups = groups[count:]
            if step is not None:
                steps.append(step)
            if read:
                self.release(before)
        return steps, slot

    def call(self, layer, slot):
        """The step that calls a layer as it is; its output may be its input."""
        step, (slot,) = self.called(layer, [slot])
        return step, slot, False

    def called(self, layer, slots):
        """The step that calls a layer as it is on several values, and the slots of what it gives."""
        self._called.append(layer)
        for _, inner in layer.walk():
            self.watch(inner)
        step = Called(layer, layer.output_shape(*(slot.shape for slot in slots)))
        return step, [Slot(shape) for shape in step.shapes]

    def watch(self, layer):
        """Watch all attributes of a layer."""
        self._watched.add_wholly(layer)

    def _convolution(self, layers, slot, norm=False, relu=PLAIN):
        planes, self._planes = self._planes, None
        out = self.slot(layers[0].output_shape(slot.shape))
        folded = Folded(layers[0], layers[1] if norm else None, relu, slot.shape, planes)
        return self._weighted(Convolve(folded, out.array)), out, True

    def _block(self, groups, shape):
        """What begins with the first of some groups and runs in bands: its `Folded` layers, or none."""
        count, found = next((n for n in (3, 2) if len(groups) >= n and _is_grouped(groups[n - 2])), 0), []
        if not all(name in CONVOLUTIONS for name, _ in groups[:count]):
            return []
        if count and not Banded.is_large(shape if count == 2 else groups[0][1][0].output_shape(shape)):
            return []
        for name, layers in groups[:count]:
            norm, relu = CONVOLUTIONS[name]
            found.append(Folded(layers[0], layers[1] if norm else None, relu, shape))
            shape = layers[0].output_shape(shape)
        return found if count and Banded.suits([each.algorithm for each in found], self.threads) else []

    def _in_bands(self, block):
        kernel = Banded([each.algorithm for each in block], self.threads)
        out = self.slot(block[-1].out_shape)
        return self._weighted(InBands(kernel, block, out.array)), out, True

    def _weighted(self, step):
        """A step that has weights."""
        self._scratch_floats = max(self._scratch_floats, step.scratch_floats())
        self._convolutions.append(step)
        return step

    def _rows(self, layers, slot):
        if len(slot.shape) < 3:
            return self.call(layers[0], slot)
        n, *sides, channels = slot.shape
        self._planes = prod(sides), 1, channels  # the order of the rows is unchanged
        slot = Slot((n, prod(self._planes)), slot.buffer, slot.pins)
        return Rows(slot.shape), slot, False

    def _pool(self, layers, slot):
        shape, window = layers[0].grid(slot.shape)
        out, threads = self.slot(shape), team(CELL * prod(shape) * prod(window[:2]))
        pool = max_pool.PoolPass(out.array, window, threads)
        return (lambda x: pool(x) or out.array), out, True

    def _average(self, layers, slot):
        out = self.slot(layers[0].output_shape(slot.shape))
        return GlobalMean(out.array, team(CELL * prod(slot.shape))), out, True

    def _curve(self, layers, slot):
        """In place, where nobody else needs the input."""
        alone = slot.buffer is not None and not slot.pins
        out = slot if alone else self.slot(slot.shape)
        return Curve(type(layers[0]).curve, out.array), out, not alone

    def _sum(self, layers, slot, relu=False):
        main, shortcut = sum_of(layers[0])
        slot.pins += 1
        aside, beside = [], slot
        if shortcut is not None:
            aside, beside = self.sequence(shortcut, slot)
        beside.pins += 1
        body, inner = self.sequence(main, slot)
        if inner.shape != beside.shape:
            raise Unplanned
        last = body[-1] if body else None
        if isinstance(last, (Convolve, InBands)) and last.adds(relu):
            last.relu, out = relu, inner
            step = Sum(aside, body, last, None, relu)
        else:
            out = self.slot(inner.shape)
            step = Sum(aside, body, None, out.array, relu)
            self.release(inner)
        slot.pins -= 1
        beside.pins -= 1
        if beside is not slot:
            self.release(beside)
        return step, out, True


STEPS = {
    "graph": graphs.planned,
    "sum, ReLU": partial(Plan._sum, relu=True),
    "sum": Plan._sum,
    "flatten before linear": Plan._rows,
    "pool": Plan._pool,
    "average": Plan._average,
    "curve": Plan._curve,
    "dropout": lambda plan, layers, slot: (None, slot, False),
}
FOLDS = {  # of steps with weights: whether a batch norm is among their layers, and how their output is bent
    "": (False, PLAIN),
    ", ReLU": (False, RELU),
    ", ReLU6": (False, RELU6),
    ", norm": (True, PLAIN),
    ", norm, ReLU": (True, RELU),
    ", norm, ReLU6": (True, RELU6),
}
CONVOLUTIONS = {f"convolution{more}": fold for more, fold in FOLDS.items()}
for _product in ("convolution", "linear"):
    STEPS |= {
        f"{_product}{_more}": partial(Plan._convolution, norm=_norm, relu=_relu)
        for _more, (_norm, _relu) in FOLDS.items()
    }


def _is_grouped(group):
    """Whether the layers of a step begin with a convolution in groups."""
    name, layers = group
    return name in CONVOLUTIONS and layers[0].groups > 1


def _comparable(arrays):
    """Whether a snapshot can be taken of arrays."""
    return all(array.dtype == np.float32 and array.flags.c_contiguous for array in arrays)
