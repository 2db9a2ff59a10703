"""Trainings by several processes over MPI, for tests: a small net, a few pictures, a launcher."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from cynet import cli

ROOT = Path(__file__).parent.parent.parent
LAUNCHER = Path(sys.executable).parent / "mpiexec"
SIDE, CLASSES = 8, 4
GONE = 10.0  # seconds in which all processes are to be gone
NET = """
from cynet.layers import BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential

def net(input_shape, classes):
    return Sequential(
        Conv2d(3, 8, 3, padding=1), BatchNorm2d(8), ReLU(), MaxPool2d(2), Conv2d(8, 8, 3, padding=1),
        BatchNorm2d(8), ReLU(), Dropout(0.1), Flatten(), Linear(128, classes),
    )
"""
USUAL = (
    "--data", "pictures.npz", "--model", "net.py:net", "--batch-size", "16", "--lr", ".05", "--augment",
    "flip", "--workers", "0", "--threads", "1", "--no-report",
)  # fmt: skip


def prepare(place):
    """The files of a training in a folder."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, CLASSES, 96)
    labels[:CLASSES] = range(CLASSES)
    images = rng.integers(0, 256, (len(labels), SIDE, SIDE, 3), np.uint8)
    arrays = {"x_train": images, "y_train": labels, "x_test": images[:40], "y_test": labels[:40]}
    np.savez(place / "pictures.npz", **arrays)
    (place / "net.py").write_text(NET)


def environment():
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMP_WAIT_POLICY": "passive",
        "MPIEXEC": str(LAUNCHER),
        "PYTHON": sys.executable,
    }


def is_openmpi():
    found = subprocess.run([LAUNCHER, "--version"], capture_output=True, text=True, env=environment())
    return "Open MPI" in found.stdout + found.stderr or "PRRTE" in found.stdout + found.stderr


def launch(ranks):
    """The words that start so many processes."""
    more = ["--oversubscribe"] if is_openmpi() else []
    return [str(LAUNCHER), "-n", str(ranks), *more]


def command(ranks, *flags):
    """The words of a training by so many processes, with `USUAL` unless it goes on."""
    usual = () if "--resume" in flags else USUAL
    return [*launch(ranks), sys.executable, "-m", "cynet", "train", "--distributed", *usual, *flags]


def alone(place, *flags):
    """Train in this very process, which computes all shards; its exit status."""
    before = os.getcwd()
    os.chdir(place)
    try:
        return cli.main(["train", *USUAL, *flags])
    finally:
        os.chdir(before)


def run(place, words, timeout=120):
    """The finished process of some words, which says nothing on the terminal."""
    return subprocess.run(
        words, cwd=place, env=environment(), capture_output=True, text=True, timeout=timeout
    )


def start(place, words):
    """The same, running."""
    return subprocess.Popen(
        words, cwd=place, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def ranks_of(place):
    """The numbers of the processes that train in a folder, but for launchers."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            here = entry.name.isdigit() and os.readlink(entry / "cwd") == str(place)
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, ValueError):
            continue
        if here and b"cynet" in words and words[1:3] == [b"-m", b"cynet"] and state != "Z":
            found.append(int(entry.name))
    return sorted(found)


def reached(process, run_dir, steps):
    """Wait until a run has made so many steps."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(process.stdout.read())
        try:
            if len((run_dir / "steps.csv").read_text().splitlines()) > steps:
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError("no steps in a minute")


def see_gone(place):
    """All processes that train in a folder are gone in time."""
    start = time.monotonic()
    while left := ranks_of(place):
        assert time.monotonic() - start < GONE, left
        time.sleep(0.05)
