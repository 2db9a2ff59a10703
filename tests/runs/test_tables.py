"""Tables that are appended to and cut back."""

import errno
import os
from math import inf, isnan

import pytest
from damages import bounded

from cynet.runs import cells, tables
from cynet.runs.cells import CELLS, last_row, read
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
    assert table(tmp_path).rows()[1] == {"step": 2, "loss": 2.25}


def test_a_row_is_not_written_one_by_one_but_with_sync(tmp_path):
    made = table(tmp_path)
    made.add("1,2.5")
    assert (tmp_path / "t.csv").read_text() == ""
    made.sync()
    assert (tmp_path / "t.csv").read_text() == "step,loss\n1,2.5\n"
    made.close()


def test_rows_are_in_the_file_when_it_is_synced(tmp_path, monkeypatch):
    made, seen = table(tmp_path), []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append((tmp_path / "t.csv").read_text()))
    made.add("1,2.5")
    made.sync()
    assert seen == ["step,loss\n1,2.5\n"]
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


# -- files that something else has written ------------------------------------------------------------------
SOUND = "step,loss\n1,2.5\n2,2.25\n3,2\n"


def kept(tmp_path, data, last=2):
    """(what `keep` says, the table afterwards, the files set aside by name)."""
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    told = table(tmp_path).keep(last)
    others = {each.name: each.read_bytes() for each in tmp_path.iterdir() if each != path}
    return told, path.read_bytes() if path.exists() else None, others


@pytest.mark.parametrize(
    "data",
    [
        SOUND.replace(",", ";").encode(),
        SOUND.replace(",", ";").replace(".", ",").encode(),
        SOUND.replace(",", "\t").encode(),
        b'"step","loss"\n"1","2.5"\n',
        SOUND.encode("utf-16"),
        b"loss,step\n2.5,1\n",
        b"Step,Loss\n1,2.5\n",
        b"step,loss,note\n1,2.5,\n",
        b"step\n1\n",
        b"step,loss,loss\n1,2.5,2.5\n",
        b"1,2.5\n2,2.25\n",
        b"\nstep,loss\n1,2.5\n",
        b"step,loss\n2,2.25\n1,2.5\n",
        SOUND.encode() * 2,
        SOUND.replace("\n", "\r").encode(),
        bytes(1000),
    ],
)
def test_a_table_that_cannot_be_continued_is_set_aside_and_told(tmp_path, data):
    told, now, others = kept(tmp_path, data)
    assert (now, others) == (None, {"t.set-aside.csv": data})
    assert told.startswith("note: t.csv ") and told.endswith(
        ": set aside as t.set-aside.csv; a new table is begun"
    )
    made = table(tmp_path)
    made.add("3,1.5")
    made.close()
    assert made.rows() == [{"step": 3, "loss": 1.5}]


def test_an_earlier_table_that_was_set_aside_stays(tmp_path):
    for number in range(1, 4):
        _, _, others = kept(tmp_path, b"table %d\n" % number)
        assert len(others) == number
    assert others == {
        "t.set-aside.csv": b"table 1\n", "t.set-aside-2.csv": b"table 2\n", "t.set-aside-3.csv": b"table 3\n"
    }  # fmt: skip


@pytest.mark.parametrize("text", [SOUND.replace("\n", "\r\n"), "\ufeff" + SOUND, SOUND.replace("\n", "\n\n")])
def test_other_ends_of_lines_are_understood(tmp_path, text):
    data = text.encode()
    assert kept(tmp_path, data) == (None, b"step,loss\n1,2.5\n2,2.25\n", {})


@pytest.mark.parametrize(
    "line",
    ["2,x", "2,1,1", "x,1", '"2",1', "2;1", "-1,1", "1e1,1", "2,1e", "2,0x1", "2, 1", "2,1_0", f"{2**70},1"],
)
def test_a_line_that_is_no_row_is_kept_aside_and_the_rows_stay(tmp_path, line):
    data = f"step,loss\n1,2.5\n{line}\n2,2.25\n3,2\n".encode()
    told, now, others = kept(tmp_path, data)
    assert (now, others) == (b"step,loss\n1,2.5\n2,2.25\n", {"t.set-aside.csv": data})
    assert told == "note: t.csv has a line that is no row: kept as it was as t.set-aside.csv; its rows stay"


