"""Settings that meet each other, a file, a recipe, a run that goes on, or the search for a learning rate."""

import itertools
import shutil

import pytest
import tiny  # noqa: F401  (adds the data set "tiny")

from cynet import cli
from cynet.cli import train as command
from cynet.cli.gathering import gather
from cynet.cli.parser import Parser, UsageError
from cynet.runs.recipes import RECIPES
from cynet.runs.settings import DEFAULTS
from cynet.train import Settings

VALUES = {
    "validation": 0.25, "split_seed": 3, "balanced": True, "class_weights": "balanced", "workers": "auto",
}  # fmt: skip
FLAGS = {
    "validation": ("--validation", "0.25"), "split_seed": ("--split-seed", "3"), "balanced": ("--balanced",),
    "class_weights": ("--class-weights", "balanced"), "workers": ("--workers", "auto"),
}  # fmt: skip
LINES = {
    "validation": "validation = 0.25", "split_seed": "split_seed = 3", "balanced": "balanced = true",
    "class_weights": 'class_weights = "balanced"', "workers": 'workers = "auto"',
}  # fmt: skip
PAIRS = list(itertools.combinations(VALUES, 2))
EXCLUDED = {"balanced", "class_weights"}
RUN = ("--data", "tiny", "--batch-size", "8", "--workers", "0", "--steps", "6", "--lr", "0.01", "--no-report")

pytestmark = pytest.mark.usefixtures("one_thread")


def gathered(*arguments):
    parser = Parser("train", "")
    command.add_flags(parser)
    return gather(parser.parse_args(list(map(str, arguments))))


def train(*arguments):
    return cli.main(["train", *map(str, arguments)])


@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
@pytest.mark.parametrize("how", ["flags", "file", "file and flag", "flag over file"])
def test_a_pair_is_taken_or_refused_however_it_is_given(tmp_path, pair, how):
    path = tmp_path / "mine.toml"
    flags, lines = [FLAGS[name] for name in pair], [LINES[name] for name in pair]
    if how == "flags":
        arguments = [*flags[0], *flags[1]]
    elif how == "file":
        path.write_text("\n".join(lines))
        arguments = ["--config", path]
    else:
        first = how == "flag over file"
        path.write_text(lines[first])
        arguments = ["--config", path, *flags[not first]]
    if set(pair) == EXCLUDED and how in ("flags", "file"):
        with pytest.raises(UsageError, match=r"balanced: not allowed with .*class.weights") as caught:
            gathered(*arguments)
        assert str(path) in str(caught.value) or how == "flags"
        return
    values, origins = gathered(*arguments)
    if set(pair) == EXCLUDED:  # the flag takes the other's place
        kept, gone = (pair[1], pair[0]) if how == "file and flag" else pair
        assert (values[kept], origins[kept]) == (VALUES[kept], "flag")
        assert (values[gone], origins[gone]) == (DEFAULTS[gone], "default")
    else:
        assert {name: values[name] for name in pair} == {name: VALUES[name] for name in pair}
    Settings(**values).resolved(4000)


