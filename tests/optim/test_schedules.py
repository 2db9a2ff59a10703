"""Learning-rate schedules by hand and against PyTorch."""

import numpy as np
import pytest

from cynet.optim.schedules import Constant, Cosine, MultiStep, OneCycle, Triangular


def rates(schedule, steps):
    return [schedule(step) for step in range(steps)]


def test_multi_step():
    schedule = MultiStep(0.1, {420: 0.001, 300: 0.01})
    assert [schedule(s) for s in (0, 299, 300, 419, 420, 10**9)] == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]


@pytest.mark.parametrize(
    "schedule", [Constant(1.0, warmup=4), MultiStep(1.0, {10: 0.5}, warmup=4), Cosine(1.0, 10, warmup=4)]
)
def test_warmup_is_linear(schedule):
    assert rates(schedule, 5) == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_cosine_ends_at_final():
    schedule = Cosine(1.0, 10, warmup=2, final=0.1)
    assert schedule(6) == pytest.approx(0.55)
    assert schedule(10) == schedule(11) == schedule(10**6) == pytest.approx(0.1)


def test_one_cycle_shape():
    schedule = OneCycle(1.0, 100)
    values = rates(schedule, 100)
    assert values[0] == pytest.approx(1 / 25) and max(values) == values[29] == 1.0
    assert values[99] == schedule(1000) == pytest.approx(1 / 25e4)
    assert OneCycle(1.0, 100, warmup=10)(4) == pytest.approx(values[4] / 2)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("pct_start", [0.0, 0.3, 0.5, 1.0])
def test_short_one_cycles_are_finite(steps, pct_start):
    schedule = OneCycle(1.0, steps, pct_start=pct_start)
    assert np.isfinite(rates(schedule, 6)).all()
    assert schedule(steps - 1) == schedule(steps) == schedule(10**6) == pytest.approx(1 / 25e4)


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 9, 476])
def test_triangular_rates_are_those_of_jordans_code(steps):
    top = int(0.23 * steps)
    schedule = Triangular(1.5, steps)
    for step in range(steps):
        if step < top:
            wanted = 0.2 * (1 - step / top) + step / top
        else:
            part = (step - top) / (steps - top)
            wanted = 1 - part + 0.07 * part
        assert schedule(step) == pytest.approx(1.5 * wanted, rel=1e-12)
    assert schedule(steps) == schedule(10**6) == pytest.approx(1.5 * 0.07)
    assert Triangular(1.5, steps, warmup=4)(0) == pytest.approx(schedule(0) / 4)
    assert rates(Triangular(2.0, 4, 0.5, 0, 0.5), 6) == pytest.approx([0, 1, 2, 1.5, 1, 1])
    assert rates(Triangular(2.0, 3, 1.0, 1.0, 0.25), 5) == pytest.approx([2, 2, 2, 0.5, 0.5])


def test_a_rate_depends_on_the_step_alone():
    schedule = OneCycle(0.3, 50, warmup=5)
    assert [schedule(s) for s in (40, 3, 40, 3)] == [schedule(40), schedule(3)] * 2


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Constant(-1), "lr"),
        (lambda: Constant(np.nan), "lr"),
        (lambda: Triangular(0.1, 0), "steps"),
        (lambda: Triangular(0.1, 5, 1.5), "pct_start"),
        (lambda: Triangular(0.1, 5, start_factor=-1), "start_factor"),
        (lambda: Triangular(0.1, 5, end_factor=1.5), "end_factor"),
        (lambda: Constant(0.1, warmup=-1), "warmup"),
        (lambda: MultiStep(0.1, [(3, 0.1)]), "milestones"),
        (lambda: MultiStep(0.1, {-1: 0.1}), "milestones"),
        (lambda: MultiStep(0.1, {1.5: 0.1}), "milestones"),
        (lambda: MultiStep(0.1, {3: -0.1}), "milestones"),
        (lambda: Cosine(0.1, 0), "steps"),
        (lambda: Cosine(0.1, 10, warmup=10), "warmup"),
        (lambda: Cosine(0.1, 10, final=-1), "final"),
        (lambda: OneCycle(0.1, 2.5), "steps"),
        (lambda: OneCycle(0.1, 10, pct_start=1.5), "pct_start"),
        (lambda: OneCycle(0.1, 10, div_factor=0), "div_factor"),
        (lambda: Constant(0.1)(-1), "step"),
        (lambda: Constant(0.1)(None), "step"),
    ],
)
def test_bad_arguments(make, error):
    with pytest.raises((ValueError, TypeError), match=error):
        make()


@pytest.mark.parametrize("make", [
    lambda: Constant(0), lambda: Constant(0.1, 0), lambda: MultiStep(0, {0: 0}), lambda: MultiStep(0.1, {}),
    lambda: Cosine(0, 1), lambda: Cosine(0.1, 2, 1, 0), lambda: OneCycle(0, 1, 0, 1, 1),
    lambda: OneCycle(0.1, 1, 1, 1, 1), lambda: Constant(0.1, 2**63 - 1), lambda: Cosine(0.1, 2**63 - 1),
    lambda: MultiStep(0.1, {2**63 - 1: 0.1}), lambda: OneCycle(0.1, 2**63 - 1),
])  # fmt: skip
def test_arguments_at_their_bounds(make):
    schedule = make()
    assert all(0 <= schedule(step) <= 0.1 for step in (0, 1, 2, 2**63 - 1))


