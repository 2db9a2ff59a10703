"""Damages of files, drawn: what a disk, an editor, a spreadsheet or a stranger may have made of them.

A test draws a damage with `hypothesis`, applies it, and asks of a reader that it answers or refuses in a
sentence, in bounded time, and leaves the file as it is.
"""

import contextlib
import copy
import os
import re
import signal
import threading

from hypothesis import strategies as st

# How many damages a test draws: each kind comes up at each place, alone and with others. CYNET_DAMAGES in the
# environment asks for more, as after a reader was changed.
COUNT = int(os.environ.get("CYNET_DAMAGES", 1000))
PATIENCE = 20  # seconds that one reading may take, whatever was drawn: a bound against "for ever"
BIG = 2**70


def deep(levels):
    """Lists within lists: more than a recursion may follow."""
    value = []
    for _ in range(levels):
        value = [value]
    return value


# What stands where something else belongs. JSON and TOML can hold all of it, but for None in TOML.
ODD = [
    None, True, False, 0, 1, -1, 2**31, 2**63, BIG, -BIG, 0.0, -0.0, 0.5, -1.5, 1e308, 1e-320,
    float("nan"), float("inf"), float("-inf"), "", " ", "x", "0", "1", "nan", "1e999", "\0", "\x1b[2J", "é",
    "\udce9", "../../x", "/dev/zero", "x" * 10_000, [], [[]], [None], ["x"], [1, 2, 3], [0.5] * 1000,
    {}, {"": {}}, {"x": 1},
]  # fmt: skip


def odd_values():
    """A value of a type, size or meaning that nobody expects at a field."""
    return st.sampled_from(ODD).map(copy.deepcopy)


def places(value, path=()):
    """The paths of every field in nested dicts and lists, the whole first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def put(value, path, new):
    """A copy of nested dicts and lists in which the field at `path` is `new`, or gone for `GONE`."""
    if not path:
        return {} if new is GONE else new
    result = inner = copy.copy(value)
    for key in path[:-1]:  # what lies beside the path is in both
        inner[key] = inner = copy.copy(inner[key])
    if new is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return result


GONE = object()  # in the place of a new value: the field is left out


@st.composite
def damaged_values(draw, value):
    """Nested dicts and lists with one to three fields that are odd, or gone."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(value))))
        new = GONE if draw(st.booleans()) and path else draw(odd_values())
        value = put(value, path, new)
    return value


@st.composite
def damaged_bytes(draw, data):
    """Bytes that are cut, longer, or changed at one to five places, as a disk or an editor leaves them."""
    kind = draw(st.sampled_from(["cut", "flip", "insert", "remove", "double", "zeros", "lines", "encoding"]))
    if kind == "cut":
        return data[: draw(st.integers(0, max(0, len(data) - 1)))]
    if kind == "double":
        return data + data
    if kind == "encoding":  # as some editors save a text
        text = data.decode("utf-8", "replace")
        return text.encode(draw(st.sampled_from(["utf-16", "utf-8-sig", "cp500"])), "replace")
    if kind == "lines":
        return data.replace(b"\n", draw(st.sampled_from([b"\r\n", b"\r", b"", b"\n\n"])))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        size = draw(st.integers(1, 64))
        if kind == "flip":
            bit = 1 << draw(st.integers(0, 7))
            data = data[:at] + bytes(byte ^ bit for byte in data[at : at + 1]) + data[at + 1 :]
        elif kind == "insert":
            data = data[:at] + draw(st.binary(min_size=1, max_size=size)) + data[at:]
        elif kind == "remove":
            data = data[:at] + data[at + size :]
        else:
            data = data[:at] + bytes(len(data[at : at + size])) + data[at + size :]
    return data


@contextlib.contextmanager
def bounded(seconds=PATIENCE):
    """Fail what takes longer than any reading of such a file has a reason to."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("bounded: wanted the main thread, which alone gets signals")

    def stop(*_):
        raise AssertionError(f"no end within {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# -- tables ------------------------------------------------------------------------------------------------
CELLS = [
    "", " ", "x", "nan", "inf", "-inf", "-1", "7.0", "0,5", "1e308", "-1e308", "1e999", "1e-320", str(BIG),
    '"1"', "1_0", "٣", "é", "\0", "=1+1", "1" * 5000, "\x1b[2J", "<b>", "None", "1.", "+1", "0x1",
]  # fmt: skip


@st.composite
def damaged_tables(draw, data):
    """A CSV file as bytes after one to three damages, as spreadsheets, editors and scripts leave them."""
    rows = [line.split(",") for line in data.decode().splitlines()]
    end, comma, encoding = "\n", ",", "utf-8"
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(KINDS_OF_DAMAGE))
        at = draw(st.integers(0, len(rows) - 1))
        place = draw(st.integers(0, max(0, len(rows[at]) - 1)))
        if kind == "cell" and rows[at]:
            rows[at][place] = draw(st.sampled_from(CELLS))
        elif kind == "heading":
            rows[0][place % len(rows[0])] = draw(st.sampled_from([*CELLS, *rows[0], rows[0][0].title()]))
        elif kind == "column":  # gone, twice, or elsewhere
            order = [k for k in range(len(rows[0])) if k != place]
            order[place:place] = draw(st.sampled_from([[], [place, place]]))
            order = order[::-1] if draw(st.booleans()) else order
            rows = [[row[k] for k in order if k < len(row)] for row in rows]
        elif kind == "order":
            rows[1:] = draw(st.permutations(rows[1:])) if draw(st.booleans()) else rows[:0:-1]
        elif kind == "rows":
            blank = [*rows[:1], [""], *rows[1:]]
            rows = draw(st.sampled_from([rows[:1], rows[:2], rows[1:] or rows, rows + rows, blank]))
        elif kind == "separator":
            comma = draw(st.sampled_from([";", "\t", ", ", "|"]))
        elif kind == "comma":
            rows = [[cell.replace(".", ",") for cell in row] for row in rows]
        elif kind == "quotes":
            rows = [[f'"{cell}"' for cell in row] for row in rows]
        elif kind == "end":
            end = draw(st.sampled_from(["\r\n", "\r", "\n\n"]))
        elif kind == "encoding":
            encoding = draw(st.sampled_from(["utf-16", "utf-8-sig", "utf-32", "utf-16-le"]))
        if not rows[0]:
            rows[0] = [""]
    text = end.join(comma.join(row) for row in rows) + end * draw(st.booleans())
    return text.encode(encoding, "replace")


KINDS_OF_DAMAGE = (
    "cell", "cell", "cell", "heading", "column", "order", "rows", "separator", "comma", "quotes", "end",
    "encoding",
)  # fmt: skip


def check_table(path, before, told, last):
    """Every line that a table had is in it, or comes again, being after the step `last`; or else the file as
    it was is in the folder, under a name that was told.
    """
    aside = [each for each in path.parent.iterdir() if each.name.startswith(f"{path.stem}.set-aside")]
    if told is not None:
        assert [each.read_bytes() for each in aside] == [before] and aside[0].name in told
        return
    assert aside == []
    heading, *now = _lines(path.read_bytes())
    *whole, torn = _lines(before)
    for line in set(whole) - {heading, "", *now}:  # rows that come again
        cells = line.split(",")
        assert len(cells) == heading.count(",") + 1 and re.fullmatch("[0-9]{1,16}", cells[0]), line
        assert int(cells[0]) > last, line
    assert "," not in torn or not whole or int(torn.partition(",")[0]) > last


def _lines(data):
    return data.decode("utf-8-sig", "surrogateescape").replace("\r\n", "\n").split("\n")
