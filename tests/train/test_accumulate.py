"""A step whose batch goes through the model in parts."""

import numpy as np
import pytest

import cynet
from cynet.train import Trainer, loop
from cynet.train.mixup import Mixup

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 6, 6, 3)).astype(np.float32)
Y = RNG.integers(0, 3, 12)


def trainer(accumulate=1, norm=False, **more):
    cynet.seed(1)
    layers = [
        cynet.Conv2d(3, 5, 3),
        *([cynet.BatchNorm2d(5)] if norm else []),
        cynet.ReLU(),
        cynet.GlobalAvgPool2d(),
    ]
    model = cynet.Sequential(*layers, cynet.Linear(5, 3))
    criterion = cynet.CrossEntropyLoss(0.1, weight=more.pop("weight", None))
    optimizer = cynet.SGD(model.parameters(), 0.5, momentum=0.9)
    return Trainer(model, criterion, optimizer, lambda step: 0.5 / (1 + step), accumulate=accumulate, **more)


def assert_equal(one, other):
    for p, q in zip(one.model.parameters(), other.model.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "more", [{}, {"weight": [1.0, 5.0, 0.5]}, {"clip_norm": 0.01}, {"mixup": Mixup(0.7, 3)}]
)
@pytest.mark.parametrize("parts", [2, 3, 5, 12, 100])
def test_without_batch_norm_the_parts_are_the_whole_batch_to_rounding(parts, more):
    whole, split = trainer(**dict(more)), trainer(parts, **dict(more))
    for _ in range(4):
        assert split.step(X, Y) == pytest.approx(whole.step(X, Y), rel=1e-5)
        assert split.right == whole.right
    assert_equal(split, whole)
    assert split.steps == whole.steps == split.optimizer.steps == 4
    assert split.optimizer.lr == 0.5 / 4


def test_batch_norm_knows_a_part_at_a_time():
    split, twin = trainer(3, norm=True), trainer(norm=True)
    split.step(X, Y)
    for part in (slice(0, 4), slice(4, 8), slice(8, 12)):
        twin.criterion(twin.model(X[part]), Y[part])
        twin.model.backward(twin.criterion.backward() / np.float32(3))
    twin.optimizer.step()
    assert_equal(split, twin)
    norm, other = split.model[1], twin.model[1]
    np.testing.assert_allclose(norm.running_mean, other.running_mean, rtol=1e-5)
    assert norm.num_batches_tracked == 3


def test_a_loss_that_is_none_in_a_later_part_leaves_the_weights():
    made = trainer(3)
    before, x = made.model.state_dict(), X.copy()
    x[7] = np.nan
    with pytest.raises(loop.Diverged) as caught:
        made.step(x, Y)
    assert len(caught.value.batch[0]) == 12 and made.steps == made.optimizer.steps == 0
    assert all(np.array_equal(array, before[name]) for name, array in made.model.state_dict().items())


@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (None, TypeError)]
)
def test_what_is_no_number_of_parts_is_refused(value, error):
    with pytest.raises(error, match="accumulate: wanted"):
        trainer(value)


def test_the_norm_of_the_gradient_is_that_of_what_is_trained():
    made = trainer()
    made.step(X, Y)
    made.model[0].weight.requires_grad = False
    rest = [p for p in made.model.parameters() if p is not made.model[0].weight]
    wanted = np.sqrt(sum(np.square(p.grad, dtype=float).sum() for p in rest))
    assert made.gradient_norm() == pytest.approx(wanted)
