"""The peer PyTorch: the same net with the same weights, run the ways that are fastest for it on a processor.

Imported only where torch is wanted.
"""

import numpy as np
import torch
from torch import nn

from .setting import OPTIMIZER

FORMATS = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}
TOLERANCE = 1e-3


class TorchContainer(nn.Module):
    """A container of cynet's, by the parts that it publishes.

    Parameters
    ----------
    parts : tuple of Call, Add and Join
    """

    def __init__(self, parts):
        super().__init__()
        # Texts and numbers: a process that is measured gets the net without any layer of cynet's.
        self.steps = [(type(part).__name__, getattr(part, "name", None), part.sources) for part in parts]
        for name, layer in _layers(parts):
            self.add_module(name, _module(layer))

    def forward(self, x):
        values = [x]
        for kind, name, sources in self.steps:
            given = [values[source] for source in sources]
            if kind == "Call":
                values.append(getattr(self, name)(*given))
            else:
                values.append(given[0] + given[1] if kind == "Add" else torch.cat(given, 1))
        return values[-1]


def _layers(parts):
    """(name, layer) of those that are called."""
    return [(part.name, part.layer) for part in parts if hasattr(part, "layer")]


class TorchGlobalAvgPool2d(nn.Module):
    """cynet's GlobalAvgPool2d."""

    def forward(self, x):
        return x.mean((2, 3))


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
    net = _module(model)
    net.load_state_dict({name: torch.from_numpy(array) for name, array in model.state_dict().items()})
    return net


def _module(layer):
    if hasattr(layer, "parts"):
        parts, chain = layer.parts(), layer.chain()
        return TorchContainer(parts) if chain is None else nn.Sequential(*map(_module, chain))
    make = _MAKERS.get(type(layer).__name__)
    if make is None or not type(layer).__module__.startswith("cynet."):
        raise ValueError(f"wanted a net of layers that PyTorch has too, got {layer!r}")
    return make(layer)


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


_MAKERS = {
    "Conv2d": lambda m: nn.Conv2d(
        m.in_channels, m.out_channels, m.kernel_size, m.stride, _padding(m), groups=m.groups,
        bias=m.bias is not None,
    ),
    "Linear": lambda m: nn.Linear(m.in_features, m.out_features, bias=m.bias is not None),
    "BatchNorm2d": lambda m: nn.BatchNorm2d(m.num_features, m.eps, m.momentum, m.weight is not None),
    "BatchNorm1d": lambda m: nn.BatchNorm1d(m.num_features, m.eps, m.momentum, m.weight is not None),
    "MaxPool2d": lambda m: nn.MaxPool2d(m.kernel_size, m.stride, _padding(m)),
    "AvgPool2d": lambda m: nn.AvgPool2d(m.kernel_size, m.stride, _padding(m)),
    "GlobalAvgPool2d": lambda m: TorchGlobalAvgPool2d(),
    "ReLU": lambda m: nn.ReLU(),
    "LeakyReLU": lambda m: nn.LeakyReLU(m.negative_slope),
    "Flatten": lambda m: nn.Flatten(),
}  # fmt: skip


def images(x, layout):
    """cynet's pictures as a tensor in one of the FORMATS."""
    planes = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    return planes.contiguous(memory_format=FORMATS[layout])


def check_equal(model, net, x, training):
    """Refuse to compare nets that do not give the same logits.

    Raises
    ------
    ValueError
    """
    from cynet.nn.passes import no_grad

    model.train(training)
    net.train(training)
    with no_grad(), torch.inference_mode():
        ours, theirs = model(x), net(images(x, "NCHW")).numpy()
    error = float(np.abs(ours - theirs).max())
    if not error <= TOLERANCE * max(1.0, float(np.abs(theirs).max())):
        raise ValueError(f"wanted the same logits from cynet and torch, got a difference of {error:.3g}")


def training_step(net, x, labels, layout):
    """A function that takes one step of training, as `workload.training_step` does."""
    net = net.to(memory_format=FORMATS[layout]).train()
    optimizer = torch.optim.SGD(net.parameters(), **OPTIMIZER, foreach=True)
    x, labels = images(x, layout), torch.from_numpy(labels)

    def step():
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()

    return step


def inference(net, x, layout):
    """A function that computes the logits of a batch."""
    net, x = net.to(memory_format=FORMATS[layout]).eval(), images(x, layout)

    def step():
        with torch.inference_mode():
            net(x)

    return step


def set_num_threads(threads):
    """How many threads PyTorch's operations use."""
    torch.set_num_threads(threads)


class _Pictures(torch.utils.data.Dataset):
    """Random crop, flip and normalised values, picture by picture."""

    def __init__(self, images, labels, padding, mean, std):
        self.images, self.labels = torch.from_numpy(images), torch.from_numpy(labels)
        self.padding = padding
        self.mean, self.std = (torch.tensor(values)[:, None, None] for values in (mean, std))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        picture, pad = self.images[index], self.padding
        _, height, width = picture.shape
        picture = nn.functional.pad(picture, (pad, pad, pad, pad))
        top, left = torch.randint(2 * pad + 1, (2,)).tolist()
        picture = picture[:, top : top + height, left : left + width]
        if torch.rand(()) < 0.5:
            picture = picture.flip(2)
        return (picture.float() / 255 - self.mean) / self.std, self.labels[index]


def loader(images, labels, padding, mean, std, batch_size, workers):
    """PyTorch's DataLoader over uint8 pictures (count, channels, height, width)."""
    return torch.utils.data.DataLoader(
        _Pictures(images, labels, padding, mean, std),
        batch_size,
        shuffle=True,
        num_workers=workers,
        drop_last=True,
        persistent_workers=workers > 0,
    )
