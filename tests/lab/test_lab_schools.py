"""How nets are trained and functions timed in the child: plan, batches, pictures, steps, what is sent."""

from types import SimpleNamespace

import numpy as np
import pytest
from test_exercises import NAMES, Messages, module_of, solution

from cynet.core import random
from cynet.core.threads import get_num_threads
from cynet.lab import grafts, timing, training
from cynet.lab.contest import CYNET, NUMPY, TEXTBOOK, YOURS, contest
from cynet.lab.registry import find
from cynet.nn.losses import CrossEntropyLoss
from cynet.optim.optimizers import SGD


@pytest.fixture(autouse=True)
def one_at_a_time(one_thread):
    """Nets are small."""


# -- the plan -----------------------------------------------------------------------------------------------
def test_each_rate_and_the_rounds_are_trained_with_and_without_norm_by_both():
    both = [(who, norm, rates) for norm in (True, False) for who in ("yours", "cynet")
            for rates in ((0.1,), (0.2,), (0.3, 0.1))]  # fmt: skip
    assert list(training._plan("sgd", (0.1, 0.2), [0.3, 0.1])) == both
    assert list(training._plan("gru", (0.1, 0.2), [0.3, 0.1])) == [each for each in both if each[1]]
    assert list(training._plan("batchnorm", (0.1, 0.2), [0.3, 0.1])) == [
        each for each in both if each[1] or each[0] == "cynet"
    ]
    assert list(training._plan("sgd", (0.1,), [])) == [
        (who, norm, (0.1,)) for norm in (True, False) for who in ("yours", "cynet")
    ]
    assert training._plan_steps(both, "yours") == 2 * 4


def test_batches_are_all_pictures_in_another_order_each_time():
    x, labels = np.arange(150.0).reshape(150, 1), np.arange(150)
    batches = training._batches((x, labels), 3)
    epochs = [[next(batches) for _ in range(2)] for _ in range(2)]
    seen = [np.concatenate([labels for _, labels in epoch]) for epoch in epochs]
    for epoch, labels in zip(epochs, seen, strict=True):
        assert [len(x) for x, _ in epoch] == [64, 64] and len(set(labels.tolist())) == 128
        assert all(np.array_equal(x[:, 0], labels) for x, labels in epoch)
    assert not np.array_equal(*seen) and not np.array_equal(np.sort(seen[0]), seen[0])
    again = training._batches((x, np.arange(150)), 3)
    np.testing.assert_array_equal(next(again)[1], epochs[0][0][1])
    assert not np.array_equal(next(training._batches((x, np.arange(150)), 4))[1], epochs[0][0][1])
    few = training._batches((x[:5], np.arange(5)), 0)
    assert sorted(next(few)[1]) == [0, 1, 2, 3, 4] and sorted(next(few)[1]) == [0, 1, 2, 3, 4]


def test_pictures_are_normalised_by_the_training_sets_colours(monkeypatch):
    asked = []

    def load(name, place, split):
        asked.append((name, place, split))
        rng = np.random.default_rng(split == "test")
        count = {"train": 6500, "test": 1100}[split]
        images = rng.integers(0, 256, (count, 3, 2, 2)).astype(np.uint8)
        mean = np.array([0.1, 0.2, 0.3]) + (split == "test")
        labels = np.arange(count) % 10
        return SimpleNamespace(images=images, labels=labels, mean=mean, std=np.array([0.5, 1.0, 2.0]))

    monkeypatch.setattr(training, "load", load)
    (x, labels), (test, of_test) = training._pictures({"data": "a", "data_dir": "b"})
    assert asked == [("a", "b", "train"), ("a", "b", "test")]
    assert x.shape == (6400, 2, 2, 3) and test.shape == (1000, 2, 2, 3) and x.dtype == np.float32
    for split, found, numbers in (("train", x, labels), ("test", test, of_test)):
        data, training_set = load("a", "b", split), load("a", "b", "train")
        mean, std = (each.reshape(3, 1, 1) for each in (training_set.mean, training_set.std))
        wanted = (data.images[: len(found)] / 255 - mean) / std
        np.testing.assert_allclose(found, np.moveaxis(wanted, 1, 3), atol=1e-5)
        np.testing.assert_array_equal(numbers, np.arange(len(found)) % 10)
        assert numbers.dtype == np.int64


