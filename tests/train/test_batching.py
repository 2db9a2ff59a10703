"""Batch sizes that suit few pictures."""

import pytest

from cynet.train import Settings, batching


@pytest.mark.parametrize(("samples", "batch_size", "sentence"), [
    (180, 128, "an epoch is 1 step of 128 and leaves out 52 of 180 pictures: try --batch-size "
     "90 (2 steps, none left out) or 18 (10 steps, none left out)"),
    (1000, 128, "an epoch is 7 steps of 128 and leaves out 104 of 1000 pictures: try --batch-size "
     "100 (10 steps, none left out)"),
    (512, 128, "an epoch is 4 steps of 128: try --batch-size 32 (16 steps, none left out)"),
    (97, 50, "an epoch is 1 step of 50 and leaves out 47 of 97 pictures: try --batch-size "
     "48 (2 steps, 1 left out) or 8 (12 steps, 1 left out)"),
    (12, 8, "an epoch is 1 step of 8 and leaves out 4 of 12 pictures: try --batch-size "
     "6 (2 steps, none left out)"),
    (200, 200, "an epoch is 1 step of 200: try --batch-size "
     "100 (2 steps, none left out) or 20 (10 steps, none left out)"),
    (17, 17, "an epoch is 1 step of 17: try --batch-size 8 (2 steps, 1 left out)"),
    (81, 16, "an epoch is 5 steps of 16 and leaves out 1 of 81 pictures: try --batch-size "
     "8 (10 steps, 1 left out)"),
    (14, 5, "an epoch is 2 steps of 5 and leaves out 4 of 14 pictures: try --batch-size "
     "4 (3 steps, 2 left out)"),
    (3, 2, "an epoch is 1 step of 2 and leaves out 1 of 3 pictures"),
    (95, 10, "an epoch is 9 steps of 10 and leaves out 5 of 95 pictures: try --batch-size "
     "5 (19 steps, none left out)"),
    (105, 10, None), (109, 10, None), (1285, 128, None),  # ten steps are not few, whatever is left out
    (1, 1, None), (2, 2, None), (5, 5, None), (64, 8, None), (1280, 128, None),
    (20_000, 128, None), (50_000, 128, None),
])  # fmt: skip
def test_few_steps_or_pictures_left_out_are_told_with_a_better_size(samples, batch_size, sentence):
    assert batching.advice(samples, batch_size) == sentence


def test_from_half_of_the_most_on_the_size_that_leaves_out_the_fewest_suits():
    for samples in range(1, 80):
        for most in range(1, 40):
            found = [(samples % n, -n) for n in range(2, most + 1) if 2 * n >= most]
            assert batching.suited(samples, most) == (-min(found)[1] if found else None)


def test_what_is_suggested_is_smaller_and_better_for_all_sizes():
    for samples in range(1, 300):
        for batch_size in range(1, samples + 1):
            steps, left = divmod(samples, batch_size)
            told = batching.advice(samples, batch_size)
            if left > samples / 10:
                assert told and f"leaves out {left} of {samples} pictures" in told
            for found in (told or "").partition("--batch-size ")[2].split(" or "):
                if found:
                    size = int(found.split()[0])
                    assert 2 <= size < batch_size and samples // size > steps
                    assert samples % size <= max(left, samples / 10)


@pytest.mark.parametrize(("samples", "hint"), [
    (100, " (10 makes 10 steps an epoch)"), (60, " (30 makes 2 steps an epoch)"),
    (50_000, " (125 makes 400 steps an epoch)"), (2, ""), (1, ""),
])  # fmt: skip
def test_a_batch_of_more_than_all_samples_is_refused_with_a_better_size(samples, hint):
    with pytest.raises(ValueError) as caught:
        Settings(batch_size=60_000).resolved(samples)
    assert str(caught.value) == f"batch_size: wanted at most the {samples} training samples, got 60000{hint}"
