"""In the child: a student's functions timed, in turns with others that do the same."""

import importlib.util
import statistics
import time
from math import ceil

import numpy as np

from cynet.bench import peak
from cynet.bench.timing import no_collection, seconds, settle
from cynet.core.threads import set_num_threads

from .contest import CYNET, NUMPY, TEXTBOOK, TORCH, YOURS, contest
from .registry import find

ROUNDS, MOST_BLOCK = 5, 50
SLOW = 1.0  # a call that is expected to take so many seconds is left out


def time_all(job, module, pipe):
    """Time the contests that the job names by their numbers; a row for each contestant and size goes out."""
    exercise, contests = find(job["exercise"]), contest[job["exercise"]]()
    set_num_threads(job["threads"])
    found = peak.measure(job["array"], repeat=job["repeat"])
    pipe.send("peak", flops=found.flops, bandwidth=found.bandwidth, threads=found.threads)
    torch = _torch(job["threads"])
    chosen = [(number, contests[number]) for number in job["contests"]]
    budget = job["budget"] / max(1, sum(len(each.sizes) for _, each in chosen))
    for number, each in chosen:
        slow = {}
        for numbers in each.sizes:
            case = exercise.case(numbers)
            steps = _steps(exercise, each, case, module, job["language"], torch)
            work = each.flops(case.sizes)
            steps = {
                who: step
                for who, step in steps.items()
                if slow.get(who, 0.0) * work < SLOW or who == TEXTBOOK
            }
            with no_collection():
                times = measured({who: step for who, (step, _) in steps.items()}, budget)
            for who, (_, share) in steps.items():
                slow[who] = times[who] / share / work
                pipe.send("row", contest=number, sizes=dict(case.sizes), who=who, seconds=times[who] / share,
                          share=share, flops=work, bytes=each.bytes(case.sizes))  # fmt: skip


def _torch(threads):
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(threads)
    return torch


def _steps(exercise, each, case, module, language, torch):
    """who -> (a function without arguments, which share of the work it does)."""
    steps = {YOURS: (_yours(exercise, each, case, module, language), 1.0)}
    steps[TEXTBOOK] = each.textbook(case.values)
    steps[NUMPY] = each.numpy(case.values), 1.0
    steps[CYNET] = each.cynet(case.values), 1.0
    if torch is not None:
        steps[TORCH] = each.torch(case.values, torch), 1.0
    return steps


def _yours(exercise, each, case, module, language):
    calls = []
    for name in each.holes:
        hole = exercise.hole(name)
        arguments = hole.arguments(case.values)
        if language == "cython":
            results = hole.computed(hole.twin, case.values)
            arguments += [
                np.zeros(one.shape, value.dtype) for value, one in zip(hole.gives, results, strict=True)
            ]
        calls.append((getattr(module, name), arguments))

    def step():
        for function, arguments in calls:
            function(*arguments)

    return step


def measured(steps, budget):
    """The median seconds of each of some functions, by name, which take turns.

    Parameters
    ----------
    steps : dict of str to callable
    budget : float
        Seconds for all of them together, about; each is called three times at least, or once where one call
        takes a quarter of that.
    """
    once, times = {}, {}
    for who, step in steps.items():
        first = seconds(step)
        once[who] = first if first > budget / 4 else min(seconds(step), seconds(step))
        times[who] = [once[who]]
    share = budget / max(1, len(steps)) / ROUNDS
    end = time.perf_counter() + budget
    for _ in range(ROUNDS):
        for who, step in steps.items():
            block = min(MOST_BLOCK, ceil(share / 2 / max(once[who], 1e-9)))
            if once[who] > share and time.perf_counter() > end:
                continue
            settle()
            step()  # what it reads is in the caches again
            times[who].append(seconds(lambda step=step, block=block: [step() for _ in range(block)]) / block)
    return {who: statistics.median(each[1:] or each) for who, each in times.items()}
