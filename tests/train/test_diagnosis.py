"""Each finding appears for the fault it names, made on purpose, and not in a sound training."""

import numpy as np
import pytest
import tiny

import cynet
from cynet import BatchNorm2d, Concat, Conv2d, Flatten, Linear, ReLU, Residual, Sequential
from cynet.nn.activity import dead_channels, first_not_finite, outputs
from cynet.runs import session as sessions
from cynet.runs.session import Session, Settings
from cynet.runs.watching import doctor_of
from cynet.train import Diverged, diagnosis, loop

X = np.random.default_rng(0).standard_normal((5, 6, 6, 4)).astype(np.float32)


def session(training=None, test=None, **settings):
    training = tiny.tiny() if training is None else training
    test = tiny.tiny(split="test") if test is None else test
    settings = {"data": "tiny", "batch_size": 8, "workers": 0, "steps": 160} | settings
    return Session(Settings(**settings).resolved(len(training)), training, test)


def found_in(one):
    """The kinds of finding in a whole training."""
    said = []
    with one:
        doctor = doctor_of(one, said.append)
        loop.train(one.trainer, one.batches, one.test_batches, one.settings.steps, [doctor])
    assert all(str(each).count("Likely cause: ") == str(each).count("Try: ") == 1 for each in said)
    return [each.kind for each in said]


def test_a_sound_training_has_no_finding():
    assert found_in(session(lr=0.001)) == []


def test_watching_does_not_change_the_weights():
    def weights(watched):
        with session(steps=20) as one:
            observers = [doctor_of(one, print)] if watched else []
            loop.train(one.trainer, one.batches, one.test_batches, 20, observers)
            return one.model.state_dict()

    one, other = weights(True), weights(False)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_rate_of_almost_nothing_is_a_loss_that_does_not_fall():
    assert found_in(session(lr=1e-9)) == ["not falling"]


def test_a_rate_far_too_high_kills_channels():
    kinds = found_in(session(lr=0.5, batch_norm=False))
    assert "dead" in kinds


def shifted(dataset):
    labels = (dataset.labels + 1) % 3
    return cynet.data.ArrayDataset(dataset.images, labels, dataset.classes)


def test_labels_that_differ_between_the_sets_look_shuffled():
    assert "shuffled" in found_in(session(test=shifted(tiny.tiny(split="test")), lr=0.05))


def test_random_labels_are_learnt_by_heart():
    rng = np.random.default_rng(0)
    sets = []
    for split in ("train", "test"):
        whole = tiny.tiny(split=split)
        images = rng.integers(0, 256, whole.images.shape, np.uint8)
        sets.append(cynet.data.ArrayDataset(images, whole.labels, whole.classes))
    assert {"shuffled", "overfitted"} & set(found_in(session(*sets, lr=0.1, steps=400, weight_decay=0.0)))


@pytest.mark.parametrize(("finding", "is_there"), [
    (diagnosis.exploding(500.0, [1.0, 2.0, 3.0], 200, 0.1), True),
    (diagnosis.exploding(100.0, [1.0, 2.0, 3.0], 200, 0.1), False),
    (diagnosis.exploding(500.0, [1.0], 200, 0.1), False),
    (diagnosis.data_bound(10.0, 3.0, 1), True),
    (diagnosis.data_bound(10.0, 3.0, 0), True),
    (diagnosis.data_bound(10.0, 1.0, 1), False),
    (diagnosis.not_falling(200, 2.4, 2.3, 0.1), True),
    (diagnosis.not_falling(50, 2.4, 2.3, 0.1), False),
    (diagnosis.overfitted(0.1, 1.5, 1.0, 2.3), True),
    (diagnosis.overfitted(0.1, 1.1, 1.0, 2.3), False),
    (diagnosis.overfitted(1.0, 1.5, 1.0, 2.3), False),
    (diagnosis.overfitted(0.01, 0.1, 0.05, 2.3), False),
    (diagnosis.overfitted(4.5e12, 9.7e25, 0.68, 2.3), False),
    (diagnosis.dead([("2", ReLU(), 4, 16)], 250, True), True),
    (diagnosis.dead([("2", ReLU(), 3, 16)], 250, True), False),
])  # fmt: skip
def test_the_rules_of_thumb(finding, is_there):
    assert (finding is not None) == is_there


