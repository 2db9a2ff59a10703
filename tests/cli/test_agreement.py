"""A run's config.toml that is cut short, or tells of other settings than its checkpoint."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny  # noqa: F401

from cynet import cli
from cynet.runs import agreement
from cynet.runs.errors import RefusedError
from cynet.runs.origins import Names
from cynet.runs.settings import DEFAULTS, Settings

pytestmark = pytest.mark.usefixtures("one_thread")
FLAGS = ("--data", "tiny", "--model", "uwnet2", "--batch-size", "8", "--workers", "0", "--steps", "9",
         "--checkpoint-every", "3", "--lr", ".1")  # fmt: skip


def said(capsys, *arguments):
    status = cli.main(list(map(str, arguments)))
    return (status, *capsys.readouterr())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("agreement") / "run"
    assert cli.main(["train", *FLAGS, "--no-report", "--run-dir", str(path)]) == 0
    return path


@pytest.fixture
def run(whole, tmp_path):
    """That run, with some steps left to do."""
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    (path / "last.prev.ckpt").replace(path / "last.ckpt")
    return path


def edit(path, change):
    text = (path / "config.toml").read_text()
    assert change(text) != text
    (path / "config.toml").write_text(change(text))
    return (path / "config.toml").read_bytes()


def lines_before(name):
    return lambda text: text[: text.index(f"\n{name} = ") + 1]


CUTS = [lambda _: "", *map(lines_before, ("model", "data", "steps", "schedule", "momentum", "tensorboard"))]


@pytest.mark.parametrize("cut", CUTS)
def test_a_configuration_that_was_cut_is_damaged_and_the_checkpoint_tells(run, whole, capsys, cut):
    left = edit(run, cut)
    status, out, err = said(capsys, "verify", run)
    assert (status, err) == (0, "") and "as every run writes it, got a file without; going on with" in out
    status, out, _ = said(capsys, "diff", run, whole)
    assert status == 0 and "as every run writes it" in out and "\nsetting " not in out
    assert "config.toml cannot be read: wanted" in said(capsys, "runs", run)[1]
    status, out, _ = said(capsys, "train", "--resume", run, "--no-report")
    assert status == 0 and "kept as config.damaged.toml; written anew from the checkpoint" in out
    assert (run / "config.damaged.toml").read_bytes() == left
    assert (run / "config.toml").read_bytes() == (whole / "config.toml").read_bytes()
    assert (run / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()


def test_the_configuration_of_a_finished_run_is_mended_too(whole, tmp_path, capsys):
    path = Path(shutil.copytree(whole, tmp_path / "run"))
    left = edit(path, lines_before("data"))
    status, out, _ = said(capsys, "train", "--resume", path)
    assert status == 0 and "kept as config.damaged.toml; written anew" in out and "is finished" in out
    assert (path / "config.damaged.toml").read_bytes() == left
    assert (path / "config.toml").read_bytes() == (whole / "config.toml").read_bytes()


@pytest.mark.parametrize("cut", CUTS)
def test_a_configuration_that_was_cut_is_refused_without_a_checkpoint(run, capsys, cut):
    left = edit(run, cut)
    (run / "last.ckpt").unlink()
    for command in (["verify", run], ["diff", run, run], ["train", "--resume", run]):
        status, _, err = said(capsys, *command)
        assert status == 2 and f"{run / 'config.toml'}: wanted " in err and "tensorboard" in err
    assert (run / "config.toml").read_bytes() == left


def test_an_edited_setting_that_the_weights_depend_on_is_refused_until_it_is_said(run, whole, capsys):
    left = edit(run, lambda text: text.replace("\nlr = 0.1", "\nlr = 0.5").replace("ema = 0.0", "ema = 0.5"))
    status, out, err = said(capsys, "train", "--resume", run)
    assert (status, out) == (2, "") and (run / "config.toml").read_bytes() == left
    assert "disagree on lr (0.5 against 0.1), ema (0.5 against 0.0)" in err and "or --lr --ema to say" in err
    assert "note: " in said(capsys, "verify", run)[1]
    flags = "--lr", ".1", "--ema", "0", "--no-report"
    assert said(capsys, "train", "--resume", run, *flags)[0] == 0
    assert (run / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()


def test_an_edited_setting_that_no_weights_depend_on_is_said(run, capsys):
    edit(run, lambda text: text.replace("checkpoint_minutes = 10.0", "checkpoint_minutes = 3.0"))
    status, out, _ = said(capsys, "train", "--resume", run, "--no-report")
    assert status == 0
    assert "note: config.toml has checkpoint_minutes 3.0, its checkpoint 10.0, which is taken" in out


@pytest.mark.parametrize("given", ["steps", "lr", "schedule", None])
def test_the_rates_of_steps_are_not_asked_for_where_what_they_are_made_of_is_said(given):
    """Nobody can say them: they come of the others."""
    values = {"steps": 9, "lr_steps": {5: 0.1}}
    folder = SimpleNamespace(path=Path("a"), read_config=lambda: (values, {}))
    stored, given = Settings(**DEFAULTS | values | {"lr_steps": {4: 0.1}}), {given: 1} if given else {}
    if given:
        agreement.check(folder, stored, given, None, Names())
    else:
        with pytest.raises(RefusedError, match="disagree on lr_steps"):
            agreement.check(folder, stored, given, None, Names())
