"""The course's exercises, done on cynet: holes to fill, a check that says where one is wrong, times, curves, a page."""

from cynet.lab.registry import exercise

from .parser import UsageError, refusing
from .registry import command

WHAT = {
    "list": "the exercises",
    "start": "write the folder of an exercise: its text, a file with holes, a file for tests of one's own",
    "check": "is it right, and where is it wrong",
}
LANGUAGES = ("python", "cython")


def add_flags(parser):
    of = parser.commands(WHAT)
    names = ", ".join(exercise.names())
    of["start"].add_argument("exercise", metavar="EXERCISE", help=names)
    of["start"].add_argument("folder", metavar="DIR", help="a folder to make")
    of["start"].add_argument(
        "--language", choices=LANGUAGES, default=LANGUAGES[0], help="NumPy, or typed memoryviews and prange"
    )
    for name in of.keys() - {"list", "start"}:
        of[name].add_argument("folder", metavar="DIR", nargs="?", default=".", help="that of `start` (default: .)")


@command("the course's exercises: holes to fill, checked, timed, trained", order=9)
def run(flags):
    return _RUNS[flags.what](flags)


def _list(flags):
    width = max(map(len, exercise.names()))
    for name in exercise.names():
        print(f"{name:<{width}}  {exercise.facts(name)['text']}")
    print("\ncynet lab start EXERCISE DIR [--language cython] begins one.")
    return 0


def _start(flags):
    from cynet.core.shell import quoted
    from cynet.lab import folder

    try:
        work = folder.start(flags.exercise, flags.folder, flags.language)
    except ValueError as error:
        raise UsageError(error) from error
    print(f"{work.folder}: read {folder.TEXT}, write into {work.file.name}, then cynet lab check {quoted(flags.folder)}")
    return 0


def _opened(flags):
    from cynet.lab import folder

    try:
        return folder.open_folder(flags.folder)
    except ValueError as error:
        raise UsageError(error) from error


def _check(flags):
    from cynet.lab import checking, saying

    work = _opened(flags)
    with refusing("DIR"):
        verdict = checking.check(work)
    print(saying.said(verdict))
    return 0 if verdict.right else 1


_RUNS = {"list": _list, "start": _start, "check": _check}
