"""Nets as programs of C, for tests: written, compiled, run."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers import SLOWER, environment_of_others

import cynet

WARNINGS = "-std=c99", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"
SANITIZED = "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"
needs_compiler = pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc")


def run(*command, cwd=None):
    """The finished process of a command, which must end well."""
    done = tried(*command, cwd=cwd)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stderr}"
    return done


def tried(*command, cwd=None):
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=120 * SLOWER, cwd=cwd,
        env=environment_of_others(), stdin=subprocess.DEVNULL,
    )  # fmt: skip


def compiled(folder, *flags):
    """The program of a net that was written into a folder."""
    sources = [path for path in sorted(Path(folder).glob("*.c")) if path.name != "cortex-m.c"]
    run("gcc", *WARNINGS, *flags, "-o", folder / "main", *sources, "-lm")
    return folder / "main"


def answers(*command):
    """The outputs that a program prints of each sample, (samples, outputs)."""
    return numbers(run(*command).stdout)


def numbers(text):
    return np.array([line.split() for line in text.splitlines()]).astype(np.float32)


def stored(path, *xs):
    """A file of samples, as a program reads them."""
    rows = [x.reshape(len(x), -1).view(np.uint8) for x in xs]
    path.write_bytes(np.concatenate(rows, 1).tobytes())
    return path


def evaluated(model, *xs):
    """The outputs of a net, (samples, outputs)."""
    model.eval()
    with cynet.no_grad():
        ys = model(*xs)
    ys = ys if isinstance(ys, tuple) else (ys,)
    return np.concatenate([y.reshape(len(y), -1) for y in ys], 1)


def assert_near(found, wanted, share=1e-5):
    """Equal to a share of the largest number, or of 1."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=share * max(1, np.abs(wanted).max()))


def varied(model, seed=0):
    """The model with biases, scales and statistics of which none is 0 or 1."""
    rng = np.random.default_rng(seed)
    for parameter in model.parameters():
        parameter.data += (0.1 * rng.standard_normal(parameter.shape)).astype(np.float32)
    for _, layer in model.walk():
        if hasattr(layer, "running_mean"):
            layer.running_mean += 0.2 * rng.standard_normal(layer.running_mean.shape).astype(np.float32)
            layer.running_var += rng.random(layer.running_var.shape, np.float32)
    return model


def of_everything():
    """A Graph of every operation on pictures, and the shape of its input."""
    cynet.seed(7)
    x = cynet.Input((8, 7, 6))
    ends = []

    def end(y):
        ends.append(cynet.GlobalAvgPool2d()(y))

    y = cynet.ReLU()(cynet.BatchNorm2d(20)(cynet.Conv2d(6, 20, 3, padding=1)(x)))  # windows where they lie
    z = cynet.Conv2d(20, 20, 3, padding=1)(y)
    y = cynet.MaxPool2d(3, 2, padding=1)(cynet.ReLU6()(cynet.Add()(z, y)))
    end(cynet.Add()(y, y, cynet.Conv2d(20, 20, 1)(y)))
    end(cynet.Conv2d(20, 3, 4)(y))  # one window
    for sides in ((4, 3), (3, 4)):  # one that leaves a column, or a row, out
        end(cynet.Conv2d(20, 3, sides, stride=2)(y))
    end(cynet.Conv2d(20, 3, 5, padding=2, stride=9)(y))  # one that sees zeros
    y = cynet.Conv2d(6, 6, 3, padding=2, groups=6, stride=2, bias=False)(x)
    end(cynet.Hardswish()(y))
    end(cynet.SiLU()(cynet.Conv2d(6, 4, (3, 2), groups=2, dilation=2)(x)))
    end(cynet.Conv2d(6, 4, (3, 2), groups=2)(x))  # six windows in a row without zeros, whose pixels lie apart
    end(cynet.Conv2d(6, 4, 1, groups=2)(x))
    end(cynet.ReLU()(cynet.Add()(x, cynet.Tanh()(x), cynet.Sigmoid()(x))))  # no sum before the last is bent
    for mode in ("reflect", "replicate", "circular"):
        end(cynet.Tanh()(cynet.Conv2d(6, 4, 3, padding=2, padding_mode=mode)(x)))
    for stride in (1, 2):
        end(cynet.GELU()(cynet.ConvTranspose2d(6, 5, 3, stride=stride, padding=1)(x)))
    y = cynet.ELU()(cynet.AvgPool2d(3, 2, padding=1)(x))
    end(cynet.Upsample(size=(7, 6), mode="bilinear")(cynet.AvgPool2d(2, ceil_mode=True)(y)))
    end(cynet.Upsample(scale_factor=2)(cynet.AdaptiveAvgPool2d((3, 2))(x)))
    ends.append(cynet.GlobalMaxPool2d()(cynet.Sigmoid()(cynet.ZeroPad2d((1, -2, 0, 2))(x))))
    y = cynet.PReLU(6)(cynet.GroupNorm(3, 6)(x))
    end(cynet.ChannelShuffle(2)(cynet.Softmax()(cynet.LayerNorm((7, 6))(y))))
    factor = cynet.Reshape((1, 1, 6))(cynet.Hardsigmoid()(cynet.GlobalAvgPool2d()(x)))
    y = cynet.Multiply()(cynet.Softplus()(x), factor)
    y = cynet.Concatenate()(cynet.LeakyReLU()(cynet.BatchNorm2d(6)(y)), cynet.PReLU()(x))
    y = cynet.MaxPool2d(4)(y)
    ends += [cynet.ReLU()(cynet.Linear(24, 5)(cynet.Flatten()(y))), cynet.Flatten()(y)]
    ends.append(cynet.Tanh()(cynet.Linear(12, 4)(cynet.Reshape((2, 12))(y))))
    return varied(cynet.Graph(x, ends)), (8, 7, 6)


def of_texts():
    """A net of recurrent layers for texts of six of five tokens, and the shape of its input."""
    cynet.seed(8)
    layers = cynet.Embedding(5, 7), cynet.GRU(7, 6), cynet.LSTM(6, 5), cynet.Linear(5, 5)
    return varied(cynet.Sequential(*layers)), (6,)
