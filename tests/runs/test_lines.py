"""The lines of a training for every evaluation: what is counted for a line, and begun anew after it."""

from types import SimpleNamespace

import numpy as np
import pytest

from cynet.runs import lines
from cynet.runs.lines import Lines
from cynet.train.loop import Progress, Result
from cynet.train.metrics import Evaluation


@pytest.mark.parametrize("between", [False, True])
def test_each_line_has_the_speed_of_its_own_pictures(monkeypatch, between):
    """Of those since the line before, whether of an evaluation or another one."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(lines, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    said = []
    screen = Lines(30, 8, say=said.append)
    for epoch in (1, 2, 3):
        if between:
            now.seconds += 50
            screen.say("a note")
            said.pop()
        for step in range(10 * epoch - 9, 10 * epoch + 1):
            now.seconds += 0.5 * epoch
            screen.stepped(Progress(step, epoch, 0.1, 2.0, 8, 4))
        test = Evaluation(1.25, np.array([2, 2]), np.array([[2, 0], [1, 1]]))
        screen.evaluated(
            Result(step=step, epoch=epoch, lr=0.1, train_loss=2.0, test=test, train_accuracy=0.5)
        )
    assert [line.split("  ")[-2] for line in said] == ["16 images/s", "8 images/s", "5 images/s"]
