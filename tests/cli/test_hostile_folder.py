"""Run folders that are not as they were left: links, pipes, damaged files, moved while training."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from damages import bounded, damaged_bytes, damaged_values, deep
from helpers import environment_of, wait_until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cynet import cli
from cynet.train import Keeper

FLAGS = (
    "--data", "tiny", "--model", "uwnet2", "--batch-size", "8", "--workers", "0", "--threads", "1",
    "--steps", "12", "--checkpoint-every", "4", "--validation", "0.25",
)  # fmt: skip
FILES = (
    "log.txt", "steps.csv", "metrics.csv", "digests.csv", "last.safetensors", "best.safetensors",
    "config.toml", ".lock",
)  # fmt: skip
ASIDE = "last.ckpt", "last.prev.ckpt", "env.json", "test.json"
QUIET = "--no-report"
RESULTS = ("last.safetensors", "best.safetensors", "test.json", "digests.csv")

pytestmark = pytest.mark.usefixtures("one_thread")


def command(*arguments):
    with bounded(60):
        return cli.main([*map(str, arguments)])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    assert command("train", *FLAGS, QUIET, "--run-dir", path) == 0
    return path


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    image = pytest.importorskip("PIL.Image")
    path = tmp_path_factory.mktemp("picture") / "a.png"
    image.new("RGB", (32, 32)).save(path)
    return path


@pytest.fixture
def run(whole, tmp_path):
    """A run in which something may be changed, beside a file that is none of its own."""
    (tmp_path / "victim").write_bytes(b"kept")
    return Path(shutil.copytree(whole, tmp_path / "run"))


def bytes_of(folder, names=RESULTS):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


KINDS = "link", "within", "dangling", "loop", "pipe", "folder"
SET_ASIDE = ("pipe", "config.toml"), ("folder", "config.toml")  # where a checkpoint tells it: see test_saved


def put(kind, path):
    """Let something else stand in the place of a run's file; what is said of it."""
    path.unlink()
    if kind in ("pipe", "folder"):
        os.mkfifo(path) if kind == "pipe" else path.mkdir()
        return f"wanted a regular file, got a {kind}"
    other = "steps.csv" if path.name == "config.toml" else "config.toml"
    target = {"link": "../victim", "within": other, "dangling": "nowhere", "loop": path.name}[kind]
    path.symlink_to(target)
    victim = path.parent.parent / "victim"
    return {
        "link": f"wanted a file in {path.parent}, got a link that leaves it, to {victim}",
        "within": f"wanted a file to write and no link, got a link, to {target}",
    }.get(kind, f"wanted a regular file, got a link that leads nowhere, to {target}")


LONGER = ("--allow-change", "steps", "--steps", "16", "--no-report")


# -- links and pipes ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind, name", [(k, n) for k in KINDS for n in FILES if (k, n) not in SET_ASIDE])
def test_no_training_goes_on_over_a_link_that_leaves_or_what_is_no_file(run, capsys, name, kind):
    said, kept = put(kind, run / name), bytes_of(run, others := sorted(set(FILES) - {name, ".lock"}))
    assert command("train", "--resume", run, *LONGER) == 2
    assert capsys.readouterr().err == f"cynet train: error: --resume: {run / name}: {said}\n"
    assert (run.parent / "victim").read_bytes() == b"kept"
    assert bytes_of(run, others) == kept and not (run / "nowhere").exists()


@pytest.mark.parametrize("name", ASIDE)
@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_the_place_of_a_checkpoint_or_a_note_is_set_aside(run, whole, capsys, name, kind):
    said, config = put(kind, run / name), (run / "config.toml").read_bytes()
    assert command("train", "--resume", run, *LONGER) == 0
    aside = name.replace(".", ".damaged.") if name.count(".") == 1 else "last.prev.damaged.ckpt"
    out = capsys.readouterr().out
    assert f"note: {run / name}: {said}; set aside as {aside}\n" in out
    assert os.path.lexists(run / aside) and (run.parent / "victim").read_bytes() == b"kept"
    assert (run / name).is_file() and not (run / name).is_symlink()
    assert (run / "config.toml").read_bytes().splitlines()[:2] == config.splitlines()[:2]


