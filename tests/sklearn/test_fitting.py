"""The estimators at work: in scikit-learn's tools, kept, trained by parts, stopped early; the same bytes."""

import copy
import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("sklearn.base")

import joblib  # scikit-learn brings it
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cynet
from cynet.core import random, threads
from cynet.sklearn import CNNClassifier, CNNRegressor, process
from cynet.sklearn import estimator as estimators

RNG = np.random.default_rng(0)
LABELS = np.array(["dark", "light", "middle"])
KINDS = np.arange(60) % 3
PICTURES = (RNG.integers(0, 60, (60, 6, 5, 3)) + np.array([0, 190, 90])[KINDS, None, None, None]).astype(
    np.uint8
)
ROWS = RNG.standard_normal((80, 4))
NUMBERS = ROWS @ [1.0, -2.0, 0.5, 0.0] * 100 + 1000
QUICK = {"epochs": 12, "learning_rate": 0.02, "random_state": 3}


@pytest.fixture(scope="module")
def classifier():
    return CNNClassifier(**QUICK).fit(PICTURES, LABELS[KINDS])


@pytest.fixture(scope="module")
def regressor():
    return CNNRegressor(**QUICK).fit(ROWS, NUMBERS)


def weights(estimator):
    return {name: array.tobytes() for name, array in estimator.model_.state_dict().items()}


def test_labels_are_texts_and_probabilities_are_in_their_order(classifier):
    assert list(classifier.classes_) == ["dark", "light", "middle"]
    found, wanted = classifier.predict_proba(PICTURES), LABELS[KINDS]
    assert found.dtype == np.float64 and np.allclose(found.sum(axis=1), 1, atol=1e-12)
    assert (classifier.predict(PICTURES) == classifier.classes_[found.argmax(axis=1)]).all()
    assert classifier.score(PICTURES, wanted) == 1 and log_loss(wanted, found) < 0.3
    assert len(classifier.loss_curve_) == classifier.n_iter_ == 12
    assert classifier.loss_curve_[-1] < classifier.loss_curve_[0]


def test_numbers_come_back_in_their_own_units(regressor):
    assert regressor.score(ROWS, NUMBERS) > 0.9 and regressor.predict(ROWS).shape == (80,)
    assert regressor.target_mean_ == pytest.approx(NUMBERS.mean())
    both = np.stack([NUMBERS, ROWS[:, 1], np.full(80, 7.0)], axis=1)
    several = CNNRegressor(**QUICK, loss="huber").fit(ROWS, both)
    found = several.predict(ROWS)
    assert found.shape == (80, 3) and several.score(ROWS, both) > 0.6
    assert np.abs(found[:, 2] - 7).max() < 1, "a number that is always the same"


@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
def test_the_same_random_state_gives_the_same_bytes_for_any_number_of_threads(kind):
    y, found = KINDS if kind is CNNClassifier else NUMBERS[:60], []
    before, kept = cynet.get_num_threads(), random.get_state()
    for n_jobs in (1, 3, -1, None):
        random.seed(99 if n_jobs == 3 else 5)
        state = random.get_state()
        found.append(kind(**{**QUICK, "epochs": 2}, n_jobs=n_jobs).fit(PICTURES, y))
        assert (cynet.get_num_threads(), random.get_state()) == (before, state), "as it was"
    random.set_state(kept)
    assert all(weights(one) == weights(found[0]) for one in found)
    assert len({one.predict(PICTURES).tobytes() for one in found}) == 1
    assert weights(kind(epochs=2, random_state=4).fit(PICTURES, y)) != weights(found[0])


def test_a_random_state_that_is_a_generator_goes_on():
    generator = np.random.RandomState(1)
    one, other = (CNNRegressor(epochs=1, random_state=generator).fit(ROWS, NUMBERS) for _ in range(2))
    assert weights(one) != weights(other)
    again = CNNRegressor(epochs=1, random_state=np.random.RandomState(1)).fit(ROWS, NUMBERS)
    assert weights(again) == weights(one)


