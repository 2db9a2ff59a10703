"""What a session is put together from: every setting reaches its part."""

from dataclasses import replace

import numpy as np
import pytest
import tiny

import cynet
from cynet import data, runs
from cynet.core import threads
from cynet.runs import session as sessions
from cynet.runs import validation
from cynet.runs.resolving import spread
from cynet.runs.session import load_initial, normalize, test_loader
from cynet.runs.trainers import trainer_of
from cynet.runs.validation import Division
from cynet.train import RunFolder, Session, Settings, save_weights

pytestmark = pytest.mark.usefixtures("one_thread")
test_loader.__test__ = False
PLAIN = Settings(model="uwnet2", data="tiny", batch_size=8, steps=9, workers=0)

DIGEST = 64 * "a"


def session(training=None, test=None, **settings):
    training = tiny.tiny() if training is None else training
    test = tiny.tiny(split="test") if test is None else test
    return Session(replace(PLAIN, **settings).resolved(training), training, test)


def test_every_setting_of_a_step_reaches_its_part():
    settings = replace(
        PLAIN, lr=0.25, momentum=0.5, weight_decay=0.125, label_smoothing=0.1, clip_norm=2.0, ema=0.75,
        mixup=0.5, seed=6, warmup=4, schedule="cosine",
    ).resolved(64)  # fmt: skip
    made = trainer_of(cynet.models.create("uwnet2"), settings, np.array([1.0, 2.0, 3.0]))
    optimizer, criterion = made.optimizer, made.criterion
    assert (optimizer.lr, optimizer.momentum, optimizer.weight_decay) == (0.0625, 0.5, 0.125)
    assert (made.clip_norm, made.average.decay, made.mixup.alpha, made.mixup.seed) == (2.0, 0.75, 0.5, 6)
    assert made.average.model is made.model and made.schedule(3) == 0.25 and made.schedule(8) < 0.05
    logits, y = np.array([[1.0, 2.0, 0.5]], np.float32), np.array([1])
    wanted = cynet.CrossEntropyLoss(0.1, weight=np.array([1.0, 2.0, 3.0]))(logits, y)
    assert criterion(logits, y) == wanted != cynet.CrossEntropyLoss(0.1)(logits, y)
    plain = trainer_of(cynet.models.create("uwnet2"), PLAIN.resolved(64))
    assert (plain.average, plain.mixup, plain.clip_norm) == (None, None, None)


def test_the_loader_gives_batches_of_the_settings():
    for augment in ([], [data.RandomCrop(4), data.RandomFlip()]):
        with session(augment=bool(augment), seed=3) as one:
            transforms = [*augment, data.Normalize(one.facts.mean, one.facts.std)]
            own = data.DataLoader(
                tiny.tiny(), 8, shuffle=True, seed=3, workers=0, drop_last=True, transforms=transforms
            )
            with own as wanted:
                assert len(one.batches) == len(wanted) == 8
                for (x, y), (other, labels) in zip(one.batches, wanted, strict=True):
                    np.testing.assert_array_equal(x, other)
                    np.testing.assert_array_equal(y, labels)
    with session(batch_size=9) as one:
        sizes = [len(y) for _, y in one.batches]
        assert sizes == [9] * 7


def test_the_test_set_is_whole_and_in_order_whatever_the_batches():
    test = tiny.tiny(split="test")
    with session() as one:
        assert one.test_batches.batch_size == 250 and one.evaluation_batches is one.test_batches
        for size in (1, 7, 20, 250):
            with test_loader(test, one.facts, size) as batches:
                labels = [int(label) for _, y in batches for label in y]
            assert labels == test.labels.tolist()
        x, _ = next(iter(one.test_batches))
        wanted = (test.images / 255 - mean()) / std()
        np.testing.assert_allclose(x.transpose(0, 3, 1, 2), wanted, rtol=1e-4, atol=1e-5)
        assert len(normalize(one.facts).mean) == 3


def mean():  # of the training pictures, also for those of the test set
    whole = tiny.tiny().images / 255
    return whole.mean(axis=(0, 2, 3))[:, None, None]


def std():
    whole = tiny.tiny().images / 255
    return whole.std(axis=(0, 2, 3))[:, None, None]


