"""How many processors this process may use, and how long its threads waited for one."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

QUOTA_FILES = {"cgroup2": ("cpu.max",), "cgroup": ("cpu.cfs_quota_us", "cpu.cfs_period_us")}


def processors(root: str | Path = "/") -> int:
    """The processors that this process may use; everything that counts them asks here.

    Parameters
    ----------
    root : str or Path, optional
        Where the files of the system are looked for (proc/self/cgroup, ...).

    Returns
    -------
    int
        Those it may run on (its affinity), or the quota of a control group (cgroup) that it is in, rounded
        down, where that is less; at least 1. A quota of 1.5 processors is 1: with two threads each would
        stand still for a quarter of the time, and the others wait for it.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([count, *map(int, _quotas(Path(root)))]))


def processor_waits(root: str | Path = "/") -> dict[str, float]:
    """Seconds that each living thread of this process could have run and had no processor, by its number.

    Empty where the system does not tell.
    """
    found = {}
    for path in (Path(root) / "proc/self/task").glob("*/schedstat"):
        try:
            found[path.parent.name] = int(path.read_text().split()[1]) / 1e9  # it is the second of three
        except (OSError, ValueError, IndexError):  # the thread has ended, or it is told otherwise
            continue
    return found


def _quotas(root: Path) -> Iterator[float]:
    """The quotas, in processors, of this process's control groups and of all groups around them."""
    try:
        groups = _own_groups((root / "proc/self/cgroup").read_text())
        mounts = list(_mounts((root / "proc/self/mountinfo").read_text()))
    except (OSError, ValueError):  # no Linux, or a system that does not tell
        return
    for kind, start, place in mounts:
        if kind in groups:
            yield from _along(root / place.lstrip("/"), _below(groups[kind], start), QUOTA_FILES[kind])


def _mounts(text: str) -> Iterator[list[str]]:
    """(kind, which group is its top folder, where) of the file systems that show quotas of processors."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        where, kind, options = before.split(" ")[3:5], after.split(" ")[0], after.split(" ")[-1].split(",")
        if len(where) == 2 and (kind == "cgroup2" or (kind == "cgroup" and "cpu" in options)):
            yield [kind, *map(_plain, where)]


def _own_groups(text: str) -> dict[str, str]:
    """The paths of this process's groups: of version 2, and of version 1 the one that shares processors."""
    groups = {}
    for line in text.splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            groups["cgroup2"] = path
        elif "cpu" in controllers.split(","):
            groups["cgroup"] = path
    return groups


def _below(path: str, start: str) -> list[str]:
    """The names from the folder that is mounted down to the group; in a container it may be hidden."""
    own, around = ([name for name in text.split("/") if name] for text in (path, start))
    own = own[len(around) :] if own[: len(around)] == around else []
    return [] if ".." in own else own


def _along(place: Path, names: list[str], files: tuple[str, ...]) -> Iterator[float]:
    """The quotas of the folder `place` and of those below it."""
    for name in ["", *names]:
        place = place / name
        try:
            words = " ".join((place / file).read_text() for file in files).split()
            quota, period = map(int, words)
        except (OSError, ValueError):  # none here, or "max"
            continue
        if quota > 0 and period > 0:
            yield quota / period


def _plain(text: str) -> str:
    r"""A path of /proc/self/mountinfo, where a space is written as \040."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
