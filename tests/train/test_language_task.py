"""Texts as a task of the one training loop: what comes next, with a state that goes on."""

import math

import numpy as np
import pytest

import cynet
from cynet.data.text import Sequences, Text
from cynet.models.language_model import language_model
from cynet.nn.sequence_loss import SequenceLoss
from cynet.optim import Adam
from cynet.train.carrying import afresh, carried, carry, carrying, forget
from cynet.train.language_task import LanguageTask, TokenEvaluation
from cynet.train.loop import train
from cynet.train.trainer import Trainer

CONTENT = "the quick brown fox jumps over the lazy dog. " * 60


@pytest.fixture(scope="module")
def text():
    return Text.of(CONTENT)


def trainer_of(text, cell="gru", seed=0):
    cynet.seed(seed)
    model, task = language_model((10,), len(text.vocabulary), 12, 20, cell=cell), LanguageTask()
    return Trainer(model, task.criterion(), Adam(model.parameters(), 0.02), lambda step: 0.02, task=task)


def batches_of(text, **options):
    return Sequences(text.train, 6, 10, **options), Sequences(text.test, 2, 10)


def weights(trainer):
    return {name: array.copy() for name, array in trainer.model.state_dict().items()}


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_text_that_repeats_itself_is_learnt(text, cell):
    trainer = trainer_of(text, cell)
    batches, test = batches_of(text)
    result = train(trainer, batches, test, 10 * len(batches))
    assert result.test.accuracy > 0.95 and result.test.perplexity < 1.5
    assert result.test.perplexity == math.exp(result.test.loss)
    assert result.test.tokens == sum(y.size for _, y in test)
    assert 0.8 < result.train_accuracy <= 1


def test_the_loss_is_the_mean_over_all_tokens(text):
    cynet.seed(0)
    model = language_model((6,), 7, 4, 5)
    x, y = np.random.default_rng(0).integers(0, 7, (2, 3, 6))
    logits = model(x)
    criterion, flat = SequenceLoss(), cynet.CrossEntropyLoss()
    assert criterion(logits, y) == flat(logits.reshape(-1, 7), y.reshape(-1))
    np.testing.assert_array_equal(criterion.backward(), flat.backward().reshape(3, 6, 7))
    assert criterion(logits, np.asfortranarray(y)) == flat(logits.reshape(-1, 7), y.reshape(-1))
    with pytest.raises(ValueError, match=r"^labels: wanted shape \(3, 6\), one for each step, got \(3, 5\)$"):
        criterion(logits, y[:, :5])
    with pytest.raises(ValueError, match=r"wanted shape \(3, 6\), one for each step, got \[\[1, 2\]\]$"):
        criterion(logits, [[1, 2]])
    with pytest.raises(ValueError, match="logits: wanted"):
        criterion(logits[0], y[0])


def test_evaluation_carries_the_state_through_the_text_and_gives_it_back(text):
    trainer = trainer_of(text)
    _, test = batches_of(text)
    x, y = (np.concatenate(each, axis=1) for each in zip(*test, strict=True))
    with carrying(trainer.model):
        trainer.model(x[:, :5])
        before = carried(trainer.model)
        found = LanguageTask().evaluate(trainer.model, test)
        assert carried(trainer.model).keys() == before.keys() == {"1.h"}
        assert all(np.array_equal(carried(trainer.model)[name], before[name]) for name in before)
    trainer.model.eval()
    logits = trainer.model(x)
    assert found.loss == pytest.approx(SequenceLoss()(logits, y), rel=1e-6)
    assert found.right == (logits.argmax(-1) == y).sum() and found.tokens == y.size
    with pytest.raises(ValueError, match="at least one token"):
        LanguageTask().evaluate(trainer.model, [])


@pytest.mark.parametrize("random_starts", [False, True])
def test_a_training_that_goes_on_in_the_middle_of_an_epoch_ends_with_the_same_bytes(text, random_starts):
    def made():
        return trainer_of(text, "lstm"), *batches_of(text, random_starts=random_starts)

    whole, batches, test = made()
    assert len(batches) > 17
    train(whole, batches, test, len(batches) + 7)

    class Stop(Exception):
        pass

    def until(count):
        def watch(items):
            for number, item in enumerate(items):
                if number == count:
                    raise Stop
                yield item

        return watch

    first, batches, test = made()
    with pytest.raises(Stop):
        train(first, batches, test, len(batches) + 7, watch=until(13))
    assert first.steps == 13
    kept = first.model.state_dict(), first.optimizer.state_dict(), carried(first.model), batches.state_dict()
    second, batches, test = made()
    second.model.load_state_dict(kept[0])
    second.optimizer.load_state_dict(kept[1])
    carry(second.model, kept[2])
    batches.load_state_dict(kept[3] | {"epoch": 0, "batch": 13})
    second.steps, second.place = first.steps, first.place
    train(second, batches, test, len(batches) + 7)
    for name, array in weights(whole).items():
        assert array.tobytes() == second.model.state_dict()[name].tobytes(), name