@pytest.mark.parametrize(("line", "flags", "wanted"), [
    ("class_weights = \"balanced\"", ("--no-balanced",), (False, "balanced")),
    ("balanced = true", ("--class-weights", "none"), (True, "none")),
    ("balanced = true\nclass_weights = \"none\"", (), (True, "none")),
    ("balanced = false\nclass_weights = \"balanced\"", (), (False, "balanced")),
    ("balanced = true", ("--no-balanced", "--class-weights", "balanced"), (False, "balanced")),
])  # fmt: skip
def test_what_is_switched_off_excludes_nothing(tmp_path, line, flags, wanted):
    (tmp_path / "mine.toml").write_text(line)
    values, _ = gathered("--config", tmp_path / "mine.toml", *flags)
    assert (values["balanced"], values["class_weights"]) == wanted


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("recipe", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_each_goes_with_every_recipe(name, recipe):
    values, origins = gathered("--recipe", recipe, *FLAGS[name])
    assert values[name] == VALUES[name] and origins["model"] == f"recipe {recipe}"
    assert Settings(**values).resolved(4000).workers in (0, 1)


@pytest.mark.parametrize("name", VALUES)
def test_each_goes_with_the_search_for_a_rate_but_no_run_that_goes_on_does(tmp_path, capsys, name):
    assert train(*RUN, *FLAGS[name], "--lr-find", "--run-dir", tmp_path / "run") == 0
    assert "suggestion: --lr" in capsys.readouterr().out
    assert train("--resume", tmp_path / "run", *FLAGS[name], "--lr-find") == 2
    assert "--lr-find: not allowed with argument --resume" in capsys.readouterr().err


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Finished runs, by the one setting that each was given."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("none", "validation", "balanced", "class_weights"):
        assert train(*RUN, *FLAGS.get(name, ()), "--run-dir", folder / name) == 0
    return folder


ALLOW = {name: ("--allow-change", name) for name in VALUES}
SETTLED, FROZEN, BOTH = "a picture that was trained on", "the weights depend on", "not allowed with argument"


@pytest.mark.parametrize(("begun", "flags", "said"), [
    ("none", FLAGS["validation"], SETTLED),
    ("none", (*FLAGS["validation"], *ALLOW["validation"]), SETTLED),
    ("none", FLAGS["split_seed"], SETTLED),
    ("none", (*FLAGS["split_seed"], *ALLOW["split_seed"]), SETTLED),
    ("validation", ("--validation", "0"), SETTLED),
    ("validation", FLAGS["validation"], None),
    ("validation", FLAGS["workers"], None),
    ("validation", FLAGS["balanced"], FROZEN),
    ("validation", (*FLAGS["balanced"], *ALLOW["balanced"]), None),
    ("none", FLAGS["balanced"], FROZEN),
    ("none", FLAGS["class_weights"], FROZEN),
    ("none", (*FLAGS["balanced"], *ALLOW["balanced"]), None),
    ("none", (*FLAGS["class_weights"], *ALLOW["class_weights"]), None),
    ("none", (*FLAGS["balanced"], *FLAGS["class_weights"]), BOTH),
    ("none", (*FLAGS["balanced"], *ALLOW["balanced"], *FLAGS["class_weights"], *ALLOW["class_weights"]),
     BOTH),
    ("balanced", FLAGS["class_weights"], FROZEN),
    ("balanced", (*FLAGS["class_weights"], *ALLOW["class_weights"]), "--allow-change balanced"),
    ("balanced", (*FLAGS["class_weights"], *ALLOW["class_weights"], *ALLOW["balanced"]), None),
    ("class_weights", (*FLAGS["balanced"], *ALLOW["class_weights"], *ALLOW["balanced"]), None),
    ("balanced", ("--no-balanced", *ALLOW["balanced"]), None),
    ("none", FLAGS["workers"], None),
])  # fmt: skip
def test_a_run_that_goes_on_takes_refuses_or_is_told_how(runs, tmp_path, capsys, begun, flags, said):
    run = shutil.copytree(runs / begun, tmp_path / "run")
    more = ("--steps", "9", "--allow-change", "steps", "--no-report")
    status = train("--resume", run, *more, *flags)
    out, err = capsys.readouterr()
    if said is None:
        assert (status, err) == (0, "") and "step 9/9" in out
        assert cli.main(["verify", str(run)]) == 0
    else:
        assert status == 2 and said in err and err.count("\n") == 1


@pytest.mark.parametrize(("settings", "problem"), [
    ({"balanced": True, "class_weights": "balanced"}, r"balanced: not allowed with class_weights"),
    ({"class_weights": "even"}, r"class_weights: wanted one of none, balanced, got 'even'"),
])  # fmt: skip
def test_they_exclude_each_other_from_python_too(settings, problem):
    with pytest.raises(ValueError, match=problem):
        Settings(**settings).resolved(4000)
