"""Nodes of every operator that is read, with the shapes of their inputs and the versions of operators.

A case is a small graph from x to y. All of them are in `CASES`.
"""

from dataclasses import dataclass, field

import numpy as np
from onnx_files import model, node

IMAGE, SQUARE, SERIES, ROWS = (2, 4, 7, 9), (2, 4, 6, 6), (2, 4, 11), (2, 6)


@dataclass(frozen=True)
class Case:
    """Nodes as bytes, the shape of x, and constants, which are drawn where they are shapes."""

    nodes: list
    x: tuple
    constants: dict = field(default_factory=dict)
    opset: int = 17
    near: float = 1e-5

    def arrays(self):
        rng = np.random.default_rng(5)
        return {
            name: one if isinstance(one, np.ndarray) else drawn(rng, name, one)
            for name, one in self.constants.items()
        }

    def inputs(self, batch="N"):
        return {"x": (batch, *self.x[1:])}

    def content(self, batch="N"):
        return model(self.nodes, self.inputs(batch), ("y",), self.arrays(), self.opset)


def drawn(rng, name, shape):
    array = rng.standard_normal(shape).astype(np.float32)
    return np.abs(array) + 0.5 if name.startswith("v") else array  # variances


def ints(*values):
    return np.array(values, np.int64)


def floats(*values):
    return np.array(values, np.float32)


CASES = {}


def case(name, nodes, x, opsets=(17,), near=1e-5, **constants):
    nodes = [nodes] if isinstance(nodes, bytes) else nodes
    for opset in opsets:
        CASES[f"{name}-{opset}"] = Case(nodes, x, constants, opset, near)


EVERY = 9, 11, 13, 17, 18, 22

# -- convolutions -------------------------------------------------------------------------------------------
case("conv", node("Conv", "x w b", "y", kernel_shape=[3, 3]), IMAGE, EVERY, w=(5, 4, 3, 3), b=(5,))
case(
    "conv-all",
    node("Conv", "x w", "y", strides=[2, 1], pads=[1, 0, 2, 3], dilations=[1, 2], group=2),
    IMAGE,
    w=(6, 2, 3, 2),
)
case("conv-upper", node("Conv", "x w", "y", auto_pad="SAME_UPPER", strides=[2, 2]), IMAGE, w=(3, 4, 4, 3))
case("conv-lower", node("Conv", "x w", "y", auto_pad="SAME_LOWER", strides=[2, 2]), IMAGE, w=(3, 4, 4, 3))
case("conv-valid", node("Conv", "x w", "y", auto_pad="VALID"), IMAGE, w=(3, 4, 2, 3))
case("conv-depthwise", node("Conv", "x w b", "y", group=4, pads=[1, 1, 1, 1]), IMAGE, w=(4, 1, 3, 3), b=(4,))
case(
    "conv-1d",
    node("Conv", "x w b", "y", pads=[2, 1], strides=[2], group=2),
    SERIES,
    EVERY,
    w=(6, 2, 3),
    b=(6,),
)
case(
    "conv-bias-after",
    [node("Conv", "x w", "h"), node("Add", "h b", "y")],
    IMAGE,
    w=(5, 4, 1, 1),
    b=(1, 5, 1, 1),
)
case(
    "transposed",
    node("ConvTranspose", "x w b", "y", strides=[2, 3], pads=[1, 0, 0, 2], output_padding=[1, 2]),
    IMAGE,
    EVERY,
    w=(4, 3, 3, 4),
    b=(3,),
)
case("transposed-groups", node("ConvTranspose", "x w", "y", group=2, dilations=[2, 1]), IMAGE, w=(4, 3, 3, 2))
case(
    "transposed-upper",
    node("ConvTranspose", "x w", "y", auto_pad="SAME_UPPER", strides=[2, 2]),
    IMAGE,
    w=(4, 3, 3, 4),
)
case(
    "transposed-lower",
    node("ConvTranspose", "x w", "y", auto_pad="SAME_LOWER", strides=[2, 2]),
    IMAGE,
    w=(4, 3, 3, 4),
)
case(
    "transposed-shape",
    node("ConvTranspose", "x w", "y", output_shape=[14, 19], strides=[2, 2]),
    IMAGE,
    w=(4, 3, 3, 3),
)
case(
    "transposed-1d",
    node("ConvTranspose", "x w b", "y", strides=[2], pads=[1, 0]),
    SERIES,
    w=(4, 3, 3),
    b=(3,),
)

