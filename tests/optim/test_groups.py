"""Groups of parameters with rates and decays of their own; parameters that are not trained."""

import copy
import pickle

import numpy as np
import pytest

import cynet
from cynet.nn.parameter import Parameter
from cynet.optim import SGD, Adam, AdamW

KINDS = [
    lambda p, lr=0.1, **more: SGD(p, lr, **more),
    lambda p, lr=0.1, **more: SGD(p, lr, momentum=0.9, **more),
    lambda p, lr=0.1, **more: SGD(p, lr, momentum=0.9, nesterov=True, **more),
    lambda p, lr=0.1, **more: Adam(p, lr, **more),
    lambda p, lr=0.1, **more: AdamW(p, lr, **more),
]


def parameters():
    rng = np.random.default_rng(0)
    return [Parameter(rng.standard_normal(shape)) for shape in ((3, 4), (7,), (5000,))]


def stepped(optimizer, steps=1, seed=1):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for parameter in optimizer.params:
            parameter.grad = rng.standard_normal(parameter.shape)
        optimizer.step()
    return [parameter.data.copy() for parameter in optimizer.params]


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_each_group_is_stepped_as_if_it_were_alone(kind):
    ours = parameters()
    rate = {"lr": 0.02, "weight_decay": 0.5}
    made = kind([{"params": ours[:1], **rate}, {"params": ours[1:]}], weight_decay=0.125)
    together = stepped(made, 3)
    alone = parameters()
    first, rest = kind(alone[:1], 0.02, weight_decay=0.5), kind(alone[1:], 0.1, weight_decay=0.125)
    rng = np.random.default_rng(1)
    for _ in range(3):
        for parameter in alone:
            parameter.grad = rng.standard_normal(parameter.shape)
        first.step()
        rest.step()
    for got, parameter in zip(together, alone, strict=True):
        np.testing.assert_allclose(got, parameter.data, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_groups_without_anything_of_their_own_change_no_byte(kind):
    plain, split = parameters(), parameters()
    made = kind([{"params": split[:2]}, {"params": iter(split[2:])}], weight_decay=0.25)
    assert equal(stepped(kind(plain, weight_decay=0.25), 3), stepped(made, 3))
    assert made.state_dict().keys() == kind(plain).state_dict().keys()


def test_a_rate_that_is_set_moves_every_group_by_its_ratio():
    ours = [Parameter(np.zeros(2)), Parameter(np.zeros(2)), Parameter(np.zeros(2))]
    groups = [{"params": ours[:1]}, {"params": ours[1:2], "lr": 0.025}, {"params": ours[2:], "lr": 0}]
    made = SGD(groups, 0.1)
    assert [group["ratio"] for group in made.groups] == [1.0, 0.25, 0.0]
    for parameter in ours:
        parameter.grad = np.ones(2)
    made.lr = 8.0
    made.step()
    assert [parameter.data[0] for parameter in ours] == [-8.0, -2.0, 0.0]


def test_the_ratios_are_of_the_state():
    def groups(lr):
        ours = parameters()
        return SGD([{"params": ours[:1], "lr": lr}, {"params": ours[1:]}], 0.1, momentum=0.9)

    made, other = groups(0.01), groups(0.05)
    stepped(made, 2)
    state = made.state_dict()
    np.testing.assert_allclose(state["lr_ratios"], [0.1, 1.0])
    state["lr_ratios"][0] = 0.5  # a copy
    assert made.groups[0]["ratio"] == pytest.approx(0.1)
    for parameter, value in zip(other.params, made.params, strict=True):
        parameter.data = value.data
    other.load_state_dict(made.state_dict())
    assert equal(stepped(made, 3, 2), stepped(other, 3, 2))
    with pytest.raises(ValueError, match="lr_ratios: wanted"):
        other.load_state_dict(made.state_dict() | {"lr_ratios": np.array([-1.0, 1.0])})
    with pytest.raises(ValueError, match="missing: lr_ratios"):
        other.load_state_dict({k: v for k, v in made.state_dict().items() if k != "lr_ratios"})


def test_the_decay_of_all_may_still_be_set_and_that_of_a_group_stays():
    ours = [Parameter(np.ones(2)), Parameter(np.ones(2))]
    made = SGD([{"params": ours[:1], "weight_decay": 0}, {"params": ours[1:]}], 0.5, weight_decay=0.25)
    made.weight_decay = 1.0
    made.step()
    assert (ours[0].data[0], ours[1].data[0]) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda p: [{"params": p, "momentum": 0.9}],
            ValueError,
            r"params\[0\]: wanted params and perhaps lr",
        ),
        (lambda p: [{"lr": 0.1}], ValueError, r"params\[0\]: wanted params and perhaps lr and weight_decay"),
        (lambda p: [{"params": p[:1]}, p[1]], TypeError, r"params\[1\]: wanted a dict with params"),
        (lambda p: [{"params": p[0]}], TypeError, r"params\[0\]\['params'\]: wanted a list of parameters"),
        (lambda p: [{"params": [{"params": p}]}], TypeError, r"params\[0\]: wanted a Parameter, got dict"),
        (lambda p: [{"params": p, "lr": -1}], ValueError, r"params\[0\]\['lr'\]: wanted"),
        (lambda p: [{"params": p, "weight_decay": "1"}], TypeError, r"params\[0\]\['weight_decay'\]: wanted"),
        (lambda p: [{"params": p}, {"params": p[:1]}], ValueError, "wanted each parameter once"),
        (lambda p: [{"params": []}], ValueError, "params: wanted at least one parameter"),
        (lambda p: {"params": p}, TypeError, "params: wanted a list of parameters, got dict"),
        (lambda p: "ab", TypeError, "params: wanted a list of parameters, got str"),
    ],
)
@pytest.mark.parametrize("kind", KINDS[1:4:2])
def test_what_is_no_group_is_refused_by_name(kind, make, error, words):
    with pytest.raises(error, match=words):
        kind(make(parameters()))


