"""The model of a step by several machines: its ends, its bounds, and what more of anything does."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cynet.bench import scaling_picture
from cynet.bench.distributed import NEAR, RankedSetup, launcher, measure, predicted
from cynet.bench.scaling import Link, Work, efficiency, least_part, step_seconds, work_of

WORK = Work(0.1, 0.004, ((0.06, 300_000), (0.04, 300_000), (0.0, 500_000)), 6000)
AT_ONCE = Link(0.0, 1e18, 0.0)


@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
def test_without_a_line_between_them_machines_share_the_work(ranks):
    assert step_seconds(WORK, AT_ONCE, ranks, 8) == pytest.approx(8 / ranks * 0.1 + 0.004, rel=1e-6)


def test_one_machine_is_efficient():
    assert efficiency(WORK, NEAR, 1, 8) == 1


def test_what_is_final_last_is_what_is_waited_for():
    line = Link(0.002, 1e6, 0.0)
    late = Work(1.0, 0.0, ((0.0, 100_000),))
    early = Work(1.0, 0.0, ((0.9, 100_000),))
    assert step_seconds(early, line, 2, 2) == pytest.approx(1.0)
    assert step_seconds(late, line, 2, 2) == pytest.approx(1 + 2 * (0.05 + 0.002))  # two rounds of a half


@given(st.floats(1e-5, 0.1), st.floats(1e6, 1e11), st.sampled_from([2, 4, 8, 16]))
def test_a_better_line_is_never_slower_and_no_line_is_faster_than_none(latency, bandwidth, ranks):
    line = Link(latency, bandwidth)
    found = step_seconds(WORK, line, ranks, 16)
    assert found >= step_seconds(WORK, AT_ONCE, ranks, 16)
    assert found >= step_seconds(WORK, Link(latency / 2, bandwidth), ranks, 16) - 1e-12
    assert found >= step_seconds(WORK, Link(latency, bandwidth * 2), ranks, 16) - 1e-12


def test_work_comes_from_what_processes_measured():
    rest = {"part": 0.31, "share": 1 / 8, "rest": 0.1, "buckets": [[0.2, 40]], "told": 9}
    work = work_of([{"own": own} | rest for own in (0.9, 1.1, 5.0)], 4)
    assert work == Work(0.25, 0.1, ((0.2, 40),), 9, pytest.approx(0.0243, abs=1e-4))
    assert work.with_shards_of(1 / 8).shard == pytest.approx((0.31 - 0.1) / 4)
    assert WORK.with_shards_of(0.5).shard == 0.05


def test_the_table_of_many_machines_falls_off_with_one_batch_for_all():
    rows = predicted({"net": WORK}, RankedSetup((2,), ("net",))).rows
    assert [row["machines"] for row in rows] == [2, 4, 8, 16, 32, 64, 128, 256]
    same, grown = ([row[name] for row in rows] for name in ("same_batch", "batch_a_machine"))
    assert same == sorted(same, reverse=True) and same[0] > 0.9 and same[-1] < 0.2
    assert all(a <= b for a, b in zip(same, grown, strict=True))


def test_the_fewest_pictures_for_an_efficiency_are_those():
    part = least_part(WORK, NEAR, 16, 0.9)
    assert efficiency(WORK, NEAR, 16, 16, part) == pytest.approx(0.9, abs=0.002)
    assert least_part(WORK, Link(1e3, 1e9), 16, 0.9) == float("inf")


def test_what_the_model_says_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    setup, slow = RankedSetup((2,), ("a", "b")), replace(WORK, fixed=0.09)
    scaling_picture.write([predicted({"a": WORK, "b": slow}, setup)], tmp_path / "a.png")
    drawn = (tmp_path / "a.png").read_bytes()
    assert drawn[1:4] == b"PNG" and struct.unpack(">2I", drawn[16:24]) == (1440, 504)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="launcher: wanted one that is installed"):
        next(measure(RankedSetup((2,), ("uwnet1",), launch="no-such-mpiexec -n {}")))
    with pytest.raises(ValueError, match="ranks: wanted divisors of the 8 shards, got 3"):
        next(measure(RankedSetup((3,), ("uwnet1",), launch="env {}")))
    assert launcher("srun -n {} -c 4") == ["srun", "-n", "{}", "-c", "4"]
