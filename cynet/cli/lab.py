"""The course's exercises, done on cynet: holes to fill, a check that says where one is wrong, times, curves,
a page."""

import sys

from cynet.lab import choices
from cynet.lab.registry import exercise
from cynet.study.choices import rates, rounds, spelled

from .parser import Failure, UsageError, reason, refusing
from .registry import command
from .values import add_threads, flag, integer, number

WHAT = {
    "list": "the exercises",
    "start": "write the folder of an exercise: its text, a file with holes, a file for tests of one's own",
    "check": "is it right, and where is it wrong",
    "time": "how fast is it, beside the textbook's loop, NumPy, cynet and PyTorch, and against the machine's "
    "roof",
    "train": "what does a net learn with it: with and without batch norm, over learning rates, annealed in "
    "rounds",
    "report": "one page of all that, to hand in",
    "grade": "check many folders, each in a process with limits and no network: a table, and CSV",
}
LANGUAGES = ("python", "cython")
OF_A_FOLDER = "check", "time", "train", "report"


def add_flags(parser):
    of = parser.commands(WHAT)
    names = ", ".join(exercise.names())
    of["start"].add_argument("exercise", metavar="EXERCISE", help=names)
    of["start"].add_argument("folder", metavar="DIR", help="a folder to make")
    of["start"].add_argument(
        "--language", choices=LANGUAGES, default=LANGUAGES[0], help="NumPy, or typed memoryviews and prange"
    )
    for name in OF_A_FOLDER:
        of[name].add_argument(
            "folder", metavar="DIR", nargs="?", default=".", help="that of `start` (default: .)"
        )
    add_threads(of["time"])
    train = of["train"]
    train.add_argument("--data", choices=choices.DATA, default=choices.DATA[0], help="the pictures")
    train.add_argument("--data-dir", metavar="DIR", help="the folder with the data set's files")
    train.add_argument(
        "--steps", type=integer(1), default=choices.STEPS, metavar="N", help="of each run, at most"
    )
    text = "about how long all may take: what is slow gets fewer steps"
    train.add_argument("--seconds", type=number(1), default=choices.SECONDS, metavar="S", help=text)
    text = f"a run at each learning rate (default: {spelled(choices.RATES)})"
    train.add_argument("--rates", type=flag(rates), metavar="RATE,...", help=text)
    text = (
        f"a run through these rates, each going on from the one before (default: {spelled(choices.ROUNDS)})"
    )
    train.add_argument("--rounds", type=flag(rounds), metavar="RATE,...", help=text)
    train.add_argument(
        "--seed", type=integer(0), default=0, metavar="N", help="of the first weights and the batches"
    )
    add_threads(train)
    of["grade"].add_argument("folders", metavar="FOLDER", nargs="+", help="those of the students")
    of["grade"].add_argument("--csv", metavar="FILE", help="write the table there as well")


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
    except (ValueError, OSError) as error:
        raise UsageError(reason(error)) from error
    print(
        f"{work.folder}: read {folder.TEXT}, write into {work.file.name}, then cynet lab check "
        f"{quoted(flags.folder)}"
    )
    return 0


def _checked(flags):
    """The student's work and the verdict."""
    from cynet.lab import checking, folder

    try:
        work = folder.open_folder(flags.folder)
    except ValueError as error:
        raise UsageError(error) from error
    with refusing("DIR"):
        return work, checking.check(work)


def _check(flags):
    from cynet.lab import saying

    _, verdict = _checked(flags)
    print(saying.said(verdict))
    return 0 if verdict.right else 1


def _time(flags):
    from cynet.lab import checking, racing, roofline

    work, verdict = _checked(flags)
    try:
        times = racing.race(work, verdict, flags.threads)
    except checking.NotRightError as error:
        raise Failure(error) from error
    print(roofline.said(times, work.language, verdict.parallel))
    return _told(*racing.write(work, times, verdict.parallel))


def _train(flags):
    from cynet.lab import checking, learning

    work, verdict = _checked(flags)
    names = "data", "data_dir", "rates", "rounds", "steps", "seconds", "seed", "threads"
    given = {name: getattr(flags, name) for name in names}
    schooling = learning.Schooling(**{name: value for name, value in given.items() if value is not None})

    def watch(found, count):
        end = "diverged" if found["accuracy"] is None else f"accuracy {found['accuracy']:.3f}"
        print(f"{learning.name_of(found)}, {learning.rate_of(found)}: {end}", file=sys.stderr, flush=True)

    try:
        learnt = learning.learn(work, verdict, schooling, watch)
    except checking.NotRightError as error:
        raise Failure(error) from error
    print(learning.said(learnt))
    return _told(*learning.write(work, learnt))


def _report(flags):
    from cynet.lab import handing

    work, verdict = _checked(flags)
    path, missing = handing.write(work, verdict)
    for line in missing:
        print(f"note: {line}", file=sys.stderr)
    return _told([path])


def _grade(flags):
    from cynet.core.output import check_output
    from cynet.lab import grading, saying

    if flags.csv is not None:
        with refusing("--csv"):
            check_output(flags.csv)
    with refusing("FOLDER"):
        grades = list(grading.grade(flags.folders))
    print(f"{grading.as_table(grades)}\n\n{saying.JAIL}")
    if flags.csv is not None:
        with open(flags.csv, "w", encoding="utf-8", newline="") as file:
            file.write(grading.as_csv(grades))
    return 0


def _told(files, note=None):
    print(f"\nwritten: {', '.join(map(str, files))}")
    if note:
        print(f"note: {note}", file=sys.stderr)
    return 0


_RUNS = {
    "list": _list, "start": _start, "check": _check, "time": _time, "train": _train, "report": _report,
        "grade": _grade,
}  # fmt: skip
