"""The peer PyTorch: the same net with the same weights, run the ways that are fastest for it on a processor.

Design: of a container its parts are read, so any has a peer; `LEAVES` says what PyTorch has for each layer
that holds no others.

Imported only where torch is wanted.
"""

from collections import OrderedDict

import numpy as np
import torch
from torch import nn

from cynet.kernels.common.geometry import extent
from cynet.nn import Dropout, Dropout2d, DropPath
from cynet.nn.containers.container import by_parts
from cynet.nn.layer import plain
from cynet.nn.layers.pool2d import Pool2d
from cynet.nn.passes import no_grad
from cynet.nn.structure import chain

from .peers import check_close
from .torch_steps import (
    FORMATS,
    TorchAdd,
    TorchConcatenate,
    TorchDropPath,
    TorchEmbedding,
    TorchGlobalAvgPool2d,
    TorchGRU,
    TorchLayerNorm,
    TorchLinear,
    TorchLSTM,
    TorchMultiply,
    TorchParts,
    TorchReshape,
    cutting_loader,
    images,
    inference,
    loader,
    passes,
    rest,
    set_num_threads,
    training_step,
    trains_in,
)

__all__ = ["FORMATS", "check_equal", "converted"]
__all__ += [
    "cutting_loader",
    "images",
    "inference",
    "loader",
    "passes",
    "rest",
    "set_num_threads",
    "training_step",
    "trains_in",
]  # of the steps


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
            made[id(layer)] = _of_parts(layer.parts(), layer.ends(), made)
        else:
            make = LEAVES.get(type(layer).__name__)
            if make is None or not type(layer).__module__.startswith("cynet.") or plain(layer) is None:
                raise ValueError(f"wanted a net of layers that PyTorch has too, got {layer!r}")
            made[id(layer)] = make(layer)
    return made[id(layer)]


def _of_parts(parts, ends, made):
    modules = [(part.name, _module(part.layer, made)) for part in parts]
    plain_names = len(dict(modules)) == len(modules) and not any("." in name for name, _ in modules)
    if chain(parts) is not None and ends == (1, (len(parts),)) and plain_names:
        return nn.Sequential(OrderedDict(modules))
    return TorchParts(modules, [part.sources for part in parts], ends)


def _padding(layer):
    """PyTorch's padding, the same on both sides, that gives the same windows."""
    if isinstance(layer, Pool2d):
        kernel, _, padding = layer.window()  # of sequences as of images one pixel high
        apart = layer.apart()
    else:
        kernel, padding, apart = layer.kernel_size, layer.padding, layer.dilation
    if padding == "same":
        sizes = [extent(taps, step) for taps, step in zip(kernel, apart, strict=False)]
        if any(size % 2 == 0 for size in sizes):
            raise ValueError(f'wanted "same" padding around odd kernels only, got {layer!r}')
        return tuple((size - 1) // 2 for size in sizes)
    sides = len(padding) // 2
    if padding[:sides] != padding[sides:]:
        raise ValueError(f"wanted equal padding on opposite sides, got {layer!r}")
    return padding[:sides]


def _norm(kind, layer):
    """PyTorch's batch norm; without a scale where there is a shift alone."""
    found = kind(layer.num_features, layer.eps, layer.momentum, bool(layer.affine))
    if layer.affine == "bias":
        found.weight = None
    return found


LEAVES = {
    "Conv2d": lambda m: nn.Conv2d(
        m.in_channels, m.out_channels, m.kernel_size, m.stride, _padding(m), m.dilation, m.groups,
        m.bias is not None, m.padding_mode,
    ),
    "Conv1d": lambda m: nn.Conv1d(
        m.in_channels, m.out_channels, m.kernel_size, m.stride, _padding(m), m.dilation, m.groups,
        m.bias is not None, m.padding_mode,
    ),
    "ConvTranspose2d": lambda m: nn.ConvTranspose2d(
        m.in_channels, m.out_channels, m.kernel_size, m.stride, _padding(m), m.output_padding, m.groups,
        m.bias is not None, m.dilation,
    ),
    "Linear": lambda m: TorchLinear(m.in_features, m.out_features, bias=m.bias is not None),
    "Embedding": lambda m: TorchEmbedding(m.num_embeddings, m.embedding_dim),
    "GRU": lambda m: TorchGRU(m.input_size, m.hidden_size, m.num_layers, batch_first=True),
    "LSTM": lambda m: TorchLSTM(m.input_size, m.hidden_size, m.num_layers, batch_first=True),
    "BatchNorm2d": lambda m: _norm(nn.BatchNorm2d, m),
    "BatchNorm1d": lambda m: _norm(nn.BatchNorm1d, m),
    "MaxPool2d": lambda m: nn.MaxPool2d(
        m.kernel_size, m.stride, _padding(m), m.dilation, ceil_mode=m.ceil_mode
    ),
    "MaxPool1d": lambda m: nn.MaxPool1d(
        m.kernel_size, m.stride, _padding(m)[1], m.dilation, ceil_mode=m.ceil_mode
    ),
    "AvgPool2d": lambda m: nn.AvgPool2d(
        m.kernel_size, m.stride, _padding(m), m.ceil_mode, m.count_include_pad, m.divisor_override
    ),
    "AvgPool1d": lambda m: nn.AvgPool1d(
        m.kernel_size, m.stride, _padding(m)[1], m.ceil_mode, m.count_include_pad
    ),
    "AdaptiveAvgPool2d": lambda m: nn.AdaptiveAvgPool2d(m.output_size),
    "GlobalAvgPool2d": lambda m: TorchGlobalAvgPool2d(),
    "GlobalAvgPool1d": lambda m: TorchGlobalAvgPool2d(),
    "GlobalMaxPool2d": lambda m: nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),
    "Upsample": lambda m: nn.Upsample(m.size, m.scale_factor, m.mode, m.align_corners),
    "ZeroPad2d": lambda m: nn.ZeroPad2d(m.padding),
    "ChannelShuffle": lambda m: nn.ChannelShuffle(m.groups),
    "Reshape": lambda m: TorchReshape(m.shape),
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
    "Add": lambda m: TorchAdd(),
    "Concatenate": lambda m: TorchConcatenate(),
    "Multiply": lambda m: TorchMultiply(),
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
    check_close("torch", ours, theirs)
