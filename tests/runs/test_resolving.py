"""What a run settles by itself where nobody said it."""

import pytest

from cynet.train import Settings


@pytest.mark.parametrize("lr", [None, 1.0, 0.1, 0.05, 0.001, 3e-4, 1.25e-5, 1e-7, 1 / 3])
def test_the_rate_falls_to_a_tenth_and_a_hundredth_however_small_it_is(lr):
    found = Settings(schedule="steps", lr=lr, steps=1000).resolved(60_000)
    first = 0.1 if lr is None else lr
    assert list(found.lr_steps) == [600, 840]
    assert list(found.lr_steps.values()) == pytest.approx([first / 10, first / 100], rel=1e-5)
    assert all(f"{rate:.6g}" == f"{rate:.12g}" for rate in found.lr_steps.values())  # as few digits are kept


@pytest.mark.parametrize(
    ("steps", "drops"), [(1, []), (2, [1]), (3, [1, 2]), (7, [4, 5]), (1500, [900, 1260])]
)
def test_the_steps_at_which_it_falls_lie_within_the_run(steps, drops):
    found = Settings(schedule="steps", steps=steps).resolved(60_000)
    assert list(found.lr_steps) == drops
