"""What a training can do beside plain steps: clipping, averages, mixup, patience; against definitions."""

import numpy as np
import pytest

import cynet
from cynet import CrossEntropyLoss, Flatten, Linear, ReLU, Sequential
from cynet.optim.choosing import Freezing
from cynet.optim.optimizers import SGD
from cynet.optim.schedules import Constant
from cynet.train import Diverged, Trainer, loop
from cynet.train.average import Average
from cynet.train.mixup import Mixup

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 4, 4, 3)).astype(np.float32)
Y = RNG.integers(0, 3, 12)


def trainer(lr=0.1, smoothing=0.0, **options):
    cynet.seed(0)
    model = Sequential(Flatten(), Linear(48, 8), cynet.BatchNorm1d(8), ReLU(), Linear(8, 3)).train()
    if "average" in options:
        options["average"] = Average(model, options["average"])
    criterion, optimizer = CrossEntropyLoss(smoothing), SGD(model.parameters(), lr, 0.9)
    return Trainer(model, criterion, optimizer, Constant(lr), **options)


# -- clipping ----------------------------------------------------------------------------------------------
def test_long_gradients_are_scaled_down_to_the_norm():
    plain, clipped = trainer(), trainer(clip_norm=0.05)
    plain.step(X, Y)
    clipped.step(X, Y)
    norm = np.sqrt(sum(np.square(p.grad.astype(float)).sum() for p in plain.model.parameters()))
    assert plain.gradient_norm() == pytest.approx(norm, rel=1e-12) and norm > 0.05
    assert clipped.gradient_norm() == pytest.approx(0.05, rel=1e-6)
    for a, b in zip(plain.model.parameters(), clipped.model.parameters(), strict=True):
        np.testing.assert_allclose(b.grad, a.grad * np.float32(0.05 / norm), rtol=1e-6)


def test_short_gradients_stay_as_they_are():
    plain, clipped = trainer(), trainer(clip_norm=1e6)
    for _ in range(3):
        assert plain.step(X, Y) == clipped.step(X, Y)
    for a, b in zip(plain.model.parameters(), clipped.model.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_a_gradient_without_a_finite_norm_is_told():
    clipped = trainer(clip_norm=1.0)
    clipped.criterion.backward = lambda: np.full((12, 3), np.inf, np.float32)
    with pytest.raises(Diverged, match=r"the gradient's norm is (inf|nan) at step 1"):
        clipped.step(X, Y)
    with pytest.raises(ValueError, match="clip_norm"):
        trainer(clip_norm=0)


# -- the average -------------------------------------------------------------------------------------------
def test_the_average_is_its_definition():
    one = trainer(average=0.8)
    average = one.average
    wanted = {name: array.astype(float) for name, array in one.model.state_dict().items()}
    for n in range(1, 20):
        one.step(X, Y)
        decay = min(0.8, n / (9 + n))
        for name, now in one.model.state_dict().items():
            if now.dtype.kind == "f":
                wanted[name] += (1 - decay) * (now - wanted[name])
    for name, array in average.arrays.items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(array, wanted[name], rtol=1e-5, atol=1e-6)
        else:
            assert array == one.model.state_dict()[name] == 19  # a count of batches


def test_the_average_is_evaluated_and_the_weights_come_back():
    plain, averaged = trainer(), trainer(average=0.9)
    for _ in range(5):
        assert plain.step(X, Y) == averaged.step(X, Y)
    before = averaged.model.state_dict()
    with averaged.evaluated_weights():
        inside = averaged.model.state_dict()
        assert not np.array_equal(inside["1.weight"], before["1.weight"])
        np.testing.assert_array_equal(inside["1.weight"], averaged.average.arrays["1.weight"])
    for name, array in averaged.model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert plain.step(X, Y) == averaged.step(X, Y)


def test_the_weights_come_back_after_an_evaluation_that_fails():
    averaged = trainer(average=0.9)
    averaged.step(X, Y)
    before = averaged.model.state_dict()
    with pytest.raises(KeyboardInterrupt), averaged.evaluated_weights():
        raise KeyboardInterrupt
    for name, array in averaged.model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


# -- mixup -------------------------------------------------------------------------------------------------
def test_mixed_pictures_lie_between_two():
    x, others, share = Mixup(0.4, seed=3)(X, Y, step=7)
    again = Mixup(0.4, seed=3)(X, Y, step=7)
    np.testing.assert_array_equal(x, again[0])
    assert 0 < share < 1 and share == again[2] and share != Mixup(0.4, 3)(X, Y, 8)[2]
    for i in range(len(X)):
        mixed = share * X[i] + (1 - share) * X
        partners = [j for j in range(len(X)) if np.allclose(x[i], mixed[j], atol=1e-5)]
        assert any(Y[j] == others[i] for j in partners)


def test_the_mixed_loss_and_gradient_are_those_of_mixed_targets():
    mixed = trainer(smoothing=0.1, mixup=Mixup(1.0, 0))
    logits = RNG.standard_normal((12, 3)).astype(np.float32)
    others = np.roll(Y, 1)
    loss, gradient = mixed._mixed_loss(logits, (Y, 0.3), (others, 0.7))
    target = 0.9 * (0.3 * np.eye(3)[Y] + 0.7 * np.eye(3)[others]) + 0.1 / 3
    p = np.exp(logits.astype(float))
    p /= p.sum(1, keepdims=True)
    assert loss == pytest.approx(-(target * np.log(p)).sum(1).mean(), rel=1e-6)
    np.testing.assert_allclose(gradient, (p - target) / 12, atol=1e-7)


def test_mixed_training_learns():
    mixed = trainer(mixup=Mixup(0.2, 0))
    losses = [mixed.step(X, Y) for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])


