"""The process in which a student's code runs: `python -m cynet.lab.child PIPE`, with a job on standard input.

It limits itself before it loads the student's file, and sends its messages through the pipe that it was
given.
"""

import contextlib
import ctypes
import importlib
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import types
from pathlib import Path

import numpy as np

from .telling import told

JOBS = {  # by the name in a job: the module and function that does it
    "check": ("cynet.lab.trying", "check"),
    "own": ("cynet.lab.trying", "own_tests"),
    "time": ("cynet.lab.timing", "time_all"),
    "train": ("cynet.lab.training", "train_all"),
}
PR_SET_PDEATHSIG = 1
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


class Pipe:
    """What messages go through: each the length of its JSON, this, and the bytes of its arrays."""

    def __init__(self, descriptor):
        self._file = os.fdopen(descriptor, "wb")

    def send(self, what, arrays=(), **more):
        shapes = [{"dtype": each.dtype.str, "shape": each.shape} for each in arrays]
        header = json.dumps({"what": what, "arrays": shapes, **more}).encode()
        self._file.write(len(header).to_bytes(8) + header)
        for each in arrays:
            self._file.write(np.ascontiguousarray(each).tobytes())
        self._file.flush()


def limit(memory, seconds, file_bytes):
    """Bound this process for good; the memory is beside what it has now."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(ImportError):
        import resource

        bounds = {"CORE": 0, "CPU": seconds, "FSIZE": file_bytes, "AS": _address_space() + memory}
        for name, most in bounds.items():
            kind = getattr(resource, f"RLIMIT_{name}")
            _, hard = resource.getrlimit(kind)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(kind, (most, most))


def _address_space():
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 1 << 30


def cut_off():
    """Leave the network, where the kernel lets a process do so: whether it is left."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    # Who may leave it by itself keeps its rights to files; others need a space of users of their own, which
    # a process with several threads cannot have: see SINGLE in process.py.
    return any(libc.unshare(flags) == 0 for flags in (CLONE_NEWNET, CLONE_NEWUSER | CLONE_NEWNET))


def load(job):
    """The student's module: of the Python file that the job names, or of what was compiled of it."""
    path, name = Path(job["module"]), job["stem"]
    sys.path.insert(0, job["folder"])
    if path.suffix == ".py":
        module = types.ModuleType(name)
        module.__file__ = str(path)
        sys.modules[name] = module
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
        return module
    loader = importlib.machinery.ExtensionFileLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def main():
    job = json.load(sys.stdin.buffer)
    pipe = Pipe(int(sys.argv[1]))
    home, function = JOBS[job["job"]]
    run = getattr(importlib.import_module(home), function)
    alone = cut_off() if job["offline"] else False
    limit(**job["limits"])
    pipe.send("ready", offline=alone)
    np.seterr(all="ignore")  # what overflows shows in the numbers
    try:
        module = load(job)
    except BaseException as error:
        pipe.send("unloaded", said=told(error, job["shown"]))
        return
    pipe.send("loaded")
    run(job, module, pipe)
    pipe.send("done")


if __name__ == "__main__":
    main()
