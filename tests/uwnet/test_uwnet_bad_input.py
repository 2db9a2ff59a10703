"""Bad input to the course's functions: an error that names argument, value and what was wanted."""

import numpy as np
import pytest

from cynet import uwnet

NAN = float("nan")
SIZES = [0, -1, 1.5, "3", None, True, NAN]  # where a positive int is wanted
NUMBERS = [NAN, float("inf"), "0.1", None, True, [0.1]]  # where a number is wanted
NO_MATRIX = [None, "ab", [["a"]], [[1, 2], [3]], [[None]], 1j * np.ones((2, 4)), np.zeros((2, 4), bool)]
SHAPES = [3.0, [], [1, 2, 3, 4], np.zeros((2, 3)), np.zeros((2, 4, 1)), np.zeros((2, 5))]  # wanted: 2 x 4
MATRICES = NO_MATRIX + SHAPES
ZEROS = np.zeros((2, 4), np.float32)
ROW = np.ones((1, 2))


def forwarded(layer):
    layer.forward(ZEROS)
    return layer


def connected(**values):
    layer = uwnet.make_connected_layer(2, 4)
    for name, value in values.items():
        setattr(layer, name, value)


def data(x=ZEROS, y=ZEROS):
    return uwnet.Data(x, y)


def net():
    return uwnet.make_net([uwnet.make_connected_layer(4, 4), uwnet.make_activation_layer(uwnet.SOFTMAX)])


def train(**values):
    arguments = dict(net=net(), data=data(), batch=1, iters=1, rate=0.1, momentum=0, decay=0)  # noqa: C408
    uwnet.train_image_classifier(**{**arguments, **values})


POSITIONS = {"w": 0, "h": 1, "c": 2, "filters": 3, "size": 4, "stride": 5}


def convolution(name):
    def make(value):
        sizes = [4, 4, 1, 2, 3, 1]
        sizes[POSITIONS[name]] = value
        uwnet.make_convolutional_layer(*sizes)

    return make


def pool(name):
    def make(value):
        sizes = [4, 4, 1, None, 2, 2]
        sizes[POSITIONS[name]] = value
        del sizes[3]
        uwnet.make_maxpool_layer(*sizes)

    return make


NOT_NETS = [None, [], "net", uwnet.make_activation_layer(0)]
NOT_DATA = [None, 3, ZEROS, (ZEROS, ZEROS)]

