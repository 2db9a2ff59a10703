"""The recipes of the package hold what is written of them, and each script of tools/ is its command."""

import runpy
import sys
from pathlib import Path

import pytest

from cynet import cli
from cynet.runs import recipes
from cynet.runs.origins import read
from cynet.runs.settings import DEFAULTS
from cynet.train import Settings

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ["size", "wheel"]  # scripts that look at the sources, and are no commands
TOOLS = sorted(path for path in (ROOT / "tools").glob("*.py") if path.stem not in SOURCES)
RECIPES = {
    "alice": {
        "model": "language_model", "model_option": '{"embedding": 64, "hidden": 128}', "data": "alice",
        "sequence_length": 64, "batch_size": 32, "epochs": 10, "optimizer": "adam", "lr": 0.004,
        "lr_drop": "4:0.25", "weight_decay": 1e-5,
    },
    "language_model": {  # the assignment's
        "model": "language_model", "model_option": '{"embedding": 512, "hidden": 512}', "data": "text",
        "sequence_length": 100, "batch_size": 256, "epochs": 20, "optimizer": "adam", "lr": 0.002,
        "lr_drop": "6:0.25", "weight_decay": 5e-4,
    },
    "cifar10": {
        "model": "resnet20", "data": "cifar10", "augment": True, "batch_size": 128, "epochs": 30, "lr": 0.2,
        "schedule": "cosine", "warmup": 390, "momentum": 0.9, "weight_decay": 3e-4,
    },
    "cifar10-fast": {  # Jordan's
        "model": "airbench94", "data": "cifar10", "augment": "crop:2:reflect,alternating-flip",
        "batch_size": 1024, "epochs": 9.9, "evaluate_every": 10, "whiten": True, "freeze": "whiten.weight",
        "freeze_after": "whiten.bias:3", "optimizer": "nesterov", "momentum": 0.85, "lr": 1.5,
        "weight_decay": 0.0013304348, "lr_factor": "layer*.bias:64.0,fc.weight:0.012345679",
        "schedule": "triangular", "label_smoothing": 0.2, "lookahead": "5:0.7737809375:3.0",
        "tta": "flip,diagonal",
    },
    "shapes10": {
        "model": "uwnet2", "data": "shapes10", "batch_size": 128, "steps": 1500, "lr": 0.1,
        "schedule": "steps",
        "momentum": 0.9, "weight_decay": 4e-5,
    },
}  # fmt: skip


def test_the_recipes_are_these():
    found = {path.stem: read(path, "--recipe") for path in recipes.RECIPES.glob("*.toml")}
    assert found == RECIPES


def test_the_recipe_of_cifar10_warms_up_for_an_epoch_and_ends_at_nothing():
    settings = Settings(**DEFAULTS | RECIPES["cifar10"]).resolved(50_000)
    rates = settings.learning_rates()
    assert settings.steps == 30 * 390
    assert rates(0) == pytest.approx(0.2 / 390) and rates(389) == rates(390) == 0.2
    assert rates(settings.steps - 1) < 1e-6


def test_the_fast_recipe_of_cifar10_has_the_numbers_of_the_paper():
    recipe = RECIPES["cifar10-fast"]
    settings = Settings(**DEFAULTS | recipe).resolved(50_000)
    scale = 1 + 1 / (1 - 0.85)  # of the paper's code, per 1,024 examples
    assert settings.steps == 476 and settings.lr == pytest.approx(11.5 / scale)
    assert settings.weight_decay == pytest.approx(0.0153 / 11.5, rel=1e-7)
    assert recipe["lookahead"] == f"5:{0.95**5:.10f}:3.0"
    rates = settings.learning_rates()
    wanted = [0.2, 1, 1 - 0.93 * 366 / 367]
    assert [rates(step) / 1.5 for step in (0, 109, 475)] == pytest.approx(wanted)
    assert Settings(**DEFAULTS | recipe | {"epochs": 3}).resolved(50_000).steps == 144


@pytest.mark.parametrize("path", TOOLS, ids=lambda path: path.stem)
def test_a_script_is_its_command(monkeypatch, path):
    called = []
    monkeypatch.setattr(cli, "script", lambda command: called.append(command) or 7)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(path), run_name="__main__")
    assert called == [path.stem] and caught.value.code == 7
    assert path.stem in cli.COMMANDS
    if any((ROOT / "cynet" / "core").glob("_config.*.so")):
        assert sys.path[0] == str(ROOT)


def test_the_commands_that_people_look_for_as_scripts_are_there():
    assert {path.stem for path in TOOLS} == set(cli.COMMANDS) - {"config"}
