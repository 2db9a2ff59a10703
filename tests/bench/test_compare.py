"""`cynet bench compare`: two files, case by case."""

import json

import pytest

from cynet import cli
from cynet.bench import compare


def written(path, *results):
    path.write_text(json.dumps({"command": "table", "environment": {}, "settings": {}, "results": results}))
    return str(path)


def speed(command="train", **seconds):
    rows = [
        {"model": name, "batch_norm": True, "batch_size": 128, "threads": 2, "seconds": taken}
        for name, taken in seconds.items()
    ]
    return {"command": command, "rows": rows, "notes": []}


def said(capsys, *arguments):
    status = cli.main(["bench", "compare", *arguments])
    return status, *capsys.readouterr()


def test_each_case_stands_in_a_row_the_slowest_first(capsys, tmp_path):
    old = written(tmp_path / "old.json", speed(uwnet1=0.010, uwnet2=0.005, vgg_small=1.0))
    new = written(tmp_path / "new.json", speed(uwnet1=0.020, uwnet2=0.004, vgg_small=1.02))
    status, out, err = said(capsys, old, new)
    assert (status, err) == (1, "")
    rows = [line.split() for line in out.splitlines() if line.startswith("train, ")]
    assert [row[1] for row in rows] == ["uwnet1,", "vgg_small,", "uwnet2,"]
    assert [row[-5:-1] for row in rows] == [
        ["10.0", "20.0", "ms", "0.50"],
        ["1,000", "1,020", "ms", "0.98"],
        ["5.00", "4.00", "ms", "1.25"],
    ]
    assert "Slower, below 0.97: train, uwnet1, batch norm, batch 128, 2 threads." in out


def test_nothing_slower_is_status_0_and_the_tolerance_may_be_set(capsys, tmp_path):
    old = written(tmp_path / "old.json", speed(uwnet2=0.0100))
    new = written(tmp_path / "new.json", speed(uwnet2=0.0102))
    assert said(capsys, old, new)[0] == 0
    status, out, _ = said(capsys, old, new, "--tolerance", "0.99")
    assert status == 1 and "below 0.99" in out
    status, out, _ = said(capsys, old, new, "--markdown")
    assert status == 0 and out.startswith("| case | old | new |") and "Nothing below 0.97." in out


def test_what_is_in_one_file_alone_is_named(capsys, tmp_path):
    old = written(tmp_path / "old.json", speed(uwnet1=1.0, uwnet2=1.0))
    new = written(tmp_path / "new.json", speed(uwnet2=1.0), speed("infer", uwnet2=1.0))
    found = compare.compare(old, new)
    assert [row["case"] for row in found.report.rows] == ["train, uwnet2, batch norm, batch 128, 2 threads"]
    said_of = " ".join(found.report.notes)
    assert f"Only in {old}: train, uwnet1, batch norm, batch 128, 2 threads." in said_of
    assert f"Only in {new}: infer, uwnet2, batch norm, batch 128, 2 threads." in said_of


def test_beside_a_peer_the_ratios_to_it_are_compared(tmp_path):
    """The machine was twice as slow the second time, for both."""
    old, new = speed(uwnet2=0.010), speed(uwnet2=0.020)
    old["rows"][0]["ratio"], new["rows"][0]["ratio"] = 1.5, 1.65
    paths = [written(tmp_path / f"{i}.json", one) for i, one in enumerate((old, new))]
    found = compare.compare(*paths)
    (row,) = found.report.rows
    assert (row["ratio"], row["by"], found.slower) == (pytest.approx(1.1), "a peer", ())
    del new["rows"][0]["ratio"]
    written(tmp_path / "1.json", new)
    (row,) = compare.compare(*paths).report.rows
    assert (row["ratio"], row["by"]) == (0.5, "itself")


def test_of_rates_more_is_better(tmp_path):
    files = [
        written(
            tmp_path / f"{rate}.json",
            {"command": "peak", "rows": [{"measure": "copy", "rate": rate, "unit": "GB/s"}]},
            {"command": "loader", "rows": [{"workers": 2, "images_per_second": rate, "seconds": 1 / rate}]},
        )
        for rate in (1e9, 2e9)
    ]
    assert {row["case"]: row["ratio"] for row in compare.compare(*files).report.rows} == {
        "peak, copy": 2,
        "loader, 2 workers": 2,
    }