@pytest.mark.parametrize("make", [
    lambda: Constant(0.1, 2**63), lambda: Cosine(0.1, 2**63), lambda: Cosine(1, 3, 3), lambda: OneCycle(1, 0),
    lambda: OneCycle(0.1, 2**63), lambda: OneCycle(1, 9, -0.01), lambda: OneCycle(1, 9, 1.01),
    lambda: OneCycle(1, 9, 0.3, 0.99), lambda: OneCycle(1, 9, 0.3, 25, 0.99), lambda: OneCycle(-0.1, 9),
    lambda: OneCycle(1, 9, warmup=-1), lambda: MultiStep(0.1, {2**63: 0.1}), lambda: Constant(0.1)(2**63),
    lambda: MultiStep(-0.1, {}), lambda: Cosine(-0.1, 9), lambda: MultiStep(0.1, None),
])  # fmt: skip
def test_arguments_beyond_their_bounds(make):
    with pytest.raises((ValueError, TypeError), match=": wanted"):
        make()


@pytest.mark.parametrize("steps", [2, 7, 10, 60])
@pytest.mark.parametrize("warmup", [0, 1, 3])
def test_every_rate_by_its_formula(steps, warmup):
    up = lambda step: min(1, (step + 1) / warmup) if warmup else 1  # noqa: E731
    for step in range(steps + 3):
        assert Constant(0.3, warmup)(step) == pytest.approx(0.3 * up(step), rel=1e-12)
        wanted = {0: 0.3, 1: 0.2, 2: 0.05}[(step >= 2) + (step >= 5)]
        assert MultiStep(0.3, {5: 0.05, 2: 0.2}, warmup)(step) == pytest.approx(wanted * up(step), rel=1e-12)
        if warmup < steps:
            part = np.clip((step - warmup) / (steps - warmup), 0, 1)
            wanted = 0.01 + (0.3 - 0.01) * (1 + np.cos(np.pi * part)) / 2
            assert Cosine(0.3, steps, warmup, 0.01)(step) == pytest.approx(wanted * up(step), rel=1e-12)
        for pct in (0.2, 0.5):
            top = pct * steps - 1
            low, high, end = (0.05, 0.3, 0.05 / 100)
            if step < top:
                wanted = high + (low - high) * (1 + np.cos(np.pi * step / top)) / 2
            else:
                part = min(1, (step - top) / (steps - 1 - top))
                wanted = end + (high - end) * (1 + np.cos(np.pi * part)) / 2
            found = OneCycle(0.3, steps, pct, 6, 100, warmup)(step)
            assert found == pytest.approx(wanted * up(step), rel=1e-9)


def test_defaults():
    assert vars(OneCycle(1.0, 9)) == {
        "max_lr": 1.0, "steps": 9, "pct_start": 0.3, "div_factor": 25.0, "final_div_factor": 1e4, "warmup": 0,
    }  # fmt: skip
    assert vars(Triangular(1.0, 9)) == {
        "lr": 1.0, "steps": 9, "pct_start": 0.23, "start_factor": 0.2, "end_factor": 0.07, "warmup": 0,
    }  # fmt: skip
    assert vars(Cosine(1.0, 9)) == {"lr": 1.0, "steps": 9, "final": 0.0, "warmup": 0}
    assert vars(Constant(1.0)) == {"lr": 1.0, "warmup": 0}


def test_repr():
    assert repr(MultiStep(0.1, {3: 0.01})) == "MultiStep(lr=0.1, milestones={3: 0.01}, warmup=0)"


def pytorchs(kind, steps, lr, **arguments):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr)
    schedule = getattr(torch.optim.lr_scheduler, kind)(optimizer, **arguments)
    values = []
    for step in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < steps - 1:
            schedule.step()
    return values


@pytest.mark.torch
def test_cosine_is_pytorchs():
    wanted = pytorchs("CosineAnnealingLR", 51, 0.3, T_max=50, eta_min=0.01)
    assert rates(Cosine(0.3, 50, final=0.01), 51) == pytest.approx(wanted)


@pytest.mark.torch
@pytest.mark.parametrize("pct_start", [0.1, 0.3, 0.77])
def test_one_cycle_is_pytorchs(pct_start):
    wanted = pytorchs("OneCycleLR", 60, 0.1, max_lr=0.3, total_steps=60, pct_start=pct_start)
    assert rates(OneCycle(0.3, 60, pct_start=pct_start), 60) == pytest.approx(wanted)


@pytest.mark.torch
def test_multi_step_is_pytorchs():
    wanted = pytorchs("MultiStepLR", 40, 0.1, milestones=[10, 30])
    assert rates(MultiStep(0.1, {10: 0.01, 30: 0.001}), 40) == pytest.approx(wanted)
