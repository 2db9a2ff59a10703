"""Every flag of every command with its default and its bounds, written down once more, and what help says."""

import importlib
import re

import pytest

from cynet import cli
from cynet.cli import language_model
from cynet.cli.parser import Parser, UsageError
from cynet.study import study

COMMANDS = {
    "train": "train a model", "evaluate": "on a test set", "predict": "sees on pictures",
    "runs": "runs in a folder",
    "export": "as ONNX, C or a web page",
    "report": "as one page", "verify": "first steps again", "diff": "side by side", "data": "fetch data sets",
    "batchnorm_study": "with and without batch norm", "lab": "the course's exercises",
    "language_model": "what comes next in a text", "bench": "time kernels", "bundle": "one archive",
    "config": "how this cynet was built",
}  # fmt: skip
NEEDED = {
    "evaluate": "R",
    "predict": "M I",
    "report": "R",
    "export": "R",
    "verify": "R",
    "diff": "R S",
    "bundle": "R",
}
RUNNING = {"threads": None, "repeat": None, "json": None, "markdown": False}
DEFAULTS = {
    "evaluate": {"which": None, "data": None, "data_dir": None, "skip_damaged": False, "split": "test",
                 "flip": False, "tta": None, "batch_size": 250, "json": None, "threads": None, "int8": False,
                 "samples": None},
    "export": {"which": None, "onnx": None, "c": None, "html": None, "layout": None, "fold": False,
               "pixels": False, "int8": False, "samples": None, "data": None, "data_dir": None,
               "threads": None},
    "predict": {"which": None, "tta": None, "top": 5, "json": False, "threads": None},
    "runs": {"folder": "runs", "json": False},
    "report": {"output": None, "data_dir": None, "which": None, "timing": True, "threads": None},
    "verify": {"steps": 20, "data_dir": None, "threads": None},
    "diff": {"more": [], "replay": False},
    "batchnorm_study": {"model": "uwnet2", "data": "shapes10", "data_dir": None, "steps": 300, "seeds": 3,
                        "batch_size": 128, "rates": None, "rounds": None, "threads": None, "run_dir": None},
    "language_model train": {"text": None, "model": None, "report": True, "recipe": None},
    "language_model generate": {"which": None, "strategy": "sample", "temperature": None, "beam_width": None,
                                "length": 300, "seed": None, "threads": None},
    "lab start": {"language": "python"},
    "lab check": {"folder": "."},
    "lab time": {"folder": ".", "threads": None},
    "lab train": {"folder": ".", "data": "shapes10", "data_dir": None, "steps": 200, "seconds": 60,
                  "rates": None, "rounds": None, "seed": 0, "threads": None},
    "lab report": {"folder": "."},
    "lab grade": {"csv": None},
    "bundle": {"files": None, "base": None, "output": "bundle.tar.gz", "force": False},
    "data fetch": {"data_dir": None, "mirror": None},
    "data check": {"data_dir": None, "split": None, "skip_damaged": False, "split_seed": 0,
                   "image_size": None, "layout": None, "task": None},
    "data show": {"data_dir": None, "split": "train", "skip_damaged": False, "split_seed": 0, "output": None,
                  "image_size": None, "layout": None, "task": None,
                  "columns": 10, "classes": 20, "padding": 4, "cutout": 0, "augment": True, "seed": 0,
                  "epoch": 0},
    "bench peak": {"array_size": None} | RUNNING,
    "bench kernels": {"model": None, "batch_size": 128, "batch_norm": True, "only": None,
                      "largest": None} | RUNNING,
    "bench train": {"model": None, "batch_size": (128,), "batch_norm": True, "against": None} | RUNNING,
    "bench infer": {"model": None, "batch_size": (128, 1), "batch_norm": True, "against": None} | RUNNING,
    "bench memory": {"model": None, "batch_size": (128,), "batch_norm": True, "against": None,
                     "steps": 10} | RUNNING,
    "bench import": {"against": None, "repeat": None, "json": None, "markdown": False},
    "bench language-model": {"against": None} | RUNNING,
    "bench loader": {"batch_size": 128, "against": None} | RUNNING,
    "bench profile": {"model": None, "batch_size": 128, "batch_norm": True} | RUNNING,
    "bench shapes": {"count": 60, "seed": 0, "only": None, "against": None} | RUNNING,
    "bench growth": {"model": None, "batch_norm": True, "plot": None, "repeat": None, "json": None},
    "bench distributed": {"model": None, "batch_size": 512, "ranks": (1, 2), "shards": 8, "latency": 1.0,
                          "bandwidth": 1.0, "launcher": None, "plot": None} | RUNNING,
    "bench compare": {"tolerance": 0.97, "markdown": False},
    "bench table": {"model": None, "batch_norm": True, "against": "torch", "threads": None, "repeat": None,
                    "json": None},
}  # fmt: skip
BOUNDS = """
    export --samples 1 -, export --threads 1 1024, evaluate --samples 1 -,
    evaluate --batch-size 1 -, evaluate --threads 1 1024, predict --top 1 -, predict --threads 1 1024,
    report --threads 1 1024, verify --steps 1 -, verify --threads 1 1024,
    batchnorm_study --steps 1 -, batchnorm_study --seeds 1 1000, batchnorm_study --batch-size 2 -,
    batchnorm_study --threads 1 1024, data show --columns 1 100, data show --classes 1 1000,
    data show --padding 0 100, data show --cutout 0 100, data show --seed 0 -, data show --epoch 0 -,
    data check --split-seed 0 -, bench train --batch-size 1 -, bench train --threads 1 1024,
    bench peak --threads 1 1024, bench peak --repeat 1 -, bench memory --steps 1 -,
    lab train --steps 1 -, lab train --seed 0 -, lab train --threads 1 1024, lab time --threads 1 1024,
    bench loader --batch-size 1 12800,
    bench kernels --batch-size 1 -, bench infer --batch-size 1 -, bench memory --batch-size 1 -,
    bench profile --batch-size 1 -, bench distributed --batch-size 1 -, bench distributed --shards 1 -,
    bench distributed --ranks 1 -, bench shapes --count 0 -, bench shapes --seed 0 -, bench train --side 1 -,
    language_model generate --seed 0 9223372036854775807, bench train --repeat 1 -,
    language_model generate --beam-width 1 256,
    language_model generate --length 1 1048576, language_model generate --threads 1 1024
"""
BOUNDS = [tuple(line.strip().rsplit(" ", 3)) for line in BOUNDS.split(",")]


