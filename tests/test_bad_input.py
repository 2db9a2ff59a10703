"""Bad input over the public API: an error that names argument, value and what was wanted; never a crash."""

import itertools

import numpy as np
import pytest
from helpers import run_python

import cynet
from cynet import nn
from cynet.nn import losses
from cynet.optim import adam, optimizers, schedules

NAN, INF = float("nan"), float("inf")
F4 = np.float32


def parameters():
    return cynet.Linear(2, 2).parameters()


# What every argument of a kind must refuse.
SIZES = [0, -1, 1.5, "3", None, True, NAN]  # where a positive int is wanted
COUNTS = [-1, 2.0, "a", None]  # where an int of at least 0 is wanted
NUMBERS = [NAN, INF, "0.1", None, True, [0.1]]  # where a number is wanted
FLAGS = [1, "yes", None, 0.0]

# (what it is called, function of one bad value, the bad values, the argument the message must name)
CASES = [
    ("Conv2d", lambda v: nn.Conv2d(v, 4, 3), SIZES, "in_channels"),
    ("Conv2d", lambda v: nn.Conv2d(3, v, 3), SIZES, "out_channels"),
    ("Conv2d", lambda v: nn.Conv2d(3, 4, v), [*SIZES, (3, 0), (3, 3, 3), (3, "a")], "kernel_size"),
    ("Conv2d", lambda v: nn.Conv2d(3, 4, 3, stride=v), [*SIZES, (1, 0), (1, 1, 1)], "stride"),
    ("Conv2d", lambda v: nn.Conv2d(3, 4, 3, padding=v),
     [-1, "full", None, 1.0, (1, -1), (1, 1, 1), (0, 0, 0, -2), ()], "padding"),
    ("Conv2d", lambda v: nn.Conv2d(6, 4, 3, groups=v), [*SIZES, 3, 4, 7], "groups"),
    ("Conv2d", lambda v: nn.Conv2d(3, 4, 3, bias=v), FLAGS, "bias"),
    ("Linear", lambda v: nn.Linear(v, 4), SIZES, "in_features"),
    ("Linear", lambda v: nn.Linear(4, v), SIZES, "out_features"),
    ("Linear", lambda v: nn.Linear(4, 4, bias=v), FLAGS, "bias"),
    ("BatchNorm2d", lambda v: nn.BatchNorm2d(v), SIZES, "num_features"),
    ("BatchNorm2d", lambda v: nn.BatchNorm2d(3, eps=v), [*NUMBERS, 0, -1e-5], "eps"),
    ("BatchNorm1d", lambda v: nn.BatchNorm1d(3, momentum=v), [*NUMBERS, -0.1, 1.5], "momentum"),
    ("BatchNorm1d", lambda v: nn.BatchNorm1d(3, affine=v), FLAGS, "affine"),
    ("MaxPool2d", lambda v: nn.MaxPool2d(v), [*SIZES, 2**31, (2, 0)], "kernel_size"),
    ("MaxPool2d", lambda v: nn.MaxPool2d(3, padding=v), [-1, 3, "full", (0, 0, 3, 0), 0.5], "padding"),
    ("AvgPool2d", lambda v: nn.AvgPool2d(3, stride=v), [s for s in SIZES if s is not None], "stride"),
    ("MaxPool2d", lambda v: nn.MaxPool2d(3, ceil_mode=v), FLAGS, "ceil_mode"),
    ("AvgPool2d", lambda v: nn.AvgPool2d(3, divisor_override=v), [s for s in SIZES if s is not None],
     "divisor_override"),
    ("AvgPool1d", lambda v: nn.AvgPool1d(3, count_include_pad=v), FLAGS, "count_include_pad"),
    ("MaxPool1d", lambda v: nn.MaxPool1d(v), [*SIZES, (2, 2), ()], "kernel_size"),
    ("MaxPool1d", lambda v: nn.MaxPool1d(3, padding=v), [-1, 3, "full", (0, 3), (1, 1, 1), 0.5], "padding"),
    ("AdaptiveAvgPool2d", lambda v: nn.AdaptiveAvgPool2d(v), [*SIZES, (1, 0), (1,), ()], "output_size"),
    ("Upsample", lambda v: nn.Upsample(v), [*SIZES, (2, 0), (2,)], "size"),
    ("Upsample", lambda v: nn.Upsample(scale_factor=v), [*NUMBERS, 0, -1, (1, NAN)], "scale_factor"),
    ("Upsample", lambda v: nn.Upsample(2, mode=v), [None, 1, "linear", ["nearest"]], "mode"),
    ("ZeroPad2d", lambda v: nn.ZeroPad2d(v), [None, 1.5, "1", True, (1, 1), (1, 1, 1, None)], "padding"),
    ("ChannelShuffle", lambda v: nn.ChannelShuffle(v), SIZES, "groups"),
    ("Reshape", lambda v: nn.Reshape(v), [None, 4, (0,), (-1, -1), (2, -2), (1.5,), ()], "shape"),
    ("Dropout", lambda v: nn.Dropout(v), [*NUMBERS, -0.1, 1.1], "p"),
    ("LeakyReLU", lambda v: nn.LeakyReLU(v), NUMBERS, "negative_slope"),
    ("Sequential", lambda v: nn.Sequential(nn.ReLU(), v), [None, 3, "ReLU", nn.ReLU], "layers"),
    ("Residual", lambda v: nn.Residual(v), [None, 3, nn.ReLU], "body"),
    ("Residual", lambda v: nn.Residual(nn.ReLU(), v), [3, nn.ReLU], "shortcut"),
    ("Concat", lambda v: nn.Concat(nn.ReLU(), v), [None, 3], "branches"),
    ("CrossEntropyLoss", lambda v: losses.CrossEntropyLoss(v), [*NUMBERS, -0.1, 1.1], "label_smoothing"),
    ("CrossEntropyLoss", lambda v: losses.CrossEntropyLoss(weight=v),
     [[1, -1], [1, NAN], [INF, 1], [0, 0], [], 3, "ab", [[1, 2]], [True, False], [None, 1]], "weight"),
    ("labels", lambda v: losses.CrossEntropyLoss()(np.zeros((2, 3), F4), v),
     [[0, 3], [-1, 0], [0.0, 1.0], [0], [[0, 1]], None, "ab", [0, 2**40]], "labels"),
    ("logits", lambda v: losses.CrossEntropyLoss()(v, [0, 1]),
     [None, [[0.0] * 3] * 2, np.zeros((2, 3)), np.zeros((2, 3, 1), F4), np.zeros((2, 3), ">f4")], "logits"),
    ("MSELoss", lambda v: cynet.losses.MSELoss()(np.zeros((2, 2), F4), v),
     [None, np.zeros((2, 2)), np.zeros((2, 1), F4)], "target"),
    ("SGD", lambda v: optimizers.SGD(parameters(), v), [*NUMBERS, -0.1], "lr"),
    ("SGD", lambda v: optimizers.SGD(parameters(), 0.1, momentum=v), [*NUMBERS, -0.1], "momentum"),
    ("SGD", lambda v: optimizers.SGD(parameters(), 0.1, weight_decay=v), [*NUMBERS, -1], "weight_decay"),
    ("SGD", lambda v: optimizers.SGD(v, 0.1), [[], None, 3, [np.zeros(3)], cynet.Parameter([1.0])], "params"),
    ("Adam", lambda v: adam.Adam(parameters(), betas=v),
     [(0.9, 1.0), (-0.1, 0.9), (0.9,), 0.9, None], "betas"),
    ("AdamW", lambda v: adam.AdamW(parameters(), eps=v), [*NUMBERS, -1e-8], "eps"),
    ("Constant", lambda v: schedules.Constant(v), [*NUMBERS, -1], "lr"),
    ("Constant", lambda v: schedules.Constant(0.1, warmup=v), COUNTS, "warmup"),
    ("Cosine", lambda v: schedules.Cosine(0.1, v), [0, -1, 2.5, "9"], "steps"),
    ("schedule", lambda v: schedules.Constant(0.1)(v), COUNTS, "step"),
    ("seed", cynet.seed, [-1, 2**63, 1.0, "1", None], "seed"),
    ("set_num_threads", cynet.set_num_threads, [0, -2, 1.0, "2", None, True, 10**6], "threads"),
    ("im2col x", lambda v: cynet.im2col(v, 3),
     [None, [[1.0]], np.zeros((4, 4), F4), np.zeros((1, 4, 4, 1))], "x"),
    ("im2col", lambda v: cynet.im2col(np.zeros((1, 4, 4, 1), F4), v), SIZES, "kernel_size"),
    ("models", lambda v: cynet.models.create(v), ["", "resnet", None, 3, []], "name"),
    ("summary", lambda v: cynet.summary(v, (3,)), [None, "uwnet2"], "model"),
    ("load_state_dict", lambda v: nn.ReLU().load_state_dict(v), [None, [1], "a"], "state"),
    ("models", lambda v: cynet.models.create("uwnet2", classes=v), SIZES, "classes"),
    ("models", lambda v: cynet.models.create("uwnet2", (32, 32, v)), SIZES, "input_shape[2]"),
    ("summary", lambda v: cynet.summary(nn.ReLU(), v),
     [(0, 3), (3, -1), (2.5,), ("a",), 5], "input_shape"),
    ("data", lambda v: setattr(cynet.Parameter(np.zeros((2, 3))), "data", v),
     [np.zeros(6), np.zeros((3, 2)), [["a"] * 3] * 2], "data"),
    ("grad", lambda v: setattr(cynet.Parameter(np.zeros(3)), "grad", v),
     [np.zeros(2), ["a", "b", "c"]], "grad"),
]  # fmt: skip

