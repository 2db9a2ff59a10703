"""What a run's table tells of its task, and which of two scores is the better one."""

import itertools

import pytest

from cynet.core.tasks import EVERY, LOSSES, MEASURES, STRATEGIES, TASKS, measures_of, task_in

OTHERS = {"step", "seconds", "train_loss"}


@pytest.mark.parametrize("parts", [("test",), ("validation",), ("validation", "test")])
@pytest.mark.parametrize("task", EVERY)
def test_a_table_with_columns_of_either_part_tells_the_task(task, parts):
    measures = MEASURES[task].columns
    columns = OTHERS | {f"{part}_{name}" for part, name in itertools.product(parts, ("loss", *measures))}
    assert task_in(columns) == task
    assert task_in(tuple(columns)) == task and task_in(dict.fromkeys(columns)) == task


def test_a_table_of_nothing_is_one_of_classes():
    assert task_in(()) == task_in(OTHERS) == task_in(["train_ap", "test_f1", "rmse"]) == "classify"


def test_measures_of_a_task_that_nobody_named_or_knows_are_those_of_classes():
    assert measures_of(None) is measures_of("") is measures_of("odd") is MEASURES["classify"]
    assert all(measures_of(task) is MEASURES[task] for task in EVERY)


@pytest.mark.parametrize(("task", "better", "worse"), [
    ("classify", 0.7, 0.6), ("multilabel", 0.7, 0.6), ("regress", 0.6, 0.7), ("language", 2.5, 2.6)
])  # fmt: skip
def test_the_better_one_of_two_scores(task, better, worse):
    measures = MEASURES[task]
    assert measures.better(better, worse) and not measures.better(worse, better)
    assert not measures.better(better, better) and measures.better(worse, None)
    nan = float("nan")
    assert not measures.better(nan, None) and not measures.better(nan, worse)


def test_what_each_task_is_measured_by():
    found = {
        task: (one.columns, one.score, one.words, one.higher, one.trained) for task, one in MEASURES.items()
    }
    assert found == {
        "classify": (("accuracy",), "accuracy", "accuracy", True, ("accuracy",)),
        "multilabel": (("ap", "f1", "accuracy"), "ap", "average precision", True, ("accuracy",)),
        "regress": (("rmse", "mae", "r2"), "rmse", "RMSE", False, ()),
        "language": (("perplexity", "accuracy"), "perplexity", "perplexity", False, ("accuracy",)),
    }
    assert tuple(found) == EVERY and tuple(found)[:3] == TASKS
    assert (STRATEGIES, LOSSES) == (("max", "sample", "beam"), ("mse", "l1", "huber"))
