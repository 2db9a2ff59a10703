"""What training and evaluation are given to walk through: odd things are answered in sentences."""

import numpy as np
import pytest
from test_loop import Log, rows, trainer

import cynet
from cynet import data
from cynet.train import evaluate, loop, predict
from cynet.train.lr_find import lr_find

GOOD = rows(20, 5)


class Wrong:
    """Batches whose length says another number; `once`: of the first walk alone."""

    def __init__(self, batches, says):
        self.batches, self.says = batches, says

    def __len__(self):
        return self.says

    def __iter__(self):
        return iter(self.batches)


@pytest.mark.parametrize(("count", "says"), [(4, 3), (4, 1), (3, 4), (0, 2)])
def test_another_number_of_batches_than_the_length_says(count, says):
    made, log = trainer(), Log()
    got = "more" if count > says else count
    with pytest.raises(
        ValueError, match=f"^batches: wanted {says} of them, as their length says, got {got}$"
    ):
        loop.train(made, Wrong(GOOD[:count], says), GOOD, 12, [log])
    assert made.steps == min(count, says) and not log.results


def test_steps_that_end_before_the_wrong_batch_are_taken():
    assert loop.train(trainer(), Wrong(GOOD, 3), GOOD, 3).step == 3
    assert loop.train(trainer(), Wrong(GOOD[:2], 3), GOOD, 2).step == 2


def test_a_sampler_whose_epochs_have_different_lengths():
    images = np.random.default_rng(0).integers(0, 256, (30, 1, 2, 3), np.uint8)
    dataset = data.ArrayDataset(images, np.arange(30) % 3, tuple("abc"))

    def order(epoch):
        return np.arange(10 if epoch % 2 else 25)

    batches = data.DataLoader(dataset, 5, workers=0, sampler=order)
    model = cynet.Sequential(cynet.Flatten(), cynet.Linear(6, 3))
    made = loop.Trainer(model, cynet.CrossEntropyLoss(), cynet.SGD(model.parameters(), 0.1), lambda step: 0.1)
    log = Log()
    loop.train(made, batches, data.DataLoader(dataset, 30, workers=0), 19, [log])
    assert [result.step for result in log.results] == [5, 7, 12, 14, 19]
    assert [result.epoch for result in log.results] == [1, 2, 3, 4, 5]


def generator():
    yield from GOOD


@pytest.mark.parametrize("batches", [generator(), iter(GOOD), zip(*GOOD, strict=True), None, 5])
def test_what_cannot_be_walked_through_again_is_refused_before_the_first_step(batches):
    wanted = "wanted pairs .* that can be walked through again, as a list or a DataLoader, got"
    made = trainer()
    with pytest.raises(TypeError, match=f"^batches: {wanted} {type(batches).__name__}"):
        loop.train(made, batches, GOOD, 3)
    with pytest.raises(TypeError, match=f"^test_batches: {wanted} {type(batches).__name__}"):
        loop.train(made, GOOD, batches, 3)
    assert made.steps == 0


def test_batches_without_a_length_are_refused():
    class Endless:
        def __iter__(self):
            return iter(GOOD)

    with pytest.raises(TypeError, match="batches: wanted an iterable with a length, got Endless"):
        loop.train(trainer(), Endless(), GOOD, 3)
    assert loop.train(trainer(), GOOD, Endless(), 3).step == 3


X, Y = GOOD[0]
ODD = [
    ((X,), "wanted a pair .*, got 1 of them as batch 1"),
    ((X, Y, Y), "wanted a pair .*, got 3 of them as batch 1"),
    (X, "wanted a pair .*, got ndarray as batch 1"),
    (None, "wanted a pair .*, got NoneType as batch 1"),
    ({"x": X, "y": Y}, "wanted a pair .*, got dict as batch 1"),
    ((X, Y[:4]), r"wanted a label for each of the 5 samples of batch 1, got labels of shape \(4,\)"),
    ((X, Y[:, None]), r"wanted a label for each of the 5 samples of batch 1, got labels of shape \(5, 1\)"),
    ((X, 3), r"wanted a label for each of the 5 samples of batch 1, got labels of shape \(\)"),
]


@pytest.mark.parametrize(("batch", "words"), ODD, ids=[words for _, words in ODD])
def test_a_batch_that_is_no_pair_is_named_wherever_it_is_met(batch, words):
    batches, model = [GOOD[0], batch, GOOD[1]], trainer().model
    with pytest.raises(ValueError, match=f"^test_batches: {words}$"):
        loop.train(trainer(), GOOD, batches, 5)
    for walk in (
        lambda: loop.train(trainer(), batches, GOOD, 5),
        lambda: evaluate(model, batches),
        lambda: evaluate(model, iter(batches)),
        lambda: predict(model, batches),
        lambda: lr_find(trainer(), batches, steps=5),
    ):
        with pytest.raises(ValueError, match=f"^batches: {words}$"):
            walk()
    assert model.training


def test_labels_may_be_a_list_and_batches_a_generator_where_one_walk_is_wanted():
    model = trainer().model
    wanted = evaluate(model, GOOD)
    found = evaluate(model, ([x, y.tolist()] for x, y in GOOD))
    assert found.loss == wanted.loss and (found.confusion == wanted.confusion).all()
    np.testing.assert_array_equal(
        predict(model, ((x, list(y)) for x, y in GOOD)).labels, np.hstack([y for _, y in GOOD])
    )
    assert loop.train(trainer(), [(x, list(y)) for x, y in GOOD], tuple(GOOD), 5).step == 5


@pytest.mark.parametrize("batches", [None, 3, evaluate])
def test_what_is_no_iterable_is_named(batches):
    for function in (evaluate, predict):
        with pytest.raises(TypeError, match=r"batches: wanted an iterable of \(x, y\), got"):
            function(trainer().model, batches)


@pytest.mark.parametrize("batches", [[], (), iter([])])
def test_nothing_to_walk_through_is_named(batches):
    for function in (evaluate, predict):
        with pytest.raises(ValueError, match="batches: wanted at least one sample, got none"):
            function(trainer().model, batches)
    with pytest.raises(ValueError, match="batches: wanted some that can be walked through again, got none"):
        lr_find(trainer(), batches, steps=5)


def test_a_generator_is_no_range_test():
    with pytest.raises(ValueError, match="batches: wanted some that can be walked through again, got none"):
        lr_find(trainer(), generator(), steps=50, highest=1e-3)


def test_what_is_no_model_is_named():
    for call in (
        lambda: evaluate(None, GOOD), lambda: predict("uwnet2", GOOD),
        lambda: loop.Trainer(np.eye(3), cynet.CrossEntropyLoss(), None, None),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="model: wanted a Layer, got"):
            call()


def test_a_model_without_logits_is_named():
    x = np.zeros((2, 4, 4, 3), np.float32)
    with pytest.raises(
        ValueError, match=r"model: wanted one that gives logits \(N, classes\), got .*\(2, 4, 4, 3\)"
    ):
        predict(cynet.Sequential(cynet.ReLU()), [(x, [0, 1])])
    with pytest.raises(ValueError, match="logits: wanted 2 dimensions"):
        evaluate(cynet.Sequential(cynet.ReLU()), [(x, [0, 1])])


@pytest.mark.parametrize("kind", [list, tuple])
def test_how_many_parts_a_batch_has_is_told_of_lists_and_tuples(kind):
    with pytest.raises(ValueError, match="as each batch, got 3 of them as batch 0"):
        evaluate(cynet.Flatten(), [kind((1, 2, 3))])
