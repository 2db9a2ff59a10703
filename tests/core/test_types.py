"""Types are for readers and checkers: at run time they cost nothing, and public functions have them."""

import inspect

import numpy as np
import pytest
from helpers import run_python

import cynet
from cynet.core import types
from cynet.optim import schedules
from cynet.train import average, batching, loop, metrics, mixup, signals

LIGHT = "train core.files core.folder core.hints core.names core.shell"
LAYERS = (
    "AvgPool2d BatchNorm1d BatchNorm2d Concat Conv2d Dropout Flatten GELU GlobalAvgPool2d LeakyReLU Linear "
    "MaxPool2d ReLU Residual Sequential Sigmoid Softmax Tanh ReLU6 Hardswish Hardsigmoid ELU PReLU Softplus "
    "Dropout2d DropPath GroupNorm LayerNorm"
)
TYPED = [
    *(getattr(cynet, name) for name in LAYERS.split()),
    cynet.Layer, cynet.Parameter, cynet.CrossEntropyLoss, cynet.MSELoss, cynet.SGD, cynet.Adam, cynet.AdamW,
    schedules.Constant, schedules.MultiStep, schedules.Cosine, schedules.OneCycle, cynet.data.ArrayDataset,
    cynet.data.DataLoader, loop.Trainer, loop.train, metrics.evaluate, average.Average, mixup.Mixup,
    signals.Signals, batching.advice, cynet.models.create, cynet.check_gradients, cynet.summary, cynet.seed,
]  # fmt: skip


def test_modules_that_load_fast_import_no_typing(tmp_path):
    script = tmp_path / "script.py"
    imports = "\n".join(f"import cynet.{name}" for name in LIGHT.split())
    found = "print(*set(sys.modules) - before)"
    script.write_text(f"import sys\nbefore = set(sys.modules)\n{imports}\n{found}\n")
    done = run_python("-S", script)
    assert done.returncode == 0, done.stderr
    assert "cynet.core.folder" in done.stdout and not {"typing", "numpy"} & set(done.stdout.split())


def test_names_for_types_mean_what_they_say():
    assert types.Array.__args__[1] == np.dtype[np.float32] and types.Shape == tuple[int, ...]


@pytest.mark.parametrize("thing", TYPED, ids=lambda thing: thing.__qualname__)
def test_public_arguments_have_types(thing):
    function = thing.__init__ if inspect.isclass(thing) else thing
    if function is object.__init__:
        return
    parameters = [p for name, p in inspect.signature(function).parameters.items() if name != "self"]
    assert [p.name for p in parameters if p.annotation is p.empty] == []
