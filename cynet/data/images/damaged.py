"""Pictures that cannot be used: all of them in one error, or left out and told."""

import os
from collections.abc import Iterable, Sequence

from cynet.core.names import few, printable

from .pictures import PictureError, PictureProblem

LEFT_OUT = "damaged pictures left out"
SHOWN = 10  # problems that an error names
SKIP = "--skip-damaged of train, evaluate and data, in Python skip_damaged=True, leaves"


class DamagedPicturesError(ValueError):
    """Some of a data set's pictures cannot be used.

    Attributes
    ----------
    problems : tuple of PictureProblem
    total : int
        Pictures, these included.
    """

    def __init__(self, problems: tuple[PictureProblem, ...], total: int) -> None:
        super().__init__(problems, total)
        self.problems, self.total = problems, total

    def __str__(self) -> str:
        helps = len(self.problems) < self.total and all(problem.damaged for problem in self.problems)
        if len(self.problems) == 1:
            path, reason, damaged, _ = self.problems[0]
            hint = f"; {SKIP} it out" if helps else ""
            return f"{PictureError(path, reason, damaged)}{hint}"
        end = "cynet data check lists all" + (f"; {SKIP} damaged ones out" if helps else "")
        texts = few([f"{problem.path} ({problem.reason})" for problem in self.problems], SHOWN)
        return f"{len(self.problems):,} of {self.total:,} pictures cannot be used: {texts}; {end}"


DamagedError = DamagedPicturesError  # its public name: cynet.data.DamagedError


def refuse(problems: Iterable[PictureProblem], total: int, skip: bool) -> None:
    """Raise what some `PictureProblem`s call for; nothing where all are damage that is to be skipped.

    Raises
    ------
    DamagedPicturesError
        Where a file is damaged, or holds what cannot be shown.
    OSError
        Where files can only not be read; it has the attribute `problems`, too.
    """
    problems = tuple(problems)
    if not problems or (skip and len(problems) < total and all(problem.damaged for problem in problems)):
        return
    if not all(problem.number for problem in problems):
        raise DamagedPicturesError(problems, total)
    texts = few([f"{problem.path}: {problem.reason}" for problem in problems], SHOWN)
    error = OSError(problems[0].number, texts)
    error.problems = problems  # type: ignore[attr-defined]
    raise error


def noted(problems: Sequence[PictureProblem], root: str = os.curdir) -> list[str]:
    """[a note about pictures that were left out, named as seen from a folder], [] without any."""
    if not problems:
        return []
    texts = few([f"{os.path.relpath(problem.path, root)} ({problem.reason})" for problem in problems], 3)
    return [f"{LEFT_OUT}: {len(problems):,} ({texts})"]


def lines(problems: Iterable[PictureProblem]) -> list[str]:
    """A line for each problem."""
    return [f"{printable(problem.path)}: {problem.reason}" for problem in problems]
