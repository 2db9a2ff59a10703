"""A student's functions as parts of a net: layers, a loss and an optimiser that call them.

Inside the net arrays are cynet's, (batch, height, width, channels); the functions get theirs, channels first.
"""

import numpy as np

from cynet import nn
from cynet.nn.layer import Layer
from cynet.nn.losses import CrossEntropyLoss
from cynet.optim.optimizers import SGD

from .calling import called
from .windows import outputs

NEW = 0.1  # the part of a batch's statistics in the running ones
SLOPE = 0.01


class Functions:
    """A student's functions, called by name with arguments by name; results are float32, int32 where they are
    whole.

    Parameters
    ----------
    exercise : Exercise
    module : object
        With the functions as attributes.
    language : {"python", "cython"}
    """

    def __init__(self, exercise, module, language):
        self.exercise, self.module, self.language = exercise, module, language

    def __call__(self, name, shapes, **values):
        """The results of function `name`, whose shapes are given: one array, or a tuple."""
        hole = self.exercise.hole(name)
        values = {key: _plain(value) for key, value in values.items()}
        found = called(hole, getattr(self.module, name), values, self.language, shapes)
        found = [
            np.ascontiguousarray(each, value.dtype) for each, value in zip(found, hole.gives, strict=True)
        ]
        return found[0] if len(found) == 1 else tuple(found)


def _plain(value):
    if not isinstance(value, np.ndarray):
        return value
    value = np.ascontiguousarray(value, np.int32 if value.dtype.kind in "iu" else np.float32).view()
    value.flags.writeable = False
    return value


def _first(x):
    """Channels first, as a copy."""
    return np.ascontiguousarray(np.moveaxis(x, 3, 1))


def _last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, 3))


class OwnBatchNorm(Layer):
    """Batch norm by a student's functions, without scale and shift."""

    buffers = ("running_mean", "running_var")

    def __init__(self, functions, channels):
        self.functions, self.channels = functions, channels
        self.running_mean, self.running_var = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def forward(self, x):
        rows, groups = _first(x).reshape(len(x), -1), self.channels
        m, v = self.running_mean, self.running_var
        if self.training:
            m = rows.reshape(len(x), groups, -1).mean(axis=(0, 2), dtype=np.float64).astype(np.float32)
            v = self.functions("variance", [(groups,)], x=rows, m=m, groups=groups)
            self.running_mean += NEW * (m - self.running_mean)
            self.running_var += NEW * (v - self.running_var)
        y = self.functions("normalize", [rows.shape], x=rows, m=m, v=v, groups=groups)
        self.save(x.shape, rows, m, v)
        return _last(y.reshape(len(x), groups, *x.shape[1:3]))

    def backward(self, dy):
        shape, rows, m, v = self.saved()
        d, groups = _first(dy).reshape(rows.shape), (self.channels,)
        dm = self.functions("delta_mean", [groups], d=d, v=v)
        dv = self.functions("delta_variance", [groups], d=d, x=rows, m=m, v=v)
        dx = self.functions("delta_batch_norm", [rows.shape], d=d, dm=dm, dv=dv, m=m, v=v, x=rows)
        return _last(dx.reshape(len(rows), self.channels, *shape[1:3]))


class OwnWindows(Layer):
    """What a convolution and its stand-in by columns share: the parameters of a Conv2d, the output's
    shape."""

    def __init__(self, functions, like):
        self.functions, self.size, self.stride = functions, like.kernel_size[0], like.stride[0]
        self.weight, self.bias = like.weight, like.bias

    def output_shape(self, shape):
        n, height, width, _ = shape
        return n, outputs(height, self.stride), outputs(width, self.stride), len(self.weight.data)


class OwnConv(OwnWindows):
    """A convolution by a student's functions."""

    def forward(self, x):
        x = _first(x)
        n, out_h, out_w, filters = self.output_shape(_last(x).shape)
        given = {"x": x, "w": self.weight.data, "b": self.bias.data, "stride": self.stride}
        self.save(x)
        return _last(self.functions("forward", [(n, filters, out_h, out_w)], **given))

    def backward(self, dy):
        (x,) = self.saved()
        d, w = _first(dy), self.weight.data
        self.weight.grad += self.functions(
            "weight_gradient", [w.shape], x=x, d=d, size=self.size, stride=self.stride
        )
        self.bias.grad += d.sum(axis=(0, 2, 3))
        given = {"d": d, "w": w, "height": x.shape[2], "width": x.shape[3], "stride": self.stride}
        return _last(self.functions("input_gradient", [x.shape], **given))


