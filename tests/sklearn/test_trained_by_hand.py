"""What the estimators train, beside the same training put together by hand; what their parameters mean."""

import copy
import inspect
import threading

import numpy as np
import pytest

pytest.importorskip("sklearn.base")

from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

import cynet
from cynet import data, schedules
from cynet.core import random, threads
from cynet.sklearn import CNNClassifier, CNNRegressor, nets, process, samples
from cynet.train import mixup

RNG = np.random.default_rng(5)
X = RNG.standard_normal((50, 3)).astype(np.float32) * [1, 2, 0.1] + 3
NUMBERS = np.stack([X[:, 0] * 0.01, X[:, 1] + X[:, 2] * 5], axis=1)
LABELS = np.arange(50) % 5 // 3  # three of five are 0
SEED = int(np.random.RandomState(0).randint(2**31 - 1))  # what random_state=0 draws first
OPTIMIZERS = {
    "adam": lambda *given: cynet.Adam(given[0], given[1], (given[2], 0.999), weight_decay=given[3]),
    "adamw": lambda *given: cynet.AdamW(given[0], given[1], (given[2], 0.999), weight_decay=given[3]),
    "sgd": cynet.SGD, "nesterov": lambda *given: cynet.SGD(*given, nesterov=True),
}  # fmt: skip
SCHEDULES = {
    "cosine": schedules.Cosine, "constant": lambda lr, steps: schedules.Constant(lr),
    "one-cycle": schedules.OneCycle,
}  # fmt: skip


def small(shape, outputs):
    return cynet.Sequential(cynet.Linear(shape[0], 6), cynet.Dropout(0.3), cynet.Linear(6, outputs))


