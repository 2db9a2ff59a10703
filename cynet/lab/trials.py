"""What is found of one function: its results for every case compared with its float64 twin's."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import hints

RIGHT, WRONG, EMPTY, FAILED = "right", "wrong", "not written yet", "failed"
BROADCAST = "could not be broadcast"
AXIS = (
    "arrays of other shapes meet: print both; v[:, None] puts an axis in, so that a number for each row (or "
    "group) meets all of its columns"
)


@dataclass
class HoleFinding:
    """What was found of one hole.

    Attributes
    ----------
    name : str
    state : {"right", "wrong", "not written yet", "failed"}
    lines : list of str
        Where and how it is wrong.
    numbers : list of str
        The smallest wrong call: arguments, what was wanted, what came.
    printed : str
        What the function printed in the call that `lines` are about.
    case : str
        That call's sizes, in words.
    hint : str or None
    key : str or None
        The mistake that the hint is about.
    error : float
        The largest error, as a share of what is allowed.
    shapes : int
        How many were tried and right.
    difference : float or None
        Of a gradient that is right: the largest difference to finite differences.
    """

    name: str
    state: str = EMPTY
    lines: list = field(default_factory=list)
    numbers: list = field(default_factory=list)
    printed: str = ""
    case: str = ""
    hint: str | None = None
    key: str | None = None
    error: float = 0.0
    shapes: int = 0
    difference: float | None = None


def place_of(said, work):
    """Where in the student's file something was raised."""
    return f"{work.file.name}, line {said['line']}" if said["line"] else work.file.name


class HoleTrial:
    """One hole, from the first case to the last that is told of."""

    def __init__(self, exercise, hole, finding, work, between=lambda start, end: ""):
        self.exercise, self.hole, self.finding, self.work = exercise, hole, finding, work
        self.between = between  # gives what was printed from one byte to another
        self.case, self.wrong = None, []  # the case that runs; (case, results) of those that are wrong
        self.raised = False

    def take(self, message):
        """A message of the child."""
        what, finding = message["what"], self.finding
        if what == "case":
            numbers = [message["sizes"][name] for name in self.exercise.named]
            self.case = self.exercise.case(numbers)
        elif what == "missing":
            self._fail(f"there is no function {self.hole.name} in {self.work.file.name}")
        elif what == "raised":
            if message["said"]["kind"] == "NotImplementedError":
                finding.state = EMPTY
                self.raised = True
            else:
                place = place_of(message["said"], self.work)
                if BROADCAST in message["said"]["text"]:
                    self.finding.key, self.finding.hint = "broadcast", AXIS
                self._fail(f"{place}: {message['said']['text']}, for {self.case}", message)
        elif what == "shape":
            self._fail(f"it {message['said']}, for {self.case}", message)
        elif what == "result":
            self._compare(message["arrays"], message)

    def ended(self, why):
        """The child ended within this hole."""
        where = f", for {self.case}" if self.case else ""
        self._fail(f"it {why}{where}")

    def _fail(self, line, message=None):
        self.raised = True
        if not self.wrong:  # else what is wrong with a smaller shape is told
            self.finding.state = FAILED
            self.finding.lines = [line]
            self._keep(message)

    def _keep(self, message):
        """Note what was printed in the call that a message is about."""
        if message is not None:
            self.finding.printed, self.finding.case = self.between(*message["printed"]), str(self.case)

    def _compare(self, arrays, message):
        count, finding = len(self.hole.gives), self.finding
        wanted = self.hole.computed(self.hole.twin, self.case.values)
        first, second = arrays[:count], arrays[count:]
        worst = [self._worst(found, wanted) for found in (first, second)]
        finding.error = max(finding.error, *worst)
        if max(worst) > 1:
            if not self.wrong:
                self._keep(message)
            self.wrong.append((self.case, first, second))
        else:
            finding.shapes += 1
            if self.hole.slope and finding.difference is None:
                finding.difference = hints.against_differences(self.hole, self.case, first[0])

    def _worst(self, found, wanted):
        """The largest error as a share of what is allowed."""
        allowed = self.hole.allowed(self.case.values, wanted)
        return max(
            float(hints.shares(*each).max(initial=0.0)) for each in zip(found, wanted, allowed, strict=True)
        )

    def close(self):
        """Decide."""
        finding = self.finding
        if self.wrong:
            finding.state = WRONG
            finding.lines, finding.numbers, finding.key, finding.hint = hints.explained(
                self.hole, self.wrong, self.work.language, self.exercise.case(self.exercise.large)
            )
        elif not self.raised and finding.shapes:
            finding.state = RIGHT
        elif not self.raised:
            finding.state, finding.lines = FAILED, ["it was not tried"]
