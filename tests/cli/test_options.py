"""Settings from defaults, recipes, files and flags."""

import tomllib
from dataclasses import fields

import pytest

from cynet import cli
from cynet.cli import options, train
from cynet.cli.gathering import gather
from cynet.cli.parser import Parser, UsageError
from cynet.runs.origins import described
from cynet.runs.recipes import RECIPES
from cynet.runs.settings import DEFAULTS
from cynet.train import Settings


def gathered(*arguments):
    parser = Parser("train", "")
    train.add_flags(parser)
    return gather(parser.parse_args(list(map(str, arguments))))


def test_every_setting_has_its_flag():
    assert list(options.OPTIONS) == [field.name for field in fields(Settings)]


def test_flags_go_over_the_file_over_the_recipe_over_the_defaults(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("momentum = 0.5\nbatch_size = 64\nbatch_norm = false\n")
    values, origins = gathered("--recipe", "cifar10", "--config", path, "--batch-size", 32, "--no-augment")
    assert (values["batch_size"], origins["batch_size"]) == (32, "flag")
    assert (values["augment"], origins["augment"]) == (False, "flag")
    assert (values["momentum"], origins["momentum"]) == (0.5, str(path))
    assert (values["batch_norm"], origins["batch_norm"]) == (False, str(path))
    assert (values["model"], origins["model"]) == ("resnet20", "recipe cifar10")
    assert (values["seed"], origins["seed"]) == (0, "default")


def test_a_byte_order_mark_before_a_file_is_none_of_its_text(tmp_path):
    (tmp_path / "mine.toml").write_text("momentum = 0.5\n", encoding="utf-8-sig")
    assert gathered("--config", tmp_path / "mine.toml")[0]["momentum"] == 0.5


def test_what_excludes_another_takes_its_place(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('lr_steps = "5:0.01"\nsteps = 10\n')
    values, origins = gathered("--recipe", "cifar10", "--steps", 7)
    assert (values["steps"], values["epochs"], origins["epochs"]) == (7, None, "default")
    values, _ = gathered("--recipe", "cifar10", "--config", path)
    assert (values["lr_steps"], values["schedule"], values["epochs"]) == ({5: 0.01}, None, None)
    values, _ = gathered("--config", path, "--schedule", "cosine")
    assert (values["lr_steps"], values["schedule"]) == (None, "cosine")


@pytest.mark.parametrize("name", [path.stem for path in RECIPES.glob("*.toml")])
def test_every_recipe_can_be_read_and_settled(name):
    values, _ = gathered("--recipe", name)
    settings = Settings(**values).resolved(50_000)
    assert settings.learning_rates()(0) > 0


def test_the_default_recipe_says_what_the_defaults_do():
    values, _ = gathered("--recipe", "shapes10")
    assert Settings(**values).resolved(20_000) == Settings().resolved(20_000)


def test_a_stored_configuration_is_a_configuration_file(tmp_path):
    from cynet.train import RunFolder

    settings = Settings(epochs=2, threads=3).resolved(20_000)
    RunFolder(tmp_path / "run").write_config({"cynet": "0"} | settings.flat(), {"lr": "flag"})
    values, _ = gathered("--config", tmp_path / "run" / "config.toml")
    assert Settings(**values).resolved(20_000) == settings
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert Settings.unflat(config) == settings.__class__(**values)


def test_what_a_stored_run_derived_is_derived_anew(tmp_path):
    from cynet.train import RunFolder

    settings = Settings(momentum=0.5).resolved(20_000)
    origins = dict.fromkeys(DEFAULTS, "default") | {"momentum": "flag"}
    RunFolder(tmp_path / "run").write_config(settings.flat(), origins)
    values, _ = gathered("--config", tmp_path / "run" / "config.toml", "--lr", 0.001, "--steps", 20)
    again = Settings(**values).resolved(20_000)
    assert (again.momentum, again.schedule, again.lr_steps) == (0.5, "constant", {})
    assert values["threads"] is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("momentm = 0.9", "unknown key: momentm (did you mean momentum?)"),
        ("batch-size = 3", "unknown key: batch-size (did you mean batch_size?)"),
        ("xyzzy = 3", "unknown key: xyzzy (one of model, "),
        ("momentum = 1.0", "momentum: wanted a number of at least 0 and below 1, got '1.0'"),
        ('momentum = "0.9"', "momentum: wanted a number, got '0.9'"),
        ("momentum = true", "momentum: wanted a number, got True"),
        ("lr = nan", "lr: wanted a number of at least 0, got 'nan'"),
        ("steps = 2.5", "steps: wanted a whole number of at least 1, got '2.5'"),
        ("augment = 1", "augment: wanted true, false or names, got 1"),
        ("model = 3", "model: wanted text in quotes, got 3"),
        ("lr_steps = {5 = 0.1}", "lr_steps: wanted text in quotes such as \"300:.01,420:.001\", got {'5': "),
        ("[training]\nlr = 0.1", "unknown key: training (settings stand at the top of the file"),
        (
            'schedule = "cosin"',
            "schedule: wanted one of constant, steps, cosine, one-cycle, triangular, got 'cosin'",
        ),
        ("steps = 3\nepochs = 4", "epochs: not allowed with argument steps (give"),
        ('lr_steps = "3:.1"\nschedule = "cosine"', "lr_steps: wanted the schedule steps, got cosine"),
        ("momentum = ", "Invalid value (at end of document)"),
        ('model = "\xff"', "'utf-8' codec can't decode"),
        ('model = "uwnet9"', "mine.toml: model: wanted one of uwnet0"),
        ("batch_size = 1000000", "mine.toml: batch_size: wanted at most the 20000"),
        ("steps = 5\nwarmup = 5", "mine.toml: warmup: wanted less than the run's 5 steps, got 5"),
        ('data = "arrays"\ndata_dir = "mine.toml"', "mine.toml: data_dir: mine.toml: wanted a .npz file"),
        ('init_from = "nowhere"', "mine.toml: init_from: cannot read nowhere: No such file"),
    ],
)
def test_a_file_that_cannot_be_is_refused_in_one_line(tmp_path, monkeypatch, capsys, text, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(text, encoding="latin-1")
    assert cli.main(["train", "--config", "mine.toml"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert words in err and err.startswith("cynet train: error: --config: mine.toml: ")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--recipe", "cifar"],
            "--recipe: wanted one of alice, cifar10, cifar10-fast, language_model, shapes10, got 'cifar'",
        ),
        (["--config", "nowhere"], "--config: cannot read nowhere: No such file"),
        (["--schedule", "cosine", "--lr-steps", "5:.1"], "--lr-steps: wanted the schedule steps, got cosine"),
        (["--steps", "5", "--epochs", "1"], "--epochs: not allowed with argument --steps"),
    ],
)
def test_flags_that_cannot_be_are_refused(arguments, words):
    with pytest.raises(UsageError) as caught:
        gathered(*arguments)
    assert words in str(caught.value)


def test_the_origin_of_every_value_is_told():
    values, origins = gathered("--recipe", "cifar10", "--lr", 0.5)
    lines = described(Settings(**values), origins)
    assert [line.split(":")[0] for line in lines] == ["by flag", "by recipe cifar10", "by default"]
    assert lines[0] == "by flag: lr 0.5"
    assert "model resnet20" in lines[1] and "seed 0" in lines[2]
