"""In the child: nets trained with a student's functions, and the same with cynet's, over learning rates and
in rounds."""

import time

import numpy as np

import cynet.core.random as random
from cynet.core.threads import set_num_threads
from cynet.data.loading import load
from cynet.nn.passes import no_grad

from . import grafts
from .registry import find

YOURS, CYNET = "yours", "cynet"
BATCH, PICTURES, TEST = 64, 6400, 1000
MOMENTUM, DECAY = 0.9, 5e-4
LEAST = 10  # steps of a run
TRIED = 3  # steps that tell how long one takes
AHEAD = 0.5  # of the time: the other half is cynet's runs', the tests' and what is slower than it seemed


def train_all(job, module, pipe):
    """Train everything; a run goes out when it is done."""
    name = job["exercise"]
    functions = grafts.Functions(find(name), module, job["language"])
    set_num_threads(job["threads"])
    try:
        pictures, held = _pictures(job)
    except FileNotFoundError:
        pipe.send("absent")
        return
    plan = list(_plan(name, job["rates"], job["rounds"]))
    steps = _affordable(name, functions, plan, pictures, job)
    pipe.send("plan", steps=steps, wanted=job["steps"], runs=len(plan))
    for who, batch_norm, rates in plan:
        for found in run(
            name, functions if who == YOURS else None, batch_norm, rates, steps, pictures, held, job["seed"]
        ):
            pipe.send("run", who=who, batch_norm=batch_norm, rounds=len(rates) > 1, **found)


def _plan(name, rates, rounds):
    """(who, batch norm, rates) of each training."""
    norms = (True,) if name == "gru" else (True, False)
    for batch_norm in norms:
        own = (
            name != "batchnorm" or batch_norm
        )  # without batch norm there is nothing of the student's in the net
        for who in (YOURS, CYNET) if own else (CYNET,):
            yield from ((who, batch_norm, (rate,)) for rate in rates)
            if rounds:
                yield who, batch_norm, tuple(rounds)


def _plan_steps(plan, who):
    return sum(len(rates) for each, _, rates in plan if each == who)


def _pictures(job):
    """((x, labels) for training, (x, labels) for testing), x float32 (N, H, W, C), normalised."""
    training = load(job["data"], job["data_dir"], "train")
    test = load(job["data"], job["data_dir"], "test")
    mean, std = np.float32(255 * training.mean), np.float32(255 * training.std)

    def taken(of, count):
        x = np.moveaxis(np.asarray(of.images[:count]), 1, 3).astype(np.float32)
        return np.ascontiguousarray((x - mean) / std, np.float32), np.asarray(of.labels[:count], np.int64)

    return taken(training, PICTURES), taken(test, TEST)


def _affordable(name, functions, plan, pictures, job):
    """How many steps each run may have, so that the student's runs end within the time."""
    batches, count = _batches(pictures, 0), _plan_steps(plan, YOURS)
    random.seed(job["seed"])
    model = grafts.net(name, functions, True)
    train = _trainer(name, functions, model, job["rates"][0])
    train(*next(batches))
    begun = time.perf_counter()
    tried = 0
    while tried < TRIED and time.perf_counter() - begun < job["seconds"] / 10:
        train(*next(batches))
        tried += 1
    each = (time.perf_counter() - begun) / max(1, tried)
    return int(min(job["steps"], max(LEAST, AHEAD * job["seconds"] / (each * count))))


def _batches(pictures, seed):
    x, labels = pictures
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(x))
        size = min(BATCH, len(order))
        for start in range(0, len(order) - size + 1, size):
            chosen = order[start : start + size]
            yield x[chosen], labels[chosen]


def _trainer(name, functions, model, rate):
    """A function of a batch that takes a step and gives the loss before it; its `optimizer` has the rate."""
    loss = grafts.criterion(name, functions)
    step = grafts.optimizer(name, functions, model.parameters(), rate, MOMENTUM, DECAY)

    def train(x, labels):
        value = loss(model(x), labels)
        if np.isfinite(value):
            step.zero_grad()
            model.backward_spared(loss.backward())
            step.step()
        return value

    train.optimizer = step
    return train


def run(name, functions, batch_norm, rates, steps, pictures, held, seed):
    """Train one net through its rates, so many steps at each; yields {"rate", "losses", "accuracy",
    "seconds"}.

    A run that diverges, its loss being NaN or infinite, is the last one.
    """
    random.seed(seed)
    model, batches = grafts.net(name, functions, batch_norm), _batches(pictures, seed)
    train = _trainer(name, functions, model, rates[0])
    for rate in rates:
        train.optimizer.lr = rate
        begun, losses = time.perf_counter(), []
        for _ in range(steps):
            losses.append(float(train(*next(batches))))
            if not np.isfinite(losses[-1]):
                break
        whole = len(losses) == steps and bool(np.isfinite(losses[-1]))
        accuracy = _accuracy(model, held) if whole else None
        losses = [value if np.isfinite(value) else None for value in losses]
        yield {"rate": rate, "losses": losses, "accuracy": accuracy, "seconds": time.perf_counter() - begun}
        if not whole:
            return


def _accuracy(model, held):
    x, labels = held
    model.eval()
    with no_grad():
        parts = [model(x[start : start + 250]).argmax(axis=1) for start in range(0, len(x), 250)]
    model.train()
    return float((np.concatenate(parts) == labels).mean())