def test_a_group_has_no_ratio_to_a_rate_of_0():
    with pytest.raises(ValueError, match=r"params\[0\]\['lr'\]: wanted none beside a rate lr of 0"):
        SGD([{"params": parameters(), "lr": 0.1}], 0.0)
    still = SGD([{"params": parameters()[:1], "lr": 0}, {"params": parameters()[1:]}], 0.0)
    assert [group["ratio"] for group in still.groups] == [0.0, 1.0]  # a rate of 0 has one to any other


# -- parameters that are not trained -------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_frozen_stays_with_its_buffers_and_its_decay(kind):
    ours, twin = parameters(), parameters()
    made, rest = kind(ours, weight_decay=0.5), kind(twin[1:], weight_decay=0.5)
    ours[0].requires_grad = False
    rng = np.random.default_rng(1)
    for _ in range(3):
        for i, parameter in enumerate(ours):
            parameter.grad = rng.standard_normal(parameter.shape)
            twin[i].grad = parameter.grad
        made.step()
        rest.step()
    assert np.array_equal(ours[0].data, parameters()[0].data)
    assert not any(array.any() for name, array in made.state_dict().items() if name.startswith("0."))
    assert equal([p.data for p in ours[1:]], [p.data for p in twin[1:]])


@pytest.mark.parametrize("kind", KINDS)
def test_a_parameter_may_be_frozen_and_trained_again_at_any_time(kind):
    """As one that was not there meanwhile: Adam corrects its means by the steps of its own."""
    ours, alone = parameters(), parameters()
    made, other = kind(ours, weight_decay=0.25), kind(alone[:1], weight_decay=0.25)
    rng = np.random.default_rng(1)
    for step in range(9):
        ours[0].requires_grad = step not in (0, 1, 4, 5, 6)
        for parameter in ours:
            parameter.grad = rng.standard_normal(parameter.shape)
        if ours[0].requires_grad:
            alone[0].grad = ours[0].grad
            other.step()
        made.step()
        assert np.array_equal(ours[0].data, alone[0].data), step
    copies = pickle.loads(pickle.dumps(made)), copy.deepcopy(made)
    state = made.state_dict()
    assert all(equal(stepped(each, 2, 7), stepped(copies[0], 0)) for each in copies)
    fresh = kind(parameters(), weight_decay=0.25)
    fresh.load_state_dict(state)
    for parameter, value in zip(fresh.params, made.params, strict=True):
        parameter.data = value.data
    assert equal(stepped(fresh, 2, 7), stepped(made, 2, 7))


