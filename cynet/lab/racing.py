"""`cynet lab time`: a student's functions timed in a child, and what is kept of it in the student's
folder."""

from __future__ import annotations

import json

from cynet.core.files import write_atomically
from cynet.core.folder import own_target
from cynet.core.threads import get_num_threads

from . import checking, figures, pages, roofline, trials
from .contest import contest
from .process import GIB, Child, Ending, Limits
from .roofline import Times

PAGE, NUMBERS, PICTURE = "time.html", "time.json", "time.png"
LIMITS = Limits(memory=24 * GIB, seconds=600)
ARRAY, REPEAT = 64 << 20, 4  # bytes of each array, and runs, by which the roof is measured
BUDGET = 6.0  # seconds for all that is timed
PATIENCE = 30.0  # seconds for a row


def race(work, verdict, count=None):
    """Time what is right of a student's work.

    Parameters
    ----------
    work : folder.Handed
    verdict : checking.Verdict
    count : int, optional
        Threads.

    Returns
    -------
    Times

    Raises
    ------
    checking.NotRightError
        Where nothing can be timed.
    """
    right = {each.name for each in verdict.findings if each.state == trials.RIGHT and verdict.problem is None}
    contests = contest[work.exercise.name]()
    chosen = [number for number, each in enumerate(contests) if right.issuperset(each.holes)]
    if not chosen:
        wanted = " or ".join(", ".join(each.holes) for each in contests)
        raise checking.NotRightError(f"wanted functions that are right ({wanted}): see cynet lab check")
    job = {
        "budget": BUDGET,
        "array": ARRAY,
        "repeat": REPEAT,
        **checking.prepared(work, "fast"),
        "job": "time",
        "contests": chosen,
        "threads": count or get_num_threads(),
    }
    notes = [f"Not timed, since not right yet: {', '.join(each.holes)}." for number,
        each in enumerate(contests)
             if number not in chosen]  # fmt: skip
    times = None
    with Child(job, LIMITS, threads=job["threads"]) as child:
        if problem := checking.loaded(child, work):
            raise checking.NotRightError(problem)
        try:
            while (message := child.next(PATIENCE))["what"] != "done":
                if message["what"] == "peak":
                    times = Times(message["flops"], message["bandwidth"], message["threads"], [], notes)
                elif message["what"] == "row":
                    holes = ", ".join(contests[message["contest"]].holes)
                    kept = {
                        name: message[name] for name in ("sizes", "who", "seconds", "share", "flops", "bytes")
                    }
                    times.rows.append({"holes": holes, **kept})
        except Ending as end:
            notes.append(f"It {end}.")
    if times is None or not times.rows:
        raise checking.NotRightError(f"nothing could be timed: {' '.join(notes)}")
    return times


def write(work, times, parallel):
    """Write page, numbers and, where matplotlib is there, picture; the files, and a note or None."""
    files = [work.folder / PAGE, work.folder / NUMBERS]
    title = f"{work.exercise.name}: how fast"
    text = pages.page(
        title, f"{work.file.name}, {work.language}", roofline.sections(times, work.language, parallel)
    )
    write_atomically(own_target(files[0]), text.encode())
    write_atomically(
        own_target(files[1]),
        json.dumps({**vars(times), "parallel": parallel, "source": work.digest()}, indent=1).encode(),
    )
    try:
        drawn = figures.roofline(times)
    except ImportError as error:
        return files, f"no {PICTURE}: {error}"
    write_atomically(own_target(work.folder / PICTURE), drawn)
    return [*files, work.folder / PICTURE], None
