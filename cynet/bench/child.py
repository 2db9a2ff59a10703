"""A process that trains a few steps and prints how much memory it took: `python -m cynet.bench.child JOB`."""

import json
import sys
from pathlib import Path

from . import peers, setting

PAGES = Path("/proc/self/status")


def resident(which):
    """Bytes of resident memory: "VmHWM", the most so far, or "VmRSS", now.

    Where there is no /proc, both are the most so far. (Linux hands `ru_maxrss` on from the process that
    started this one, so it would count the parent's memory.)
    """
    try:
        lines = PAGES.read_text().splitlines()
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(which))


def ours(job):
    """cynet's training step; memory once everything is imported."""
    from cynet.core.threads import set_num_threads

    from . import workload

    set_num_threads(job["threads"])
    imported = resident("VmRSS")
    model = workload.create(job["model"], job["batch_norm"])
    samples = setting.batch(job["batch_size"], workload.input_shape(job["model"]))
    return workload.training_step(model, *samples), imported


def peers_own(job):
    """The peer's; the net comes from a file, made by the process that asks."""
    import pickle

    peer = peers.load(job["peer"], "steps")
    peer.set_num_threads(job["threads"])
    imported = resident("VmRSS")
    net = pickle.loads(Path(job["net"]).read_bytes())
    return peer.training_step(net, *setting.batch(job["batch_size"], job["shape"]), job["way"]), imported


def ours_of_texts(job):
    """As `ours`, of a net that learns from a text."""
    from cynet.core.threads import set_num_threads

    from . import texts

    set_num_threads(job["threads"])
    imported = resident("VmRSS")
    return texts.training_step(texts.create(job["hidden"]), *_tokens(job)), imported


def peers_of_texts(job):
    """As `peers_own`, of a net that learns from a text."""
    peer = peers.load(job["peer"], "texts")
    peer.set_num_threads(job["threads"])
    imported = resident("VmRSS")
    return peer.training_step(peer.TorchLanguageModel(job["hidden"]), *_tokens(job)), imported


def _tokens(job):
    return setting.text(job["batch_size"], job["length"])


def main(job):
    """Train, and return the peak, what was there after the imports, and the difference, in bytes."""
    if "hidden" in job:  # a net of texts
        step, imported = (peers_of_texts if "peer" in job else ours_of_texts)(job)
    else:
        step, imported = (peers_own if "peer" in job else ours)(job)
    for _ in range(job["steps"]):
        step()
    peak = resident("VmHWM")
    return {"peak": peak, "imported": imported, "own": peak - imported}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
