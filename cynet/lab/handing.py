"""`cynet lab report`: one page of all that a student hands in, made of a check just now and of what was
kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cynet.core.files import read_regular, write_atomically
from cynet.core.folder import own_file, own_target

from . import learning, pages, racing, roofline
from .learning import Learnt, Schooling
from .roofline import Times
from .saying import JAIL
from .trials import RIGHT

PAGE = "report.html"
MOST = 1 << 24  # bytes of a file of numbers


def write(work, verdict):
    """Write the page; its path, and a line for what it lacks."""
    missing = []
    parts = [("What is right", _verdict(verdict))]
    parts += _kept(work, racing.NUMBERS, "cynet lab time", _times, missing)
    parts += _kept(work, f"{learning.FOLDER}/{learning.NUMBERS}", "cynet lab train", _learnt, missing)
    parts.append((work.file.name, pages.preformatted(work.source().decode(errors="replace"))))
    right = sum(each.state == RIGHT for each in verdict.findings)
    lead = f"{work.language}; {right} of {len(verdict.findings)} functions are right"
    path = work.folder / PAGE
    write_atomically(own_target(path), pages.page(f"{work.exercise.name}: report", lead, parts).encode())
    return path, missing


def _verdict(verdict):
    if verdict.problem:
        return pages.preformatted(verdict.problem)
    rows = []
    for each in verdict.findings:
        told = " ".join([*each.lines, *([f"hint: {each.hint}"] if each.hint else [])])
        rows.append(
            (each.name, each.state, each.shapes, f"{100 * each.error:.2g} %" if each.shapes else "", told)
        )
    text = pages.table(("function", "", "shapes", "error, of what is allowed", ""), rows)
    if verdict.tests:
        passed = sum(problem is None for _, problem in verdict.tests)
        text += pages.paragraph(f"Tests of one's own: {passed} of {len(verdict.tests)} pass.")
    return text + pages.paragraph(
        f"{verdict.work.file.name} was checked as it is printed below. {JAIL}", "hint"
    )


def _kept(work, name: str, command: str, made: Callable[..., Any], missing):
    """The sections of a file of numbers, where it is there and can be read."""
    try:
        numbers = json.loads(read_regular(own_file(work.folder / name, work.folder), MOST))
        sections = list(made(work, numbers))
        old = numbers.get("source") != work.digest()
    except FileNotFoundError:
        missing.append(f"no {name}: {command} makes it")
        return []
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        ZeroDivisionError,
        OverflowError,
    ) as error:
        missing.append(f"{name} cannot be read ({type(error).__name__}): {command} writes it anew")
        return []
    if old:
        text = f"{work.file.name} was changed after this; {command} does it anew."
        missing.append(f"{name}: {text}")
        sections = [(head, pages.paragraph(text, "note") + part) for head, part in sections]
    return sections


def _times(work, numbers):
    names = "flops", "bandwidth", "threads", "rows", "notes"
    return roofline.sections(
        Times(**{name: numbers[name] for name in names}), work.language, numbers["parallel"]
    )


def _learnt(work, numbers):
    schooling = Schooling(**{**numbers["schooling"], "rates": tuple(numbers["schooling"]["rates"]),
                             "rounds": tuple(numbers["schooling"]["rounds"])})  # fmt: skip
    return learning.sections(Learnt(schooling, numbers["steps"], numbers["runs"], numbers["notes"]))
