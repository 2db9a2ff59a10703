"""Kill a training at every write, flush and rename that it does; each time it is resumed, to the same end.

A process of its own, which makes a child by fork for each place: what is killed is a real process, and what
it had in its buffers is gone. Run by hand: ``python tests/runs/kills_at_writes.py FOLDER``, a new folder.
"""

import argparse
import contextlib
import io
import itertools
import os
import signal
import sys
import traceback
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = str(TESTS), str(TESTS / "train")

import tiny  # noqa: E402, F401  (adds the data set "tiny")
from kill_and_resume import contents  # noqa: E402

import cynet  # noqa: E402
from cynet import cli  # noqa: E402
from cynet.runs import checkpoint  # noqa: E402

FLAGS = (
    "--data", "tiny", "--model", "uwnet2", "--batch-size", "16", "--steps", "7", "--checkpoint-every", "3",
    "--workers", "0", "--threads", "1", "--no-report",
)  # fmt: skip
CALLS = "fsync", "replace", "link"  # of the module os: where a run folder goes from one state to the next


def watched(place):
    """Let the process kill itself before the `place`-th of its CALLS."""
    calls = itertools.count()

    def wrap(call):
        def called(*arguments, **options):
            if next(calls) == place:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return called

    for name in CALLS:
        setattr(os, name, wrap(getattr(os, name)))


def child(run):
    """The wait status of a child by fork that runs a function and exits with what it returns."""
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                status = run()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def begin(folder, place=None):
    def run():
        watched(place)
        return cli.main(["train", *FLAGS, "--run-dir", str(folder)])

    return child(run)


def resume(folder):
    return child(lambda: cli.main(["train", "--resume", str(folder), "--workers", "0", "--no-report"]))


def main(folder, every):
    """How many places were tried; AssertionError where a resumed run is not as one that nobody stopped."""
    cynet.set_num_threads(1)
    with contextlib.redirect_stdout(io.StringIO()):  # here: every child has then what a training imports
        assert cli.main(["train", *FLAGS, "--run-dir", str(folder / "whole")]) == 0
    wanted = contents(folder / "whole")
    for place in range(0, 10_000, every):
        run = folder / f"at{place}"
        status = begin(run, place)
        if status == 0:
            return place // every
        assert status == -signal.SIGKILL, status
        if (run / checkpoint.PREVIOUS).exists():
            assert (run / checkpoint.NAME).exists(), f"killed at place {place}: a moment without a checkpoint"
        if (run / "config.toml").exists():
            assert resume(run) == 0, f"killed at place {place}: it cannot be resumed"
        else:  # nothing was begun: the folder is as good as new
            assert begin(run) == 0, f"killed at place {place}: it cannot be begun"
        assert contents(run) == wanted, f"killed at place {place}: another end"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the runs are put; a new one")
    parser.add_argument("every", type=int, nargs="?", default=1, help="of so many places one is tried (1)")
    told = parser.parse_args()
    tried = main(told.folder, told.every)
    print(f"{tried} places, all resumed to the same end")
