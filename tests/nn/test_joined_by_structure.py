"""What the compiler joins is told by the parts of a container, whoever wrote its class."""

import numpy as np
import pytest
from helpers import frozen
from test_a_new_container import Fork, Skip

import cynet
from cynet import Add, BatchNorm2d, Concat, Conv2d, ReLU, Residual, Sequential
from cynet.nn.compile import inference
from cynet.nn.compile.training import Steps, SumReLU
from cynet.nn.containers.container import Container
from cynet.nn.structure import Call

X = frozen(np.random.default_rng(1).standard_normal((4, 6, 6, 8)).astype(np.float32))


class Beside(Container):
    """As `Residual`, by parts of its own."""

    def __init__(self, body, way=None):
        self.body, self.way = body, way

    def parts(self):
        if self.way is None:
            return Call("main", self.body), Call("", Add(), 1, 0)
        return Call("main", self.body), Call("way", self.way), Call("", Add(), 1, 2)


class Named(Residual):
    """A subclass that adds nothing to the passes."""

    title = "block"


class Doubled(Residual):
    """A subclass with a pass of its own."""

    def forward(self, x):
        return 2 * super().forward(x)

    def backward(self, dy):
        return super().backward(2 * dy)


class Back(Sequential):
    """A Sequential whose layers run from the last to the first."""

    def parts(self):
        return tuple(Call(str(i), layer, i) for i, layer in enumerate(reversed(self.layers)))


def body():
    return Sequential(Conv2d(8, 8, 3, padding=1), BatchNorm2d(8))


def net(block, *more):
    cynet.seed(4)
    return Sequential(Conv2d(8, 8, 1), block(body(), *(one() for one in more)), ReLU(), Conv2d(8, 4, 1))


def passes(model):
    y = model(X)
    dx = model.backward(np.ones_like(y))
    return [y, dx, *(p.grad.copy() for p in model.parameters()), *model.state_dict().values()]


def evaluated(model):
    with cynet.no_grad():
        return model.eval()(X)


def plan_of(model):
    evaluated(model)
    return [type(step).__name__ for step in model._plans[X.shape][0]._steps]


@pytest.mark.parametrize("kind", [Beside, Named])
@pytest.mark.parametrize("more", [(), (lambda: Conv2d(8, 8, 1),)], ids=["plain", "shortcut"])
def test_a_sum_is_one_step_with_the_relu_after_it(kind, more):
    model, ours = net(kind, *more), net(Residual, *more)
    steps = Steps(model.layers).steps
    assert [type(step) for step in steps] == [Conv2d, SumReLU, Conv2d] and steps[1].norm is not None
    for found, wanted in zip(passes(model), passes(ours), strict=True):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(evaluated(model), evaluated(ours))
    assert plan_of(model) == plan_of(ours) == ["Convolve", "Sum", "Convolve"]


def test_a_pass_of_its_own_is_what_runs():
    model = net(Doubled)
    assert [type(step) for step in Steps(model.layers).steps] == [Conv2d, Doubled, ReLU, Conv2d]
    assert plan_of(model)[1] == "Called"
    doubled = 2 * model[1].body(model[0](X)) + 2 * model[0](X)
    np.testing.assert_allclose(evaluated(model), model[3](np.maximum(doubled, 0)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("block", "steps"),
    [
        (lambda: Skip(Conv2d(8, 8, 1), body(), Conv2d(8, 8, 1)), ["Convolve", "Sum"]),
        (
            lambda: Fork(
                Conv2d(8, 8, 1), Conv2d(8, 5, 3), Sequential(Conv2d(8, 2, 3), BatchNorm2d(2), ReLU())
            ),
            ["Convolve", "Branches"],
        ),
        (lambda: Fork(Sequential(), Sequential(), ReLU(), Sequential()), ["Branches"]),
        (lambda: Concat(Sequential(), body(), cynet.Dropout(), Residual(Sequential())), ["Branches"]),
        (
            lambda: Concat(cynet.Flatten(), Sequential(cynet.Flatten(), cynet.Linear(288, 3))),
            ["Branches"],
        ),
        (lambda: Skip(cynet.Softmax(), Sequential(), Sequential()), ["Called", "Sum"]),
    ],
    ids=["skip", "fork", "nothing", "concat", "rows", "called"],
)
def test_any_graph_is_planned_as_what_it_can_be_read_as(block, steps):
    model = Sequential(Conv2d(8, 8, 1), block(), cynet.Tanh())
    passes(model)
    model.eval()
    wanted = X
    for layer in model:
        wanted = layer(wanted)
    assert plan_of(model) == ["Convolve", *steps, "Curve"]
    for _ in range(2):
        np.testing.assert_allclose(evaluated(model), wanted, rtol=1e-4, atol=1e-5)


def test_a_plan_of_parts_is_exact(monkeypatch):
    """So its pass is made again for a backward, as that of cynet's own containers."""
    model = Sequential(Skip(Conv2d(8, 8, 1), body(), Conv2d(8, 8, 1))).eval()
    y = model(X)
    (plan,) = model._plans[X.shape]
    assert plan.exact
    dx = model.backward(np.ones_like(y))
    single = model[0]
    np.testing.assert_allclose(single(X), y, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(single.backward(np.ones_like(y)), dx, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_parts_that_change_are_read_anew(training):
    model = net(Beside).train(training)
    passes(model)
    evaluated(model)
    model.train(training)
    model[1].body = Sequential(Conv2d(8, 8, 1), BatchNorm2d(8)).train(training)
    y = model(X)
    x = X
    for layer in model:
        x = layer(x)
    np.testing.assert_allclose(y, x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [Residual, Beside])
def test_a_body_that_is_changed_in_place_is_joined_anew(kind):
    model = net(kind)
    passes(model)
    layers = model[1].body.layers
    changes = (
        lambda: layers.append(cynet.Tanh()),
        lambda: layers.pop(),
        lambda: layers.__setitem__(1, BatchNorm2d(8)),
        lambda: setattr(layers[1], "forward", lambda x: 3 * x),
    )
    for change in changes:
        change()
        x = X
        for layer in model:
            x = layer(x)
        np.testing.assert_array_equal(model(X), x)


@pytest.mark.parametrize("training", [True, False])
def test_a_sequential_of_other_parts_runs_by_them(training):
    cynet.seed(1)
    first, last = Conv2d(8, 3, 1), Conv2d(3, 8, 1)
    for outer in (Back(last, first), Sequential(Back(last, first), ReLU())[:1]):
        model = outer.train(training)
        y = model(X)
        np.testing.assert_allclose(y, last(first(X)), rtol=1e-4, atol=1e-5)
        assert model.backward(np.ones_like(y)).shape == X.shape
        assert evaluated(model).shape == y.shape


def test_buffers_serve_again_along_a_graph():
    """A plan of a long graph holds no more than a few outputs."""
    many = [Skip(*(Sequential(Conv2d(8, 8, 1), BatchNorm2d(8)) for _ in range(3))) for _ in range(6)]
    model = Sequential(*many).eval()
    evaluated(model)
    (plan,) = model._plans[X.shape]
    assert isinstance(plan, inference.Plan) and len(plan._spare) <= 5
