"""The folder of a student: written at the start, and read back."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cynet.core.files import read_regular
from cynet.core.pages.filling import read
from cynet.core.shell import quoted

from .exercise import LANGUAGES, Exercise
from .registry import exercise as registry
from .registry import find

FACTS, TEXT, PICTURE, TESTS, BUILD = "lab.toml", "exercise.md", "exercise.svg", "my_tests.py", ".build"
MOST = 1 << 20  # bytes of a student's file
TEXTS = "cynet.lab.texts"
IMPORTS = {
    "python": "import numpy as np\n",
    "cython": "from cython.parallel cimport prange\n\n"
    "from libc.math cimport INFINITY, exp, log, pow, sqrt, tanh\n",
}
SHOWN = 2  # which of the sizes the first test of one's own has
HOLE = "# your code goes here"
FOREIGN = re.compile(r"^\s*(?:from|c?import)\s+(?:[\w., ]*[, ])?cynet\b", re.MULTILINE)


class FolderError(ValueError):
    """A folder that is none of the lab's, or is not as it has to be; the text names it."""


@dataclass(frozen=True)
class Handed:
    """A student's work: the exercise, the language, where it lies, and where what is compiled goes (None:
    there)."""

    exercise: Exercise
    language: str
    folder: Path
    build: Path | None = None

    @property
    def file(self):
        """The student's file."""
        return self.folder / f"{self.exercise.stem}{LANGUAGES[self.language]}"

    @property
    def tests(self):
        return self.folder / TESTS

    def digest(self):
        """The SHA-256 of the student's file, in hexadecimal digits."""
        return hashlib.sha256(self.source()).hexdigest()

    def source(self):
        """The bytes of the student's file.

        Raises
        ------
        FolderError
        """
        try:
            return read_regular(self.file, MOST)
        except FileNotFoundError:
            others = [
                path.name for path in sorted(self.folder.glob(f"*{self.file.suffix}")) if path != self.tests
            ]
            more = f"; there is {', '.join(others)}: was it renamed?" if others else ""
            raise FolderError(f"{self.file}: wanted the file with the functions, got none{more}") from None


def start(name, folder, language):
    """Write the folder of an exercise.

    Parameters
    ----------
    name : str
        Of the exercise.
    folder : str or Path
        It does not exist yet, or is empty.
    language : {"python", "cython"}

    Returns
    -------
    Handed

    Raises
    ------
    FolderError
        Where something is in the folder already, or it is no folder.
    ValueError
        Where there is no such exercise.
    """
    work = Handed(find(name), language, Path(folder))
    if work.folder.exists() and not work.folder.is_dir():
        raise FolderError(f"DIR: wanted a new folder, {folder} is a file")
    if work.folder.is_dir() and any(work.folder.iterdir()):
        raise FolderError(f"DIR: wanted a new or an empty folder, {folder} has files in it")
    work.folder.mkdir(parents=True, exist_ok=True)
    files = {
        FACTS: f'exercise = "{name}"\nlanguage = "{language}"\n',
        TEXT: text(work),
        PICTURE: read(TEXTS, f"{work.exercise.stem}.svg"),
        work.file.name: holes(work),
        TESTS: _tests(work),
    }
    for file, content in files.items():
        with open(work.folder / file, "x", encoding="utf-8") as target:
            target.write(content)
    return work


