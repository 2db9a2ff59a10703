"""In the child: the holes of a student's file called for every case, and the student's own tests run."""

import contextlib
import os
import sys
import time
import types
from pathlib import Path

import numpy as np

from .calling import WrongResultError, called
from .registry import find
from .telling import told

FILLS = 7.0, -3.0  # what lies in Cython's outputs before a call, and before the second one
SAID = 8  # lines of a failed test's text
RACES, RACING = 3000, 0.2  # calls with the large case, and seconds that they may take


def check(job, module, pipe):
    """Call every hole that the job names for every case, twice; what comes out goes to the parent."""
    exercise = find(job["exercise"])
    for name in job["holes"]:
        hole, function = exercise.hole(name), getattr(module, name, None)
        pipe.send("hole", name=name)
        if not callable(function):
            pipe.send("missing")
            continue
        whole = all(
            _tried(hole, function, case, job, pipe, others=exercise.cases) for case in exercise.cases()
        )
        if whole and job["language"] == "cython":
            _tried(hole, function, exercise.case(exercise.large), job, pipe, RACES, FILLS[:1] * 2)


def _tried(hole, function, case, job, pipe, times=2, fills=FILLS, others=tuple):
    """Whether a case came to its end; what it gave first, and what is farthest from that, is sent.

    A result of another shape is told of the first of the others that is `telling` and has one as well.
    """
    pipe.send("case", sizes=dict(case.sizes))
    shapes = [each.shape for each in hole.computed(hole.twin, case.values)]
    begun, ended = _printed(), None
    try:
        first = called(hole, function, case.values, job["language"], shapes, fills[0])
        ended = _printed()
        end = time.monotonic() + RACING
        second, farthest = None, -1.0
        for number in range(times - 1):
            if number and time.monotonic() > end:
                break
            found = called(hole, function, case.values, job["language"], shapes, fills[1])
            if (far := _distance(first, found)) > farthest:
                second, farthest = found, far
    except WrongResultError as error:
        if error.of_shape and not case.telling:
            telling = next((each for each in others() if each.telling), None)
            if telling is not None and _misshapen(hole, function, telling, job):
                return _tried(hole, function, telling, job, pipe)
        pipe.send("shape", said=str(error), printed=(begun, _printed()))
        return False
    except BaseException as error:
        pipe.send("raised", said=told(error, job["shown"]), printed=(begun, _printed()))
        return False
    pipe.send("result", [*first, *second], printed=(begun, ended))
    return True


def _misshapen(hole, function, case, job):
    """Whether a function gives another shape than the wanted one for a case."""
    shapes = [each.shape for each in hole.computed(hole.twin, case.values)]
    try:
        called(hole, function, case.values, job["language"], shapes)
    except WrongResultError as error:
        return error.of_shape
    except BaseException:
        return False
    return False


def _printed():
    """How many bytes were printed until now, into the file that standard output is."""
    with contextlib.suppress(Exception):  # a student's code may put anything in the place of sys.stdout
        sys.stdout.flush()
        return os.fstat(1).st_size
    return 0


def _distance(first, second):
    """The largest difference of two calls' results; NaN is far from all but NaN."""
    far = 0.0
    for a, b in zip(first, second, strict=True):
        if a.tobytes() != b.tobytes():
            far = max(far, float(np.nan_to_num(np.abs(a - b), nan=np.inf).max()))
    return far


def own_tests(job, module, pipe):
    """Run the functions test_... of the student's file of tests."""
    path = Path(job["tests"])
    tests = types.ModuleType(path.stem)
    tests.__file__ = str(path)
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(tests))
    except BaseException as error:
        pipe.send("broken", said=told(error, path.name))
        return
    for name, function in list(vars(tests).items()):
        if name.startswith("test") and callable(function):
            pipe.send("test", name=name)
            try:
                function()
            except BaseException as error:
                pipe.send("failed", said=told(error, path.name, SAID))
            else:
                pipe.send("passed")
