"""One Parameter at two places: the weights of an embedding and of the decoder after it."""

import copy

import numpy as np
import pytest

import cynet
from cynet.optim import Adam


def tied():
    cynet.seed(1)
    embedding, decoder = cynet.Embedding(7, 6), cynet.Linear(6, 7)
    decoder.weight = embedding.weight
    return cynet.Sequential(embedding, cynet.GRU(6, 6), decoder)


def apart(model):
    cynet.seed(1)
    other = cynet.Sequential(cynet.Embedding(7, 6), cynet.GRU(6, 6), cynet.Linear(6, 7))
    other.load_state_dict(model.state_dict())
    return other


def passed(model):
    x = np.random.default_rng(0).integers(0, 7, (3, 5))
    model.zero_grad()
    y = model(x)
    model.backward(np.random.default_rng(1).standard_normal(y.shape).astype(np.float32))
    return y


def test_it_is_listed_once_under_its_first_name():
    names = [parameter.name for parameter in tied().parameters()]
    assert names[0] == "0.weight" and "2.weight" not in names and len(names) == 6


def test_its_gradient_is_the_sum_of_both():
    model = tied()
    other = apart(model)
    np.testing.assert_array_equal(passed(model), passed(other))
    both = other[0].weight.grad + other[2].weight.grad
    np.testing.assert_allclose(model[0].weight.grad, both, rtol=1e-5, atol=1e-5)


def test_an_optimiser_steps_it_once():
    model = tied()
    passed(model)
    before, optimizer = model[0].weight.data.copy(), Adam(model.parameters(), lr=0.01)
    optimizer.step()
    step = np.abs(model[0].weight.data - before)
    np.testing.assert_allclose(step, 0.01, rtol=1e-3)


def test_a_state_has_both_names_and_loads():
    model = tied()
    state = model.state_dict()
    np.testing.assert_array_equal(state["0.weight"], state["2.weight"])
    other = tied()
    other[0].weight.data = np.zeros((7, 6))
    other.load_state_dict(state)
    np.testing.assert_array_equal(passed(other), passed(model))


def test_two_values_for_one_parameter_are_refused():
    model = tied()
    state = model.state_dict()
    state["2.weight"] = state["2.weight"] + 1
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"values of 0\.weight: wanted those of its parameter's other name"):
        model.load_state_dict(state)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    state["0.weight"] = state["2.weight"] = np.full((7, 6), np.nan)
    model.load_state_dict(state)  # the same, though NaN equals nothing


def test_a_copy_is_tied_and_a_spec_refuses():
    twin = copy.deepcopy(tied())
    assert twin[0].weight is twin[2].weight
    with pytest.raises(ValueError, match="wanted parameters of one layer each"):
        cynet.nn.to_spec(tied())


def test_gradients_are_checked():
    found = cynet.check_gradients(tied(), np.random.default_rng(0).integers(0, 7, (3, 5)))
    assert found.ok, found


@pytest.mark.torch
def test_it_trains_as_pytorchs():
    torch = pytest.importorskip("torch")
    model = tied()
    embedding, gru, linear = (
        torch.nn.Embedding(7, 6),
        torch.nn.GRU(6, 6, batch_first=True),
        torch.nn.Linear(6, 7),
    )
    linear.weight = embedding.weight
    theirs = torch.nn.ModuleList([embedding, gru, linear])
    assert list(theirs.state_dict()) == list(model.state_dict())
    theirs.load_state_dict({name: torch.tensor(array) for name, array in model.state_dict().items()})
    x = np.random.default_rng(0).integers(0, 7, (3, 5))
    optimizers = cynet.SGD(model.parameters(), lr=0.1), torch.optim.SGD(theirs.parameters(), lr=0.1)
    for _ in range(3):
        y = passed(model)
        optimizers[1].zero_grad()
        wanted = linear(gru(embedding(torch.tensor(x)))[0])
        wanted.backward(torch.tensor(np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)))
        np.testing.assert_allclose(y, wanted.detach().numpy(), rtol=1e-5, atol=1e-5)
        for optimizer in optimizers:
            optimizer.step()
    for name, array in theirs.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[name], array.numpy(), rtol=1e-5, atol=1e-5)