INPUTS = [
    None, 3.0, [[1.0]], "image", np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8, 3), np.float16),
    np.zeros((2, 8, 8, 3), np.int32), np.zeros((2, 8, 8, 3), ">f4"), np.zeros((2, 8, 8, 3), complex),
    np.zeros((2, 8, 8, 3), object), np.zeros((2, 8, 8, 3), np.uint8),
]  # fmt: skip
# Besides every layer (tests/nn/test_every_layer.py).
TAKERS = [lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), lambda: cynet.models.create("uwnet2")]


@pytest.mark.parametrize(
    "make, value, argument",
    [
        pytest.param(make, v, arg, id=f"{name}-{arg}-{i}")
        for name, make, vs, arg in CASES
        for i, v in enumerate(vs)
    ],
)
def test_a_bad_argument_is_named_with_its_value(make, value, argument):
    with pytest.raises((TypeError, ValueError)) as error:
        make(value)
    text = str(error.value)
    assert argument in text and "wanted" in text and "got" in text, text


@pytest.mark.parametrize("taker, x", list(itertools.product(range(len(TAKERS)), range(len(INPUTS)))))
def test_what_is_no_float32_array_is_refused_by_a_model(taker, x):
    layer = TAKERS[taker]()
    with pytest.raises((TypeError, ValueError), match=r"wanted .*got"):
        layer(INPUTS[x])
    layer(np.zeros((2, 32, 32, 3), F4))
    with pytest.raises((TypeError, ValueError), match=r"backward.*wanted .*got"):
        layer.backward(INPUTS[x])


BEYOND_MEMORY = [
    "x = np.lib.stride_tricks.as_strided(np.zeros(3, np.float32), (2**15, 2**15, 2**15, 3), (0, 0, 0, 4))\n"
    "cynet.Conv2d(3, 4, 3, padding=1)(x)",
    "x = np.lib.stride_tricks.as_strided(np.zeros(3, np.float32), (2**20, 2**14, 2**14, 3), (0, 0, 0, 4))\n"
    "cynet.ReLU()(x)",
    "cynet.Linear(2**31 - 1, 2**31 - 1)",
]


@pytest.mark.parametrize("code", BEYOND_MEMORY)
def test_sizes_beyond_memory_are_an_error(code):
    # In a process of its own, in which AddressSanitizer too answers such a request as malloc does.
    options = "detect_leaks=0:allocator_may_return_null=1"
    done = run_python("-c", f"import numpy as np, cynet\n{code}", ASAN_OPTIONS=options)
    assert done.returncode == 1 and done.stderr.splitlines()[-1].split(":")[0] in (
        "MemoryError",
        "ValueError",
        "numpy._core._exceptions._ArrayMemoryError",
    ), done.stderr
