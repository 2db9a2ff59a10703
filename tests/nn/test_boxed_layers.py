"""A user's layers and parameters in lists, tuples and dicts: found, named, trained, saved and copied."""

import copy
import dataclasses
import pickle
from collections import OrderedDict, UserList, deque, namedtuple
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest

import cynet
from cynet import BatchNorm2d, Concat, Conv2d, Layer, Linear, Parameter, ReLU, Residual, Sequential

X = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)


class Net(Layer):
    """Layers one after another, as a user holds them; `box` is what they are held in."""

    def __init__(self, box):
        self.layers = box

    def all(self):
        return list(self.layers.values() if isinstance(self.layers, dict) else self.layers)

    def forward(self, x):
        for layer in self.all():
            x = layer(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.all()):
            dy = layer.backward(dy)
        return dy


Pair = namedtuple("Pair", "first second")
BOXES = {
    "list": (lambda a, b: [a, b], "layers.0", "layers.1"),
    "tuple": (lambda a, b: (a, b), "layers.0", "layers.1"),
    "named tuple": (lambda a, b: Pair(a, b), "layers.0", "layers.1"),
    "deque": (lambda a, b: deque([a, b]), "layers.0", "layers.1"),
    "dict": (lambda a, b: {"left": a, "right": b}, "layers.left", "layers.right"),
    "ordered dict": (lambda a, b: OrderedDict(left=a, right=b), "layers.left", "layers.right"),
    "numbers as keys": (lambda a, b: {3: a, 7: b}, "layers.3", "layers.7"),
}


@pytest.mark.parametrize("box", BOXES)
def test_layers_in_a_box_are_found_trained_and_saved(box):
    make, first, second = BOXES[box]
    cynet.seed(0)
    net = Net(make(Linear(6, 6), Linear(6, 6)))
    names = [f"{first}.weight", f"{first}.bias", f"{second}.weight", f"{second}.bias"]
    assert [parameter.name for parameter in net.parameters()] == names == list(net.state_dict())
    assert [path for path, _ in net.walk()] == ["", first, second]
    before, optimizer = net.state_dict(), cynet.SGD(net.parameters(), 0.1)
    net.zero_grad()
    net.backward(net(X))
    optimizer.step()
    assert all((before[name] != array).any() for name, array in net.state_dict().items())
    net.zero_grad()
    assert not any(parameter.grad.any() for parameter in net.parameters())
    twin = Net(make(Linear(6, 6), Linear(6, 6)))
    twin.load_state_dict(net.state_dict())
    np.testing.assert_array_equal(twin(X), net(X))
    assert not any(layer.training for _, layer in net.eval().walk())


class Deep(Layer):
    """Boxes in boxes, with other things beside the layers."""

    sizes = (1, 2)

    def __init__(self):
        self.name, self.sizes, self.nothing = "deep", [3, (4, None)], ()
        self.stages = [[Linear(6, 6), None, ReLU()], {"a": (BatchNorm2d(2), [Conv2d(2, 2, 1, bias=False)])}]
        self.scales = [Parameter(np.ones(6)), {"shift": Parameter(np.zeros(6))}]
        self.scale = Parameter(np.ones(1))

    def forward(self, x):
        self.save(x)
        return x * self.scales[0].data

    def backward(self, dy):
        (x,) = self.saved()
        self.scales[0].grad += (dy * x).sum(0)
        return dy * self.scales[0].data


def test_boxes_in_boxes_and_parameters_in_them():
    deep = Deep()
    assert [parameter.name for parameter in deep.parameters()] == [
        "scales.0", "scales.1.shift", "scale", "stages.0.0.weight", "stages.0.0.bias",
        "stages.1.a.0.weight", "stages.1.a.0.bias", "stages.1.a.1.0.weight",
    ]  # fmt: skip
    assert "stages.1.a.0.running_var" in deep.state_dict()
    deep(X)
    deep.backward(X)
    assert deep.scales[0].grad.any()
    Sequential(deep).zero_grad()
    assert not deep.scales[0].grad.any()
    assert Sequential(deep).parameters()[1].name == "0.scales.1.shift"


def test_built_in_containers_keep_their_names():
    model = Sequential(
        Conv2d(2, 2, 1),
        Residual(Sequential(Conv2d(2, 2, 1))),
        Concat(ReLU(), Conv2d(2, 2, 1)),
        Net([Linear(4, 4)]),
    )
    assert [parameter.name for parameter in model.parameters()] == [
        "0.weight", "0.bias", "1.body.0.weight", "1.body.0.bias", "2.1.weight", "2.1.bias",
        "3.layers.0.weight", "3.layers.0.bias",
    ]  # fmt: skip


class WithHead(Sequential):
    """A user's Sequential, with a layer more."""

    def __init__(self, *layers):
        super().__init__(*layers)
        self.head, self.last, self.more = Linear(6, 3), self.layers[-1], [Linear(3, 3)]

    def output_shape(self, shape):
        return shape[0], 3

    def forward(self, x):
        return self.head(super().forward(x))

    def backward(self, dy):
        return super().backward(self.head.backward(dy))


def test_what_a_subclass_of_a_container_adds_is_found():
    model = WithHead(Linear(6, 6), ReLU())
    assert list(model.state_dict()) == [
        "0.weight", "0.bias", "head.weight", "head.bias", "more.0.weight", "more.0.bias",
    ]  # fmt: skip
    model.backward(model(X))
    assert model.head.weight.grad.any()
    assert list(WithHead(Linear(6, 6))[:1].state_dict()) == ["0.weight", "0.bias"]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_is_one_of_its_own(duplicate):
    net = Net([Linear(6, 6), {"inner": Linear(6, 6)}["inner"]])
    twin = duplicate(net)
    twin.layers[0].weight.data[:] = 0
    assert net.layers[0].weight.data.any()
    twin.zero_grad()
    assert [p.name for p in twin.parameters()] == [p.name for p in net.parameters()]


