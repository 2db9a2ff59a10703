"""What several test files share."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import cynet
from cynet.core import _config

IN_CHILDREN = Path(__file__).parent / "in_children"  # on PYTHONPATH: what processes of tests share
# How much longer a program may take than in a plain build.
SLOWER = 10 if "-fsanitize" in _config.build_info()["flags"] else 1


def frozen(array):
    """A read-only float32 copy: kernels must take such inputs."""
    array = np.array(array, np.float32, order="C")
    array.flags.writeable = False
    return array


def run_python(*arguments, process_group=None, cwd=None, **environment):
    """Run a Python with warnings as errors that finds this cynet; returns the finished process."""
    return subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120 * SLOWER,
        process_group=process_group,
        cwd=cwd,
        env=environment_of(**environment),
    )


def environment_of(**more):
    """The environment for a process that finds this cynet, and the pictures that another one has drawn."""
    places = IN_CHILDREN, Path(cynet.__file__).parent.parent
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places)), **more}


def environment_of_others():
    """The environment for what is no Python: Chromium hangs with the sanitizers' libraries in it."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def wait_until(condition, seconds):
    """Poll until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        os.sched_yield()


def gone(pid):
    """Whether a process ended, by Linux's /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True
