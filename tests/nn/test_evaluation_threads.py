"""Threads that evaluate one model at once get the bytes that one thread gets, and leave nothing behind."""

import contextlib
import copy
import gc
import os
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from examples import NETS

import cynet
from cynet import nn
from cynet.nn.compile import inference

TOGETHER = 4
keeping = pytest.mark.parametrize("mode", [cynet.no_grad, contextlib.nullcontext], ids=["no_grad", "kept"])


class Meeting(cynet.Layer):
    """A user's layer at which passes wait for each other, once `barrier` is set."""

    barrier, reached = None, threading.Event()  # of the class: layers are copied

    def forward(self, x):
        self.reached.set()
        if self.barrier is not None:
            self.barrier.wait(60)
        return x

    def backward(self, dy):
        return dy


def meeting_model(side=8):
    model = cynet.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), meeting := Meeting(), nn.Flatten(),
        nn.Linear(8 * (side - 2) ** 2, 5),
    )  # fmt: skip
    return model.eval(), meeting


def inputs(count=4, side=8):
    return np.random.default_rng(0).standard_normal((count, side, side, 3)).astype(np.float32)


def together(work):
    """What work(number) returns in each of four threads that begin at once."""
    begin = threading.Barrier(TOGETHER)

    def begun(number):
        begin.wait(60)
        return work(number)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(TOGETHER) as pool:
            return list(pool.map(begun, range(TOGETHER)))
    finally:
        sys.setswitchinterval(interval)


def evaluated(model, x, mode):
    with mode():
        return model(x)


LARGE = (
    "resnet18",
    "resnet34",
    "resnet32",
    "resnet44",
    "resnet56",
    "wide_resnet_16_4",
)  # as resnet20, but slow


@keeping
@pytest.mark.parametrize(("name", "options"), [net for net in NETS if net[0] not in LARGE])
def test_threads_get_the_bytes_that_one_thread_gets(name, options, mode):
    model, x = cynet.models.create(name, **options), inputs(4, 32)
    model(x)
    model.eval()
    wanted = evaluated(copy.deepcopy(model), x, mode)
    found = together(lambda _: [evaluated(model, x, mode) for _ in range(3)])
    assert all(np.array_equal(y, wanted) for ys in found for y in ys)


@keeping
def test_passes_that_are_in_the_model_at_once_have_a_plan_each(mode):
    model, meeting = meeting_model()
    x = inputs()
    wanted = evaluated(model, x, mode)
    meeting.barrier = threading.Barrier(TOGETHER)  # all are in the middle before one goes on
    found = together(lambda number: evaluated(model, x + number, mode))
    meeting.barrier = None
    assert np.array_equal(found[0], wanted)
    for number, y in enumerate(found):
        assert np.array_equal(y, evaluated(model, x + number, mode))


def test_a_model_keeps_so_many_plans_and_no_more(monkeypatch):
    monkeypatch.setattr(inference, "PLANS", 2)
    model, meeting = meeting_model()
    meeting.barrier = threading.Barrier(TOGETHER)
    x = inputs()
    together(lambda _: evaluated(model, x, cynet.no_grad))
    assert len(model._plans[x.shape]) == 2


def _loaded(model):
    model.load_state_dict({name: array * 1.5 for name, array in model.state_dict().items()})


def _trained(model):
    x, optimizer = inputs(), cynet.SGD(model.parameters(), 0.1)
    model.train()
    model.backward(model(x))
    optimizer.step()
    model.eval()


@keeping
@pytest.mark.parametrize("change", [_loaded, _trained], ids=["load_state_dict", "a training step"])
def test_every_threads_plan_meets_new_weights(change, mode):
    model, meeting = meeting_model()
    x = inputs()
    meeting.barrier = threading.Barrier(TOGETHER)
    before = together(lambda _: evaluated(model, x, mode))
    assert mode is not cynet.no_grad or len(model._plans[x.shape]) == TOGETHER
    meeting.barrier = None
    change(model)
    wanted = evaluated(copy.deepcopy(model), x, mode)
    assert not np.array_equal(wanted, before[0])
    meeting.barrier = threading.Barrier(TOGETHER)
    assert all(np.array_equal(y, wanted) for y in together(lambda _: evaluated(model, x, mode)))


def test_copies_have_plans_of_their_own():
    model, _ = meeting_model()
    x = inputs()
    wanted = evaluated(model, x, cynet.no_grad)
    twins = [copy.deepcopy(model) for _ in range(TOGETHER)]
    for number, twin in enumerate(twins):
        twin[0].weight.data *= number
    alone = [evaluated(copy.deepcopy(twin), x, cynet.no_grad) for twin in twins]
    found = together(lambda number: evaluated(twins[number], x, cynet.no_grad))
    assert all(np.array_equal(a, b) for a, b in zip(found, alone, strict=True))
    assert np.array_equal(evaluated(model, x, cynet.no_grad), wanted)


def test_a_thread_that_ended_leaves_no_plan_of_its_own(monkeypatch):
    made = []

    class Noted(inference.Plan):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(weakref.ref(self))

    monkeypatch.setattr(inference, "Plan", Noted)
    model, _ = meeting_model()
    x = inputs()
    for _ in range(20):
        thread = threading.Thread(target=evaluated, args=(model, x, cynet.no_grad))
        thread.start()
        thread.join()
    assert len(made) == 1, "the next thread takes what the last one put back"
    assert made[0]() is not None
    del model
    gc.collect()
    assert made[0]() is None


def test_a_pass_that_is_broken_off_leaves_no_plan_that_is_packed_by_half(monkeypatch):
    model, _ = meeting_model()
    x = inputs()
    evaluated(model, x, cynet.no_grad)
    model[-1].weight.data *= 2
    wanted = evaluated(copy.deepcopy(model), x, cynet.no_grad)

    def interrupted(plan):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(inference.Plan, "_fold", interrupted)
        with pytest.raises(KeyboardInterrupt):
            evaluated(model, x, cynet.no_grad)
    assert np.array_equal(evaluated(model, x, cynet.no_grad), wanted)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_by_fork_evaluates_while_its_parents_thread_is_in_the_model():
    model, meeting = meeting_model()
    x = inputs()
    wanted = evaluated(model, x, cynet.no_grad)
    meeting.barrier = threading.Barrier(2)
    thread = threading.Thread(target=evaluated, args=(model, x, cynet.no_grad))
    meeting.reached.clear()
    thread.start()
    assert meeting.reached.wait(60)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            meeting.barrier = None
            os.write(write, evaluated(model, x, cynet.no_grad).tobytes())
        finally:
            os._exit(0)
    os.close(write)
    meeting.barrier.wait(60)
    thread.join()
    with open(read, "rb") as pipe:
        assert pipe.read() == wanted.tobytes()
    os.waitpid(child, 0)