# -- matrices -----------------------------------------------------------------------------------------------
case("gemm", node("Gemm", "x w b", "y", transB=1), ROWS, EVERY, w=(5, 6), b=(5,))
case("gemm-plain", node("Gemm", "x w", "y"), ROWS, (11, 17), w=(6, 5))
case("gemm-scaled", node("Gemm", "x w b", "y", alpha=0.5, beta=2.0), ROWS, w=(6, 5), b=(1, 5))
case("gemm-scalar", node("Gemm", "x w b", "y", transB=1), ROWS, w=(5, 6), b=())
case("gemm-turned", [node("Transpose", "x", "h"), node("Gemm", "h w", "y", transA=1)], ROWS, w=(6, 5))
case("matmul", node("MatMul", "x w", "y"), ROWS, EVERY, w=(6, 5))
case("matmul-bias", [node("MatMul", "x w", "h"), node("Add", "b h", "y")], ROWS, w=(6, 5), b=(5,))
case("matmul-rows", [node("MatMul", "x w", "h"), node("Add", "h b", "y")], SERIES, w=(11, 5), b=(5,))
case("matmul-images", node("MatMul", "x w", "y"), IMAGE, w=(9, 5))
case(
    "matmul-channels-last",
    [
        node("Transpose", "x", "h", perm=[0, 2, 3, 1]),
        node("MatMul", "h w", "g"),
        node("Relu", "g", "r"),
        node("Transpose", "r", "y", perm=[0, 3, 1, 2]),
    ],
    IMAGE,
    w=(4, 5),
)
case(
    "flatten-gemm",
    [node("Flatten", "x", "h"), node("Gemm", "h w b", "y", transB=1)],
    IMAGE,
    EVERY,
    w=(5, 252),
    b=(5,),
)
case(
    "reshape-gemm",
    [node("Reshape", "x s", "h"), node("Gemm", "h w b", "y", transB=1)],
    IMAGE,
    EVERY,
    w=(5, 252),
    b=(5,),
    s=ints(-1, 252),
)
case(
    "reshape-of-shape",
    [
        node("Shape", "x", "s"),
        node("Constant", "", "i", value=ints(0)),
        node("Gather", "s i", "n"),
        node("Constant", "", "m", value=ints(-1)),
        node("Concat", "n m", "t", axis=0),
        node("Reshape", "x t", "h"),
        node("MatMul", "h w", "y"),
    ],
    IMAGE,
    EVERY,
    w=(252, 5),
)

# -- normalisation -------------------------------------------------------------------------------------------
for _name, _x in (("images", IMAGE), ("series", SERIES), ("rows", (2, 4))):
    case(
        f"batch-norm-{_name}",
        node("BatchNormalization", "x w b m v", "y", epsilon=0.01, momentum=0.8),
        _x,
        EVERY,
        w=(4,),
        b=(4,),
        m=(4,),
        v=(4,),
    )
case("instance-norm", node("InstanceNormalization", "x w b", "y", epsilon=0.01), IMAGE, EVERY, w=(4,), b=(4,))
case("instance-norm-series", node("InstanceNormalization", "x w b", "y"), SERIES, w=(4,), b=(4,))
case(
    "group-norm-of-torch",
    [
        node("Reshape", "x s", "h"),
        node("InstanceNormalization", "h w b", "g"),
        node("Shape", "x", "t"),
        node("Reshape", "g t", "k"),
        node("Mul", "k c", "l"),
        node("Add", "l d", "y"),
    ],
    IMAGE,
    w=np.ones(2, np.float32),
    b=np.zeros(2, np.float32),
    s=ints(0, 2, -1),
    c=(4, 1, 1),
    d=(4, 1, 1),
)
case("group-norm", node("GroupNormalization", "x w b", "y", num_groups=2), IMAGE, (21, 22), w=(4,), b=(4,))
case(
    "layer-norm", node("LayerNormalization", "x w b", "y", epsilon=0.001), SERIES, (17, 22), w=(11,), b=(11,)
)
case(
    "layer-norm-channels",
    [
        node("Transpose", "x", "h", perm=[0, 2, 3, 1]),
        node("LayerNormalization", "h w b", "g"),
        node("Transpose", "g", "y", perm=[0, 3, 1, 2]),
    ],
    IMAGE,
    w=(4,),
    b=(4,),
)
case("layer-norm-all", node("LayerNormalization", "x w b", "y", axis=1), IMAGE, w=(4, 7, 9), b=(4, 7, 9))
case("layer-norm-no-shift", node("LayerNormalization", "x w", "y"), ROWS, w=(6,))
case(
    "layer-norm-by-hand",
    [
        node("ReduceMean", "x", "m", axes=[-1]),
        node("Sub", "x m", "d"),
        node("Pow", "d two", "q"),
        node("ReduceMean", "q", "v", axes=[-1]),
        node("Add", "v eps", "e"),
        node("Sqrt", "e", "r"),
        node("Div", "d r", "n"),
        node("Mul", "n w", "s"),
        node("Add", "s b", "y"),
    ],
    SERIES,
    (13, 17),
    two=floats(2).reshape(()),
    eps=floats(1e-5).reshape(()),
    w=(11,),
    b=(11,),
)
case("softmax", node("Softmax", "x", "y", axis=1), ROWS, EVERY)
case("softmax-channels", node("Softmax", "x", "y", axis=1), IMAGE, (13, 17))
case("softmax-all", node("Softmax", "x", "y", axis=1), IMAGE, (9, 11))
case("softmax-last", node("Softmax", "x", "y", axis=-1), IMAGE, (13, 17))

# -- curves --------------------------------------------------------------------------------------------------
for _kind in (
    "Relu",
    "Sigmoid",
    "Tanh",
    "Softplus",
    "Neg",
    "Abs",
    "Elu",
    "LeakyRelu",
    "Selu",
    "HardSigmoid",
    "Identity",
):
    case(_kind.lower(), node(_kind, "x", "y"), IMAGE, (9, 17) if _kind != "Softplus" else (17,))
