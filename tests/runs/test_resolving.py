"""What a run settles by itself where nobody said it."""

import numpy as np
import pytest

from cynet.data import ArrayDataset
from cynet.runs import resolving
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


@pytest.mark.parametrize(
    ("epochs", "steps"), [(9.9, 99), (1.1, 11), (0.01, 1), (2.51, 26), (3, 30), (0.3, 3)]
)
def test_epochs_may_end_in_the_middle_and_a_part_of_a_step_is_one(epochs, steps):
    assert Settings(batch_size=10, epochs=epochs).resolved(105).steps == steps


def test_filters_are_not_set_where_weights_come_from_a_file():
    with pytest.raises(ValueError, match=r"whiten: wanted no weights to begin from beside it, got 'a\.pth'"):
        Settings(whiten=True, init_from="a.pth").resolved(60_000)


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "triangular", "constant", "steps"])
def test_every_schedule_warms_up(schedule):
    plain, warm = (
        Settings(schedule=schedule, lr=0.1, steps=100, warmup=warmup).resolved(60_000).learning_rates()
        for warmup in (0, 10)
    )
    assert [warm(step) for step in (0, 4, 9)] == pytest.approx(
        [warm.rate(step) * part for step, part in ((0, 0.1), (4, 0.5), (9, 1))]
    )
    assert plain(0) == plain.rate(0) and warm(20) == warm.rate(20)


def test_epochs_count_where_steps_are_there_too():
    assert Settings(batch_size=10, epochs=2, steps=5).resolved(99).steps == 18
    assert Settings(batch_size=10, steps=5).resolved(99).steps == 5


PICTURES = np.random.default_rng(0).integers(0, 256, (20, 3, 8, 6), np.uint8)


def test_the_facts_are_those_of_the_settings_and_the_samples():
    images = PICTURES.copy()
    images[:, 1] = 7  # a constant channel is divided by 1
    training = ArrayDataset(images, np.arange(20) % 2, ("x", "y"))
    training.resize = "stretch"
    settings = Settings(
        model="uwnet1",
        batch_norm=False,
        data="arrays",
        tta="flip,shift",
        model_option="{}",
    )
    found = resolving.facts(settings, training)
    assert (found.model, found.batch_norm, found.data, found.classes) == (
        "uwnet1",
        False,
        "arrays",
        ("x", "y"),
    )
    assert (found.tta, found.resize, found.task, found.model_option) == (
        "flip,shift",
        "stretch",
        "classify",
        "{}",
    )
    assert found.mean == pytest.approx(tuple(training.mean)) and found.std[1] == 1
    assert found.std[::2] == pytest.approx(tuple(training.std)[::2])
    plain = resolving.facts(Settings(), ArrayDataset(PICTURES, np.arange(20) % 2))
    assert (plain.tta, plain.resize, plain.kept, plain.picture_shape) == ("", "crop", (), (8, 6, 3))


@pytest.mark.parametrize("loss", [None, "mse", "l1", "huber"])
def test_numbers_have_the_loss_that_was_asked_for_or_squares(loss):
    numbers = ArrayDataset(PICTURES, np.arange(20, dtype=np.float32)[:, None] / 7)
    found = resolving.with_task(Settings(loss=loss), numbers)
    assert (found.task, found.loss) == ("regress", loss or "mse")
    several = ArrayDataset(PICTURES, (np.arange(40).reshape(20, 2) % 3 == 0).astype(np.float32))
    found = resolving.with_task(Settings(class_weights="balanced"), several)
    assert (found.task, found.loss, found.class_weights) == ("multilabel", None, "balanced")
    with pytest.raises(
        ValueError, match="class_weights: wanted none for labels of task regress, got balanced"
    ):
        resolving.with_task(Settings(class_weights="balanced"), numbers)
    if loss:
        with pytest.raises(ValueError, match="loss: wanted task regress beside it, got labels of task multi"):
            resolving.with_task(Settings(loss=loss), several)


def test_a_new_head_wants_weights_to_begin_from():
    with pytest.raises(
        ValueError, match=r"new_head: wanted weights to begin from beside it \(init_from\), got no"
    ):
        Settings(new_head=True).resolved(60_000)
    assert Settings(new_head=True, init_from="a.safetensors").resolved(60_000).new_head
