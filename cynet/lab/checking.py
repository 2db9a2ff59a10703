"""A student's file checked: every hole for drawn shapes against its float64 twin, and what is wrong where."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from . import calls, compiling, folder
from .process import INTRUDED, Child, Ending
from .trials import EMPTY, RIGHT, HoleFinding, HoleTrial, place_of

LOADING, STARTING = 5.0, 60.0  # seconds: of the student's file; of Python
PATIENCE, IMPATIENCE = 3.0, 1.0  # seconds for a function; once one took all of these
OWN = 6.0  # seconds for all tests of a student's own
THREADS = 4  # of OpenMP: more than one shows races


class NotRightError(ValueError):
    """Functions that are to be timed or trained with and are not right; the text names them."""


@dataclass
class Verdict:
    """What a check found.

    Attributes
    ----------
    work : folder.Handed
    findings : list of HoleFinding
        Of each hole.
    problem : str or None
        Why nothing could be tried.
    tests : list of (str, str or None)
        The student's own tests, each with what it raised.
    printed : str
        The end of what the student's code printed.
    seconds : float
    parallel : bool or None
        Of Cython: whether the file has a prange that is used.
    offline : bool
        Whether the student's code was cut off from the network.
    """

    work: object
    findings: list
    problem: str | None = None
    tests: list = field(default_factory=list)
    printed: str = ""
    seconds: float = 0.0
    parallel: bool | None = None
    offline: bool = False

    @property
    def right(self):
        return self.problem is None and all(each.state == RIGHT for each in self.findings)


def check(work, offline=False):
    """Check a student's work.

    Parameters
    ----------
    work : folder.Handed
    offline : bool, optional
        Whether the student's code is cut off from the network.

    Returns
    -------
    Verdict

    Raises
    ------
    ImportError
        Where a Cython exercise lacks Cython or a compiler.
    folder.FolderError
        Without the student's file.
    """
    begun = time.monotonic()
    verdict = Verdict(work, [HoleFinding(hole.name) for hole in work.exercise.holes])
    try:
        _check(work, verdict, offline)
    except compiling.CompilingError as error:
        verdict.problem = f"{work.file.name} cannot be compiled: {error}"
    verdict.seconds = time.monotonic() - begun
    return verdict


def _check(work, verdict, offline):
    if place := folder.foreign(work):
        verdict.problem = f"{place}: imports cynet, whose functions would be checked in place of your own"
        return
    job = prepared(work)
    if work.language == "cython":
        verdict.parallel = b"prange(" in b"\n".join(
            line
            for line in work.source().split(b"\n")
            if not line.lstrip().startswith((b"#", b"from", b"import"))
        )
    left = {each.name: each for each in verdict.findings}
    patience = PATIENCE
    while left and verdict.problem is None:
        before = dict(left)
        with Child({**job, "job": "check", "holes": list(left)}, threads=THREADS, offline=offline) as child:
            try:
                patience = _listened(child, work.exercise, left, patience, verdict)
            finally:
                verdict.printed, verdict.offline = verdict.printed or child.printed(), child.offline
        if left == before:  # it ended before any hole was begun
            verdict.problem = verdict.problem or f"{work.file.name} ended before a function was called"
    if verdict.problem is None:
        _blame(work, verdict.findings)
    if verdict.problem is None and work.tests.exists():
        _own_tests(work, job, verdict, offline)


def _blame(work, findings):
    """Where a function calls one that is not right itself, say so in the place of any other hint."""
    called = calls.called(work)
    for at, each in enumerate(findings):
        if each.state != RIGHT:
            for number, other in enumerate(findings):
                if other.name in called.get(each.name, ()) and other.state != RIGHT:
                    state = "not written yet" if other.state == EMPTY else "wrong"
                    where = "above" if number < at else "below"
                    mend = "write" if other.state == EMPTY else "mend"
                    each.key = "calls a wrong one"
                    each.hint = (
                        f"{each.name} calls your {other.name}, which is {state} {where}: {mend} that first"
                    )
                    break


def prepared(work, way="checked"):
    """What a child's job says of a student's work; what is Cython is compiled.

    Raises
    ------
    compiling.CompilingError, ImportError, folder.FolderError
    """
    work.source()
    module = compiling.compiled(work, way) if work.language == "cython" else work.file
    return {
        "exercise": work.exercise.name, "language": work.language, "module": str(module),
        "stem": work.exercise.stem, "folder": str(work.folder), "shown": work.file.name,
            "tests": str(work.tests),
    }  # fmt: skip


def loaded(child, work):
    """Wait until the student's file is loaded; what stands in the way, or None."""
    try:
        child.offline = bool(child.next(STARTING).get("offline"))
        message = child.next(LOADING)
    except Ending as end:
        return f"{work.file.name}, while it is loaded, {end}"
    if message["what"] == "unloaded":
        return f"{place_of(message['said'], work)}: {message['said']['text']}"
    return None


def _listened(child, exercise, left, patience, verdict):
    """Take a child's messages until it is done, or ended within a hole; the patience that is left."""
    if problem := loaded(child, verdict.work):
        verdict.problem = problem
        return patience
    trial, begun = None, None
    try:
        while (message := child.next(patience, begun))["what"] != "done":
            if message["what"] == "hole":
                _close(trial, left)
                begun, hole = child.clock(), exercise.hole(message["name"])
                trial = HoleTrial(exercise, hole, left[hole.name], verdict.work, child.between)
            else:
                trial.take(message)
        _close(trial, left)
    except Ending as end:
        if trial is not None:
            trial.ended(str(end))
            _close(trial, left)
        return IMPATIENCE if "did not end" in str(end) else patience
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration, OverflowError):
        verdict.problem = f"{verdict.work.file.name} {INTRUDED}"
    return patience


def _close(trial, left):
    if trial is not None:
        trial.close()
        left.pop(trial.hole.name, None)


def _own_tests(work, job, verdict, offline):
    with Child({**job, "job": "own"}, threads=THREADS, offline=offline) as child:
        if loaded(child, work):
            return
        begun = child.clock()
        try:
            while (message := child.next(OWN, begun))["what"] != "done":
                if message["what"] == "test":
                    verdict.tests.append((message["name"], "it was begun, and not ended"))
                elif message["what"] == "passed":
                    verdict.tests[-1] = (verdict.tests[-1][0], None)
                elif message["what"] in ("failed", "broken"):
                    said = message["said"]
                    text = f"line {said['line']}: {said['text']}" if said["line"] else said["text"]
                    name = verdict.tests[-1][0] if message["what"] == "failed" else work.tests.name
                    verdict.tests = [each for each in verdict.tests if each[0] != name] + [(name, text)]
        except Ending as end:
            name = verdict.tests[-1][0] if verdict.tests else work.tests.name
            verdict.tests = [*verdict.tests[:-1], (name, f"it {end}")]
        except (KeyError, TypeError, IndexError):
            verdict.tests.append((work.tests.name, f"it {INTRUDED}"))
        verdict.printed = verdict.printed or child.printed()