case("elu-alpha", node("Elu", "x", "y", alpha=0.3), IMAGE)
case("leaky-alpha", node("LeakyRelu", "x", "y", alpha=0.2), ROWS)
case("celu", node("Celu", "x", "y", alpha=0.7), IMAGE)
case("hardsigmoid-sixth", node("HardSigmoid", "x", "y", alpha=1 / 6, beta=0.5), IMAGE)
case("hardswish", node("HardSwish", "x", "y"), IMAGE)
case("mish", node("Mish", "x", "y"), IMAGE, (18, 22))
case("gelu", node("Gelu", "x", "y"), IMAGE, (20, 22))
case("gelu-tanh", node("Gelu", "x", "y", approximate="tanh"), IMAGE, (20,))
case(
    "gelu-of-torch",
    [
        node("Div", "x r", "a"),
        node("Erf", "a", "e"),
        node("Add", "e one", "s"),
        node("Mul", "x s", "p"),
        node("Mul", "p half", "y"),
    ],
    IMAGE,
    (9, 17),
    r=floats(2**0.5).reshape(()),
    one=floats(1).reshape(()),
    half=floats(0.5).reshape(()),
)
case(
    "gelu-of-dynamo",
    [
        node("Mul", "x r", "a"),
        node("Erf", "a", "e"),
        node("Add", "one e", "s"),
        node("Mul", "half s", "p"),
        node("Mul", "x p", "y"),
    ],
    IMAGE,
    r=floats(0.5**0.5).reshape(()),
    one=floats(1).reshape(()),
    half=floats(0.5).reshape(()),
)
case("silu", [node("Sigmoid", "x", "s"), node("Mul", "x s", "y")], IMAGE)
case(
    "hardswish-by-hand",
    [
        node("Add", "x three", "a"),
        node("Clip", "a lo hi", "c"),
        node("Mul", "x c", "p"),
        node("Div", "p six", "y"),
    ],
    IMAGE,
    three=floats(3).reshape(()),
    lo=floats(0).reshape(()),
    hi=floats(6).reshape(()),
    six=floats(6).reshape(()),
)
case("prelu", node("PRelu", "x w", "y"), IMAGE, EVERY, w=(4, 1, 1))
case("prelu-one", node("PRelu", "x w", "y"), IMAGE, w=(1,))
case("prelu-rows", node("PRelu", "x w", "y"), ROWS, w=(6,))
case("clip-old", node("Clip", "x", "y", min=0.0, max=6.0), IMAGE, (9,))
case(
    "clip",
    node("Clip", "x lo hi", "y"),
    IMAGE,
    (11, 17),
    lo=floats(-0.5).reshape(()),
    hi=floats(0.75).reshape(()),
)
case("clip-low", node("Clip", "x lo", "y"), IMAGE, lo=floats(-0.5).reshape(()))
case("clip-high", node("Clip", "x - hi", "y"), IMAGE, hi=floats(0.5).reshape(()))
case("clip-none", node("Clip", "x", "y"), IMAGE)
case("max-of-constant", node("Max", "x lo", "y"), IMAGE, lo=floats(0.25).reshape(()))
case("min-of-constant", node("Min", "hi x", "y"), IMAGE, hi=floats(0.25).reshape(()))
case("dropout-old", node("Dropout", "x", "y", ratio=0.3), IMAGE, (9, 10))
case("dropout", node("Dropout", "x p", "y"), IMAGE, (12, 17), p=floats(0.3).reshape(()))
case("square", node("Pow", "x two", "y"), IMAGE, two=floats(2).reshape(()))

# -- arithmetic ----------------------------------------------------------------------------------------------
for _kind in ("Add", "Sub", "Mul", "Div"):
    case(f"{_kind}-number", node(_kind, "x v", "y"), IMAGE, EVERY, v=())
    case(f"{_kind}-channels", node(_kind, "x v", "y"), IMAGE, v=(1, 4, 1, 1))
    case(f"{_kind}-pixels", node(_kind, "x v", "y"), IMAGE, v=(7, 9))
    case(f"{_kind}-columns", node(_kind, "x v", "y"), IMAGE, v=(9,))
    case(f"{_kind}-all", node(_kind, "x v", "y"), IMAGE, v=(1, 4, 7, 9))
    case(f"{_kind}-rows", node(_kind, "x v", "y"), ROWS, v=(6,))
    if _kind != "Div":
        case(f"{_kind}-turned", node(_kind, "v x", "y"), IMAGE, v=(4, 1, 1))
        case(
            f"{_kind}-values",
            [node("Relu", "x", "a"), node("Tanh", "x", "b"), node(_kind, "a b", "y")],
            IMAGE,
        )
        case(
            f"{_kind}-gate",
            [node("GlobalAveragePool", "x", "a"), node("Sigmoid", "a", "b"), node(_kind, "x b", "y")],
            IMAGE,
        )
        case(
            f"{_kind}-mask",
            [node("ReduceMean", "x", "a", axes=[1]), node("Sigmoid", "a", "b"), node(_kind, "b x", "y")],
            IMAGE,
        )
        case(
            f"{_kind}-both",
            [
                node("ReduceMean", "x", "a", axes=[1]),
                node("ReduceMean", "x", "b", axes=[2, 3]),
                node(_kind, "a b", "y"),
            ],
            IMAGE,
        )
        case(
            f"{_kind}-number-a-sample",
            [node("ReduceMean", "x", "a", axes=[1, 2, 3]), node(_kind, "x a", "y")],
            IMAGE,
        )
