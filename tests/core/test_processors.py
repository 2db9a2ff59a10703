"""How many processors are counted: affinity, and quotas of control groups of both versions, as files say."""

import os
from pathlib import Path

import pytest
from helpers import run_python

from cynet.core import processors as module
from cynet.core import threads
from cynet.core.processors import processors

V2 = "31 23 0:27 {start} {place} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "40 32 0:35 {start} {place} rw,nosuid shared:16 - cgroup cgroup rw,cpu,cpuacct\n"
OTHERS = (
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "41 32 0:36 / /sys/fs/cgroup/memory rw shared:17 - cgroup cgroup rw,memory\n"
    "42 32 0:37 / /sys/fs/cgroup/cpuset rw shared:18 - cgroup cgroup rw,cpuset\n"
)


@pytest.fixture(autouse=True)
def eight(monkeypatch):
    """A machine of eight processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.fixture
def system(tmp_path):
    """Writes the files of a system: {path: text}."""

    def write(**files):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return processors(tmp_path)

    return write


def version2(group, start="/", place="/sys/fs/cgroup"):
    mounts = OTHERS + V2.format(start=start, place=place)
    return {"proc/self/cgroup": f"0::{group}\n", "proc/self/mountinfo": mounts}


def version1(group, start="/"):
    groups = f"5:memory:/m\n4:cpu,cpuacct:{group}\n3:cpuset:/\n1:name=systemd:/s\n0::/\n"
    mounts = OTHERS + V1.format(start=start, place="/sys/fs/cgroup/cpu,cpuacct")
    return {"proc/self/cgroup": groups, "proc/self/mountinfo": mounts}


def quota(quota, period=100000, folder="sys/fs/cgroup/cpu,cpuacct"):
    return {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": f"{period}\n"}


def test_without_control_groups_those_it_may_run_on_count(system):
    assert system() == 8
    assert system(**version2("/")) == 8


@pytest.mark.parametrize(("text", "count"), [
    ("max 100000", 8), ("100000 100000", 1), ("150000 100000", 1), ("199999 100000", 1), ("200000 100000", 2),
    ("50000 100000", 1), ("1000 100000", 1), ("1600000 100000", 8), ("30000 10000", 3), ("", 8),
    ("100000", 8), ("-1 100000", 8), ("100000 0", 8), ("a b c", 8),
])  # fmt: skip
def test_the_quota_of_a_container_is_rounded_down(system, text, count):
    assert system(**version2("/"), **{"sys/fs/cgroup/cpu.max": f"{text}\n"}) == count


def test_the_tightest_group_on_the_way_to_the_process_counts(system):
    files = version2("/kube/pod 7/app")
    assert system(**files, **{"sys/fs/cgroup/kube/cpu.max": "400000 100000"}) == 4
    assert system(**{"sys/fs/cgroup/kube/pod 7/cpu.max": "max 100000"}) == 4
    assert system(**{"sys/fs/cgroup/kube/pod 7/app/cpu.max": "300000 100000"}) == 3
    assert system(**{"sys/fs/cgroup/kube/cpu.max": "200000 100000"}) == 2
    assert system(**{"sys/fs/cgroup/other/cpu.max": "100000 100000"}) == 2


def test_a_group_whose_name_has_colons(system):
    files = version2("/run:u1.scope/a:b")
    assert system(**files, **{"sys/fs/cgroup/run:u1.scope/a:b/cpu.max": "300000 100000"}) == 3


def test_a_container_that_sees_its_own_group_as_the_top_one(system):
    files = version2("/docker/1f", start="/docker/1f")
    assert system(**files, **{"sys/fs/cgroup/cpu.max": "200000 100000"}) == 2
    files = version2("/../../elsewhere")  # what a process outside the namespace's root is told
    assert system(**files, **{"sys/fs/cgroup/cpu.max": "300000 100000"}) == 3
    assert system(**{"sys/elsewhere/cpu.max": "100000 100000"}) == 3, "never outside of what is mounted"


def test_a_group_that_is_not_below_the_one_that_is_mounted(system):
    files = version2("/other/1f/app", start="/docker/1f")
    assert system(**files, **{"sys/fs/cgroup/cpu.max": "300000 100000"}) == 3
    assert system(**{"sys/fs/cgroup/app/cpu.max": "100000 100000"}) == 3, "of another group"


def test_a_place_with_a_space(system):
    files = version2("/", place=r"/mnt/control\040groups")
    assert system(**files, **{"mnt/control groups/cpu.max": "200000 100000"}) == 2


@pytest.mark.parametrize(("given", "count"), [
    ((-1,), 8), ((100000,), 1), ((250000,), 2), ((50000,), 1), ((0,), 8), ((900000,), 8), ((60000, 20000), 3),
])  # fmt: skip
def test_version_1(system, given, count):
    assert system(**version1("/docker/1f", "/docker/1f"), **quota(*given)) == count


def test_version_1_with_groups_below_the_top(system):
    place = "sys/fs/cgroup/cpu,cpuacct"
    files = version1("/docker/1f")
    assert system(**files, **quota(-1), **quota(300000, folder=f"{place}/docker/1f")) == 3
    assert system(**quota(200000, folder=f"{place}/docker")) == 2


def test_files_that_say_nothing_sensible_are_passed_over(system):
    assert system(**{"proc/self/cgroup": "nothing\n", "proc/self/mountinfo": "\n - \n- cgroup2\n"}) == 8
    assert system(**{"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": "\n - \n - cgroup2\n"}) == 8


def test_the_seconds_that_each_thread_waited(tmp_path):
    texts = {"7": "900 1500000000 3\n", "8": "1 250000000 9\n", "9": "odd\n", "10": "1 many 3\n"}
    for name, text in texts.items():
        (tmp_path / "proc/self/task" / name).mkdir(parents=True)
        (tmp_path / "proc/self/task" / name / "schedstat").write_text(text)
    (tmp_path / "proc/self/task/11/schedstat").mkdir(parents=True)  # it cannot be read
    assert module.processor_waits(tmp_path) == {"7": 1.5, "8": 0.25}
    assert module.processor_waits(tmp_path / "none") == {}


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the system does not tell")
def test_this_process_has_such_threads():
    found = module.processor_waits()
    assert str(os.getpid()) in found and all(seconds >= 0 for seconds in found.values())


def test_every_count_of_processors_is_this_one(monkeypatch):
    from cynet.core import build
    from cynet.data.images import decoding
    from cynet.data.workers import auto

    found = {auto.processors, build.processors, decoding.processors, threads.processors}
    assert found == {module.processors}


@pytest.mark.skipif(not threads._config.build_info()["openmp"], reason="one thread without OpenMP")
def test_the_quota_is_the_number_of_threads():
    code = (
        "from cynet.core import processors, threads\n"
        "processors._quotas = lambda root: [1.5]\n"
        "print(threads.get_num_threads())\n"
    )
    done = run_python("-c", code, OMP_NUM_THREADS="")
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