def test_layers_of_a_profile_are_told_apart(tmp_path):
    row = {"path": "0", "layer": "ReLU()", "forward": 1.0, "backward": 2.0, "total": 3.0}
    rows = [row, row, {"layer": "the rest", "total": -1.0}]
    one = {"command": "profile", "model": "uwnet2", "batch_size": 8, "batch_norm": False, "rows": rows}
    found = compare.read(written(tmp_path / "one.json", one))
    start = "profile, uwnet2, no batch norm, batch 8, 0, ReLU(), "
    assert set(found) == {
        f"{start}{what}{again}" for what in ("forward", "backward", "total") for again in ("", " (2)")
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "got one that is no JSON"),
        ("[" * 100_000, "got one that is no JSON"),
        ("[]", "got one without a list of results"),
        ('{"results": [1]}', "got a result without rows"),
        ('{"results": [{"command": "train", "rows": [1]}]}', "got a result without rows"),
        ('{"results": [{"command": ["train"], "rows": []}]}', "got results of an unknown command ['train']"),
        ('{"results": []}', "wanted at least one case that"),
        (
            '{"results": [{"command": "infer", "rows": [{"model": "uwnet2", "seconds": NaN}]}]}',
            "wanted at least one case that",
        ),
        (
            f'{{"results": [{{"command": "infer", "rows": [{{"seconds": 1{"0" * 400}}}]}}]}}',
            "wanted at least one case that",
        ),
    ],
)
def test_what_is_no_such_file_is_refused_in_one_line(capsys, tmp_path, content, words):
    good = written(tmp_path / "good.json", speed(uwnet2=1.0))
    bad = tmp_path / "bad.json"
    bad.write_text(content)
    status, out, err = said(capsys, good, str(bad))
    assert (status, out, err.count("\n")) == (2, "", 1) and words in err and "bad.json" in err


def test_what_a_file_calls_things_moves_no_cursor(tmp_path):
    (name,) = compare.read(written(tmp_path / "odd.json", speed(**{"a\x1b[2J\n": 1.0})))
    assert name.isprintable()


def test_a_file_that_is_not_there_and_a_pipe_are_refused(capsys, tmp_path):
    good = written(tmp_path / "good.json", speed(uwnet2=1.0))
    status, _, err = said(capsys, good, str(tmp_path / "no.json"))
    assert status == 2 and "no.json: No such file or directory" in err
    status, _, err = said(capsys, "/dev/null", good)
    assert status == 2 and "wanted a regular file, got a device" in err


def test_files_of_the_command_itself_are_read(capsys, tmp_path):
    files = [str(tmp_path / f"{i}.json") for i in range(2)]
    for file in files:
        flags = ["infer", "--model", "uwnet2", "--batch-size", "4", "--repeat", "1", "--json", file]
        assert cli.main(["bench", *flags]) == 0
    capsys.readouterr()
    status, out, _ = said(capsys, *files, "--tolerance", "0")
    assert status == 0 and "infer, uwnet2, batch norm, batch 4" in out


@pytest.mark.parametrize(("new", "slower"), [(1.0, 0), (2.0, 0), (2.0001, 1)])
def test_a_ratio_at_the_tolerance_is_not_slower(tmp_path, new, slower):
    paths = [written(tmp_path / f"{i}.json", speed(uwnet1=each)) for i, each in enumerate((1.0, new))]
    assert len(compare.compare(*paths, tolerance=0.5).slower) == slower


def test_what_is_empty_names_no_case_and_a_row_goes_before_its_result(tmp_path):
    rows = [
        {"kernel": "add", "shape": "(1,)", "place": place, "seconds": 1.0} for place in ("", "sweep", None)
    ]
    result = {"command": "kernels", "place": "all", "seconds": 2.0, "rows": rows}
    found = compare.read(written(tmp_path / "x.json", result))
    assert list(found) == ["kernels, add, (1,)", "kernels, add, (1,), sweep", "kernels, add, (1,) (2)"]
    assert {each.value for each in found.values()} == {1.0}