@pytest.mark.parametrize(
    ("seconds", "each", "runs", "steps", "tried"),
    [
        (60, 0.01, 4, 200, 4), (60, 0.1, 4, 75, 4), (60, 1.0, 4, 10, 4), (60, 2.5, 1, 12, 4),
        (60, 7.0, 1, 10, 2), (8, 0.1, 2, 20, 4),
    ],
)  # fmt: skip
def test_a_run_has_as_many_steps_as_half_of_the_time_pays_for(monkeypatch, seconds, each, runs, steps, tried):
    """The first step is not counted; three more are, or as many as a tenth of the time allows."""
    clock, taken = [0.0], []

    def trainer(name, functions, model, rate):
        def train(x, labels):
            taken.append(rate)
            clock[0] += each if len(taken) > 1 else 100.0

        return train

    monkeypatch.setattr(training, "_trainer", trainer)
    monkeypatch.setattr(training.grafts, "net", lambda *given: given)
    monkeypatch.setattr(training.time, "perf_counter", lambda: clock[0])
    plan = [("yours", True, (0.1,) * runs), ("cynet", True, (0.1,) * 50)]
    job = {"seed": 0, "rates": [0.3, 0.1], "steps": 200, "seconds": seconds}
    pictures = np.zeros((4, 1)), np.zeros(4)
    assert training._affordable("sgd", None, plan, pictures, job) == steps
    assert taken == [0.3] * tried


class Net:
    """Says class 1 of every picture, in evaluation only."""

    def __init__(self):
        self.training, self.sizes = True, []

    def train(self):
        self.training = True

    def eval(self):
        self.training = False

    def __call__(self, x):
        assert not self.training
        self.sizes.append(len(x))
        return np.eye(3)[np.asarray(x[:, 0], int)]


@pytest.mark.parametrize(("count", "sizes"), [(250, [250]), (251, [250, 1]), (500, [250, 250]), (3, [3])])
def test_the_accuracy_is_that_of_all_pictures_that_were_held_back(count, sizes):
    net = Net()
    x = np.zeros((count, 1))
    x[-1] = 2
    labels = np.zeros(count, int)
    labels[0] = 1
    assert training._accuracy(net, (x, labels)) == pytest.approx((count - 2) / count)
    assert net.sizes == sizes and net.training


def test_a_step_that_diverged_changes_no_weight(monkeypatch):
    model = grafts.net("sgd", None, False)
    train = training._trainer("sgd", None, model, 0.1)
    assert (train.optimizer.lr, train.optimizer.momentum, train.optimizer.weight_decay) == (0.1, 0.9, 5e-4)
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((4, 32, 32, 3)).astype(np.float32), np.arange(4)
    before = [each.data.copy() for each in model.parameters()]
    with np.errstate(all="ignore"):
        assert not np.isfinite(train(np.full_like(x, np.nan), labels))
    for one, other in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(one.data, other)
    first = train(x, labels)
    assert first == pytest.approx(CrossEntropyLoss()(_with(model, before)(x), labels)) and np.isfinite(first)
    assert train(x, labels) != first


def _with(model, weights):
    twin = grafts.net("sgd", None, False)
    for one, data in zip(twin.parameters(), weights, strict=True):
        one.data[...] = data
    return twin


def test_gradients_do_not_add_up_from_step_to_step():
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((4, 32, 32, 3)).astype(np.float32), np.arange(4)
    for functions in (None, grafts.Functions(find("sgd"), module_of(solution("sgd")), "python")):
        random.seed(1)
        model = grafts.net("sgd", functions, False)
        train = training._trainer("sgd", functions, model, 0.0)
        train(x, labels)
        grads = [each.grad.copy() for each in model.parameters()]
        train(x, labels)  # at a rate of 0 the same once more
        for one, other in zip(model.parameters(), grads, strict=True):
            np.testing.assert_allclose(one.grad, other, rtol=1e-4, atol=1e-6)


def test_a_run_that_diverges_is_the_last_and_ends_in_none(monkeypatch):
    losses = iter([3.0, 2.0, 1.0, np.inf, 9.0])

    def trainer(name, functions, model, rate):
        def train(x, labels):
            return next(losses)

        train.optimizer = SimpleNamespace(lr=rate)
        return train

    monkeypatch.setattr(training, "_trainer", trainer)
    monkeypatch.setattr(grafts, "net", lambda *_: Net())
    pictures, held = (np.zeros((4, 1)), np.zeros(4)), (np.zeros((4, 1)), np.array([0, 0, 0, 1]))
    found = list(training.run("sgd", None, True, (0.3, 0.2, 0.1), 2, pictures, held, 0))
    assert [(each["rate"], each["losses"], each["accuracy"]) for each in found] == [
        (0.3, [3.0, 2.0], 0.75), (0.2, [1.0, None], None),
    ]  # fmt: skip
    assert all(each["seconds"] >= 0 for each in found)