def test_what_is_held_out_is_trained_on_nowhere():
    training = tiny.tiny()
    with session(validation=0.25) as one:
        kept, held_out = one.division.kept, one.division.held_out
        assert sorted([*kept, *held_out]) == list(range(64)) and len(held_out) == 16
        assert one.measure == "validation" and len(one.batches) == 6
        for epoch in range(3):
            assert set(one.batches.order(epoch)) <= set(kept)
        seen = [int(label) for _, y in one.evaluation_batches for label in y]
        assert seen == training.labels[held_out].tolist()
        part = training.images[kept] / 255
        assert one.facts.mean == pytest.approx(part.mean(axis=(0, 2, 3)), rel=1e-6)
        assert one.facts.std == pytest.approx(part.std(axis=(0, 2, 3)), rel=1e-6)
        assert len(one.test_batches.dataset) == 20 and one.evaluation_batches is not one.test_batches
    with session(validation=0.25, balanced=True) as one:
        assert set(one.batches.order(0)) <= set(one.division.kept)


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_some_of_what_is_evaluated_is_spread_over_all(share, monkeypatch):
    monkeypatch.setattr(sessions, "TEST_BATCH", 4)  # however many they are, they are one batch
    with session(validation=share) as one:
        samples = one.division.held_out if share else np.arange(20)
        dataset = one.batches.dataset if share else one.test_batches.dataset
        for count in (1, 5, len(samples), 999):
            with one.evaluation_loader(count) as batches:
                ((_, y),) = batches
            number = min(count, len(samples))
            places = np.linspace(0, len(samples) - 1, number).astype(int)
            assert y.tolist() == dataset.labels[samples[places]].tolist()
        with one.evaluation_loader() as batches:
            assert sum(len(y) for _, y in batches) == len(samples)


def test_class_weights_are_those_of_what_is_trained_on():
    whole = tiny.tiny()
    kept = np.flatnonzero((whole.labels < 2) | (np.arange(64) % 6 == 2))
    uneven = data.ArrayDataset(whole.images[kept], whole.labels[kept], whole.classes)
    with session(uneven, class_weights="balanced", validation=0.25) as one:
        labels = uneven.labels[one.division.kept]
        np.testing.assert_array_equal(one.class_weights, data.class_weights(labels, 3))
        assert one.class_weights[2] > one.class_weights[0]
    with session(uneven) as one:
        assert one.class_weights is None


def test_threads_are_set_where_they_are_given():
    threads.set_num_threads(1)
    with session(threads=2):
        assert threads.get_num_threads() == 2
    threads.set_num_threads(1)
    with session():
        assert threads.get_num_threads() == 1


def test_the_loaders_are_closed_at_the_end():
    closed = []
    with session(validation=0.25) as one:
        for name in ("batches", "evaluation_batches", "test_batches"):
            getattr(one, name).close = lambda name=name: closed.append(name)
    assert closed == ["batches", "evaluation_batches", "test_batches"]


def labelled(labels, classes=("a", "b", "c"), shape=(3, 32, 32)):
    rng = np.random.default_rng(0)
    return data.ArrayDataset(rng.integers(0, 256, (len(labels), *shape), np.uint8), np.array(labels), classes)


@pytest.mark.parametrize(("training", "settings", "words"), [
    (labelled([1] * 16), {}, "data: wanted pictures of at least two classes, got 16 of b alone"),
    (labelled([0, 1] * 8, ("x", "y", "x")), {}, "data: classes: wanted a name of its own for each class"),
    (labelled([0, 1] * 8, shape=(3, 12, 12)), {"model": "squeezenet1_1"},
     "model: squeezenet1_1 cannot take the pictures of tiny, 12 x"),
    (labelled([0, 1] * 8), {"model": "uwnet0", "batch_size": 1},
     "batch_size: wanted at least 2, for the batch norm of single values, got 1"),
    (labelled([0, 1] * 8), {"validation": 0.9}, "batch_size: wanted at most the 2 training samples"),
])  # fmt: skip
def test_what_cannot_be_trained_is_refused_by_its_setting(training, settings, words):
    with pytest.raises(ValueError, match=r"wanted|cannot") as caught:
        session(training, **settings)
    assert str(caught.value).startswith(words)


def test_a_batch_norm_of_single_values_is_told_by_what_it_gets():
    for model, single in (
        (cynet.BatchNorm1d(3), False),
        (cynet.Sequential(cynet.GlobalAvgPool2d(), cynet.BatchNorm1d(3)), True),
        (cynet.Sequential(cynet.MaxPool2d(4), cynet.BatchNorm2d(3)), True),
        (cynet.Sequential(cynet.MaxPool2d(2), cynet.BatchNorm2d(3)), False),
    ):
        shape = (1, 4, 3) if isinstance(model, cynet.BatchNorm1d) else (1, 4, 4, 3)
        assert sessions.norms_single_values(model, shape) == single


def test_a_batch_of_one_is_taken_where_no_norm_is_of_single_values():
    for settings in (
        {"model": "uwnet2"},
        {"model": "uwnet0", "batch_norm": False},
        {"model": "uwnet0", "batch_size": 2},
    ):
        with session(**{"batch_size": 1} | settings) as one:
            assert one.model is one.trainer.model


