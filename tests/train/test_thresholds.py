"""Each finding just below and just above its threshold, and the numbers in its sentences."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny
from test_diagnosis import session, shifted

import cynet
from cynet import ReLU
from cynet.runs.watching import doctor_of
from cynet.train import Diverged, diagnosis, loop
from cynet.train.diagnosis import Finding
from cynet.train.loop import Progress, Result
from cynet.train.metrics import Evaluation

RELU = ReLU()


@pytest.mark.parametrize(("finding", "is_there"), [
    (diagnosis.exploding(200.1, [1.0, 2.0, 50.0], 7, 0.1), True),
    (diagnosis.exploding(200.0, [1.0, 2.0, 50.0], 7, 0.1), False),
    (diagnosis.exploding(1e9, [1.0, 2.0], 7, 0.1), False),
    (diagnosis.exploding(float("nan"), [1.0, 2.0, 3.0], 7, 0.1), False),
    (diagnosis.data_bound(1.0, 0.2, 1), True),
    (diagnosis.data_bound(1.0, 0.199, 1), False),
    (diagnosis.data_bound(0.99, 0.99, 1), False),
    (diagnosis.crowded(60.0, 20.0, 2), True),
    (diagnosis.crowded(60.0, 20.0, 64), True),
    (diagnosis.crowded(60.0, 19.9, 2), False),
    (diagnosis.crowded(60.0, 19.9, 64), False),
    (diagnosis.crowded(59.9, 59.9, 2), False),
    (diagnosis.crowded(60.0, 60.0, 1), False),
    (diagnosis.not_falling(100, 0.97, 1.0, 0.1), True),
    (diagnosis.not_falling(100, 0.969, 1.0, 0.1), False),
    (diagnosis.not_falling(99, 5.0, 1.0, 0.1), False),
    (diagnosis.not_falling(100, 0.5, 0.0, 0.1), False),
    (diagnosis.not_falling(100, 1.05, 1.0, 0.1, test_loss=0.97), True),
    (diagnosis.not_falling(100, 1.05, 1.0, 0.1, test_loss=0.969), False),  # learnt within a long first epoch
    (diagnosis.not_falling(100, 1.05, 1.0, 0.1, test_loss=float("nan")), True),
    (diagnosis.shuffled(0.6, 1.0, 0.1, 0.1), True),
    (diagnosis.shuffled(0.601, 1.0, 0.1, 0.1), False),
    (diagnosis.shuffled(0.0, 0.0, 0.1, 0.1), False),
    (diagnosis.shuffled(0.1, 1.0, 0.15, 0.1), True),  # few right by chance: half as much again
    (diagnosis.shuffled(0.1, 1.0, 0.151, 0.1), False),
    (diagnosis.shuffled(0.1, 1.0, 0.6, 0.5), True),  # many: a tenth more
    (diagnosis.shuffled(0.1, 1.0, 0.601, 0.5), False),
    (diagnosis.overfitted(0.1, 1.2, 1.0, 1.0), True),
    (diagnosis.overfitted(0.1, 1.199, 1.0, 1.0), False),
    (diagnosis.overfitted(0.1, 1.25, 1.0, 2.0), True),
    (diagnosis.overfitted(0.1, 1.249, 1.0, 2.0), False),
    (diagnosis.overfitted(0.999, 9.0, 1.0, 1.0), True),
    (diagnosis.overfitted(1.0, 9.0, 1.0, 1.0), False),
    (diagnosis.overfitted(0.749, 1.5, 1.0, 2.3), True),
    (diagnosis.overfitted(0.75, 1.5, 1.0, 2.3), False),
    (diagnosis.dead([("2", RELU, 25, 100)], 250, True), True),
    (diagnosis.dead([("2", RELU, 24, 100)], 250, True), False),
    (diagnosis.dead([], 250, True), False),
])  # fmt: skip
def test_the_rules_of_thumb_hold_to_their_very_numbers(finding, is_there):
    assert (finding is not None) == is_there


@pytest.mark.parametrize(("finding", "kind", "words"), [
    (diagnosis.exploding(512.34, [1.0, 2.0, 9.0], 7, 0.125), "exploding",
     ("the gradient's norm at step 7 is 512, its median before 2", "learning rate (0.125)", "--clip-norm")),
    (diagnosis.data_bound(8.0, 2.0, 3), "data-bound",
     ("25 % of the time", "3 loader workers", "--workers 4, or")),
    (diagnosis.data_bound(8.0, 8.0, 0), "data-bound",
     ("100 % of the time", "the pictures of a step are prepared before it", "--workers 1, on a few")),
    (diagnosis.crowded(75.0, 49.6, 3), "crowded",
     ("in 75 s one of 3 threads waited 50 s for a processor", "other programs", "--threads 2, which")),
    (diagnosis.not_falling(120, 2.5, 2.25, 0.125), "not falling",
     ("after 120 steps the training loss is 2.5, and guessing gives 2.25", "rate (0.125) that is too low, or",
      "--lr-find")),
    (diagnosis.not_falling(120, 3.376, 2.25, 0.125), "not falling", ("rate (0.125) that is too high;",)),
    (diagnosis.not_falling(120, 3.375, 2.25, 0.125), "not falling", ("that is too low, or",)),
    (diagnosis.shuffled(0.25, 2.25, 0.125, 0.1), "shuffled",
     ("loss fell to 0.25, but test accuracy, the mean over the classes, is 0.125, as by guessing",
      "in one of the two sets", "--split train and --split test")),
    (diagnosis.shuffled(0.25, 2.25, 0.125, 0.1, "validation"), "shuffled",
     ("but validation accuracy", "pictures too few to learn from", "with --split train:")),
    (diagnosis.overfitted(0.25, 2.5, 1.75, 2.25), "overfitted",
     ("the test loss rose to 2.5 from 1.75 while the training loss is 0.25", "by heart", "--augment")),
    (diagnosis.overfitted(0.25, 2.5, 1.75, 2.25, "validation"), "overfitted",
     ("the validation loss rose to",)),
    (diagnosis.dead([("2", RELU, 8, 16), ("5", RELU, 1, 16), ("7", RELU, 16, 32)], 250, True), "dead",
     ("0 for all of 250 test pictures: layer 2 (8 of 16), layer 7 (16 of 32).", "--warmup, or LeakyReLU")),
    (diagnosis.dead([("2", RELU, 8, 16)], 40, False, "validation"), "dead",
     ("0 for all of 40 validation pictures", "batch norm before the ReLU, or LeakyReLU")),
])  # fmt: skip
def test_the_sentences_have_the_numbers(finding, kind, words):
    said = str(finding)
    assert finding.kind == kind and said.startswith(
        f"diagnosis: {finding.seen}. Likely cause: {finding.cause}. Try: "
    )
    assert all(each in said for each in words), said


# -- what the doctor looks at ------------------------------------------------------------------------------
@pytest.fixture
def said():
    return []


def result(step, train_loss, test_loss, recall=0.5, lr=0.1):
    right = round(100 * recall)
    confusion = np.array([[right, 100 - right, 0], [100 - right, right, 0], [0, 0, 0]])
    return Result(step, 1, lr, train_loss, Evaluation(test_loss, np.array([100, 100, 0]), confusion))


@pytest.fixture
def doctor(said):
    with session() as one:
        made = doctor_of(one, said.append)
        made._dead = lambda: None
        yield made


def test_what_guessing_gives_is_that_of_the_classes_shares(said):
    whole = tiny.tiny()
    kept = np.flatnonzero(whole.labels < 2)[:36]
    labels = np.repeat([0, 1], [27, 9])
    uneven = cynet.data.ArrayDataset(whole.images[kept], labels, whole.classes)
    with session(uneven) as one:
        made = doctor_of(one, said.append)
        assert made.chance == 0.5
        assert made.guessing == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    for settings in ({"balanced": True}, {"class_weights": "balanced"}):
        with session(uneven, **settings) as one:
            assert doctor_of(one, said.append).guessing == pytest.approx(np.log(2))


def test_norms_are_looked_at_ever_less_often(doctor):
    looked = []
    doctor.trainer.gradient_norm = lambda: looked.append(step) or 1.0
    for step in range(1, 301):
        doctor.stepped(Progress(step, 1, 0.1, 1.0, 8))
    assert looked == [*range(1, 11), *range(15, 101, 5), 150, 200, 250, 300]
    assert len(doctor.norms) == len(looked)


def test_the_norm_is_compared_with_those_before_it(doctor, said):
    norms = iter([1.0, 1.0, 1.0, 100.5, 1.0])
    doctor.trainer.gradient_norm = lambda: next(norms)
    for step in range(1, 5):
        doctor.stepped(Progress(step, 1, 0.25, 1.0, 8))
    assert [finding.kind for finding in said] == ["exploding"]
    assert "at step 4 is 100, its median before 1" in said[0].seen and "(0.25)" in said[0].cause


def test_the_first_step_is_no_wait(doctor, said):
    doctor.trainer.gradient_norm = lambda: 1.0
    doctor.stepped(Progress(1, 1, 0.1, 1.0, 8, 4, 50.0, 50.0))
    doctor.stepped(Progress(2, 1, 0.1, 1.0, 8, 4, 1.0, 0.1))
    doctor.stepped(Progress(3, 1, 0.1, 1.0, 8, 4, 1.0, 0.2))
    assert (doctor.seconds, doctor.waited) == (2.0, pytest.approx(0.3))
    doctor.evaluated(result(3, 0.5, 0.5))
    assert said == []
    doctor.stepped(Progress(4, 1, 0.1, 1.0, 8, 4, 1.0, 0.9))
    doctor.evaluated(result(4, 0.5, 0.5))
    assert [str(finding.seen)[:4] for finding in said] == ["40 %"]


def test_the_first_step_of_a_run_that_goes_on_is_no_wait(doctor, said):
    doctor.trainer.gradient_norm = lambda: 1.0
    doctor.stepped(Progress(61, 1, 0.1, 1.0, 8, 4, 50.0, 50.0))
    doctor.stepped(Progress(62, 1, 0.1, 1.0, 8, 4, 1.0, 0.1))
    assert (doctor.seconds, doctor.waited) == (1.0, pytest.approx(0.1))


def test_an_evaluation_is_told_with_its_own_numbers(doctor, said):
    doctor.guessing = 1.0
    doctor.evaluated(result(99, 2.0, 1.5))
    doctor.evaluated(result(100, 2.0, 0.5))
    assert said == []
    doctor.evaluated(result(100, 2.0, 1.5, lr=0.125))
    assert [finding.kind for finding in said] == ["not falling"]
    assert (
        "after 100 steps the training loss is 2, and guessing gives 1" in said[0].seen
        and "0.125" in said[0].cause
    )


def test_labels_look_shuffled_by_the_mean_over_the_classes_that_are_there(doctor, said):
    doctor.guessing, doctor.chance = 1.0, 0.5
    for step in (100, 200):
        doctor.evaluated(result(step, 0.1, 3.0, recall=0.61))
    assert "shuffled" not in [finding.kind for finding in said]
    for step in (300, 400):
        assert "shuffled" not in [finding.kind for finding in said]
        doctor.evaluated(result(step, 0.1, 3.0, recall=0.55))
    assert "is 0.550, as by guessing" in next(f.seen for f in said if f.kind == "shuffled")


def test_a_loss_that_rises_is_compared_with_its_least(doctor, said):
    doctor.guessing = 1.0
    for step, loss in ((100, 0.5), (200, 0.4), (300, 0.5), (400, 0.5), (500, 0.51)):
        doctor.evaluated(result(step, 0.1, loss))
        assert said == []  # once it may pass
    doctor.evaluated(result(600, 0.1, 0.51))
    assert ["rose to 0.51 from 0.4 " in finding.seen for finding in said] == [True]
    assert doctor.best_test_loss == 0.4


def test_a_kind_is_said_once_and_another_kind_too(doctor, said):
    one, other = Finding("a", "x", "y", "z"), Finding("b", "x", "y", "z")
    for finding in (one, one, None, other, one, other):
        doctor.report(finding)
    assert said == [one, other]


def test_the_findings_of_a_whole_training_have_its_names(said):
    with session(test=shifted(tiny.tiny(split="test")), lr=0.05, validation=0.0) as one:
        loop.train(one.trainer, one.batches, one.test_batches, 160, [doctor_of(one, said.append)])
    assert any("test accuracy" in finding.seen for finding in said)


def test_looking_for_dead_channels_leaves_the_model_as_it_is(said):
    with session() as one:
        made = doctor_of(one, said.append)
        one.model.train()
        one.model[1].eval()
        before = one.model.state_dict(), [layer.training for _, layer in one.model.walk()]
        assert made._dead() is None
        after = one.model.state_dict(), [layer.training for _, layer in one.model.walk()]
        assert before[1] == after[1] and all(
            np.array_equal(before[0][name], after[0][name]) for name in after[0]
        )
        one.model[1].bias.data[...] = -1e6
        one.model[1].weight.data[...] = 0
        finding = made._dead()
        assert finding.kind == "dead" and "all of 20 test pictures: layer 2 (8 of 8)" in finding.seen
        made.report(finding)
        assert made._dead() is None


def test_channels_are_looked_at_on_so_many_pictures_which_are_read_once(said):
    with session() as one:
        made, asked = doctor_of(one, said.append), []
        look = made.look
        made.look = lambda count: asked.append(count) or look(count)
        assert made._dead() is made._dead() is None
    assert asked == [250]


# -- what is not finite ------------------------------------------------------------------------------------
def diverged(one, samples):
    """An error of a step whose batch has NaN in these samples."""
    x, y = next(iter(one.batches))
    x = np.array(x)
    x[list(samples), 0, 0, 0] = np.nan
    return Diverged(one.trainer.steps + 1, float("nan"), "training loss", (x, np.array(y)))


def test_samples_are_named_by_their_index_in_the_data_set():
    with session(batch_size=16) as one:
        order = one.batches.order(0)
        finding = diagnosis.not_finite(one.trainer, one.batches, diverged(one, [3, 5]))
        assert (
            finding.seen.startswith("layer 0, Conv2d(")
            and f"with index {order[3]}, {order[5]}" in finding.seen
        )
        assert "more" not in finding.seen and "(it was 0.1)" in finding.advice
        finding = diagnosis.not_finite(one.trainer, one.batches, diverged(one, range(12)))
        assert finding.seen.endswith(f", {order[11]}")
        finding = diagnosis.not_finite(one.trainer, one.batches, diverged(one, range(14)))
        assert finding.seen.endswith(f", {order[11]} and 2 more")


def test_what_is_not_finite_without_a_layer_is_told_by_the_error():
    with session() as one:
        x, y = next(iter(one.batches))
        error = Diverged(4, float("inf"), "gradient's norm", (np.array(x), np.array(y)))
        finding = diagnosis.not_finite(one.trainer, one.batches, error)
        assert finding.seen == "all layers' outputs are finite, and the gradient's norm is inf at step 4"
        finding = diagnosis.not_finite(one.trainer, one.batches, Diverged(4, float("inf"), "test loss"))
        assert (finding.seen, finding.cause) == (
            "the test loss is inf at step 4",
            "weights that grew too large",
        )


def test_of_many_weights_the_first_are_named():
    with session() as one:
        for parameter in one.model.parameters():
            parameter.data[...] = np.nan
        names = [name for name, array in one.model.state_dict().items() if not np.isfinite(array).all()]
        finding = diagnosis.not_finite(one.trainer, one.batches, diverged(one, [0]))
        assert finding.seen == "weights that are not finite: " + ", ".join(names[:12])
        assert finding.cause == "the step before this one was too large"


def test_with_mixup_the_mixed_batch_is_looked_at():
    with session(mixup=1.0) as one:
        error = diverged(one, [2])
        seen = []
        mixup = one.trainer.mixup
        one.trainer.mixup = lambda x, y, step: seen.append(step) or mixup(x, y, step)
        one.trainer.steps = 9
        finding = diagnosis.not_finite(one.trainer, one.batches, error)
        x, _, _ = mixup(*error.batch, 9)
        bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
        order = one.batches.order(0)
        assert seen == [9] and finding.seen.endswith(", ".join(str(order[k]) for k in bad)) and len(bad) == 2


def test_the_batch_under_way_is_told_by_place_and_size():
    with session(batch_size=16) as one:
        one.trainer.place = SimpleNamespace(epoch=1, batch=2)
        np.testing.assert_array_equal(
            diagnosis.samples(one.trainer, one.batches), one.batches.order(1)[32:48]
        )
