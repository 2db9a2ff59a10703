"""Trainings over MPI with real processes: the same bytes for any number of them, and what faults leave."""

import json
import os
import signal
import sys
import threading
import time

import mpi_jobs
import numpy as np
import pytest
from mpi_jobs import command, launch, prepare, ranks_of, reached, run, see_gone, start

from cynet.bench import scaling
from cynet.runs.run import Run

pytest.importorskip("mpi4py")
pytestmark = [
    pytest.mark.mpi,
    pytest.mark.skipif(not mpi_jobs.LAUNCHER.exists(), reason="no mpiexec beside this Python"),
]
MANY = 150  # steps, of which some are left when a signal has come
SHORT = ("--steps", "12", "--checkpoint-every", "3", "--run-dir")
LONG = ("--steps", str(MANY), "--checkpoint-every", "5", "--evaluate-every", "20", "--run-dir")
SAME = "weights.safetensors", "last.safetensors", "best.safetensors", "digests.csv"


def kept(run_dir):
    """What of a run does not depend on time: bytes of files, losses of steps."""
    found = {name: (run_dir / name).read_bytes() for name in SAME if (run_dir / name).exists()}
    steps = (run_dir / "steps.csv").read_text().splitlines()
    return found | {"steps": [line.rpartition(",")[0] for line in steps]}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = tmp_path_factory.mktemp("mpi")
    prepare(made)
    return made


@pytest.fixture(scope="module")
def alone(place):
    """What one process without MPI keeps of the short run and of the long one."""
    for name, flags in (("short", SHORT), ("long", LONG)):
        assert mpi_jobs.alone(place, "--shards", "8", *flags, name) == 0
    return kept(place / "short"), kept(place / "long")


