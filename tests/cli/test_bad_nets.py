"""Code of a net that raises, or gives something else: one line, and no folder where no step was made."""

import re

import numpy as np
import pytest

from cynet import cli
from cynet.interop import safetensors
from cynet.runs import nets, trial

pytestmark = pytest.mark.usefixtures("one_thread")
NET = """
import cynet
import numpy as np

class Odd(cynet.Layer):
    steps = 0

    def __init__(self, channels, classes):
        self.pool, self.head = cynet.GlobalAvgPool2d(), cynet.Linear(channels, classes)

    def output_shape(self, shape):
        return self.head.output_shape(self.pool.output_shape(shape))

    def forward(self, x):
        return self.head(self.pool(x))

    def backward(self, dy):
        return self.pool.backward(self.head.backward(dy))

{body}

def model(input_shape, classes, frozen=False):
    net = Odd(input_shape[-1], classes)
    for parameter in net.parameters():
        parameter.requires_grad = not frozen
    return net
"""
FORWARD = "    def forward(self, x):\n        y = self.head(self.pool(x))\n        "
LATER = """
    def backward(self, dy):
        self.steps += 1
        if self.steps == 5:
            raise {error}
        return self.pool.backward(self.head.backward(dy))
"""
RANDOM = """
    def __init__(self, channels, classes):
        self.pool = cynet.Sequential(cynet.BatchNorm2d(channels), cynet.Dropout(0.5), cynet.GlobalAvgPool2d())
        self.head = cynet.Linear(channels, classes)
"""
BAD = {
    "raises forward": (FORWARD + "raise RuntimeError('why')", "net.py:model: line 22: RuntimeError: why"),
    "raises back": ("    def backward(self, dy):\n        raise KeyError('why')", "line 21: KeyError: 'why'"),
    "exits": (FORWARD + "raise SystemExit(0)", "line 22: SystemExit: 0"),
    "an error that cannot be told": (
        "    def forward(self, x):\n        class A(Exception):\n            def __str__(self):\n"
        "                raise ValueError\n        raise A", "line 24: A"),
    "nothing": (FORWARD + "return None", "TypeError: Odd.forward result: wanted a float32 NumPy array"),
    "doubles": (FORWARD + "return y.astype(float)", "wanted dtype float32"),
    "another shape": (FORWARD + "return y[:, :2]", "returned shape (2, 2) where its output_shape"),
    "another shape in evaluation": (
        FORWARD + "return y if self.training else y[:, :2]",
        "wanted an output of float32 (2, 5) in evaluation, got float32 (2, 2)"),
    "raises in evaluation": (FORWARD + "return y if self.training else 1 / 0", "line 22: ZeroDivisionError"),
    "other weights": (
        FORWARD + "self.more = cynet.Linear(3, 5)\n        return y",
        "wanted the same parameters after a pass, got others"),
    "cannot be shown": ("    def __repr__(self):\n        raise KeyError('why')", "line 21: KeyError: 'why'"),
    "has no state": ("    def state_dict(self):\n        raise KeyError('why')", "line 21: KeyError: 'why'"),
    "is not evaluated": ("    def eval(self):\n        raise KeyError('why')", "line 21: KeyError: 'why'"),
    "promises": ("async def model(shape, classes):\n    pass\n\nhead = model\n", "got <coroutine object"),
}  # fmt: skip


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    parts = {
        f"{kind}_{part}": rng.integers(0, 255, (n, 8, 8, 3), np.uint8) if kind == "x" else np.arange(n) % 5
        for part, n in (("train", 40), ("test", 10)) for kind in "xy"
    }  # fmt: skip
    np.savez(tmp_path / "a.npz", **parts)
    return tmp_path / "a.npz"


def trained(capsys, monkeypatch, data, *flags, body=""):
    """(exit status, the lines of standard error) of a training of a net with such code."""
    monkeypatch.setattr(nets, "HERE", {})
    file = data.parent / "net.py"
    file.write_text(NET.format(body=body))
    name = f"{file}:head" if "head = model" in body else str(file)
    status = cli.main(
        ["train", "--data", str(data), "--model", name, "--steps", "6", "--batch-size", "8", "--workers", "0",
         "--threads", "1", "--no-report", "--run-dir", str(data.parent / "run"), *flags]
    )  # fmt: skip
    return status, capsys.readouterr().err.strip().splitlines()


@pytest.mark.parametrize("what", BAD)
def test_what_a_net_does_wrong_is_told_before_there_is_a_run(data, capsys, monkeypatch, what):
    body, wanted = BAD[what]
    status, lines = trained(capsys, monkeypatch, data, body=body)
    assert status == 2 and len(lines) == 1 and wanted in lines[0], lines
    assert lines[0].startswith("cynet train: error: --model: ")
    assert not (data.parent / "run").exists()


def test_a_net_of_which_nothing_is_trained_is_refused(data, capsys, monkeypatch):
    status, lines = trained(capsys, monkeypatch, data, "--model-option", "frozen=true")
    assert status == 2 and "wanted a net with parameters to train, got none" in lines[0]


@pytest.mark.parametrize("error", ["ValueError('why')", "SystemExit(0)"])
def test_what_a_net_raises_at_a_later_step_is_its_failure(data, capsys, monkeypatch, error):
    """The run is there to go on with."""
    body = LATER.format(error=error)
    status, lines = trained(capsys, monkeypatch, data, "--checkpoint-every", "2", body=body)
    assert status == 1 and len(lines) == 1
    wanted = rf"after step 3: {data.parent}/net\.py:model: line \d+: {error.split('(')[0]}: .*to go on from"
    assert re.search(wanted, lines[0])
    assert (data.parent / "run" / "last.ckpt").exists()


def test_a_trial_leaves_weights_statistics_and_random_numbers_as_they_are(data, capsys, monkeypatch):
    """A run comes to the same bytes with and without it."""
    found = []
    for check in (trial.check, lambda *_: None):
        monkeypatch.setattr(trial, "check", check)
        assert trained(capsys, monkeypatch, data, body=RANDOM)[0] == 0
        tensors, _ = safetensors.load(data.parent / "run" / "last.safetensors")
        found.append({name: array.tobytes() for name, array in tensors.items()})
        (data.parent / "run").rename(data.parent / f"run{len(found)}")
    assert found[0] == found[1] and any("running_mean" in name for name in found[0])
