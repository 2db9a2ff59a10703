"""A container that is nowhere known, and publishes `parts()` alone, is no stranger anywhere."""

import copy
import pickle

import numpy as np
import pytest
from helpers import frozen

import cynet
from cynet import BatchNorm2d, Concat, Conv2d, GlobalAvgPool2d, Linear, ReLU, Residual, Sequential
from cynet.bench import per_layer
from cynet.interop import safetensors
from cynet.nn.activity import dead_channels, first_not_finite, outputs
from cynet.nn.containers.container import Container
from cynet.nn.structure import Call

X = frozen(np.random.default_rng(0).standard_normal((6, 8, 8, 3)).astype(np.float32))
LABELS = np.arange(6) % 5


class Skip(Container):
    """Three layers, with a way around the last two that is added."""

    def __init__(self, *layers):
        self.inside = {"layers": layers}

    def parts(self):
        first, second, third = self.inside["layers"]
        return (
            Call("first", first),
            Call("second", second, 1),
            Call("third", third, 2),
            Call("", cynet.Add(), 3, 1),
        )


class Fork(Container):
    """A layer, of whose output several make something, which are joined along the channels."""

    def __init__(self, trunk, *arms):
        self.trunk, self.arms = trunk, arms

    def parts(self):
        arms = [Call(f"arm{i}", arm, 1) for i, arm in enumerate(self.arms)]
        return Call("trunk", self.trunk), *arms, Call("", cynet.Concatenate(), *range(2, len(arms) + 2))


def skip_of_ours(first, *others):
    return Sequential(first, Residual(Sequential(*others)))


def fork_of_ours(trunk, *arms):
    return Sequential(trunk, Concat(*arms))


def built(skip=Skip, fork=Fork, seed=3):
    """The same net with the same weights, of the new containers or of cynet's own."""
    cynet.seed(seed)
    return Sequential(
        Conv2d(3, 8, 3, padding=1),
        ReLU(),
        skip(Conv2d(8, 8, 1), Sequential(BatchNorm2d(8), ReLU()), Conv2d(8, 8, 3, padding=1)),
        ReLU(),
        fork(Conv2d(8, 4, 1), Sequential(), Conv2d(4, 4, 3, padding=1)),
        GlobalAvgPool2d(),
        Linear(8, 5),
    )


@pytest.fixture
def pair():
    return built(), built(skip_of_ours, fork_of_ours)


def trained(model, steps=4):
    """The logits of each step of training."""
    criterion, optimizer = cynet.CrossEntropyLoss(), cynet.SGD(model.parameters(), 0.1, momentum=0.9)
    found = []
    for _ in range(steps):
        found.append(model(X))
        criterion(found[-1], LABELS)
        optimizer.zero_grad()
        model.backward(criterion.backward())
        optimizer.step()
    return found


def values(model):
    return list(model.state_dict().values())