def test_the_only_checkpoint_is_not_set_aside(run, capsys):
    """Or the run would begin again, over its weights."""
    for name in ("last.ckpt", "last.prev.ckpt"):
        (run / name).unlink()
    os.mkfifo(run / "last.ckpt")
    for _ in range(2):
        assert command("train", "--resume", run, *LONGER) == 2
        said = f"{run}/last.ckpt: wanted a regular file, got a pipe"
        assert capsys.readouterr().err == f"cynet train: error: --resume: {said}\n"
        (run / "last.prev.ckpt").unlink(missing_ok=True)
        (run / "last.prev.ckpt").symlink_to("../victim")


@pytest.mark.parametrize("name", ["report.html", "plots", "plots/curves.png"])
def test_a_page_is_not_written_through_a_link_that_leaves(run, capsys, name):
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).symlink_to(run.parent / ("other" if name == "plots" else "victim"))
    (run.parent / "other").mkdir()
    if name == "plots/curves.png":
        pytest.importorskip("matplotlib")
    assert command("report", run, "--no-timing") in (1, 2)
    assert f"{run / name}: wanted a file in {run}, got a link that leaves it" in capsys.readouterr().err
    assert (run.parent / "victim").read_bytes() == b"kept" and not os.listdir(run.parent / "other")


def test_a_page_goes_through_a_link_that_its_user_named(run, tmp_path):
    (tmp_path / "page.html").symlink_to("victim")
    assert command("report", run, "--no-timing", "--output", tmp_path / "page.html") == 0
    assert (tmp_path / "page.html").is_symlink() and b"<html" in (tmp_path / "victim").read_bytes()


@pytest.mark.parametrize("what", [("evaluate",), ("predict",), ("verify",), ("report", "--no-timing")])
def test_who_reads_weights_takes_none_from_elsewhere(run, picture, capsys, what):
    for name in ("last.safetensors", "best.safetensors"):
        (run / name).rename(run.parent / name)
        (run / name).symlink_to(f"../{name}")
    more = [picture] if what[0] == "predict" else []
    status = command(what[0], run, *more, *what[1:])
    out = "".join(capsys.readouterr())
    assert f"{run / 'best.safetensors'}: wanted a file in {run}, got a link that leaves it" in out
    assert status == {"verify": 1, "report": 0}.get(what[0], 2)


def test_a_divergence_is_told_where_what_shows_it_cannot_be_kept(run, capsys):
    (run / "diverged.safetensors").symlink_to("../victim")
    assert command("train", "--resume", run, "--lr", "1e30", "--allow-change", "lr", *LONGER) == 1
    out, err = capsys.readouterr()
    assert f"note: what shows it again is not kept: {run}/diverged.safetensors: wanted a file in {run}" in out
    assert "try a lower learning rate" in err and (run.parent / "victim").read_bytes() == b"kept"


def test_a_page_is_not_written_through_a_link_within(run, capsys):
    config = (run / "config.toml").read_bytes()
    (run / "report.html").symlink_to("config.toml")
    assert command("report", run, "--no-timing") == 2
    said = f"{run / 'report.html'}: wanted a file to write and no link, got a link, to config.toml"
    assert said in capsys.readouterr().err and (run / "config.toml").read_bytes() == config


def test_who_reads_weights_takes_those_that_a_link_within_leads_to(run, capsys):
    (run / "best.safetensors").rename(run / "kept.safetensors")
    (run / "best.safetensors").symlink_to("kept.safetensors")
    assert command("evaluate", run) == 0


@pytest.mark.parametrize("kind", ["dangling", "loop"])
@pytest.mark.parametrize("name", ["last.ckpt", "best.safetensors"])
def test_a_check_says_which_links_lead_nowhere(run, capsys, name, kind):
    said = put(kind, run / name)
    assert command("verify", run, "--steps", 2) == 1
    assert f"damaged: {run / name}: {said}\n" in capsys.readouterr().out