def test_initial_weights_of_another_model_are_told_as_what_they_are(tmp_path):
    path = tmp_path / "w.safetensors"
    with session(model="uwnet1") as other:
        save_weights(path, other.model, other.facts)
    words = "that is a uwnet1 with batch norm of 3 classes and 3-channel pictures, this is a uwnet2 with "
    with session() as one:
        before = one.model.state_dict()
        with pytest.raises(ValueError, match=rf"init_from: .*w\.safetensors: {words}batch norm of 3 classes"):
            load_initial(one.model, path, one.facts)
        assert all(np.array_equal(before[name], array) for name, array in one.model.state_dict().items())
        save_weights(path, one.model, one.facts)
    with session(seed=3, init_from=str(path)) as again:
        assert all(np.array_equal(before[name], array) for name, array in again.model.state_dict().items())
    folder = RunFolder(tmp_path / "run")
    folder.write_config({"model": "uwnet2"})
    (tmp_path / "w.safetensors").rename(folder.weights)
    with session(seed=3, init_from=str(folder.path)) as again:
        assert all(np.array_equal(before[name], array) for name, array in again.model.state_dict().items())
    folder.weights.rename(path)
    with pytest.raises(
        ValueError, match=r"that is a uwnet2 with batch norm .*, this is a uwnet2 of 3 classes"
    ):
        session(batch_norm=False, init_from=str(path))


def test_more_than_ten_tensors_that_do_not_fit_are_counted(tmp_path):
    from cynet.interop import safetensors

    path = tmp_path / "w.safetensors"
    safetensors.save({f"x{i:02}": np.zeros(1, np.float32) for i in range(12)}, path)
    with session() as one:
        with pytest.raises(ValueError, match="state does not fit") as caught:
            one.model.load_state_dict(safetensors.load(path)[0])
        wrong = str(caught.value).count("; ") + 1
        with pytest.raises(ValueError, match="and ") as caught:
            load_initial(one.model, path, one.facts)
    text = str(caught.value)
    assert text.endswith(f"; and {wrong - 10} more") and text.count("; ") == 10 and "that is a" not in text


def test_a_constant_channel_is_divided_by_one():
    assert spread((0.5, 0.0, np.float32(0.25))) == (0.5, 1.0, 0.25)


# -- what is held out --------------------------------------------------------------------------------------
def test_a_division_is_recorded_with_its_numbers():
    import hashlib

    found = Division.of(tiny.tiny(), replace(PLAIN, validation=0.25, split_seed=3))
    digest = hashlib.sha256(found.held_out.astype("<i8").tobytes()).hexdigest()
    assert found.record() == {
        "share": 0.25,
        "seed": 3,
        "training": 48,
        "validation": 16,
        "sha256": digest[:16],
    }
    assert Division.of(tiny.tiny(), PLAIN).record() is None
    for settings, words in (
        ({"validation": 1.0}, "validation: wanted"),
        ({"validation": 0.5, "split_seed": -1}, "split_seed"),
    ):
        with pytest.raises(ValueError, match=words):
            Division.of(tiny.tiny(), replace(PLAIN, **settings))
    assert [validation.measure_of({"validation": share}) for share in (0, 0.0, 0.1)] == [
        "test",
        "test",
        "validation",
    ]
    assert validation.measure_of({}) == "test"


def test_what_the_test_set_said_is_kept_with_what_was_said_before(tmp_path):
    from cynet.train import Evaluation

    folder = RunFolder(tmp_path / "run")
    folder.write_config({"validation": 0.2})
    assert validation.read_tested(folder) == {} and validation.results(folder) == {}
    found = Evaluation(0.5, np.array([3, 5]), np.array([[3, 0], [1, 4]]))
    best = {"accuracy": 0.5, "step": 8, "epoch": 1}
    for steps, before in ((10, []), (20, [10]), (30, [10, 20])):
        validation.write_tested(folder, found, DIGEST, best, steps)
        assert validation.read_tested(folder) == {
            "weights": "best.safetensors", "sha256": DIGEST, "step": 8, "steps": steps, "loss": 0.5,
            "accuracy": 0.875, "samples": 8, "before": before,
        }  # fmt: skip
    folder.metrics.add("8,1,0.1,1,0.9,2,0.5,3")
    folder.metrics.add("16,2,0.1,1.5,0.8,2.5,0.25,3")
    folder.sync()
    assert validation.results(folder) == {
        "step": "16", "train_loss": "1.5", "validation_loss": "2.5", "validation_accuracy": "0.25",
        "test_loss": "0.5", "test_accuracy": "0.875",
    }  # fmt: skip
    endless = Evaluation(float("inf"), found.samples, found.confusion)
    validation.write_tested(folder, endless, DIGEST, best, 40)
    assert validation.read_tested(folder)["loss"] == float("inf")
    folder.close()


