"""Tables that are appended to and cut back."""

import errno
import os

import pytest

from cynet.train import Table


def table(path):
    return Table(path / "t.csv", ("step", "loss"))


def test_rows_are_appended_below_one_heading(tmp_path):
    for rows in (("1,2.5", "2,2.25"), ("3,2",)):
        made = table(tmp_path)
        for row in rows:
            made.add(row)
        made.close()
    assert (tmp_path / "t.csv").read_text() == "step,loss\n1,2.5\n2,2.25\n3,2\n"
    assert table(tmp_path).rows()[1] == {"step": "2", "loss": "2.25"}


def test_a_row_is_not_written_one_by_one_but_with_sync(tmp_path):
    made = table(tmp_path)
    made.add("1,2.5")
    assert (tmp_path / "t.csv").read_text() == ""
    made.sync()
    assert (tmp_path / "t.csv").read_text() == "step,loss\n1,2.5\n"
    made.close()


@pytest.mark.parametrize("tail", ["", "3", "3,", "3,7.5", "1", "x,1\n", "\n", "2,1,1\n", "\xff\n"])
def test_rows_after_a_step_and_broken_ones_are_dropped(tmp_path, tail):
    text = "step,loss\n1,2.5\n2,2.25\n"
    (tmp_path / "t.csv").write_text(text + "3,2\n4,1\n" + tail, encoding="latin-1")
    made = table(tmp_path)
    made.keep(2)
    assert (tmp_path / "t.csv").read_text() == text
    made.add("3,0.5")
    made.close()
    assert (tmp_path / "t.csv").read_text() == text + "3,0.5\n"


def test_a_table_that_is_not_there_has_no_rows(tmp_path):
    table(tmp_path).keep(3)
    assert table(tmp_path).rows() == []
    assert not os.listdir(tmp_path)
    (tmp_path / "t.csv").touch()
    assert table(tmp_path).rows() == []


def test_an_error_names_the_file(tmp_path):
    made = Table(tmp_path / "missing" / "t.csv", ("step",))
    with pytest.raises(OSError, match=r"cannot write .*t\.csv: No such file") as caught:
        made.add("1")
    assert caught.value.errno == errno.ENOENT
