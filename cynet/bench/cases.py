"""The kernels to be timed, each with its operations and the least bytes that it has to move.

They are run through the layers and `cynet.core`, so that the numbers outlive a kernel that is written anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from cynet import nn
from cynet.core import workspace
from cynet.data.images.augment import Normalize, RandomCrop, RandomFlip
from cynet.data.images.transforms import Pipeline
from cynet.kernels.common import geometry
from cynet.kernels.conv import columns
from cynet.kernels.pointwise import arrays
from cynet.nn import registry
from cynet.nn.layer import shapes_of
from cynet.nn.layers.pool1d import Pool1d
from cynet.nn.losses import CrossEntropyLoss
from cynet.nn.parameter import Parameter
from cynet.nn.passes import no_grad
from cynet.nn.squared_loss import MSELoss
from cynet.optim.adam import Adam, AdamW
from cynet.optim.optimizers import SGD

from . import workload
from .setting import CHARACTERS, CLASSES, OPTIMIZER, PICTURE
from .timing import nothing

_POINTWISE = [registry.layer[name] for name in registry.layer.those(pointwise=True)]
# What a backward pass reads beside dy, in arrays as large as the input (x, or a y of that size).
_SAVED = {
    nn.BatchNorm1d: 1, nn.BatchNorm2d: 1, nn.GroupNorm: 1, nn.LayerNorm: 1, nn.PReLU: 1, nn.Softmax: 1,
    nn.Linear: 1, nn.Conv1d: 1, nn.Conv2d: 1, nn.ConvTranspose2d: 1,
} | dict.fromkeys(_POINTWISE, 1)  # fmt: skip
SWEPT = 14, 18, 22  # binary logarithms of the elements; the last size is beyond the last-level cache
SWEEP_IMAGE = 16, 16, 64


@dataclass(frozen=True)
class Case:
    """One kernel at one shape: `prepare` goes before each `run` and is not timed."""

    kernel: str
    shape: str
    run: Callable
    flops: int
    bytes: int
    prepare: Callable = nothing
    place: str = ""


def random(shape):
    """float32 normal numbers, the same every time, in memory like that of a layer's output."""
    x = workspace.empty(tuple(shape))
    return np.random.default_rng(0).standard_normal(dtype=np.float32, out=x)


def reached(layer, shape):
    """The elements of the input that a layer's windows cover: all, unless its stride is beyond its kernel."""
    if not hasattr(layer, "kernel_size") or isinstance(layer, nn.ConvTranspose2d):
        return sum(map(prod, shapes_of(shape)))
    if hasattr(layer, "problem"):
        asked = layer.problem(shape)
        in_hw, out_hw, before = asked.in_shape[1:3], asked.out_shape[1:3], asked.before
        kernel, stride, dilation = asked.kernel, asked.stride, asked.dilation
    else:
        (kernel, stride, padding), dilation = layer.window(), layer.apart()
        in_hw = shape[1:3] if len(shape) == 4 else (1, shape[1])
        before, out_hw = geometry.window_grid(in_hw, kernel, stride, padding, dilation, ceil=layer.ceil_mode)
    count = shape[0] * shape[-1]
    for axis in range(2):
        starts = range(-before[axis], out_hw[axis] * stride[axis] - before[axis], stride[axis])
        taps = range(0, kernel[axis] * dilation[axis], dilation[axis])
        cells = {start + tap for start in starts for tap in taps}
        count *= len(cells & set(range(in_hw[axis])))
    return count


def forward_bytes(layer, shape):
    """The least that a forward pass moves: input and weights read, output written, a winner a window."""
    outputs = prod(layer.output_shape(*shapes_of(shape)))
    weights = sum(p.size for p in layer.parameters())
    return 4 * (reached(layer, shape) + outputs + weights) + _winners(layer, outputs)


def backward_bytes(layer, shape, input_grad=True):
    """The least that a backward pass moves: dy and what forward left for it read, gradients written."""
    inputs, outputs = sum(map(prod, shapes_of(shape))), prod(layer.output_shape(*shapes_of(shape)))
    weights = sum(p.size for p in layer.parameters())
    kept = _SAVED.get(type(layer), 0) * reached(layer, shape)
    return 4 * (outputs + kept + input_grad * inputs + 2 * weights) + _winners(layer, outputs)


def _winners(layer, outputs):
    """The bytes that say which input won each output."""
    return outputs * (1 if layer.small() else 4) if isinstance(layer, nn.MaxPool2d) else 0


def of_layer(layer, shape):
    """The cases of one layer for one shape of input."""
    return _CASES.get(type(layer), _passes)(layer, shape)


