"""`cynet bench compare`: each command's numbers, in their units and directions."""

import json

import pytest

from cynet.bench import choices, compare

MIB = 1 << 20
BOTH = {"model": "m", "batch_norm": True, "batch_size": 8, "threads": 2, "steps": 5}


@pytest.mark.parametrize(("command", "row", "key", "old", "new", "wanted"), [
    ("peak", {"measure": "copy"}, "rate", 2e9, 3e9, ("peak, copy", "2.0", "3.0", "G/s", 1.5)),
    ("kernels", {"kernel": "k", "shape": "(1,)", "place": "p"}, "seconds", 2e-6, 1e-6,
     ("kernels, k, (1,), p", "2.00", "1.00", "µs", 2)),
    ("train", BOTH, "seconds", 0.004, 0.008,
     ("train, m, batch norm, batch 8, 2 threads", "4.00", "8.00", "ms", 0.5)),
    ("infer", BOTH | {"side": 224}, "seconds", 0.004, 0.008,
     ("infer, m, @224, batch norm, batch 8, 2 threads", "4.00", "8.00", "ms", 0.5)),
    ("infer", BOTH, "seconds", 0.004, 0.008,
     ("infer, m, batch norm, batch 8, 2 threads", "4.00", "8.00", "ms", 0.5)),
    *((command, {"shape": "3x3 1-2 @8 (4)", "threads": 2}, f"{what}_seconds", 0.002, 0.001,
       (f"{command}, 3x3 1-2 @8 (4), 2 threads, {what} seconds", "2.00", "1.00", "ms", 2))
      for command in ("shapes", "shapes: drawn") for what in ("forward", "both")),
    ("memory", BOTH, "peak_bytes", MIB, 4 * MIB,
     ("memory, m, batch norm, batch 8, 2 threads, 5 steps, peak", "1.00", "4.00", "MiB", 0.25)),
    ("memory", BOTH, "own_bytes", 4 * MIB, MIB,
     ("memory, m, batch norm, batch 8, 2 threads, 5 steps, own", "4.00", "1.00", "MiB", 4)),
    ("import", {"import": "import x"}, "seconds", 0.2, 0.1, ("import, import x", "200", "100", "ms", 2)),
    ("loader", {"workers": 0}, "images_per_second", 100, 150,
     ("loader, 0 workers", "100", "150", "images/s", 1.5)),
    ("loader: cost", {"workers": 1}, "first_seconds", 0.2, 0.1,
     ("loader: cost, 1 workers, first seconds", "200", "100", "ms", 2)),
    ("loader: cost", {"workers": 1}, "grown_bytes", 2 * MIB, MIB,
     ("loader: cost, 1 workers, grown", "2.00", "1.00", "MiB", 2)),
    ("loader: training", {"workers": 1}, "images_per_second", 100, 150,
     ("loader: training, 1 workers", "100", "150", "images/s", 1.5)),
    *((f"growth: {what}", {"model": "m", "side": 32, "batch_size": 8, "threads": 2}, key, 0.002, 0.001,
       (f"growth: {what}, m, @32, batch 8, 2 threads, {key}", "2.00", "1.00", "ms", 2))
      for what in ("batch", "side", "depth") for key in ("train", "infer")),
    ("growth: threads", {"threads": 4, "model": 0.1}, "seconds", 0.002, 0.001,
     ("growth: threads, 4 threads", "2.00", "1.00", "ms", 2)),
    ("language-model", {"hidden": 8, "batch_size": 4, "length": 5, "threads": 2}, "seconds", 0.002, 0.001,
     ("language-model, 8 units, batch 4, length 5, 2 threads", "2.00", "1.00", "ms", 2)),
    ("language-model: writing", {"hidden": 8, "threads": 2}, "seconds", 1e-6, 2e-6,
     ("language-model: writing, 8 units, 2 threads", "1.00", "2.00", "µs", 0.5)),
    *(("language-model: memory", {"hidden": 8, "batch_size": 4, "length": 5, "threads": 2, "steps": 3}, key,
       2 * MIB, MIB, (f"language-model: memory, 8 units, batch 4, length 5, 2 threads, 3 steps, {name}",
                      "2.00", "1.00", "MiB", 2))
      for key, name in (("peak_bytes", "peak"), ("own_bytes", "own"))),
    ("distributed", {"model": "m", "ranks": 4, "threads": 2}, "seconds", 0.004, 0.008,
     ("distributed, m, 4 ranks, 2 threads", "4.00", "8.00", "ms", 0.5)),
    ("distributed: the model", {"model": "m", "machines": 16}, "same_batch", 0.5, 0.75,
     ("distributed: the model, m, 16 machines", "50", "75", "%", 1.5)),
    *(("profile", BOTH | {"path": "1.2", "layer": "ReLU()"}, key, 2e-6, 1e-6,
       (f"profile, m, batch norm, batch 8, 1.2, ReLU(), {key}", "2.00", "1.00", "µs", 2))
      for key in ("forward", "backward", "total")),
])  # fmt: skip
def test_each_number_of_a_file_is_compared_in_its_unit_and_direction(
    tmp_path, command, row, key, old, new, wanted
):
    files = []
    for name, value in (("old", old), ("new", new)):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps({"results": [{"command": command, "rows": [row | {key: value}]}]}))
    found = compare.compare(*files)
    (row,) = found.report.rows
    case, shown_old, shown_new, unit, ratio = wanted
    assert row == {"case": case, "old": shown_old, "new": shown_new, "unit": unit,
                   "ratio": pytest.approx(ratio), "by": "itself"}  # fmt: skip
    assert found.slower == ((case,) if ratio < 1 else ())