def open_folder(folder):
    """The `Handed` of a folder that `start` wrote; a file in it stands for its folder.

    Raises
    ------
    FolderError
        Where it is none.
    """
    place = Path(folder)
    if place.is_file() and (place.parent / FACTS).is_file():
        place = place.parent
    path = place / FACTS
    try:
        facts = tomllib.loads(read_regular(path, MOST).decode())
    except (FileNotFoundError, NotADirectoryError):
        hint = "cynet lab start EXERCISE DIR makes one"
        raise FolderError(
            f"DIR: wanted a folder of the lab ({hint}), got {folder}, without {FACTS}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FolderError(f"{path}: wanted a TOML file: {error}") from None
    name, language = facts.get("exercise"), facts.get("language")
    if not isinstance(name, str) or name not in registry:
        raise FolderError(f"{path}: exercise: wanted one of {', '.join(registry.names())}, got {name!r}")
    if language not in LANGUAGES:
        raise FolderError(f"{path}: language: wanted one of {', '.join(LANGUAGES)}, got {language!r}")
    return Handed(find(name), language, Path(os.path.abspath(place)))


def foreign(work):
    """The line of a student's file that imports cynet, or None. A hint, and no jail: code can hide it.

    Files beside it are looked at, too, but for the student's tests.
    """
    sources = {work.file: work.source()}
    for path in sorted(work.folder.glob("*.py")):
        if path != work.tests:
            sources.setdefault(path, read_regular(path, MOST))
    for path, source in sources.items():
        line = _foreign_line(source.decode(errors="replace"), path.suffix == ".py")
        if line:
            return f"{path.name}, line {line}"
    return None


def _foreign_line(source, is_python):
    if is_python:
        try:
            nodes = list(ast.walk(ast.parse(source)))
        except (SyntaxError, ValueError, RecursionError):
            return None  # told when it is run
        for node in nodes:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            if any(each.partition(".")[0] == "cynet" for each in names):
                return node.lineno
        return None
    found = FOREIGN.search(source)
    return source[: found.end()].count("\n") + 1 if found else None


# -- what is written ----------------------------------------------------------------
def text(work):
    """The exercise as a text."""
    exercise, folder = work.exercise, "."
    told = read(TEXTS, f"{exercise.stem}.md").strip()
    of_language = read(TEXTS, f"in_{work.language}.md").strip()
    signatures = "\n\n".join(f"{each.signature(work.language)}\n    {each.text}" for each in exercise.holes)
    tips = "\n".join(f"- {each}" for each in exercise.tips)
    of_language = of_language.replace("FILE", work.file.name).replace("TIPS", tips)
    mark = "python" if work.language == "python" else "cython"
    return (
        f"{told}\n\n## The functions\n\nIn `{work.file.name}`:\n\n```{mark}\n{signatures}\n```\n\n"
        f"{of_language}\n\n## On the way\n\nIn this folder:\n\n```sh\n"
        f"cynet lab check {quoted(folder)}    # is it right, and where is it wrong\n"
        f"cynet lab time {quoted(folder)}     # how fast is it against this machine\n"
        f"cynet lab train {quoted(folder)}    # what does a net learn with it\n"
        f"cynet lab report {quoted(folder)}   # one page of all that, to hand in\n```\n"
    )


def holes(work):
    """The file with the holes."""
    exercise, language = work.exercise, work.language
    told = f"{exercise.name}: write the functions below. {TEXT} tells of them; `cynet lab check` tries them."
    head = f'"""{told}"""\n'
    given = exercise.given.get(language, "")
    parts = [
        f"{head}\n{IMPORTS[language]}",
        given.strip("\n") + "\n" if given else "",
        *(_hole(each, language) for each in exercise.holes),
    ]
    return "\n\n".join(part for part in parts if part)


def _hole(hole, language):
    takes = "\n".join(f"    {each}" for each in hole.takes)
    verb = "Returns" if language == "python" else "Writes to"
    gives = "\n".join(f"    {verb} {each}" for each in hole.gives)
    lines = _wrapped(hole.text)
    return (
        f'{hole.signature(language)}\n    """{lines}\n\n{takes}\n{gives}\n    """\n'
        f'    raise NotImplementedError("{hole.name}")  {HOLE}\n'
    )


def _wrapped(words, width=100):
    lines = [""]
    for word in words.split(" "):
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += f"{word} "
    return "\n    ".join(line.rstrip() for line in lines)


def _tests(work):
    """A file of tests with one in it: the first function with the smallest case, its numbers written out."""
    hole, stem = work.exercise.holes[0], work.exercise.stem
    values = work.exercise.case(work.exercise.sizes[SHOWN]).values
    values = {name: _rounded(value) for name, value in values.items()}
    lines = [f"    {each.name} = {_literal(values[each.name])}" for each in hole.takes if each.shape]
    words = [each.name if each.shape else repr(values[each.name]) for each in hole.takes]
    results = list(zip(hole.gives, hole.computed(hole.twin, values), strict=True))
    call = f"{stem}.{hole.name}({', '.join(words)})"
    if work.language == "cython":
        lines += [f"    {each.name} = np.zeros({found.shape}, np.{each.dtype})" for each, found in results]
        lines.append(f"    {call[:-1]}, {', '.join(each.name for each in hole.gives)})")
    else:
        lines.append(f"    {', '.join(each.name for each in hole.gives)} = {call}")
    for each, found in results:
        numbers = np.round(found, 4).tolist()
        lines.append(f"    np.testing.assert_allclose({each.name}, {numbers}, atol=1e-3)")
    return (
        '"""Tests of your own: `cynet lab check` runs the functions here that are called '
        'test_something."""\n\n'
        f"import numpy as np\n\nimport {stem}\n\n\n"
        f"def test_{hole.name}_of_a_small_example():\n" + "\n".join(lines) + "\n"
    )


def _rounded(value):
    return np.round(value, 2) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


def _literal(values):
    """An array as Python has it."""
    told = np.round(values.astype(float), 2) if values.dtype.kind == "f" else values
    return f"np.array({told.tolist()}, np.{values.dtype})"
