"""`cynet train --model FILE.py`: a net of one's own has all that runs have."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import tiny
from helpers import environment_of
from own_nets import said, weights

import cynet
from cynet.runs import nets
from cynet.train import Settings

KNOWN = """
import cynet

def model(input_shape, classes, width=4):
    x = cynet.Input(input_shape)
    h = cynet.Conv2d(input_shape[-1], width, 3, stride=4, name="stem")(x)
    h = cynet.Dropout(0.2)(cynet.ReLU()(h))
    return cynet.Graph(x, cynet.Linear(width, classes, name="head")(cynet.GlobalAvgPool2d()(h)))
"""
UNKNOWN = """
import cynet

class Mine(cynet.Layer):
    def __init__(self, channels, classes):
        self.pool, self.head = cynet.GlobalAvgPool2d(), cynet.Linear(channels, classes)

    def output_shape(self, shape):
        return self.head.output_shape(self.pool.output_shape(shape))

    def forward(self, x):
        return self.head(self.pool(x))

    def backward(self, dy):
        return self.pool.backward(self.head.backward(dy))

def small(input_shape, classes):
    return Mine(input_shape[-1], classes)
"""
SHORT = (
    "--data", "tiny", "--steps", 6, "--batch-size", 16, "--workers", 0, "--checkpoint-every", 3,
    "--no-report",
)  # fmt: skip
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def others(monkeypatch):
    """No net of an earlier command is there, as in a process of its own."""
    monkeypatch.setattr(nets, "HERE", {})


def test_a_net_of_known_layers_goes_on_without_its_file(tmp_path, capsys):
    file, whole, run = tmp_path / "net.py", tmp_path / "whole", tmp_path / "run"
    file.write_text(KNOWN)
    begin = ("train", "--model", file, "--model-option", "width=5", *SHORT)
    assert said(capsys, *begin, "--run-dir", whole)[0] == 0
    assert said(capsys, *begin, "--steps", 3, "--lr-steps", "2:0.01", "--run-dir", run)[0] == 0
    assert (run / "model.py").read_text() == KNOWN
    kept = json.loads((run / "env.json").read_text())["model"]
    assert kept == {"name": f"{file}:model", "sha256": nets.named(str(file)).sha256}
    file.unlink()
    more = ("--steps", 6, "--allow-change", "steps", "--no-report")
    assert said(capsys, "train", "--resume", run, *more)[0] == 0
    status, text = said(capsys, "verify", whole)
    assert status == 0 and "equal: 6 losses" in text
    status, text = said(capsys, "verify", run)
    assert status == 0 and "changed after step 3" in text and "equal: 3 losses" in text, text
    for command in (("evaluate", whole), ("report", whole, "--no-timing")):
        assert said(capsys, *command)[0] == 0
    model, facts = cynet.load(whole)
    assert facts.model_option == '{"width": 5}' and facts.classes == tiny.CLASSES
    assert model(np.zeros((1, 32, 32, 3), np.float32)).shape == (1, 3)


def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path, capsys):
    """From its checkpoint, and from its first weights where there is none yet."""
    file, whole, run = tmp_path / "net.py", tmp_path / "whole", tmp_path / "run"
    file.write_text(KNOWN)
    for place in (whole, run):
        assert said(capsys, "train", "--model", file, *SHORT, "--run-dir", place)[0] == 0
    file.unlink()
    (run / "last.ckpt").unlink()
    if (run / "last.prev.ckpt").exists():
        (run / "last.prev.ckpt").replace(run / "last.ckpt")
    assert said(capsys, "train", "--resume", run, "--no-report")[0] == 0
    assert weights(run) == weights(whole)
    for name in ("last.ckpt", "last.prev.ckpt", "best.safetensors"):
        (run / name).unlink(missing_ok=True)
    status, text = said(capsys, "train", "--resume", run, "--no-report")
    assert status == 0 and "beginning again" in text and weights(run) == weights(whole)


def test_a_net_of_unknown_layers_asks_for_its_file(tmp_path, capsys):
    file, run = tmp_path / ("long" * 30) / "net.py", tmp_path / "run"
    file.parent.mkdir()
    file.write_text(UNKNOWN)
    status, text = said(capsys, "train", "--model", f"{file}:small", *SHORT, "--run-dir", run)
    assert status == 0
    more = ("--steps", 8, "--allow-change", "steps", "--no-report")
    for command in (("evaluate", run), ("verify", run), ("train", "--resume", run, *more)):
        status, text = said(capsys, *command)
        assert status == 2 and "layers" in text and "net.py" in text, command
        status, text = said(capsys, *command, "--model", f"{file}:small")
        assert status == 0, text
    assert (run / "best.safetensors").exists()


def test_changed_code_is_refused_by_its_digest(tmp_path, capsys):
    file, run = tmp_path / "net.py", tmp_path / "run"
    file.write_text(KNOWN)
    assert said(capsys, "train", "--model", file, *SHORT, "--run-dir", run)[0] == 0
    before = nets.named(str(file)).sha256
    file.write_text(KNOWN + "\n# another\n")
    more = ("--steps", 8, "--allow-change", "steps", "--no-report")
    status, text = said(capsys, "train", "--resume", run, "--model", file, *more)
    assert status == 2 and before in text and "wanted the code that the run began with" in text
    assert said(capsys, "train", "--resume", run, "--model", run / "model.py", *more)[0] == 0


def test_commands_that_look_at_a_run_say_where_other_code_is_named(tmp_path, capsys):
    """What is trained again is refused; what is only looked at gets a note."""
    file, run = tmp_path / "net.py", tmp_path / "run"
    file.write_text(UNKNOWN)
    assert said(capsys, "train", "--model", f"{file}:small", *SHORT, "--run-dir", run)[0] == 0
    np.save(tmp_path / "some.npy", np.zeros((2, 32, 32, 3), np.uint8))
    looking = {
        "evaluate": (run,), "verify": (run,),
        "predict": (run, tmp_path / "some.npy"), "report": (run, "--no-timing"),
    }  # fmt: skip
    wanted = f"wanted the code that the run began with, SHA-256 {nets.named(f'{file}:small').sha256}, got "
    for code, is_other in ((UNKNOWN, False), (UNKNOWN + "\n# another\n", True)):
        file.write_text(code)
        for command, arguments in looking.items():
            status, text = said(capsys, command, *arguments, "--model", f"{file}:small")
            assert (wanted in text) == is_other, command
            assert status == (2 if is_other and command == "verify" else 0), text
            assert f"{run / 'model.py'} is as it was" in text or not is_other
    assert said(capsys, "verify", run, "--model", f"{run / 'model.py'}:small")[0] == 0
    again = cynet.runs.open(run).replay(model=f"{file}:small")
    with pytest.raises(cynet.runs.RefusedError, match="model: wanted the code that the run began"), again:
        pass


def test_what_a_file_imports_is_kept_and_compared(tmp_path, capsys):
    folder, run = tmp_path / "nets", tmp_path / "run"
    folder.mkdir()
    (folder / "layers_beside.py").write_text(UNKNOWN)
    (folder / "net.py").write_text("from layers_beside import small as model\n")
    assert said(capsys, "train", "--model", folder / "net.py", *SHORT, "--run-dir", run)[0] == 0
    assert (run / "model_imports" / "layers_beside.py").read_text() == UNKNOWN
    assert list(json.loads((run / "env.json").read_text())["model"]["imports"]) == ["layers_beside.py"]
    (folder / "layers_beside.py").write_text(UNKNOWN + "\n# another\n")
    more = ("--steps", 8, "--allow-change", "steps", "--no-report")
    status, text = said(capsys, "train", "--resume", run, "--model", folder / "net.py", *more)
    assert status == 2 and "the imports that the run began with, got others: layers_beside.py" in text
    (folder / "layers_beside.py").unlink()
    status, text = said(capsys, "verify", run, "--model", run / "model.py")
    assert status == 0 and "equal: 6 losses" in text, text
    assert said(capsys, "train", "--resume", run, "--model", run / "model.py", *more)[0] == 0


def test_other_commands_take_a_file_or_say_what_they_take(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "my net.py"
    file.write_text(KNOWN)
    status, text = said(capsys, "batchnorm_study", "--model", file)
    assert status == 2 and "--model: wanted one of uwnet0" in text
    monkeypatch.setattr("cynet.train.lr_find.STEPS", 4)
    status, text = said(capsys, "train", "--lr-find", "--model", file, *SHORT)
    assert status == 0 and "runs/my_net-tiny-lr-find-1" in text


@pytest.mark.parametrize("text", ["print('in', flush=True)\nwhile True: pass\n", """
def model(shape, classes):
    print('in', flush=True)
    while True:
        try:
            while True: pass
        except Exception: pass
