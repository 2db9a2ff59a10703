"""A verdict as text for a terminal: what a student who is stuck wants to read."""

import textwrap

from .trials import EMPTY, FAILED, RIGHT, WRONG

WIDTH = 100
LAST = 10  # lines of what was printed
MARKS = {RIGHT: "right", WRONG: "WRONG", EMPTY: "not written yet", FAILED: "FAILED"}
JAIL = "That no file imports cynet was looked at; it is a hint, no jail."


def said(verdict):
    """The lines of a verdict, as one text."""
    work = verdict.work
    lines = [f"{work.exercise.name}, {work.language}: {work.file}", ""]
    if verdict.problem:
        lines += [*_block(verdict.problem, "  ", "  "), ""]
    else:
        width = max(len(each.name) for each in verdict.findings)
        for each in verdict.findings:
            lines += _finding(each, width)
        lines.append("")
    lines += _tests(verdict)
    if verdict.printed and not any(each.printed for each in verdict.findings):
        lines += ["Your code printed:", *(f"    {line}" for line in verdict.printed.splitlines()[-LAST:]), ""]
    lines.append(_summary(verdict))
    return "\n".join(lines)


def _finding(found, width):
    head = f"  {found.name:<{width}}  {MARKS[found.state]}"
    if found.state == RIGHT:
        head += f", {found.shapes} shapes; the largest error is {_share(found.error)} of what is allowed"
        if found.difference is not None:
            head += f"; finite differences agree to {found.difference:.0e}"
        return [head]
    lines = [head]
    for line in found.lines:
        lines += _block(line, "      ", "        ")
    lines += [f"          {row}" for row in found.numbers]
    if found.hint:
        lines += _block(f"hint: {found.hint}", "      ", "        ")
    if found.printed:
        lines.append(f"      {found.name} printed, for {found.case}:")
        lines += [f"          {row}" for row in found.printed.splitlines()[-LAST:]]
    return lines


def _share(error):
    return "under 1 %" if error < 0.01 else f"{100 * error:.0f} %"


def _block(text, first, other):
    """A text in lines of at most `WIDTH`; its own line ends, as of code with a mark under it, are kept."""
    lines = []
    for number, line in enumerate(text.split("\n")):
        indent = first if number == 0 else other
        if line.startswith(" "):
            lines.append(f"{other}{line.strip()}" if number == 0 else other + line[8:])
        else:
            lines += textwrap.wrap(line, WIDTH, initial_indent=indent, subsequent_indent=other) or [""]
    return lines


def _tests(verdict):
    if not verdict.tests:
        return []
    passed = sum(problem is None for _, problem in verdict.tests)
    lines = [f"Your own tests ({verdict.work.tests.name}): {passed} of {len(verdict.tests)} pass."]
    for name, problem in verdict.tests:
        if problem:
            lines += _block(f"{name}: {problem}", "      ", "        ")
    return [*lines, ""]


def _summary(verdict):
    seconds = f"({verdict.seconds:.1f} s)"
    if verdict.problem:
        return f"Nothing could be tried. {seconds}"
    right = sum(each.state == RIGHT for each in verdict.findings)
    text = f"{right} of {len(verdict.findings)} functions are right. {seconds}"
    if verdict.right:
        next_one = "`cynet lab time` tells how fast they are."
        if verdict.parallel is False:
            next_one = "The second half: a prange over what is independent; then `cynet lab time`."
        text += f" {next_one}"
    return textwrap.fill(text, WIDTH)