case(
    "pixels",
    [node("Sub", "x m", "a"), node("Div", "a s", "b"), node("Conv", "b w", "y")],
    IMAGE,
    m=(4, 1, 1),
    s=(4, 1, 1),
    w=(3, 4, 3, 3),
)
case("grow", node("Mul", "x c", "y"), (2, 4, 1, 1), c=(1, 4, 3, 5))
case("sum", [node("Relu", "x", "a"), node("Tanh", "x", "b"), node("Sum", "a x b c", "y")], IMAGE, c=(4, 1, 1))
case("expand", [node("GlobalAveragePool", "x", "a"), node("Expand", "a s", "y")], IMAGE, s=ints(1, 4, 3, 2))
case(
    "expand-like",
    [node("GlobalAveragePool", "x", "a"), node("Shape", "x", "s"), node("Expand", "a s", "y")],
    IMAGE,
)

# -- pools ---------------------------------------------------------------------------------------------------
case(
    "max-pool",
    node("MaxPool", "x", "y", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
    IMAGE,
    EVERY,
)
case(
    "max-pool-ceil",
    node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    SQUARE,
    (10, 17, 22),
)
case("max-pool-dilated", node("MaxPool", "x", "y", kernel_shape=[2, 3], dilations=[2, 3]), IMAGE, (10, 17))
case(
    "max-pool-upper",
    node("MaxPool", "x", "y", kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_UPPER"),
    IMAGE,
)
case("max-pool-1d", node("MaxPool", "x", "y", kernel_shape=[3], strides=[2], pads=[1, 0]), SERIES)
case(
    "average-pool",
    node("AveragePool", "x", "y", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
    IMAGE,
    EVERY,
)
case(
    "average-pool-counting",
    node("AveragePool", "x", "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    IMAGE,
)
case(
    "average-pool-ceil",
    node("AveragePool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    SQUARE,
    (10, 17, 22),
)
case("average-pool-lower", node("AveragePool", "x", "y", kernel_shape=[2, 2], auto_pad="SAME_LOWER"), IMAGE)
case("average-pool-1d", node("AveragePool", "x", "y", kernel_shape=[3], pads=[1, 1]), SERIES)
case("global-average-pool", node("GlobalAveragePool", "x", "y"), IMAGE, EVERY)
case("global-average-pool-1d", node("GlobalAveragePool", "x", "y"), SERIES)
case("global-max-pool", node("GlobalMaxPool", "x", "y"), IMAGE)
case("global-max-pool-1d", node("GlobalMaxPool", "x", "y"), SERIES)
case(
    "pool-squeeze",
    [node("GlobalAveragePool", "x", "a"), node("Squeeze", "a", "b", axes=[2, 3]), node("MatMul", "b w", "y")],
    IMAGE,
    (9, 11),
    w=(4, 5),
)
case(
    "pool-flatten",
    [node("GlobalAveragePool", "x", "a"), node("Flatten", "a", "b"), node("Gemm", "b w c", "y")],
    IMAGE,
    EVERY,
    w=(4, 5),
    c=(5,),
)
for _kind in ("ReduceMean", "ReduceMax", "ReduceSum"):
    for _axes in ([2, 3], [-1, -2], [1], [3], [2], [1, 2, 3], [1, 3]):
        for _keep in (0, 1):
            _name = f"{_kind}-{'-'.join(map(str, _axes))}-{_keep}"
            _old = 11 if _kind == "ReduceSum" else 17
            case(_name, node(_kind, "x", "y", axes=_axes, keepdims=_keep), IMAGE, (_old,), near=1e-4)
            case(
                f"{_name}-input",
                node(_kind, "x a", "y", keepdims=_keep),
                IMAGE,
                (18,),
                near=1e-4,
                a=ints(*_axes),
            )
    # as many numbers as a picture has pixels, and others than these
    case(f"{_kind}-rows-and-channels", node(_kind, "x", "y", axes=[1, 2]), (2, 3, 4, 3), (11,), near=1e-4)

# -- shapes --------------------------------------------------------------------------------------------------
_PAIR = [node("Relu", "x", "a"), node("Tanh", "x", "b")]
for _axis in (1, 2, 3, -1):
    case(f"concat-{_axis}", [*_PAIR, node("Concat", "a b x", "y", axis=_axis)], IMAGE)
case(
    "concat-masks",
    [
        node("ReduceMean", "x", "a", axes=[1]),
        node("ReduceMax", "x", "b", axes=[1]),
        node("Concat", "a b", "c", axis=1),
        node("Conv", "c w", "y", pads=[1, 1, 1, 1]),
    ],
    IMAGE,
    w=(1, 2, 3, 3),
)
case("concat-uneven", [node("Conv", "x w", "a"), node("Concat", "a x", "y", axis=1)], IMAGE, w=(3, 4, 1, 1))
case("flatten-2", node("Flatten", "x", "y", axis=1), IMAGE, EVERY)
case("reshape-0", node("Reshape", "x s", "y"), IMAGE, EVERY, s=ints(0, -1))
case("reshape-sequence", node("Reshape", "x s", "y"), IMAGE, s=ints(0, 4, 63))
case("reshape-cut", node("Reshape", "x s", "y"), IMAGE, s=ints(-1, 2, 2, 7, 9))
case("reshape-odd", node("Reshape", "x s", "y"), SQUARE, s=ints(0, 9, 16))
for _perm in ([0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2], [0, 3, 2, 1], [0, 2, 1, 3]):
    case(f"transpose-{_perm}", node("Transpose", "x", "y", perm=_perm), IMAGE)
    case(
        f"transpose-conv-{_perm}",
        [node("Transpose", "x", "h", perm=_perm), node("MaxPool", "h", "y", kernel_shape=[2, 2])],
        IMAGE,
    )
case(
    "shuffle",
    [
        node("Reshape", "x s", "a"),
        node("Transpose", "a", "b", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "b t", "c"),
        node("MaxPool", "c", "y", kernel_shape=[2, 2]),
    ],
    IMAGE,
    s=ints(-1, 2, 2, 7, 9),
    t=ints(-1, 4, 7, 9),
)
case(
    "patches",
    [
        node("Conv", "x w", "a", strides=[3, 3]),
        node("Reshape", "a s", "b"),
        node("Transpose", "b", "c", perm=[0, 2, 1]),
        node("Add", "c p", "d"),
        node("LayerNormalization", "d g h", "e"),
        node("MatMul", "e m", "f"),
        node("ReduceMean", "f", "y", axes=[1], keepdims=0),
    ],
    IMAGE,
    w=(5, 4, 3, 3),
    s=ints(0, 5, -1),
    p=(1, 6, 5),
    g=(5,),
    h=(5,),
    m=(5, 8),
)
case(
    "squeeze",
    [node("GlobalAveragePool", "x", "a"), node("Squeeze", "a s", "y")],
    IMAGE,
    (13, 17),
    s=ints(2, 3),
)
case("unsqueeze", node("Unsqueeze", "x s", "y"), ROWS, (13, 17), s=ints(2, -1))
case(
    "unsqueeze-old",
    [node("Unsqueeze", "x", "a", axes=[2, 3]), node("Conv", "a w", "y")],
    ROWS,
    (9, 11),
    w=(3, 6, 1, 1),
)
case("pad-old", node("Pad", "x", "y", pads=[0, 0, 1, 2, 0, 0, 3, 0]), IMAGE, (9, 10))
case("pad", node("Pad", "x p", "y"), IMAGE, (11, 13, 18), p=ints(0, 0, 1, 2, 0, 0, 3, -1))
case("pad-value", node("Pad", "x p v", "y"), IMAGE, p=ints(0, 0, 1, 2, 0, 0, 3, 0), v=floats(0.5).reshape(()))
case("pad-channels", node("Pad", "x p", "y"), IMAGE, p=ints(0, 1, 0, 0, 0, 2, 0, 1))
case("pad-reflect", node("Pad", "x p", "y", mode="reflect"), IMAGE, p=ints(0, 0, 2, 1, 0, 0, 0, 3))
case("pad-edge", node("Pad", "x p", "y", mode="edge"), IMAGE, p=ints(0, 0, 2, 1, 0, 0, 0, 3))
case("pad-axes", node("Pad", "x p v a", "y"), IMAGE, (18,), p=ints(1, 2), v=floats(0).reshape(()), a=ints(3))
case(
    "pad-pixel",
    [node("GlobalAveragePool", "x", "a"), node("Pad", "a p", "y")],
    IMAGE,
    p=ints(0, 0, 1, 0, 0, 0, 1, 0),
)
for _axis in (1, 2, 3):
    case(f"slice-{_axis}", node("Slice", "x s e a", "y"), IMAGE, s=ints(1), e=ints(3), a=ints(_axis))
    case(
        f"slice-steps-{_axis}",
        node("Slice", "x s e a t", "y"),
        IMAGE,
        s=ints(1),
        e=ints(2**62),
        a=ints(_axis),
        t=ints(2),
    )
    case(
        f"slice-one-{_axis}",
        [node("Slice", "x s e a", "h"), node("Relu", "h", "y")],
        IMAGE,
        s=ints(-2),
        e=ints(-1),
        a=ints(_axis),
    )
case("slice-old", node("Slice", "x", "y", starts=[1, 2], ends=[4, 100], axes=[1, 3]), IMAGE, (9,))
case(
    "focus",
    [node("Slice", "x s e a t", "p"), node("Slice", "x o e a t", "q"), node("Concat", "p q", "y", axis=1)],
    SQUARE,
    s=ints(0, 0),
    e=ints(2**31, 2**31),
    a=ints(2, 3),
    o=ints(1, 1),
    t=ints(2, 2),
)
case(
    "gather-one", [node("Gather", "x i", "h", axis=2), node("Relu", "h", "y")], IMAGE, (9, 17), i=np.array(-2)
)
case("gather-some", node("Gather", "x i", "y", axis=1), IMAGE, i=ints(1, 2))
case(
    "split-old",
    [node("Split", "x", "a b", axis=1, split=[1, 3]), node("Concat", "b a", "y", axis=1)],
    IMAGE,
    (9, 11),
)
case(
    "split",
    [node("Split", "x n", "a b", axis=1), node("Concat", "b a", "y", axis=1)],
    IMAGE,
    (13, 17),
    n=ints(1, 3),
)
case("split-even", [node("Split", "x", "a b", axis=1), node("Mul", "b a", "y")], IMAGE, (9, 13, 17))
case("split-count", [node("Split", "x", "a b", axis=1, num_outputs=2), node("Sub", "b a", "y")], IMAGE, (18,))
case("depth-to-space", node("DepthToSpace", "x", "y", blocksize=2), IMAGE, (9, 11))
case("depth-to-space-crd", node("DepthToSpace", "x", "y", blocksize=2, mode="CRD"), IMAGE, (11, 13))
case("space-to-depth", node("SpaceToDepth", "x", "y", blocksize=3), SQUARE, (9, 13))
case("cast", [node("Cast", "x", "a", to=1), node("Relu", "a", "y")], IMAGE, EVERY)

case(  # -7 / 2 is -3, and not -4
    "slice-by-a-quotient",
    [node("Div", "n d", "q"), node("Slice", "x q e a", "y")],
    IMAGE,
    n=ints(-7),
    d=ints(2),
    e=ints(2**40),
    a=ints(3),
)

# -- sizes ---------------------------------------------------------------------------------------------------
case("upsample-9", node("Upsample", "x s", "y", mode="nearest"), IMAGE, (9,), s=floats(1, 1, 2, 3))
case("resize-10", node("Resize", "x s", "y", mode="nearest"), IMAGE, (10,), s=floats(1, 1, 2, 2))
_ROI = {"roi": np.empty(0, np.float32)}
for _rule in ("asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners"):
    if _rule != "asymmetric":
        case(
            f"resize-linear-{_rule}",
            node("Resize", "x roi s", "y", mode="linear", coordinate_transformation_mode=_rule),
            IMAGE,
            (11, 13, 19),
            **_ROI,
            s=floats(1, 1, 2, 1.5),
        )
    if _rule in ("asymmetric", "half_pixel"):
        case(
            f"resize-nearest-{_rule}",
            node(
                "Resize",
                "x roi s",
                "y",
                mode="nearest",
                coordinate_transformation_mode=_rule,
                nearest_mode="floor" if _rule == "asymmetric" else "round_prefer_floor",
            ),
            IMAGE,
            (11, 18),
            **_ROI,
            s=floats(1, 1, 2, 4),
        )
case(  # where the rule for one pixel is another than for several
    "resize-to-one-pixel",
    node("Resize", "x roi s", "y", mode="linear", coordinate_transformation_mode="pytorch_half_pixel"),
    IMAGE,
    **_ROI,
    s=floats(1, 1, 0.15, 0.12),
)
case(
    "resize-sizes",
    [
        node("Shape", "x", "s"),
        node("Slice", "s i j", "n"),
        node("Concat", "n m", "t", axis=0),
        node("Resize", "x - - t", "y", mode="linear"),
    ],
    IMAGE,
    (13, 18),
    i=ints(0),
    j=ints(2),
    m=ints(11, 5),
)

# -- recurrent layers ---------------------------------------------------------------------------------------
case(
    "resize-series",
    node(
        "Resize",
        "x - s",
        "y",
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    ),
    SERIES,
    (13,),
    s=floats(1, 1, 2),
)
_RNN = {"W": (1, 12, 4), "R": (1, 12, 3), "B": (1, 24), "G": (1, 9, 4), "Q": (1, 9, 3), "C": (1, 18)}
_TURNED = node("Transpose", "x", "t", perm=[2, 0, 1])
case(
    "lstm",
    [
        _TURNED,
        node("LSTM", "t W R B", "o", hidden_size=3),
        node("Squeeze", "o a", "s"),
        node("Transpose", "s", "y", perm=[1, 2, 0]),
    ],
    SERIES,
    (13, 17, 22),
    a=ints(1),
    **_RNN,
)
case(
    "lstm-last",
    [_TURNED, node("LSTM", "t W R", "o h", hidden_size=3), node("Squeeze", "h a", "y")],
    SERIES,
    a=ints(0),
    **_RNN,
)
case(
    "gru",
    [
        _TURNED,
        node("GRU", "t G Q C", "o", hidden_size=3, linear_before_reset=1),
        node("Squeeze", "o a", "s"),
        node("Transpose", "s", "y", perm=[1, 0, 2]),
    ],
    SERIES,
    (13, 17),
    a=ints(1),
    **_RNN,
)
case(
    "gru-state",
    [
        _TURNED,
        node("Shape", "t", "s"),
        node("Slice", "s i j", "n"),
        node("Constant", "", "f", value=ints(1)),
        node("Constant", "", "g", value=ints(3)),
        node("Concat", "f n g", "z", axis=0),
        node("ConstantOfShape", "z", "h"),
        node("GRU", "t G Q C - h", "o l", hidden_size=3, linear_before_reset=1),
        node("Squeeze", "l a", "y"),
    ],
    SERIES,
    a=ints(0),
    i=ints(1),
    j=ints(2),
    **_RNN,
)


# -- what is told less often ---------------------------------------------------------------------------------
def number(value):
    return floats(value).reshape(())


case("conv-1d-lower", node("Conv", "x w", "y", auto_pad="SAME_LOWER"), SERIES, w=(3, 4, 2))
case(
    "transposed-valid",
    node("ConvTranspose", "x w", "y", auto_pad="VALID", strides=[2, 2]),
    IMAGE,
    w=(4, 3, 3, 4),
)
case("transposed-shape-upper", node("ConvTranspose", "x w", "y", output_shape=[13, 18], strides=[2, 2],
                                    auto_pad="SAME_UPPER"), IMAGE, w=(4, 3, 4, 3))  # fmt: skip
case(
    "transposed-shape-odd",
    node("ConvTranspose", "x w", "y", output_shape=[14, 18], strides=[2, 2]),
    IMAGE,
    w=(4, 3, 3, 3),
)
case("transposed-1d-all",
node("ConvTranspose", "x w", "y", strides=[3], dilations=[2], group=2, output_padding=[1]),
     SERIES, w=(4, 3, 2))  # fmt: skip
case("gemm-scaled-turned", node("Gemm", "x w b", "y", alpha=0.5, beta=-2.0, transB=1), ROWS, w=(5, 6), b=(5,))
case("matmul-from-the-left", [node("MatMul", "w x", "h"), node("Relu", "h", "y")], IMAGE, w=(3, 7))
case("matmul-of-series-from-the-left", node("MatMul", "w x", "y"), SERIES, w=(3, 4))
case(
    "gather-in-another-order",
    [node("Gather", "x i", "h", axis=1), node("Relu", "h", "y")],
    IMAGE,
    i=ints(2, 0, 2),
)
case(
    "gather-of-columns",
    [node("Gather", "x i", "h", axis=-1), node("Relu", "h", "y")],
    IMAGE,
    i=ints(-1, 0, 3),
)
case("gather-one-channel", [node("Gather", "x i", "h", axis=1), node("Relu", "h", "y")], IMAGE, i=np.array(3))
case(
    "layer-norm-without-eps", node("LayerNormalization", "x w b", "y", epsilon=0.0), SERIES, w=(11,), b=(11,)
)
case(
    "instance-norm-shift",
    node("InstanceNormalization", "x w b", "y"),
    IMAGE,
    w=np.ones(4, np.float32),
    b=(4,),
)
case("softmax-rows", node("Softmax", "x", "y", axis=2), IMAGE)
case("softmax-after-two", node("Softmax", "x", "y", axis=2), IMAGE, (9, 11))
case("hardsigmoid-beta", node("HardSigmoid", "x", "y", alpha=1 / 6, beta=0.25), IMAGE)
case("hardsigmoid-gate", [node("HardSigmoid", "x", "a"), node("Mul", "x a", "y")], IMAGE)
case("selu-told", node("Selu", "x", "y", alpha=0.5, gamma=3.0), IMAGE)
case("clip-old-low", node("Clip", "x", "y", min=-0.25), IMAGE, (9,))
case("clip-old-high", node("Clip", "x", "y", max=0.25), IMAGE, (9,))
case("clip-far", node("Clip", "x lo hi", "y"), IMAGE, lo=number(-0.25), hi=number(1000))
case("clip-of-no-bound", node("Clip", "x lo hi", "y"), IMAGE, lo=number(-3.4028235e38), hi=number(0.5))
case("cube", node("Pow", "x e", "y"), IMAGE, e=number(3))
case("first-power", [node("Pow", "x e", "h"), node("Relu", "h", "y")], IMAGE, e=number(1))
case("sum-of-constants", node("Sum", "c x d", "y"), IMAGE, c=(4, 1, 1), d=(9,))
case("gate-of-another", [node("Relu", "x", "a"), node("Sigmoid", "x", "b"), node("Mul", "a b", "y")], IMAGE)
case("gate-turned",
[node("Transpose", "x", "t", perm=[0, 1, 3, 2]), node("Sigmoid", "t", "b"), node("Mul", "x b", "y")],
     SQUARE)  # fmt: skip
case("gelu-twice",
[node("Div", "x r", "a"), node("Erf", "a", "e"), node("Add", "e one", "s"), node("Mul", "x s", "y")],
     IMAGE, r=number(2**0.5), one=number(1))  # fmt: skip
case(
    "softplus-of-torch",
    [
        node("Mul", "x beta", "a"), node("Softplus", "a", "b"), node("Div", "b beta", "c"),
        node("Greater", "a most", "g"), node("Where", "g x c", "y"),
    ],
    IMAGE, beta=number(3), most=number(0.5),
)  # fmt: skip
case(
    "layer-norm-by-product",
    [
        node("ReduceMean", "x i", "m"), node("Sub", "x m", "d"), node("Mul", "d d", "q"),
        node("ReduceMean", "q i", "v"), node("Add", "eps v", "e"), node("Sqrt", "e", "r"), node("Div", "d r",
        "y"),
    ],
    IMAGE, (18,), i=ints(-1, 2), eps=number(0.25),
)  # fmt: skip
case(
    "max-pool-1d-all",
    node("MaxPool", "x", "y", kernel_shape=[3], strides=[3], dilations=[2], ceil_mode=1),
    SERIES,
)
case(
    "average-pool-1d-ceil", node("AveragePool", "x", "y", kernel_shape=[3], strides=[3], ceil_mode=1), SERIES
)
case(
    "average-pool-1d-counting",
    node("AveragePool", "x", "y", kernel_shape=[3], pads=[1, 1], count_include_pad=1),
    SERIES,
)
case(
    "average-pool-upper",
    node("AveragePool", "x", "y", kernel_shape=[3, 2], auto_pad="SAME_UPPER", strides=[2, 1]),
    IMAGE,
)
case("mean-of-no-axes", [node("ReduceMean", "x a", "h", noop_with_empty_axes=1), node("Relu", "h", "y")],
IMAGE, (18,),
     a=ints())  # fmt: skip
case("pad-wrap", node("Pad", "x p", "y", mode="wrap"), IMAGE, (19,), p=ints(0, 0, 2, 1, 0, 0, 0, 3))
case("pad-channels-edge", node("Pad", "x p", "y", mode="edge"), IMAGE, p=ints(0, 2, 0, 0, 0, 1, 0, 0))
case("pad-old-value", node("Pad", "x", "y", pads=[0, 0, 1, 2, 0, 1, 3, 0], value=0.5), IMAGE, (9, 10))
case("pad-axes-of-two", node("Pad", "x p - a", "y"), IMAGE, (18,), p=ints(1, 2, 0, 3), a=ints(-1, 1))
case("flatten-rows",
[node("Flatten", "x", "h", axis=2), node("MatMul", "h w", "g"), node("Reshape", "g s", "y")], IMAGE,
     w=(63, 5), s=ints(-1, 4, 5))  # fmt: skip
case("flatten-all", [node("Flatten", "x", "h", axis=4), node("Relu", "h", "g"), node("Reshape", "g s", "y")],
IMAGE,
     s=ints(-1, 4, 63))  # fmt: skip
case("reshape-by-some-sides", [node("Shape", "x", "a", start=-2, end=4), node("Concat", "n a", "s", axis=0),
                               node("Reshape", "x s", "y")], IMAGE, n=ints(-1, 2, 2))  # fmt: skip
case("reshape-by-the-size",
[node("Size", "x", "a"), node("Div", "a d", "b"), node("Concat", "b d", "s", axis=0),
                             node("Reshape", "x s", "h"), node("MatMul", "h w", "y")], IMAGE, d=ints(252),
                             w=(252, 5),
     )  # fmt: skip
case(
    "slice-all-of-the-batch",
    node("Slice", "x s e a", "y"),
    IMAGE,
    s=ints(0, 1),
    e=ints(2**31 - 1, 3),
    a=ints(0, 2),
)
case(
    "split-uneven",
    [node("Split", "x", "a b c", axis=2, num_outputs=3), node("Concat", "c a", "y", axis=2)],
    IMAGE,
    (18,),
)
case("split-middle", [node("Split", "x n", "a b c", axis=3), node("Relu", "b", "y")], IMAGE, n=ints(2, 3, 4))
case("concat-parts", [node("Slice", "x s e a", "p"), node("Concat", "p x p", "y", axis=2)], IMAGE,
     s=ints(1), e=ints(3), a=ints(2))  # fmt: skip
case(
    "expand-some",
    [node("GlobalAveragePool", "x", "a"), node("Expand", "a s", "y")],
    IMAGE,
    s=ints(1, 1, 3, 2),
)
case(
    "expand-by-fewer-sides",
    [node("ReduceMean", "x", "a", axes=[3]), node("Expand", "a s", "y")],
    IMAGE,
    s=ints(7, 3),
)
case("upsample-7", node("Upsample", "x", "y", mode="nearest", scales=[1.0, 1.0, 2.0, 3.0]), IMAGE, (7, 8))
case("resize-axes", node("Resize", "x - s", "y", mode="nearest", axes=[3, 2]), IMAGE, (18,), s=floats(2, 3))
case("resize-axes-sizes", node("Resize", "x - - s", "y", mode="linear", axes=[-1]), IMAGE, (18,), s=ints(5))
case("resize-usual", node("Resize", "x roi s", "y"), IMAGE, **_ROI, s=floats(1, 1, 3, 0.5))
case("resize-linear-series", node("Resize", "x - s", "y", mode="linear"), SERIES, (13,), s=floats(1, 1, 2.5))
for _round in ("ceil", "round_prefer_ceil", "round_prefer_floor", "floor"):
    _less = floats(1, 1, 0.5, 1)
    case(f"resize-less-{_round}", node("Resize", "x - s", "y", nearest_mode=_round,
                                       coordinate_transformation_mode="asymmetric"), SQUARE, (13,),
                                       s=_less)  # fmt: skip
    if _round.startswith("round"):
        case(
            f"resize-more-{_round}",
            node("Resize", "x - s", "y", nearest_mode=_round),
            SQUARE,
            (13,),
            s=floats(1, 1, 2, 4),
        )
case("resize-far", node("Resize", "x - s", "y"), (2, 4, 1, 2), (13,), s=floats(1, 1, 1, 700))
case("gru-without-bias", [_TURNED, node("GRU", "t G Q", "o", hidden_size=3, linear_before_reset=1),
                          node("Squeeze", "o a", "s"), node("Transpose", "s", "y", perm=[1, 2, 0])], SERIES,
                          a=ints(1), **_RNN,
     )  # fmt: skip
case("prelu-columns", node("PRelu", "x w", "y"), IMAGE, w=(1, 1, 1, 9))