def test_every_command_of_bench_that_measures_can_be_compared():
    measured = set(choices.WHAT) - {"table", "compare", "growth"}
    more = {
        "shapes: drawn",
        "loader: cost",
        "loader: training",
        *(f"growth: {what}" for what in ("batch", "side", "depth", "threads")),
        "language-model: writing",
        "language-model: memory",
        "distributed: the model",
    }
    assert set(compare.KINDS) == measured | more


@pytest.mark.parametrize(("key", "beside"), [
    ("seconds", "ratio"), ("peak_bytes", "ratio"), ("own_bytes", "own_ratio"), ("images_per_second", "ratio"),
    ("forward_seconds", "forward_ratio"), ("both_seconds", "both_ratio"),
])  # fmt: skip
def test_which_ratio_to_the_peer_belongs_to_a_number(tmp_path, key, beside):
    commands = {"seconds": "train", "images_per_second": "loader"}
    commands |= {"forward_seconds": "shapes", "both_seconds": "shapes"}
    command = commands.get(key, "memory")
    file = tmp_path / "a.json"
    row = {key: 1.0, "ratio": 3.0, "own_ratio": 5.0, "forward_ratio": 7.0, "both_ratio": 9.0}
    file.write_text(json.dumps({"results": [{"command": command, "rows": [row]}]}))
    (found,) = compare.read(file).values()
    assert found.beside == row[beside]


@pytest.mark.parametrize("value", [0, -1.0, True, "1", None, 1e100])
def test_what_is_no_positive_number_is_no_case(tmp_path, value):
    file = tmp_path / "a.json"
    rows = [{"model": "m", "seconds": value}]
    file.write_text(json.dumps({"results": [{"command": "train", "rows": rows}]}))
    assert compare.read(file) == {}


@pytest.mark.parametrize("value", [9.9e99, 1e-300, 10**50, 3])
def test_any_other_positive_number_is_a_case(tmp_path, value):
    file = tmp_path / "a.json"
    rows = [{"measure": "copy", "rate": value}]
    file.write_text(json.dumps({"results": [{"command": "peak", "rows": rows}]}))
    assert [each.value for each in compare.read(file).values()] == [value]


def test_cases_of_one_ratio_stand_by_their_names(tmp_path):
    files = []
    for name, factor in (("old", 1), ("new", 2)):
        rows = [{"measure": each, "rate": factor * 8.0} for each in "cabd"]
        rows.append({"measure": "e", "rate": 1.0})
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps({"results": [{"command": "peak", "rows": rows}]}))
    found = compare.compare(*files)
    assert [row["case"][-1] for row in found.report.rows] == ["e", "a", "b", "c", "d"]


def test_a_long_name_is_cut_and_a_file_of_hundreds_of_megabytes_not_read(tmp_path):
    file = tmp_path / "a.json"
    rows = [{"measure": "m" * 500, "rate": 1.0}]
    file.write_text(json.dumps({"results": [{"command": "peak", "rows": rows}]}))
    assert list(compare.read(file)) == ["peak, " + "m" * 80]
    file.write_text(json.dumps({"results": [{"command": "peak", "rows": rows, "more": "x" * 10_000}]}))
    assert len(compare.read(file)) == 1
    with file.open("r+") as opened:
        opened.truncate((1 << 28) + 1)
    with pytest.raises(
        ValueError, match=r"a\.json: wanted a file of at most 268,435,456 bytes, got 268,435,457$"
    ):
        compare.read(file)
