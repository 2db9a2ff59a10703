"""Settings of several origins: which take the place of which, and which contradict each other in one."""

import itertools

import pytest

from cynet.cli.gathering import Flags
from cynet.runs.errors import RefusedError
from cynet.runs.origins import PYTHON, Names, gathered
from cynet.runs.settings import DEFAULTS

GIVEN = {
    "steps": 7, "epochs": 3, "lr_steps": {5: 0.01}, "lr_drop": "2:0.5", "schedule": "cosine",
    "balanced": True, "class_weights": "balanced",
}  # fmt: skip
# What goes back to its default where a later origin gives the first.
REPLACED = {
    "steps": {"epochs"}, "epochs": {"steps"}, "lr_steps": {"schedule", "lr_drop"},
    "lr_drop": {"schedule", "lr_steps"}, "schedule": {"lr_steps", "lr_drop"},
    "balanced": {"class_weights"}, "class_weights": {"balanced"},
}  # fmt: skip


@pytest.mark.parametrize(("later", "before"), list(itertools.permutations(GIVEN, 2)))
def test_what_a_later_origin_gives_takes_back_what_does_not_go_with_it(later, before):
    sheets = [("a.toml", {before: GIVEN[before], "seed": 3}), ("flag", {later: GIVEN[later]})]
    values, origins = gathered(sheets, Names())
    gone = before in REPLACED[later]
    assert (values[later], origins[later], values["seed"], origins["seed"]) == (
        GIVEN[later],
        "flag",
        3,
        "a.toml",
    )
    assert values[before] == (DEFAULTS[before] if gone else GIVEN[before])
    assert origins[before] == ("default" if gone else "a.toml")


@pytest.mark.parametrize(("later", "before"), [
    ({"schedule": "steps"}, {"lr_steps": {5: 0.01}}), ({"schedule": "steps"}, {"lr_drop": "2:0.5"}),
    ({"balanced": False}, {"class_weights": "balanced"}), ({"class_weights": "none"}, {"balanced": True}),
])  # fmt: skip
def test_what_changes_nothing_takes_nothing_back(later, before):
    values, origins = gathered([("a.toml", before), (PYTHON, later)], Names())
    assert before.items() <= values.items()
    assert [origins[name] for name in (*before, *later)] == ["a.toml", "python"]


@pytest.mark.parametrize(("sheet", "words"), [
    ({"steps": 7, "epochs": 3}, "epochs: not allowed with argument steps (give one of the two)"),
    ({"lr_steps": {5: 0.1}, "lr_drop": "2:0.5"},
     "lr_drop: not allowed with argument lr_steps (give one of the two)"),
    ({"lr_steps": {5: 0.1}, "schedule": "cosine"}, "lr_steps: wanted the schedule steps, got cosine"),
    ({"lr_drop": "2:0.5", "schedule": "one-cycle"}, "lr_drop: wanted the schedule steps, got one-cycle"),
    ({"balanced": True, "class_weights": "balanced"},
     "balanced: not allowed with argument class_weights (give one of the two)"),
])  # fmt: skip
def test_what_contradicts_itself_in_one_origin_is_refused_by_its_name(sheet, words):
    for origin, called in ((PYTHON, ""), ("a.toml", "config: a.toml: "), ("b.toml", "b.toml: ")):
        with pytest.raises(RefusedError) as caught:
            gathered([("b.toml", {"seed": 3}), (origin, sheet)], Names("a.toml"))
        assert str(caught.value) == called + words


def test_what_goes_together_in_one_origin_stays():
    sheet = {"lr_steps": {5: 0.1}, "schedule": "steps", "balanced": True, "class_weights": "none"}
    values, _ = gathered([(PYTHON, sheet)], Names())
    assert sheet.items() <= values.items()


def test_a_clash_of_flags_is_told_in_flags_and_one_of_a_file_as_it_stands_there():
    sheet = {"lr_steps": {5: 0.1}, "lr_drop": "2:0.5"}
    for origin, words in (
        ("flag", "--lr-drop: not allowed with argument --lr-steps (give one of the two)"),
        ("b.toml", "b.toml: lr_drop: not allowed with argument lr_steps (give one of the two)"),
    ):
        with pytest.raises(RefusedError) as caught:
            gathered([(origin, sheet)], Flags())
        assert str(caught.value) == words