# -- the nets -----------------------------------------------------------------------------------------------
CALLED = {  # which of the holes a net needs
    "batchnorm": {"variance", "normalize", "delta_mean", "delta_variance", "delta_batch_norm"},
    "im2col": {"im2col", "col2im"}, "convolution": {"forward", "weight_gradient", "input_gradient"},
    "maxpool": {"forward", "backward"}, "activations": {"leaky_relu", "leaky_relu_gradient"},
    "softmax-loss": {"losses", "gradient"}, "sgd": {"velocity", "step"},
    "gru": {"through_time", "step_gradient"},
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_net_calls_the_students_functions(name):
    """And cynet's own net none of them."""
    called = set()

    class Counted(grafts.Functions):
        def __call__(self, hole, shapes, **values):
            called.add(hole)
            return super().__call__(hole, shapes, **values)

    functions = Counted(find(name), module_of(solution(name)), "python")
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((3, 32, 32, 3)).astype(np.float32), np.arange(3)
    for given, wanted in ((None, set()), (functions, CALLED[name])):
        random.seed(1)
        model = grafts.net(name, given, True)
        with np.errstate(all="ignore"):
            assert np.isfinite(training._trainer(name, given, model, 0.01)(x, labels))
        assert called == wanted
        assert model.eval()(x).shape == (3, 10)
    assert isinstance(grafts.criterion(name, None), CrossEntropyLoss)
    assert isinstance(grafts.optimizer(name, None, model.parameters(), 0.1, 0.9, 0.0), SGD)


@pytest.mark.parametrize("name", NAMES)
def test_a_students_net_begins_with_the_weights_of_cynets(name):
    functions = grafts.Functions(find(name), module_of(solution(name)), "python")
    for norm in (True, False):
        nets = []
        for given in (functions, None):
            random.seed(4)
            nets.append([each.data.copy() for each in grafts.net(name, given, norm).parameters()])
        for one, other in zip(*nets, strict=True):
            np.testing.assert_array_equal(one, other)
    if name == "gru":
        assert [each.shape for each in nets[0]][-1:] == [(10,)] and sum(each.size for each in nets[0]) == (
            3 * 64 * (96 + 64 + 2) + 64 * 10 + 10
        )
    else:
        assert [each.shape for each in nets[0]] == [
            (8, 3, 3, 3), (8,), (16, 8, 3, 3), (16,), (10, 256), (10,),
        ]  # fmt: skip


def test_a_students_statistics_are_kept_for_evaluation():
    functions = grafts.Functions(find("batchnorm"), module_of(solution("batchnorm")), "python")
    layer = grafts.OwnBatchNorm(functions, 2)
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((4, 3, 5, 2)) * [2, 3] + [1, -1]).astype(np.float32)
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    np.testing.assert_allclose(layer(x), (x - mean) / np.sqrt(var + 1e-5), atol=1e-5)
    np.testing.assert_allclose(layer.running_mean, 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.running_var, 0.9 + 0.1 * var, rtol=1e-5)
    layer(x)
    np.testing.assert_allclose(layer.running_mean, 0.19 * mean, rtol=1e-5)
    before = layer.running_mean.copy(), layer.running_var.copy()
    wanted = (x - before[0]) / np.sqrt(before[1] + 1e-5)
    np.testing.assert_allclose(layer.eval()(x), wanted, atol=1e-5)
    np.testing.assert_array_equal(layer.running_mean, before[0])


def test_functions_get_arrays_that_cannot_be_written_to_and_give_float32():
    seen = {}

    def velocity(**given):
        seen.update(given)
        return given["w"].astype(np.float64)

    module = SimpleNamespace(velocity=lambda *given: velocity(**dict(zip(
        ("w", "dw", "v", "momentum", "decay"), given, strict=True))))  # fmt: skip
    functions = grafts.Functions(find("sgd"), module, "python")
    w = np.arange(6.0)[::2]
    found = functions("velocity", [(3,)], w=w, dw=np.arange(3), v=w, momentum=0.5, decay=0.1)
    assert found.dtype == np.float32 and found.flags.c_contiguous and found.tolist() == [0, 2, 4]
    assert (seen["w"].dtype, seen["dw"].dtype, seen["momentum"]) == (np.float32, np.int32, 0.5)
    assert not seen["w"].flags.writeable and w.flags.writeable


