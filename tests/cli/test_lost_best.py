"""Best weights that a checkpoint tells of and that are not there, or not whole, when a run goes on."""

import shutil

import pytest
import tiny  # noqa: F401

from cynet import cli
from cynet.runs import checkpoint
from cynet.train import load_weights

pytestmark = pytest.mark.usefixtures("one_thread")
FLAGS = ("--data", "tiny", "--model", "uwnet2", "--batch-size", "8", "--workers", "0", "--lr", ".01",
         "--no-report")  # fmt: skip


@pytest.fixture(scope="module", params=["test", "validation"])
def whole(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param) / "run"
    more = ("--validation", ".25") if request.param == "validation" else ()
    assert cli.main(["train", *FLAGS, *more, "--steps", "9", "--run-dir", str(path)]) == 0
    return path


@pytest.fixture
def run(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def gone_on(run, capsys):
    change = "--steps", "18", "--allow-change", "steps", "--no-report"
    status = cli.main(["train", "--resume", str(run), *change])
    return status, capsys.readouterr().out


def best_of(run):
    return checkpoint.load(run / "last.ckpt")[1]["best"]


def test_best_weights_that_are_not_there_are_claimed_no_more(run, capsys):
    (run / "best.safetensors").unlink()
    status, out = gone_on(run, capsys)
    assert status == 0 and f"are not in {run / 'best.safetensors'} any more: the best of the eval" in out
    assert best_of(run)["step"] > 9 and load_weights(run / "best.safetensors")
    assert f"after {best_of(run)['step']} steps: {run / 'best.safetensors'}" in out


def test_best_weights_that_are_damaged_are_set_aside(run, capsys):
    data = bytearray((run / "best.safetensors").read_bytes())
    del data[-9:]
    (run / "best.safetensors").write_bytes(data)
    status, out = gone_on(run, capsys)
    assert status == 0 and f"are damaged: {run / 'best.safetensors'}: " in out
    assert (run / "best.damaged.safetensors").read_bytes() == data
    assert best_of(run)["step"] > 9 and load_weights(run / "best.safetensors")


def test_best_weights_that_are_there_stay_the_best(run, whole, capsys):
    status, out = gone_on(run, capsys)
    assert status == 0 and "note: the best weights" not in out
    assert best_of(run)["accuracy"] >= best_of(whole)["accuracy"]
