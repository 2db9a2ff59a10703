"""What the page's document holds of a run, and why something is missing, by stand-ins for its files."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import cynet
from cynet.data import ArrayDataset
from cynet.report import findings, gather, repeating
from cynet.runs.facts import Facts
from cynet.runs.matching import Matched
from cynet.train.predictions import predict

MODEL = cynet.models.create("uwnet2", classes=3)
FACTS = Facts("uwnet2", True, "tiny", ("a", "b", "c"), (0.5,) * 3, (0.25,) * 3)
PICTURES = ArrayDataset(np.zeros((4, 3, 32, 32), np.uint8), [0, 1, 2, 0], FACTS.classes)
EVERYTHING = "test", "mistakes", "filters", "norms", "layers"


@pytest.fixture
def run(tmp_path):
    for name in ("last.safetensors", "best.safetensors"):
        (tmp_path / name).touch()
    return SimpleNamespace(
        net=None,
        path=tmp_path, name="this", measure="validation", task="classify", said=("diagnosis: x",),
        notes=lambda: ("of the run",),
        config={"lr": 0.5, "batch_norm": True, "cynet": "9", "origin": {"lr": "flag"}},
        plain={"lr": 0.5, "batch_norm": True, "cynet": "9", "data_dir": "its data", "lr_steps": None,
               "list": [1, "x"], "seed": 3},
        environment={"numpy": "2", "data": {"name": "tiny", "deep": {"on": False}}, "none": None},
        epochs={"step": [8.0], "validation_loss": [1.5]}, steps={"step": [1.0], "loss": [2.0]},
        data_options={"split_seed": 5},
    )  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """What was read and from where; nothing is on the disk."""
    found = []
    unknown = {"fish": ArrayDataset(np.zeros((1200, 3, 32, 32), np.uint8), [0] * 1200, FACTS.classes)}

    def weights(path, build=None):
        found.append(path.name)
        return MODEL, FACTS

    def load(facts, name, root, split, **options):
        found.append((facts, name, root, split, options))
        return Matched(PICTURES, unknown, doubt="there is a doubt")

    monkeypatch.setattr(gather, "load_weights", weights)
    monkeypatch.setattr(gather.matching, "load", load)
    monkeypatch.setattr(findings, "before", lambda plain, facts: found.append((plain["seed"], facts)))
    return found


def test_all_that_is_known_stands_under_its_name(run, asked):
    other = SimpleNamespace(**vars(run) | {"name": "other", "measure": "test"})
    document = gather.gather(run, [other], times=lambda model, shape: (model is MODEL, shape), command="c")
    assert asked == ["last.safetensors", (FACTS, "tiny", "its data", "test", {"split_seed": 5}), (3, FACTS)]
    assert [(each["name"], each["measure"]) for each in document["runs"]] == [
        ("this", "validation"), ("other", "test")
    ]  # fmt: skip
    assert document["runs"][0]["settings"] == {
        "lr": "0.5", "batch_norm": "True", "data_dir": "its data", "lr_steps": "None", "list": "[1, 'x']",
        "seed": "3",
    }  # fmt: skip
    assert document["runs"][0]["epochs"]["validation_loss"] == [1.5]
    assert document["config"][:3] == [
        ["lr", "0.5", "flag"],
        ["batch_norm", "yes", None],
        ["cynet", "9", None],
    ]
    assert ["list", "1, x", None] in document["config"] and ["lr_steps", None, None] in document["config"]
    assert document["environment"] == [
        ["numpy", "2"], ["data.name", "tiny"], ["data.deep.on", "no"], ["none", None]
    ]  # fmt: skip
    assert (document["name"], document["command"], document["several"]) == ("this", "c", False)
    assert (document["file"], document["said"]) == ("last.safetensors", ["diagnosis: x"])
    assert document["model"] == {
        "name": "uwnet2", "batch_norm": True, "data": "tiny", "macs": cynet.summary(MODEL, (32, 32, 3)).macs,
        "parameters": sum(p.size for p in MODEL.parameters()),
    }  # fmt: skip
    assert document["test"]["samples"] == [2, 1, 1] and document["layers"] == (True, (32, 32, 3))
    assert len(document["filters"]["after"]) == 8 and [row["channels"] for row in document["norms"]] == [
        8,
        16,
        32,
    ]
    assert document["notes"] == [
        "of the run", "1,200 test pictures of fish, which the model does not know, are left out",
        "there is a doubt",
    ]  # fmt: skip
    assert document["missing"] == {}


def test_another_place_and_file_are_taken_where_they_are_named(run, asked):
    document = gather.gather(run, data_dir="mine", weights="best.safetensors", several=True)
    assert asked[0] == document["file"] == "best.safetensors" and asked[1][2] == "mine"
    assert document["several"] is True and document["layers"] is None
    assert document["missing"] == {"layers": "Not measured: --no-timing was given."}
    (run.path / "best.safetensors").unlink()
    assert gather.gather(run, weights="best.safetensors")["file"] == "last.safetensors"
    (run.path / "last.safetensors").unlink()
    (run.path / "best.safetensors").touch()
    assert gather.gather(run)["file"] == "best.safetensors"


@pytest.mark.parametrize("tta", ["", "flip", "shift", "flip,shift"])
def test_pictures_are_judged_by_the_views_that_the_weights_tell_of(run, asked, monkeypatch, tta):
    """As the run itself and `cynet evaluate` do."""
    cynet.seed(3)
    model = cynet.Sequential(cynet.Conv2d(3, 4, 5, 3), cynet.ReLU(), cynet.Flatten(), cynet.Linear(400, 3))
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32), np.uint8)
    pictures = ArrayDataset(images, np.arange(20) % 3, FACTS.classes)
    facts = replace(FACTS, tta=tta)
    monkeypatch.setattr(gather, "load_weights", lambda path, build=None: (model, facts))
    monkeypatch.setattr(gather.matching, "load", lambda *_, **more: Matched(pictures))
    x = (images.transpose(0, 2, 3, 1) / 255 - 0.5) / 0.25
    wanted = predict(model, [(x.astype(np.float32), pictures.labels)], tta=tta)
    document = gather.gather(run)
    assert document["test"]["loss"] == pytest.approx(wanted.evaluation.loss, rel=1e-4)
    assert [each["index"] for each in document["mistakes"]] == wanted.worst(24).tolist()
    assert document["mistakes"][0]["top"][0][1] == pytest.approx(wanted.confidence.max(where=~wanted.right,
                                                                 initial=0), rel=1e-4)  # fmt: skip


def test_without_weights_each_section_says_so(run, asked):
    (run.path / "last.safetensors").unlink()
    (run.path / "best.safetensors").unlink()
    document = gather.gather(run)
    why = "There are no weights to look at: the run folder has no whole last.safetensors."
    assert document["missing"] == dict.fromkeys(EVERYTHING, why)
    assert [document[name] for name in (*EVERYTHING, "model", "file")] == [None] * 7
    assert document["notes"] == ["of the run", "last.safetensors is not there"]


def test_weights_that_cannot_be_read_are_told_once(run, asked, monkeypatch):
    def damaged(path, build):
        raise ValueError(f"{path}: damaged")

    monkeypatch.setattr(gather, "load_weights", damaged)
    notes = gather.gather(run)["notes"]
    assert notes == ["of the run", *(f"{run.path}/{name}.safetensors: damaged" for name in ("last", "best"))]


def test_curves_and_steps_that_are_missing_are_told(run, asked):
    run.steps = {}
    missing = gather.gather(run, times=lambda *_: {})["missing"]
    assert missing == {
        "steps": "Without steps.csv the training loss is known only as the mean of each epoch."
    }
    run.epochs = {}
    missing = gather.gather(run, times=lambda *_: {})["missing"]
    assert missing["curves"] == "metrics.csv holds no evaluation yet, and steps.csv no step."


def test_the_filters_before_training_are_those_that_a_run_keeps(run, asked, monkeypatch):
    """Of a net of one's own, which no seed makes again."""
    (run.path / gather.FIRST).touch()
    kept = cynet.models.create("uwnet2", classes=3)
    monkeypatch.setattr(gather, "load", lambda path: (kept, {}) if path == run.path / gather.FIRST else None)
    wanted = findings.filters(MODEL, (32, 32, 3), kept)
    assert gather.gather(run)["filters"] == wanted and wanted["before"] != wanted["after"]
    assert (3, FACTS) not in asked  # nothing is made from the seed