@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
def test_every_number_of_ranks_trains_the_same_bytes(place, alone, ranks):
    done = run(place, command(ranks, *SHORT, f"n{ranks}"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert kept(place / f"n{ranks}") == alone[0]
    assert done.stdout.count("weights in ") == 1  # the others are silent


def test_batch_norm_over_the_whole_batch_has_the_same_bytes(place):
    flags = "--shards", "4", "--sync-batch-norm", "--steps", "6", "--evaluate-every", "9", "--run-dir"
    assert mpi_jobs.alone(place, *flags, "sync1") == 0
    done = run(place, command(2, *flags, "sync2"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert kept(place / "sync1") == kept(place / "sync2")


def ended(process, place):
    """(exit status, output) of a launcher; all its processes are gone in time."""
    output, _ = process.communicate(timeout=60)
    see_gone(place)
    return process.returncode, output


def gone_on(place, name, ranks, alone):
    """The run goes on to its end with so many ranks, and is then that of a process that nobody stopped."""
    assert len((place / name / "steps.csv").read_text().splitlines()) < MANY  # there is something left to do
    done = run(place, command(ranks, "--resume", name))
    assert done.returncode == 0, done.stdout + done.stderr
    assert kept(place / name) == alone[1]


@pytest.mark.parametrize(("ranks", "then"), [(2, 4), (4, 1)])
def test_a_signal_to_one_rank_stops_all_after_the_same_step(tmp_path, alone, ranks, then):
    prepare(tmp_path)
    process = start(tmp_path, command(ranks, *LONG, "stopped"))
    reached(process, tmp_path / "stopped", 2)
    os.kill(ranks_of(tmp_path)[-1], signal.SIGTERM)
    status, output = ended(process, tmp_path)
    assert status == 128 + signal.SIGTERM and "stopped by SIGTERM after" in output, output
    assert output.count("checkpoint in ") == 1
    gone_on(tmp_path, "stopped", then, alone)


def test_a_killed_rank_takes_all_others_along_and_the_run_goes_on_with_another_number(tmp_path, alone):
    prepare(tmp_path)
    process = start(tmp_path, command(2, *LONG, "killed"))
    reached(process, tmp_path / "killed", 12)
    os.kill(ranks_of(tmp_path)[-1], signal.SIGKILL)
    assert ended(process, tmp_path)[0] != 0
    gone_on(tmp_path, "killed", 4, alone)


EARLY = """
import os, signal, sys
from cynet.cli import main
from cynet.distributed import start

begin = start.begin
def ending(*given):
    if os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK")) == "1":
        os.kill(os.getpid(), signal.SIGTERM)
    return begin(*given)
start.begin = ending
sys.exit(main(["train", "--distributed", "--steps", "3", "--run-dir", "early"]))
"""


def test_a_rank_that_ends_before_mpi_has_begun_takes_all_others_along(tmp_path):
    (tmp_path / "early.py").write_text(EARLY)
    done = run(tmp_path, [*launch(2), sys.executable, "early.py"], timeout=60)
    assert done.returncode and not (tmp_path / "early").exists()
    see_gone(tmp_path)


def test_a_rank_that_hangs_ends_all_with_a_sentence(tmp_path):
    prepare(tmp_path)
    process = start(tmp_path, command(2, "--rank-timeout", "4", *LONG, "hung"))
    reached(process, tmp_path / "hung", 2)
    os.kill(ranks_of(tmp_path)[-1], signal.SIGSTOP)
    status, output = ended(process, tmp_path)
    assert status != 0 and "waited 4 s for" in output and "hangs or is cut off" in output, output


def mixed(ranks, first, second):
    """The words of a training whose last rank has other flags."""
    words = command(1, *first)
    place = words.index(sys.executable)
    other = [*launch(1)[1:], *command(1, *second)[place:]]
    return [*launch(ranks - 1), *words[place:], ":", *other]


PATIENT = """
import sys, time
from cynet import distributed
from cynet.distributed import mpi

mpi.PATIENCE = 3
world = distributed.init(2, timeout=0.5)
while world.rank:
    time.sleep(0.1)
world.gathered(b"", "data")
"""


def test_before_the_first_step_nobody_waits_for_ever_either(tmp_path):
    (tmp_path / "script.py").write_text(PATIENT)
    done = run(tmp_path, [*launch(2), sys.executable, "script.py"], timeout=60)
    assert done.returncode and "waited 1.5 s for data from rank 1 on" in done.stderr, done.stderr
    see_gone(tmp_path)


@pytest.mark.parametrize(
    ("flags", "told"), [(("--lr", ".07"), "lr: 0.05 on ranks 0-1, 0.07 on rank 2"),
                        (("--data", "other.npz"), "fingerprint of the data: ")]
)  # fmt: skip
def test_ranks_with_other_settings_or_data_are_refused_by_name(place, flags, told):
    with np.load(place / "pictures.npz") as arrays:
        np.savez(place / "other.npz", **dict(arrays) | {"x_train": arrays["x_train"] ^ np.uint8(1)})
    own = *SHORT, "refused", "--shards", "6"
    done = run(place, mixed(3, own, (*own, *flags)))
    text = done.stdout + done.stderr
    assert done.returncode == 2 and told in text, text
    assert text.count("wanted the same on all") == 1 and not (place / "refused").exists()


def test_what_goes_wrong_in_one_rank_is_said_once_and_ends_all(place):
    own = *SHORT, "lacking"
    done = run(place, mixed(2, own, (*own, "--data", "nothing.npz")))
    text = done.stdout + done.stderr
    assert done.returncode and text.count("nothing.npz") == 1 and "rank 1 on" in text, text


@pytest.mark.parametrize("flag", ["--nothing", "--lr-find"])
def test_flags_that_are_none_are_refused_once(place, flag):
    done = run(place, command(2, flag))
    text = done.stdout + done.stderr
    assert done.returncode == 2 and text.count(flag) == 1, text


LIMITED = """
import resource

def limited(input_shape, classes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
    return net(input_shape, classes)
"""


def test_a_full_disk_of_the_first_rank_ends_all_and_leaves_the_run_whole(tmp_path):
    """The table of digests grows until no file may be as large."""
    prepare(tmp_path)
    (tmp_path / "net.py").write_text(mpi_jobs.NET + LIMITED)
    flags = "--model", "net.py:limited", "--steps", "1000", "--checkpoint-every", "5", "--run-dir", "full"
    process = start(tmp_path, command(2, *flags))
    status, output = ended(process, tmp_path)
    assert status == 1 and output.count("File too large") == 1, output
    assert Run(tmp_path / "full").soundness()["last.ckpt"] is None


SCRIPT = """
import sys, hashlib
import numpy as np
import cynet
from cynet import data, distributed
from cynet.layers import *

world = distributed.init(shards=4) if len(sys.argv) > 1 else None
if world is None:
    from cynet.train.shards.sharding import Sharding
    cynet.train.Trainer.sharding = Sharding(4)
cynet.seed(1)
rng = np.random.default_rng(1)
images, labels = rng.integers(0, 256, (60, 3, 8, 8), np.uint8), np.arange(60) % 3
pictures = data.ArrayDataset(images, labels, ["a", "b", "c"])
ready = [data.Normalize([.5] * 3, [.25] * 3)]
batches = data.DataLoader(pictures, 20, workers=0, transforms=ready)
test = data.DataLoader(pictures, 16, shuffle=False, workers=0, transforms=ready)
model = Sequential(Conv2d(3, 8, 3), BatchNorm2d(8), ReLU(), Flatten(), Dropout(.2), Linear(288, 3))
optimizer = cynet.SGD(model.parameters(), 0.1, 0.9)
trainer = cynet.train.Trainer(model, cynet.CrossEntropyLoss(), optimizer, lambda step: 0.1)
result = cynet.train.train(trainer, batches, test, 7)
if world is None or world.rank == 0:
    state = model.state_dict()
    print(hashlib.sha256(b"".join(state[n].tobytes() for n in state)).hexdigest(), result.test.loss)
"""


def test_a_script_trains_with_one_line_more(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    alone = run(tmp_path, [sys.executable, "script.py"])
    done = run(tmp_path, [*launch(2), sys.executable, "script.py", "together"])
    assert alone.returncode == done.returncode == 0, done.stderr
    assert done.stdout == alone.stdout and len(done.stdout.split()) == 2


def test_an_error_in_one_rank_of_a_script_ends_all(tmp_path):
    lines = (
        "import cynet.distributed as d\nworld = d.init(4)\nassert world.rank == 0\nworld.gathered(b'', 'x')\n"
    )
    (tmp_path / "script.py").write_text(lines)
    began = time.monotonic()
    done = run(tmp_path, [*launch(2), sys.executable, "script.py"])
    assert done.returncode and "AssertionError" in done.stderr and time.monotonic() - began < 30


def test_a_rank_of_a_script_that_leaves_early_ends_all(tmp_path):
    lines = (
        "import sys, cynet.distributed as d\nworld = d.init(4)\nif world.rank: sys.exit()\n"
        "world.patient = True\nworld.gathered(b'', 'x')\n"
    )
    (tmp_path / "script.py").write_text(lines)
    began = time.monotonic()
    done = run(tmp_path, [*launch(2), sys.executable, "script.py"])
    assert done.returncode and "its program came to its end" in done.stderr and time.monotonic() - began < 30


def test_before_all_are_ended_a_launcher_has_read_what_was_printed():
    """What it has not read then is lost, as the end of a traceback was."""
    from cynet.distributed import mpi

    reader, writer = os.pipe()
    read, began = [], time.monotonic()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "w") as printed:
        print("the last words", file=printed, flush=True)
        waiting = threading.Thread(target=lambda: (mpi._handed_on(printed), read.append("waited")))
        waiting.start()
        waiting.join(0.1)
        assert read == []
        words = os.read(source.fileno(), 100)
        waiting.join()
        assert (words, read) == (b"the last words\n", ["waited"]) and time.monotonic() - began < 1
        print("nobody reads this", file=printed, flush=True)
        mpi._handed_on(printed)  # ends
    mpi._handed_on(printed)  # closed


AGAIN = """
import sys, cynet.distributed as d
from cynet.runs import together
from cynet.runs.errors import RefusedError
world = d.init(4)
hook = sys.excepthook
assert d.init(2, timeout=50) is world and sys.excepthook is hook and world.timeout == 50
try:
    with together.told_to_others():
        world.gathered(b"", "x")
        raise RefusedError("no")
except RefusedError:
    world.agreed, world.patient = 15, False
with together.told_to_others():
    assert (world.agreed, world.patient, world.failed) == (0, True, False)
    world.gathered(b"", "x")
    for _ in range(3):
        world._look([])
    world.gathered(b"", "y")
print("good")
"""


def test_nothing_is_left_of_a_run_that_was_refused(tmp_path):
    (tmp_path / "script.py").write_text(AGAIN)
    done = run(tmp_path, [*launch(2), sys.executable, "script.py"])
    assert done.returncode == 0 and done.stdout.count("good") == 2, done.stderr


LATE = """
import os, sys, time
from cynet import cli
from cynet.runs import ending

def slow(*args, before=ending.conclude, **more):
    with open("new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("new", "first")
    while not os.path.exists("sent"):
        time.sleep(0.02)
    time.sleep(0.3)
    return before(*args, **more)

ending.conclude = slow
with open(f"{os.getpid()}.rank", "w"):
    pass
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_a_signal_to_another_rank_while_the_first_ends_changes_nothing(tmp_path, number):
    prepare(tmp_path)
    (tmp_path / "late.py").write_text(LATE)
    words = command(2, "--steps", "3", "--run-dir", "late")
    flags = words[words.index("train") :]
    process = start(tmp_path, [*words[: words.index("-m")], "late.py", *flags])
    end = time.monotonic() + 60
    while not (tmp_path / "first").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.3)  # the other one is at its end
    (other,) = {path.stem for path in tmp_path.glob("*.rank")} - {(tmp_path / "first").read_text()}
    os.kill(int(other), number)
    (tmp_path / "sent").write_text("")
    status, output = ended(process, tmp_path)
    assert status == 0 and "weights in " in output, output


def test_ranks_measure_what_the_model_of_many_is_fed_with(tmp_path):
    job = {"model": "uwnet1", "batch_size": 32, "steps": 2, "shards": 4, "ranks": 2, "threads": 1}
    done = run(tmp_path, [*launch(2), sys.executable, "-m", "cynet.bench.ranks", json.dumps(job)])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    work, line = scaling.work_of([found], 2), scaling.line_of([found])
    assert 0 <= work.fixed <= work.shard and min(line.latency, line.bandwidth) > 0
    assert sum(size for _, size in work.buckets) < found["bytes"] and found["messages"] >= 3
    assert 0 < scaling.step_seconds(work, line, 2, 4) < 100 * found["step"]
