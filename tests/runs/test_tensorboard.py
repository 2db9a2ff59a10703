"""Event files: every tag with its values and its steps."""

from types import SimpleNamespace

import numpy as np
import pytest

from cynet.runs import tensorboard
from cynet.train.loop import Progress, Result
from cynet.train.metrics import Evaluation


@pytest.fixture
def written(monkeypatch):
    """What a writer of tensorboardX is told."""
    calls = []

    class Writer:
        def __init__(self, folder, purge_step):
            calls.append(("folder", folder, purge_step))

        def add_scalar(self, tag, value, step):
            calls.append((tag, value, step))

        def flush(self):
            calls.append("flush")

        def close(self):
            calls.append("close")

    monkeypatch.setattr(tensorboard, "writer_class", lambda: Writer)
    return calls


def test_steps_are_written_at_the_first_and_every_tenth(written, tmp_path):
    board = tensorboard.TensorBoard(tmp_path)
    for step in range(1, 32):
        board.stepped(Progress(step, 1, step / 100, step + 0.5, 8, 4))
    assert written[0] == ("folder", str(tmp_path / "tensorboard"), None)
    assert written[1:] == [
        call for step in (1, 10, 20, 30)
        for call in (("training/loss", step + 0.5, step), ("training/lr", step / 100, step))
    ]  # fmt: skip


@pytest.mark.parametrize("measure", ["test", "validation"])
def test_each_evaluation_is_written_by_its_name(written, tmp_path, measure):
    board = tensorboard.TensorBoard(tmp_path)
    evaluation = Evaluation(1.25, np.array([2, 2]), np.array([[2, 0], [1, 1]]))
    board.evaluated(Result(7, 2, 0.1, 2.0, evaluation, 0.5, measure))
    board.close()
    assert written[1:] == [(f"{measure}/loss", 1.25, 7), (f"{measure}/accuracy", 0.75, 7), "flush", "close"]


def test_what_older_files_say_of_later_steps_is_dropped(written, tmp_path):
    tensorboard.TensorBoard(tmp_path, 20)
    assert written == [("folder", str(tmp_path / "tensorboard"), 21)]


def test_the_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"pip install 'cynet\[tensorboard\]'"):
        tensorboard.writer_class()
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", SimpleNamespace(SummaryWriter=3))
    assert tensorboard.writer_class() == 3
