"""Containers that are no chains, in a plan for evaluation: their parts one after another."""

from collections import Counter

from cynet.core.threads import get_num_threads
from cynet.kernels.pointwise import arrays, elementwise
from cynet.nn.structure import Add, Call


def planned(plan, layers, slot):
    """The `Graph` of a container, the slot of its output, and whether the input was read into its own buffer.

    The place of a value is let go after the part that takes it last, unless what came of it may lie there.
    """
    parts = layers[0].parts()
    slots, steps, left = [slot], [], Counter(source for part in parts for source in part.sources)
    slot.pins += 1
    for part in parts:
        sources = [slots[source] for source in part.sources]
        if isinstance(part, Call):
            own, out = plan.sequence(part.layer, sources[0])
            steps.append((own, part.sources, None))
        else:
            out = plan.slot(part.shape(*(source.shape for source in sources)))
            steps.append((added if isinstance(part, Add) else joined, part.sources, out.array))
        out.pins += 1
        slots.append(out)
        left.subtract(part.sources)
        for source in set(part.sources) - {0}:
            if not left[source]:
                slots[source].pins -= 1
                if not _shares(slots[source], out):
                    plan.release(slots[source])
    slot.pins -= 1
    out.pins -= 1
    return Graph(steps), out, not _shares(slot, out)


def _shares(slot, out):
    """Whether an output may lie where a value does."""
    return out.buffer is None or out.buffer is slot.buffer


class Graph:
    """The parts of any container.

    Parameters
    ----------
    steps : list of tuple
        For each part (the steps of its layer, its sources, None), or (`added` or `joined`, its sources, the
        array where it writes).
    """

    def __init__(self, steps):
        self.steps = steps

    def __call__(self, x):
        values = [x]
        for steps, sources, y in self.steps:
            found = [values[source] for source in sources]
            values.append(_chained(steps, *found) if y is None else steps(found, y))
        return values[-1]


def _chained(steps, x):
    for step in steps:
        x = step(x)
    return x


def added(found, y):
    """The sum of two arrays, in `y`."""
    elementwise.add(*(x.reshape(-1) for x in found), y.reshape(-1), get_num_threads())
    return y


def joined(found, y):
    """Arrays side by side along the channels, in `y`."""
    start = 0
    for x in found:
        arrays.copy_channels(x, 0, y, start, x.shape[-1])
        start += x.shape[-1]
    return y
