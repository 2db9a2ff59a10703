"""What optimisers, schedules and models say: of what they refuse, in full, and of themselves."""

import copy

import numpy as np
import pytest

import cynet
from cynet.nn.parameter import Parameter
from cynet.optim import SGD, Adam, AdamW
from cynet.optim.schedules import Constant, Cosine, MultiStep, OneCycle


def two():
    return [Parameter(np.zeros((2, 3))), Parameter(np.zeros(4))]


def loaded(**changes):
    optimizer = Adam(two())
    optimizer.load_state_dict(optimizer.state_dict() | changes)


def stepped(step):
    return lambda: Constant(0.1)(step)


NAMED = "Parameter(unnamed, shape=(2, 3))"
CASES = [
    (lambda: SGD(two()[0], 0.1), "params: wanted a list of parameters, got Parameter"),
    (lambda: SGD([], 0.1), "params: wanted at least one parameter, got none"),
    (lambda: SGD([*two(), 3.0], 0.1), "params[2]: wanted a Parameter, got float"),
    (lambda: SGD([(p := two())[1], *p[:1] * 2], 0.1),
     f"params[2]: wanted each parameter once, got {NAMED} again"),
    (lambda: Adam(two(), betas=[0.9]), "betas: wanted a pair of numbers, got [0.9]"),
    (lambda: Adam(two(), betas=(0.9, 1)), "betas[1]: wanted a number in [0, 1), got 1.0"),
    (lambda: SGD(two(), 0.1, nesterov=True), "nesterov: wanted a momentum above 0 with it, got momentum 0"),
    (lambda: loaded(**{"0.exp_avg": np.zeros(6)}),
     "state does not fit the optimiser: shape of 0.exp_avg: wanted (2, 3), got (6,)"),
    (lambda: loaded(lr=np.zeros(1), steps=np.array("3")),
     "state does not fit the optimiser: shape of lr: wanted (), got (1,); "
     "dtype of steps: wanted real numbers, got <U1"),
    (lambda: loaded(steps=np.array(-3)), "steps: wanted at least 0, got -3"),
    (lambda: loaded(steps=np.array(2**63, np.uint64)),
     "steps: wanted at most 9223372036854775807, got 9223372036854775808"),
    (lambda: loaded(lr=np.array(-0.5)), "lr: wanted a number in [0, inf], got -0.5"),
    # -- schedules
    (lambda: MultiStep(0.1, {3: 0.1, 7: -2}), "milestones[7]: wanted a number in [0, inf], got -2.0"),
    (lambda: MultiStep(0.1, {2.5: 0.1}), "milestones step: wanted an int, got 2.5"),
    (lambda: MultiStep(0.1, [3]), "milestones: wanted a dict of step to rate, got [3]"),
    (lambda: Cosine(0.1, 10, warmup=11), "warmup: wanted less than the 10 steps, got 11"),
    (lambda: OneCycle(0.1, 10, div_factor=0.5), "div_factor: wanted a number in [1, inf], got 0.5"),
    (lambda: OneCycle(0.1, 10, final_div_factor=0), "final_div_factor: wanted a number in [1, inf], got 0.0"),
    (lambda: OneCycle(0.1, 10, pct_start=2), "pct_start: wanted a number in [0, 1], got 2.0"),
    (stepped(-1), "step: wanted at least 0, got -1"), (stepped(1.0), "step: wanted an int, got 1.0"),
    # -- models
    (lambda: cynet.models.create("uwnet1", classes=0), "classes: wanted at least 1, got 0"),
    (lambda: cynet.models.create("uwnet1", (32, 32, 0)), "input_shape[2]: wanted at least 1, got 0"),
    (lambda: cynet.models.create("uwnet1", batch_norm=1), "batch_norm: wanted True or False, got 1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "said"), CASES, ids=[said for _, said in CASES])
def test_what_is_refused_is_told_in_full(call, said):
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert str(caught.value) == said


@pytest.mark.parametrize(("made", "text"), [
    (SGD(two(), 5e-7, 0.25, 3e-4, True),
     "SGD(parameters=2, lr=5e-07, momentum=0.25, weight_decay=0.0003, nesterov=True)"),
    (Adam(two(), 2e-5, (0.5, 0.75), 3e-9, 4e-4),
     "Adam(parameters=2, lr=2e-05, betas=(0.5, 0.75), eps=3e-09, weight_decay=0.0004)"),
    (AdamW(two()[:1]), "AdamW(parameters=1, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01)"),
    (Constant(0.5, 3), "Constant(lr=0.5, warmup=3)"),
    (Cosine(0.5, 9, 2, 0.25), "Cosine(lr=0.5, steps=9, final=0.25, warmup=2)"),
    (OneCycle(0.5, 9, 0.25, 2, 3, 1),
     "OneCycle(max_lr=0.5, steps=9, pct_start=0.25, div_factor=2.0, final_div_factor=3.0, warmup=1)"),
    (two()[0], NAMED),
])  # fmt: skip
def test_what_they_say_of_themselves(made, text):
    assert repr(made) == repr(copy.deepcopy(made)) == text


@pytest.mark.parametrize(("name", "value"), [("steps", -1), ("lr", -1.0), ("lr", np.nan)])
def test_a_state_of_which_one_number_is_wrong_changes_nothing(name, value):
    optimizer = SGD(two(), 0.1, 0.9)
    before = optimizer.state_dict()
    state = {"lr": np.array(0.5), "steps": np.array(7), name: np.array(value)}
    with pytest.raises(ValueError, match=f"{name}: wanted"):
        optimizer.load_state_dict({key: array + 1 for key, array in before.items()} | state)
    for key, array in optimizer.state_dict().items():
        np.testing.assert_array_equal(array, before[key], err_msg=key)


def test_a_state_of_any_kind_of_numbers_is_taken():
    optimizer, other = (SGD(two(), 0.1, 0.9) for _ in range(2))
    state = optimizer.state_dict() | {"lr": np.float32(0.25), "steps": np.array(5, ">i2")}
    state["0.momentum_buffer"] = np.asfortranarray(np.arange(6.0).reshape(2, 3)).astype(">f8")
    other.load_state_dict(state)
    assert (other.lr, other.steps, type(other.lr)) == (0.25, 5, float)
    assert other.state_dict()["steps"].dtype == np.int64
    np.testing.assert_array_equal(other.state_dict()["0.momentum_buffer"], [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("given", [
    lambda a: np.asfortranarray(a), lambda a: a.astype(">f4"), lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    lambda a: a.tolist(),
], ids=["columns first", "swapped", "backwards", "lists"])  # fmt: skip
def test_parameters_and_gradients_of_any_layout_are_stepped_element_by_element(given):
    start, slope = np.arange(12, dtype=np.float32).reshape(3, 4), np.arange(12, 0, -1.0).reshape(3, 4)
    parameter = Parameter(given(start))
    optimizer = SGD([parameter], 0.5)
    parameter.grad = given(slope.astype(np.float32))
    optimizer.step()
    np.testing.assert_array_equal(parameter.data, start - 0.5 * slope)
    parameter.data = given(start)
    optimizer.step()
    np.testing.assert_array_equal(parameter.data, start - 0.5 * slope)
    assert parameter.data.flags.c_contiguous and parameter.data.dtype.isnative
