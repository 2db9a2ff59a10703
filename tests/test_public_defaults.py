"""What arguments are where nobody gives them, and limits that users feel: each is a promise."""

import importlib
import inspect

import pytest

MODELS = ("uwnet1", "uwnet2", "resnet20", "vgg_small")
BATCH = {"batch_size": 128}
PUBLISHED = {"root": "data", "split": "train", "download": False}
DEFAULTS = {
    "bench.compare.compare": {"tolerance": 0.97}, "bench.loading.speed": BATCH, "bench.loading.cost": BATCH,
    "bench.loading.training": BATCH, "bench.peak.measure": {"repeat": 30, "steps": 100_000},
    "bench.per_layer.measure": BATCH | {"batch_norm": True}, "bench.processes.imports": {"repeat": 15},
    "bench.processes.memory": {"repeat": 3, "steps": 10}, "bench.workload.create": {"batch_norm": True},
    "bench.speed.Setup": {"models": MODELS, "batch_sizes": (128,), "threads": (), "batch_norm": True},
    "bench.timing.take_turns": {"budget": 5.0}, "bench.timing.repeated": {"budget": 0.15},
    "report.evaluated.document": {"split": "test", "tta": ()},
    "report.writing.write": {"weights": "last.safetensors", "timing": True},
    "study.study.Experiment": {
        "rates": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0), "rounds": (0.1, 0.03, 0.01, 0.003, 0.001),
        "seeds": 3,
    },
    "study.study_report.write": {"complete": True}, "study.study_report.summary": {"complete": True},
    "data.load": {"split": "train", "download": False, "split_seed": 0, "skip_damaged": False, "fold": False},
    "data.DataLoader": {"shuffle": True, "seed": 0, "workers": 2, "prefetch": 4, "drop_last": False,
                        "transforms": (), "timeout": 120.0, "copy": False},
    "data.RandomCrop": {"mode": "zero"}, "data.RandomFlip": {"mode": "random"},
    "data.ImageFolder": {"size": (32, 32), "resize": "crop", "channels": 3, "cache": True,
                         "skip_damaged": False},
    "data.images.image_list.ImageList": {"resize": "crop", "skip_damaged": False},
    "data.images.parts.image_folder": {"split_seed": 0, "test_share": 0.2},
    "data.inspection.mosaic": {"transforms": (), "columns": 10, "most_rows": 20, "seed": 0, "epoch": 0},
    "data.SubsetSampler": {"shuffle": True, "seed": 0}, "data.WeightedSampler": {"seed": 0},
    "data.BalancedSampler": {"seed": 0}, "data.CIFAR10": PUBLISHED, "data.CIFAR100": PUBLISHED,
    "data.MNIST": PUBLISHED, "data.FashionMNIST": PUBLISHED, "data.holdout.split": {"seed": 0},
    "train.loop.train": {"observers": (), "measure": "test", "every": 1},
    "train.predictions.predict": {"flip": False},
    "train.lr_find.lr_find": {"lowest": 1e-4, "highest": 10.0, "steps": 150},
    "train.predictions.Predictions.calibration": {"bins": 15}, "runs.predictor.Predictor": {"batch_size": 32},
    "runs.predictor.Predicted.top": {"count": 5}, "runs.calls.start": {"report": True, "observers": ()},
    "runs.calls.resume": {"allow_change": (), "report": True, "observers": ()},
    "runs.session.Session": {"initial": True}, "runs.session.test_loader": {"batch_size": 250},
    "optim.optimizers.SGD": {"momentum": 0.0, "weight_decay": 0.0, "nesterov": False},
    "optim.adam.Adam": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
    "optim.adam.AdamW": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
    "optim.lookahead.Lookahead": {"period": 5, "decay": 0.5},
    "schedules.Constant": {"warmup": 0}, "schedules.MultiStep": {"warmup": 0},
    "schedules.Cosine": {"warmup": 0, "final": 0.0},
    "schedules.OneCycle": {"pct_start": 0.3, "div_factor": 25.0, "final_div_factor": 1e4, "warmup": 0},
    "models.create": {"input_shape": (32, 32, 3), "classes": 10},
    "kernels.conv.columns.im2col": {"stride": 1, "padding": 0},
    "kernels.conv.columns.col2im": {"stride": 1, "padding": 0},
    "CrossEntropyLoss": {"label_smoothing": 0.0, "reduction": "mean"},
}  # fmt: skip
LIMITS = {
    "bench.timing": {"BLOCK": 0.02, "LEAD": 0.01, "LONGEST_BLOCK": 20, "ROUNDS": (5, 200)},
    "bench.loading": {"PICTURES": 12_800, "PADDING": 4, "WORKERS": (0, 1, 2), "MANY": 4, "ROUNDS": 7,
                      "STEPS": 40, "COST_ROUNDS": 5, "TRAINING_ROUNDS": 15, "MODEL": "uwnet1"},
    "bench.setting": {"PICTURE": (32, 32, 3), "CLASSES": 10,
                      "OPTIMIZER": {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}},
    "bench.choices": {"MODELS": MODELS, "REPEATS": {"peak": 30, "memory": 3, "import": 15}},
    "bench.peak": {"CACHES": 4}, "bench.speed": {"SECONDS": 4.0},
    "bench.per_layer": {"OVERHEAD": 15e-6},
    "report.curves": {"POINTS": 400},
    "report.findings": {"MISTAKES": 24, "PAIRS": 10, "FILTERS": 64, "TOP": 3},
    "report.writing": {"NEIGHBOURS": 20, "BATCH": 128, "REPEAT": 7, "PLOTS": "plots"},
    "report.plots": {"DPI": 120, "MOST_CLASSES": 30}, "study.study": {"TAIL": 0.1},
    "study.study_figures": {"HIGHEST": 3.0, "COLUMNS": 4, "SHADES": 64, "DPI": 80},
    "cli.tables": {"WIDEST": 20, "MISTAKES": 20}, "cli.terminal": {"SMOOTH": 0.05},
    "cli.lr_find": {"LINES": 16},
    "train.lr_find": {"SMOOTH": 0.1, "TOO_FAR": 3.0, "SPAN": 20}, "train.predictions": {"BINS": 15},
    "train.diagnosis": {"ENOUGH_STEPS": 100, "LOOKED_AT": 250, "SHOWN": 12},
    "train.batching": {"FEW": 10, "SMALL": 8, "USUAL": 128}, "data.balance": {"UNEVEN": 3, "NAMED": 5},
    "data.images.parts": {"SHARE": 0.2, "DEPTH": 4},
    "data.inspection": {"GAP": 2, "GROUND": 255, "SIDE": 128},
    "data.progress": {"PARTS": 4, "FEW": 5000}, "data.sets.download": {"TIMEOUT": 30, "MOST_CUTS": 100},
    "runs.estimate": {"STEPS": 12, "SECONDS": 10.0}, "runs.remarks": {"MOST": 10},
    "runs.resolving": {"STEPS": 1500, "LR": 0.1, "DROPS": ((0.6, 0.1), (0.84, 0.01))},
    "runs.contents": {"LOGGED": 1 << 24}, "runs.bundling": {"MOST": 1 << 32}, "uwnet.data": {"QUALITY": 80},
}  # fmt: skip


def found(name):
    """What a dotted name within cynet stands for."""
    at = importlib.import_module("cynet")
    for part in name.split("."):
        try:
            at = getattr(at, part)
        except AttributeError:
            at = importlib.import_module(f"{at.__name__}.{part}")
    return at


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_nobody_gives_is_as_it_was(name):
    arguments = inspect.signature(found(name)).parameters.values()
    given = {one.name: one.default for one in arguments if one.default not in (one.empty, None)}
    given = {name: value for name, value in given.items() if not callable(value)}
    assert given == DEFAULTS[name]


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_as_they_were(name):
    module = importlib.import_module(f"cynet.{name}")
    assert {limit: getattr(module, limit) for limit in LIMITS[name]} == LIMITS[name]
