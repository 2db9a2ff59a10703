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


@pytest.mark.parametrize(("optimizer", "task", "rate"), [
    ("sgd", None, 0.1), ("nesterov", None, 0.1), ("adam", None, 0.001), ("adamw", None, 0.001),
    ("sgd", "multilabel", 0.1), ("adamw", "multilabel", 0.001), ("sgd", "regress", 0.001),
    ("nesterov", "regress", 0.001), ("adam", "regress", 0.001), ("adamw", "regress", 0.001),
])  # fmt: skip
def test_the_rate_where_nobody_gives_one(optimizer, task, rate):
    found = Settings(optimizer=optimizer, task=task).resolved(60_000)
    assert found.lr == rate and list(found.lr_steps.values()) == [rate / 10, rate / 100]
    assert Settings(optimizer=optimizer, task=task, lr=0.5).resolved(60_000).lr == 0.5


@pytest.mark.parametrize(("accumulate", "steps"), [(1, 2 * 9), (2, 2 * 4), (3, 2 * 3), (9, 2)])
def test_epochs_are_of_steps_that_may_take_several_batches(accumulate, steps):
    found = Settings(batch_size=10, epochs=2, accumulate=accumulate).resolved(99)
    assert (found.steps, found.epochs) == (steps, None)
    with pytest.raises(
        ValueError, match="accumulate: wanted at most 9 batches of 10 of the 99 training samples, got 10"
    ):
        Settings(batch_size=10, epochs=2, accumulate=10).resolved(99)


@pytest.mark.parametrize("schedule", ["cosine", "onecycle", "constant", "steps"])
def test_every_schedule_warms_up(schedule):
    plain, warm = (
        Settings(schedule=schedule, lr=0.1, steps=100, warmup=warmup).resolved(60_000).learning_rates()
        for warmup in (0, 10)
    )
    assert [warm(step) for step in (0, 4, 9)] == pytest.approx(
        [warm.rate(step) * part for step, part in ((0, 0.1), (4, 0.5), (9, 1))]
    )
    assert plain(0) == plain.rate(0) and warm(20) == warm.rate(20)
