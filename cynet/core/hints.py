"""What somebody probably meant by a name that is not known: a near one, or none."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 100  # letters of a name that a slip of the finger may be looked for in
LEAST_START = 3  # letters that are enough for the beginning of a name


def near(name: str, known: Iterable[str]) -> str | None:
    """The known name that differs least from a name, if that is a slip of the finger or a beginning of it.

    Capital letters, dashes, underscores, and the order of the words between them count for nothing. A --no-
    before a flag is part of what is meant: a flag is near to no flag of the opposite.

    Parameters
    ----------
    name : str
    known : iterable of str

    Returns
    -------
    str or None
        The first of equally near ones; None for a name of more than `MOST` letters.
    """
    if len(name) > MOST:
        return None
    said, best, least = _Name(name), None, None
    for other in known:
        far = said.distance(_Name(other))
        if far is not None and (least is None or far < least):
            best, least = other, far
    return best


def plain(name: str) -> str:
    """A name without dashes before it, in small letters, with dashes between its words."""
    return name.lstrip("-").replace("_", "-").replace(" ", "-").lower()


class _Name:
    def __init__(self, name: str) -> None:
        words = plain(name).split("-")
        self.negative = name.startswith(("--no-", "--no_"))
        words = words[1:] if self.negative else words
        self.joined, self.sorted = "".join(words), sorted(words)

    def distance(self, other: _Name) -> int | None:
        """Changes of letters between two names, None where they are more than a slip."""
        if self.negative != other.negative:
            return None
        if self.sorted == other.sorted:
            return 0
        shorter = min(len(self.joined), len(other.joined))
        far = edits(self.joined, other.joined)
        if far <= min(1 + (shorter > 4) + (shorter > 8), shorter // 2):
            return far
        begins = len(self.joined) >= LEAST_START and other.joined.startswith(self.joined)
        return len(other.joined) if begins else None  # after every slip


def edits(one: str, other: str) -> int:
    """Letters to insert, remove, change, or exchange with their neighbour, to get one text from another."""
    before, row = None, list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(other, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                row[j] = min(row[j], last[j - 2] + 1)
    return row[-1]
