"""The twins of layers that have attributes: reference*.py's functions, given what the layer holds.

Each is called as its layer's class, takes the layer, a float64 input, and the function that finds the twin of
a layer within, and returns the output and a function from dy to the gradients by name, "input" among them.
"""

import numpy as np
import reference
import reference_weights

import cynet


def sides(layer, x):
    """(kernel, stride, (top, left, bottom, right)) of a layer with a window."""
    (kernel, stride), padding = (
        (value if isinstance(value, tuple) else (value, value)) for value in (layer.kernel_size, layer.stride)
    ), layer.padding  # fmt: skip
    if padding == "same":
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
    w, b = values(layer, layer.out_channels)
    return with_weights(layer, reference_weights.conv2d(x, w, b, stride, padding, layer.groups))


def Linear(layer, x, twin):
    y, backward = reference_weights.linear(x.reshape(-1, x.shape[-1]), *values(layer, layer.out_features))

    def gradients(dy):
        dx, *others = backward(dy.reshape(y.shape))
        return dx.reshape(x.shape), *others

    return with_weights(layer, (y.reshape(*x.shape[:-1], layer.out_features), gradients))


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
    return of_input(reference.max_pool(x, *sides(layer, x)))


def AvgPool2d(layer, x, twin):
    return of_input(reference.avg_pool(x, *sides(layer, x)))


def GlobalAvgPool2d(layer, x, twin):
    return of_input(reference.global_avg_pool(x))


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