"""], ids=["imported", "called"])  # fmt: skip
def test_a_file_that_never_ends_is_interrupted(tmp_path, text):
    (tmp_path / "net.py").write_text(text)
    command = ["train", "--data", "tiny", "--batch-size", "8", "--model", "net.py", "--workers", "0"]
    process = subprocess.Popen(
        [sys.executable, tiny.__file__, *command],
        cwd=tmp_path,
        env=environment_of(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        while process.stdout.readline() != "in\n":
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "cynet train: interrupted\n" and process.wait() == 130
    finally:
        process.kill()
        process.communicate()
    assert not (tmp_path / "runs").exists()


def test_code_runs_only_where_the_command_names_it(tmp_path, capsys):
    file, run, mark = tmp_path / "net.py", tmp_path / "run", tmp_path / "mark"
    file.write_text(KNOWN)
    assert said(capsys, "train", "--model", file, *SHORT, "--run-dir", run)[0] == 0
    for place in (file, run / "model.py"):
        place.write_text(f"open({str(mark)!r}, 'w')\n" + KNOWN)
    status, text = said(capsys, "train", "--config", run / "config.toml", "--run-dir", tmp_path / "other")
    assert status == 2 and "code runs only where it is named" in text
    for command in (("evaluate", run), ("verify", run), ("train", "--resume", run)):
        assert said(capsys, *command)[0] == 0
    assert not mark.exists()


def test_wrong_files_and_options_are_one_line(tmp_path, capsys):
    file = tmp_path / "net.py"
    file.write_text(KNOWN)
    for flags, wanted in (
        (("--model", tmp_path / "gone.py"), "gone.py"),
        (("--model", f"{file}:other"), "wanted a function other in it"),
        (("--model", file, "--model-option", "depth=3"), "depth: wanted an option of"),
        (("--model", file, "--model-option", "depth"), "wanted KEY=VALUE"),
        (("--model", file, "--model-option", "width=0"), "line 6: ValueError: out_channels"),
        (("--model-option", "width=3"), "--model-option: width: wanted an option of uwnet2, batch_norm"),
        (("--no-batch-norm", "--model", file), "--batch-norm: wanted True for a net of one's own"),
    ):
        status, text = said(capsys, "train", *flags, *SHORT, "--run-dir", tmp_path / "run")
        assert status == 2 and wanted in text and text.strip().count("\n") == 0, text
        assert not (tmp_path / "run").exists()


def test_a_run_from_python_is_as_whole(tmp_path, capsys):
    def small(input_shape, classes, width=3):
        return cynet.Sequential(
            cynet.Conv2d(input_shape[-1], width, 3, stride=4),
            cynet.GlobalAvgPool2d(),
            cynet.Linear(width, classes),
        )

    settings = Settings(data="tiny", steps=4, batch_size=16, workers=0, model_option='{"width": 6}')
    outcome = cynet.runs.start(settings, tmp_path / "run", model=small, report=False, say=None)
    assert outcome.status == "finished"
    run = cynet.runs.open(tmp_path / "run")
    assert "small" in run.environment["model"]["name"]
    with run.replay() as again:
        assert cynet.runs.open(tmp_path / "run").history.losses[1] == again.step()[0]
    more = {"steps": 6, "allow_change": ["steps"], "report": False, "say": None}
    assert cynet.runs.resume(tmp_path / "run", **more).steps == 6
    assert said(capsys, "evaluate", tmp_path / "run")[0] == 0
    cynet.seed(0)
    layer = small((32, 32, 3), len(tiny.CLASSES))
    settings = Settings(data="tiny", steps=4, batch_size=16, workers=0)
    outcome = cynet.runs.start(settings, tmp_path / "other", model=layer, report=False, say=None)
    assert outcome.status == "finished" and said(capsys, "verify", tmp_path / "other")[0] == 0
