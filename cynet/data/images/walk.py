"""One walk through the folders of classes in a folder, and what it leaves out.

Design: the walk enters each real folder once, known by its device and number, and goes through links to
folders last. So no loop of links multiplies pictures, and what lies in one class is never read for another
because a link leads there. Each file is looked up once; its size and time are part of the cache's key.
"""

import contextlib
import os
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cynet.core.names import few, printable
from cynet.core.types import AnyPath

from . import kinds
from .pictures import pillow

CACHE = ".cynet"  # the folder with the decoded pixels, in that of the pictures
# What file servers, desktops and file systems put beside the user's files.
SERVICE = (
    "@eadir", "@recently-snapshot", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "__macosx",
    "lost+found", "system volume information",
)  # fmt: skip
WANTED = "wanted a folder of pictures for each class"
FOLDER, FILE, SPECIAL, BROKEN = "folder", "file", "special", "broken"


def is_hidden(name: str) -> bool:
    """Whether a file or folder is of the system's or a program's own, by its name."""
    return name.startswith(".") or name.lower() in SERVICE


def entries(folder: AnyPath) -> list[os.DirEntry[str]]:
    """What lies in a folder, sorted by name."""
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)


def kind_of(entry: os.DirEntry[str]) -> str:
    """FOLDER, FILE, SPECIAL or BROKEN, a link that leads nowhere."""
    try:
        if entry.is_dir():
            return FOLDER
        if entry.is_file():
            return FILE
        entry.stat()
        return SPECIAL
    except OSError:
        if not entry.is_symlink():
            raise
        return BROKEN


def named_few(title: str, names: Sequence[str]) -> list[str]:
    """[a note with some names], [] without any."""
    return [f"{title}: {few(names)}"] if names else []


@dataclass
class LeftOut:
    """What a walk left out, by names relative to the root."""

    hidden: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)  # by ending
    packages: dict[str, Counter[str]] = field(default_factory=dict)  # of plug-ins: by ending
    again: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    as_pictures: list[str] = field(default_factory=list)  # folders; these and `twice` are not left out
    twice: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        found = []
        if self.hidden:
            some = few(sorted(self.hidden), 3)
            found.append(f"hidden files and folders left out: {len(self.hidden):,} ({some})")
        if self.kinds:
            found.append(f"files of other kinds left out: {self.kinds.total():,} ({_counted(self.kinds)})")
        for package, endings in sorted(self.packages.items()):
            found.append(f"pictures left out that the package {package} reads: {_counted(endings)}")
        found += named_few("links to folders that are read already, not followed", self.again)
        found += named_few("broken links left out", sorted(self.broken))
        found += named_few("left out, being no regular files", sorted(self.special))
        if self.loose:
            found.append(
                f"pictures left out that lie beside the folders of classes: {len(self.loose):,} "
                f"({few(self.loose, 3)})"
            )
        found += named_few("folders named as pictures are", self.as_pictures)
        return found + named_few("one file in two classes", self.twice)


def _counted(endings: Mapping[str, int]) -> str:
    """'2 .pdf, 1 .h5, 1 without ending': the most frequent first."""
    order = sorted(endings.items(), key=lambda item: (-item[1], item[0]))
    return few([f"{count:,} {ending or 'without ending'}" for ending, count in order], 8)