def test_what_may_pass_is_said_when_it_lasts():
    said = []
    with session(steps=8) as one:
        doctor = doctor_of(one, said.append)
        finding = diagnosis.shuffled(0.1, 2.3, 0.1, 0.1)
        for step, seen in ((50, finding), (60, finding), (100, finding), (200, None), (300, finding)):
            doctor._report_lasting(step, seen)
        assert said == []
        doctor._report_lasting(400, finding)
    assert said == [finding]


def test_gradients_that_explode_in_the_first_steps_are_seen_before_the_loss_is_no_number():
    said = []
    with session(batch_norm=False, lr=1.0, steps=60) as one, pytest.raises(Diverged):
        doctor = doctor_of(one, said.append)
        loop.train(one.trainer, one.batches, one.test_batches, 60, [doctor])
    assert [finding.kind for finding in said] == ["exploding"]


def test_waiting_for_processors_is_looked_at_minute_by_minute(monkeypatch):
    """A program that begins hours later is seen as one that was there before."""
    clock, lost, said = [1000.0], [5.0], []
    first = "in 60 s one of 2 threads waited 39 s for a processor, all others for it"
    monkeypatch.setattr(diagnosis.time, "monotonic", lambda: clock[0])
    waits = {"7": 0.0, "8": 0.0, "9": 20.0}
    monkeypatch.setattr(diagnosis, "processor_waits", lambda: dict(waits, **{"8": lost[0]}))
    monkeypatch.setattr(diagnosis, "get_num_threads", lambda: 2)
    with session(steps=8) as one:
        doctor = doctor_of(one, said.append)
        for seconds, more in ((59, 39), (1, 0), (60, 19), (3600, 60), (30, 30), (29, 29)):
            clock[0], lost[0] = clock[0] + seconds, lost[0] + more
            doctor._look_around()
            assert [finding.seen for finding in said] == ([first] if clock[0] > 1059 else [])
            said[:] = said[:1]
        said.clear(), doctor.known.clear()
        clock[0], lost[0] = clock[0] + 1, lost[0] + 1
        doctor._look_around()
    assert [finding.seen for finding in said] == [first.replace("39", "60")]


def test_it_is_looked_at_as_a_training_goes_on(monkeypatch):
    looks = []
    monkeypatch.setattr(diagnosis.Doctor, "_look_around", lambda doctor: looks.append(doctor.trainer.steps))
    found_in(session(lr=0.001, steps=110))
    assert looks == [*range(1, 11), *range(15, 101, 5)]


def test_dead_channels_are_looked_for_all_over_the_test_set(monkeypatch):
    monkeypatch.setattr(diagnosis, "LOOKED_AT", 5)
    whole = tiny.tiny(split="test")
    order = np.argsort(whole.labels, kind="stable")
    by_class = cynet.data.ArrayDataset(whole.images[order], whole.labels[order], whole.classes)
    with session(test=by_class) as one:
        doctor = doctor_of(one, print)
        doctor._dead()
        assert len(doctor._pictures) == 5
        wanted = one.test_batches.dataset
        with sessions.test_loader(wanted, one.facts, len(wanted)) as batches:
            x, y = next(iter(batches))
            places = np.linspace(0, len(wanted) - 1, 5).astype(int)
            np.testing.assert_array_equal(doctor._pictures, x[places])
            assert len(set(y[places])) == len(whole.classes)


def test_a_finding_is_said_once():
    said = []
    with session(steps=8) as one:
        doctor = doctor_of(one, said.append)
        for _ in range(3):
            doctor.report(diagnosis.data_bound(10.0, 3.0, 1))
            doctor.report(None)
    assert len(said) == 1


# -- NaN ---------------------------------------------------------------------------------------------------
def test_the_layer_and_samples_of_a_nan_are_named():
    with session(lr=1e30, batch_norm=False) as one:
        with pytest.raises(Diverged) as caught:
            loop.train(one.trainer, one.batches, one.test_batches, 100)
        finding = diagnosis.not_finite(one.trainer, one.batches, caught.value)
        indices = diagnosis.samples(one.trainer, one.batches)
        x, y = caught.value.batch
        np.testing.assert_array_equal(one.batches.dataset.labels[indices], y)
    assert x.shape == (8, 32, 32, 3)
    assert "first with values that are not finite" in finding.seen or "weights that are not" in finding.seen


