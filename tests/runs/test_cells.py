"""The cells of a run's tables: what each heading takes to its very ends, and which row is the last."""

import pytest

from cynet.runs import cells
from cynet.runs.cells import CELLS, last_row, read

MOST, NAN = 3.4028234663852886e38, float("nan")
COUNT = ["0", "7", "1000000000000000"], ["1000000000000001", "-1", "1.0", "1e3", "nan", "", " 1", "١"]
SIZE = (
    ["0", "0.5", "1e-320", repr(MOST), "12.5e3"],
    ["-0.1", "1.1e39", "1e999", "nan", "inf", "", "1_0", "x", "+1"],
)
SHARE = ["0", "0.5", "1", "1e-9"], ["1.01", "-0.1", "nan", "inf", "2"]
PART = ["0", "1", "nan"], ["1.01", "-0.1", "inf", "-nan"]
LOSS = (
    ["0", "-2.5", repr(MOST), repr(-MOST), "nan", "inf", "-inf"],
    ["1e40", "-1e40", "-nan", "NaN", "infinity"],
)
TIME = ["0", "0.123", "9999999999"], ["-1", "10000000001", "nan", "inf"]
DIGEST = ["a" * 64, "0123456789abcdef" * 4], ["a" * 63, "a" * 65, "A" * 64, "g" * 64, ""]
TENSOR = ["0.weight", "é b"], ["", "a,b", "a\nb", "a\rb"]
TABLE = {
    **dict.fromkeys(("step", "epoch"), COUNT),
    **dict.fromkeys(("lr", "test_rmse", "validation_rmse", "test_mae", "validation_mae"), SIZE),
    **dict.fromkeys(("accuracy", "train_accuracy", "test_accuracy", "validation_accuracy"), SHARE),
    **dict.fromkeys(("test_f1", "validation_f1"), SHARE),
    **dict.fromkeys(("test_ap", "validation_ap"), PART),
    **dict.fromkeys(("loss", "train_loss", "test_loss", "validation_loss"), LOSS),
    **dict.fromkeys(("test_perplexity", "validation_perplexity", "test_r2", "validation_r2"), LOSS),
    "seconds": TIME, "tensor": TENSOR, "sha256": DIGEST,
}  # fmt: skip


def test_the_table_is_whole():
    assert set(TABLE) == set(CELLS)


@pytest.mark.parametrize("name", TABLE)
def test_a_cell_is_taken_to_its_very_ends_and_not_beyond(name):
    good, bad = TABLE[name]
    parse = CELLS[name].parser()
    for text in good:
        wanted = (
            text if name in ("tensor", "sha256") else int(text) if name in ("step", "epoch") else float(text)
        )
        found = parse(text)
        assert type(found) is type(wanted) and repr(found) == repr(wanted)
    assert [text for text in bad if parse(text) is not None] == []


def table(path, *rows, heading="step,lr,loss"):
    path.write_text("\n".join([heading, *rows, ""]))
    return path


def test_what_is_left_out_of_a_table_is_counted(tmp_path):
    path = table(tmp_path / "a.csv", "1,0.1,2", "", "x,1,1", "2,0.1,nan", "3,-1,2", "4,0.1", "5,nan,?")
    found = read(path)
    assert repr(found.columns) == repr(
        {"step": [1, 2, 3, 5], "lr": [0.1, 0.1, None, None], "loss": [2.0, NAN, 2.0, None]}
    )
    assert found.notes == (
        "lines that are no rows are left out: 2",
        "cells that hold no value of their column are left out, in 2 rows",
    )


def test_rows_out_of_order_are_taken_in_the_order_of_their_steps(tmp_path):
    found = read(table(tmp_path / "a.csv", "3,0.3,3", "1,0.1,1", "3,0.4,4", "2,0.2,2"))
    assert (found.columns["step"], found.columns["lr"]) == ([1, 2, 3, 3], [0.1, 0.2, 0.3, 0.4])
    assert found.notes == ("its rows are not in the order of their steps: they are taken in it",)
    same = read(table(tmp_path / "b.csv", "1,0.1,1", "1,0.2,2"))
    assert (same.columns["lr"], same.notes) == ([0.1, 0.2], ())


def test_a_heading_of_another_order_or_that_comes_twice_is_told(tmp_path):
    found = read(table(tmp_path / "a.csv", "0.1,5,7,2,3", heading="lr,loss,mine,step,loss"))
    assert found.columns == {"step": [2], "lr": [0.1]}
    assert found.notes == ("there are 2 columns called loss: none of them is read",)
    for heading, words in (
        ("lr,loss", "wanted a heading of names with commas between them, step among them, got 'lr,loss'"),
        ("step,step", "wanted one column called step, got 'step,step'"),
        ("x" * 61, f"step among them, got '{'x' * 60}'..."),
    ):
        with pytest.raises(ValueError) as caught:
            read(table(tmp_path / "b.csv", heading=heading))
        assert str(caught.value).endswith(words)
    (tmp_path / "c.csv").touch()
    assert (read(tmp_path / "c.csv").columns, last_row(tmp_path / "c.csv")) == ({}, {})


def test_so_many_lines_are_read_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "ROWS", 3)
    rows = [f"{step},0.1,2" for step in (1, 2, 3, 4)]
    assert read(table(tmp_path / "a.csv", *rows[:3])).notes == ()
    found = read(table(tmp_path / "a.csv", *rows))
    assert (found.columns["step"], found.notes) == ([1, 2, 3], ("only its first 3 lines are read",))


@pytest.mark.parametrize(("end", "last"), [
    ("", 3), ("4,0.", 3), ("4,0.1,2", 3), ("\n\n", 3), ("4,0.1\n", 3), ("4,0.1,2\n", 4), ("4,?,2\r\n", 4),
])  # fmt: skip
def test_the_last_row_is_the_last_whole_one(tmp_path, end, last):
    path = table(tmp_path / "a.csv", "1,0.1,2", "2,0.2,2", "3,0.3,2")
    path.write_bytes(path.read_bytes() + end.encode())
    lr = None if "?" in end else {3: 0.3, 4: 0.1}[last]
    assert last_row(path) == {"step": last, "lr": lr, "loss": 2.0}


def test_the_last_row_is_found_behind_many_and_long_ones(tmp_path):
    rows = [f"{step},{'layer.' * 500}weight,{'a' * 64}" for step in range(1, 40)]
    path = table(tmp_path / "a.csv", *rows, heading="step,tensor,sha256")
    assert last_row(path) == {"step": 39, "tensor": f"{'layer.' * 500}weight", "sha256": "a" * 64}
    assert last_row(table(tmp_path / "b.csv")) == last_row(tmp_path / "gone.csv") == {}
