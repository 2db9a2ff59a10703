"""Which settings of a run that goes on may be changed, by the names that were given."""

import pytest

from cynet.runs.changes import allowed


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((), set()), (("seed", "split-seed"), {"seed", "split_seed"}), (("epochs",), {"epochs", "steps"}),
        (("steps",), {"steps"}), (("schedule",), {"schedule", "lr_steps"}),
        (("lr-drop",), {"lr_drop", "lr_steps"}), (("lr_steps",), {"lr_steps"}),
    ],
)  # fmt: skip
def test_what_follows_from_a_setting_may_change_with_it(given, wanted):
    assert allowed(given, str) == wanted