def test_steps_alone_make_curves(run, asked):
    run.epochs = {}
    assert "curves" not in gather.gather(run)["missing"]


def test_only_of_a_net_with_a_name_is_it_told_that_it_has_batch_norm(run, asked, monkeypatch):
    for name, wanted in (("uwnet2", True), ("net.py:model", False)):
        facts = replace(FACTS, model=name)
        monkeypatch.setattr(gather, "load_weights", lambda path, build=None, facts=facts: (MODEL, facts))
        assert gather.gather(run)["model"]["batch_norm"] is wanted


@pytest.mark.parametrize(("loss", "wanted"), [("mse", 12.5), ("l1", 3.5), ("huber", 3.0), (None, 12.5)])
def test_the_loss_of_numbers_is_that_of_the_training(run, asked, monkeypatch, loss, wanted):
    model, images = cynet.Sequential(cynet.GlobalAvgPool2d()), np.full((2, 3, 4, 4), 128, np.uint8)
    labels = np.float32([[3, 3, 3], [4, 4, 4]])
    facts = replace(FACTS, task="regress", mean=(128 / 255,) * 3, std=(1.0,) * 3, picture_shape=(4, 4, 3))
    run.plain["loss"] = loss
    monkeypatch.setattr(gather, "load_weights", lambda path, build=None: (model, facts))
    pictures = ArrayDataset(images, labels, FACTS.classes)
    monkeypatch.setattr(gather.matching, "load", lambda *_, **more: Matched(pictures))
    assert gather.gather(run)["test"]["loss"] == pytest.approx(wanted, rel=1e-4)


