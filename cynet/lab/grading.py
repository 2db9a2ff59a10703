"""`cynet lab grade`: many students' folders checked, each in a child with limits and no network; a table, and
CSV.

Nothing is written into a student's folder, and nothing that is compiled there already is used.
"""

from __future__ import annotations

import csv
import io
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from . import checking, folder, trials

COLUMNS = (
    "folder",
    "exercise",
    "language",
    "right",
    "of",
    "tests_passed",
    "tests",
    "seconds",
    "offline",
    "problem",
)


@dataclass
class Grade:
    """What was found of one folder; `verdict` is None where it is none of the lab's, and `problem` says
    so."""

    place: str
    verdict: checking.Verdict | None
    problem: str = ""

    @property
    def right(self):
        return (
            0
            if self.verdict is None or self.verdict.problem
            else sum(each.state == trials.RIGHT for each in self.verdict.findings)
        )

    def row(self):
        """The values of `COLUMNS`."""
        if self.verdict is None:
            return (self.place, "", "", 0, 0, 0, 0, "", "", self.problem)
        v = self.verdict
        passed = sum(problem is None for _, problem in v.tests)
        told = (v.problem or "").split("\n")[0] or "; ".join(
            f"{each.name}: {each.state}{f' ({each.key})' if each.key else ''}"
            for each in v.findings if each.state != trials.RIGHT
        )  # fmt: skip
        return (self.place, v.work.exercise.name, v.work.language, self.right, len(v.findings), passed,
            len(v.tests),
                f"{v.seconds:.1f}", "yes" if v.offline else "no", told)  # fmt: skip


def grade(places):
    """Check folders, one after another.

    Parameters
    ----------
    places : sequence of str

    Yields
    ------
    Grade

    Raises
    ------
    ImportError
        Where a Cython exercise lacks Cython or a compiler: that is no student's fault.
    """
    for place in places:
        try:
            work = folder.open_folder(place)
            with tempfile.TemporaryDirectory(prefix="cynet-lab-") as build:
                verdict = checking.check(replace(work, build=Path(build)), offline=True)
        except (ValueError, OSError) as error:
            yield Grade(place, None, str(error).removeprefix("DIR: "))
        else:
            yield Grade(place, verdict)


def as_csv(grades):
    """The grades as the text of a CSV file, a row each."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(each.row() for each in grades)
    return file.getvalue()


def as_table(grades):
    """The same as text for a terminal."""
    rows = [("folder", "exercise", "language", "right", "tests", "s", ""), *(
        (r[0], r[1], r[2], f"{r[3]} of {r[4]}" if r[4] else "", f"{r[5]} of {r[6]}" if r[6] else "", r[7],
            r[9])
        for r in (each.row() for each in grades)
    )]  # fmt: skip
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(str(each).ljust(width) for each, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
