"""The peer PyTorch: the same net with the same weights, run the ways that are fastest for it on a processor.

Design: of a container its parts are read, so any has a peer; `LEAVES` says what PyTorch has for each layer
that holds no others.

Imported only where torch is wanted.
"""

from collections import OrderedDict

import numpy as np
import torch
from torch import nn

from cynet.nn import Dropout, Dropout2d, DropPath
from cynet.nn.containers.container import by_parts
from cynet.nn.layer import plain
from cynet.nn.passes import no_grad
from cynet.nn.structure import Add, Call, Join, chain

from .torch_steps import (
    FORMATS,
    TorchDropPath,
    TorchGlobalAvgPool2d,
    TorchLayerNorm,
    TorchLinear,
    TorchParts,
    images,
    inference,
    loader,
    set_num_threads,
    training_step,
)

__all__ = ["FORMATS", "check_equal", "converted"]
__all__ += ["images", "inference", "loader", "set_num_threads", "training_step"]  # of the steps

TOLERANCE = 1e-3
OPERATIONS = {Add: "add", Join: "join"}


def converted(model):
    """The same net with copies of the weights.

    Parameters
    ----------
    model : cynet.Layer

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        When a layer has no counterpart.
    """
    net = _module(model, {})
    net.load_state_dict({name: torch.from_numpy(array) for name, array in model.state_dict().items()})
    return net


def _module(layer, made):
    """PyTorch's module for a layer; `made`: those so far, by `id`, for one may stand at several places."""
    if id(layer) not in made:
        if by_parts(layer):
            made[id(layer)] = _of_parts(layer.parts(), made)
        else:
            make = LEAVES.get(type(layer).__name__)
            if make is None or not type(layer).__module__.startswith("cynet.") or plain(layer) is None:
                raise ValueError(f"wanted a net of layers that PyTorch has too, got {layer!r}")
            made[id(layer)] = make(layer)
    return made[id(layer)]


def _of_parts(parts, made):
    modules = OrderedDict((part.name, _module(part.layer, made)) for part in parts if isinstance(part, Call))
    if chain(parts) is not None:
        return nn.Sequential(modules)
    steps = [
        (part.name, True, part.sources)
        if isinstance(part, Call)
        else (OPERATIONS[type(part)], False, part.sources)
        for part in parts
    ]
    return TorchParts(modules, steps)


def _padding(layer):
    """PyTorch's padding, the same on both sides, that gives the same windows."""
    if layer.padding == "same":
        if any(size % 2 == 0 for size in layer.kernel_size):
            raise ValueError(f'wanted "same" padding around odd kernels only, got {layer!r}')
        return tuple((size - 1) // 2 for size in layer.kernel_size)
    top, left, bottom, right = layer.padding
    if (top, left) != (bottom, right):
        raise ValueError(f"wanted equal padding on opposite sides, got {layer!r}")
    return top, left


def _norm(kind, layer):
    """PyTorch's batch norm; without a scale where there is a shift alone."""
    found = kind(layer.num_features, layer.eps, layer.momentum, bool(layer.affine))
    if layer.affine == "bias":
        found.weight = None
    return found


LEAVES = {
    "Conv2d": lambda m: nn.Conv2d(
        m.in_channels, m.out_channels, m.kernel_size, m.stride, _padding(m), groups=m.groups,
        bias=m.bias is not None,
    ),
    "Linear": lambda m: TorchLinear(m.in_features, m.out_features, bias=m.bias is not None),
    "BatchNorm2d": lambda m: _norm(nn.BatchNorm2d, m),
    "BatchNorm1d": lambda m: _norm(nn.BatchNorm1d, m),
    "MaxPool2d": lambda m: nn.MaxPool2d(m.kernel_size, m.stride, _padding(m)),
    "AvgPool2d": lambda m: nn.AvgPool2d(m.kernel_size, m.stride, _padding(m)),
    "GlobalAvgPool2d": lambda m: TorchGlobalAvgPool2d(),
    "ReLU": lambda m: nn.ReLU(),
    "LeakyReLU": lambda m: nn.LeakyReLU(m.negative_slope),
    "GELU": lambda m: nn.GELU(),
    "SiLU": lambda m: nn.SiLU(),
    "Sigmoid": lambda m: nn.Sigmoid(),
    "Tanh": lambda m: nn.Tanh(),
    "Softmax": lambda m: nn.Softmax(1),
    "GroupNorm": lambda m: nn.GroupNorm(m.num_groups, m.num_channels, m.eps, m.affine),
    "LayerNorm": lambda m: TorchLayerNorm(
        m.normalized_shape, m.eps, m.elementwise_affine, bias=m.bias is not None
    ),
    "ReLU6": lambda m: nn.ReLU6(),
    "Hardswish": lambda m: nn.Hardswish(),
    "Hardsigmoid": lambda m: nn.Hardsigmoid(),
    "ELU": lambda m: nn.ELU(m.alpha),
    "PReLU": lambda m: nn.PReLU(m.num_parameters),
    "Softplus": lambda m: nn.Softplus(m.beta, m.threshold),
    "Dropout": lambda m: nn.Dropout(m.p),
    "Dropout2d": lambda m: nn.Dropout2d(m.p),
    "DropPath": lambda m: TorchDropPath(m.p),
    "Flatten": lambda m: nn.Flatten(),
}  # fmt: skip


def check_equal(model, net, x, training):
    """Refuse to compare nets that do not give the same outputs, but for dropout, which draws its own numbers.

    Raises
    ------
    ValueError
    """
    model.train(training)
    net.train(training)
    drawing = [one for _, one in model.walk() if isinstance(one, (Dropout, Dropout2d, DropPath))]
    drawing += [one for one in net.modules() if isinstance(one, (nn.Dropout, nn.Dropout2d, TorchDropPath))]
    for one in drawing:
        one.eval()
    with no_grad(), torch.inference_mode():
        ours, theirs = model(x), net(images(x, "NCHW")).numpy()
    for one in drawing:
        one.train(training)
    theirs = np.moveaxis(theirs, 1, -1) if theirs.ndim > 2 else theirs
    error = float(np.abs(ours - theirs).max())
    if not error <= TOLERANCE * max(1.0, float(np.abs(theirs).max())):
        raise ValueError(f"wanted the same logits from cynet and torch, got a difference of {error:.3g}")
