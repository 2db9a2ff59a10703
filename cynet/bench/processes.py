"""What is measured in processes of their own: peak memory of a training, and the time of an import."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import cynet

from . import peers, workload
from .choices import REPEATS, STEPS
from .report import MEBIBYTES, MILLISECONDS, TIMES, Report, span
from .speed import compared
from .timing import nothing, quartiles

IMPORTS = {
    "import cynet": "import cynet",
    "all public names of cynet": "import cynet; [getattr(cynet, name) for name in cynet.__all__]",
}
IMPORT_PROGRAM = """
import numpy, time
start = time.perf_counter()
{}
print(time.perf_counter() - start)
"""


def run_python(*arguments, launch=()):
    """Run a Python that finds this cynet, by the words `launch` where it takes some; what it printed last."""
    root = str(Path(cynet.__file__).parent.parent)
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
    environment = {**os.environ, "PYTHONPATH": path}
    words = [*launch, sys.executable, *arguments]
    # In a process group of its own: Ctrl-C comes to this process alone, which then ends the other.
    done = subprocess.run(words, capture_output=True, text=True, env=environment, process_group=0)
    if done.returncode:
        said = (done.stderr.splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ChildProcessError(f"a process that was to be measured failed: {said}")
    return done.stdout.splitlines()[-1]


def memory(setup, repeat=REPEATS["memory"], steps=STEPS, watch=nothing):
    """The peak resident memory of fresh processes that train.

    Parameters
    ----------
    setup : speed.Setup
        Its models, batch sizes, batch norm, peer, and the first of its threads.
    repeat : int, optional
        Processes of each kind, taking turns; the median counts.
    steps : int, optional

    Returns
    -------
    Report
    """
    peer = peers.load(setup.peer) if setup.peer else None
    threads = setup.threads[0] if setup.threads else cynet.get_num_threads()
    rows = []
    for name in setup.models:
        for size in setup.batch_sizes:
            job = {"model": name, "batch_norm": setup.batch_norm, "batch_size": size, "threads": threads}
            with tempfile.TemporaryDirectory() as folder:
                jobs = {"cynet": job | {"steps": steps}}
                if peer:
                    net = peer.converted(workload.create(name, setup.batch_norm))
                    file = Path(folder, "net")
                    file.write_bytes(pickle.dumps(net))
                    given = {"peer": setup.peer, "net": str(file), "shape": workload.input_shape(name)}
                    ways = [way for way in peer.FORMATS if peer.trains_in(net, way)]
                    jobs |= {way: jobs["cynet"] | given | {"way": way} for way in ways}
                rows.append(
                    job | {"steps": steps} | peaks(jobs, repeat, watch, f"memory {name}, batch {size}")
                )
    return _memory_report(setup, rows)


def peaks(jobs, repeat, watch, text):
    """The medians of the processes' peaks, the best of the peer's ways.

    Parameters
    ----------
    jobs : dict of str to dict
        What `child.main` is given: "cynet", and each of the peer's ways.
    repeat : int
        Processes of each, taking turns.
    watch : callable
    text : str
        What is measured, for `watch`.

    Returns
    -------
    dict
    """
    found = {way: [] for way in jobs}
    for turn in range(repeat):
        for way, job in jobs.items():
            found[way].append(json.loads(run_python("-m", "cynet.bench.child", json.dumps(job))))
        watch(turn + 1, repeat, text)
    medians = {
        way: {key: float(np.median([one[key] for one in each])) for key in ("peak", "imported", "own")}
        for way, each in found.items()
    }
    ours = medians.pop("cynet")
    row = {"peak_bytes": ours["peak"], "imported_bytes": ours["imported"], "own_bytes": ours["own"]}
    row["repeat"] = repeat
    if medians:
        way = min(medians, key=lambda w: medians[w]["peak"])
        best, peaks = medians[way], {w: np.array([one["peak"] for one in found[w]]) for w in ("cynet", way)}
        row["ratio_quartiles"] = quartiles(peaks[way] / peaks["cynet"])
        row |= {"peer_way": way, "peer_ways": medians, "peer_peak_bytes": best["peak"]}
        row |= {"peer_imported_bytes": best["imported"], "peer_own_bytes": best["own"]}
        row |= {"ratio": best["peak"] / ours["peak"], "own_ratio": best["own"] / ours["own"]}
    return row


def _memory_report(setup, rows):
    columns = (
        ("model", "model", None),
        ("batch_size", "batch", str),
        ("peak_bytes", "cynet peak MiB", MEBIBYTES),
        ("own_bytes", "less imports", MEBIBYTES),
        ("peer_peak_bytes", f"{setup.peer} peak MiB", MEBIBYTES),
        ("peer_own_bytes", "less imports", MEBIBYTES),
        ("peer_way", "its way", None),
        ("ratio", f"{setup.peer} / cynet", TIMES),
        ("ratio_quartiles", "quartiles", span),
        ("own_ratio", "less imports", TIMES),
    )
    notes = (
        "Peak resident memory of a fresh process that trains a few steps on one batch; medians.",
        "less imports: the peak minus what was resident when all modules were imported.",
    )
    return Report("memory", columns, rows, notes)


def imports(peer=None, repeat=REPEATS["import"], watch=nothing):
    """The time of imports in fresh interpreters that have NumPy already.

    Parameters
    ----------
    peer : str, optional
    repeat : int, optional
        Interpreters of each kind, taking turns; the median counts.

    Returns
    -------
    Report
    """
    if peer:
        peers.load(peer)
    statements = IMPORTS | ({f"import {peer}": f"import {peer}"} if peer else {})
    found = {name: [] for name in statements}
    for turn in range(-1, repeat):  # the first fills the caches of files and bytecode
        for name, statement in statements.items():
            taken = float(run_python("-c", IMPORT_PROGRAM.format(statement)))
            found[name] += [taken] if turn >= 0 else []
        watch(turn + 1, repeat, "import")
    rows = []
    for name in IMPORTS:
        times = {"cynet": np.array(found[name])}
        times |= {peer: np.array(found[f"import {peer}"])} if peer else {}
        rows.append({"import": name} | compared(times))
    return _import_report(peer, rows)


def _import_report(peer, rows):
    columns = (
        ("import", "import", None),
        ("seconds", "cynet ms", MILLISECONDS),
        ("seconds_quartiles", "quartiles", lambda pair: span([1e3 * value for value in pair])),
        ("peer_seconds", f"import {peer} ms", MILLISECONDS),
        ("ratio", f"{peer} / cynet", TIMES),
        ("ratio_quartiles", "quartiles", span),
    )
    notes = ("Beyond `import numpy`, in fresh interpreters that take turns; medians.",)
    return Report("import", columns, rows, notes)
