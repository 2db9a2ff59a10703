"""Containers that are no chains, in a plan for evaluation: their parts one after another."""

from cynet.core.threads import get_num_threads
from cynet.kernels.pointwise import arrays, elementwise, factors
from cynet.nn.layer import plain
from cynet.nn.layers.add import Add
from cynet.nn.layers.concatenate import Concatenate
from cynet.nn.layers.multiply import Multiply
from cynet.nn.structure import users


def planned(plan, layers, slot):
    """The `Branches` of a container, its output's slot, and whether the input was read into its own buffer.

    The place of a value is let go after the part that takes it last, and after the last one that takes what
    may lie there, too: a layer that is called as it is may hand its input on.
    """
    parts, ends = layers[0].parts(), layers[0].ends()
    if ends[0] > 1 or len(ends[1]) > 1:
        return plan.call(layers[0], slot)
    slots, steps, left, behind = [slot], [], users(parts, ends), {}
    slot.pins += 1
    for part in parts:
        sources = [slots[source] for source in part.sources]
        merge = MERGES.get(plain(part.layer))
        if merge is not None and len(sources) > 1:
            made = [plan.slot(part.layer.output_shape(*(source.shape for source in sources)))]
            plan.watch(part.layer)
            steps.append((merge, part.sources, made[0].array))
        elif len(sources) == 1 and part.count == 1:
            own, out = plan.sequence(part.layer, sources[0])
            made = [out]
            steps.append((own, part.sources, None))
        else:
            step, made = plan.called(part.layer, sources)
            steps.append((step, part.sources, None))
        for number, out in enumerate(made, len(slots)):
            out.pins += 1
            if out.buffer is None and left[number]:  # it takes its sources as long as it is taken itself
                behind[number] = part.sources
                for source in part.sources:
                    left[source] += 1
        slots += made
        taken = list(part.sources)
        while taken:
            source = taken.pop()
            left[source] -= 1
            if source and not left[source]:
                slots[source].pins -= 1
                plan.release(slots[source])
                taken += behind.get(source, ())
    out = slots[ends[1][0]]
    slot.pins -= 1
    out.pins -= 1
    return Branches(steps, ends[1][0]), out, out.buffer is not None and out.buffer is not slot.buffer


class Branches:
    """The parts of any container.

    Parameters
    ----------
    steps : list of tuple
        For each part (the steps of its layer, or what merges values, or a `Called`; its sources; the array
        where it writes, if it merges).
    output : int
        The number of the value that is the output.
    """

    def __init__(self, steps, output):
        self.steps, self.output = steps, output

    def __call__(self, x):
        values = [x]
        for step, sources, y in self.steps:
            found = [values[source] for source in sources]
            if y is not None:
                values.append(step(found, y))
            elif isinstance(step, list):
                values.append(_chained(step, *found))
            else:
                made = step(*found)
                values += made if isinstance(made, tuple) else (made,)
        return values[self.output]


def _chained(steps, x):
    for step in steps:
        x = step(x)
    return x


def added(found, y):
    """The sum of arrays, in `y`."""
    total = found[0]
    for x in found[1:]:
        elementwise.add(total.reshape(-1), x.reshape(-1), y.reshape(-1), get_num_threads())
        total = y
    return y


def joined(found, y):
    """Arrays side by side along the channels, in `y`."""
    start = 0
    for x in found:
        arrays.copy_channels(x, 0, y, start, x.shape[-1])
        start += x.shape[-1]
    return y


def multiplied(found, y):
    """The product of arrays, in `y`."""
    product = found[0]
    for x in found[1:]:
        product = factors.multiply(product, x, y)
    return y


MERGES = {Add: added, Concatenate: joined, Multiply: multiplied}
