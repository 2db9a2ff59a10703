"""Paths: ~ in flags, files and Python; a configuration used from elsewhere; commands that can be pasted."""

import re
import shlex
import tomllib

import numpy as np
import pytest
import tiny  # noqa: F401

import cynet
from cynet import cli, data
from cynet.interop import safetensors
from cynet.runs import new_folder, replay
from cynet.runs.places import settled
from cynet.train import Recorder, RunFolder, load_weights
from cynet.uwnet.data import checked_path

pytestmark = pytest.mark.usefixtures("one_thread")
TINY = ("--data", "tiny", "--batch-size", 8, "--workers", 0, "--steps", 2, "--no-report")


def command(*words):
    return cli.main([*map(str, words)])


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder with a data set, and another folder to be in."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    rng, y = np.random.default_rng(0), np.arange(32) % 2
    x = rng.integers(0, 256, (32, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "home" / "own.npz", train_images=x, train_labels=y, test_images=x, test_labels=y)
    return tmp_path / "home"


# -- ~ -----------------------------------------------------------------------------------------------------
def test_flags_and_a_toml_file_know_the_home_folder(home, capsys):
    (home / "mine.toml").write_text('data = "arrays"\ndata_dir = "~/own.npz"\nsteps = 2\nbatch_size = 8\n')
    assert command("train", "--config=~/mine.toml", "--workers", 0, "--no-report", "--run-dir=~/exp") == 0
    config = tomllib.loads((home / "exp" / "config.toml").read_text())
    assert config["data_dir"] == str(home / "own.npz") and not (home.parent / "here" / "~").exists()
    assert command("train", *TINY, "--init-from=~/exp", "--run-dir=~/b") == 2  # it has 2 classes, not 3
    assert "init-from: " + str(home) in capsys.readouterr().err
    for words in (
        ("evaluate", "~/exp", "--data-dir=~/own.npz", "--json=~/x.json"),
        ("report", "~/exp", "--output=~/x.html", "--no-timing"),
        ("verify", "~/exp", "--steps", 1, "--data-dir=~/own.npz"),
        ("diff", "~/exp", "~/exp"),
        ("bundle", "~/exp", "--output=~/x.tar.gz", "--files=~/mine.toml"),
        ("data", "check", "arrays", "--data-dir=~/own.npz"),
        ("data", "show", "arrays", "--data-dir=~/own.npz", "--output=~/x.png"),
    ):
        assert command(*words) == 0, (words, capsys.readouterr().err)
    assert {"x.json", "x.html", "x.tar.gz", "x.png"} <= {path.name for path in home.iterdir()}
    assert not list((home.parent / "here").iterdir())


def test_python_knows_the_home_folder(home):
    assert RunFolder("~/run").path == home / "run"
    assert RunFolder(name="a", parent="~/runs").path == home / "runs" / "a-1"
    (home / "run" / "file").touch()
    with pytest.raises(FileExistsError):
        new_folder.check("~/run")
    assert len(data.load("arrays", "~/own.npz")) == 32
    assert len(data.from_npz("~/own.npz", "test")) == 32
    safetensors.save({"a": np.ones(3)}, "~/a.safetensors")
    assert safetensors.load("~/a.safetensors")[0]["a"].sum() == 3
    np.save(home / "x.npy", np.zeros((2, 3, 4, 4), np.uint8))
    np.save(home / "y.npy", np.arange(2))
    assert len(data.from_npy("~/x.npy", "~/y.npy")) == 2
    for make in (
        lambda: data.CIFAR10("~/none"), lambda: data.MNIST("~/none"), lambda: load_weights("~/none"),
        lambda: cynet.Predictor("~/none"), lambda: RunFolder.open("~/none"),
        lambda: data.IdxDataset("~/none", "~/none"), lambda: data.ImageList("~/none", "~/none"),
        lambda: replay.diverged("~/none"),
    ):  # fmt: skip
        with pytest.raises(OSError, match=re.escape(f"{home}/none")):
            make()
    assert checked_path("path", "~/none") == home / "none"


# -- a configuration from elsewhere ------------------------------------------------------------------------
def test_a_configuration_finds_its_data_from_another_folder(home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    flags = "--data", "arrays", "--batch-size", 8, "--workers", 0, "--steps", 2, "--no-report"
    assert command("train", *flags, "--data-dir", "own.npz", "--run-dir", "first") == 0
    assert command("train", *flags, "--data-dir", "own.npz", "--init-from", "first", "--run-dir", "a") == 0
    monkeypatch.chdir(home.parent / "here")
    config = home / "a" / "config.toml"
    assert command("train", "--config", config, "--no-report", "--run-dir", "b") == 0
    assert (home / "a" / "last.safetensors").read_bytes() == (
        home.parent / "here" / "b" / "last.safetensors"
    ).read_bytes()
    found = tomllib.loads((home.parent / "here" / "b" / "config.toml").read_text())
    assert (found["data_dir"], found["init_from"]) == (str(home / "own.npz"), str(home / "first"))
    np.savez("own.npz", **np.load(home / "own.npz"))
    assert command("train", "--config", config, "--no-report", "--run-dir", "c") == 0  # not what is here
    found = tomllib.loads((home.parent / "here" / "c" / "config.toml").read_text())
    assert found["data_dir"] == str(home / "own.npz")
    capsys.readouterr()
    assert command("train", "--config", config, "--data-dir", "nowhere") == 2  # and a flag before all
    assert "--data-dir: no such file or folder: nowhere" in capsys.readouterr().err


def test_a_configuration_beside_its_data_finds_them(home, capsys):
    (home / "mine.toml").write_text('data = "arrays"\ndata_dir = "own.npz"\nsteps = 2\nbatch_size = 8\n')
    assert command("train", "--config", home / "mine.toml", "--workers", 0, "--no-report") == 0
    (home / "mine.toml").write_text('data = "arrays"\ndata_dir = "nowhere.npz"\n')
    assert command("train", "--config", home / "mine.toml") == 2
    assert "mine.toml: data_dir: no such file or folder: nowhere.npz\n" in capsys.readouterr().err


def test_a_configuration_beside_its_weights_finds_them(home, capsys):
    with_data = 'data = "arrays"\ndata_dir = "own.npz"\nsteps = 2\nbatch_size = 8\n'
    (home / "mine.toml").write_text(with_data)
    options = "--workers", 0, "--no-report"
    assert command("train", "--config", home / "mine.toml", *options, "--run-dir", home / "first") == 0
    (home / "mine.toml").write_text(with_data + 'init_from = "first"\n')
    assert command("train", "--config", home / "mine.toml", *options, "--run-dir", "second") == 0
    found = tomllib.loads((home.parent / "here" / "second" / "config.toml").read_text())
    assert found["init_from"] == str(home / "first")
    layer, file = {"init_from": "first"}, home / "mine.toml"
    assert settled(layer, file) == {"init_from": str(home / "first")}
    (home.parent / "here" / "first").mkdir()
    assert settled(layer, file) == layer  # what is here comes before what is there


def test_the_default_folder_of_data_sets_is_found_too(home, monkeypatch):
    monkeypatch.chdir(home)
    (home / "data").mkdir()
    folder = RunFolder("run")
    folder.write_config({"data": "cifar10"})
    folder.write_environment({"folder": str(home)})
    layer = {"data": "cifar10"}
    assert settled(layer, home / "run" / "config.toml") == layer
    monkeypatch.chdir(home.parent / "here")
    assert settled(layer, home / "run" / "config.toml") == layer | {"data_dir": str(home / "data")}
    assert settled({"data": "shapes10"}, home / "run" / "config.toml") == {"data": "shapes10"}


# -- commands ----------------------------------------------------------------------------------------------
def test_the_command_to_go_on_can_be_pasted(home, monkeypatch, capsys):
    stepped = Recorder.stepped

    def stop(recorder, progress):
        stepped(recorder, progress)
        raise OSError("gone")

    monkeypatch.setattr(Recorder, "stepped", stop)
    assert command("train", *TINY, "--run-dir", "my first run") == 1
    monkeypatch.undo()
    monkeypatch.chdir(home.parent / "here")
    err = capsys.readouterr().err
    words = shlex.split(err.rpartition("to go on from ")[2].partition(": ")[2])
    assert words == ["cynet", "train", "--resume", "my first run"]
    assert command(*words[1:]) == 0


def test_the_command_on_the_page_can_be_pasted():
    from cynet.report.repeating import command

    config = {"data": "arrays", "data_dir": "my data/x y.npz", "init_from": "-odd", "lr": 0.5, "origin": {}}
    text = command(config)
    words = shlex.split(text)
    assert words[-1] == "0.5" and "my data/x y.npz" in words and "./-odd" in words
