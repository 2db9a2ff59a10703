"""Hosts with names and addresses of their own, 1 Gbit/s and 1 ms apart, where this machine lets them be made.

Elsewhere (without root or iproute2, with Open MPI) the same with two ranks on this one.
"""

import os
import subprocess
from pathlib import Path

import mpi_jobs
import pytest
from mpi_jobs import LAUNCHER, command, is_openmpi, prepare, run

pytest.importorskip("mpi4py")
pytestmark = [
    pytest.mark.mpi,
    pytest.mark.skipif(not LAUNCHER.exists(), reason="no mpiexec beside this Python"),
]
SCRIPT = Path(__file__).parent / "hosts.sh"
HOSTS = 4
STEPS = "--steps", "12", "--run-dir"


def hosts(*words):
    """The finished process of the script."""
    words = [SCRIPT, *map(str, words)]
    return subprocess.run(words, env=mpi_jobs.environment(), capture_output=True, text=True)


@pytest.fixture
def made(monkeypatch):
    """Whether there are hosts."""
    monkeypatch.setenv("SET", str(1 + os.getpid() % 250))  # beside those of other tests
    able = os.geteuid() == 0 and not is_openmpi() and hosts("up", HOSTS).returncode == 0
    yield able
    if os.geteuid() == 0 and not is_openmpi():
        hosts("down")


def test_hosts_train_the_bytes_of_one_process_and_one_that_is_cut_off_ends_all(tmp_path, made):
    prepare(tmp_path)
    assert mpi_jobs.alone(tmp_path, "--shards", "8", *STEPS, "alone") == 0
    words = [str(SCRIPT), "run", str(HOSTS)] if made else mpi_jobs.launch(2)
    place = command(1).index(mpi_jobs.sys.executable)
    python = command(1, "--rank-timeout", "60", *STEPS, "apart")[place:]
    done = run(tmp_path, [*words, *python])
    assert done.returncode == 0, done.stdout + done.stderr
    weights = [(tmp_path / name / "last.safetensors").read_bytes() for name in ("alone", "apart")]
    assert weights[0] == weights[1]
    if made:
        endless = command(1, "--rank-timeout", "5", "--steps", "100000", "--run-dir", "cut")[place:]
        process = mpi_jobs.start(tmp_path, [*words, *endless])
        mpi_jobs.reached(process, tmp_path / "cut", 0)
        assert hosts("cut", 2).returncode == 0
        output, _ = process.communicate(timeout=60)
        assert process.returncode != 0 and "waited 5 s for" in output, output
        assert "from rank 1 on h2" in output, output
        mpi_jobs.see_gone(tmp_path)