def test_trainings_in_threads_do_not_disturb_each_other():
    def net(shape, outputs):
        return cynet.Sequential(cynet.Linear(shape[0], 16), cynet.Dropout(0.5), cynet.Linear(16, outputs))

    def trained(seed):
        return weights(CNNRegressor(net, epochs=3, random_state=seed).fit(ROWS, NUMBERS))

    alone = [trained(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(trained, range(4))) == alone


def test_in_a_pipeline_and_a_search():
    pipeline = make_pipeline(StandardScaler(), CNNClassifier("uwnet2", image_shape=(6, 5, 3), **QUICK))
    grid = {"cnnclassifier__epochs": np.array([1, 12])}
    with joblib.parallel_config("threading"):
        search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(PICTURES.reshape(60, -1), KINDS)
    assert search.best_score_ > 0.9 and search.best_params_["cnnclassifier__epochs"] == 12
    quick = CNNClassifier("uwnet2", epochs=1)
    search = GridSearchCV(quick, {"batch_size": [16, 60]}, cv=2, refit=False).fit(PICTURES, KINDS)
    assert len(search.cv_results_["mean_test_score"]) == 2


def test_kept_and_copied(classifier, regressor):
    for estimator, x in ((classifier, PICTURES), (regressor, ROWS)):
        wanted, file = estimator.predict(x), io.BytesIO()
        joblib.dump(estimator, file)
        file.seek(0)
        for again in (pickle.loads(pickle.dumps(estimator)), joblib.load(file), copy.deepcopy(estimator)):
            assert (again.predict(x) == wanted).all() and weights(again) == weights(estimator)
        assert not hasattr(clone(estimator), "model_")


def test_a_net_that_was_kept_is_trained_on(tmp_path):
    one = CNNRegressor(**QUICK).partial_fit(ROWS, NUMBERS)
    two = pickle.loads(pickle.dumps(one)).partial_fit(ROWS, NUMBERS)
    assert weights(one.partial_fit(ROWS, NUMBERS)) == weights(two) and one.n_iter_ == 2
    joblib.dump(one, tmp_path / "net.joblib")
    mapped = joblib.load(tmp_path / "net.joblib", mmap_mode="r")
    assert (mapped.predict(ROWS) == one.predict(ROWS)).all()


def test_by_parts_it_learns_all_classes():
    estimator = CNNClassifier("uwnet2", **QUICK, class_weight={"dark": 2.0})
    parts = [KINDS < 2, *[slice(0, 30), slice(30, 60)] * 7]  # the first without one of the classes
    for part in parts:
        estimator.partial_fit(PICTURES[part], LABELS[KINDS[part]], classes=LABELS)
    assert estimator.score(PICTURES, LABELS[KINDS]) > 0.9 and estimator.n_iter_ == len(parts)
    with pytest.raises(ValueError, match=r"^classes: wanted all labels that there are"):
        CNNClassifier().partial_fit(PICTURES, KINDS)
    with pytest.raises(ValueError, match=r"^classes: wanted those of the first part"):
        estimator.partial_fit(PICTURES, LABELS[KINDS], classes=["dark", "light"])
    with pytest.raises(ValueError, match=r"^y: wanted labels out of .* got \['other'\]"):
        estimator.partial_fit(PICTURES, np.full(60, "other"))
    with pytest.raises(ValueError, match=r"^class_weight: wanted a dict"):
        CNNClassifier(class_weight="balanced").partial_fit(PICTURES, KINDS, classes=range(3))


def test_a_warm_start_goes_on():
    whole = {**QUICK, "epochs": 1, "schedule": "constant"}
    estimator = CNNRegressor(**whole, warm_start=True).fit(ROWS, NUMBERS)
    first, net = weights(estimator), estimator.model_
    estimator.fit(ROWS, NUMBERS)
    assert estimator.model_ is net and weights(estimator) != first
    estimator.warm_start = False
    assert weights(estimator.fit(ROWS, NUMBERS)) == first
    labelled = CNNClassifier(epochs=1, warm_start=True).fit(PICTURES, KINDS)
    with pytest.raises(ValueError, match=r"^y: wanted labels out of \[0 1 2\], got \[5\]"):
        labelled.fit(PICTURES, np.full(60, 5))


class Watched(CNNClassifier):
    """Notes the weights that each score is of."""

    def _rated(self, y, answers):
        vars(self).setdefault("kept", []).append(weights(self))
        return super()._rated(y, answers)


def test_it_stops_early_and_keeps_the_best():
    estimator = Watched(
        **{**QUICK, "epochs": 40}, early_stopping=True, validation_fraction=0.3, n_iter_no_change=3
    ).fit(PICTURES, KINDS)
    scores = estimator.validation_scores_
    best = int(np.argmax(scores))
    assert estimator.n_iter_ == len(scores) == len(estimator.loss_curve_) == best + 4 < 40
    assert weights(estimator) == estimator.kept[best] != estimator.kept[-1]
    whole = CNNRegressor(**QUICK, early_stopping=True).fit(ROWS, NUMBERS)
    assert len(whole.validation_scores_) == whole.n_iter_ and whole.score(ROWS, NUMBERS) > 0.5


def test_each_part_has_an_order_of_its_own(monkeypatch):
    orders = []

    def walked(trainer, batches):
        orders.append(batches.order(batches.epoch).tolist())
        return 0.0

    monkeypatch.setattr(estimators, "_walked", walked)
    for _ in range(2):
        estimator = CNNRegressor(random_state=0)
        for _ in range(3):
            estimator.partial_fit(ROWS, NUMBERS)
    assert orders[:3] == orders[3:] and len({*map(tuple, orders)}) == 3


def test_jobs_are_threads_counted_as_elsewhere(monkeypatch):
    monkeypatch.setattr(threads, "processors", lambda: 3)
    before = threads.get_num_threads()
    for jobs, count in ((None, before), (1, 1), (5, 5), (-1, 3), (-2, 2), (-3, 1), (-9, 1)):
        with process.running(jobs):
            assert threads.get_num_threads() == count, jobs
        assert threads.get_num_threads() == before
    with pytest.raises(ValueError, match="n_jobs: wanted None, a number from 1"), process.running(0):
        pass


def test_classes_weigh_in_the_loss():
    few = np.r_[np.zeros(57, int), np.ones(3, int)]
    noise = np.random.default_rng(1).standard_normal((60, 3))
    plain, even = (
        CNNClassifier(epochs=10, random_state=0, class_weight=weight).fit(noise, few)
        for weight in (None, "balanced")
    )
    assert even.predict_proba(noise)[:, 1].mean() > plain.predict_proba(noise)[:, 1].mean() + 0.2


def test_what_it_says_of_each_epoch(capsys):
    CNNRegressor(epochs=2, early_stopping=True, verbose=1, random_state=0).fit(ROWS, NUMBERS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("epoch 2/2: loss ") and ", held out " in lines[1]
    CNNRegressor(verbose=1, random_state=0).partial_fit(ROWS, NUMBERS)
    assert capsys.readouterr().out.startswith("epoch 1: loss ")


def test_a_net_of_dropout_is_as_sure_each_time():
    net = cynet.Sequential(cynet.Linear(4, 8), cynet.Dropout(0.5), cynet.Linear(8, 1))
    estimator = CNNRegressor(net, epochs=1, random_state=0).fit(ROWS, NUMBERS)
    assert (estimator.predict(ROWS) == estimator.predict(ROWS)).all() and estimator.model_ is not net
