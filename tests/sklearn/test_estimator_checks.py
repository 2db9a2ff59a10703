"""scikit-learn's own checks of estimators: every one that it has for them passes.

Those of `sample_weight` are not for them: `fit` takes none, since the losses weigh classes, not samples.
"""

import contextlib
import unittest

import pytest

checks = pytest.importorskip("sklearn.utils.estimator_checks")

from cynet.sklearn import CNNClassifier, CNNRegressor  # noqa: E402  # where there is scikit-learn

QUICK = {"epochs": 10, "batch_size": 64, "learning_rate": 0.02}
IN_PART = {  # checks that end where something else is not there: what that is
    "check_array_api_input": "SCIPY_ARRAY_API in the environment",
    "check_classifier_data_not_an_array": "pandas",
    "check_regressor_data_not_an_array": "pandas",
}
CASES = [
    pytest.param(estimator, check, id=f"{type(estimator).__name__}-{check.func.__name__}")
    for kind in (CNNClassifier, CNNRegressor)
    for estimator, check in checks.estimator_checks_generator(kind(**QUICK))
]


@pytest.mark.parametrize(("estimator", "check"), CASES)
def test_the_estimators_are_as_others(estimator, check):
    in_part = check.func.__name__ in IN_PART
    with contextlib.suppress(unittest.SkipTest) if in_part else contextlib.nullcontext():
        check(estimator)


def test_the_checks_are_many():
    names = {case.values[1].func.__name__ for case in CASES}
    assert len(CASES) > 90 and {"check_estimators_pickle", "check_class_weight_classifiers"} <= names
