"""The file of samples: lines of JSON that are appended to, cut back, and read whatever was done to them."""

import json
import os
import tempfile
from pathlib import Path

import pytest
from damages import COUNT, ODD, bounded, damaged_bytes, damaged_values
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.report import gather, page
from cynet.runs import contents
from cynet.runs.sample_table import LETTERS, SampleTable, parsed, read
from cynet.train import RunFolder

ROW = {"step": 8, "epoch": 1, "prompt": "é\n", "max": 'a, "b"\\', "sample": "\u2028\x85\x00", "beam": "𝄞"}
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # what would take its time is the disk
PATCHES = pytest.MonkeyPatch.context


def row(step, **changes):
    return ROW | {"step": step, "epoch": step // 8} | changes


def line(step, **changes):
    return json.dumps(row(step, **changes), ensure_ascii=False) + "\n"


WHOLE = "".join(map(line, (8, 16, 24)))


@pytest.fixture
def table(tmp_path):
    (tmp_path / "samples.jsonl").write_text(WHOLE)
    return SampleTable(tmp_path / "samples.jsonl")


def aside(table):
    return [path.read_text() for path in table.path.parent.glob("samples.set-aside*")]


def test_what_was_added_is_read(tmp_path):
    table = SampleTable(tmp_path / "samples.jsonl")
    assert table.rows() == [] and table.last() == {} and table.take() == ([[]] * 6, ())
    for step in (8, 16):
        table.add(row(step))
    table.sync()
    assert table.path.read_text() == line(8) + line(16)
    assert table.rows() == [row(8), row(16)] and table.last() == row(16)
    assert table.take(("step", "beam")) == ([[8, 16], ["𝄞", "𝄞"]], ())
    table.close()
    table.add(row(24, max="x" * 1000))
    table.close()
    assert table.last() == row(24, max="x" * LETTERS)


@pytest.mark.parametrize(("last", "steps"), [(-1, []), (7, []), (8, [8]), (23, [8, 16]), (99, [8, 16, 24])])
def test_rows_after_a_step_are_dropped(table, last, steps):
    assert table.keep(last) is None and aside(table) == []
    assert table.path.read_text() == "".join(map(line, steps))


@pytest.mark.parametrize("torn", ['{"step": 32, "epo', '{"step": 32,', "{", '{"step": 3', '{"step": '])
def test_a_row_that_was_cut_short_is_dropped(table, torn):
    table.path.write_text(WHOLE + torn)
    assert read(table.path).notes == ("its last line has no end: left out",)
    assert table.keep(24) is None and aside(table) == [] and table.path.read_text() == WHOLE


@pytest.mark.parametrize("odd", [
    "notes of mine\n", "{}\n", line(16, max=None), line(16, max="x" * (LETTERS + 1)), line(16, epoch=True),
    line(16, epoch=-1), line(16, prompt=["x"]), line(16).replace("16", "1e3"), '{"step": 16, "epoch": 2}\n',
    "[" * 5000 + "]" * 5000 + "\n", '"step"\n',
    line(16).replace('"epoch": 2', '"epoch": ' + "9" * 5000), '{"step": 16, "ep',
])  # fmt: skip
def test_what_is_no_row_is_set_aside_with_the_file_and_left_out(table, odd):
    text = line(8) + odd + (line(24) if odd.endswith("\n") else "")
    table.path.write_text(text)
    whole = odd.endswith("\n")
    told = ("lines that are no rows are left out: 1",) if whole else ("its last line has no end: left out",)
    assert read(table.path).notes == told
    assert [each["step"] for each in table.rows()] == ([8, 24] if whole else [8])
    assert "a line that is no row: kept as it was as samples.set-aside.jsonl" in table.keep(24)
    assert aside(table) == [text] and table.path.read_text() == line(8) + (line(24) if whole else "")


def test_other_line_ends_and_a_mark_are_mended(table):
    table.path.write_bytes(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())
    assert table.keep(16) is None and aside(table) == []
    assert table.path.read_text() == line(8) + line(16)


def test_rows_in_another_order_are_set_aside_and_read_in_theirs(table):
    text = line(24) + line(8) + line(16, max="once") + line(16, max="again")
    table.path.write_text(text)
    assert [(each["step"], each["max"]) for each in table.rows()][1] == (16, "again")
    assert [each["step"] for each in table.rows()] == [8, 16, 24]
    assert "not in the order of their steps" in table.keep(24) and aside(table) == [text]


def test_limits_of_what_is_read(table, monkeypatch):
    monkeypatch.setattr("cynet.runs.sample_table.ROWS", 2)
    assert read(table.path).notes == ("only its first 2 lines are read",) and len(table.rows()) == 2
    table.path.write_text(line(8) + "x" * 70_000 + "\n" + line(16))
    assert read(table.path).notes == ("what follows a line of more than 65,536 bytes is left out",)
    assert [each["step"] for each in table.rows()] == [8]


@pytest.mark.parametrize("value", ODD)
def test_a_row_of_an_odd_value_is_one_or_none(value):
    for name in ROW:
        found = parsed(json.dumps(ROW | {name: value}))
        assert found in (None, ROW | {name: value})
        if found and name in ("step", "epoch"):
            assert type(found[name]) is int and 0 <= found[name] <= 10**15
        assert name in ("step", "epoch") or (found is None) is not (
            isinstance(value, str) and len(value) <= 400
        )


def test_a_damaged_file_is_noted_and_nothing_of_it_is_lost():
    good = WHOLE.encode()
    other = damaged_values([row(8), row(16), row(24)]).map(
        lambda values: "".join(json.dumps(each) + "\n" for each in values).encode()
        if isinstance(values, list) else b"x"
    )  # fmt: skip

    @settings(max_examples=COUNT, deadline=None)
    @given(st.one_of(damaged_bytes(good), other))
    def check(data):
        with tempfile.TemporaryDirectory(dir=MEMORY) as place, bounded(), PATCHES() as patches:
            patches.setattr("os.fsync", lambda _: None)
            run = RunFolder(Path(place) / "run")
            (run.path / "metrics.csv").write_text("step,test_perplexity\n24,7.5\n")
            (run.path / "samples.jsonl").write_bytes(data)
            document = gather.gather(contents.read(run.path))
            page.embedded(document)
            found = document["samples"] or []
            assert [each["step"] for each in found] == sorted({each["step"] for each in found})
            told = run.samples.keep(16)
            kept, now = (
                {path.name: path.read_bytes() for path in run.path.glob("samples.*")},
                run.samples.rows(),
            )
            assert all(each["step"] <= 16 for each in now)
            if told is not None:
                assert [kept[name] for name in kept if "set-aside" in name] == [data]
                return
            lines = data.decode("utf-8-sig", "surrogateescape").replace("\r\n", "\n").split("\n")
            left = kept["samples.jsonl"].decode(errors="surrogateescape").split("\n")
            for each in set(lines[:-1]) - {"", *left}:  # rows that come again
                assert parsed(each)["step"] > 16, each

    check()
