"""`cynet verify` and `cynet diff`: what a run kept is what comes out again, and where two runs part."""

import json
import shutil

import pytest
import tiny  # noqa: F401

from cynet import cli
from cynet.train import Recorder

FLAGS = ("--data", "tiny", "--model", "uwnet1", "--batch-size", 8, "--workers", 0, "--threads", 1)


def command(*arguments):
    more = ["--no-report"] if arguments[0] == "train" else []
    return cli.main([*map(str, arguments), *more])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs in one folder; each name tells in what it differs from "one"."""
    folder = tmp_path_factory.mktemp("runs")
    others = {
        "one": (), "rate": ("--lr-steps", "13:0.5"), "seed": ("--seed", 1), "order": (), "longer": (),
        "narrow": ("--no-batch-norm",),
    }  # fmt: skip
    for name, flags in others.items():
        steps = 24 if name == "longer" else 20
        rates = () if name == "rate" else ("--lr-steps", "13:0.05")
        arguments = ("--steps", steps, *rates, *flags, "--run-dir", folder / name)
        assert command("train", *FLAGS, *arguments) == 0
    return folder


@pytest.fixture
def run(runs, tmp_path):
    """A copy of "one" that a test may change."""
    return shutil.copytree(runs / "one", tmp_path / "run")


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_a_run_comes_out_again(runs, capsys):
    before = sorted((path.name, path.read_bytes()) for path in (runs / "one").iterdir())
    capsys.readouterr()
    assert command("verify", runs / "one", "--threads", 2) == 0
    assert lines(capsys) == [
        "last.ckpt: sound", "last.prev.ckpt: sound", "last.safetensors: sound", "best.safetensors: sound",
        "equal: 20 losses, and every tensor after step 0, 1, 2, 5, 8, 10, 16, 20",
    ]  # fmt: skip
    assert command("verify", runs / "one", "--steps", 3) == 0
    assert lines(capsys)[-1] == "equal: 3 losses, and every tensor after step 0, 1, 2"
    assert sorted((path.name, path.read_bytes()) for path in (runs / "one").iterdir()) == before


def test_a_loss_and_a_tensor_that_are_not_as_kept_are_named(run, capsys):
    row = (run / "steps.csv").read_text().splitlines()[7]
    cells = row.split(",")
    change(run / "steps.csv", row, ",".join([*cells[:3], "0.125", *cells[4:]]))
    row = next(line for line in (run / "digests.csv").read_text().splitlines() if line.startswith("5,1.bias"))
    change(run / "digests.csv", row, f"5,1.bias,{'0' * 64}")
    change(run / "env.json", '"numpy": "', '"numpy": "0.')
    assert command("verify", run) == 1
    out = lines(capsys)
    assert f"differs at step 7: loss: 0.125 against {float(cells[3])!r} (kept, now)" in out
    assert any(line.startswith("differs at step 5: 1.bias: 000000000000 against ") for line in out)
    assert any(line.startswith("perhaps because of numpy: 0.") for line in out)


def test_a_damaged_file_is_told(run, capsys):
    data = bytearray((run / "best.safetensors").read_bytes())
    data[-3] ^= 1
    (run / "best.safetensors").write_bytes(data)
    assert command("verify", run, "--steps", 1) == 1
    out = lines(capsys)
    assert any(line.startswith("damaged: ") and "best.safetensors" in line for line in out)
    assert "last.ckpt: sound" in out


def test_a_run_whose_settings_were_changed_is_verified_up_to_there(run, tmp_path, monkeypatch, capsys):
    stepped = Recorder.stepped

    def stop(recorder, progress):
        stepped(recorder, progress)
        if progress.step == 11:
            raise KeyError

    monkeypatch.setattr(Recorder, "stepped", stop)
    with pytest.raises(KeyError):
        command("train", *FLAGS, "--steps", 20, "--lr-steps", "13:0.05", "--run-dir", tmp_path / "new")
    monkeypatch.undo()
    flags = ("--momentum", 0.5, "--allow-change", "momentum")
    assert command("train", "--resume", tmp_path / "new", *flags) == 0
    part = json.loads((tmp_path / "new" / "env.json").read_text())["resumed"][0]
    assert (part["after_step"], part["changed"]) == (8, {"momentum": [0.9, 0.5]})
    capsys.readouterr()
    assert command("verify", tmp_path / "new") == 0
    assert lines(capsys)[-2:] == [
        "settings were changed after step 8: only the steps up to it can be trained again",
        "equal: 8 losses, and every tensor after step 0, 1, 2, 5, 8",
    ]
    assert command("diff", run, tmp_path / "new") == 1
    out = lines(capsys)
    assert "setting momentum: 0.9 (default) against 0.5 (flag)" in out
    assert f"{tmp_path / 'new'} was resumed with other settings after step 8" in out
    assert any(line.startswith("the losses part at step 10: ") for line in out)


@pytest.mark.parametrize("name", ["digests.csv", "steps.csv"])
def test_what_is_not_there_is_not_called_equal(runs, run, capsys, name):
    (run / name).unlink()
    for arguments in (("verify", run), ("diff", runs / "one", run)):
        assert command(*arguments) != 0
        out, err = capsys.readouterr()
        assert "equal" not in out and err.count("\n") == 1


def test_digests_that_were_cut_off_are_told(runs, run, capsys):
    text = (run / "digests.csv").read_text()
    (run / "digests.csv").write_text(text[: len(text) // 2])
    for arguments in (("verify", run), ("diff", runs / "one", run)):
        command(*arguments)
        assert "lacks the digests of step 10, 20" in capsys.readouterr().out


def test_equal_runs_are_told_so(runs, capsys):
    assert command("diff", runs / "one", runs / "order") == 0
    assert lines(capsys)[1:] == ["equal: the losses of 20 steps, and all tensors up to step 20"]
    assert command("diff", runs / "one", runs / "longer") == 0
    out = lines(capsys)
    assert "setting steps: 20 (flag) against 24 (flag)" in out
    assert out[-1].endswith("all tensors up to step 20; they have 20 and 24 steps")


def test_two_runs_part_at_a_step_and_a_tensor(runs, capsys):
    assert command("diff", runs / "one", runs / "rate", "--replay") == 1
    out = lines(capsys)
    assert "setting lr_steps: 13:0.05 (flag) against 13:0.5 (flag)" in out
    assert any(line.startswith("the losses part at step 15: loss: ") for line in out)
    assert "all tensors are equal after step 10" in out
    assert any(line.startswith("tensors that differ after step 16: 0.weight, ") for line in out)
    assert out[-1].startswith("trained again, they part at step 14: 0.weight: ")


def test_other_initial_weights_part_before_the_first_step(runs, capsys):
    assert command("diff", runs / "one", runs / "seed", "--replay") == 1
    out = lines(capsys)
    assert "setting seed: 0 (default) against 1 (flag)" in out
    assert any(line.startswith("tensors that differ before the first step: 0.weight, ") for line in out)
    assert out[-1].startswith("trained again, they part before the first step: 0.weight: ")
    assert command("diff", runs / "one", runs / "narrow") == 1
    assert any(line.startswith("tensors that differ before the first step: ") for line in lines(capsys))


def test_runs_that_only_kept_other_numbers_are_told_apart_from_runs_that_train_otherwise(runs, run, capsys):
    row = (run / "steps.csv").read_text().splitlines()[7]
    change(run / "steps.csv", row, row.replace(row.split(",")[3], "0.125"))
    assert command("diff", runs / "one", run, "--replay") == 1
    assert lines(capsys)[-1].startswith("trained again, both are equal for 20 steps: the runs part by")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("verify", "nowhere"), "RUN: no such run folder: nowhere"),
        (("verify", "."), "RUN: . has no config.toml"),
        (("diff", ".", "."), "RUN: . has no config.toml"),
        (("diff", "."), "the following arguments are required: RUN"),
        (("verify", ".", "--steps", 0), "--steps: wanted a whole number of at least 1, got '0'"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert command(*arguments) == 2
    assert words in capsys.readouterr().err


def test_other_pictures_and_a_run_without_steps_are_refused(run, monkeypatch, capsys):
    monkeypatch.setenv("TINY_SEED", "1")
    assert command("verify", run) == 2
    assert "wanted its pictures, with fingerprint " in capsys.readouterr().err
    (run / "steps.csv").unlink()
    assert command("verify", run) == 2
    assert "wanted a run of at least one step" in capsys.readouterr().err
    (run / "digests.csv").write_text("step,tensor,sha256\nx,y,z\n")
    assert command("verify", run) == 2
    assert "digests.csv: lines that are no rows are left out: 1)" in capsys.readouterr().err
