"""What may run as one: a table, for layers that follow each other.

Design: both targets of the compiler, steps of a training pass (`training.py`) and plans for evaluation
(`inference.py`), cut a chain of layers by this table. Each knows some of the rules, by name, and has a step
for each that it knows. Of the layers that hold no others only these very classes are joined: a subclass, or
one whose own `forward` was set, runs as it is. Containers, also users', are told by what they publish: a
chain, a sum, or any other graph of parts. A training step joins sums with the ReLU after them, and runs the
layers of other graphs one by one; a plan for evaluation takes every graph.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cynet.nn.containers.compiled import Compiled
from cynet.nn.containers.container import by_parts
from cynet.nn.layer import plain
from cynet.nn.layers.add import Add
from cynet.nn.layers.batch_norm import BatchNorm1d, BatchNorm2d
from cynet.nn.layers.conv1d import Conv1d
from cynet.nn.layers.conv2d import Conv2d
from cynet.nn.layers.embedding import Embedding
from cynet.nn.layers.flatten import Flatten
from cynet.nn.layers.global_avg_pool2d import GlobalAvgPool2d
from cynet.nn.layers.gru import GRU
from cynet.nn.layers.linear import Linear
from cynet.nn.layers.lstm import LSTM
from cynet.nn.layers.max_pool2d import MaxPool2d
from cynet.nn.layers.relu import ReLU
from cynet.nn.layers.relu6 import ReLU6
from cynet.nn.structure import chain

from .nesting import layers_of

OURS = "cynet.nn."  # where the classes lie whose attributes are all that they compute by
SUM = "sum"  # a container that adds what one or two layers make of its input, see `sum_of`
GRAPH = "graph"  # any container that runs as its parts say
CURVE = (
    "curve"  # one of cynet's own layers whose class has this attribute, the kernel that is all it computes
)
HANDS_ON = "hands_on"  # the same, with this one: in evaluation its output is its input


def is_ours(layer):
    """Whether a layer's class is one of cynet's own, and it runs as that says."""
    return type(layer).__module__.startswith(OURS) and plain(layer) is not None


def is_known(layer):
    """Whether a layer and all below it are cynet's own, or containers that run as their parts say."""
    return all(is_ours(one) or by_parts(one) for _, one in layer.walk())


def chain_of(layer):
    """The layers of a container that runs them one after another, also as a graph can be read; or None."""
    if not by_parts(layer):
        return None
    parts, ends = layer.parts(), layer.ends()
    found = chain(parts)
    if found is not None and ends == (1, (len(parts),)):
        return found
    if ends[0] > 1 or len(ends[1]) > 1:
        return None
    found = layers_of(parts, ends)
    return found if len(found) != 1 or isinstance(layer, Compiled) else None


def sum_of(layer):
    """(body, shortcut or None) where the output is body(x) + shortcut(x), or body(x) + x; or else None."""
    parts = layer.parts() if by_parts(layer) else ()
    if not parts or plain(parts[-1].layer) is not Add:
        return None
    *calls, total = parts
    if layer.ends() != (1, (len(parts),)) or not all(part.sources == (0,) for part in calls):
        return None
    layers = [part.layer for part in calls]
    return {(1, 0): (*layers, None), (1, 2): tuple(layers)}.get(total.sources)


@dataclass(frozen=True)
class Rule:
    """Layers that follow each other.

    Attributes
    ----------
    name : str
    kinds : tuple
        What each has to be: a class, SUM, GRAPH, CURVE or HANDS_ON.
    suits : callable
        Of the layers, whether they may be joined.
    takes : int or None
        How many of them it takes out of the chain; None: all.
    """

    name: str
    kinds: tuple
    suits: Callable = lambda *layers: True
    takes: int | None = None

    def fits(self, layers):
        return len(layers) >= len(self.kinds) and all(map(_is, layers, self.kinds)) and self.suits(*layers)


def _is(layer, kind):
    if kind is GRAPH:
        return by_parts(layer)
    if kind in (CURVE, HANDS_ON):
        return is_ours(layer) and hasattr(type(layer), kind)
    return sum_of(layer) is not None if kind is SUM else plain(layer) is kind


def _of_width(product, norm, *_):
    """Whether a batch norm has as many features as the layer before it has outputs."""
    return norm.num_features == (
        product.out_features if isinstance(product, Linear) else product.out_channels
    )


def _thin(flatten, linear):
    return linear.thin()


RULES = (  # the first that fits is taken
    Rule("norm, ReLU, pool", (BatchNorm2d, ReLU, MaxPool2d), lambda norm, relu, pool: pool.small()),
    Rule("norm, ReLU", (BatchNorm2d, ReLU)),
    Rule("norm, ReLU", (BatchNorm1d, ReLU)),
    Rule("norm, ReLU6", (BatchNorm2d, ReLU6)),
    Rule("norm, ReLU6", (BatchNorm1d, ReLU6)),
    Rule("convolution, norm, ReLU", (Conv2d, BatchNorm2d, ReLU), _of_width),
    Rule("convolution, norm, ReLU6", (Conv2d, BatchNorm2d, ReLU6), _of_width),
    Rule("convolution, norm", (Conv2d, BatchNorm2d), _of_width),
    Rule("convolution, ReLU", (Conv2d, ReLU)),
    Rule("convolution, ReLU6", (Conv2d, ReLU6)),
    Rule("convolution", (Conv2d,)),
    Rule("convolution, norm, ReLU", (Conv1d, BatchNorm1d, ReLU), _of_width),
    Rule("convolution, norm, ReLU6", (Conv1d, BatchNorm1d, ReLU6), _of_width),
    Rule("convolution, norm", (Conv1d, BatchNorm1d), _of_width),
    Rule("convolution, ReLU", (Conv1d, ReLU)),
    Rule("convolution, ReLU6", (Conv1d, ReLU6)),
    Rule("convolution", (Conv1d,)),
    Rule("linear, norm, ReLU", (Linear, BatchNorm1d, ReLU), _of_width),
    Rule("linear, norm, ReLU6", (Linear, BatchNorm1d, ReLU6), _of_width),
    Rule("linear, norm", (Linear, BatchNorm1d), _of_width),
    Rule("linear, ReLU", (Linear, ReLU)),
    Rule("linear, ReLU6", (Linear, ReLU6)),
    Rule("linear", (Linear,)),
    Rule("sum, ReLU", (SUM, ReLU)),
    Rule("sum", (SUM,)),
    Rule("graph", (GRAPH,)),
    Rule("flatten, thin linear", (Flatten, Linear), _thin),
    Rule(
        "flatten before linear", (Flatten, Linear), takes=1
    ),  # the linear layer's weights change their order
    Rule("embedding, recurrent", (Embedding, GRU)),
    Rule("embedding, recurrent", (Embedding, LSTM)),
    Rule("pool", (MaxPool2d,), MaxPool2d.small),
    Rule("average", (GlobalAvgPool2d,)),
    Rule("curve", (CURVE,)),
    Rule("dropout", (HANDS_ON,)),
)
LONGEST = max(len(rule.kinds) for rule in RULES)


def grouped(layers, known):
    """(name of the rule or None, the layers that it takes) along a chain; `known`: names of rules."""
    i = 0
    while i < len(layers):
        near = layers[i : i + LONGEST]
        rule = next(
            (rule for rule in RULES if rule.name in known and rule.fits(near[: len(rule.kinds)])), None
        )
        count = 1 if rule is None else rule.takes or len(rule.kinds)
        yield None if rule is None else rule.name, layers[i : i + count]
        i += count
