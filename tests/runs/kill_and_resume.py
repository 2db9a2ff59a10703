"""Kill a training at random moments and resume it: the weights are those of a run that nobody stopped.

Run by hand with a number of kills: ``python tests/runs/kill_and_resume.py 300``. Further arguments are a
seed and flags of the training, as ``--validation 0.25 --balanced``.
"""

import argparse
import contextlib
import csv
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

from helpers import environment_of  # noqa: E402

FLAGS = (
    "--data", "tiny", "--model", "uwnet2", "--batch-size", 8, "--augment", "--steps", 300,
    "--checkpoint-every", 11,
)  # fmt: skip
HOW = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
RESULTS = ("last.safetensors", "best.safetensors", "metrics.csv", "steps.csv", "digests.csv", "test.json")


def command(*arguments):
    program = [sys.executable, "-W", "error", str(TESTS / "tiny.py"), "train", "--no-report"]
    return [*program, *map(str, arguments)]


def start(*arguments):
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command(*arguments), text=True, env=environment_of(), **pipes)


def contents(run):
    """What must be equal: digests of the weights, and the tables without their times."""
    found = {}
    for name in RESULTS:
        if name.endswith(".csv"):
            with (run / name).open() as file:
                rows = [row | {"seconds": None} for row in csv.DictReader(file)]
            found[name] = rows
        elif (run / name).exists() or name != "test.json":
            found[name] = hashlib.sha256((run / name).read_bytes()).hexdigest()
    return found


def end(child, moment, number, times=1):
    """Let a training go on until a moment; True when it was killed, and not done before.

    The second of two signals stops it at once.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(moment)
    if killed := child.poll() is None:
        for _ in range(times):
            child.send_signal(number)
    error = child.communicate(timeout=120)[1]
    fine = {0, 128 + number, -number}  # a signal may come before the program has begun to listen
    assert child.returncode in fine, f"exit {child.returncode} after signal {number}: {error}"
    assert child.returncode < 0 or "Traceback" not in error, error
    return killed


def main(kills, seed=0, flags=()):
    flags = (*FLAGS, *flags)
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole")
        begin = time.monotonic()
        assert not end(start(*flags, "--workers", 0, "--threads", 1, "--run-dir", whole), 120, signal.SIGKILL)
        longest, wanted = time.monotonic() - begin, contents(whole)
        done, runs = 0, 0
        while done < kills:
            run = Path(folder, f"run{runs}")
            runs += 1
            while True:
                how = ("--threads", rng.randint(1, 4), "--workers", rng.randint(0, 2))
                begun = (run / "config.toml").exists()  # killed before that there is nothing to go on with
                child = start(*(("--resume", run) if begun else (*flags, "--run-dir", run)), *how)
                last = done >= kills or rng.random() < 0.1
                moment = 120 if last else rng.uniform(0.05, 1.1) * longest
                killed = end(child, moment, rng.choice(HOW), rng.randint(1, 2))
                if not killed and child.returncode == 0:
                    break
                done += 1
            assert contents(run) == wanted, f"run {runs} differs after {done} kills"
    print(f"{done} kills, {runs} runs, all as the one that nobody stopped")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kills", type=int, nargs="?", default=300, help="how many (default: 300)")
    parser.add_argument("seed", type=int, nargs="?", default=0, help="of the moments (default: 0)")
    parser.add_argument("flags", nargs=argparse.REMAINDER, help="of the training, as --validation 0.25")
    told = parser.parse_args()
    main(told.kills, told.seed, told.flags)
