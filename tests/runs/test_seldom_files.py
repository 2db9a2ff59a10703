"""Files of a run as few have them: paths of other bytes, parts as folders, a disk full at the end."""

import os
from pathlib import Path

import pytest
import tiny  # noqa: F401  (adds the data set "tiny")

from cynet import runs
from cynet.runs import configuration, ending, log, records, weights
from cynet.runs.facts import Facts
from cynet.train import Settings

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_path_of_other_bytes_is_read_as_it_was_written(tmp_path):
    path = os.fsdecode(b"/data/pic\xfctures \xff")
    configuration.write(tmp_path / "config.toml", {"data_dir": path, "steps": 5})
    assert configuration.read_toml(tmp_path / "config.toml")["data_dir"] == path


@pytest.mark.parametrize("parts", [
    {"train": "pics/train", "test": "pics/test"}, {"train": 5, "test": 6}, {"train": None, "test": "pics"},
])  # fmt: skip
def test_parts_are_counts_or_folders(parts):
    assert records._is_parts(parts)
    assert not any(records._is_parts(parts | {"test": odd}) for odd in ([], {}, -1, 1.5, True))


def test_a_log_whose_last_line_finds_no_room_ends_nothing(tmp_path):
    kept = log.Log(tmp_path / "log.txt")
    closed, file = [], kept.file

    class Full:
        def close(self):
            closed.append(file.close())
            raise OSError(28, "No space left on device")

    kept.file = Full()
    kept.close()
    assert closed == [None]


def test_the_digest_that_is_told_is_of_the_last_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(ending, "digest_of", lambda path: f"that of {Path(path).name}")
    lines, settings = [], Settings(model="uwnet2", data="tiny", batch_size=8, steps=1, workers=0, threads=1)
    runs.start(settings, tmp_path / "run", report=False, say=lines.append)
    (line,) = [line for line in lines if "SHA-256" in line]
    assert line.endswith("last.safetensors, SHA-256 that of last.safetensors")


def test_weights_without_the_count_of_batches_fit():
    facts = Facts("uwnet2", True, "tiny", ("a", "b", "c"), (0.5,) * 3, (0.2,) * 3)
    tensors = facts.create().state_dict()
    older = {name: array for name, array in tensors.items() if not name.endswith("num_batches_tracked")}
    assert len(older) < len(tensors)
    weights._check_shapes(facts, older)
    del older[next(name for name in older if name.endswith("running_mean"))]
    with pytest.raises(ValueError, match=r"state does not fit the model: .*running_mean"):
        weights._check_shapes(facts, older)