def test_a_test_set_that_cannot_be_read_is_told_with_the_reason(run, asked, monkeypatch):
    def missing(*_, **more):
        raise FileNotFoundError("no such folder")

    monkeypatch.setattr(gather.matching, "load", missing)
    document = gather.gather(run)
    why = "The test set could not be read: no such folder. --data-dir says where it lies."
    assert document["missing"]["test"] == document["missing"]["mistakes"] == why
    assert document["notes"][-1] == "the test set could not be read: no such folder"
    assert document["test"] is document["mistakes"] is None and document["filters"] and document["model"]


def test_the_beginning_of_a_run_that_is_not_known_is_told(run, asked, monkeypatch):
    def missing(*_):
        raise ValueError("there is no seed")

    monkeypatch.setattr(findings, "before", missing)
    document = gather.gather(run)
    assert document["missing"]["before"] == "The filters before training are not known: there is no seed."
    assert document["filters"]["before"] is None


def test_a_net_without_filters_or_norms_is_told(run, asked, monkeypatch):
    model = cynet.Sequential(cynet.GlobalAvgPool2d(), cynet.Linear(3, 3))
    monkeypatch.setattr(gather, "load_weights", lambda path, build=None: (model, FACTS))
    missing = gather.gather(run)["missing"]
    assert missing["filters"] == "The first layer with weights has no filters that make pictures."
    assert missing["norms"] == "The model has no batch norm."


# -- the commands that repeat it ----------------------------------------------------------------------------
def test_the_command_has_what_was_not_by_default():
    config = {
        "model": "uwnet1", "batch_norm": False, "augment": True, "lr": 0.5, "steps": 30, "workers": 2,
        "data_dir": "my data", "seed": 0,
    }  # fmt: skip
    config["origin"] = dict.fromkeys(("batch_norm", "augment", "lr", "workers", "data_dir"), "flag")
    config["origin"]["model"] = "default"
    assert repeating.command(config) == (
        "cynet train --no-batch-norm --data-dir 'my data' --augment --lr 0.5"
    )
    del config["origin"]  # then what is as by default is left out
    assert repeating.command(config) == (
        "cynet train --model uwnet1 --no-batch-norm --data-dir 'my data' --augment --steps 30 --lr 0.5"
    )
    assert repeating.command({}) == repeating.command({"origin": "odd"}) == "cynet train"


def test_a_run_whose_settings_were_changed_takes_several_commands():
    config = {"lr": 0.5, "origin": {"lr": "flag"}}
    parts = [
        {"after_step": 5},
        {"after_step": 9, "changed": {"lr": 1}, "command": ["/bin/cynet", "train", "a b"]},
    ]
    environment = {"command": ["/x/cynet", "train", "--lr", 0.5], "resumed": parts}
    run = SimpleNamespace(config=config, environment=environment)
    lines = [
        "cynet train --lr 0.5", "# stopped after step 5, then", "cynet", "# stopped after step 9, then",
        "cynet train 'a b'",
    ]  # fmt: skip
    assert repeating.commands(run) == ("\n".join(lines), True)
    environment["resumed"] = parts[:1]
    assert repeating.commands(run) == ("cynet train --lr 0.5", False)
    assert repeating.commands(SimpleNamespace(config=config, environment={})) == (
        "cynet train --lr 0.5",
        False,
    )
