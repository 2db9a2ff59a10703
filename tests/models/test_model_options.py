"""Every option of every model makes another net, and what it says is what stands in the net."""

import inspect

import pytest

import cynet
from cynet import models
from cynet.models.registry import model as registered

PLAIN = {"input_shape", "classes"}
OTHER = {"layers": 2, "cell": "lstm"}
BESIDE = {"tied": {"embedding": 8, "hidden": 8}}  # without which an option is refused
SHAPES = {1: (7,), 2: (64, 3), 3: (32, 32, 3)}


def options():
    for name in models.names():
        for option, parameter in inspect.signature(registered[name]).parameters.items():
            if option not in PLAIN:
                yield pytest.param(name, option, parameter.default, id=f"{name}-{option}")


def another(default):
    if isinstance(default, bool):
        return not default
    if isinstance(default, float):
        return 0.37
    return default + 8 if isinstance(default, int) else None


def made(name, **given):
    cynet.seed(0)
    return models.create(name, SHAPES[len(registered.facts(name).get("least", (1, 1, 1)))], 10, **given)


@pytest.mark.parametrize(("name", "option", "default"), [*options()])
def test_an_option_makes_another_net(name, option, default):
    beside, value = BESIDE.get(option, {}), another(default)
    value = OTHER.get(option, value) if value is None or option in OTHER else value
    if value is None:
        pytest.fail(f"no other value is known for {option} = {default!r}")
    usual = made(name, **beside)
    other = made(name, **beside, **{option: value})
    shapes = [[(p.name, p.shape) for p in net.parameters()] for net in (usual, other)]
    assert repr(usual) != repr(other) or shapes[0] != shapes[1] or option == "tied"
    if option == "dropout":
        shares = {layer.p for _, layer in other.walk() if isinstance(layer, (cynet.Dropout, cynet.Dropout2d))}
        assert shares == {value}
    if option == "tied":
        assert len(other.parameters()) == len(usual.parameters()) - 1