def assert_equal(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_shapes_and_the_summary(pair):
    new, ours = pair
    rows, wanted = cynet.summary(new, X.shape).rows, cynet.summary(ours, X.shape).rows
    numbers = ("layer", "output_shape", "parameters", "macs", "activation_bytes")
    assert [[getattr(row, n) for n in numbers] for row in rows] == [
        [getattr(row, n) for n in numbers] for row in wanted
    ]
    paths = [row.path for row in rows]
    assert paths[2:6] == ["2.first", "2.second.0", "2.second.1", "2.third"] and "4.arm1" in paths
    assert new.macs(X.shape) == ours.macs(X.shape)
    assert new[4].output_shape((2, 8, 8, 8)) == (2, 8, 8, 8)


def test_the_paths_of_the_trace_are_those_of_the_state(pair):
    new, _ = pair
    leaves = {path for path, layer, _ in new.trace(X.shape) if layer.parameters()}
    assert {name.rpartition(".")[0] for name in new.state_dict()} == leaves


def test_a_shape_that_does_not_fit_is_refused_by_path():
    model = Sequential(Skip(Conv2d(3, 8, 1), Conv2d(8, 4, 1), Conv2d(5, 8, 1)))
    with pytest.raises(ValueError, match=r"^layer 0\.third: Conv2d\(5, 8"):
        model(X)
    with pytest.raises(ValueError, match=r"^layer 0: .*wanted equal shapes to add"):
        Sequential(Skip(Conv2d(3, 8, 1), Conv2d(8, 4, 1), Conv2d(4, 4, 1)))(X)
    with pytest.raises(ValueError, match=r"^layer 0: .*wanted branches of equal shape"):
        Sequential(Fork(Conv2d(3, 8, 1), Conv2d(8, 4, 3), Sequential()))(X)


def test_states_are_saved_and_loaded(pair, tmp_path):
    new, ours = pair
    trained(new)
    safetensors.save(new, tmp_path / "weights.safetensors")
    (state, _), other = safetensors.load(tmp_path / "weights.safetensors"), built(seed=5)
    assert state.keys() == other.state_dict().keys()
    other.load_state_dict(state)
    ours.load_state_dict(dict(zip(ours.state_dict(), values(new), strict=True)))
    assert_equal(values(other), values(new))
    assert_equal(trained(other), trained(ours))


def test_training_gives_the_numbers_of_the_same_net_of_cynets_own(pair):
    new, ours = pair
    assert_equal(trained(new), trained(ours))
    assert_equal(values(new), values(ours))


def test_the_gradient_of_the_input_too(pair):
    found = []
    for model in pair:
        y = model(X)
        found.append(model.backward(np.ones_like(y)))
        model(X)
        assert model.backward_spared(np.ones_like(y)) is None
    assert_equal(found[:1], found[1:])


@pytest.mark.parametrize(
    "model",
    [
        Skip(Conv2d(3, 3, 1), cynet.Tanh(), Conv2d(3, 3, 1)),
        Fork(Conv2d(3, 3, 1), Conv2d(3, 2, 1), Sequential()),
        Fork(*(Conv2d(3, 3, 1),) * 3),  # one layer at three places
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_its_gradients_are_right(model, training):
    found = cynet.check_gradients(model.train(training), X[:2, :3, :3])
    assert found.ok, found


@pytest.mark.parametrize("grad", [True, False])
def test_evaluation(pair, grad):
    found = []
    for model in pair:
        trained(model)
        model.eval()
        for _ in range(2):
            if grad:
                y = model(X)
                model.backward(np.ones_like(y))
            else:
                with cynet.no_grad():
                    y = model(X)
            found.append(y)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[0], found[2], rtol=1e-4, atol=1e-5)


def test_what_is_changed_after_an_evaluation_is_seen(pair):
    """Weights, layers and modes: a plan is never stale."""
    new, _ = pair
    new.eval()

    def found():
        with cynet.no_grad():
            return new(X)

    before = found()
    new[2].inside["layers"][2].weight.data[...] *= 2
    weights = found()
    assert not np.array_equal(before, weights)
    new[2].inside["layers"] = (*new[2].inside["layers"][:2], Conv2d(8, 8, 1).eval())
    layers = found()
    assert not np.array_equal(layers, weights)
    new[2].inside["layers"][1].train()
    assert not np.array_equal(found(), layers)


def test_copies(pair):
    new, _ = pair
    trained(new)
    for twin in (copy.deepcopy(new), pickle.loads(pickle.dumps(new))):
        assert_equal(values(twin), values(new))
        assert_equal(trained(twin), trained(copy.deepcopy(new)))


def test_modes_and_threads_reach_all_within(pair):
    new, _ = pair
    new.eval()
    assert not any(layer.training for _, layer in new.walk())
    assert {"2.second.0", "4.arm0", "4.trunk"} <= {path for path, _ in new.walk()}


def test_diagnosis_looks_into_it(pair):
    new, _ = pair
    found, wanted = ([y for _, _, y in outputs(model.eval(), X)] for model in pair)
    assert_equal(found[-1:], wanted[-1:])
    assert {"2.first", "2.third", "2", "4.arm1", "4"} <= {path for path, _, _ in outputs(new, X)}
    new[2].inside["layers"][2].bias.data[0] = np.nan
    assert first_not_finite(new, X)[0] == "2.third"
    new = built().eval()
    new[2].inside["layers"][1][0].bias.data[...] = -100
    assert ("2.second.1", 8) in [(path, dead) for path, _, dead, _ in dead_channels(new, X, ReLU)]


def test_it_is_timed_layer_by_layer():
    leaves = list(built().trace(X.shape))
    seconds = per_layer.times(leaves, X, 2)
    assert seconds.shape == (len(leaves), 2, 2) and (seconds > 0).all()
