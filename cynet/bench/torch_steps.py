"""PyTorch's side of a comparison: its modules, a step of training, a pass of inference, its loader.

Imported only where torch is wanted, and with it NumPy alone: the process whose memory is measured needs no
more (`child.py`).
"""

from functools import reduce
from operator import add, mul

import numpy as np
import torch
from torch import nn

from .setting import OPTIMIZER
from .timing import nothing as rest  # its threads spin no longer than a turn's lead

__all__ = ["rest"]
FORMATS = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}


class TorchParts(nn.Module):
    """A container of cynet's that is no chain, by its parts.

    Parameters
    ----------
    modules : list of (str, nn.Module)
        By their paths, "" for what has no weights; one may come several times.
    sources : list of tuple of int
        The numbers of the values that each takes.
    ends : (int, tuple of int)
        The number of inputs; the numbers of the values that are outputs.
    """

    def __init__(self, modules, sources, ends):
        super().__init__()
        for path, module in modules:
            if path:
                _add(self, path, module)
        self.outputs = ends[1]
        last = {source: i for i, taken in enumerate(sources) for source in taken}
        self.steps = [
            (module, taken, [source for source in {*taken} - {*ends[1]} if last[source] == i])
            for i, ((_, module), taken) in enumerate(zip(modules, sources, strict=True))
        ]

    def forward(self, *xs):
        values, count = dict(enumerate(xs)), len(xs)
        for module, sources, spent in self.steps:
            found = [values[source] for source in sources]
            for source in spent:  # nobody needs it any more
                del values[source]
            y = module(*found)
            for one in y if isinstance(y, tuple) else (y,):
                values[count] = one
                count += 1
        found = tuple(values[output] for output in self.outputs)
        return found if len(found) > 1 else found[0]


def _add(module, path, child):
    """Add a module under a path, with plain ones between where it has dots."""
    *above, name = path.split(".")
    for step in above:
        if step not in module._modules:
            module.add_module(step, nn.Module())
        module = module._modules[step]
    module.add_module(name, child)


class TorchAdd(nn.Module):
    """The sum of several tensors."""

    def forward(self, *xs):
        return reduce(add, xs)


class TorchConcatenate(nn.Module):
    """Tensors side by side along the channels."""

    def forward(self, *xs):
        return torch.cat(xs, 1)


class TorchMultiply(nn.Module):
    """The product of several tensors, of which some may have one number a channel."""

    def forward(self, *xs):
        return reduce(mul, xs)


class TorchGlobalAvgPool2d(nn.Module):
    """cynet's GlobalAvgPool2d, and its GlobalAvgPool1d."""

    def forward(self, x):
        return x.mean(tuple(range(2, x.ndim)))


class TorchReshape(nn.Module):
    """cynet's Reshape: the channels are last in what it reads and in what it gives."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        y = (x.movedim(1, -1) if x.ndim > 2 else x).reshape(len(x), *self.shape)
        return y.movedim(-1, 1) if y.ndim > 2 else y


class TorchLinear(nn.Linear):
    """cynet's Linear: its features are the channels, which come first here."""

    def forward(self, x):
        return super().forward(x) if x.dim() == 2 else super().forward(x.movedim(1, -1)).movedim(-1, 1)


class TorchGRU(nn.GRU):
    """cynet's GRU: the output alone; its features are the channels, which come first here."""

    def forward(self, x):
        return super().forward(x.movedim(1, -1))[0].movedim(-1, 1)


class TorchLSTM(nn.LSTM):
    """cynet's LSTM, as `TorchGRU`."""

    def forward(self, x):
        return super().forward(x.movedim(1, -1))[0].movedim(-1, 1)


class TorchEmbedding(nn.Embedding):
    """cynet's Embedding: its vectors are the channels, which come first here."""

    def forward(self, x):
        found = super().forward(x)
        return found if x.dim() == 1 else found.movedim(-1, 1)


class TorchLayerNorm(nn.LayerNorm):
    """cynet's LayerNorm: its last axis is the channels, which come first here."""

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class TorchDropPath(nn.Module):
    """cynet's DropPath."""

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        return nn.functional.dropout(x.new_ones(len(x), *[1] * (x.dim() - 1)), self.p, self.training) * x


def images(x, layout):
    """cynet's pictures, sequences or rows as a tensor, channels first, in one of the FORMATS."""
    planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1) if x.ndim > 2 else x))
    return planes.contiguous(memory_format=FORMATS[layout]) if x.ndim == 4 else planes


def trains_in(net, layout):
    """Whether a net can be trained in one of the FORMATS.

    With AVX-512, oneDNN 3.12 (PyTorch 2.13) writes beyond its buffers, and the process ends, in the gradients
    of strided 1x1 convolutions whose channels are last and not whole vectors of 16.
    """
    return layout == "NCHW" or not any(
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.in_channels % 16
        for module in net.modules()
    )


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


def passes(net, x, dy, layout):
    """A function that runs a net forward and backward, and returns the gradients to x and its parameters."""
    net = net.to(memory_format=FORMATS[layout]).train()
    x, dy = images(x, layout).requires_grad_(), images(dy, layout)
    wanted = x, *net.parameters()

    def step():
        return torch.autograd.grad(net(x), wanted, dy)

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


class _Cut(_Pictures):
    """A random part scaled to a size, as torchvision's RandomResizedCrop draws it at first."""

    def __getitem__(self, index):
        picture, size = self.images[index], self.padding
        height, width = picture.shape[1:]
        area, ratio = (
            height * width * (0.08 + 0.92 * torch.rand(())),
            torch.exp(torch.rand(()) * 0.575 - 0.2877),
        )
        high, wide = (
            min(height, round(float((area / ratio) ** 0.5))),
            min(width, round(float((area * ratio) ** 0.5))),
        )
        top, left = (int(torch.randint(most + 1, ())) for most in (height - high, width - wide))
        part = picture[None, :, top : top + high, left : left + wide]
        part = nn.functional.interpolate(part, (size, size), mode="bilinear")[0]
        if torch.rand(()) < 0.5:
            part = part.flip(2)
        return (part.float() / 255 - self.mean) / self.std, self.labels[index]


def loader(images, labels, padding, mean, std, batch_size, workers):
    """PyTorch's DataLoader over uint8 pictures (count, channels, height, width)."""
    return _batches(_Pictures(images, labels, padding, mean, std), batch_size, workers)


def cutting_loader(images, labels, size, mean, std, batch_size, workers):
    """The same where random parts are scaled to a size."""
    return _batches(_Cut(images, labels, size, mean, std), batch_size, workers)


def _batches(pictures, batch_size, workers):
    return torch.utils.data.DataLoader(
        pictures,
        batch_size,
        shuffle=True,
        num_workers=workers,
        drop_last=True,
        persistent_workers=workers > 0,
    )