class OwnColumns(OwnWindows):
    """A convolution as a product with a student's columns, a picture at a time."""

    def forward(self, x):
        n, out_h, out_w, filters = self.output_shape(x.shape)
        images, w = _first(x), self.weight.data.reshape(filters, -1)
        given = {"size": self.size, "stride": self.stride}
        shape = [(w.shape[1], out_h * out_w)]
        columns = [self.functions("im2col", shape, image=image, **given) for image in images]
        y = np.stack([w @ col for col in columns]) + self.bias.data[:, None]
        self.save(columns, images.shape)
        return _last(y.reshape(n, filters, out_h, out_w))

    def backward(self, dy):
        columns, (n, channels, height, width) = self.saved()
        d, w = _first(dy), self.weight.data
        flat, matrix = d.reshape(n, len(w), -1), w.reshape(len(w), -1)
        self.weight.grad += sum(a @ b.T for a, b in zip(flat, columns, strict=True)).reshape(w.shape)
        self.bias.grad += d.sum(axis=(0, 2, 3))
        given = {
            "channels": channels,
            "height": height,
            "width": width,
            "size": self.size,
            "stride": self.stride,
        }
        shape = [(channels, height, width)]
        dx = [self.functions("col2im", shape, col=matrix.T @ each, **given) for each in flat]
        return _last(np.stack(dx))


class OwnPool(Layer):
    """Max-pooling by a student's functions."""

    def __init__(self, functions, size, stride):
        self.functions, self.size, self.stride = functions, size, stride

    def output_shape(self, shape):
        n, height, width, channels = shape
        return n, outputs(height, self.stride), outputs(width, self.stride), channels

    def forward(self, x):
        n, out_h, out_w, channels = self.output_shape(x.shape)
        shapes = [(n, channels, out_h, out_w)] * 2
        y, winner = self.functions("forward", shapes, x=_first(x), size=self.size, stride=self.stride)
        self.save(x.shape, winner)
        return _last(y)

    def backward(self, dy):
        (n, height, width, channels), winner = self.saved()
        given = {"d": _first(dy), "winner": winner, "height": height, "width": width}
        return _last(self.functions("backward", [(n, channels, height, width)], **given))


class OwnActivation(Layer):
    """The leaky ReLU by a student's functions."""

    def __init__(self, functions):
        self.functions = functions

    def forward(self, x):
        flat = x.reshape(-1)
        self.save(x)
        return self.functions("leaky_relu", [flat.shape], x=flat).reshape(x.shape)

    def backward(self, dy):
        (x,) = self.saved()
        given = {"x": x.reshape(-1), "d": dy.reshape(-1)}
        return self.functions("leaky_relu_gradient", [(x.size,)], **given).reshape(x.shape)


class OwnLoss:
    """The mean of a student's losses."""

    def __init__(self, functions):
        self.functions = functions

    def __call__(self, logits, labels):
        self.given = {"x": logits, "labels": labels}
        return float(self.functions("losses", [(len(logits),)], **self.given).mean(dtype=np.float64))

    def backward(self):
        return self.functions("gradient", [self.given["x"].shape], **self.given)


class OwnSGD:
    """Gradient descent by a student's functions."""

    def __init__(self, functions, parameters, lr, momentum, decay):
        self.functions, self.parameters, self.lr, self.momentum, self.decay = (
            functions,
            parameters,
            lr,
            momentum,
            decay,
        )
        self.velocities = [np.zeros(each.data.size, np.float32) for each in parameters]

    def zero_grad(self):
        for each in self.parameters:
            each.grad[...] = 0

    def step(self):
        for i, each in enumerate(self.parameters):
            w, shape = each.data.reshape(-1), [(each.data.size,)]
            given = {
                "dw": each.grad.reshape(-1),
                "v": self.velocities[i],
                "momentum": self.momentum,
                "decay": self.decay,
            }
            self.velocities[i] = self.functions("velocity", shape, w=w, **given)
            new = self.functions("step", shape, w=w, v=self.velocities[i], rate=self.lr)
            each.data[...] = new.reshape(each.data.shape)


