"""How far a long step is said to be: a line for each quarter, or a bar."""

import io

import pytest

from cynet.data.progress import ProgressBar


def said(capsys, name, total, parts, start=0, unit=""):
    with ProgressBar(name, total, start, unit) as bar:
        for part in parts:
            bar.add(part)
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_a_line_for_each_quarter_that_is_reached(capsys):
    assert said(capsys, "x", 8000, [1999, 1, 1000, 1000, 4000]) == [
        "x: 25 % of 8,000", "x: 50 % of 8,000", "x: 100 % of 8,000"
    ]  # fmt: skip
    assert said(capsys, "x", 8000, [7999]) == ["x: 75 % of 8,000"]


def test_bytes_are_told_in_mebibytes(capsys):
    assert said(capsys, "f", 3 << 19, [3 << 18], unit="B") == ["f: 50 % of 1.5 MiB"]
    assert said(capsys, "f", 1500 << 20, [1500 << 20], unit="B") == ["f: 100 % of 1,500.0 MiB"]


def test_what_was_there_before_is_not_said_again(capsys):
    assert said(capsys, "x", 8000, [1, 1999], start=4000) == ["x: 75 % of 8,000"]
    assert said(capsys, "x", 8000, [4000], start=4000) == ["x: 100 % of 8,000"]


@pytest.mark.parametrize(("total", "lines"), [(0, 0), (5000, 0), (5001, 1)])
def test_of_few_nothing_is_said(capsys, total, lines):
    assert len(said(capsys, "x", total, [total])) == lines


def test_what_begins_anew_is_said_anew(capsys):
    with ProgressBar("x", 8000) as bar:
        bar.add(4000)
        bar.restart()
        bar.add(4000)
    assert capsys.readouterr().err.splitlines() == ["x: 50 % of 8,000"] * 2


def test_on_a_terminal_there_is_a_bar_that_goes_away(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", terminal)
    with ProgressBar("name", 10_000, 2_000, "B") as progress:
        bar = progress.bar
        assert (bar.total, bar.n, bar.unit, bar.desc, bar.leave) == (10_000, 2_000, "B", "name", False)
        progress.add(3_000)
        assert bar.n == 5_000
        progress.restart()
        assert bar.n == 0
    assert bar.disable and " % of " not in terminal.getvalue()
    assert ProgressBar("name", 5_000).bar is None
    other = ProgressBar("name", 5_001)
    assert other.bar.unit == " "
    other.close()
