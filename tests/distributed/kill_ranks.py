"""Kill a rank at random moments and go on with another number of them: the bytes are those of nobody's stop.

``python tests/distributed/kill_ranks.py 50``, with the Python beside which mpiexec is; a seed may follow.
"""

import os
import random
import signal
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import mpi_jobs

FLAGS = "--checkpoint-every", "7", "--evaluate-every", "9", "--steps"
STEPS = 50  # for each kill, more than there are from one to the next
HOW = signal.SIGKILL, signal.SIGKILL, signal.SIGTERM


def main(kills, seed=0):
    """Print what was killed when, and whether the weights are the same."""
    draw, flags = random.Random(seed), (*FLAGS, str(STEPS * kills), "--run-dir")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        mpi_jobs.prepare(place)
        whole = mpi_jobs.run(place, mpi_jobs.command(1, *flags, "whole"))
        assert whole.returncode == 0, whole.stderr
        done = 0
        while done < kills:
            words = ("--resume", "killed") if (place / "killed").exists() else (*flags, "killed")
            ranks = draw.choice((1, 2, 4))
            process = mpi_jobs.start(place, mpi_jobs.command(ranks, *words))
            time.sleep(draw.uniform(1, 3))
            alive = mpi_jobs.ranks_of(place)
            if alive and process.poll() is None:
                how = draw.choice(HOW)
                os.kill(draw.choice(alive), how)
                done += 1
                print(f"kill {done}: {how.name} of one of {ranks} ranks", flush=True)
            process.communicate(timeout=60)
            mpi_jobs.see_gone(place)
            if process.returncode == 0:
                break
        last = mpi_jobs.run(place, mpi_jobs.command(2, "--resume", "killed"))
        assert last.returncode == 0, last.stdout + last.stderr
        same = all(
            (place / "killed" / name).read_bytes() == (place / "whole" / name).read_bytes()
            for name in ("last.safetensors", "best.safetensors", "digests.csv")
        )
        digest = sha256((place / "killed" / "last.safetensors").read_bytes()).hexdigest()
        print(f"{done} kills: {'the same bytes' if same else 'other bytes'}, SHA-256 {digest[:16]}")
        return int(not same)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