def parser_of(command):
    name = command.split()[0]
    module = importlib.import_module(f"cynet.cli.{name}")
    made = Parser(name, module.__doc__)
    module.add_flags(made)
    return made


def parsed(command, *more):
    name, *what = command.split()
    what += ["R", "--prompt", "P"] if command == "language_model generate" else []
    what += {"lab start": ["E", "D"], "lab grade": ["F"]}.get(command, [])
    what += ["O", "N"] if command == "bench compare" else []
    needed = ["NAME"] if name == "data" else NEEDED.get(name, "").split()
    return vars(parser_of(command).parse_args([*what, *needed, *more]))


def help_of(command):
    _name, *what = command.split()
    made = parser_of(command)
    if what:
        made = next(action for action in made._actions if action.dest == "what").choices[what[0]]
    return made.format_help()


@pytest.mark.parametrize("command", DEFAULTS)
def test_what_nobody_gives_has_its_default_and_help_says_so(monkeypatch, command):
    found = parsed(command)
    assert {name: found[name] for name in DEFAULTS[command]} == DEFAULTS[command]
    monkeypatch.setenv("COLUMNS", "1000")
    flags = dict(re.findall(r"^  (--[a-z0-9-]+)(.*(?:\n {6,}.*)*)", help_of(command), re.MULTILINE))
    assert set(flags) <= {"--" + name.replace("_", "-") for name in found} | {
        "--weights", "--model", "--no-timing", "--no-augment", "--no-batch-norm", "--no-report"
    }  # fmt: skip
    for name, value in DEFAULTS[command].items():
        text = flags.get("--" + name.replace("_", "-"))
        if text is None or value in (None, False, True) or value == []:
            continue
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        assert f"(default: {shown})" in text, name


