"""The twins of layers that have attributes: reference*.py's functions, given what the layer holds.

Each is called as its layer's class, takes the layer, a float64 input, and the function that finds the twin of
a layer within, and returns the output and a function from dy to the gradients by name, "input" among them.
"""

from types import SimpleNamespace

import numpy as np
import reference
import reference_recurrent
import reference_weights

import cynet


def sides(layer, x):
    """(kernel, stride, (top, left, bottom, right)) of a layer with a window."""
    (kernel, stride, apart), padding = (
        (value if isinstance(value, tuple) else (value, value))
        for value in (layer.kernel_size, layer.stride, getattr(layer, "dilation", 1))
    ), layer.padding  # fmt: skip
    if padding == "same":
        kernel = [d * (k - 1) + 1 for k, d in zip(kernel, apart, strict=True)]
        pairs = [reference.same_padding(x.shape[1 + i], kernel[i], stride[i]) for i in range(2)]
        padding = pairs[0][0], pairs[1][0], pairs[0][1], pairs[1][1]
    padding = (padding,) * 4 if isinstance(padding, int) else padding
    return kernel, stride, padding * 2 if len(padding) == 2 else padding


def of_input(found):
    y, backward = found
    return y, lambda dy: {"input": backward(dy)}


def values(layer, outputs):
    """Weight and bias in float64; 0 for a bias that is not there."""
    bias = np.zeros(outputs) if layer.bias is None else layer.bias.data.astype(float)
    return layer.weight.data.astype(float), bias


def with_weights(layer, found):
    y, backward = found

    def gradients(dy):
        dx, dw, db = backward(dy)
        return {"input": dx, "weight": dw} | ({} if layer.bias is None else {"bias": db})

    return y, gradients


def Conv2d(layer, x, twin):
    _, stride, padding = sides(layer, x)
    window = stride, padding, layer.groups, layer.dilation, layer.padding_mode
    found = reference_weights.bordered_conv2d(x, *values(layer, layer.out_channels), *window)
    return with_weights(layer, found)


def Conv1d(layer, x, twin):
    """As an image that is one pixel high, by the formula of the twin of `Conv2d`."""
    (stride,), (apart,), size = (
        layer.stride,
        layer.dilation,
        layer.dilation[0] * (layer.kernel_size[0] - 1) + 1,
    )
    before, after = (
        reference.same_padding(x.shape[1], size, stride) if layer.padding == "same" else layer.padding
    )
    w, b = values(layer, layer.out_channels)
    window = (1, stride), (0, before, 0, after), layer.groups, (1, apart), layer.padding_mode
    y, backward = reference_weights.bordered_conv2d(x[:, None], w[:, :, None], b, *window)

    def of_sequences(dy):
        dx, dw, db = backward(dy[:, None])
        return dx[:, 0], dw[:, :, 0], db

    return with_weights(layer, (y[:, 0], of_sequences))


def ConvTranspose2d(layer, x, twin):
    window = layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
    w, b = values(layer, layer.out_channels)
    return with_weights(layer, reference_weights.conv_transpose2d(x, w, b, *window))


def Linear(layer, x, twin):
    y, backward = reference_weights.linear(x.reshape(-1, x.shape[-1]), *values(layer, layer.out_features))

    def gradients(dy):
        dx, *others = backward(dy.reshape(y.shape))
        return dx.reshape(x.shape), *others

    return with_weights(layer, (y.reshape(*x.shape[:-1], layer.out_features), gradients))


def GRU(layer, x, twin):
    y, _, gradients = reference_recurrent.layers(reference_recurrent.gru, layer, x)
    return y, gradients


def LSTM(layer, x, twin):
    y, _, gradients = reference_recurrent.layers(reference_recurrent.lstm, layer, x)
    return y, gradients


def scale_and_shift(layer, shape):
    """Weight and bias in float64; 1 and 0 for those that are not there."""
    weight = np.ones(shape) if layer.weight is None else layer.weight.data.astype(float)
    return weight, np.zeros(shape) if layer.bias is None else layer.bias.data.astype(float)


def of_those_there(layer, **gradients):
    return {name: array for name, array in gradients.items() if getattr(layer, name) is not None}