# -- the clock ----------------------------------------------------------------------------------------------
def test_times_are_medians_of_blocks(monkeypatch):
    """A call of a takes 1 s by this clock, one of b 10 s; of the blocks one was disturbed."""
    clock, disturbed = [0.0], [5]

    def seconds(step):
        begun = clock[0]
        step()
        disturbed[0] -= 1
        if disturbed[0] == 0:
            clock[0] += 1000
        return clock[0] - begun

    def step(took):
        def once():
            calls.append(took)
            clock[0] += took

        return once

    monkeypatch.setattr(timing, "seconds", seconds)
    monkeypatch.setattr(timing, "settle", lambda: None)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    calls = []
    assert timing.measured({"a": step(1.0)}, 100.0) == {"a": 1.0}  # blocks of ten: 100 / 5 / 2 seconds
    assert len(calls) == 3 + 5 * (1 + 10)
    calls, disturbed = [], [99]
    assert timing.measured({"a": step(1.0), "b": step(10.0)}, 36.0) == {"a": 1.0, "b": 10.0}
    assert calls[:4] == [1.0, 1.0, 1.0, 10.0]
    assert calls.count(10.0) == 1 + 2 * 2  # in turns until the time is up; the others go on


def rows_of(monkeypatch, job, took):
    """What is sent of contests in which a call of each takes so many seconds."""
    monkeypatch.setattr(timing, "measured", lambda steps, budget: asked.append((list(steps), budget)) or {
        who: took[who] for who in steps})  # fmt: skip
    monkeypatch.setattr(timing.peak, "measure", lambda size, repeat: SimpleNamespace(
        flops=1e9, bandwidth=2e9, threads=repeat))  # fmt: skip
    monkeypatch.setattr(timing, "_torch", lambda threads: None)
    asked, messages = [], Messages()
    timing.time_all({"array": 1, "repeat": 5, "threads": 1, "language": "python", **job},
                    module_of(solution(job["exercise"])), messages)  # fmt: skip
    return asked, messages.sent


def test_a_row_has_the_work_and_the_time_of_all_of_it(monkeypatch):
    took = {YOURS: 1e-3, TEXTBOOK: 0.25, NUMPY: 1e-4, CYNET: 1e-5}
    job = {"exercise": "sgd", "contests": [0], "budget": 6.0}
    asked, (peak, *rows) = rows_of(monkeypatch, job, took)
    assert {key: peak[key] for key in ("what", "flops", "bandwidth", "threads")} == {
        "what": "peak", "flops": 1e9, "bandwidth": 2e9, "threads": 5,
    }  # fmt: skip
    assert asked == [([YOURS, TEXTBOOK, NUMPY, CYNET], 2.0)] * 3
    each = contest["sgd"]()[0]
    assert [(row["sizes"]["n"], row["who"]) for row in rows] == [
        (n, who) for (n,) in each.sizes for who in took
    ]
    for row in rows:
        n, share = row["sizes"]["n"], row["share"]
        assert share == (min(1.0, 4096 / n) if row["who"] == TEXTBOOK else 1)
        assert row["seconds"] == pytest.approx(took[row["who"]] / share)
        assert (row["what"], row["contest"], row["flops"], row["bytes"]) == ("row", 0, 6 * n, 20 * n)
    assert get_num_threads() == 1


def test_who_would_take_a_second_is_left_out_but_for_the_textbook(monkeypatch):
    took = {YOURS: 0.9 / 64, TEXTBOOK: 10.0, NUMPY: 1.1 / 64, CYNET: 1e-9}
    asked, (_, *rows) = rows_of(
        monkeypatch, {"exercise": "activations", "contests": [1], "budget": 6.0}, took
    )
    assert [who for who, _ in asked] == [
        [YOURS, TEXTBOOK, NUMPY, CYNET], [YOURS, TEXTBOOK, CYNET], [YOURS, TEXTBOOK, CYNET],
    ]  # fmt: skip
    assert {row["contest"] for row in rows} == {1}


def test_a_students_step_calls_each_function_with_its_own_arguments():
    exercise, calls = find("sgd"), []
    each, case = contest["sgd"]()[0], exercise.case((5,))

    def kept(name):
        return lambda *given: calls.append((name, given))

    module = SimpleNamespace(velocity=kept("velocity"), step=kept("step"))
    timing._yours(exercise, each, case, module, "python")()
    timing._yours(exercise, each, case, module, "cython")()
    assert [name for name, _ in calls] == ["velocity", "step"] * 2
    assert [len(given) for _, given in calls] == [5, 3, 6, 4]
    assert calls[0][1][0] is case.values["w"] and calls[1][1][2] == case.values["rate"]
    assert calls[2][1][5].shape == (5,) and calls[2][1][5].dtype == np.float32


@pytest.mark.torch
def test_pytorch_has_as_many_threads_as_the_others():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    try:
        assert timing._torch(2) is torch and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    exercise, each = find("activations"), contest["activations"]()[0]
    module = module_of(solution("activations"))
    steps = timing._steps(exercise, each, exercise.case((4,)), module, "python", torch)
    assert list(steps) == ["yours", "textbook loop", "NumPy", "cynet", "PyTorch"]
    assert [share for _, share in steps.values()] == [1, 1, 1, 1, 1]