class OwnGRU(Layer):
    """A gated recurrent unit by a student's functions; the gradients of its weights are worked out here.

    x is (batch, steps, inputs), the output the last state.
    """

    def __init__(self, functions, like):
        self.functions, self.hidden = functions, like.hidden_size
        self.weight_ih, self.weight_hh = like.weight_ih_l0, like.weight_hh_l0
        self.bias_ih, self.bias_hh = like.bias_ih_l0, like.bias_hh_l0

    def output_shape(self, shape):
        return shape[0], self.hidden

    def _weights(self):
        return {
            "w_ih": self.weight_ih.data, "w_hh": self.weight_hh.data,
            "b_ih": self.bias_ih.data, "b_hh": self.bias_hh.data,
        }  # fmt: skip

    def forward(self, x):
        xs, h = np.ascontiguousarray(x.swapaxes(0, 1)), np.zeros((len(x), self.hidden), np.float32)
        hs = self.functions("through_time", [(*xs.shape[:2], self.hidden)], xs=xs, h=h, **self._weights())
        self.save(xs, np.concatenate([h[None], hs]))
        return hs[-1]

    def backward(self, dy):
        xs, states = self.saved()
        d, dxs = dy, np.empty_like(xs)
        for t in reversed(range(len(xs))):
            self._of_weights(d, xs[t], states[t])
            shapes = [xs[t].shape, d.shape]
            dxs[t], d = self.functions("step_gradient", shapes, d=d, x=xs[t], h=states[t], **self._weights())
        return np.ascontiguousarray(dxs.swapaxes(0, 1))

    def _of_weights(self, d, x, h):
        of_x, of_h = (a @ w.data.T + b.data for a, w, b in (
            (x, self.weight_ih, self.bias_ih), (h, self.weight_hh, self.bias_hh)))  # fmt: skip
        n, s = slice(2 * self.hidden, None), of_h[:, 2 * self.hidden :]
        gates = 1 / (1 + np.exp(-(of_x + of_h)[:, : 2 * self.hidden]))
        r, z = gates[:, : self.hidden], gates[:, self.hidden :]
        new = np.tanh(of_x[:, n] + r * s)
        da_n = d * (1 - z) * (1 - new * new)
        of_gates = np.concatenate([da_n * s * r * (1 - r), d * (h - new) * z * (1 - z), da_n], 1)
        of_state = of_gates.copy()
        of_state[:, n] *= r
        self.weight_ih.grad += of_gates.T @ x
        self.weight_hh.grad += of_state.T @ h
        self.bias_ih.grad += of_gates.sum(0)
        self.bias_hh.grad += of_state.sum(0)


class LastState(Layer):
    """The last of a recurrent layer's outputs."""

    def output_shape(self, shape):
        return shape[0], shape[2]

    def forward(self, x):
        self.save(x.shape)
        return np.ascontiguousarray(x[:, -1])

    def backward(self, dy):
        (shape,) = self.saved()
        dx = np.zeros(shape, np.float32)
        dx[:, -1] = dy
        return dx


class RowsAsSteps(Layer):
    """Pictures as sequences of their rows: (batch, height, width * channels)."""

    def output_shape(self, shape):
        return shape[0], shape[1], shape[2] * shape[3]

    def forward(self, x):
        self.save(x.shape)
        return x.reshape(self.output_shape(x.shape))

    def backward(self, dy):
        (shape,) = self.saved()
        return dy.reshape(shape)


# -- the nets -------------------------------------------------------------------------------------------
FILTERS = 8, 16


def net(name, functions, batch_norm, classes=10, side=32, channels=3):
    """The assignment's net: twice convolution, batch norm, activation and pool, then a connected layer.

    Parameters
    ----------
    name : str
        Of the exercise.
    functions : Functions or None
        What stands in the place of cynet's layers; None: cynet's own net, with the same first weights.
    batch_norm : bool
    classes, side, channels : int, optional

    Returns
    -------
    Sequential
    """
    if name == "gru":
        own = nn.GRU(side * channels, 4 * FILTERS[1])
        middle = [OwnGRU(functions, own)] if functions else [own, LastState()]
        return nn.Sequential(RowsAsSteps(), *middle, nn.Linear(own.hidden_size, classes))
    layers, inputs = [], channels
    for filters in FILTERS:
        conv = nn.Conv2d(inputs, filters, 3, stride=2 if inputs == channels else 1, padding="same")
        kinds = {"convolution": OwnConv, "im2col": OwnColumns} if functions else {}
        layers.append(kinds[name](functions, conv) if name in kinds else conv)
        if batch_norm:
            own = functions and name == "batchnorm"
            layers.append(OwnBatchNorm(functions, filters) if own else nn.BatchNorm2d(filters, affine=False))
        own = functions and name == "activations"
        layers.append(OwnActivation(functions) if own else nn.LeakyReLU(SLOPE))
        own = functions and name == "maxpool"
        layers.append(OwnPool(functions, 3, 2) if own else nn.MaxPool2d(3, 2, padding="same"))
        inputs, side = filters, outputs(outputs(side, 2 if inputs == channels else 1), 2)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * side * side, classes))


def criterion(name, functions):
    return OwnLoss(functions) if functions and name == "softmax-loss" else CrossEntropyLoss()


def optimizer(name, functions, parameters, lr, momentum, decay):
    if functions and name == "sgd":
        return OwnSGD(functions, parameters, lr, momentum, decay)
    return SGD(parameters, lr, momentum=momentum, weight_decay=decay)