def test_states_begin_anew_with_each_epoch_and_where_rows_begin_elsewhere(text):
    trainer = trainer_of(text)
    task, asked = trainer.task, []

    class Batches:
        def begins(self, number):
            asked.append(number)
            return number == 3

    with carrying(trainer.model):
        trainer.model(np.zeros((2, 3), int))
        task.begin(trainer.model, Batches(), 2)
        assert carried(trainer.model)
        task.begin(trainer.model, Batches(), 3)
        assert not carried(trainer.model) and asked == [2, 3]


def test_a_state_is_carried_only_within_the_context():
    cynet.seed(0)
    model = language_model((3,), 5, 3, 4)
    x = np.array([[1, 2, 3], [4, 0, 1]])
    alone = model(x).copy()
    with carrying(model):
        assert np.array_equal(model(x), alone)
        assert not np.array_equal(model(x), alone)
        with afresh(model):
            assert np.array_equal(model(x), alone)
        forget(model)
        assert np.array_equal(model(x), alone)
        with pytest.raises(ValueError, match=r"GRU state h: wanted shape \(1, 1, 4\), got \(1, 2, 4\)"):
            model(x[:1])
    assert np.array_equal(model(x), alone)


@pytest.mark.parametrize(("states", "words"), [
    ({"1.x": np.zeros((1, 2, 4), np.float32)}, "wanted the state 1.h"),
    ({"1.h": np.zeros((1, 2, 4), np.float32), "odd": 0}, "got 'odd'"),
    ({"1.h": np.zeros((1, 2, 5), np.float32)}, r"carried 1.h: wanted shape \(1, N, 4\)"),
    ({"1.h": np.zeros((2, 4), np.float32)}, "carried 1.h: wanted shape"),
    ({"1.h": "h"}, "carried 1.h"),
])  # fmt: skip
def test_other_states_are_refused_and_change_nothing(states, words):
    model = language_model((3,), 5, 3, 4)
    with carrying(model):
        model(np.zeros((2, 3), int))
        before = carried(model)
        with pytest.raises((TypeError, ValueError), match=words):
            carry(model, states)
        assert carried(model)["1.h"] is before["1.h"]


def test_measures_of_a_text(text):
    task = LanguageTask()
    assert task.measures.columns == ("perplexity", "accuracy") and not task.measures.higher
    evaluation = TokenEvaluation(2.0, 3, 12)
    assert task.values(evaluation) == {"perplexity": math.exp(2), "accuracy": 0.25}
    assert task.score(evaluation) == math.exp(2) and task.skill(evaluation) == 0.25
    assert TokenEvaluation(1e4, 0, 1).perplexity == math.inf
    labels = np.array([[0, 0, 1], [2, 0, 0]])
    assert task.chance(labels) == 4 / 6 and task.count(labels) == 6
    assert task.guessing(labels) == pytest.approx(-(4 / 6 * math.log(4 / 6) + 2 / 6 * math.log(1 / 6)))


@pytest.mark.parametrize(("options", "words"), [
    ({"cell": "rnn"}, "cell: wanted 'gru' or 'lstm'"), ({"tied": True}, "tied: wanted hidden=512"),
    ({"tied": 1}, "tied"), ({"embedding": 0}, "^embedding: wanted at least 1, got 0"),
    ({"layers": 0}, "^layers: wanted at least 1, got 0"),
    ({"hidden": 0}, "^hidden: wanted at least 1, got 0"),
])  # fmt: skip
def test_other_nets_are_refused(options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        language_model((3,), 5, **{"hidden": 4} | options)


def test_tied_weights_are_one_parameter():
    cynet.seed(0)
    model = language_model((3,), 9, 6, 6, layers=2, tied=True)
    assert model[2].weight is model[0].weight
    assert len(model.parameters()) == 1 + 8 + 1
