"""What a program is: steps on numbered values, and the operations that there are.

Design: layers are many and nested, what leaves cynet is flat. `lowering` takes a net apart into steps of few
operations, once, with all sizes worked out for one shape of sample; `folding` joins steps; each exporter
(ONNX, C, a web page) is then a table with an entry for each operation. Shapes leave out the batch, and the
layout is cynet's: (H, W, C) of pictures, (L, C) of sequences, (C,) of rows; of (L, C) windows and weights
are those of a picture one pixel high.

========== ============================== ==================================================================
operation  arrays                         numbers
========== ============================== ==================================================================
conv       weight (O, I/groups, h, w),    kernel, stride, dilation: (vertical, horizontal); padding: (top,
           bias (O,) or none              left, bottom, right); groups; border: what padding is filled with
deconv     weight (I, O/groups, h, w),    as conv but border, and padding is what is cut off the output;
           bias                           more: (vertical, horizontal) that are added below, to the right
linear     weight (O, I), bias            of the last axis
norm       weight, bias (or none), mean,  eps: batch norm as it evaluates
           variance (C,)
scale      scale, shift (C,)              y = scale x + shift for each channel
pixels     scale, shift (C,)              the same of 0 to 255; mean, std: what they are made of, (C,)
max_pool                                  kernel, stride, dilation, padding
avg_pool                                  kernel, stride, padding; counted: whether padding counts;
                                          divisor, or 0: the count
areas                                     the means of as many areas as the output has pixels (`places.areas`)
mean, max                                 of all pixels: (H, W, C) to (C,)
curve      slope (C,) or (1,) of prelu    kind: a name in `CURVES`; its numbers
softmax                                   along the last axis
add, multiply, concatenate                of several values, as the layers say
flatten                                   channel by channel
reshape                                   in the order of the layout here
pad                                       padding: (top, left, bottom, right), of zeros; negative: cut off
nearest    rows, columns: the pixels      mode: factors (or None, None) as the layer has them
bilinear   rows, columns (2, out),        corners; factors
           down, right: shares of the
           second
shuffle                                   groups
group_norm weight, bias or none           groups, eps
layer_norm weight, bias or none           eps; axes: how many are normalised together
embedding  weight (numbers, width)        of integers
gru, lstm  input, state, two biases       PyTorch's order of gates
========== ============================== ==================================================================

A step of conv, linear, scale or add may have a curve that follows it (`after`), once steps are joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cynet.core.types import AnyArray, Shape

CURVES = {  # of each its numbers
    "relu": (), "relu6": (), "leaky_relu": ("slope",), "prelu": (), "elu": ("alpha",), "gelu": (), "silu": (),
    "sigmoid": (), "tanh": (), "hardsigmoid": (), "hardswish": (), "softplus": ("beta", "threshold"),
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One operation on values.

    Attributes
    ----------
    operation : str
        One of the table above.
    name : str
        The path of the layer that it comes from, or of the last of several.
    inputs : tuple of int
        The values that it takes.
    output : int
        The value that it makes.
    arrays : mapping of str to ndarray
    numbers : mapping of str
    after : mapping or None
        The numbers of a curve that follows, `kind` among them.
    """

    operation: str
    name: str
    inputs: tuple[int, ...]
    output: int
    arrays: Mapping[str, AnyArray] = field(default_factory=dict)
    numbers: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Program:
    """A net as steps, in the order in which they are done.

    Attributes
    ----------
    shapes : dict of int to tuple of int
        Of each value, without the batch.
    inputs : tuple of int
        The values that are given.
    outputs : tuple of int
    steps : tuple of Step
    integers : frozenset of int
        The inputs that are integers.
    dtypes : dict of int to str
        NumPy's names of what other values hold that are no float32.
    """

    shapes: Mapping[int, Shape]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[Step, ...]
    integers: frozenset[int] = frozenset()
    dtypes: Mapping[int, str] = field(default_factory=dict)

    def dtype(self, value: int) -> str:
        """NumPy's name of what a value holds."""
        return "int64" if value in self.integers else self.dtypes.get(value, "float32")

    def users(self) -> dict[int, int]:
        """Of each value how often it is taken, as an output, too."""
        found = dict.fromkeys(self.shapes, 0)
        for value in (*self.outputs, *(source for step in self.steps for source in step.inputs)):
            found[value] += 1
        return found