def BatchNorm2d(layer, x, twin):
    channels = layer.num_features
    gamma, beta = scale_and_shift(layer, channels)
    running = None if layer.training else (layer.running_mean.astype(float), layer.running_var.astype(float))
    y, backward = reference_weights.batch_norm(x.reshape(-1, channels), gamma, beta, layer.eps, running)

    def gradients(dy):
        dx, dw, db = backward(dy.reshape(-1, channels))
        return {"input": dx.reshape(x.shape)} | of_those_there(layer, weight=dw, bias=db)

    return y.reshape(x.shape), gradients


BatchNorm1d = BatchNorm2d


def GroupNorm(layer, x, twin):
    numbers = scale_and_shift(layer, layer.num_channels)
    y, backward = reference_weights.group_norm(x, layer.num_groups, *numbers, layer.eps)
    return y, lambda dy: normalised(layer, *backward(dy))


def LayerNorm(layer, x, twin):
    numbers = scale_and_shift(layer, layer.normalized_shape)
    y, backward = reference_weights.layer_norm(x, len(layer.normalized_shape), *numbers, layer.eps)
    return y, lambda dy: normalised(layer, *backward(dy))


def normalised(layer, dx, dw, db):
    return {"input": dx} | of_those_there(layer, weight=dw, bias=db)


def MaxPool2d(layer, x, twin):
    apart = (layer.dilation,) * 2 if isinstance(layer.dilation, int) else layer.dilation
    return of_input(reference.max_pool(x, *sides(layer, x), layer.ceil_mode, apart))


def AvgPool2d(layer, x, twin):
    more = layer.ceil_mode, layer.count_include_pad, layer.divisor_override
    return of_input(reference.avg_pool(x, *sides(layer, x), *more))


def of_images(layer, x, twin, function, **more):
    """A layer over sequences, by the twin of that over images: they are one pixel high."""
    padding = layer.padding
    if padding == "same":
        padding = reference.same_padding(x.shape[1], layer.kernel_size, layer.stride)
    before, after = padding if isinstance(padding, tuple) else (padding, padding)
    image = SimpleNamespace(
        kernel_size=(1, layer.kernel_size), stride=(1, layer.stride), padding=(0, before, 0, after),
        ceil_mode=layer.ceil_mode, **more,
    )  # fmt: skip
    y, backward = function(image, x[:, None], twin)
    return y[:, 0], lambda dy: {"input": backward(dy[:, None])["input"][:, 0]}


def MaxPool1d(layer, x, twin):
    return of_images(layer, x, twin, MaxPool2d, dilation=(1, layer.dilation))


def AvgPool1d(layer, x, twin):
    more = {"count_include_pad": layer.count_include_pad, "divisor_override": None}
    return of_images(layer, x, twin, AvgPool2d, **more)


def GlobalAvgPool2d(layer, x, twin):
    return of_input(reference.global_avg_pool(x))


def GlobalAvgPool1d(layer, x, twin):
    y, backward = reference.global_avg_pool(x[:, None])
    return y, lambda dy: {"input": backward(dy)[:, 0]}


def GlobalMaxPool2d(layer, x, twin):
    y, backward = reference.max_pool(x, x.shape[1:3], (1, 1), (0, 0, 0, 0))
    return y[:, 0, 0], lambda dy: {"input": backward(dy[:, None, None])}


def AdaptiveAvgPool2d(layer, x, twin):
    wanted = layer.output_size
    out = [own if side is None else side for side, own in zip(wanted, x.shape[1:3], strict=True)]
    return of_input(reference.adaptive_avg_pool(x, out))


def Upsample(layer, x, twin):
    factors, out = layer.scale_factor, layer.size
    if factors is not None:
        out = [int(side * factor) for side, factor in zip(x.shape[1:3], factors, strict=True)]
    return of_input(reference.upsample(x, out, factors or (None, None), layer.mode, layer.align_corners))


def ZeroPad2d(layer, x, twin):
    return of_input(reference.zero_pad(x, *layer.padding))


def ChannelShuffle(layer, x, twin):
    return of_input(reference.channel_shuffle(x, layer.groups))


def Reshape(layer, x, twin):
    return x.reshape(len(x), *layer.shape), lambda dy: {"input": dy.reshape(x.shape)}


