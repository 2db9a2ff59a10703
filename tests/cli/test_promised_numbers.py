"""What help, recipes and small tables promise: the numbers themselves, not that there are some."""

import os
import tomllib
from types import SimpleNamespace

import numpy as np
import pytest

from cynet.cli import bench, lr_find
from cynet.cli.options import OPTIONS
from cynet.cli.parser import Failure, Parser
from cynet.report import writing
from cynet.runs import contents, recipes, remarks, resolving
from cynet.runs.origins import described
from cynet.runs.settings import Settings

RECIPES = {
    "alice": {
        "model": "language_model", "model_option": '{"embedding": 64, "hidden": 128}', "data": "alice",
        "sequence_length": 64, "batch_size": 32, "epochs": 10, "optimizer": "adam", "lr": 0.004,
        "lr_drop": "4:.25", "weight_decay": 1e-5,
    },
    "cifar10": {
        "model": "resnet20", "data": "cifar10", "augment": True, "batch_size": 128, "epochs": 30, "lr": 0.2,
        "schedule": "cosine", "warmup": 390, "momentum": 0.9, "weight_decay": 3e-4,
    },
    "cifar10-fast": {
        "model": "airbench94", "data": "cifar10", "augment": "crop:2:reflect,alternating-flip",
        "batch_size": 1024, "epochs": 9.9, "evaluate_every": 10, "whiten": True, "freeze": "whiten.weight",
        "freeze_after": "whiten.bias:3", "optimizer": "nesterov", "momentum": 0.85, "lr": 1.5,
        "weight_decay": 0.0013304348, "lr_factor": "layer*.bias:64,fc.weight:0.012345679",
        "schedule": "triangular", "label_smoothing": 0.2, "lookahead": "5:0.7737809375:3",
        "tta": "flip,diagonal",
    },
    "language_model": {  # the assignment's
        "model": "language_model", "model_option": '{"embedding": 512, "hidden": 512}', "data": "text",
        "sequence_length": 100, "batch_size": 256, "epochs": 20, "optimizer": "adam", "lr": 0.002,
        "lr_drop": "6:.25", "weight_decay": 5e-4,
    },
    "shapes10": {
        "model": "uwnet2", "data": "shapes10", "batch_size": 128, "steps": 1500, "lr": 0.1,
        "schedule": "steps", "momentum": 0.9, "weight_decay": 4e-5,
    },
}  # fmt: skip


def test_the_recipes_hold_these_settings():
    assert recipes.names() == [*RECIPES]
    for name, settings in RECIPES.items():
        assert tomllib.loads(recipes.file(name, "--recipe").read_text()) == settings


def test_help_tells_the_numbers_that_count():
    assert "padded by 4 pixels" in OPTIONS["augment"].help
    assert f"(default: {resolving.STEPS})" in OPTIONS["steps"].help
    assert f"(default: {resolving.LR};" in OPTIONS["lr"].help
    (first, tenth), (second, hundredth) = resolving.DROPS
    drops = f"a tenth of the rate after {100 * first:g}%% of the steps, and a hundredth after"
    assert f"{drops} {100 * second:g}%%" in OPTIONS["lr_steps"].help and (tenth, hundredth) == (0.1, 0.01)


@pytest.mark.parametrize("metavar", ["DIR", "FILE", "FOLDER", "IMAGE", "MODEL", "RUN"])
def test_a_home_folder_is_meant_by_a_tilde_in_every_path(metavar):
    parser = Parser("x", "")
    parser.add_argument("path", metavar=metavar)
    parser.add_argument("name", metavar="NAME")
    flags = parser.parse_args(["~/a", "~/a"])
    assert (flags.path, flags.name) == (os.path.expanduser("~/a"), "~/a") and not flags.path.startswith("~")


@pytest.mark.parametrize("markdown", [False, True])
def test_reports_of_a_bench_have_titles_where_there_are_several(capsys, markdown):
    reports = [
        SimpleNamespace(command=name, text=lambda: "text", markdown=lambda: "| marks |") for name in "ab"
    ]
    flags, body = SimpleNamespace(what="train", markdown=markdown), "| marks |" if markdown else "text"
    bench._print(flags, reports[:1], "machine")
    assert capsys.readouterr().out == f"{body}\n\nmachine\n"
    bench._print(flags, reports, "machine")
    title = "### " if markdown else ""
    wanted = f"{title}a\n\n{body}\n\n{title}b\n\n{body}\n\nmachine\n"
    assert capsys.readouterr().out == wanted


def test_a_search_for_a_rate_that_fails_leaves_no_folder(tmp_path, monkeypatch):
    def broken(*_):
        raise ValueError("the losses are none")

    monkeypatch.setattr("cynet.train.lr_find.lr_find", broken)
    made = SimpleNamespace(settings=SimpleNamespace(model="m", data="d"), trainer=None, batches=None)
    with pytest.raises(Failure, match="the losses are none"):
        lr_find.find(made, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_settings_are_told_flags_first_then_files_then_defaults():
    origins = {"model": "a.toml", "lr": "flag", "seed": "recipe r"}
    lines = described(Settings(lr=0.5), origins)
    assert [line.partition(":")[0] for line in lines] == [
        "by flag", "by a.toml", "by recipe r", "by default"
    ]  # fmt: skip
    assert lines[:3] == ["by flag: lr 0.5", "by a.toml: model uwnet2", "by recipe r: seed 0"]


def test_of_many_classes_without_pictures_ten_are_named():
    weights, counts = np.array([1.0, 2.0, *[0] * 12]), np.array([1, 1, *[0] * 12])
    line = remarks._weights(weights, counts, [f"c{k}" for k in range(14)])
    empty = ", ".join(f"c{k} 0" for k in range(2, 12))
    assert f": c0 1 to c1 2, without pictures {empty}; evaluations" in line


def test_the_page_compares_with_twenty_runs_beside(tmp_path):
    for k in range(22):
        (tmp_path / f"r{k:02}").mkdir()
        table = tmp_path / f"r{k:02}" / "metrics.csv"
        table.write_text("step\n")
        os.utime(table, (1000 + k, 1000 + k))
    found = [run.name for run in writing._neighbours(contents.read(tmp_path / "r00"))]
    assert found == [f"r{k:02}" for k in range(2, 22)]  # the youngest
