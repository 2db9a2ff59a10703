"""`cynet lab train`: nets trained with a student's functions and with cynet's, their curves, and what is kept
of them."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass, field

import numpy as np

from cynet.core.files import write_atomically
from cynet.core.folder import own_target
from cynet.core.threads import get_num_threads

from . import charts, checking, figures, pages, trials
from .choices import DATA, RATES, ROUNDS, SECONDS, STEPS
from .process import GIB, Child, Ending, Limits
from .roofline import duration

FOLDER, PAGE, NUMBERS, TABLE, PICTURE = "train", "train.html", "train.json", "curves.csv", "train.png"
YOURS, CYNET = "yours", "cynet"
NAMES = {"cifar10": "CIFAR-10"}  # of what is fetched
ABSENT = "{1} is not here: `cynet data fetch {0}`, or --data-dir"
LIMITS = Limits(memory=24 * GIB, seconds=7200)
PATIENCE = 600.0  # seconds for a run
SMOOTH = 10  # steps of which curves show the mean
SAME = 20  # first steps whose losses are compared
COLORS = {(YOURS, True): "var(--orange)", (CYNET, True): "var(--blue)", (YOURS, False): "var(--violet)",
          (CYNET, False): "var(--green)"}  # fmt: skip
PRINTED = {
    (YOURS, True): "#b24c08",
    (CYNET, True): "#1d5fb0",
    (YOURS, False): "#7442b8",
    (CYNET, False): "#14775a",
}


@dataclass(frozen=True)
class Schooling:
    """What is trained.

    Attributes
    ----------
    data : str
    data_dir : str or None
    rates, rounds : tuple of float
        A training at each rate; one that goes through the rounds' rates, each going on from the one before.
    steps : int
        Of each, at most.
    seconds : float
        About how long all may take; what is slow gets fewer steps.
    seed : int
    threads : int or None
    """

    data: str = DATA[0]
    data_dir: str | None = None
    rates: tuple = RATES
    rounds: tuple = ROUNDS
    steps: int = STEPS
    seconds: float = SECONDS
    seed: int = 0
    threads: int | None = None


@dataclass
class Learnt:
    """What came of it.

    Attributes
    ----------
    schooling : Schooling
    steps : int
        Of each run.
    runs : list of dict
        "who", "batch_norm", "rounds", "rate", "losses", "accuracy", "seconds".
    notes : list of str
    """

    schooling: Schooling
    steps: int = 0
    runs: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def chosen(self, rounds, rate=None):
        return [run for run in self.runs if run["rounds"] == rounds and rate in (None, run["rate"])]


def learn(work, verdict, schooling, watch=lambda run, count: None):
    """Train with a student's functions.

    Parameters
    ----------
    work : folder.Handed
    verdict : checking.Verdict
    schooling : Schooling
    watch : callable, optional
        Gets each run when it is done, and how many trainings there are.

    Returns
    -------
    Learnt

    Raises
    ------
    checking.NotRightError
        Where a function that the net needs is not right.
    """
    wrong = [each.name for each in verdict.findings if each.state != trials.RIGHT]
    if verdict.problem or wrong:
        count = len(verdict.findings)
        verb = "is" if len(wrong) == 1 else "are"
        told = f"{', '.join(wrong)} {verb} not right yet: training needs all {count}"
        raise checking.NotRightError(f"{verdict.problem or told}; see cynet lab check")
    job = {**checking.prepared(work, "fast"), "job": "train", **asdict(schooling)}
    job["threads"] = schooling.threads or get_num_threads()
    learnt, count = Learnt(schooling), 0
    with Child(job, LIMITS, threads=job["threads"]) as child:
        if problem := checking.loaded(child, work):
            raise checking.NotRightError(problem)
        try:
            while (message := child.next(PATIENCE))["what"] != "done":
                if message["what"] == "absent":
                    raise checking.NotRightError(ABSENT.format(schooling.data, NAMES[schooling.data]))
                if message["what"] == "plan":
                    learnt.steps, count = message["steps"], message["runs"]
                    if learnt.steps < message["wanted"]:
                        text = (
                            "Your functions are slow: each run has {} steps in place of {}, to end within "
                            "{:g} s."
                        )
                        learnt.notes.append(text.format(learnt.steps, message["wanted"], schooling.seconds))
                else:
                    names = "who", "batch_norm", "rounds", "rate", "losses", "accuracy", "seconds"
                    learnt.runs.append({name: message[name] for name in names})
                    watch(learnt.runs[-1], count)
        except Ending as end:
            said = child.printed().splitlines()
            learnt.notes.append(f"The training {end}" + (f" ({said[-1]})." if said else "."))
    if not learnt.runs:
        raise checking.NotRightError(f"nothing could be trained: {' '.join(learnt.notes)}")
    return learnt


# -- in words -----------------------------------------------------------------------
def name_of(run):
    """ "yours, with batch norm"."""
    return f"{run['who']}, {'with' if run['batch_norm'] else 'without'} batch norm"


def rate_of(run):
    """ "rate 0.1", "round at 0.03"."""
    return f"{'round at' if run['rounds'] else 'rate'} {run['rate']:g}"


def agreement(learnt):
    """How near the student's losses are to those of cynet's net with the same first weights, in a
    sentence."""
    worst = 0.0
    pairs = 0
    for run in learnt.runs:
        if run["who"] == YOURS and not run["rounds"] and run["accuracy"] is not None:
            for other in learnt.chosen(False, run["rate"]):
                if other["who"] == CYNET and other["batch_norm"] == run["batch_norm"]:
                    both = list(zip(run["losses"][:SAME], other["losses"][:SAME], strict=False))
                    both = [(a, b) for a, b in both if a is not None and b is not None]
                    if both and run["rate"] == min(learnt.schooling.rates):
                        pairs += 1
                        worst = max(worst, *(abs(a - b) for a, b in both))
    if not pairs:
        return "There is nothing to compare with cynet's."
    return (
        f"In the first {SAME} steps at the smallest rate your losses differ from those of cynet's net, "
        f"which begins with the same weights, by at most {worst:.2g}; later on roundings make them part."
    )


def table_of(learnt):
    """Headings and rows: the end of each run."""
    rows = []
    for run in learnt.runs:
        kind = rate_of(run)
        tail = [value for value in run["losses"][-SMOOTH:] if value is not None]
        if run["accuracy"] is None:
            end, accuracy = f"diverged at step {len(run['losses'])}", ""
        else:
            end, accuracy = f"{np.mean(tail):.3f}", f"{100 * run['accuracy']:.1f} %"
        each = duration(run["seconds"] / len(run["losses"]))
        rows.append((name_of(run), kind, end, accuracy, each))
    return ("net", "learning rate", "loss at the end", "test accuracy", "a step took"), rows


def said(learnt):
    """Text for a terminal."""
    headings, rows = table_of(learnt)
    widths = [max(len(line[i]) for line in (headings, *rows)) for i in range(len(headings))]
    lines = ["  ".join(each.ljust(width) for each, width in zip(line, widths, strict=True)).rstrip()
             for line in (headings, *rows)]  # fmt: skip
    return "\n".join([*lines, "", textwrap.fill(agreement(learnt), 100), *learnt.notes])


# -- curves -------------------------------------------------------------------------
def smooth(losses):
    """Means over the last `SMOOTH` steps."""
    values = [value for value in losses if value is not None]
    sums = np.concatenate([[0.0], np.cumsum(values)])
    starts = np.maximum(0, np.arange(1, len(values) + 1) - SMOOTH)
    return ((sums[1:] - sums[starts]) / (np.arange(1, len(values) + 1) - starts)).tolist()


def panels(learnt):
    """(title, {(who, batch norm): smoothed losses}) of each rate, and of the rounds."""
    for rate in learnt.schooling.rates:
        yield (
            f"rate {rate:g}",
            {(run["who"], run["batch_norm"]): smooth(run["losses"]) for run in learnt.chosen(False, rate)},
        )
    joined = {}
    for run in learnt.chosen(True):
        joined.setdefault((run["who"], run["batch_norm"]), []).extend(run["losses"])
    if joined:
        rounds = ", ".join(f"{rate:g}" for rate in learnt.schooling.rounds)
        yield f"annealed through {rounds}", {key: smooth(losses) for key, losses in joined.items()}


def sections(learnt):
    """The sections of a page."""
    yield (
        "Runs",
        pages.table(*table_of(learnt)) + "".join(pages.paragraph(each, "note") for each in learnt.notes),
    )
    yield "Yours and cynet's", pages.paragraph(agreement(learnt))
    for title, lines in panels(learnt):
        lines = {key: values for key, values in lines.items() if values}
        if lines:
            steps = max(map(len, lines.values()))
            chart = charts.Chart((0, steps), (0, 3), ("step", f"loss, mean of {SMOOTH} steps"))
            for key, values in lines.items():
                dashes = "" if key[0] == YOURS else "6 4"
                chart.line(list(enumerate(values, 1)), COLORS[key], dashes)
                chart.key(f"{key[0]}, {'' if key[1] else 'no '}norm", COLORS[key], dashes)
            yield title, chart.svg(f"Training loss, {title}")


def write(work, learnt):
    """Write page, numbers, table and, where matplotlib is there, picture into the folder train; files and a
    note."""
    folder = work.folder / FOLDER
    folder.mkdir(exist_ok=True)
    schooling = learnt.schooling
    lead = (
        f"{work.file.name}, {work.language}: the assignment's net on {schooling.data}, {learnt.steps} steps "
        "a run; what is dashed is cynet's own"
    )
    rows = ["who,batch_norm,rounds,rate,step,loss"]
    for run in learnt.runs:
        head = f"{run['who']},{int(run['batch_norm'])},{int(run['rounds'])},{run['rate']:g}"
        rows += [
            f"{head},{step},{'' if loss is None else f'{loss:.6g}'}"
            for step, loss in enumerate(run["losses"], 1)
        ]
    numbers = {
        "schooling": asdict(schooling),
        "steps": learnt.steps,
        "runs": learnt.runs,
        "notes": learnt.notes,
    }
    numbers["source"] = work.digest()
    written = {
        PAGE: pages.page(f"{work.exercise.name}: what a net learns", lead, sections(learnt)).encode(),
        NUMBERS: json.dumps(numbers).encode(),
        TABLE: ("\n".join(rows) + "\n").encode(),
        work.file.name: work.source(),
    }
    note = None
    drawn = [
        (title, [(f"{who}, {'with' if norm else 'without'} norm", PRINTED[who, norm], values, who != YOURS)
                 for (who, norm), values in lines.items()]) for title, lines in panels(learnt)
    ]  # fmt: skip
    try:
        written[PICTURE] = figures.curves(drawn)
    except ImportError as error:
        note = f"no {PICTURE}: {error}"
    for name, content in written.items():
        write_atomically(own_target(folder / name), content)
    return [folder / name for name in written], note
