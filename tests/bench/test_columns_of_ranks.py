"""What stands in each column of `cynet bench distributed`, and the model of many machines, by hand."""

import json
import os

import pytest

from cynet.bench import distributed, scaling
from cynet.bench.distributed import RankedSetup
from cynet.bench.scaling import Link, Work, efficiency, step_seconds

MIB = 1 << 20
STEPS = {"one": (0.4, 0.6, 0.5), "shards": (0.7, 0.9, 0.8), "ranks": (0.8, 0.4, 0.25)}  # of three turns
LINE = [0.002, 5e5, 1e-4]


@pytest.fixture
def processes(monkeypatch):
    """The processes that were started, which tell what STEPS has: (words before Python, job)."""
    started = []

    def run(*arguments, launch=()):
        assert arguments[:2] == ("-m", "cynet.bench.ranks")
        job = json.loads(arguments[2])
        way = "ranks" if job["ranks"] else "one" if job["shards"] == 1 else "shards"
        turn = sum(before == (tuple(launch), job) for before in started)
        started.append((tuple(launch), job))
        step = STEPS[way][turn]
        told = {"own": (0.3, 0.2, 0.7)[turn], "part": (0.15, 0.1, 0.2)[turn], "share": 0.25, "told": 12}
        told |= {"rest": (0.01, 0.02, 0.9)[turn], "buckets": [[0.05, 300], [0.0, 700]], "line": LINE}
        told |= {"bytes": 3 * MIB, "messages": 1234, "peak": (50, 90, 60)[turn] * MIB}
        told |= {"under_way": (0.1, 0.5, 0.2)[turn], "waited": (0.3, 0.05, 0.0)[turn]}
        return json.dumps({"step": step} | (told if job["ranks"] else {}))

    monkeypatch.setattr(distributed, "run_python", run)
    return started


def test_ranks_take_turns_with_one_process_that_has_all_their_threads(processes, shown):
    setup = RankedSetup((2,), ("uwnet1",), 64, 4, "env -u NONE {}", 3, 3)
    told = []
    report, model = distributed.measure(setup, lambda *at: told.append(at))
    job = {"model": "uwnet1", "batch_size": 64, "steps": distributed.STEPS, "shards": 4}
    one = ((), job | {"ranks": 0, "threads": 6, "shards": 1})
    shards = ((), job | {"ranks": 0, "threads": 6})
    ranks = (("env", "-u", "NONE", "2"), job | {"ranks": 2, "threads": 3})
    assert processes == [one, shards, ranks] * 3
    assert told == [(i, 3, "distributed uwnet1, 2 ranks") for i in (1, 2, 3)]
    # In the turns: .4 / .8, .6 / .4, .5 / .25; hidden: all but the .05 of .2 seconds, medians of both.
    work = Work(0.14, 0.02, ((0.05, 300), (0.0, 700)), 12, 0.04)  # fixed: (.13 / 2 - .14 / 4) / .75
    found = scaling.work_of(_told(), 2)
    assert (found.shard, found.rest, found.fixed) == pytest.approx((work.shard, work.rest, work.fixed))
    assert (found.buckets, found.told) == (work.buckets, work.told)
    by_model = step_seconds(work, Link(*LINE), 2, 4)
    assert shown(report) == [{
        "model": "uwnet1", "ranks": "2", "threads each": "3", "step ms": "400", "one process ms": "500",
        "in shards ms": "800", "efficiency %": "150", "own shards ms": "300", "latency ms": "2.00",
        "Mbit/s": "4", "by the model ms": f"{1e3 * by_model:.0f}", "sent MiB a step": "3.00",
        "messages": "1,234", "hidden %": "75", "peak MiB a rank": "60.0",
    }]  # fmt: skip
    assert report.command == "distributed" and report.rows[0]["buckets"] == [[0.05, 300], [0.0, 700]]
    assert report.notes[0].startswith("Training steps of 64 pictures in 4 shards, started by env -u NONE {};")
    assert report.extra == {"processors": os.cpu_count()} and model.command == "distributed: the model"


def _told():
    """What the ranks of `processes` told of their own shards, in three turns."""
    return [
        {
            "own": own,
            "part": part,
            "rest": rest,
            "share": 0.25,
            "told": 12,
            "buckets": [[0.05, 300], [0.0, 700]],
        }
        for own, part, rest in ((0.3, 0.15, 0.01), (0.2, 0.1, 0.02), (0.7, 0.2, 0.9))
    ]


def test_without_a_measured_line_it_is_the_one_that_was_told_and_nothing_is_hidden(processes, monkeypatch):
    monkeypatch.setitem(STEPS, "ranks", (0.5,))
    run = distributed.run_python

    def alone(*arguments, **more):
        return json.dumps(json.loads(run(*arguments, **more)) | {"line": [], "under_way": 0.0})

    monkeypatch.setattr(distributed, "run_python", alone)
    line = Link(0.25, 1e6)
    report, model = distributed.measure(RankedSetup((1,), ("a", "b"), launch="env {}", repeat=1, line=line))
    assert [row["model"] for row in report.rows] == ["a", "b"]
    assert [(row["latency"], row["bandwidth"], row["hidden"]) for row in report.rows] == [
        (0.25, 1e6, None)
    ] * 2
    assert [row["model"] for row in model.rows] == ["a"] * 8 + ["b"] * 8
    assert model.extra["line"] == "250 ms and 0.008 Gbit/s"