def test_evaluation_notices_what_changes_in_a_box():
    net = Net([Linear(6, 6), Sequential(Linear(6, 6), cynet.BatchNorm1d(6), ReLU())])
    model = Sequential(Linear(6, 6), net).eval()
    with cynet.no_grad():
        before = model(X)
        net.layers[0].weight.data[:] *= 2
        after = model(X)
        assert (before != after).any()
        net.layers.append(Linear(6, 6))
        assert (model(X) != after).any()
        net.layers[1][1].running_mean += 1
        assert (model(X) != after).any()
    model.train()
    assert net.layers[1][1].training


# -- one object at several places ----------------------------------------------------------------------------
def test_a_layer_under_two_names_has_its_parameters_once():
    net = Net([Linear(6, 6), Linear(6, 6)])
    net.first, net.again = net.layers[0], {"x": net.layers[0]}
    names = ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]
    assert [parameter.name for parameter in net.parameters()] == names
    cynet.SGD(net.parameters(), 0.1)
    assert list(net.state_dict())[4:] == ["first.weight", "first.bias", "again.x.weight", "again.x.bias"]
    net.load_state_dict(net.state_dict())
    net.backward(net(X))


def test_tied_weights_are_trained_once_with_both_gradients():
    net = Net([Linear(6, 6, bias=False), Linear(6, 6, bias=False)])
    single = Linear(6, 6, bias=False)
    net.layers[0].weight = net.layers[1].weight = single.weight
    assert len(net.parameters()) == 1
    y = net(X)
    net.backward(np.ones_like(y))
    weight = single.weight.data.astype(float)
    wanted = np.ones((6, 4)) @ (X @ weight.T) + (np.ones((4, 6)) @ weight).T @ X
    np.testing.assert_allclose(single.weight.grad, wanted, rtol=1e-4, atol=1e-5)


def test_one_object_that_a_users_forward_calls_several_times_gets_the_gradients_of_all():
    shared = Linear(6, 6)
    net = Net([shared, Sequential(ReLU(), shared), shared])
    twin = Net([copy.deepcopy(shared) for _ in range(3)])
    twin.layers[1] = Sequential(ReLU(), twin.layers[1])
    assert len(net.parameters()) == 2
    dx, dz = (model.backward(np.cos(model(X))) for model in (net, twin))
    np.testing.assert_array_equal(dx, dz)
    sums = sum(layer.parameters()[0].grad.astype(float) for layer in twin.layers)
    np.testing.assert_allclose(shared.weight.grad, sums, rtol=1e-5, atol=1e-5)
    with pytest.raises(RuntimeError, match="wanted a forward pass before it"):
        net.backward(dx)


def test_references_to_a_layer_around_are_no_parts():
    net, inner = Net([]), Net([Linear(6, 6)])
    inner.around, inner.list = net, [net, inner]
    net.layers = [Sequential(inner)]
    assert [path for path, _ in net.walk()] == ["", "layers.0", "layers.0.0", "layers.0.0.layers.0"]
    net.zero_grad()
    assert len(net.parameters()) == 2 and not any(layer.training for _, layer in net.eval().walk())


@pytest.mark.parametrize("kind", [set, frozenset])
def test_layers_without_order_are_refused(kind):
    net = Net([])
    net.layers = kind([Linear(6, 6)])
    for ask in (net.parameters, net.state_dict, net.zero_grad, net.eval, lambda: cynet.summary(net, (6,))):
        with pytest.raises(TypeError, match=r"layers: wanted layers in a list, a tuple or a dict, got a set"):
            ask()
    net.layers = kind([1, 2])
    assert net.parameters() == []


def test_two_keys_that_read_alike_are_refused():
    net = Net({1: Linear(6, 6), "1": Linear(6, 6)})
    with pytest.raises(ValueError, match=r"layers\.1: wanted a name for each array, got two of one"):
        net.state_dict()
    with pytest.raises(ValueError, match="wanted a name for each array"):
        net.load_state_dict({})


@dataclasses.dataclass
class Fields:
    inner: object


@pytest.mark.parametrize("box", [
    lambda layer: np.array([layer], dtype=object), lambda layer: SimpleNamespace(inner=layer), Fields,
    lambda layer: [SimpleNamespace(inner=layer)],
])  # fmt: skip
def test_layers_in_other_containers_are_refused_where_nobody_would_train_them(box):
    net = Net([])
    net.hidden = box(Linear(6, 6))
    with pytest.raises(TypeError, match=r"hidden(\.0)?: wanted layers in a list, .*, got them in a"):
        net.parameters()


@pytest.mark.parametrize("box", [lambda one: UserList([one]), lambda one: MappingProxyType({"0": one})])
def test_layers_in_what_is_as_good_as_a_list_or_a_dict_are_found(box):
    net = Net([])
    net.more = box(Linear(6, 6))
    assert [p.name for p in net.parameters()] == ["more.0.weight", "more.0.bias"]


def test_a_list_that_holds_itself_is_looked_into_once():
    net = Net([Linear(6, 6)])
    net.layers.append(net.layers)
    assert len(net.parameters()) == 2