def test_weights_that_are_not_finite_are_named():
    with session() as one:
        one.model[4].weight.data[0, 0, 0, 0] = np.nan
        with pytest.raises(Diverged) as caught:
            loop.train(one.trainer, one.batches, one.test_batches, 5)
        assert "weights that are not finite: 4.weight" in str(
            diagnosis.not_finite(one.trainer, one.batches, caught.value)
        )
    with session() as one:
        error = Diverged(3, float("inf"), "test loss")
        assert "the test loss is inf at step 3" in str(diagnosis.not_finite(one.trainer, one.batches, error))


def network():
    cynet.seed(0)
    body = Sequential(Conv2d(4, 4, 3, padding=1), BatchNorm2d(4))
    return Sequential(
        Conv2d(4, 4, 3, padding=1), Residual(body, Conv2d(4, 4, 1)), ReLU(),
        Concat(Sequential(Conv2d(4, 2, 1), ReLU()), Conv2d(4, 3, 1)), Flatten(), Linear(180, 3),
    ).eval()  # fmt: skip


def test_outputs_walk_through_every_layer():
    model = network()
    found = list(outputs(model, X))
    assert [path for path, _, _ in found] == [
        "0", "1.body.0", "1.body.1", "1.shortcut", "1", "2", "3.0.0", "3.0.1", "3.1", "3", "4", "5"
    ]  # fmt: skip
    np.testing.assert_allclose(found[-1][2], model(X), atol=1e-5)


class Scaled(Sequential):
    """What a user may write: its parts do not say what comes out."""

    def forward(self, x):
        return 2 * super().forward(x)


def test_outputs_of_a_class_with_a_forward_of_its_own_are_what_it_makes():
    cynet.seed(0)
    model = Sequential(Scaled(Conv2d(4, 4, 1), ReLU()), ReLU()).eval()
    found = list(outputs(model, X))
    assert [path for path, *_ in found] == ["0", "1"]
    np.testing.assert_allclose(found[-1][2], model(X), atol=1e-5)


def test_the_first_layer_with_a_nan_and_its_samples():
    model, x = network(), X.copy()
    assert first_not_finite(model, x) is None
    x[3, 0, 0, 0] = np.nan
    path, layer, places = first_not_finite(model, x)
    assert (path, layer, places.tolist()) == ("0", model[0], [3])
    model[1].body[1].weight.data[:] = np.inf
    path, layer, _ = first_not_finite(model, X)
    assert path == "1.body.1"


def test_dead_channels_are_counted():
    model = Sequential(Conv2d(4, 8, 1), ReLU())
    model[0].bias.data[:3] = -1e6
    ((path, _, dead, channels),) = dead_channels(model, X, ReLU)
    assert (path, dead, channels) == ("1", 3, 8)


def test_samples_of_a_batch():
    with session() as one:
        one.trainer.place.epoch, one.trainer.place.batch = 2, 3
        np.testing.assert_array_equal(
            diagnosis.samples(one.trainer, one.batches), one.batches.order(2)[24:32]
        )


def test_a_training_without_a_run_is_watched():
    """It takes what it needs, of a trainer alone."""
    rng, said = np.random.default_rng(0), []
    x, y = rng.standard_normal((16, 4, 4, 3)).astype(np.float32), np.arange(16) % 2
    cynet.seed(1)
    model = Sequential(Conv2d(3, 4, 1), ReLU(), Flatten(), Linear(64, 2))
    model[0].bias.data[...] = -100
    optimizer = cynet.SGD(model.parameters(), 1e-9)
    trainer = loop.Trainer(model, cynet.CrossEntropyLoss(), optimizer, lambda step: 1e-9)
    doctor = diagnosis.Doctor(trainer, said.append, y, lambda count: x[:count])
    loop.train(trainer, [(x, y)], [(x, y)], 120, [doctor])
    assert {finding.kind for finding in said} == {"dead", "not falling"}
    assert "batch norm before the ReLU" in str(said) and doctor.chance == 0.5
