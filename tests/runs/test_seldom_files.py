"""Files of a run as few have them: paths of other bytes, parts as folders, a disk full at the end."""

import os

import pytest

from cynet.runs import configuration, log, records


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