def test_what_comes_again_is_dropped_without_a_word(tmp_path):
    for tail in ("", "3", "3,", "3,7.", "\0" * 500):
        assert kept(tmp_path, (SOUND + tail).encode()) == (None, b"step,loss\n1,2.5\n2,2.25\n", {})
    told, now, others = kept(tmp_path, b"step,loss\n1,2.5\n2,2.2")  # a row of a step that does not come again
    assert (now, list(others)) == (b"step,loss\n1,2.5\n", ["t.set-aside.csv"])
    assert "a line that is no row" in told


def test_bytes_that_are_no_text_stay_what_they_are(tmp_path):
    made = Table(tmp_path / "t.csv", ("step", "tensor", "sha256"))
    rows = b"step,tensor,sha256\n1,caf\xe9," + b"0" * 64 + b"\n"
    made.path.write_bytes(rows + b"x\n")
    assert "set-aside" in made.keep(5)
    assert made.path.read_bytes() == rows


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_refused_at_once(tmp_path, kind):
    path = tmp_path / "t.csv"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    got = "a link that leaves it, to /dev/zero" if kind == "device" else f"a {kind}"
    with bounded():
        with pytest.raises(OSError, match=rf"t\.csv: wanted a .*file.*, got {got}"):
            table(tmp_path).keep(1)
        with pytest.raises(OSError, match=rf"t\.csv: wanted a .*file.*, got {got}"):
            read(path)
        assert table(tmp_path).rows() == [] and table(tmp_path).last() == {} == last_row(path)


def test_an_enormous_file_is_bounded(tmp_path):
    path = tmp_path / "t.csv"
    with open(path, "wb") as file:
        file.truncate(10**11)
    with bounded():
        with pytest.raises(ValueError, match="wanted a heading of names with commas between them"):
            read(path)
        assert table(tmp_path).last() == {}
        with open(path, "r+b") as file:
            file.write(SOUND.encode())
        found = read(path)
        assert found.columns == {"step": [1, 2, 3], "loss": [2.5, 2.25, 2.0]}
        assert found.notes == ("what follows a line of more than 65,536 bytes is left out",)
        assert "is too large to look for its rows: set aside" in table(tmp_path).keep(2)
    assert (tmp_path / "t.set-aside.csv").stat().st_size == 10**11


def test_only_so_many_rows_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "ROWS", 2)
    (tmp_path / "t.csv").write_text(SOUND)
    found = read(tmp_path / "t.csv")
    assert found.columns["step"] == [1, 2] and found.notes == ("only its first 2 lines are read",)
    (tmp_path / "t.csv").write_text(SOUND[:-4])
    assert read(tmp_path / "t.csv").notes == ()


# -- the reader ---------------------------------------------------------------------------------------------
def content(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    return read(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("step", {"0": 0, "7": 7, str(10**15): 10**15}, ["-1", "1.0", "nan", f"{2**70}", "", " 1", "1_0"]),
        ("loss", {"2.5": 2.5, "1e-320": 1e-320, "-inf": -inf}, ["1e308", "-1e308", "1e999", "x", "", "0,5"]),
        ("lr", {"0": 0.0, "1e-05": 1e-5}, ["-0.1", "nan", "inf", "1e40"]),
        ("test_accuracy", {"0": 0.0, "1": 1.0}, ["7.0", "1.0001", "-0.1", "nan"]),
        ("seconds", {"0.25": 0.25}, ["-1", "1e11", "nan"]),
        ("tensor", {"0.weight": "0.weight", "é": "é"}, [""]),
        ("sha256", {"0" * 64: "0" * 64}, ["0" * 63, "G" * 64, ""]),
    ],
)  # fmt: skip
def test_cells_have_a_form_and_bounds(name, good, bad):
    parse = CELLS[name].parser()
    assert {text: parse(text) for text in good} == good
    assert [text for text in bad if parse(text) is not None] == []


