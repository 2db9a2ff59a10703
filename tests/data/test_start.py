"""Workers that cannot be started, or cannot import what they need: the sentence, and that none is needed."""

import errno
import sys

import pytest
from helpers import run_python

from cynet.data.workers import portable, start

CHANGED = """
import os, sys
import numpy as np
from cynet.data import ArrayDataset, DataLoader

os.chdir("there")
sys.path.insert(0, "lib")
from own import change

if __name__ == "__main__":
    images = np.zeros((8, 3, 4, 4), np.uint8)
    dataset = ArrayDataset(images, np.arange(8) % 2, "a b".split())
    with DataLoader(dataset, 4, workers=1, transforms=[change]) as loader:
        print(len(list(loader)))
"""


def test_a_relative_place_on_sys_path_is_told_as_it_is_seen_from_here(tmp_path):
    (tmp_path / "there" / "lib").mkdir(parents=True)
    (tmp_path / "there" / "lib" / "own.py").write_text("def change(picture, rng):\n    return picture\n")
    (tmp_path / "script.py").write_text(CHANGED)
    done = run_python("script.py", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("2\n", "")


@pytest.mark.parametrize("error", [
    BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    RuntimeError("can't start new thread"),
    EOFError(),
])  # fmt: skip
def test_a_limit_of_processes_is_named(error):
    wanted = r"cannot start a worker process: .*\(ulimit -u: [\d,a-z]+\); workers=0 needs none"
    with pytest.raises(OSError, match=wanted) as caught, start.started(lean=True):
        raise error
    assert caught.value.errno == errno.EAGAIN


@pytest.mark.parametrize("error", [OSError(errno.ENOMEM, "Cannot allocate memory"), RuntimeError("other")])
def test_other_errors_of_a_start_stay_as_they_are(error):
    with pytest.raises(type(error)) as caught, start.started(lean=True):
        raise error
    assert caught.value is error


def at_the_top(picture, rng):
    return picture


def test_a_worker_that_ended_is_told_of_the_guard_only_where_there_is_none(tmp_path, monkeypatch):
    assert f"ModuleNotFoundError: {__name__} must be found on sys.path" in portable.advice([(0, at_the_top)])
    monkeypatch.setattr(at_the_top, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "at_the_top", at_the_top, raising=False)
    for text, guarded in (("go()\n", False), ('if __name__ == "__main__":\n    go()\n', True)):
        file = tmp_path / f"{guarded}.py"
        file.write_text(text)
        monkeypatch.setattr(sys.modules["__main__"], "__file__", str(file), raising=False)
        assert (portable.GUARD in portable.advice([(0, at_the_top)])) is not guarded