def weights(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


class ByHand:
    """A training as an estimator of random_state=0 makes it, of the same samples, epoch by epoch."""

    def __init__(self, x, y, criterion, optimizer, schedule, outputs):
        random.seed(SEED)
        self.scale = data.Normalize(x.mean(axis=0, dtype=float), x.std(axis=0, dtype=float))
        self.model = small(x.shape[1:], outputs).train()
        self.criterion, self.optimizer, self.schedule = (
            criterion,
            optimizer(self.model.parameters()),
            schedule,
        )
        self.y, self.x, self.epochs, self.steps = y, x, 0, 0

    def epoch(self, part, size, task):
        """The mean loss over a part of the samples, in an order of this epoch's."""
        found = data.ArrayDataset(self.x[part], self.y[part], layout="NF", task=task)
        loader = data.DataLoader(found, size, seed=SEED, workers=0, transforms=[self.scale])
        loader.epoch, self.epochs = self.epochs, self.epochs + 1
        return sum(self._step(x, y) * len(y) for x, y in loader) / len(self.x[part])

    def _step(self, x, y):
        loss = self.criterion(self.model(x), y)
        self.optimizer.zero_grad()
        self.model.backward(self.criterion.backward())
        self.optimizer.lr = self.schedule(self.steps)
        self.optimizer.step()
        self.steps += 1
        return loss


@pytest.mark.parametrize(("options", "lr", "momentum", "decay"), [
    ({}, 0.003, 0.9, 0.0), ({"optimizer": "adamw", "weight_decay": 0.3}, 0.003, 0.9, 0.3),
    ({"weight_decay": 0.2, "momentum": 0.5, "schedule": "constant"}, 0.003, 0.5, 0.2),
    ({"optimizer": "sgd", "learning_rate": 0.02, "schedule": "one-cycle"}, 0.02, 0.9, 0.0),
    ({"optimizer": "nesterov", "learning_rate": 0.02, "weight_decay": 0.1}, 0.02, 0.9, 0.1),
])  # fmt: skip
def test_a_classifier_is_trained_as_the_parameters_say(options, lr, momentum, decay):
    settings = {"optimizer": "adam", "schedule": "cosine"} | options
    found = CNNClassifier(small, epochs=3, batch_size=20, random_state=0, **options).fit(X, LABELS)
    with random.kept():
        by_hand = ByHand(
            X.astype(np.float32), LABELS, cynet.CrossEntropyLoss(),
            lambda given: OPTIMIZERS[settings["optimizer"]](given, lr, momentum, decay),
            SCHEDULES[settings["schedule"]](lr, 9), 2,
        )  # fmt: skip
        losses = [by_hand.epoch(slice(None), 17, "classify") for _ in range(3)]  # 17, 17, 16 samples a step
    assert weights(found.model_) == weights(by_hand.model)
    assert found.loss_curve_ == pytest.approx(losses, rel=1e-12) and found.validation_scores_ == []


@pytest.mark.parametrize("loss", ["mse", "l1", "huber"])
def test_a_regressor_is_trained_on_standardised_numbers(loss):
    found = CNNRegressor(small, epochs=2, batch_size=25, random_state=0, loss=loss).fit(X, NUMBERS)
    mean, std = NUMBERS.mean(axis=0), NUMBERS.std(axis=0)
    criterion = {"mse": cynet.MSELoss, "l1": cynet.L1Loss, "huber": cynet.HuberLoss}[loss]()
    with random.kept():
        by_hand = ByHand(
            X.astype(np.float32), ((NUMBERS - mean) / std).astype(np.float32), criterion,
            lambda given: OPTIMIZERS["adam"](given, 0.003, 0.9, 0.0), schedules.Cosine(0.003, 4), 2,
        )  # fmt: skip
        losses = [by_hand.epoch(slice(None), 25, "regress") for _ in range(2)]
    assert weights(found.model_) == weights(by_hand.model) and found.loss_curve_ == pytest.approx(losses)
    assert found.target_mean_ == pytest.approx(mean) and found.target_std_ == pytest.approx(std)
    outputs = by_hand.model.eval()(((X - found.mean_) / found.std_).astype(np.float32))
    np.testing.assert_allclose(found.predict(X), outputs * std + mean, rtol=1e-4, atol=1e-5)


def test_parts_are_one_training_with_one_optimiser_at_a_constant_rate():
    """Its moments, its steps and the random numbers of dropout go on where the last part ended."""
    parts = slice(0, 30), slice(20, 50), slice(0, 50)
    drawn = np.random.RandomState(0)  # an own seed for each call; the first one's counts
    found = CNNClassifier(small, batch_size=30, random_state=drawn)
    for part in parts:
        found.partial_fit(X[part], LABELS[part], classes=[0, 1])
    with random.kept():
        by_hand = ByHand(
            X.astype(np.float32), LABELS, cynet.CrossEntropyLoss(),
            lambda given: OPTIMIZERS["adam"](given, 0.003, 0.9, 0.0), schedules.Constant(0.003), 2,
        )  # fmt: skip
        first = X[parts[0]]
        by_hand.scale = data.Normalize(found.mean_, found.std_)
        losses = [by_hand.epoch(part, min(30, len(X[part])) if i < 2 else 25, "classify")
                  for i, part in enumerate(parts)]  # fmt: skip
    assert found.mean_ == pytest.approx(first.mean(axis=0), rel=1e-6)
    assert weights(found.model_) == weights(by_hand.model) and found.loss_curve_ == pytest.approx(losses)


def test_what_mixes_pictures_goes_on_from_part_to_part():
    pictures, labels = RNG.integers(0, 256, (8, 3, 3, 1)).astype(np.uint8), np.arange(8) % 2
    net = cynet.Sequential(cynet.Flatten(), cynet.Linear(9, 2))
    still = {"augment": "mixup", "learning_rate": 1e-30, "random_state": np.random.RandomState(0)}
    found = CNNClassifier(net, **still)
    scale = data.Normalize(pictures.mean(axis=(0, 1, 2)) / 255, pictures.std(axis=(0, 1, 2)) / 255)
    for part in range(3):
        found.partial_fit(pictures, labels, classes=[0, 1])
        loader = data.DataLoader(data.ArrayDataset(pictures, labels, layout="NHWC"), 8, seed=SEED, workers=0,
                                 transforms=[scale])  # fmt: skip
        loader.epoch = part
        ((x, y),) = loader
        mixed, others, share = mixup.Mixup(0.2, seed=SEED)(x, y, part)
        logits, criterion = net(mixed), cynet.CrossEntropyLoss()
        wanted = share * criterion(logits, y) + (1 - share) * criterion(logits, others)
        assert found.loss_curve_[-1] == pytest.approx(wanted, rel=1e-4), part


def test_a_net_that_evaluates_is_trained_all_the_same():
    """Its dropout is at work: a Layer may have been used before."""
    with random.kept():
        random.seed(1)
        net = small((3,), 2)
    found = [
        CNNClassifier(each, epochs=1, random_state=0).fit(X, LABELS)
        for each in (net, copy.deepcopy(net).eval())
    ]
    assert weights(found[0].model_) == weights(found[1].model_)
    found[0].partial_fit(X, LABELS)
    found[1].model_.eval()
    found[1].partial_fit(X, LABELS)
    assert weights(found[0].model_) == weights(found[1].model_)


def test_parts_after_a_fit_begin_with_a_new_optimiser():
    options = {"epochs": 1, "random_state": 0}
    one, other = CNNRegressor(small, **options), CNNRegressor(small, **options)
    one.partial_fit(X[:9], NUMBERS[:9])
    for each in (one, other):
        each.fit(X, NUMBERS).partial_fit(X, NUMBERS)
    assert weights(one.model_) == weights(other.model_) and one.n_iter_ == len(one.loss_curve_) == 2


# -- batches -------------------------------------------------------------------------------------------------
class Seen(cynet.Layer):
    """Hands on what it gets, and notes of how many samples, with how many threads."""

    training_sizes, sizes, teams = [], [], []

    def output_shape(self, shape):
        return shape

    def forward(self, x):
        (self.training_sizes if self.training else self.sizes).append(len(x))
        self.teams.append(threads.get_num_threads())
        return x

    def backward(self, dy):
        return dy


@pytest.fixture
def seen():
    for notes in (Seen.training_sizes, Seen.sizes, Seen.teams):
        notes.clear()
    return lambda shape, outputs: cynet.Sequential(Seen(), cynet.Linear(shape[0], outputs))


@pytest.mark.parametrize(("count", "most", "sizes"), [
    (50, 50, [50]), (50, 49, [25, 25]), (50, 20, [17, 17, 16]), (50, 1000, [50]), (5, 2, [2, 2]),
    (4, 3, [2, 2]), (41, 10, [9, 9, 9, 9, 5]), (41, 20, [14, 14, 13]),
])  # fmt: skip
def test_batches_are_as_equal_as_they_can_be(seen, count, most, sizes):
    CNNRegressor(seen, epochs=1, batch_size=most).fit(X[:count], NUMBERS[:count])
    assert [size for size in Seen.training_sizes if size] == sizes


def test_a_single_sample_is_a_part(seen):
    found = CNNRegressor(seen, epochs=1).partial_fit(X[:1], NUMBERS[:1])
    assert Seen.training_sizes[-1] == 1 and found.n_iter_ == 1
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        CNNRegressor(seen, epochs=1).fit(X[:1], NUMBERS[:1])


def test_many_samples_are_predicted_some_hundreds_at_a_time(seen):
    found = CNNRegressor(seen, epochs=1).fit(X, NUMBERS)
    Seen.sizes.clear()
    assert found.predict(np.tile(X, (12, 1))).shape == (600, 2) and Seen.sizes == [250, 250, 100]


def test_fit_and_predict_use_the_threads_of_n_jobs(seen):
    before = threads.get_num_threads()
    found = CNNRegressor(seen, epochs=1, n_jobs=before + 1).fit(X, NUMBERS)
    assert set(Seen.teams[1:]) == {before + 1}
    Seen.teams.clear()
    found.predict(X)
    assert Seen.teams == [before + 1] and threads.get_num_threads() == before


def test_predictions_of_several_threads_wait_for_each_other():
    """What evaluates a net changes it for as long."""
    both = threading.Barrier(2)

    class Meeting(Seen):
        def forward(self, x):
            if both.n_waiting or Meeting.met is not None:
                try:
                    both.wait(0.1)
                    Meeting.met = True
                except threading.BrokenBarrierError:
                    pass
            return x

    Meeting.met = None
    found = CNNRegressor(lambda shape, n: cynet.Sequential(Meeting(), cynet.Linear(3, n)), epochs=1)
    found.fit(X, NUMBERS)
    Meeting.met = False
    calls = [threading.Thread(target=found.predict, args=(X,)) for _ in range(2)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert Meeting.met is False


# -- what is held out ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
def test_what_is_held_out_is_a_share_of_every_class_and_rated_as_by_score(kind, capsys):
    y = LABELS if kind is CNNClassifier else NUMBERS
    options = {"early_stopping": True, "validation_fraction": 0.4, "n_iter_no_change": 3, "verbose": 1}
    found = kind(small, epochs=40, learning_rate=0.3, random_state=0, **options).fit(X, y)
    kept, held = train_test_split(
        np.arange(50), test_size=0.4, random_state=SEED, stratify=y if kind is CNNClassifier else None
    )
    rated = found.score(X[held], y[held])
    assert max(found.validation_scores_) == pytest.approx(rated, abs=1e-6)
    if kind is CNNClassifier:
        assert np.bincount(y[held]).tolist() == [12, 8]
    else:
        assert rated == pytest.approx(r2_score(y[held], found.predict(X[held])))
    assert found.mean_ == pytest.approx(X[kept].mean(axis=0), rel=1e-6)
    count = len(found.loss_curve_)
    assert found.validation_scores_[-1] < max(found.validation_scores_)
    assert capsys.readouterr().out.splitlines() == [
        f"epoch {i + 1}/40: loss {found.loss_curve_[i]:.4f}, held out {found.validation_scores_[i]:.4f}"
        for i in range(count)
    ]


def test_balanced_classes_are_weighed_by_how_many_are_trained_on():
    found = CNNClassifier(small, epochs=1, random_state=0, batch_size=50, class_weight="balanced").fit(
        X, LABELS
    )
    by_number = CNNClassifier(
        small, epochs=1, random_state=0, batch_size=50, class_weight={0: 50 / 60, 1: 50 / 40}
    ).fit(X, LABELS)
    assert weights(found.model_) == weights(by_number.model_)
    plain = CNNClassifier(small, epochs=1, random_state=0, batch_size=50).fit(X, LABELS)
    assert weights(found.model_) != weights(plain.model_)


# -- nets, shapes, defaults ----------------------------------------------------------------------------------
def kinds(model):
    """The layers of a net in order, with what their weights' shapes are."""
    return [(type(layer).__name__, *(p.data.shape for p in layer.parameters()[:1])) for layer in model]


def test_the_usual_nets():
    assert kinds(nets.usual((5,), 2)) == [
        ("Linear", (64, 5)), ("ReLU",), ("Linear", (64, 64)), ("ReLU",), ("Linear", (2, 64)),
    ]  # fmt: skip
    found = nets.usual((9, 6, 3), 4)
    block = "Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"
    assert [name for name, *_ in kinds(found)] == [*block, *block, *block[:-1], "GlobalAvgPool2d", "Linear"]
    convolutions = [layer.weight.data.shape for layer in found if type(layer) is cynet.Conv2d]
    assert convolutions == [(16, 3, 3, 3), (32, 16, 3, 3), (64, 32, 3, 3)]
    assert repr(found[3]) == "MaxPool2d(kernel_size=3, stride=2, padding='same')"
    assert repr(nets.usual((20, 2), 3)) == repr(cynet.models.create("conv1d_small", (20, 2), 3))


def test_a_known_net_that_gives_something_else_is_refused():
    with pytest.raises(
        ValueError, match=r"^model: wanted a net that gives 2 for a sample, got language_model: "
    ):
        CNNClassifier("language_model", epochs=1).fit(X, LABELS)


DEFAULTS = {
    "model": None, "model_options": None, "image_shape": None, "epochs": 20, "batch_size": 32,
    "optimizer": "adam", "learning_rate": 0.003, "momentum": 0.9, "weight_decay": 0.0, "schedule": "cosine",
    "augment": None, "standardize": True, "early_stopping": False, "validation_fraction": 0.1,
    "n_iter_no_change": 5, "warm_start": False, "random_state": None, "n_jobs": None, "verbose": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "more"), [(CNNClassifier, {"class_weight": None}), (CNNRegressor, {"loss": "mse"})]
)
def test_what_parameters_are_where_nobody_gives_them(kind, more):
    assert kind().get_params() == DEFAULTS | more
    given = {name: object() for name in DEFAULTS | more}
    assert kind(**given).get_params() == given
    by_name = inspect.signature(kind).parameters.values()
    assert [p.name for p in by_name if p.kind is not p.KEYWORD_ONLY] == ["model"]


@pytest.mark.parametrize(("shape", "sound"), [
    ((3, 8, 3), True), ((1, 8, 3), True), ((3, 8, 1), True), ((1, 8, 6), False), ((3, 8, 4), False),
    ((8, 3, 4), True), ((2, 8, 4), True),
])  # fmt: skip
def test_channels_that_seem_to_come_first_are_asked_about(shape, sound):
    count = int(np.prod(shape))
    if sound:
        assert samples.input_shape(None, shape, count) == shape
    else:
        with pytest.raises(ValueError, match="X: wanted channels last"):
            samples.input_shape(None, shape, count)
    assert samples.input_shape(shape, shape, count) == shape


def test_lists_of_signals_are_signals():
    signals = RNG.standard_normal((6, 7, 2))
    for given in (signals, signals.tolist(), tuple(signals)):
        rows, shape = samples.flattened(given)
        assert shape == (7, 2) and np.array_equal(rows, signals.reshape(6, 14))
    assert samples.flattened(signals[:, 0].tolist())[1] is None


@pytest.mark.parametrize("classes", [["a"], ["a", "a"]])
def test_a_class_alone_is_none_to_tell_by_parts_either(classes):
    with pytest.raises(ValueError, match=r"^y: wanted at least two classes, got 1 class: \['a'\]$"):
        CNNClassifier(small).partial_fit(X[:2], ["a", "a"], classes=classes)


def test_a_number_of_threads_is_within_what_there_may_be():
    for jobs in (-threads.MOST - 1, threads.MOST + 1):
        with pytest.raises(ValueError, match=f"n_jobs: wanted at .*, got {jobs}$"), process.running(jobs):
            pass


@pytest.mark.parametrize("augment", ["", False, None])
def test_no_augmentation_may_be_said_in_several_ways(augment):
    found = CNNRegressor(small, epochs=1, random_state=0, augment=augment).fit(X, NUMBERS)
    assert weights(found.model_) == weights(
        CNNRegressor(small, epochs=1, random_state=0).fit(X, NUMBERS).model_
    )