def _of_linear(layer, shape):
    text = f"{shape} to {layer.out_features}"
    arrays = random(shape), layer.weight.data, random(layer.output_shape(shape))
    work = layer.macs(shape), 4 * prod(shape)
    yield from _products("linear", text, layer.products(len(arrays[0])), *arrays, *work)


def _of_convolution(layer, shape):
    k, s = layer.kernel_size, layer.stride
    algorithm, text = layer.convolution(shape), f"{shape} to {layer.out_channels}, {k[0]}x{k[1]}/{s[0]}"
    arrays = random(shape), layer.weight.data, random(algorithm.out_shape)
    work = layer.macs(shape), 4 * reached(layer, shape)
    yield from _products(algorithm.title, text, algorithm, *arrays, *work)


def _products(name, text, way, x, w, dy, macs, read):
    """The three products of a convolution or of a linear layer; `read`: bytes of x that are needed."""
    dw, flops, others = np.zeros_like(w), 2 * int(macs), dy.nbytes + w.nbytes
    yield Case(f"{name} forward", text, lambda: way.forward(x, w), flops, read + others)
    yield Case(f"{name} input gradient", text, lambda: way.input_gradient(dy, w), flops, x.nbytes + others)
    yield Case(f"{name} weight gradient", text, lambda: way.weight_gradient(x, dy, dw), flops, read + others)


def _passes(layer, shape):
    """Forward and backward pass of a layer without products."""
    xs, dy = [*map(random, shapes_of(shape))], random(layer.output_shape(*shapes_of(shape)))
    name, text = _name(layer), str(shape)

    def forward():
        layer(*xs)

    def forward_alone():
        with no_grad():
            layer(*xs)

    yield Case(f"{name} forward", text, forward_alone, 0, forward_bytes(layer, shape))
    yield Case(
        f"{name} backward", text, lambda: layer.backward(dy), 0, backward_bytes(layer, shape), prepare=forward
    )


def _of_recurrent(layer, shape):
    """Both passes over sequences; backward reads four numbers a unit and step, and the states."""
    x, dy, flops = random(shape), random(layer.output_shape(shape)), 2 * int(layer.macs(shape))
    name, text = type(layer).__name__, f"{shape} to {layer.hidden_size}"
    kept = 4 * dy.nbytes + dy.nbytes + x.nbytes
    yield Case(f"{name} forward", text, lambda: layer(x), flops, forward_bytes(layer, shape))
    yield Case(
        f"{name} backward", text, lambda: layer.backward(dy), 2 * flops, backward_bytes(layer, shape) + kept,
        prepare=lambda: layer(x),
    )  # fmt: skip


def of_embedding(layer, shape):
    """The vectors of tokens, and the sums of the gradients to them."""
    tokens = np.random.default_rng(0).integers(0, layer.num_embeddings, shape)
    dy = random(layer.output_shape(shape))
    text, moved = f"{shape} to {layer.embedding_dim}", tokens.nbytes + dy.nbytes
    table = layer.weight.data.nbytes
    yield Case("Embedding forward", text, lambda: layer(tokens), 0, moved + table)
    yield Case(
        "Embedding backward", text, lambda: layer.backward(dy), 0, moved + 2 * table,
        prepare=lambda: layer(tokens),
    )  # fmt: skip


def _name(layer):
    if not hasattr(layer, "kernel_size"):
        return type(layer).__name__
    k, s = layer.kernel_size, layer.stride
    if isinstance(layer, Pool1d):
        return f"{type(layer).__name__} {k}/{s}"
    return f"{type(layer).__name__} {'x'.join(map(str, k))}/{s[0]}"


# Layers whose passes are products, each of which is a case; of others the passes are.
_CASES = {nn.Conv2d: _of_convolution, nn.Linear: _of_linear, nn.GRU: _of_recurrent, nn.LSTM: _of_recurrent}


def of_optimizer(optimizer, arrays_moved, text):
    """An optimiser's step; each parameter's arrays are read or written so many times."""
    for parameter in optimizer.params:
        parameter.grad[...] = 1e-3
    floats = sum(p.size for p in optimizer.params)
    yield Case(type(optimizer).__name__, text, optimizer.step, 0, 4 * arrays_moved * floats)


def of_loss(rows, classes):
    """Soft-max cross-entropy with its gradient, which one kernel computes."""
    criterion, logits = CrossEntropyLoss(), random((rows, classes))
    labels = np.random.default_rng(0).integers(0, classes, rows)
    text = str((rows, classes))
    yield Case("cross-entropy and gradient", text, lambda: criterion(logits, labels), 0, 2 * logits.nbytes)


