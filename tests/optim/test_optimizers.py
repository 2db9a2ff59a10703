"""The public optimisers: arguments, state, and agreement with PyTorch."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import reference

import cynet
from cynet.nn.parameter import Parameter
from cynet.optim.adam import Adam, AdamW
from cynet.optim.optimizers import SGD

MAKERS = [
    lambda p: SGD(p, 0.1),
    lambda p: SGD(p, 0.1, weight_decay=0.01),
    lambda p: SGD(p, 0.1, momentum=0.9, weight_decay=0.01),
    lambda p: SGD(p, 0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    lambda p: Adam(p, weight_decay=0.1),
    lambda p: AdamW(p, lr=0.01, betas=(0.8, 0.99), eps=1e-6),
]


def parameters():
    rng = np.random.default_rng(0)
    return [Parameter(rng.standard_normal(shape)) for shape in ((3, 4, 3, 3), (7,), (1,))]


def train(optimizer, params, steps, seed=1):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        optimizer.zero_grad()
        for p in params:
            p.grad += rng.standard_normal(p.shape).astype(np.float32)
        optimizer.step()


@pytest.mark.parametrize("make", MAKERS)
def test_state_goes_on_exactly(make):
    params = parameters()
    optimizer = make(params)
    train(optimizer, params, 3)
    optimizer.lr = 0.05
    state, copies = optimizer.state_dict(), [Parameter(p.data) for p in params]
    train(optimizer, params, 3, 2)
    other = make(copies)
    other.load_state_dict(state)
    train(other, copies, 3, 2)
    for p, q in zip(params, copies, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_state_is_a_copy():
    params = parameters()
    optimizer = SGD(params, 0.1, momentum=0.9)
    state = optimizer.state_dict()
    train(optimizer, params, 1)
    assert not state["0.momentum_buffer"].any() and state["steps"] == 0


def test_wrong_state_is_listed_and_changes_nothing():
    optimizer = Adam(parameters())
    before = optimizer.state_dict()
    state = before | {"9.exp_avg": np.zeros(1), "1.exp_avg": np.zeros(8)}
    state["0.exp_avg"] = before["0.exp_avg"] + 1
    del state["2.exp_avg_sq"]
    with pytest.raises(ValueError) as error:
        optimizer.load_state_dict(state)
    text = str(error.value)
    assert "missing: 2.exp_avg_sq" in text and "unexpected: 9.exp_avg" in text
    assert "shape of 1.exp_avg: wanted (7,), got (8,)" in text
    for name, array in optimizer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_zero_grad():
    params = parameters()
    params[0].grad += 1
    SGD(params, 0.1).zero_grad()
    assert not params[0].grad.any()


def test_params_may_be_a_generator():
    assert len(SGD((p for p in parameters()), 0.1).params) == 3


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ([], ValueError),
        (None, TypeError),
        (Parameter(np.zeros(3)), TypeError),
        ([np.zeros(3, np.float32)], TypeError),
        ([None], TypeError),
        (parameters()[:1] * 2, ValueError),
    ],
)
@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_bad_params(kind, params, error):
    with pytest.raises(error, match="params"):
        kind(params, 0.1)


@pytest.mark.parametrize("value", [-1, np.nan, np.inf, None, "0.1", True])
@pytest.mark.parametrize("name", ["lr", "weight_decay", "momentum", "eps"])
def test_bad_numbers(name, value):
    kind = SGD if name == "momentum" else Adam
    with pytest.raises((ValueError, TypeError), match=f"{name}: wanted"):
        kind(parameters(), **{"lr": 0.1, name: value})


@pytest.mark.parametrize("betas", [(0.9, 1.0), (-0.1, 0.9), (0.9,), 0.9, None, (np.nan, 0.9), ("a", "b")])
def test_bad_betas(betas):
    with pytest.raises((ValueError, TypeError), match="betas"):
        Adam(parameters(), betas=betas)
    optimizer = Adam(parameters())
    optimizer.betas = betas
    with pytest.raises((ValueError, TypeError), match="betas"):
        optimizer.step()
    assert optimizer.steps == 0


def test_nesterov_needs_momentum():
    with pytest.raises(ValueError, match="nesterov"):
        SGD(parameters(), 0.1, nesterov=True)
    with pytest.raises(TypeError, match="nesterov"):
        SGD(parameters(), 0.1, 0.9, nesterov=1)


def test_a_momentum_set_later_is_refused():
    optimizer = SGD(parameters(), 0.1)
    optimizer.momentum = 0.9
    with pytest.raises(ValueError, match="momentum: wanted 0"):
        optimizer.step()


def test_bad_lr_is_refused_and_the_old_one_stays():
    optimizer = SGD(parameters(), 0.1)
    with pytest.raises(ValueError, match="lr: wanted"):
        optimizer.lr = np.nan
    assert optimizer.lr == 0.1


def test_reprs():
    assert repr(SGD(parameters(), 0.1, 0.9)) == (
        "SGD(parameters=3, lr=0.1, momentum=0.9, weight_decay=0, nesterov=False)"
    )
    assert repr(AdamW(parameters())) == (
        "AdamW(parameters=3, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01)"
    )


def test_defaults_are_pytorchs():
    found = {kind.__name__: {name: value.default for name, value in inspect.signature(kind).parameters.items()
                             if value.default is not value.empty} for kind in (SGD, Adam, AdamW)}  # fmt: skip
    both = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}
    assert found == {
        "SGD": {"momentum": 0.0, "weight_decay": 0.0, "nesterov": False},
        "Adam": both | {"weight_decay": 0.0}, "AdamW": both | {"weight_decay": 1e-2},
    }  # fmt: skip
    for kind in (SGD, Adam, AdamW):
        optimizer = kind(parameters(), 0.1)
        settings = {name: value for name, value in found[kind.__name__].items() if name != "lr"}
        assert optimizer.steps == 0 and settings == {name: getattr(optimizer, name) for name in settings}


def twin_step(optimizer, p, g, own):
    """The float64 twin of one step for one parameter."""
    if isinstance(optimizer, SGD):
        settings = optimizer.lr, optimizer.momentum, optimizer.weight_decay, optimizer.nesterov
        p, *own = reference.sgd(p, g, *own[:1], *settings)
        return p, own
    settings = optimizer.lr, optimizer.betas, optimizer.eps, optimizer.weight_decay
    p, *own = reference.adam(p, g, *own, *settings, isinstance(optimizer, AdamW), optimizer.steps + 1)
    return p, own


@pytest.mark.parametrize("size", [1, 1e-4, 1e-7, 0])  # of the gradients: eps counts for more and more
@pytest.mark.parametrize("make", MAKERS)
def test_many_steps_are_their_twins(make, size):
    params = parameters()
    optimizer, rng = make(params), np.random.default_rng(1)
    twins = [(p.data.astype(float), [np.zeros(p.shape), np.zeros(p.shape)]) for p in params]
    for step in range(12):
        optimizer.lr = 0.01 / (1 + step)
        for i, p in enumerate(params):
            p.grad = size * rng.standard_normal(p.shape)
            twins[i] = twin_step(optimizer, twins[i][0], p.grad.astype(float), twins[i][1])
        optimizer.step()
        assert optimizer.steps == step + 1
        for p, before, (wanted, _) in zip(params, parameters(), twins, strict=True):
            # of the way gone, not of the weight: that is what a step is
            way = np.abs(wanted - before.data).max()
            np.testing.assert_allclose(p.data, wanted, rtol=1e-6 if step else 3e-7, atol=1e-3 * way)


def test_bounds_of_the_settings():
    assert SGD(parameters(), 0, 0.0, 0.0).lr == 0
    optimizer = Adam(parameters(), 0.1, (0.0, 0.0), 0.0, 0.0)
    assert (optimizer.betas, optimizer.eps) == ((0.0, 0.0), 0.0)
    state = optimizer.state_dict()
    for name, value in (("steps", -1), ("lr", -0.1), ("lr", np.nan)):
        with pytest.raises(ValueError, match=f"{name}: wanted"):
            optimizer.load_state_dict(state | {name: np.array(value)})
    optimizer.load_state_dict(state | {"steps": np.array(0)})
    with pytest.raises(ValueError, match=r"dtype of 0\.exp_avg: wanted real numbers, got"):
        optimizer.load_state_dict(state | {"0.exp_avg": np.full((3, 4, 3, 3), "x")})


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
@pytest.mark.parametrize("make", MAKERS)
def test_copies_go_on_with_their_own_parameters(make, twin):
    params = parameters()
    optimizer = make(params)
    train(optimizer, params, 2)
    other, copies = twin((optimizer, params))
    assert other.lr == optimizer.lr and other.steps == 2
    train(other, copies, 2, 5)
    kept = [p.data.copy() for p in params]
    train(optimizer, params, 2, 5)
    for p, q, before in zip(params, copies, kept, strict=True):
        assert not np.array_equal(before, p.data)
        np.testing.assert_array_equal(p.data, q.data)
    other.zero_grad()
    assert not any(q.grad.any() for q in copies) and all(p.grad.any() for p in params)


@pytest.mark.torch
@pytest.mark.parametrize("make", MAKERS)
def test_steps_are_pytorchs(make):
    torch = pytest.importorskip("torch")
    params = parameters()
    optimizer = make(params)
    twins = [torch.nn.Parameter(torch.tensor(p.data)) for p in params]
    names = "lr", "momentum", "weight_decay", "nesterov", "betas", "eps"
    arguments = {name: getattr(optimizer, name) for name in names if hasattr(optimizer, name)}
    twin = getattr(torch.optim, type(optimizer).__name__)(twins, **arguments)
    rng = np.random.default_rng(3)
    for step in range(20):
        optimizer.lr = twin.param_groups[0]["lr"] = 0.1 / (1 + step)
        for p, q in zip(params, twins, strict=True):
            p.grad = rng.standard_normal(p.shape)
            q.grad = torch.tensor(p.grad)
        optimizer.step()
        twin.step()
    for p, q in zip(params, twins, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_optimisers_are_found_by_their_names_and_nothing_else_is():
    assert sorted(cynet.optim.__all__) == ["Adam", "AdamW", "Lookahead", "SGD"]
    for name in cynet.optim.__all__:
        found = getattr(cynet.optim, name)
        assert found.__name__ == name and getattr(cynet, name) is found
    assert not hasattr(cynet.optim, "Adagrad")
    with pytest.raises(AttributeError, match=r"^module 'cynet\.optim' has no attribute 'Sgd'$"):
        _ = cynet.optim.Sgd
