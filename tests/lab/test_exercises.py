"""Every exercise: a solution passes, each of its mistakes is found, with the hint that is promised for it."""

import types
from pathlib import Path

import broken
import numpy as np
import pytest

from cynet.lab import hints, trials, trying
from cynet.lab.registry import exercise as registered
from cynet.lab.registry import find

SOLUTIONS = Path(__file__).parent / "solutions"
NAMES = registered.names()
LEAST = 5  # mistakes of each exercise and language


class Messages:
    """What a child would send, kept."""

    def __init__(self):
        self.sent = []

    def send(self, what, arrays=(), **more):
        self.sent.append({"what": what, "arrays": [np.array(each) for each in arrays], **more})


def tried(name, module, language, holes=None):
    """The findings of a module's functions, as a check has them, without a child."""
    exercise, messages = find(name), Messages()
    work = types.SimpleNamespace(file=Path(f"{name}.py"), exercise=exercise, language=language)
    holes = holes or [hole.name for hole in exercise.holes]
    job = {"exercise": name, "language": language, "holes": holes, "shown": work.file.name}
    with np.errstate(all="ignore"):
        trying.check(job, module, messages)
    found, trial = {}, None
    for message in messages.sent:
        if message["what"] == "hole":
            finding = trials.HoleFinding(message["name"])
            trial = found[message["name"]] = trials.HoleTrial(
                exercise, exercise.hole(message["name"]), finding, work
            )
        else:
            trial.take(message)
    for each in found.values():
        each.close()
    return {key: each.finding for key, each in found.items()}


def solution(name, language="python"):
    return (SOLUTIONS / f"{find(name).stem}{'.py' if language == 'python' else '.pyx'}").read_text()


def module_of(source):
    module = types.ModuleType("solution")
    exec(compile(source, "solution.py", "exec"), vars(module))
    return module


@pytest.mark.parametrize("name", NAMES)
def test_a_solution_is_right(name):
    findings = tried(name, module_of(solution(name)), "python")
    assert {each.state for each in findings.values()} == {trials.RIGHT}, findings
    assert len(findings) == len(find(name).holes) and max(each.error for each in findings.values()) < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_finite_differences(name):
    for hole in find(name).holes:
        if hole.slope is not None:
            for case in list(find(name).cases())[:5]:
                wanted = hole.computed(hole.twin, case.values)[0]
                assert hints.against_differences(hole, case, wanted) < 1e-4, (hole.name, case)


@pytest.mark.parametrize(
    ("name", "hole", "key", "old", "new"),
    [
        pytest.param(name, *each, id=f"{name} {each[0]} {each[1]}")
        for name in NAMES
        for each in broken.PYTHON[name]
    ],
)
def test_a_mistake_is_found_and_told(name, hole, key, old, new):
    findings = tried(name, module_of(broken.changed(solution(name), hole, old, new)), "python", [hole])
    finding = findings[hole]
    assert finding.state == trials.WRONG and finding.key == key, finding
    assert (finding.hint is None) == (key is None)
    assert "the smallest shape that is wrong" in finding.lines[0] and "wanted" in finding.lines[1]


@pytest.mark.parametrize("table", [broken.PYTHON, broken.CYTHON])
def test_every_exercise_has_mistakes_of_each_kind(table):
    for name in NAMES:
        assert len(table[name]) >= LEAST
        assert all(old != new for _, _, old, new in table[name])


@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_is_made_in_a_solution(name):
    """So that its twin is compared with code that is not its own."""
    for hole in find(name).holes:
        made = {key for other, key, *_ in broken.PYTHON[name] if other == hole.name}
        assert {mistake.key for mistake in hole.mistakes} <= made, hole.name


@pytest.mark.parametrize("name", NAMES)
def test_a_mistakes_twin_is_not_the_right_one(name):
    """Each mistake shows with a shape that is tried, and gives numbers of the right shape where it does."""
    exercise = find(name)
    for hole in exercise.holes:
        assert len({mistake.key for mistake in hole.mistakes}) >= 4, hole.name
        for mistake in hole.mistakes:
            seen = False
            for case in exercise.cases():
                wanted = hole.computed(hole.twin, case.values)
                try:
                    with np.errstate(all="ignore"):
                        made = hole.computed(mistake.wrong, case.values)
                except (ValueError, IndexError, ZeroDivisionError):
                    continue
                pairs = zip(made, wanted, hole.allowed(case.values, wanted), strict=True)
                seen = seen or any(
                    each.shape != right.shape or (hints.shares(each, right, allowed) > 1).any()
                    for each, right, allowed in pairs
                    if each.dtype != object
                )
            assert seen, (hole.name, mistake.key)