@pytest.mark.parametrize("made", [False, True])
def test_a_net_of_ones_own_takes_the_place_of_the_registrys_name(tmp_path, made):
    def small(input_shape, classes):
        return cynet.Sequential(cynet.GlobalAvgPool2d(), cynet.Linear(input_shape[-1], classes))

    cynet.seed(0)
    net, tests = small((32, 32, 3), 3) if made else small, tiny.tiny(split="test")
    with Session(PLAIN.resolved(tiny.tiny()), tiny.tiny(), tests, model=net) as own:
        save_weights(tmp_path / "a.safetensors", own.model, own.facts)
        wanted = own.net.name
    assert own.settings.model == own.facts.model == wanted and wanted not in cynet.models.names()
    model, facts = cynet.train.load_weights(tmp_path / "a.safetensors")
    assert facts.model == wanted and len(model.parameters()) == 2


def test_a_model_that_nobody_knows_is_told_by_its_name():
    settings = Settings(data="tiny", model="uwnet22", batch_size=16, steps=3, workers=0).resolved(64)
    with pytest.raises(ValueError, match=r"^model: wanted one of uwnet0, .*, got 'uwnet22' \(did you mean"):
        Session(settings, tiny.tiny(), tiny.tiny(split="test"))


@pytest.mark.parametrize(("told", "called"), [("shapes10", "ArrayDataset"), ("tiny", "tiny")])
def test_weights_tell_what_they_were_trained_on(told, called):
    training, test = (
        data.ArrayDataset(*own)
        for own in ((one.images, one.labels, one.classes) for one in (tiny.tiny(), tiny.tiny(split="test")))
    )
    with Session(replace(PLAIN, data=told).resolved(training), training, test) as made:
        assert made.facts.data == called


def darker(root=None, split="train"):
    found = tiny.tiny(split=split)
    return data.ArrayDataset(found.images // 2, found.labels, found.classes)


@pytest.mark.parametrize("checkpoint", [True, False])
def test_other_data_may_be_gone_on_with_where_that_is_allowed(tmp_path, checkpoint):
    data.register("darker", darker)
    outcome = runs.start(replace(PLAIN, steps=2), tmp_path / "run", report=False, say=None)
    assert outcome.status == "finished"
    if not checkpoint:
        for path in (tmp_path / "run").glob("last*"):
            path.unlink()
    more = {"data": "darker", "steps": 4, "report": False, "say": None}
    with pytest.raises(ValueError, match="data"):
        runs.resume(tmp_path / "run", **more, allow_change=["steps"])
    assert runs.resume(tmp_path / "run", **more, allow_change=["steps", "data"]).status == "finished"


@pytest.mark.parametrize(("settings", "words"), [
    ({"augment": True}, "^augment: wanted pictures of bytes, uint8, got ArrayDataset.* of float32$"),
    ({"augment": "flip"}, "^augment: wanted pictures of bytes, uint8, got ArrayDataset.* of float32$"),
])  # fmt: skip
def test_pictures_of_floats_are_augmented_by_nothing(settings, words):
    floats = data.ArrayDataset(
        np.random.default_rng(0).random((16, 3, 32, 32), np.float32), np.arange(16) % 3
    )
    with session(floats, floats) as made:
        assert made.facts.kind == "float32"
    with pytest.raises(ValueError, match=words):
        session(floats, floats, **settings)


def test_views_are_of_pictures():
    rows = data.ArrayDataset(
        np.random.default_rng(0).random((16, 4), np.float32), np.arange(16) % 3, layout="NF"
    )
    with pytest.raises(ValueError, match=r"^tta: wanted pictures, which have such views, got ArrayDataset"):
        Session(
            replace(PLAIN, tta="flip").resolved(rows), rows, rows,
            model=lambda input_shape, classes: cynet.Linear(*input_shape, classes),
        )  # fmt: skip


@pytest.mark.parametrize(("change", "words"), [
    ({"shape": (3, 32, 31)}, "samples for testing as those for training, uint8 32 32 3, got uint8 32 31 3"),
    ({"dtype": np.float32}, "samples for testing as those for training, uint8 32 32 3, got float32 32 32 3"),
    ({"labels": np.eye(12, 3, dtype=np.int64)},
     "labels for testing as those for training, classify, got multilabel 3"),
])  # fmt: skip
def test_samples_for_testing_are_of_the_kind_of_those_for_training(change, words):
    images = np.zeros((12, *change.get("shape", (3, 32, 32))), change.get("dtype", np.uint8))
    test = data.ArrayDataset(images, change.get("labels", np.arange(12) % 3), ("a", "b", "c"))
    with pytest.raises(ValueError) as caught:
        session(test=test)
    assert str(caught.value) == f"data: wanted {words}"
