"""What layers, losses and parameters say of what they refuse: all of it, with both facts in their places."""

import numpy as np
import pytest

import cynet
from cynet.nn.parameter import Parameter


def zeros(*shape):
    return np.zeros(shape, np.float32)


class Odd(cynet.Layer):
    """Does what it is given; says that its output has its input's shape."""

    def __init__(self, work):
        self.work = work

    def forward(self, x):
        return self.work(x)


def without_memory(x):
    raise MemoryError("of 9 bytes")


def with_set(layer, shape, between=(), **values):
    """A pass of a layer of which attributes are set before it, and others before its backward."""
    for name, value in values.items():
        setattr(layer, name, value)
    y = layer(zeros(*shape))
    for name, value in between:
        setattr(layer, name, value)
    layer.backward(y)


def with_state(**changes):
    layer = cynet.Linear(2, 3)
    state = layer.state_dict() | changes
    layer.load_state_dict({name: value for name, value in state.items() if value is not None})


def assigned(what, value, name="weight"):
    layer = cynet.Linear(2, 3)
    layer.parameters()  # gives names
    setattr(getattr(layer, name), what, value)


conv, norm = cynet.Conv2d, cynet.BatchNorm1d
CONV = "Conv2d(3, 4, kernel_size={}, stride=1, padding={}, bias=True): "
NORM = "BatchNorm{}d(3, eps=1e-05, momentum=0.1, affine=True): "
KERNEL = "wanted a kernel of at most {} pixels, the padded input ({}), got a kernel of {}"
CASES = [
    (lambda: conv(3, 4, 3)(zeros(2, 5, 6, 4)), CONV.format(3, 0) + "wanted (N, H, W, 3), got (2, 5, 6, 4)"),
    (lambda: conv(3, 4, 3)(zeros(2, 3)), CONV.format(3, 0) + "wanted (N, H, W, 3), got (2, 3)"),
    (lambda: conv(3, 4, (5, 3), padding=(0, 1, 1, 0))(zeros(2, 3, 9, 3)),
     CONV.format((5, 3), (0, 1, 1, 0)) + "height: " + KERNEL.format(4, "0 + 3 + 1", 5)),
    (lambda: conv(3, 4, (3, 7), padding=(0, 1, 1, 2))(zeros(2, 5, 3, 3)),
     CONV.format((3, 7), (0, 1, 1, 2)) + "width: " + KERNEL.format(6, "1 + 3 + 2", 7)),
    (lambda: conv(6, 8, 3, groups=4), "groups: wanted a divisor of in_channels = 6, got 4"),
    (lambda: conv(6, 8, 3, groups=3), "groups: wanted a divisor of out_channels = 8, got 3"),
    (lambda: cynet.Linear(4, 5)(zeros(2, 3)), "Linear(4, 5, bias=True): wanted (N, 4), got (2, 3)"),
    (lambda: cynet.BatchNorm2d(3)(zeros(2, 5, 6, 4)),
     NORM.format(2) + "wanted (N, H, W, 3), got (2, 5, 6, 4)"),
    (lambda: norm(3)(zeros(2, 4)), NORM.format(1) + "wanted (N, 3) or (N, L, 3), got (2, 4)"),
    (lambda: cynet.BatchNorm2d(3)(zeros(1, 1, 1, 3)),
     NORM.format(2) + "wanted more than 1 value per channel in training mode, got input (1, 1, 1, 3)"),
    (lambda: cynet.MaxPool2d(2)(zeros(3, 4)),
     "MaxPool2d(kernel_size=2, stride=2, padding=0): wanted an input (N, H, W, C), got shape (3, 4)"),
    (lambda: cynet.AvgPool2d((2, 3), padding=(1, 2, 2, 1)),
     "padding: wanted less than the kernel (2, 3), got (1, 2, 2, 1)"),
    (lambda: cynet.GlobalAvgPool2d()(zeros(2, 3, 0, 4)),
     "GlobalAvgPool2d(): wanted an input (N, H, W, C) with H and W at least 1, got shape (2, 3, 0, 4)"),
    (lambda: cynet.Softmax()(zeros(2, 0)),
     "Softmax(): wanted at least one class on the last axis, got an input of shape (2, 0)"),
    # -- passes
    (lambda: cynet.ReLU().backward(zeros(1)),
     "ReLU.backward: wanted a forward pass before it (outside no_grad), got none"),
    (lambda: Odd(lambda x: x[:1])(zeros(2, 3)),
     "Odd.forward returned shape (1, 3) where its output_shape says (2, 3)"),
    (lambda: Odd(lambda x: [1.0])(zeros(2, 3)), "Odd.forward result: wanted a float32 NumPy array, got list"),
    (lambda: Odd(without_memory)(zeros(2, 3)), "Odd(): no memory for an input of shape (2, 3): of 9 bytes"),
    (lambda: cynet.Sequential(Odd(without_memory))(zeros(2, 3)),
     "Odd(): no memory for an input of shape (2, 3): of 9 bytes"),
    (lambda: cynet.ReLU()(np.zeros((2, 3))),
     "ReLU input: wanted dtype float32 (native byte order), got <f8 (float64)"),
    (lambda: cynet.Sequential(cynet.ReLU(), cynet.Sequential(cynet.Linear(4, 5)))(zeros(2, 3)),
     "layer 1.0: Linear(4, 5, bias=True): wanted (N, 4), got (2, 3)"),
    (lambda: cynet.Residual(cynet.Linear(3, 4))(zeros(2, 3)),
     "Residual(Linear(3, 4, bias=True), shortcut=None): wanted equal shapes to add, two or more, got (2, 4) "
     "and (2, 3)"),
    (lambda: cynet.Sequential(cynet.ReLU(), 3), "layers[1]: wanted a Layer, got 3"),
    # -- parameters and states
    (lambda: with_state(weight=zeros(2, 3)),
     "state does not fit the model: shape of weight: wanted (3, 2), got (2, 3)"),
    (lambda: with_state(bias=np.array([True, False, True])),
     "state does not fit the model: dtype of bias: wanted real numbers, got bool"),
    (lambda: with_state(bias=None, more=zeros(1)),
     "state does not fit the model: missing: bias; unexpected: more"),
    (lambda: assigned("data", zeros(2, 3)), "weight.data: wanted shape (3, 2), got (2, 3)"),
    (lambda: assigned("grad", np.zeros((3, 2), complex)),
     "weight.grad: wanted real numbers, got dtype complex128"),
    (lambda: with_set(cynet.Linear(2, 3), (1, 2), weight=Parameter(zeros(2, 3))),
     "weight: wanted a parameter of shape (3, 2), got (2, 3)"),
    (lambda: with_set(cynet.Linear(2, 3), (1, 2), weight=None),
     "weight: wanted a parameter of shape (3, 2), got None"),
    (lambda: with_set(cynet.Linear(2, 3), (1, 2), [("bias", None)]),
     "bias: wanted a parameter of shape (3,), that of the forward pass, got None"),
    (lambda: with_set(cynet.Linear(2, 3, bias=False), (1, 2), [("bias", Parameter(zeros(3)))]),
     "bias: wanted None, as of the forward pass, got Parameter(unnamed, shape=(3,))"),
    (lambda: with_set(norm(3), (2, 3), num_batches_tracked=np.array(127, np.int8)),
     "num_batches_tracked: wanted less than 127 in int8, got 127"),
    (lambda: with_set(norm(3), (2, 3), num_batches_tracked=np.array(255, np.uint8)),
     "num_batches_tracked: wanted less than 255 in uint8, got 255"),
    (lambda: with_set(norm(3), (2, 3), running_mean=np.zeros(4)),
     "running_mean: wanted a float32 array of shape (3,), got float64 (4,)"),
    (lambda: with_set(norm(3), (2, 3), running_var=zeros(4)),
     "running_var: wanted a float32 array of shape (3,), got float32 (4,)"),
    # -- what looks at layers
    (lambda: cynet.summary(cynet.ReLU(), (4, 0, 3)), "input_shape[1]: wanted at least 1, got 0"),
    (lambda: cynet.summary(cynet.ReLU(), 4), "input_shape: wanted a tuple of ints, got 4"),
    (lambda: cynet.check_gradients(cynet.ReLU(), zeros(1, 2), 0), "projections: wanted at least 1, got 0"),
    (lambda: cynet.check_gradients(cynet.ReLU(), zeros(1, 2), 1001),
     "projections: wanted at most 1000, got 1001"),
    (lambda: cynet.check_gradients(cynet.ReLU, zeros(1, 2)),
     f"layer: wanted a Layer, got {cynet.ReLU!r}"),
    # -- losses
    (lambda: cynet.CrossEntropyLoss(weight=[1, 2])(zeros(2, 3), np.array([0, 1])),
     "weight: wanted one for each of the 3 classes of the logits, got 2"),
    (lambda: cynet.CrossEntropyLoss(weight=[1, 0, 0])(zeros(3, 3), np.array([2, 1, 2])),
     "weight: wanted one above 0 among the labels of the batch, got only labels [1, 2]"),
    (lambda: cynet.MSELoss()(zeros(2, 3), zeros(3, 2)), "target: wanted the shape of y (2, 3), got (3, 2)"),
    (lambda: cynet.MSELoss()(zeros(0, 3), zeros(0, 3)), "y: wanted at least one element, got shape (0, 3)"),
    (lambda: cynet.MSELoss().backward(),
     "MSELoss.backward: wanted a loss before it (outside no_grad), got none"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "said"), CASES, ids=[said for _, said in CASES])