def test_a_copy_of_hard_links_stays_as_it_was(run):
    """As `cp -al` makes it."""
    snapshot = run.with_name("snapshot")
    shutil.copytree(run, snapshot, copy_function=os.link)
    names = [path.name for path in snapshot.iterdir()]
    before = bytes_of(snapshot, names)
    with open(run / "steps.csv", "ab") as file:
        file.write(b"99,")  # what resume cuts away
    before["steps.csv"] = hashlib.sha256((snapshot / "steps.csv").read_bytes()).hexdigest()
    assert command("train", "--resume", run, *LONGER) == 0
    assert bytes_of(snapshot, names) == before
    assert len((run / "steps.csv").read_text().splitlines()) == 17


def test_a_pipe_in_the_place_of_the_log_is_not_waited_for(run):
    """In a process of its own, which would be deaf to SIGTERM while it waits."""
    (run / "log.txt").unlink()
    os.mkfifo(run / "log.txt")
    done = subprocess.run(
        [sys.executable, tiny.__file__, "train", "--resume", run, *LONGER],
        capture_output=True, text=True, timeout=60, env=environment_of(),
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"{run / 'log.txt'}: wanted a regular file, got a pipe" in done.stderr


# -- env.json and test.json --------------------------------------------------------------------------------
COMMANDS = {
    "train": ("--resume", *LONGER), "report": ("--no-timing",), "verify": ("--steps", 2), "diff": (),
    "evaluate": (), "predict": (), "runs": (),
}  # fmt: skip


def tried(what, run, whole, picture, tmp_path):
    """Run a command over a run; its status."""
    if what == "train":
        return command("train", "--resume", run, *LONGER)
    second = {"diff": [whole], "predict": [picture]}.get(what, [])
    return command(what, run, *second, *COMMANDS[what])


@pytest.mark.parametrize("what", COMMANDS)
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_command_goes_on_or_refuses_in_a_line(whole, tmp_path, picture, capsys, what, data):
    shutil.rmtree(run := tmp_path / "run", ignore_errors=True)
    shutil.copytree(whole, run)
    for name in ("env.json", "test.json"):
        content = (run / name).read_bytes()
        if data.draw(st.booleans()):
            content = data.draw(damaged_bytes(content))
        else:
            content = json.dumps(data.draw(damaged_values(json.loads(content)))).encode()
        (run / name).write_bytes(content)
    before = bytes_of(run, ("env.json", "test.json"))
    status = tried(what, run, whole, picture, tmp_path)
    err = capsys.readouterr().err
    assert status in (0, 1, 2) and "Traceback" not in err
    assert status == 0 or len([line for line in err.splitlines() if "error: " in line]) <= 1
    kept = {hashlib.sha256(path.read_bytes()).hexdigest() for path in run.glob("*.json")}
    if what != "train":
        assert set(before.values()) <= kept


DAMAGES = {
    "types": '{"data": "x"}', "null": '{"resumed": null}', "deep": json.dumps({"a": deep(900)}),
    "brackets": '{"a": ' + "[" * 100_000, "none": "[]",
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("what", COMMANDS)
def test_what_can_go_on_without_it_goes_on_and_says_so(whole, run, picture, tmp_path, capsys, what, damage):
    (run / "env.json").write_text(DAMAGES[damage])
    assert tried(what, run, whole, picture, tmp_path) == 0
    said = "".join(capsys.readouterr())
    assert [line.partition(": ")[0] for line in said.splitlines() if "env.json" in line] == ["note"]
    if what == "train":
        assert (run / "env.damaged.json").read_text() == DAMAGES[damage]
        assert f"note: {run}/env.json: " in said and "set aside as env.damaged.json" in said
        assert f"note: {run}/env.json: " in (run / "log.txt").read_text()
    else:
        assert (run / "env.json").read_text() == DAMAGES[damage]


def test_a_damaged_note_of_the_test_is_set_aside_and_the_test_looked_at_again(run, whole, capsys):
    (run / "test.json").write_text("{}")
    assert command("train", "--resume", run, "--no-report") == 0
    said = "test.json: wanted an entry steps, got none; set aside as test.damaged.json"
    assert said in capsys.readouterr().out
    assert bytes_of(run) == bytes_of(whole)


# -- the folder, while training ----------------------------------------------------------------------------
class Meddler:
    """Does something to the folder, once, when a checkpoint has been written after so many steps."""

    def __init__(self, monkeypatch, step, action):
        save, to_do = Keeper.save, [action]

        def meddled(keeper):
            save(keeper)
            if keeper.session.trainer.steps == step and to_do:
                to_do.pop()(keeper.folder.path)

        monkeypatch.setattr(Keeper, "save", meddled)


@pytest.mark.parametrize("kind", ["folder", "within"])
def test_a_run_that_cannot_save_when_it_is_to_stop_says_how_to_go_on(tmp_path, monkeypatch, capsys, kind):
    def stopped(path):
        (path / "last.safetensors").touch()
        said.append(put(kind, path / "last.safetensors"))
        os.kill(os.getpid(), signal.SIGTERM)

    said = []
    Meddler(monkeypatch, 4, stopped)
    run = tmp_path / "run"
    assert command("train", *FLAGS, QUIET, "--run-dir", run) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"cynet train: error: after step 4: {run}/last.safetensors: {said[0]}; ")
    assert last.endswith(f"; to go on from {run}/last.ckpt: cynet train --resume {run}")
    assert not (kind == "within" and b"safetensors" in (run / "config.toml").read_bytes())


@pytest.mark.parametrize("kind", ["link", "within", "loop", "folder"])
@pytest.mark.parametrize("earlier", [True, False])
def test_the_checkpoint_that_is_named_is_one_to_go_on_from(tmp_path, monkeypatch, capsys, kind, earlier):
    def spoilt(path):
        put(kind, path / "last.ckpt")
        if not earlier:
            (path / "last.prev.ckpt").unlink(missing_ok=True)

    (tmp_path / "victim").write_bytes(b"kept")
    Meddler(monkeypatch, 8, spoilt)
    run = tmp_path / "run"
    assert command("train", *FLAGS, QUIET, "--run-dir", run) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    if earlier:
        assert last.endswith(f"; to go on from {run}/last.prev.ckpt: cynet train --resume {run}")
        assert command("train", "--resume", run, QUIET) == 0
    else:
        assert last.endswith("; there is no checkpoint to go on from")
    assert (tmp_path / "victim").read_bytes() == b"kept"


def replaced(path):
    path.rename(path.with_name("moved"))
    path.mkdir()
    (path / "config.toml").write_text("# another's")


def test_a_run_goes_on_in_its_own_folder_wherever_it_is(whole, tmp_path, monkeypatch, capsys):
    Meddler(monkeypatch, 4, replaced)
    tensorboard = ["--tensorboard"] if shutil.which("python") and _has("tensorboardX") else []
    assert command("train", *FLAGS, *tensorboard, "--run-dir", tmp_path / "run") == 0
    moved, out = tmp_path / "moved", capsys.readouterr().out
    assert out.count(f"note: {tmp_path / 'run'} was moved: the run goes on in {moved}\n") == 1
    assert os.listdir(tmp_path / "run") == ["config.toml"]
    assert bytes_of(moved) == bytes_of(whole)
    assert (moved / "report.html").exists() and f"{moved}/report.html: " in out
    assert f"weights in {moved}/last.safetensors" in out
    assert (moved / "log.txt").read_text().splitlines()[-1] == out.splitlines()[-1]
    assert len((moved / "steps.csv").read_text().splitlines()) == 13


def _has(package):
    import importlib.util

    return importlib.util.find_spec(package) is not None


def test_a_run_whose_folder_was_removed_stops_and_writes_nothing(tmp_path, monkeypatch, capsys):
    def removed(path):
        shutil.rmtree(path)
        path.mkdir()

    Meddler(monkeypatch, 4, removed)
    assert command("train", *FLAGS, QUIET, "--run-dir", tmp_path / "run") == 1
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == (
        f"cynet train: error: after step 6: {tmp_path / 'run'}: the run's folder was removed, and what "
        "stands there now is another one: nothing more is written"
    )
    assert not os.listdir(tmp_path / "run") and os.listdir(tmp_path) == ["run"]


def test_a_lock_that_was_removed_is_there_again_at_the_next_save(whole, tmp_path, monkeypatch, capsys):
    Meddler(monkeypatch, 4, lambda path: (path / ".lock").unlink())
    assert command("train", *FLAGS, QUIET, "--run-dir", tmp_path / "run") == 0
    assert f"note: {tmp_path}/run/.lock was removed: it is there again" in capsys.readouterr().out
    assert (tmp_path / "run" / ".lock").read_text() == str(os.getpid())
    assert bytes_of(tmp_path / "run") == bytes_of(whole)


def test_a_log_that_was_removed_is_begun_anew_at_the_next_save(tmp_path, monkeypatch, capsys):
    Meddler(monkeypatch, 4, lambda path: (path / "log.txt").unlink())
    run = tmp_path / "run"
    assert command("train", *FLAGS, QUIET, "--run-dir", run) == 0
    said = f"note: {run}/log.txt was removed or replaced: further lines go to what is there"
    lines = (run / "log.txt").read_text().splitlines()
    assert lines[0] == said and lines == capsys.readouterr().out.splitlines()[-len(lines) :]


def test_a_process_that_is_asked_to_stop_after_the_move_saves_in_its_own_folder(tmp_path):
    path, moved = tmp_path / "run", tmp_path / "moved"
    flags = [*FLAGS, "--steps", "1000000", "--run-dir", path]
    with subprocess.Popen(
        [sys.executable, tiny.__file__, "train", *map(str, flags)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment_of(),
    ) as process:  # fmt: skip
        try:
            wait_until((path / "last.ckpt").exists, 60)
            replaced(path)
            wait_until(lambda: "was moved" in (moved / "log.txt").read_text(), 60)
            second = [sys.executable, tiny.__file__, "train", "--resume", moved]
            (moved / ".lock").unlink()
            refused = subprocess.run(second, capture_output=True, text=True, env=environment_of())
            process.send_signal(signal.SIGTERM)
            out = process.communicate(timeout=60)[0]
        finally:
            process.kill()
    assert refused.returncode == 2 and f"{moved} is in use: " in refused.stderr
    assert process.returncode == 143 and f"to go on: cynet train --resume {moved}\n" in out
    assert os.listdir(path) == ["config.toml"] and (path / "config.toml").read_text() == "# another's"
    steps = [int(line.partition(",")[0]) for line in (moved / "steps.csv").read_text().splitlines()[1:]]
    assert steps == [*range(1, len(steps) + 1)]


@pytest.mark.parametrize("kind", ["file", "dangling", "leaving"])
def test_a_run_that_cannot_draw_says_so_and_has_its_page(run, capsys, kind):
    pytest.importorskip("matplotlib")
    plots = run / "plots"
    if kind == "file":
        plots.write_text("kept")
        said = "wanted a folder, got a file"
    else:
        plots.symlink_to("nowhere" if kind == "dangling" else "..")
        nowhere = "wanted a folder, got a link that leads nowhere"
        said = nowhere if kind == "dangling" else f"wanted a file in {run}, got a link that leaves it"
    assert command("train", "--resume", run, *LONGER[:-1]) == 0
    assert f"note: no PNG files beside {run}/report.html: {plots}: {said}" in capsys.readouterr().out
    assert (run / "report.html").is_file() and not (run.parent / "curves.png").exists()
