"""Kill a training at random moments and resume it: the weights are those of a run that nobody stopped.

Each training is a process of its own, a child by fork of this one, which has imported what a training does:
so it is killed while it trains, and seldom before. Run by hand with a number of kills:
``python tests/runs/kill_and_resume.py 300``. Further arguments are a seed and flags of the training, as
``--validation 0.25 --balanced``.
"""

import argparse
import contextlib
import csv
import hashlib
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

import tiny  # noqa: E402, F401  (adds the data set "tiny")

import cynet  # noqa: E402
from cynet import cli  # noqa: E402

FLAGS = (
    "--data", "tiny", "--model", "uwnet2", "--batch-size", 8, "--augment", "--steps", 300,
    "--checkpoint-every", 11,
)  # fmt: skip
HOW = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
RESULTS = ("last.safetensors", "best.safetensors", "metrics.csv", "steps.csv", "digests.csv", "test.json")


def command(*arguments):
    return ["train", "--no-report", *map(str, arguments)]


def start(errors, *arguments):
    """A process that trains, and what goes wrong in it goes into a file."""
    child = multiprocessing.get_context("fork").Process(target=_train, args=(errors, command(*arguments)))
    child.start()
    return child


def _train(errors, words):
    for path, stream in ((os.devnull, 1), (errors, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        sys.exit(cli.main(words))
    except KeyboardInterrupt:  # before the program has begun to listen
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)


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


def end(child, errors, moment, number, times=1):
    """Let a training go on until a moment; True when it was killed, and not done before.

    The second of two signals stops it at once.
    """
    child.join(moment)
    if killed := child.exitcode is None:
        for _ in range(times):
            with contextlib.suppress(ProcessLookupError):  # the first ended it
                os.kill(child.pid, number)
    child.join(120)
    error = errors.read_text() if errors.exists() else ""
    fine = {0, 128 + number, -number}  # a signal may come before the program has begun to listen
    assert child.exitcode in fine, f"exit {child.exitcode} after signal {number}: {error}"
    assert child.exitcode < 0 or "Traceback" not in error, error
    return killed


def main(kills, seed=0, flags=()):
    flags = (*FLAGS, *flags)
    rng = random.Random(seed)
    cynet.set_num_threads(1)  # here: children by fork of a process with several could have one only
    with tempfile.TemporaryDirectory() as folder:
        whole, errors = Path(folder, "whole"), Path(folder, "errors")
        one = command(*flags, "--workers", 0, "--threads", 1, "--run-dir", whole)
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            assert cli.main(one) == 0  # here too: what it imports the others need not
        wanted, begin = contents(whole), time.monotonic()
        again = start(errors, *flags, "--workers", 0, "--threads", 1, "--run-dir", Path(folder, "again"))
        assert not end(again, errors, 120, signal.SIGKILL) and contents(Path(folder, "again")) == wanted
        longest = time.monotonic() - begin
        done, runs = 0, 0
        while done < kills:
            run = Path(folder, f"run{runs}")
            runs += 1
            while True:
                how = ("--threads", rng.randint(1, 4), "--workers", rng.randint(0, 2))
                begun = (run / "config.toml").exists()  # killed before that there is nothing to go on with
                child = start(errors, *(("--resume", run) if begun else (*flags, "--run-dir", run)), *how)
                last = done >= kills or rng.random() < 0.1
                moment = 120 if last else rng.uniform(0.05, 1.1) * longest
                killed = end(child, errors, moment, rng.choice(HOW), rng.randint(1, 2))
                if not killed and child.exitcode == 0:
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
