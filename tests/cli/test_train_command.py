"""tools/train.py and tools/evaluate.py as a user runs them: in processes of their own.

Where it does not matter what is trained on, it is "tiny": shapes10 takes each process seconds to draw.
"""

import contextlib
import csv
import errno
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tiny
from helpers import IN_CHILDREN, environment_of, run_python

from cynet import cli
from cynet.cli.gathering import Flags
from cynet.cli.parser import UsageError
from cynet.data.workers.auto import processors
from cynet.runs import beginning, recorder
from cynet.runs.settings import DEFAULTS
from cynet.train import Evaluation, Settings, load_weights

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def command(tool, *arguments):
    return [sys.executable, "-W", "error", str(TOOLS / f"{tool}.py"), *map(str, arguments)]


def tool(name, *arguments, folder, **environment):
    done = subprocess.run(
        command(name, *arguments), cwd=folder, capture_output=True, text=True, timeout=120,
        env=environment_of(PYTHONPATH=str(IN_CHILDREN), **environment),  # cynet they find themselves
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


FEW = "--data", "tiny", "--batch-size", 8


def on_few_pictures(*flags):
    """How a process is started that trains on "tiny"."""
    command = [sys.executable, "-W", "error", tiny.__file__, "train", *FEW, *flags]
    return {"args": [*map(str, command)], "env": environment_of()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of a few steps with every default that allows it: (folder, what it printed)."""
    folder = tmp_path_factory.mktemp("trained")
    status, out, err = tool("train", "--steps", 20, folder=folder, OMP_NUM_THREADS=str(processors()))
    assert (status, err) == (0, "")
    return folder, out


def rows_of(run):
    """The rows of a run's metrics."""
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_default_run_says_and_keeps_what_it_did(trained):
    folder, out = trained
    lines, run = out.splitlines(), folder / "runs" / "uwnet2-shapes10-1"
    assert re.fullmatch(r" +layer +output shape +parameters +MACs +activation bytes", lines[0])
    assert lines[16].split() == ["total", "11,218", "207,872", "48,168"]
    assert lines[17].startswith("model uwnet2 with batch norm: 11,218 parameters, ")
    assert re.match(r"data shapes10: [\d,]+ training and [\d,]+ test pictures of 10 classes", lines[18])
    assert re.match(r"20 steps of 128; \d+ threads, 0 loader workers; run runs/uwnet2-shapes10-1", lines[19])
    assert re.fullmatch(r"workers 0 chosen: the kernels have .+, the machine .+", lines[20])
    assert re.fullmatch(
        r"estimate: [\d.e-]+ s for 7 steps of [\d.]+ ms and 1 evaluation of [\d.e-]+ s; "
        r"[\d,]+ MiB of memory \([\d,]+ MiB are free\)",
        next(line for line in lines if line.startswith("estimate")),
    )
    assert [line.split()[:4] for line in lines if line.startswith("epoch")] == [
        ["epoch", "1", "step", "20/20"]
    ]
    assert re.fullmatch(r"test accuracy 0\.\d{4}", lines[-1])
    assert [re.split(" {2,}", line)[0] for line in lines[-11:-1]] == list(
        load_weights(run / "last.safetensors")[1].classes
    )
    plots = ["plots"] if importlib.util.find_spec("matplotlib") else []
    assert sorted(os.listdir(run)) == [
        ".lock", "best.safetensors", "config.toml", "digests.csv", "env.json", "last.ckpt",
        "last.safetensors", "log.txt", "metrics.csv", *plots, "report.html", "steps.csv",
    ]  # fmt: skip
    config = tomllib.loads((run / "config.toml").read_text())
    assert (config["model"], config["steps"], config["lr_steps"]) == ("uwnet2", 20, "12:0.01,16:0.001")
    rows = rows_of(run)
    assert [row["step"] for row in rows] == ["20"]
    assert f"test accuracy {float(rows[-1]['test_accuracy']):.4f}" == lines[-1]


@pytest.mark.parametrize("what", ["folder", "file"])
def test_evaluate_repeats_the_accuracy(trained, what):
    folder, out = trained
    path = Path("runs", "uwnet2-shapes10-1", *(["last.safetensors"] if what == "file" else []))
    status, again, err = tool("evaluate", path, folder=folder)
    assert (status, err) == (0, "")
    recalls = [line.split()[-3:] for line in again.splitlines() if line.startswith(("plain", "striped"))]
    accuracies = [line.split() for line in out.splitlines()[-11:-1]]
    assert [row[0] for row in recalls] == [row[-3] for row in accuracies] and len(recalls) == 10
    assert again.splitlines()[-1] == out.splitlines()[-1]


def test_the_run_is_verified_and_equal_to_itself(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained[0])
    run = str(Path("runs", "uwnet2-shapes10-1"))
    assert cli.main(["verify", run, "--threads", "2"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[-1] == "equal: 20 losses, and every tensor after step 0, 1, 2, 5, 10, 20"
    assert cli.main(["diff", run, run, "--replay"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[-1] == "equal: the losses of 20 steps, and all tensors up to step 20"


def test_a_cut_or_broken_weights_file_is_refused(trained, tmp_path):
    whole = (trained[0] / "runs" / "uwnet2-shapes10-1" / "last.safetensors").read_bytes()
    for part, words in ((whole[:-100], "cut short"), (whole[:-9] + b"x" + whole[-8:], "is damaged")):
        (tmp_path / "bad.safetensors").write_bytes(part)
        status, out, err = tool("evaluate", "bad.safetensors", folder=tmp_path)
        assert (status, out) == (2, "")
        assert "bad.safetensors" in err and words in err
        assert err.count("\n") == 1


def test_the_last_epoch_may_be_a_part(tmp_path, capsys):
    flags = ["train", "--data", "tiny", "--no-batch-norm", "--batch-size", "10", "--augment", "--lr", "0.01"]
    assert cli.main([*flags, "--run-dir", str(tmp_path / "mine"), "--epochs", "1"]) == 0
    out, err = capsys.readouterr()
    epoch = int(rows_of(tmp_path / "mine")[-1]["step"])
    assert epoch == int(re.search(r"([\d,]+) training", out)[1].replace(",", "")) // 10
    flags += ["--no-report", "--steps", str(epoch + 1)]
    assert cli.main([*flags, "--run-dir", str(tmp_path / "other")]) == 0
    assert err + capsys.readouterr().err == ""
    rows = rows_of(tmp_path / "other")
    assert [(int(row["step"]), row["epoch"]) for row in rows] == [(epoch, "1"), (epoch + 1, "2")]


def test_a_wrong_flag_exits_2_with_a_hint(tmp_path):
    status, out, err = tool("train", "--lr-step", "3:.1", folder=tmp_path)
    assert (status, out) == (2, "")
    assert err == "train.py: error: unknown flag: --lr-step (did you mean --lr-steps?)\n"
    assert os.listdir(tmp_path) == []


def test_equal_runs_give_equal_bytes_for_any_threads_and_workers(tmp_path):
    kinds = [("1", 0, ()), ("2", 1, ()), ("3", 2, ()), ("4", 1, ("--threads", 4)), ("4", 0, ("--threads", 1))]
    digests = set()
    for number, (omp, workers, flags) in enumerate(kinds):
        flags = ["--steps", 12, "--batch-size", 32, "--augment", "--workers", workers, "--no-report", *flags]
        process = on_few_pictures(*flags, "--run-dir", tmp_path / str(number))
        process["env"]["OMP_NUM_THREADS"] = omp
        done = subprocess.run(**process, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        digests.add(hashlib.sha256((tmp_path / str(number) / "last.safetensors").read_bytes()).hexdigest())
    assert len(digests) == 1
    flags = [*FEW, *flags, "--seed", 1, "--run-dir", tmp_path / "other"]
    assert cli.main(["train", *map(str, flags)]) == 0
    digests.add(hashlib.sha256((tmp_path / "other" / "last.safetensors").read_bytes()).hexdigest())
    assert len(digests) == 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_keeps_its_weights(tmp_path, number, status):
    process = on_few_pictures("--steps", 1_000_000, "--run-dir", "run")
    with subprocess.Popen(
        **process, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        child.stdout.readline()
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    wanted = "stopping after this step, and saving; once more stops at once\n"
    assert (child.returncode, err) == (status, wanted)
    assert re.search(
        r"stopped by SIG\w+ after \d+ steps; the weights so far are in run/last.safetensors\n$", out
    )
    _, facts = load_weights(tmp_path / "run" / "last.safetensors")
    assert facts.model == "uwnet2"


def test_a_diverged_run_stops_in_words(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    flags = [*FEW, "--steps", 100, "--no-batch-norm", "--lr", 1e30]
    assert cli.main(["train", *map(str, flags)]) == 1
    err = capsys.readouterr().err
    assert re.match(
        r"cynet train: error: the training loss is \w+ at step \d+; try a lower learning rate", err
    )
    assert err.count("\n") == 1
    assert not list(tmp_path.rglob("last.safetensors"))


def test_the_step_of_a_diverged_run_can_be_taken_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    x, y = np.random.default_rng(0).integers(0, 256, (64, 32, 32), np.uint8), np.arange(64) % 3
    np.savez("grey.npz", train_images=x, train_labels=y, test_images=x, test_labels=y)
    flags = ["--data", "arrays", "--data-dir", "grey.npz", "--steps", "40", "--workers", "0"]
    flags += ["--batch-size", "8", "--no-batch-norm", "--lr", "1e30", "--mixup", "0.3"]
    assert cli.main(["train", *flags, "--run-dir", "it's new"]) == 1
    out, err = capsys.readouterr()
    [line] = [line for line in out.splitlines() if line.startswith("  python -c ")]
    said = re.search(r"error: (the .+ is \w+ at step \d+);", err)[1]
    again = run_python(*shlex.split(line)[1:])
    assert again.stderr.endswith(f"Diverged: {said}\n")


def test_a_recipe_can_be_shortened_into_its_warm_up(tmp_path, capsys):
    dataset = tiny.tiny()
    origins = dict.fromkeys(DEFAULTS, "default") | {"warmup": "recipe x"}
    settings = Settings(steps=30, warmup=390, batch_size=8)
    with beginning.session_of(settings, dataset, dataset, origins) as session:
        assert session.settings.warmup == 3 and "cut to a tenth" in origins["warmup"]
    with pytest.raises(UsageError, match="--warmup: wanted less than the run's 30 steps"):
        beginning.session_of(settings, dataset, dataset, origins | {"warmup": "flag"}, names=Flags())


def test_pictures_that_a_model_cannot_take_are_named(tmp_path, monkeypatch, capsys):
    x, y = np.zeros((300, 12, 12), np.uint8), np.arange(300) % 10
    np.savez(tmp_path / "grey.npz", train_images=x, train_labels=y, test_images=x, test_labels=y)
    flags = ["--data", "arrays", "--data-dir", str(tmp_path / "grey.npz"), "--model", "squeezenet1_1"]
    assert cli.main(["train", *flags, "--run-dir", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "--model: squeezenet1_1 cannot take the pictures of arrays, 12 x 12 x 1" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="signals of Linux")
def test_sigterm_ends_any_command_in_words(tmp_path):
    flags = "--lr-find", "--batch-size", 4096, "--threads", 1, "--run-dir", "found"
    with subprocess.Popen(
        command("train", *flags), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (143, "train.py: terminated\n")
    assert not list(tmp_path.iterdir())


def went_on(folder):
    """A run that nobody could hear is whole, and says so in its log."""
    log = (folder / "run" / "log.txt").read_text()
    assert log.count("note: standard output is gone") == 1 and "\nweights in run/last.safetensors" in log
    assert load_weights(folder / "run" / "last.safetensors")


SHORT = "--steps", 60, "--workers", 0, "--threads", 1, "--run-dir", "run", "--no-report"


def test_a_reader_that_goes_away_ends_no_training(tmp_path):
    process = on_few_pictures(*SHORT)
    with subprocess.Popen(**process, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.readline()
        child.stdout.close()
        err = child.stderr.read()
    assert (child.wait(60), err) == (0, b"")
    went_on(tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_disk_that_is_full_behind_standard_output_ends_no_training(tmp_path):
    with open("/dev/full", "w") as full:
        process = on_few_pictures(*SHORT) | {"stdout": full, "stderr": subprocess.PIPE}
        done = subprocess.run(**process, cwd=tmp_path, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    went_on(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="pseudo-terminals of Linux")
def test_a_terminal_that_is_closed_ends_no_training_that_ignores_it(tmp_path):
    ours, theirs = os.openpty()
    process = on_few_pictures(*SHORT)
    with subprocess.Popen(**process, cwd=tmp_path, stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        assert os.read(ours, 1)
        os.close(ours)
        assert child.wait(60) == 0
    went_on(tmp_path)


def test_a_full_disk_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def full(*arguments):
        raise OSError(errno.ENOSPC, f"cannot write {arguments[0]}: No space left on device")

    monkeypatch.setattr(recorder, "save_weights", full)
    assert cli.main(["train", *map(str, FEW), "--steps", "2", "--workers", "0"]) == 1
    err = capsys.readouterr().err
    assert re.fullmatch(
        r"cynet train: error: after step 2: cannot write .*last.safetensors: No space left on device; "
        r"to go on from the stored configuration: cynet train --resume runs/uwnet2-tiny-1\n",
        err,
    )


@pytest.mark.parametrize("how", ["moved", "removed", "replaced"])
def test_a_save_that_breaks_is_told_of_the_folder_as_it_is_then(tmp_path, monkeypatch, capsys, how):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "r"

    def broken(path, *arguments):
        shutil.rmtree(place) if how == "removed" else place.rename(tmp_path / "moved")
        if how == "replaced":
            shutil.rmtree(tmp_path / "moved")
            place.mkdir()
        raise FileNotFoundError(errno.ENOENT, f"cannot write {path}: No such file or directory")

    monkeypatch.setattr(recorder, "save_weights", broken)
    flags = [*map(str, FEW), "--steps", "2", "--workers", "0"]
    assert cli.main(["train", *flags, "--run-dir", "r"]) == 1
    err = capsys.readouterr().err
    if how == "moved":
        assert err.endswith(f"the stored configuration: cynet train --resume {tmp_path / 'moved'}\n")
    else:
        assert err.startswith("cynet train: error: after step 2: r: the run's folder was removed")
    assert not place.exists() or os.listdir(place) == []


def test_the_bar_goes_to_the_terminal_and_the_results_to_standard_output(capsys):
    from cynet.cli.terminal import Terminal
    from cynet.train.loop import Progress, Result

    screen = Terminal(2, 10, bar=True)
    screen.bar.mininterval = 0
    for step in (1, 2):
        screen.stepped(Progress(step, 1, 0.1, 2.5, 10, 4))
    test = Evaluation(1.25, np.array([2, 2]), np.array([[2, 0], [1, 1]]))
    screen.evaluated(Result(2, 1, 0.1, 2.0, test, 0.4))
    screen.close()
    out, err = capsys.readouterr()
    assert re.fullmatch(
        r"epoch 1  step 2/2  loss 2.0000  accuracy 0.4000  test loss 1.2500  test accuracy 0.7500  lr 0.1  "
        r"[\d,]+ images/s  0 s left\n",
        out,
    )
    assert "loss 2.5000, acc 0.400, lr 0.1" in err
    assert " images/s" in err and "<00:00" in err


@pytest.mark.skipif(sys.platform != "linux", reason="pseudo-terminals of Linux")
def test_a_run_on_a_terminal_has_a_bar_that_goes_away(tmp_path):
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    flags = "--model", "resnet20", "--steps", 8, "--workers", 0, "--threads", 1, "--no-report"
    process = on_few_pictures(*flags)  # whose steps are as long as a bar's while
    with subprocess.Popen(**process, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs) as child:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how the end of a terminal is told
            while part := os.read(ours, 4096):
                shown += part
        out = child.stdout.read().decode()
    os.close(ours)
    assert child.returncode == 0
    assert b"  0%|" in shown and b"images/s, loss " in shown
    assert shown.endswith(b" " * 50 + b"\r")
    assert "epoch 1  step 8/8" in out and "%|" not in out


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.354, "0.35 s"), (99, "99 s"), (100, "2 min"), (5900, "98 min"), (6000, "1 h 40 min")],
)
def test_times_are_told_in_words(seconds, words):
    from cynet.cli.terminal import duration

    assert duration(seconds) == words