class Walk:
    """One walk through the folders in a folder.

    Attributes
    ----------
    files : dict
        [(name, bytes, time)] by the name of the class's folder, as the system gave it.
    left : LeftOut
    """

    def __init__(self, root: str) -> None:
        self.root, self.shown = root, printable(root)
        if not os.path.isdir(root):
            found = "a file" if os.path.exists(root) else "none"
            raise FileNotFoundError(f"{self.shown}: {WANTED}, found {found}")
        pillow()
        self.endings, self.left = kinds.read_endings(), LeftOut()
        self.packages: dict[str, str | None] = {}  # by ending
        self.files: dict[str, list[tuple[str, int, int]]] = {}
        self.unread: dict[str, Counter[str]] = {}
        self.places: dict[Any, str | None] = {}
        self.owners: dict[Any, tuple[str, str]] = {}
        place, above = os.path.realpath(root), None
        with contextlib.suppress(OSError):  # further up this user may not look
            while place != above:  # a link up into one of these would lead back here
                self.places[self._identity(os.stat(place), place)] = None
                place, above = os.path.dirname(place), place

    def run(self) -> None:
        """Fill in `files` and `left`."""
        self._find_classes()
        links = deque[tuple[str, str]]()
        for name in self.files:
            self._enter(name, name, links)
        while links:
            name, owner = links.popleft()
            if self._claim(os.stat(os.path.join(self.root, name)), name):
                self._enter(name, owner, links)

    def _find_classes(self) -> None:
        found = {}
        for entry in entries(self.root):
            kind = self._sort(entry, entry.name)
            if kind == FILE and self._is_picture(entry.name):
                self.left.loose.append(entry.name)
            elif kind == FOLDER:
                found[entry.name] = entry
        real = sorted(found, key=lambda name: found[name].is_symlink())  # before links to them
        for name in real:
            if self._claim(found[name].stat(), name, classes=True):
                self.files[name], self.unread[name] = [], Counter()
        self.files = dict(sorted(self.files.items()))

    def _enter(self, start: str, owner: str, links: deque[tuple[str, str]]) -> None:
        """Walk through a folder that was claimed, for the class `owner`; links to folders wait."""
        waiting = [start]
        while waiting:
            place = waiting.pop()
            for entry in entries(os.path.join(self.root, place)):
                name = f"{place}/{entry.name}"
                kind = self._sort(entry, name)
                if kind == FILE:
                    self._add(entry, name, owner)
                elif kind == FOLDER and entry.is_symlink():
                    links.append((name, owner))
                elif kind == FOLDER and self._claim(entry.stat(), name):
                    waiting.append(name)

    def _sort(self, entry: os.DirEntry[str], name: str) -> str | None:
        """FOLDER or FILE; None for what is left out, and noted."""
        if is_hidden(entry.name):
            if name != CACHE:
                self.left.hidden.append(name)
            return None
        kind = kind_of(entry)
        if kind == BROKEN:
            self.left.broken.append(name)
        elif kind == SPECIAL:
            self.left.special.append(f"{name} ({kinds.special(entry.stat().st_mode)})")
        elif kind == FOLDER and self._is_picture(entry.name):
            self.left.as_pictures.append(name)
        return kind if kind in (FOLDER, FILE) else None

    def _is_picture(self, name: str) -> bool:
        return kinds.ending(name) in self.endings

    def _add(self, entry: os.DirEntry[str], name: str, owner: str) -> None:
        ending = kinds.ending(entry.name)
        if ending in self.endings:
            status = entry.stat()
            self.files[owner].append((name, status.st_size, status.st_mtime_ns))
            other, first = self.owners.setdefault(self._identity(status, name), (owner, name))
            if other != owner:
                self.left.twice.append(f"{first} and {name}")
            return
        if ending not in self.packages:
            self.packages[ending] = kinds.missing_package(ending)
        if package := self.packages[ending]:
            self.unread[owner][package] += 1
            self.left.packages.setdefault(package, Counter())[ending] += 1
        else:
            self.left.kinds[ending] += 1

    def _claim(self, status: os.stat_result, name: str, classes: bool = False) -> bool:
        """Whether a folder is met for the first time."""
        identity = self._identity(status, name)
        first = self.places.setdefault(identity, name)
        if first == name:
            return True
        if first is None:
            self.left.again.append(f"{name} (a folder that it lies in)")
        elif classes:
            raise ValueError(
                f"{self.shown}: {WANTED}, got one for two: {printable(name)} leads to {printable(first)}"
            )
        else:
            self.left.again.append(f"{name} (the folder {first})")
        return False

    def _identity(self, status: os.stat_result, name: str) -> Any:
        """What a file or folder is, whatever leads to it."""
        if status.st_ino:
            return status.st_dev, status.st_ino
        return os.path.realpath(os.path.join(self.root, name))

    def named(self) -> dict[str, str]:
        """{printable name: name as the system gave it} of the folders of classes."""
        found: dict[str, str] = {}
        for raw in self.files:
            first = found.setdefault(printable(raw), raw)
            if first != raw:
                twice = printable(raw)
                raise ValueError(f"{self.shown}: wanted names of classes that differ, got {twice} twice")
        return found

    def refuse_unread(self) -> None:
        """Raise ValueError for a class all of whose pictures wait for a plug-in."""
        for raw, unread in self.unread.items():
            if unread and not self.files[raw]:
                package, count = unread.most_common(1)[0]
                raise ValueError(
                    f"{self.shown}/{printable(raw)}: wanted at least one picture that can be read, "
                    f"got {count:,} that need a package: pip install {package}"
                )

    def refuse_unknown(self, folders: dict[str, str], classes: Sequence[str]) -> None:
        """Raise ValueError for folders that hold pictures and are none of the classes."""
        unknown = [name for name, raw in sorted(folders.items()) if self.files[raw] and name not in classes]
        if unknown:
            near = {name.casefold(): name for name in classes}.get(unknown[0].casefold())
            hint = f" (did you mean {near}?)" if near else ""
            raise ValueError(
                f"{self.shown}: wanted folders of the classes {classes!r:.200}, "
                f"got also {unknown!r:.200}{hint}"
            )

    def nothing(self) -> str:
        """Why there is no picture, in words."""
        if not self.files:
            what = f"{WANTED}, got no folder"
            if self.left.loose:
                what += f" but {len(self.left.loose):,} pictures (with a list of them it is an image_list)"
        else:
            what = f"wanted at least one picture, got none in the folders {few(sorted(self.files))}"
        return "; ".join([what, *(note for note in self.left.notes() if "beside the folders" not in note)])