# (function of one bad value, the bad values, what the message must name)
CASES = [
    (lambda v: uwnet.make_connected_layer(v, 2), SIZES, "inputs"),
    (lambda v: uwnet.make_connected_layer(2, v), SIZES, "outputs"),
    (uwnet.make_activation_layer, [-1, 5, 1.0, "RELU", None, True], "kind"),
    (uwnet.make_batchnorm_layer, SIZES, "groups"),
    *[(convolution(name), SIZES, name) for name in POSITIONS],
    *[(pool(name), SIZES, name) for name in POSITIONS if name != "filters"],
    (pool("size"), [16], "size"),
    (uwnet.make_net, [None, [], 3, [None], [uwnet.make_net], uwnet.make_activation_layer(0)], "layers"),
    (uwnet.make_connected_layer(4, 2).forward, MATRICES, "connected layer 4 -> 2: x"),
    (forwarded(uwnet.make_connected_layer(4, 4)).backward, [*MATRICES, np.zeros((1, 4))], "dy"),
    (uwnet.make_convolutional_layer(2, 2, 1, 2, 3, 1).forward, MATRICES, "x: wanted"),
    (forwarded(uwnet.make_convolutional_layer(2, 2, 1, 1, 3, 1)).backward, MATRICES, "dy: wanted"),
    (uwnet.make_maxpool_layer(2, 2, 1, 2, 1).forward, MATRICES, "x: wanted"),
    (forwarded(uwnet.make_maxpool_layer(2, 2, 1, 2, 1)).backward, MATRICES, "dy: wanted"),
    (uwnet.make_activation_layer(1).forward, [*NO_MATRIX, 3.0, [1, 2], ZEROS[None]], "LOGISTIC layer: x"),
    (forwarded(uwnet.make_activation_layer(2)).backward, MATRICES, "RELU layer: dy"),
    (uwnet.make_batchnorm_layer(2).forward, [*NO_MATRIX, ZEROS[:, :3], ZEROS[:, :0], ZEROS[:0]], "x: wanted"),
    (forwarded(uwnet.make_batchnorm_layer(2)).backward, MATRICES, "dy"),
    *[(lambda v, n=name: connected(**{n: v}), [*MATRICES, ZEROS.T], f".{name}: ") for name in ("w", "dw")],
    *[(lambda v, n=name: connected(**{n: v}), [*MATRICES, ZEROS], f".{name}: ") for name in ("b", "db")],
    (lambda v: uwnet.make_connected_layer(2, 2).update(v, 0, 0), NUMBERS, "rate"),
    (lambda v: uwnet.make_connected_layer(2, 2).update(0, v, 0), NUMBERS, "momentum"),
    (lambda v: uwnet.make_connected_layer(2, 2).update(0, 0, v), NUMBERS, "decay"),
    (lambda v: uwnet.forward_net(v, ZEROS), NOT_NETS, "net"),
    (lambda v: uwnet.forward_net(net(), v), MATRICES, "x"),
    (lambda v: uwnet.backward_net(v, ZEROS), NOT_NETS, "net"),
    (lambda v: uwnet.run_net_image(v, np.ones((1, 2, 2))), NOT_NETS, "net"),
    (lambda v: uwnet.run_net_image(net(), v), [*NO_MATRIX, np.ones((2, 2))], "image"),
    (lambda v: uwnet.update_net(v, 0, 0, 0), NOT_NETS, "net"),
    (lambda v: uwnet.cross_entropy_loss(v, ZEROS), MATRICES, ": wanted"),
    (lambda v: uwnet.cross_entropy_loss(ZEROS, v), MATRICES, "y: wanted"),
    (lambda v: uwnet.cross_entropy_loss(v, v), [np.zeros((0, 4))], "x: wanted at least 1 row"),
    *[(lambda v, n=name: train(**{n: v}), NUMBERS, name) for name in ("rate", "momentum", "decay")],
    (lambda v: train(batch=v), SIZES, "batch"),
    (lambda v: train(iters=v), [-1, 1.0, None, "1"], "iters"),
    (lambda v: train(net=v), NOT_NETS, "net"),
    (lambda v: train(data=v), NOT_DATA, "data"),
    (lambda v: train(data=v), [data(ZEROS[:, :3]), data(y=ZEROS[:, :3])], ": wanted"),
    (lambda v: uwnet.accuracy_net(net(), v), [*NOT_DATA, data(ZEROS[:0], ZEROS[:0])], "data"),
    (lambda v: uwnet.accuracy_net(net(), data(y=v)), [np.zeros((2, 3))], "net output: wanted"),
    (lambda v: uwnet.accuracy_net(v, data()), NOT_NETS, "net"),
    (lambda v: data(x=v), [*NO_MATRIX, [1, 2]], "x: wanted"),
    (lambda v: data(y=v), [*NO_MATRIX, [1, 2], np.zeros((3, 4))], "y: wanted"),
    (lambda v: uwnet.random_batch(v, 1), NOT_DATA, "data"),
    (lambda v: uwnet.random_batch(data(), v), SIZES, "n: wanted"),
    (lambda v: uwnet.save_weights(v, "w"), NOT_NETS, "net"),
    (lambda v: uwnet.load_weights(v, "w"), NOT_NETS, "net"),
    (lambda v: uwnet.im2col(v, 3, 1), [*NO_MATRIX, ZEROS, np.zeros((1, 0, 2))], "image"),
    (lambda v: uwnet.im2col(np.zeros((1, 2, 2)), v, 1), SIZES, "size"),
    (lambda v: uwnet.im2col(np.zeros((1, 2, 2)), 3, v), SIZES, "stride"),
    (lambda v: uwnet.col2im(v, 2, 1, ZEROS, 1, 1), SIZES, "width"),
    (lambda v: uwnet.col2im(2, v, 1, ZEROS, 1, 1), SIZES, "height"),
    (lambda v: uwnet.col2im(2, 2, v, ZEROS, 1, 1), SIZES, "channels"),
    (lambda v: uwnet.col2im(2, 2, 2, v, 1, 1), MATRICES, "col: wanted"),
    (lambda v: uwnet.col2im(2, 2, 2, ZEROS, v, 1), SIZES, "size"),
    (lambda v: uwnet.col2im(2, 2, 2, ZEROS, 1, v), SIZES, "stride"),
    (lambda v: uwnet.mean(v, 2), [*NO_MATRIX, [1, 2], np.zeros((2, 3)), np.zeros((0, 4))], "x: wanted"),
    (lambda v: uwnet.mean(ZEROS, v), [*SIZES, 3, 8], "groups"),
    (lambda v: uwnet.variance(v, ROW, 2), [*NO_MATRIX, np.zeros((2, 3))], "x: wanted"),
    (lambda v: uwnet.variance(ZEROS, v, 2), MATRICES, "m: wanted"),
    (lambda v: uwnet.normalize(v, ROW, ROW, 2), [*NO_MATRIX, np.zeros((2, 3))], "x: wanted"),
    (lambda v: uwnet.normalize(ZEROS, v, ROW, 2), MATRICES, "m: wanted"),
    (lambda v: uwnet.normalize(ZEROS, ROW, v, 2), MATRICES, "v: wanted"),
    (lambda v: uwnet.delta_mean(v, ROW), [*NO_MATRIX, np.zeros((2, 3))], "d: wanted"),
    (lambda v: uwnet.delta_mean(ZEROS, v), [*NO_MATRIX, ZEROS, np.zeros((1, 0)), np.ones((1, 3))], "wanted"),
    (lambda v: uwnet.delta_variance(v, ZEROS, ROW, ROW), MATRICES, "d: wanted"),
    (lambda v: uwnet.delta_variance(ZEROS, v, ROW, ROW), MATRICES, ": wanted"),
    (lambda v: uwnet.delta_variance(ZEROS, ZEROS, v, ROW), [*NO_MATRIX, ZEROS, np.ones((1, 0))], "m"),
    (lambda v: uwnet.delta_variance(ZEROS, ZEROS, ROW, v), MATRICES, "v: wanted"),
    (lambda v: uwnet.delta_batch_norm(v, ROW, ROW, ROW, ROW, ZEROS), MATRICES, "d: wanted"),
    (lambda v: uwnet.delta_batch_norm(ZEROS, v, ROW, ROW, ROW, ZEROS), MATRICES, "dm: wanted"),
    (lambda v: uwnet.delta_batch_norm(ZEROS, ROW, v, ROW, ROW, ZEROS), MATRICES, "dv: wanted"),
    (lambda v: uwnet.delta_batch_norm(ZEROS, ROW, ROW, ROW, v, ZEROS), MATRICES, "v: wanted"),
    (lambda v: uwnet.save_image(v, "a"), [*NO_MATRIX, ZEROS, ZEROS[:, None], ZEROS[None, :0]], "image"),
    (lambda v: uwnet.save_png(np.zeros((3, 1, 1)), v), [None, 3, b"a"], "path"),
    (lambda v: uwnet.load_weights(net(), v), [None, 3.5], "path"),
    (lambda v: uwnet.save_weights(net(), v), [None, 3.5], "path"),
    (lambda v: uwnet.load_image_classification_data(v, "labels"), [None, 3], "images"),
    (lambda v: uwnet.load_image_classification_data(__file__, v), [None, 3], "labels"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CASES)))
def test_bad_input(number):
    function, values, named = CASES[number]
    for value in values:
        with pytest.raises((TypeError, ValueError)) as caught:
            function(value)
        assert named in str(caught.value), (value, str(caught.value))


def test_there_are_many():
    """The table is what its name says."""
    assert sum(len(values) for _, values, _ in CASES) > 400