def test_what_is_refused_is_told_in_full(call, said):
    with pytest.raises((TypeError, ValueError, RuntimeError, MemoryError)) as caught:
        call()
    assert str(caught.value) == said


def test_a_gradient_of_another_shape_is_told_with_both():
    for layer in (cynet.ReLU(), cynet.Sequential(cynet.ReLU()), cynet.Dropout(), cynet.Linear(4, 4)):
        layer(zeros(2, 4))
        with pytest.raises(ValueError, match=r"\.backward: wanted dy of shape \(2, 4\), got \(2, 5\)$"):
            layer.backward(zeros(2, 5))


@pytest.mark.filterwarnings("ignore:Setting the (shape|dtype) on a NumPy array:DeprecationWarning")
def test_shapes_set_in_place_are_told_with_both():
    layer, x = cynet.Linear(8, 40), zeros(6, 8)
    y = layer(x)
    x.shape = 8, 6
    with pytest.raises(ValueError) as caught:
        layer.backward(y)
    assert str(caught.value) == "x: wanted shape (6, 8), that of the pass, got (8, 6)"
    layer(zeros(6, 8))
    layer.weight.grad.shape = 8, 40
    with pytest.raises(ValueError) as caught:
        layer.backward(y)
    wanted = "float32 data and grad of shape (40, 8), got float32 (40, 8) and float32 (8, 40)"
    assert str(caught.value) == f"weight: wanted {wanted}"