def test_the_gradients_of_all_are_zeroed_frozen_or_not():
    ours = parameters()
    made = SGD(ours, 0.1)
    ours[1].requires_grad = False
    for when in ("before a step", "after it"):
        for parameter in ours:
            parameter.grad = np.ones(parameter.shape)
        made.zero_grad()
        assert not any(parameter.grad.any() for parameter in ours), when
        made.step()
    ours[1].requires_grad = True
    ours[1].grad = np.ones(7)
    made.zero_grad()
    assert not ours[1].grad.any()


def test_all_may_be_frozen():
    ours = parameters()
    made = Adam(ours)
    for parameter in ours:
        parameter.requires_grad = False
    assert equal(stepped(made, 2), [p.data for p in parameters()]) and made.steps == 2
    assert made.state_dict()["skipped"].tolist() == [2, 2, 2]


def test_a_state_of_adam_without_the_steps_passed_over_has_none():
    made = Adam(parameters())
    made.params[0].requires_grad = False
    stepped(made, 3)
    state = made.state_dict()
    with pytest.raises(ValueError, match="skipped: wanted whole numbers from 0 to 3, the steps, got 4, 0, 0"):
        made.load_state_dict(state | {"skipped": np.array([4, 0, 0])})
    with pytest.raises(ValueError, match=r"skipped: wanted whole numbers .* got -1"):
        made.load_state_dict(state | {"skipped": np.array([-1, 0, 0])})
    assert made.state_dict()["skipped"].tolist() == [3, 0, 0]
    del state["skipped"]
    made.load_state_dict(state)
    assert made.state_dict()["skipped"].tolist() == [0, 0, 0]


def test_a_layer_is_frozen_through_a_training_step():
    cynet.seed(0)
    model = cynet.Sequential(cynet.Linear(4, 5), cynet.ReLU(), cynet.Linear(5, 3))
    made = SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    model[0].weight.requires_grad = model[0].bias.requires_grad = False
    before = model.state_dict()
    criterion = cynet.CrossEntropyLoss()
    rng = np.random.default_rng(0)
    for _ in range(3):
        made.zero_grad()
        criterion(model(rng.standard_normal((6, 4), dtype=np.float32)), np.arange(6) % 3)
        model.backward(criterion.backward())
        made.step()
    after = model.state_dict()
    changed = [name for name in after if not np.array_equal(before[name], after[name])]
    assert changed == ["2.weight", "2.bias"]


@pytest.mark.torch
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_groups_and_frozen_parameters_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    ours = parameters()
    theirs = [torch.nn.Parameter(torch.tensor(p.data)) for p in ours]
    more = {"lr": 0.05, "weight_decay": 0.1} | ({"momentum": 0.9} if name == "SGD" else {})

    def groups(params):
        return [{"params": params[:1], "lr": 0.01}, {"params": params[1:], "weight_decay": 0.0}]

    made = getattr(cynet, name)(groups(ours), **more)
    twin = getattr(torch.optim, name)(groups(theirs), **more)
    rng = np.random.default_rng(3)
    for step in range(12):
        ours[1].requires_grad = step >= 5  # is None there: PyTorch passes over what has no gradient
        for p, q in zip(ours, theirs, strict=True):
            p.grad = rng.standard_normal(p.shape)
            q.grad = torch.tensor(p.grad) if p.requires_grad else None
        made.step()
        twin.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-5, atol=1e-6)