# -- patience ----------------------------------------------------------------------------------------------
def test_an_observer_that_has_enough_ends_the_training():
    class Two(loop.Observer):
        seen = 0

        def evaluated(self, result):
            self.seen += 1

        def enough(self):
            return self.seen == 2

    one = trainer()
    result = loop.train(one, [(X, Y)] * 3, [(X, Y)], 100, [loop.Observer(), Two()])
    assert one.steps == result.step == 6 and one.place.epoch == 2


def test_progress_tells_the_time_of_a_step_and_of_its_wait():
    seen = []

    class Clock(loop.Observer):
        def stepped(self, progress):
            seen.append(progress)

    loop.train(trainer(), [(X, Y)] * 2, [(X, Y)], 2, [Clock()])
    assert all(0 <= p.waited <= p.seconds for p in seen) and seen[0].seconds > 0


@pytest.mark.parametrize("share", [0.6, 0.99, 1.01, 2.0])
def test_a_gradient_just_above_the_bound_is_scaled_down_too(share):
    plain = trainer()
    plain.step(X, Y)
    norm = plain.gradient_norm()
    clipped = trainer(clip_norm=norm * share)
    clipped.step(X, Y)
    assert clipped.gradient_norm() == pytest.approx(norm * min(share, 1), rel=1e-6)


def test_a_mixture_of_nothing_is_refused():
    with pytest.raises(ValueError, match="alpha: wanted"):
        Mixup(0, 1)


# -- freezing on the way ------------------------------------------------------------------------------------
def test_what_is_frozen_after_an_epoch_stays_from_then_on():
    made = trainer()
    made.freezing = Freezing(made.model, {"4.bias": 1})
    bias, seen = made.model.parameters()[-1], []
    for _ in range(2):
        loop.train(made, [(X, Y)] * 2, [(X, Y)], made.steps + 2)
        seen.append(bias.data.copy())
    assert bias.name == "4.bias" and seen[0].any()
    np.testing.assert_array_equal(*seen)
    assert not bias.requires_grad