def of_decode(count):
    """The loader's decode step, by one thread, as each of its workers does it."""
    height, width, channels = PICTURE
    images = np.random.default_rng(0).integers(0, 256, (count, channels, height, width), dtype=np.uint8)
    pipeline = Pipeline([RandomCrop(4), RandomFlip(), Normalize([0.5] * 3, [0.25] * 3)], images.shape[1:])
    x, indices, at = np.empty((count, *PICTURE), np.float32), np.arange(count), np.zeros(1, np.int64)

    def run():
        pipeline.fill(images, indices, x, 0, 0, at)

    yield Case("decode (1 thread)", str(images.shape), run, 0, images.nbytes + x.nbytes)


def of_models(names, batch_size, batch_norm):
    """The cases of the models' layers, losses and optimisers, each shape once."""
    seen = {}
    for name in names:
        given = batch_size, *workload.input_shape(name)
        for _, layer, shape in workload.create(name, batch_norm).trace(given):
            seen.setdefault((repr(layer).replace(", bias=True", "").replace(", bias=False", ""), shape),
                            (layer, []))[1].append(name)  # fmt: skip
    for (_, shape), (layer, users) in seen.items():
        for case in of_layer(layer, shape):
            yield replace(case, place=", ".join(dict.fromkeys(users)))
    for name in names:
        parameters = workload.create(name, batch_norm).parameters()
        text = f"{sum(p.size for p in parameters):,} in {len(parameters)} arrays"
        for case in of_optimizer(SGD(parameters, **OPTIMIZER), 5, text):
            yield replace(case, place=name)
    for case in (*of_loss(batch_size, CLASSES), *of_decode(batch_size)):
        yield replace(case, place="all")


def others(batch_size):
    """Kernels that no model of pictures has: depth-wise convolution, texts, squared error, columns."""
    shape = batch_size, 16, 16, 64
    for case in of_layer(nn.Conv2d(64, 64, 3, padding=1, groups=64), shape):
        yield replace(case, kernel=f"depth-wise {case.kernel}")
    y, criterion = random(shape), MSELoss()
    sequences = batch_size, 32
    yield from of_embedding(nn.Embedding(CHARACTERS, 256), sequences)
    for layer in (nn.GRU(256, 256), nn.LSTM(256, 256)):
        yield from of_layer(layer, (*sequences, 256))
    target = random(shape)
    yield Case("squared error and gradient", str(shape), lambda: criterion(y, target), 0, 3 * y.nbytes)
    image = batch_size, 16, 16, 16
    x, cells = random(image), random((*image[:3], 9 * image[3]))
    nbytes = x.nbytes + cells.nbytes
    yield Case("im2col 3x3", str(image), lambda: columns.im2col(x, 3, 1, 1), 0, nbytes)
    yield Case("col2im 3x3", str(image), lambda: columns.col2im(cells, image, 3, 1, 1), 0, nbytes)


def sweep_sizes(cache_bytes):
    """Elements of the sweep: from 16 Ki to at least twice the last-level cache."""
    beyond = max(SWEPT[-1] + 2, (2 * cache_bytes // 4 - 1).bit_length())
    return tuple(1 << power for power in (*SWEPT, beyond))


def sweep(sizes):
    """The kernels that move data, over sizes (elements of an array)."""
    for size in sizes:
        shape = max(1, size // prod(SWEEP_IMAGE)), *SWEEP_IMAGE
        for layer in _swept_layers(shape[-1]):
            for case in _passes(layer, shape):
                yield replace(case, place="sweep")
        a, b = random(shape), random(shape)
        yield Case("add", str(shape), lambda a=a, b=b: arrays.add(a, b), 0, 3 * a.nbytes, place="sweep")
        del a, b
        yield from _swept_optimizers(prod(shape))
        for case in of_loss(max(1, size // 1024), 1024):
            yield replace(case, place="sweep")


def _swept_layers(channels):
    yield from (
        nn.BatchNorm2d(channels),
        nn.GroupNorm(8, channels),
        nn.LayerNorm(channels),
        nn.PReLU(channels),
    )
    for kind in _POINTWISE:
        yield kind()
    yield from (nn.MaxPool2d(2), nn.AvgPool2d(2), nn.GlobalAvgPool2d(), nn.Softmax())
    yield from (nn.Flatten(), nn.Dropout(0.5), nn.Dropout2d(0.5), nn.DropPath(0.5))
    yield from (nn.GlobalMaxPool2d(), nn.AdaptiveAvgPool2d(4), nn.ZeroPad2d(1), nn.ChannelShuffle(4))
    yield nn.Upsample(scale_factor=2, mode="bilinear")


def _swept_optimizers(size):
    for kind, options, moved in ((SGD, OPTIMIZER, 5), (Adam, {"lr": 1e-3}, 7), (AdamW, {"lr": 1e-3}, 7)):
        optimizer = kind([Parameter(np.zeros(size, np.float32))], **options)
        for case in of_optimizer(optimizer, moved, f"({size},)"):
            yield replace(case, place="sweep")