def test_the_model_is_fed_with_the_most_ranks(processes, monkeypatch):
    given = []
    monkeypatch.setattr(distributed, "predicted", lambda works, setup: given.append(works))
    list(distributed.measure(RankedSetup((1, 4), ("a",), 64, 8, "env {}", repeat=1)))
    ((work,),) = [works.values() for works in given]
    assert work.shard == pytest.approx((0.3 - 0.01) / 2)  # of four ranks, which have two shards each


# -- the model -----------------------------------------------------------------------------------------------
def test_a_step_is_as_long_as_its_last_sum_takes():
    """Three ranks of two shards each; seconds by hand. The line is busy from 1.4 on, with what is told (40
    bytes), the first bucket's parts (200), their sums (200), the other's (400), theirs (400) till 2.67."""
    work = Work(1.0, 0.5, ((0.6, 300), (0.2, 600)), 10)
    assert step_seconds(work, Link(0.01, 1000.0, 0.001), 3, 6) == pytest.approx(2.67 + 0.5)
    # Five kinds of messages to two others, each of which costs at both ends, behind the two shards.
    assert step_seconds(work, Link(0.0, 1e18, 0.1), 3, 6) == pytest.approx(2 + 5 * 2 * 2 * 0.1 + 0.5)
    assert step_seconds(work, Link(9.0, 1.0, 9.0), 1, 6) == 6 + 0.5


def test_a_buckets_parts_wait_for_what_is_on_the_line_before():
    late = Work(1.0, 0.0, ((0.5, 2000), (0.4, 2000)))
    # 1000 bytes from .5 to 1.5, the next from 1.5 to 2.5, then both sums: the first is at the other's at 1.5.
    assert step_seconds(late, Link(0.0, 1000.0, 0.0), 2, 2) == pytest.approx(4.5)


def test_shards_of_fewer_pictures_keep_what_is_fixed():
    part = Work(1.0, 0.5, ((0.6, 300), (0.0, 600)), 10, 0.2).with_shards_of(0.25)
    assert part == Work(pytest.approx(0.4), 0.5, ((pytest.approx(0.24), 300), (0.0, 600)), 10, 0.2)


SHARD, REST, FIXED, LATENCY = 0.1, 0.02, 0.03, 0.05


def test_the_table_of_many_machines_has_the_models_numbers(shown):
    setup = RankedSetup((2,), ("net",), 512, 8, line=Link(LATENCY, 1e18, 0.0))
    report = distributed.predicted({"net": Work(SHARD, REST, (), 0, FIXED)}, setup)
    assert len(report.rows) == len(distributed.MACHINES)
    for row, text in zip(report.rows, shown(report), strict=True):
        n, shards = row["machines"], max(8, row["machines"])
        of_part = FIXED + (SHARD - FIXED) * 8 / shards
        same = (8 * SHARD + REST) / (shards / n * of_part + LATENCY + REST) / n
        grown = (8 * n * SHARD + REST) / (8 * SHARD + LATENCY + REST) / n
        # the part at which n part SHARD + REST is 90 % of n (FIXED + (SHARD - FIXED) part + LATENCY + REST)
        least = (0.9 * n * (FIXED + LATENCY + REST) - REST) / (n * SHARD - 0.9 * n * (SHARD - FIXED))
        assert (row["shards"], row["same_batch"], row["batch_a_machine"]) == (
            shards, pytest.approx(same), pytest.approx(grown)
        )  # fmt: skip
        assert least * 64 <= row["pictures"] <= least * 64 * 1.001 + 1
        assert text == {
            "model": "net", "machines": str(n), "shards": str(shards),
            "batch 512 in all, %": f"{100 * same:.0f}", "batch 512 a machine, %": f"{100 * grown:.0f}",
            "pictures a machine for 90 %": f"{row['pictures']:,}",
        }  # fmt: skip
    assert report.extra == {"batch_size": 512, "a_machine": 8, "wanted": 0.9,
                            "line": "50 ms and 8e+09 Gbit/s"}  # fmt: skip
    assert "50 ms and 8e+09 Gbit/s apart" in report.notes[0] and "in shards of 64," in report.notes[0]


def test_where_no_number_of_pictures_is_enough_there_is_none():
    setup = RankedSetup((2,), ("net",), line=Link(1e9, 1e9))
    assert {row["pictures"] for row in distributed.predicted({"net": Work(0.1, 0.0, ())}, setup).rows} == {
        None
    }


def test_one_machine_is_held_against_itself_with_the_same_pictures():
    work = Work(SHARD, REST, (), 0, FIXED)
    assert efficiency(work, Link(9.0, 1.0), 1, 8, 0.5) == pytest.approx(
        (4 * SHARD + REST) / (8 * (FIXED + (SHARD - FIXED) / 2) + REST)
    )


def test_ranks_are_started_by_the_launcher_beside_this_python_unless_another_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(distributed.sys, "executable", str(tmp_path / "python"))
    assert distributed.launcher() == distributed.launcher(None) == ["mpiexec", "-n", "{}"]
    (tmp_path / "mpiexec").touch()
    assert distributed.launcher() == [str(tmp_path / "mpiexec"), "-n", "{}"]
    assert distributed.launcher("mpiexec -np {} -x A") == ["mpiexec", "-np", "{}", "-x", "A"]