def LeakyReLU(layer, x, twin):
    return of_input(reference.leaky_relu(x, layer.negative_slope))


def ELU(layer, x, twin):
    return of_input(reference.elu(x, layer.alpha))


def Softplus(layer, x, twin):
    return of_input(reference.softplus(x, layer.beta, layer.threshold))


def PReLU(layer, x, twin):
    y, backward = reference_weights.prelu(x, layer.weight.data.astype(float))
    return y, lambda dy: dict(zip(("input", "weight"), backward(dy), strict=True))


def Dropout(layer, x, twin):
    """The factors are those that ones get by the same key."""
    factors = layer.forward(np.ones(x.shape, np.float32)).astype(float)
    scale = 1 / (1 - layer.p) if layer.training else 1.0
    assert all(min(abs(f), abs(f - scale)) < 1e-6 for f in np.unique(factors)), "0 or 1 / (1 - p)"
    assert layer.training == (factors == 0).any()
    return x * factors, lambda dy: {"input": dy * factors}


def Dropout2d(layer, x, twin):
    """As Dropout; the pixels of a channel share a factor."""
    y, backward = Dropout(layer, x, twin)
    factors = backward(np.ones(x.shape))["input"]
    outer = range(1, x.ndim) if isinstance(layer, cynet.DropPath) else range(1, x.ndim - 1)
    assert (np.ptp(factors, axis=tuple(outer)) == 0).all()
    return y, backward


DropPath = Dropout2d


def Sequential(layer, x, twin):
    backwards = []
    for each in layer.layers:
        x, backward = twin(each, x)
        backwards.append(backward)

    def gradients(dy):
        found = {}
        for number in reversed(range(len(backwards))):
            own = backwards[number](dy)
            dy = own.pop("input")
            found |= {f"{number}.{name}": value for name, value in own.items()}
        return found | {"input": dy}

    return x, gradients


def side_by_side(branches, x, twin):
    """The outputs of layers over one input, and a function from their gradients to all."""
    found = {name: twin(each, x) for name, each in branches.items()}

    def gradients(dys):
        every = {"input": 0.0}
        for name, (_, backward) in found.items():
            own = backward(dys[name])
            every["input"] = every["input"] + own.pop("input")
            every |= {f"{name}.{inner}": value for inner, value in own.items()}
        return every

    return {name: y for name, (y, _) in found.items()}, gradients


def Residual(layer, x, twin):
    branches = {"body": layer.body} | ({} if layer.shortcut is None else {"shortcut": layer.shortcut})
    ys, gradients = side_by_side(branches, x, twin)

    def backward(dy):
        found = gradients(dict.fromkeys(branches, dy))
        return found if layer.shortcut is not None else found | {"input": found["input"] + dy}

    return sum(ys.values()) + (x if layer.shortcut is None else 0), backward


def Concat(layer, x, twin):
    branches = {str(i): each for i, each in enumerate(layer.branches)}
    ys, gradients = side_by_side(branches, x, twin)
    ends = np.cumsum([y.shape[-1] for y in ys.values()])[:-1]

    def backward(dy):
        return gradients(dict(zip(branches, np.split(dy, ends, axis=-1), strict=True)))

    return np.concatenate(list(ys.values()), axis=-1), backward


def Graph(layer, x, twin):
    """By its parts, of one input and one output; what a value's takers want of it is added."""
    values, backwards, (inputs, (output,)) = [x], [], layer.ends()
    assert inputs == 1
    for part in layer.parts():
        y, backward = twin(part.layer, *(values[source] for source in part.sources))
        values.append(y)
        backwards.append((part, backward))

    def gradients(dy):
        of_values, found = {output: dy}, {}
        for place in reversed(range(1, len(values))):
            part, backward = backwards[place - 1]
            own = backward(of_values.pop(place))
            dxs = own.pop("input")
            for source, dx in zip(part.sources, dxs if isinstance(dxs, tuple) else (dxs,), strict=True):
                of_values[source] = of_values.get(source, 0) + dx
            for name, value in own.items():
                path = f"{part.name}.{name}"
                found[path] = found.get(path, 0) + value
        return found | {"input": of_values[0]}

    return values[output], gradients