def test_help_says_what_a_strategy_has_where_nobody_says_it(monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    text = help_of("language_model generate")
    for name, (_, value) in language_model.OF_A_STRATEGY.items():
        assert re.search(rf"--{name.replace('_', '-')} .*\(default: {value:g}\)", text), name
    assert [value for _, value in language_model.OF_A_STRATEGY.values()] == [1.0, 5, 0]


@pytest.mark.parametrize(("command", "flag", "least", "below"), [
    ("bench distributed", "--latency", 0.0001, 0.00009), ("bench distributed", "--bandwidth", 0.0001, 0),
    ("bench peak", "--array-size", 0.001, 0.0009), ("bench kernels", "--largest", 0, -0.1),
    ("bench compare", "--tolerance", 0, -0.01), ("lab train", "--seconds", 1, 0.9),
    ("language_model generate", "--temperature", 0, -0.1), ("train", "--rank-timeout", 1, 0.99),
])  # fmt: skip
def test_numbers_that_are_not_whole_have_a_least_one(command, flag, least, below):
    assert parsed(command, flag, str(least))[flag[2:].replace("-", "_")] == least
    for text in (below, "nan", "inf", "x"):
        with pytest.raises(UsageError, match=f"{flag}: wanted a number "):
            parsed(command, flag, f"{text}")


@pytest.mark.parametrize("command", [each for each in DEFAULTS if "bench " in each and "compare" not in each])
def test_help_says_which_of_the_repetitions_counts(monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "1000")
    counts = "the best" if command == "bench peak" else "the median"
    text = " ".join(help_of(command).split())
    assert f"--repeat N repetitions, of which {counts} counts (default: " in text


@pytest.mark.parametrize(("command", "flag", "least", "most"), BOUNDS)
def test_the_bounds_of_numbers_are_where_they_are_said_to_be(command, flag, least, most):
    name, most = flag[2:].replace("-", "_"), str(2**31 - 1) if most == "-" else most
    for text in (least, most):
        value = parsed(command, flag, text)[name]
        assert value in (int(text), (int(text),))
    for text in (str(int(least) - 1), str(int(most) + 1)):
        with pytest.raises(UsageError, match=f"{flag}: wanted a whole number "):
            parsed(command, flag, text)


def test_each_command_is_listed_with_what_it_does():
    assert cli.COMMANDS.keys() == COMMANDS.keys()
    for name, words in COMMANDS.items():
        assert words in cli.COMMANDS[name], name


def test_the_rates_of_a_study_are_those_that_help_says():
    text = " ".join(help_of("batchnorm_study").split())
    shown = {name: tuple(map(float, found.split(","))) for name, found in
             re.findall(r"--(rates|rounds) RATE,... .*?\(default: ([.\d,]+)\)", text)}  # fmt: skip
    assert shown == {"rates": study.RATES, "rounds": study.ROUNDS}
    assert study.RATES == (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
    assert study.ROUNDS == (0.1, 0.03, 0.01, 0.003, 0.001)


# -- what was meant ----------------------------------------------------------------------------------------
ALIASES = {
    "lr": "learning-rate lr0 eta", "weight-decay": "wd l2", "batch-size": "bs minibatch",
    "epochs": "max-epochs",
    "steps": "iterations max-iter", "schedule": "scheduler lr-policy", "lr-steps": "milestones",
    "warmup": "warmup-steps", "clip-norm": "grad-clip max-grad-norm", "label-smoothing": "smoothing",
    "ema": "ema-decay", "patience": "early-stopping", "augment": "augmentation",
    "workers": "num-workers jobs",
    "threads": "num-threads cpus", "seed": "random-seed", "model": "arch backbone", "data": "dataset",
    "data-dir": "data-root imagefolder", "run-dir": "output-dir logdir", "resume": "continue restart",
    "init-from": "pretrained finetune", "config": "cfg settings", "batch-norm": "bn",
    "validation": "val-split holdout",
    "lr-find": "find-lr",
}  # fmt: skip


@pytest.mark.parametrize(("flag", "names"), ALIASES.items())
def test_what_other_programs_call_a_flag_leads_to_it(capsys, flag, names):
    for name in names.split():
        assert cli.main(["train", f"--{name}", "3"]) == 2
        assert capsys.readouterr().err.startswith(
            f"cynet train: error: unknown flag: --{name} (did you mean --{flag}"
        )