def test_columns_are_read_by_name_and_what_is_left_out_is_noted(tmp_path):
    rows = "2,?,3,1,1", "1,?,1,1,1", "", "x,?,2,1,1", "5,?,x,1,1", "nan,?,4,1,1", "9,?", ""
    found = content(tmp_path, "\n".join(["loss,mine,step,lr,lr", *rows]))
    assert found.columns["step"] == [1, 2, 3, 4] and found.columns["loss"][:3] == [1.0, None, 2.0]
    assert isnan(found.columns["loss"][3]) and list(found.columns) == ["step", "loss"]
    assert found.notes == (
        "there are 2 columns called lr: none of them is read",
        "lines that are no rows are left out: 2",
        "cells that hold no value of their column are left out, in 1 rows",
        "its rows are not in the order of their steps: they are taken in it",
    )
    assert [row["step"] for row in table(tmp_path).rows()] == [1, 3, 4]
    assert table(tmp_path).rows(("step", "lr")) == []
    assert table(tmp_path).take(("lr",))[1][-1] == f"{tmp_path / 't.csv'} has no column to read called lr"
    assert content(tmp_path, "\ufeffstep,loss\r\n1,2\r\n").columns == {"step": [1], "loss": [2.0]}
    assert content(tmp_path, "").columns == {}
    assert content(tmp_path, "step,loss\n").columns == {"step": [], "loss": []}


def test_of_the_last_row_no_column_that_stands_twice_is_read(tmp_path):
    (tmp_path / "t.csv").write_text("lr,step,lr,mine,loss\n0.1,1,0.1,x,2\n0.2,2,0.3,y,?\n")
    assert cells.last_row(tmp_path / "t.csv") == {"step": 2, "loss": None}
    assert table(tmp_path).last() == {}  # not whole
    (tmp_path / "t.csv").write_text("loss,step\n0.5,1\n0.25,2\n0.125,")
    assert table(tmp_path).last() == {"step": 2, "loss": 0.25}


@pytest.mark.parametrize(("data", "shown"), [
    (b"\0" * 99 + b"\n", "'" + r"\x00" * 60 + "'..."),
    ("step\n".encode("utf-16-le"), r"'s\x00t\x00e\x00p\x00'"),
    (b"caf\xe9,\x1b[2J\n", r"'caf\xe9,\x1b[2J'"), (b"a\\b\n", r"'a\b'"),
])  # fmt: skip
def test_an_odd_heading_is_shown_once_escaped(tmp_path, data, shown):
    (tmp_path / "t.csv").write_bytes(data)
    table = Table(tmp_path / "t.csv", ("step", "loss"))
    _, (note,) = table.take()
    assert note.endswith(f", got {shown}") and note.isprintable()
    assert f" has the heading {shown}: set aside" in table.keep(3)


def test_a_table_that_cannot_be_read_is_told_without_the_systems_number(tmp_path):
    (tmp_path / "t.csv").mkdir()
    _, notes = Table(tmp_path / "t.csv", ("step", "loss")).take()
    assert notes == (f"{tmp_path / 't.csv'}: wanted a regular file, got a folder",)
    (tmp_path / "u.csv").symlink_to("../u.csv")
    _, (note,) = Table(tmp_path / "u.csv", ("step", "loss")).take()
    assert note.startswith(f"{tmp_path / 'u.csv'}: wanted a file in ") and "Errno" not in note


class Full:
    """A file on a disk without room."""

    def __init__(self, *calls):
        self.calls = calls

    def __getattr__(self, name):
        def call(*given):
            if name in self.calls:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return call


@pytest.mark.parametrize("call", ["write", "flush", "close"])
def test_a_disk_without_room_is_told_with_the_table(tmp_path, call):
    made = table(tmp_path)
    made._file = Full(call)
    with pytest.raises(OSError) as caught:
        {"write": lambda: made.add("1,2.5"), "flush": made.sync, "close": made.close}[call]()
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.strerror == f"cannot write {tmp_path}/t.csv: No space left on device"
    assert (made._file is None) == (call == "close")  # what cannot be closed is not closed again


def test_a_table_that_cannot_be_cut_or_set_aside_is_told_with_its_name(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    refused = PermissionError(errno.EPERM, "Operation not permitted")
    for text, function in (("step,loss\n1,2\n2,3\n", "open_changing"), ("step,mine\n1,2\n", "set_aside")):
        path.write_text(text)
        with monkeypatch.context() as patch:
            patch.setattr(tables, function, lambda *given, **more: (_ for _ in ()).throw(refused))
            with pytest.raises(PermissionError) as caught:
                table(tmp_path).keep(1)
        assert str(caught.value) == f"[Errno 1] cannot write {path}: Operation not permitted"
        assert path.read_text() == text
